package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"

	"gatewaylab/servers/process"
)

// guard runs a real server: "[flags] PROGRAM ARG…".
func guard(words []string, stderr io.Writer) int {
	flags := flag.NewFlagSet("labserver guard", flag.ContinueOnError)
	flags.SetOutput(stderr)
	var g process.Guarded
	stop := flags.String("stop", "SIGTERM", "the signal by which the program finishes what it serves and ends")
	flags.BoolVar(&g.Stdin, "stdin", false, "give it the listener as descriptor 0 too")
	flags.BoolVar(&g.Blocking, "blocking", false, "have accept wait on the listener")
	flags.BoolVar(&g.Meter, "meter", false, "count what it uses, children that it doesn't wait for included")
	flags.BoolVar(&g.Activate, "activate", false, "announce the listener as systemd does")
	flags.StringVar(&g.Lock, "lock", "", "the lock's file, in place of the one that the lab has made")
	flags.BoolVar(&g.Unprivileged, "unprivileged", false, "don't run it as root")
	flags.StringVar(&g.Remove, "remove", "", "a folder that is removed when the lab is gone")
	if err := flags.Parse(words); errors.Is(err, flag.ErrHelp) {
		return exitStopped
	} else if err != nil {
		return exitUsage
	}
	g.Argv, g.Stop = flags.Args(), unix.SignalNum(*stop)
	switch {
	case len(g.Argv) == 0:
		fmt.Fprintln(stderr, "labserver guard: there is no program")
		return exitUsage
	case g.Stop == 0:
		fmt.Fprintf(stderr, "labserver guard: no signal is called %s\n", *stop)
		return exitUsage
	}
	in, err := process.Inherit()
	if err != nil {
		fmt.Fprintf(stderr, "labserver guard: %v; run %s itself\n", err, g.Argv[0])
		return exitUsage
	}
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // with the lab dies the reader of the log
	status, err := process.Guard(in, g)
	if err != nil {
		fmt.Fprintf(stderr, "labserver guard: %v\n", err)
	}
	return status
}
