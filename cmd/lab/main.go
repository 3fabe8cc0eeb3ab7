// Lab is Gateway Lab's command line: what happens to the same application,
// under the same load, when only the server model around it changes?
//
// Exit status: 0 done, and every expectation held; 1 ran but failed, a model was
// refused, or an expectation did not hold or could not be decided; 2 bad usage;
// 130 interrupted, with partial results saved.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"gatewaylab/scenarios"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// After the first signal the default action is back, so that a second one
	// ends a lab that winds down too slowly for its user.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}))
}

// streams are what a command reads and writes: results on out, progress and
// diagnostics on err.
type streams struct {
	in  io.Reader
	out io.Writer
	err io.Writer
}

// run is the lab as a function of its arguments and streams; it returns the
// exit status.
func run(ctx context.Context, args []string, s streams) int {
	cmd := newRoot(s)
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(ctx)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errInterrupted):
		fmt.Fprintln(s.err, "lab:", err)
		return 130
	}
	fmt.Fprintln(s.err, "lab:", err)
	var usage *usageError
	if errors.As(err, &usage) {
		fmt.Fprintf(s.err, "see: %s --help\n", usage.command)
		return 2
	}
	return 1
}

// usageError is a mistake in how the lab was called.
type usageError struct {
	command string
	err     error
}

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

var errInterrupted = errors.New("interrupted")

// cutOff is the error of a run that was interrupted.
func cutOff(r *scenarios.Result, dir string) error {
	if len(r.Measured) == 0 {
		return fmt.Errorf("%w: nothing was measured", errInterrupted)
	}
	done := fmt.Sprint(len(r.Measured))
	if r.Inquiry == nil { // a search doesn't know how many it takes
		done += fmt.Sprintf(" of %d", r.Planned)
	}
	return fmt.Errorf("%w: %s trials were finished and are in %s; lab report %[3]s --plots both draws their plots", errInterrupted, done, dir)
}
