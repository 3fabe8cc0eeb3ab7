package main

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"

	"gatewaylab/scenarios"
)

// A run that ends before its first trial has nothing to draw plots of.
func TestInterruptedAtOnce(t *testing.T) {
	needPrograms(t)
	for _, command := range []string{"compare", "capacity"} {
		ctx, stop := context.WithCancel(t.Context())
		stderr := cancelling{on: "trial", cancel: stop}
		args := []string{command, "async", "--scenario", "hello", "--for", "1h", "--dash", "off", "--plots", "none", "--out", filepath.Join(t.TempDir(), "out")}
		code := run(ctx, args, streams{strings.NewReader(""), &bytes.Buffer{}, &stderr})
		if code != 130 || !strings.Contains(stderr.String(), "lab: interrupted: nothing was measured\n") {
			t.Errorf("%s: exit status %d:\n%s", command, code, stderr.String())
		}
	}
}

// cancelling is a stream that interrupts once something was written to it.
type cancelling struct {
	bytes.Buffer
	on     string
	cancel func()
}

func (c *cancelling) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(c.on)) {
		c.cancel()
	}
	return c.Buffer.Write(p)
}

func TestCutOff(t *testing.T) {
	some := &scenarios.Result{Planned: 4, Measured: make([]*scenarios.Trial, 2)}
	if got, want := cutOff(some, "out").Error(), "interrupted: 2 of 4 trials were finished and are in out; lab report out --plots both draws their plots"; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	some.Inquiry = &scenarios.Inquiry{}
	if got := cutOff(some, "out").Error(); !strings.HasPrefix(got, "interrupted: 2 trials were finished") {
		t.Error(got)
	}
}
