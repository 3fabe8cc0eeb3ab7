// Labserver is the server under test: one program that is every built-in
// server model, the service that an application calls, a server that does nothing, and the guard of servers
// that nobody here wrote. The lab starts it and hands it the listener, a control pipe and the scoreboard; it is of no
// use by itself.
//
//	labserver [--app PATH] MODEL key=value…
//	labserver latency key=value…
//	labserver null
//	labserver guard [--stop SIGNAL] [--stdin] [--activate] [--unprivileged] PROGRAM ARG…
//	labserver database make FILE
//	labserver database ready
//	labserver database versions
//
// The last three are for one that is built with the drivers of databases (-tags
// database), which is another program: see package database.
//
// A trace starts it in place of a program whose input and output are to be
// recorded; see package recorder.
//
// Exit status: 0 stopped as asked, 1 failed, 2 wrong usage, 3 could not boot
// (an arbiter then doesn't try again).
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"gatewaylab/servers/models"
	"gatewaylab/servers/process"
	"gatewaylab/servers/trace/recorder"
)

const (
	exitStopped = 0
	exitFailed  = 1
	exitUsage   = 2
	exitBoot    = process.BootErrorExit
)

// orphanGrace is how long a model may take to end by itself once the lab is
// gone.
const orphanGrace = time.Second

func main() {
	if status, standing := recorder.Standing(); standing {
		os.Exit(status)
	}
	os.Exit(run(os.Args[1:], os.Stderr))
}

func run(args []string, stderr io.Writer) int {
	flags := flag.NewFlagSet("labserver", flag.ContinueOnError)
	flags.SetOutput(stderr)
	appPath := flags.String("app", "", "the labapp executable, for models that start it")
	flags.Usage = func() {
		fmt.Fprintln(stderr, "usage: labserver [--app PATH] MODEL key=value…\nThe lab starts it; to run a model by hand: lab serve MODEL")
	}
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return exitStopped
	} else if err != nil {
		return exitUsage
	}
	if flags.NArg() == 0 {
		flags.Usage()
		return exitUsage
	}
	switch flags.Arg(0) {
	case "guard":
		return guard(flags.Args()[1:], stderr)
	case "latency":
		return slow(flags.Args()[1:], stderr)
	case "database":
		return tendDatabase(flags.Args()[1:], os.Stdout, stderr)
	case "null":
		return null(stderr)
	}
	serve, options, err := choose(flags.Args())
	if err != nil {
		fmt.Fprintln(stderr, "labserver:", err)
		return exitUsage
	}
	inherited, err := process.Inherit()
	if err != nil {
		fmt.Fprintf(stderr, "labserver: %v; to run a model by hand: lab serve %s\n", err, flags.Arg(0))
		return exitUsage
	}
	return report(serve(environment(inherited, options, *appPath, stderr)), flags.Arg(0), stderr)
}

// choose reads "MODEL key=value…".
func choose(words []string) (models.Server, *models.Options, error) {
	serve, err := models.Lookup(words[0])
	if err != nil {
		return nil, nil, err
	}
	options, err := models.ParseOptions(words[1:])
	return serve, options, err
}

func environment(in *process.Inherited, options *models.Options, appPath string, stderr io.Writer) *models.Env {
	// With the lab dies the reader of the log. Writing to it must fail then,
	// not kill: there may be children to be ended first.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	go func() {
		<-in.Orphaned
		time.Sleep(orphanGrace)
		os.Exit(exitFailed)
	}()
	return &models.Env{
		Listener:  in.Listener,
		Board:     in.Board,
		Orphaned:  in.Orphaned,
		Inherited: in,
		Options:   options,
		AppPath:   appPath,
		Log:       log.New(stderr, fmt.Sprintf("[%d] ", os.Getpid()), log.Ltime|log.Lmicroseconds|log.Lmsgprefix),
	}
}

// report says why a model ended and turns that into an exit status.
func report(err error, model string, stderr io.Writer) int {
	if err == nil {
		return exitStopped
	}
	fmt.Fprintf(stderr, "labserver %s: %v\n", model, err)
	if errors.Is(err, process.ErrBoot) {
		return exitBoot
	}
	return exitFailed
}
