package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"gatewaylab/servers"
)

var update = flag.Bool("update", false, "rewrite the scripts' golden parts")

// TestMain makes this test binary serve as lab itself, in scripts and when
// it is started under the name lab.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"lab": main})
}

// programsBeside puts labserver and labapp, with drivers and without, beside a copy of lab, as an
// installed lab has them.
func programsBeside(dir string) error {
	p, err := servers.FindPrograms(context.Background(), os.Stderr)
	if err == nil {
		p, err = p.WithDatabase(context.Background(), os.Stderr)
	}
	if err != nil {
		return err
	}
	for _, from := range []string{p.Server, p.App, p.Database.Server, p.Database.App} {
		err := os.Symlink(from, filepath.Join(dir, filepath.Base(from)))
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

// beside puts them beside this test's executable, once: without them each lab
// that a test runs would have Go look whether they are still to be built.
var beside = sync.OnceValue(func() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return programsBeside(filepath.Dir(self))
})

func needPrograms(t testing.TB) {
	t.Helper()
	if err := beside(); err != nil {
		t.Fatal(err)
	}
}

// The command line's behaviour stands in testdata/script, to be read as prose.
func TestScripts(t *testing.T) {
	needPrograms(t)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", e.WorkDir)
			bin, _, _ := strings.Cut(e.Getenv("PATH"), string(os.PathListSeparator))
			return programsBeside(bin)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":    exits,
			"measures": measures,
		},
	})
}

// busyMachine says whether lab failed, with exit status 1, because other
// programs took so much of the processor that no trial is valid, or that what
// a scenario expects didn't come out. Tests run beside other tests and with
// trials much too short, so this is not a failure of what they test.
func busyMachine(stderr string) bool {
	return regexp.MustCompile(`no trial was valid for|expectations? (did not hold|could not be decided)`).MatchString(stderr)
}

// measures COMMAND…: runs a lab compare, or a lab report of what it made, that
// must succeed, but for a machine that is too busy for valid trials.
func measures(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: measures COMMAND…")
	}
	if err := ts.Exec(args[0], args[1:]...); err != nil && !busyMachine(ts.ReadFile("stderr")) {
		ts.Fatalf("%v", err)
	}
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
