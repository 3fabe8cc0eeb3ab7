package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"gatewaylab/servers"
)

var update = flag.Bool("update", false, "rewrite the scripts' golden parts")

// TestMain makes this test binary serve as lab itself for the scripts, with
// labserver and labapp beside it, as an installed lab has them.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) != "lab" {
		if err := programsBeside(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	testscript.Main(m, map[string]func(){"lab": main})
}

func programsBeside() error {
	p, err := servers.FindPrograms(context.Background(), os.Stderr)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	for _, from := range []string{p.Server, p.App} {
		to := filepath.Join(filepath.Dir(self), filepath.Base(from))
		if _, err := os.Lstat(to); err == nil {
			continue
		}
		if err := os.Symlink(from, to); err != nil {
			return err
		}
	}
	return nil
}

// The command line's behaviour stands in testdata/script, to be read as prose.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", e.WorkDir)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits,
		},
	})
}

// exits STATUS COMMAND…: runs a command and checks its exit status.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS COMMAND…")
	}
	err := ts.Exec(args[1], args[2:]...)
	status := "0"
	if err != nil {
		status = err.Error()
		var code int
		if n, serr := fmt.Sscanf(status, "exit status %d", &code); serr == nil && n == 1 {
			status = fmt.Sprint(code)
		}
	}
	if status != args[0] {
		ts.Fatalf("exit status %s, want %s", status, args[0])
	}
}
