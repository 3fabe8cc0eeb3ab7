package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A Kernel is a GoNB kernel that Jupyter finds in one directory of its own, so
// that nothing is installed for the user or the system.
type Kernel struct {
	dir string
}

// kernelName is the name that GoNB installs itself under, and that the
// notebooks ask for.
const kernelName = "gonb"

// newKernel builds the tools that go.mod pins, which takes about a minute the
// first time, and installs the kernel below dir. GoNB runs goimports on every
// cell; gopls only completes what a person types. It also loads the whole
// module when the kernel starts, on cores that a measurement needs, so it is
// there only when editing.
func newKernel(ctx context.Context, dir string, editing bool) (*Kernel, error) {
	k := &Kernel{dir: dir}
	for _, d := range []string{k.bin(), k.tmp()} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return nil, fmt.Errorf("kernel: %w", err)
		}
	}
	tools := []string{"gonb", "goimports"}
	if editing {
		tools = append(tools, "gopls")
	}
	for _, tool := range tools {
		if err := k.link(ctx, tool); err != nil {
			return nil, err
		}
	}
	args := []string{"-install", "-force_deps", "-logtostderr=false", "-stderrthreshold=FATAL", "-log_dir=" + k.tmp()}
	if !editing {
		args = append(args, "-raw_error")
	}
	install := exec.CommandContext(ctx, filepath.Join(k.bin(), "gonb"), args...)
	install.Env = k.environ()
	if out, err := install.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("kernel: install GoNB: %w\n%s", err, out)
	}
	return k, nil
}

// link builds a pinned tool, in Go's build cache, and links to it.
func (k *Kernel) link(ctx context.Context, tool string) error {
	build := exec.CommandContext(ctx, "go", "tool", "-n", tool)
	build.Stderr = os.Stderr
	path, err := build.Output()
	if err != nil {
		return fmt.Errorf("kernel: build %s (go tool -n %[1]s, in the folder notebooks): %w", tool, err)
	}
	if err := os.Symlink(strings.TrimSpace(string(path)), filepath.Join(k.bin(), tool)); err != nil {
		return fmt.Errorf("kernel: %w", err)
	}
	return nil
}

func (k *Kernel) bin() string { return filepath.Join(k.dir, "bin") }
func (k *Kernel) tmp() string { return filepath.Join(k.dir, "tmp") }

// environ is this process's environment with the pinned tools first and with
// everything that Jupyter and GoNB write kept below the kernel's directory.
// The Go command is told nothing about workspaces: the notebooks make their own.
func (k *Kernel) environ() []string {
	jupyter := filepath.Join(k.dir, "jupyter")
	return append(os.Environ(),
		"PATH="+k.bin()+string(os.PathListSeparator)+os.Getenv("PATH"),
		"JUPYTER_DATA_DIR="+jupyter,
		"JUPYTER_RUNTIME_DIR="+filepath.Join(jupyter, "runtime"),
		"TMPDIR="+k.tmp(),
		"GOWORK=",
	)
}
