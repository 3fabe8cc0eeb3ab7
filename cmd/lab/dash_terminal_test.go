//go:build unix

package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/creack/pty"
)

// A terminal is asked for its background once: one that gives no answer is
// waited for each time.
func TestTerminalIsAskedOnce(t *testing.T) {
	needPrograms(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "out")
	cmd := &exec.Cmd{
		Path: self,
		Args: []string{"lab", "compare", "async", "--scenario", "hello", "--for", "60ms", "--warmup", "0s", "--trials", "1", "--plots", "none", "--dash", "on", "--out", out},
		Env:  slices.Concat(os.Environ(), []string{"TERM=xterm-256color", "NO_COLOR=", "CI="}),
	}
	master, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: 80})
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	var shown bytes.Buffer
	asked := 0
	for b := make([]byte, 4096); ; {
		n, err := master.Read(b)
		if err != nil {
			break // the terminal was closed
		}
		shown.Write(b[:n])
		if questions := bytes.Count(shown.Bytes(), []byte("\x1b]11;?")); questions > asked {
			asked = questions
			if _, err := master.WriteString("\x1b]11;rgb:ffff/ffff/ffff\x1b\\\x1b[1;1R"); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Wait() // a busy machine's trial is not valid
	if asked != 1 || !strings.Contains(shown.String(), "async") {
		t.Errorf("asked %d times:\n%.3000q", asked, shown.String())
	}
}
