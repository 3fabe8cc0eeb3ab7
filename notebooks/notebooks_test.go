package main

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Every stored notebook can be read as it is, and runs: each cell of a copy is
// executed again, from the first to the last, and shows the same kinds of
// output as the stored one.
func TestNotebooks(t *testing.T) {
	files, err := filepath.Glob("*.ipynb")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatal("no notebook found")
	}
	k := testKernel(t)
	for _, file := range files {
		t.Run(strings.TrimSuffix(file, ".ipynb"), func(t *testing.T) {
			stored, err := readNotebook(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := stored.Check(); err != nil {
				t.Errorf("%s: %v", file, err)
			}
			again, err := k.Execute(testContext(t), file)
			if err != nil {
				t.Fatal(err)
			}
			if err := again.Check(); err != nil {
				t.Errorf("%s, run again: %v", file, err)
			}
			if got, want := again.Shape(), stored.Shape(); got != want {
				t.Errorf("the outputs stored in %s are out of date: run 'go -C notebooks run . %[1]s'\nnow:\n%s\nstored:\n%s", file, got, want)
			}
		})
	}
}

// A cell whose assertion does not hold is an error that tells what it printed.
func TestFailingCell(t *testing.T) {
	k := testKernel(t)
	_, err := k.Execute(testContext(t), filepath.Join("testdata", "failing.ipynb"))
	if err == nil {
		t.Fatal("a notebook with a failing cell was accepted")
	}
	if !strings.Contains(err.Error(), "3 is not at least 70") {
		t.Errorf("the error doesn't say what the cell printed: %v", err)
	}
}

func testKernel(t *testing.T) *Kernel {
	t.Helper()
	k, err := newKernel(testContext(t), t.TempDir(), false)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// testContext ends early enough before the test's own deadline for the kernel
// to be ended too.
func testContext(t *testing.T) context.Context {
	deadline, ok := t.Deadline()
	if !ok {
		return t.Context()
	}
	ctx, cancel := context.WithDeadline(t.Context(), deadline.Add(-30*time.Second))
	t.Cleanup(cancel)
	return ctx
}
