package main

import (
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// guarded starts a shell script under guard.
func guarded(t *testing.T, script string, flags ...string) *server {
	t.Helper()
	return serve(t, append(append([]string{"guard"}, flags...), "/bin/sh", "-c", script)...)
}

func TestGuardPassesTheEndOn(t *testing.T) {
	for script, want := range map[string]string{
		"echo last words; exit 7": "exit status 7",
		"kill -KILL $$":           "exit status 137",
		"exit 0":                  "exit status 0",
	} {
		s := guarded(t, script)
		<-s.Done()
		if err := s.Err(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want one with %q", script, err, want)
		}
	}
	s := serve(t, "guard", "/no/such/program")
	<-s.Done()
	if err := s.Err(); err == nil || !strings.Contains(err.Error(), "/no/such/program") {
		t.Errorf("%v", err)
	}
}

func TestGuardTranslatesTerm(t *testing.T) {
	s := guarded(t, `trap 'echo got QUIT; exit 0' QUIT; trap 'echo got HUP' HUP; echo ready; while :; do sleep 0.01; done`, "--stop", "SIGQUIT")
	until(t, "it is ready", func() bool { return strings.Contains(s.Log(), "ready") })
	if err := s.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	until(t, "HUP arrives", func() bool { return strings.Contains(s.Log(), "got HUP") })
	if err := s.Stop(10 * time.Second); err != nil {
		t.Error(err)
	}
	if !strings.Contains(s.Log(), "got QUIT") {
		t.Errorf("log %q", s.Log())
	}
}

// What a program leaves behind goes with it, in a session of its own or not.
func TestGuardKillsWhatIsLeft(t *testing.T) {
	s := guarded(t, `sleep 1000 & (setsid sleep 1000 &) ; echo started; sleep 0.05; exit 3`)
	<-s.Done()
	if left := s.PIDs(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	if err := s.Err(); err == nil || !strings.Contains(err.Error(), "exit status 3") {
		t.Error(err)
	}
}

// The program finds the listener, and nothing else that is the lab's.
func TestGuardHandsTheListenerOn(t *testing.T) {
	s := guarded(t, `ls -l /dev/fd/ /proc/self/fd/ 2>/dev/null; echo "$LISTEN_FDS $((LISTEN_PID - $$))"; readlink /dev/fd/0; echo ready; sleep 1000`, "--activate", "--stdin")
	until(t, "it is ready", func() bool { return strings.Contains(s.Log(), "ready") })
	if !strings.Contains(s.Log(), "\n1 0\n") {
		t.Errorf("not activated: %s", s.Log())
	}
	if strings.Contains(s.Log(), " 4 -> pipe") || strings.Contains(s.Log(), "scoreboard") {
		t.Errorf("it has inherited too much: %s", s.Log())
	}
	if c, err := net.Dial("tcp", s.addr); err != nil {
		t.Errorf("nobody listens: %v", err)
	} else {
		c.Close()
	}
}

// A guard counts neither as a process of the server nor as its memory.
func TestGuardIsNotMeasured(t *testing.T) {
	s := guarded(t, `echo ready; exec sleep 1000`)
	until(t, "it is ready", func() bool { return strings.Contains(s.Log(), "ready") })
	until(t, "one process with one thread", func() bool {
		u, err := s.Usage()
		return err == nil && u.Processes == 1 && u.Threads == 1
	})
	if len(s.PIDs()) != 2 {
		t.Errorf("processes %v, want guard and program", s.PIDs())
	}
}

func TestGuardLowersRoot(t *testing.T) {
	if os.Geteuid() != 0 {
		return // there is nothing to lower
	}
	secret := t.TempDir() + "/secret"
	if err := os.WriteFile(secret, []byte("readable\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := guarded(t, `id -u; cat '`+secret+`'; echo ready; exec sleep 1000`, "--unprivileged")
	until(t, "it is ready", func() bool { return strings.Contains(s.Log(), "ready") })
	if !strings.Contains(s.Log(), "65534\nreadable\n") {
		t.Errorf("log %q", s.Log())
	}
}

func TestGuardUsage(t *testing.T) {
	for _, words := range [][]string{{"guard"}, {"guard", "--stop", "SIGNOTHING", "true"}, {"guard", "--nothing"}} {
		s := serve(t, words...)
		<-s.Done()
		if err := s.Err(); err == nil || !strings.Contains(err.Error(), "exit status 2") {
			t.Errorf("%v: %v", words, err)
		}
	}
}
