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
	in, err := process.Inherit()
	if err == nil && in.Listener == nil {
		err = errors.New("it has no listener")
	}
	if err != nil {
		fmt.Fprintf(stderr, "labserver latency: %v; to have one: lab serve async --upstream 100ms\n", err)
		return exitUsage
	}
	listener, err := net.FileListener(in.Listener)
	if err == nil {
		err = in.Listener.Close()
	}
	if err != nil {
		return report(fmt.Errorf("listen: %w", err), "latency", stderr)
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
	return report(latency.NewServer(config).Serve(listener), "latency", stderr)
}
