package main

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// cellTimeout is far more than any cell needs: a first build of the lab on a
// slow machine is what takes longest.
const cellTimeout = 10 * time.Minute

//go:embed execute.py
var executePy string

// Execute runs every cell of the notebook in the file, in order and in the
// folder it stands in, and returns the notebook with the outputs of this run.
// The file itself is left as it is. The first cell that fails ends the run, and
// the error tells which it was and what it printed.
func (k *Kernel) Execute(ctx context.Context, file string) (*Notebook, error) {
	python, err := pythonWithNbclient(ctx)
	if err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(filepath.Dir(file))
	if err != nil {
		return nil, fmt.Errorf("execute %s: %w", file, err)
	}
	source, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("execute: %w", err)
	}
	defer source.Close()

	var out, messages bytes.Buffer
	run := exec.CommandContext(ctx, python, "-c", executePy, kernelName, dir, strconv.Itoa(int(cellTimeout.Seconds())))
	run.Stdin, run.Stdout, run.Stderr = source, &out, &messages
	run.Env = k.environ()
	// An interrupt lets nbclient end its kernel; a kill would leave it behind.
	run.Cancel = func() error { return run.Process.Signal(os.Interrupt) }
	run.WaitDelay = 20 * time.Second
	failed := run.Run()
	if ctx.Err() != nil {
		return nil, fmt.Errorf("execute %s: %w", file, context.Cause(ctx))
	}
	n, err := parseNotebook(out.Bytes())
	switch {
	case failed != nil && err == nil:
		return nil, fmt.Errorf("execute %s: %w\n%s\n%s", file, failed, messages.Bytes(), n.lastPrinted())
	case failed != nil:
		return nil, fmt.Errorf("execute %s: %w\n%s", file, failed, messages.Bytes())
	case err != nil:
		return nil, fmt.Errorf("execute %s: %w", file, err)
	}
	return n, nil
}

// pythonWithNbclient finds a Python that can drive a kernel. Debian's packages
// are seen by Debian's own interpreter alone, which need not be the first.
func pythonWithNbclient(ctx context.Context) (string, error) {
	for _, python := range []string{"python3", "/usr/bin/python3"} {
		if exec.CommandContext(ctx, python, "-c", "import nbclient").Run() == nil {
			return python, nil
		}
	}
	return "", fmt.Errorf("no Python with nbclient found: install it with 'apt-get install python3-nbclient' or 'pip install nbclient'")
}
