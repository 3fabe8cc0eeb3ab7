package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"github.com/charmbracelet/x/term"
)

func termSize(f *os.File) (width, height int, err error) { return term.GetSize(f.Fd()) }

// page shows a text in $PAGER, or in less if it isn't set; done is false where
// there is none of them, or where PAGER is set to nothing or to cat.
func page(s streams, text string) (done bool, err error) {
	pager, set := os.LookupEnv("PAGER")
	words := strings.Fields(cmp.Or(pager, "less"))
	if set && len(strings.Fields(pager)) == 0 || words[0] == "cat" {
		return false, nil
	}
	path, err := exec.LookPath(words[0])
	if err != nil {
		if set {
			fmt.Fprintf(s.err, "lab: PAGER=%s: %v\n", pager, err)
		}
		return false, nil
	}
	cmd := &exec.Cmd{Path: path, Args: words, Stdin: strings.NewReader(text), Stdout: s.out, Stderr: s.err}
	cmd.Env = os.Environ()
	if _, has := os.LookupEnv("LESS"); !has {
		cmd.Env = append(cmd.Env, "LESS=FRX") // end if it fits, pass colours on, leave it on the screen
	}
	err = cmd.Run()
	// Who leaves the pager early has seen enough.
	if errors.Is(err, syscall.EPIPE) {
		err = nil
	}
	if err != nil {
		err = fmt.Errorf("pager %s: %w", words[0], err)
	}
	return true, err
}
