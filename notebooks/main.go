// Command notebooks runs the notebooks of this folder, in a GoNB kernel that
// this folder's go.mod pins and that is installed for the run alone.
//
//	go -C notebooks test ./...                  run all, headless, and compare with what is stored
//	go -C notebooks run . NAME.ipynb            run one and store its new outputs
//	go -C notebooks run . jupyter lab           read, change and run them in a browser
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "notebooks:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) (err error) {
	if len(args) == 0 {
		return errors.New("name a notebook to run, or a command to run with the kernel, such as 'jupyter lab'")
	}
	dir, err := os.MkdirTemp("", "lab-notebooks-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	editing := filepath.Ext(args[0]) != ".ipynb"
	fmt.Fprintln(os.Stderr, "building the kernel …")
	k, err := newKernel(ctx, dir, editing)
	if err != nil {
		return err
	}
	if editing {
		return k.command(ctx, args)
	}
	for _, file := range args {
		fmt.Fprintln(os.Stderr, "running", file, "…")
		n, err := k.Execute(ctx, file)
		if err != nil {
			return err
		}
		if err := n.Check(); err != nil {
			return fmt.Errorf("%s: the outputs are not stored: %w", file, err)
		}
		if err := n.WriteFile(file); err != nil {
			return err
		}
	}
	return nil
}

// command runs a program that finds the kernel.
func (k *Kernel) command(ctx context.Context, args []string) error {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = k.environ()
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	return cmd.Run()
}
