package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"

	"gatewaylab/servers/latency"
	"gatewaylab/servers/models"
	"gatewaylab/servers/process"
)

// slow runs the latency server: "key=value…". It ends at once when it is asked
// to, whoever may be waiting for it.
func slow(words []string, stderr io.Writer) int {
	options, err := models.ParseOptions(words)
	if err != nil {
		fmt.Fprintln(stderr, "labserver latency:", err)
		return exitUsage
	}
	config, err := latency.ParseConfig(options.Values())
	if err != nil {
		fmt.Fprintln(stderr, "labserver latency:", err)
		return exitUsage
	}
	return untilAsked("latency", "lab serve async --upstream 100ms", stderr, latency.NewServer(config).Serve)
}

// untilAsked serves on the inherited listener and ends the process at once when
// it is asked to or nobody is left who could, whoever may be waiting for it.
// Otherwise, says how to have one.
func untilAsked(program, otherwise string, stderr io.Writer, serve func(net.Listener) error) int {
	in, err := process.Inherit()
	if err == nil && in.Listener == nil {
		err = errors.New("it has no listener")
	}
	if err != nil {
		fmt.Fprintf(stderr, "labserver %s: %v; to have one: %s\n", program, err, otherwise)
		return exitUsage
	}
	listener, err := net.FileListener(in.Listener)
	if err == nil {
		err = in.Listener.Close()
	}
	if err != nil {
		return report(fmt.Errorf("listen: %w", err), program, stderr)
	}
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGTERM, os.Interrupt)
	go func() {
		select {
		case <-asked:
		case <-in.Orphaned:
		}
		os.Exit(exitStopped)
	}()
	return report(serve(listener), program, stderr)
}
