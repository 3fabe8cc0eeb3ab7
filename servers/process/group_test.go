//go:build unix

package process

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func TestStopLeavesNothing(t *testing.T) {
	g := launch(t, Launch{}, "sleep", "sleep")
	if n := len(g.PIDs()); n != 2 {
		t.Fatalf("%d processes, want 2", n)
	}
	if err := g.Stop(30 * time.Second); err != nil {
		t.Error(err)
	}
	if left := g.PIDs(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	if err := g.Err(); err != nil {
		t.Errorf("a stop that was asked for is no failure: %v", err)
	}
	select {
	case <-g.Done():
	default:
		t.Error("Done is not closed")
	}
	if err := g.Stop(time.Second); err != nil {
		t.Errorf("second stop: %v", err)
	}
}

func TestStopKillsTheStubborn(t *testing.T) {
	g := launch(t, Launch{}, "stubborn")
	eventually(t, "ready", func() bool { return g.Log() == "ready\n" })
	pid := g.PIDs()[0]
	var wg sync.WaitGroup
	for _, grace := range []time.Duration{time.Hour, 50 * time.Millisecond} { // the shorter counts
		wg.Go(func() {
			err := g.Stop(grace)
			if err == nil || !strings.Contains(err.Error(), "had to be killed: process "+strconv.Itoa(pid)) {
				t.Errorf("got %v", err)
			}
		})
	}
	wg.Wait()
}

func TestTreeIsFoundWhole(t *testing.T) {
	t.Parallel()
	g := launch(t, Launch{}, "family")
	eventually(t, "ready", func() bool { return g.Log() == "ready\n" })
	if pids := g.PIDs(); len(pids) != 3 {
		t.Fatalf("processes %v, want a leader and 2 children, one in another group, one without its parent", pids)
	}
	u, err := g.Usage()
	if err != nil || u.Processes != 3 || u.Threads < 3 || u.Files < 9 || u.Memory <= 0 {
		t.Errorf("usage %+v, %v", u, err)
	}
	// The leader dies on TERM without a word to its children: they have the
	// grace to go by themselves, and are then killed.
	if err := g.Stop(2 * time.Second); err == nil || strings.Count(err.Error(), "(") != 2 {
		t.Errorf("stop: %v, want the two children named", err)
	}
}

func TestOrphansAreStoppedToo(t *testing.T) {
	g := launch(t, Launch{}, "family")
	eventually(t, "ready", func() bool { return g.Log() == "ready\n" })
	if err := g.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-g.Done()
	if n := len(g.PIDs()); n != 2 {
		t.Errorf("%d processes without their leader, want 2", n)
	}
	if err := g.Stop(30 * time.Second); err != nil {
		t.Errorf("without a leader everything is asked to terminate: %v", err)
	}
}

func TestErrTellsTheLastWords(t *testing.T) {
	g := launch(t, Launch{}, "fail:the roof", "sleep")
	<-g.Done()
	err := g.Err()
	if err == nil || !strings.Contains(err.Error(), "exit status 7") || !strings.Contains(err.Error(), "something is wrong with the roof") {
		t.Errorf("got %v", err)
	}
}

func TestLogKeepsTheEnd(t *testing.T) {
	g := launch(t, Launch{}, "say:"+strings.Repeat("x", 3*logSize)+"\nlast")
	<-g.Done()
	if got := g.Log(); got != "last\n" {
		t.Errorf("log of %d bytes, want only the last line whole", len(got))
	}
}

func TestStartFails(t *testing.T) {
	if _, err := Start(Launch{}); err == nil {
		t.Error("nothing was started without complaint")
	}
	good, bad := child("sleep"), exec.Command("/nonexistent/program")
	_, err := Start(Launch{Commands: []*exec.Cmd{good, bad}})
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if alive(good.Process.Pid) {
		t.Error("the first command was left behind when the second failed")
	}
}

func TestInheritByHand(t *testing.T) {
	if _, err := Inherit(); !errors.Is(err, ErrNotInherited) {
		t.Errorf("got %v", err)
	}
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }
