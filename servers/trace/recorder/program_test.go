//go:build unix

package recorder

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestMain makes this test binary a stand-in when it is started as one.
func TestMain(m *testing.M) {
	if status, standing := Standing(); standing {
		os.Exit(status)
	}
	os.Exit(m.Run())
}

// listen collects what recorders tell until all have closed.
func listen(t *testing.T) (path string, told func() []Event) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	all := make(chan []Event, 1)
	go func() {
		var events []Event
		defer func() { all <- events }()
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		for in := json.NewDecoder(conn); ; {
			var e Event
			if err := in.Decode(&e); err != nil {
				if !errors.Is(err, io.EOF) {
					t.Error(err)
				}
				return
			}
			events = append(events, e)
			if e.Begins() {
				if _, err := conn.Write([]byte{0}); err != nil {
					t.Error(err)
				}
			}
		}
	}()
	return path, func() []Event { return <-all }
}

// run runs a shell script behind a stand-in.
func run(t *testing.T, script, stdin string, env ...string) (stdout, stderr string, status int, events []Event) {
	t.Helper()
	path, told := listen(t)
	dir := t.TempDir()
	program := filepath.Join(dir, "real", "nph-program")
	if err := os.Mkdir(filepath.Dir(program), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	stand, err := StandIn(dir, self, program, path)
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Base(stand) != "nph-program" {
		t.Errorf("the stand-in is called %s", stand)
	}
	var out, errs bytes.Buffer
	cmd := &exec.Cmd{Path: stand, Args: []string{stand, "an argument"}, Env: append(env, "GORACE=atexit_sleep_ms=0"), Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &errs}
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode(), told()
}

// data joins what was told of one kind.
func data(events []Event, kind string) string {
	var b strings.Builder
	for _, e := range events {
		if e.Kind == kind {
			b.Write(e.Data)
		}
	}
	return b.String()
}

// A program behind a stand-in gets what the stand-in got and gives what it
// gives, and all of that is told.
func TestStandIn(t *testing.T) {
	out, errs, status, events := run(t, `echo "$1, $X"; cat; echo oh >&2; exit 3`, "bodyrest", "X=y", "CONTENT_LENGTH=4")
	if out != "an argument, y\nbody" || errs != "oh\n" || status != 3 {
		t.Errorf("stdout %q, stderr %q, status %d", out, errs, status)
	}
	if got := data(events, ProgramStart); !strings.HasPrefix(got, "X=y\x00CONTENT_LENGTH=4\x00") || !strings.HasSuffix(got, "\x00") {
		t.Errorf("environment %q", got)
	}
	if got := data(events, ProgramInput); got != "body" {
		t.Errorf("stdin %q: the body ends where CONTENT_LENGTH says", got)
	}
	if data(events, ProgramOutput) != out || data(events, ProgramError) != errs {
		t.Errorf("stdout %q, stderr %q were told", data(events, ProgramOutput), data(events, ProgramError))
	}
	last := events[len(events)-1]
	if last.Kind != ProgramEnd || last.Text != "exit status 3" || events[0].Kind != ProgramStart {
		t.Errorf("first %+v, last %+v", events[0], last)
	}
	for i := 1; i < len(events); i++ {
		if events[i].At < events[i-1].At || events[i].Process != events[0].Process || events[i].Call != 1 {
			t.Errorf("event %d is %+v", i, events[i])
		}
	}
}

// A program need not read its body, and one that is killed says so.
func TestStandInOfOthers(t *testing.T) {
	if out, _, status, events := run(t, "echo done", strings.Repeat("x", 1<<20), "CONTENT_LENGTH=1048576"); out != "done\n" || status != 0 || events[len(events)-1].Kind != ProgramEnd {
		t.Errorf("unread body: %q, %d", out, status)
	}
	if _, _, status, events := run(t, "kill -9 $$", ""); status != 137 || events[len(events)-1].Text != "signal: killed" {
		t.Errorf("killed: status %d, %q", status, events[len(events)-1].Text)
	}
}

// Without a tracer nobody records.
func TestOpen(t *testing.T) {
	t.Setenv(Variable, "")
	if Open() != nil {
		t.Error("a recorder without a tracer")
	}
	t.Setenv(Variable, filepath.Join(t.TempDir(), "nobody"))
	if Open() != nil {
		t.Error("a recorder for a tracer that isn't there")
	}
	if _, standing := Standing(); standing {
		t.Error("a test is no stand-in")
	}
}
