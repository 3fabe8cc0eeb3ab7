//go:build unix

package main

import (
	"bytes"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/creack/pty"
)

// screen runs lab with a terminal of 80×24 as stdout and stdin, types keys once
// a text has appeared, and returns what was written.
func screen(t *testing.T, keysAfter map[string]string, args ...string) (code int, shown string) {
	t.Helper()
	needPrograms(t)
	master, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	if err := pty.Setsize(tty, &pty.Winsize{Rows: 24, Cols: 80}); err != nil {
		t.Fatal(err)
	}
	var all output
	var read sync.WaitGroup
	read.Go(func() { _, _ = io.Copy(&all, master) }) // ends with an error when the terminal is closed
	done := make(chan int, 1)
	var diag bytes.Buffer
	go func() { done <- run(t.Context(), args, streams{tty, tty, &diag}) }()
	for text, keys := range keysAfter {
		for deadline := time.Now().Add(60 * time.Second); !strings.Contains(ansi.Strip(all.String()), text); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%q doesn't appear:\n%s", text, ansi.Strip(all.String()))
			}
		}
		if _, err := io.WriteString(master, keys); err != nil {
			t.Fatal(err)
		}
	}
	code = <-done
	tty.Close()
	read.Wait()
	if diag.Len() > 0 {
		t.Log(diag.String())
	}
	return code, strings.ReplaceAll(all.String(), "\r\n", "\n")
}

// What doesn't fit a terminal goes to a pager, in colour unless that is
// forbidden; what doesn't go to a terminal is neither paged nor coloured, which
// the scripts show.
func TestTraceInTerminal(t *testing.T) {
	t.Setenv("NO_COLOR", "")
	t.Setenv("PAGER", "sed -e s/^/paged:/")
	code, shown := screen(t, nil, "trace", "cgi", "/hello")
	if code != 0 || !strings.Contains(shown, "paged:") || !strings.Contains(shown, "\x1b[") {
		t.Errorf("status %d: %.300q", code, shown)
	}
	for _, l := range strings.Split(ansi.Strip(shown), "\n") {
		if w := ansi.StringWidth(strings.TrimPrefix(l, "paged:")); w > 80 {
			t.Errorf("a line of %d columns: %s", w, l)
		}
	}
	if code, shown = screen(t, nil, "trace", "cgi", "/hello", "--pager=false"); code != 0 || strings.Contains(shown, "paged:") {
		t.Errorf("--pager=false: status %d: %.300q", code, shown)
	}
	t.Setenv("NO_COLOR", "1")
	t.Setenv("PAGER", "")
	if code, shown = screen(t, nil, "trace", "cgi", "/hello"); code != 0 || strings.Contains(shown, "\x1b") {
		t.Errorf("NO_COLOR, no pager: status %d: %.300q", code, shown)
	}
	t.Setenv("PAGER", "no-such-pager-anywhere")
	if code, shown = screen(t, nil, "trace", "cgi", "/hello"); code != 0 || !strings.Contains(shown, "1  client → cgi") {
		t.Errorf("a pager that isn't there: status %d: %.300q", code, shown)
	}
}

// --slow lets one thing happen for each key.
func TestTraceSlow(t *testing.T) {
	t.Setenv("TERM", "xterm-256color")
	code, shown := screen(t, map[string]string{"step 1 of": " q"}, "trace", "cgi", "/hello", "--slow")
	if text := ansi.Strip(shown); code != 0 || !strings.Contains(text, "space next") {
		t.Errorf("status %d: %s", code, text)
	}
}
