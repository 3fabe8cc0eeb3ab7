//go:build unix

package process

import (
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// supervised starts parts that are started again when they die.
func supervised(tb testing.TB, l Launch, parts ...string) *Group {
	tb.Helper()
	l.Supervise = true
	g := launch(tb, l, parts...)
	if err := g.Ready(); err != nil {
		tb.Fatal(err)
	}
	return g
}

func kill(tb testing.TB, g *Group) {
	tb.Helper()
	if err := g.Signal(syscall.SIGKILL); err != nil {
		tb.Fatal(err)
	}
}

func ended(g *Group) bool {
	select {
	case <-g.Done():
		return true
	default:
		return false
	}
}

func TestSupervisedIsStartedAgain(t *testing.T) {
	g := supervised(t, Launch{}, "sleep", "sleep")
	for n := range 3 {
		eventually(t, "both run", func() bool { return len(g.PIDs()) == 2 })
		before := g.PIDs()
		if err := syscall.Kill(before[n%2], syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		eventually(t, "both run again", func() bool {
			now := g.PIDs()
			return len(now) == 2 && !alive(before[0]) && !alive(before[1])
		})
		eventually(t, "it is counted", func() bool { return g.Board().Read().Restarts == uint64(n+1) })
	}
	if ended(g) || g.Err() != nil {
		t.Errorf("ended: %v, error %v", ended(g), g.Err())
	}
	if !strings.Contains(g.Log(), "lab: ") || !strings.Contains(g.Log(), "signal: killed; starting it again") {
		t.Errorf("the log doesn't tell: %q", g.Log())
	}
	if err := g.Stop(30 * time.Second); err != nil {
		t.Error(err)
	}
	if !ended(g) || g.Err() != nil {
		t.Errorf("after a stop: ended %v, error %v", ended(g), g.Err())
	}
}

func TestNotReadyIsNotStartedAgain(t *testing.T) {
	g := launch(t, Launch{Supervise: true}, "fail:the roof")
	<-g.Done()
	if err := g.Err(); err == nil || !strings.Contains(err.Error(), "exit status 7") || !strings.Contains(err.Error(), "the roof") {
		t.Errorf("got %v", err)
	}
	if err := g.Ready(); err == nil {
		t.Error("a dead group is called ready without complaint")
	}
}

func TestSupervisorGivesUp(t *testing.T) {
	t.Parallel()
	g := supervised(t, Launch{}, "doomed:the roof")
	kill(t, g)
	<-g.Done()
	if err := g.Err(); err == nil || !strings.Contains(err.Error(), "given up after 50") || !strings.Contains(err.Error(), "exit status 1") || !strings.Contains(err.Error(), "the roof") {
		t.Errorf("got %v", err)
	}
	if n := g.Board().Read().Restarts; n != maxFruitless {
		t.Errorf("%d restarts, want %d", n, maxFruitless)
	}
}

func TestRestartKeepsTheAccount(t *testing.T) {
	const each = 100 * time.Millisecond
	g := supervised(t, Launch{}, "burnout:"+each.String())
	kill(t, g)
	var last Usage
	eventually(t, "the one that was killed and three more have come and gone", func() bool {
		u, err := g.Usage()
		if err != nil {
			t.Fatal(err)
		}
		if u.CPU < last.CPU {
			t.Fatalf("CPU time went back from %v to %v", last.CPU, u.CPU)
		}
		last = u
		return g.Board().Read().Restarts >= 4
	})
	st := g.Board().Read()
	if st.Busy() > 1 || len(st.Slots) > 1 || st.Queued > 1 {
		t.Errorf("the dead still hold slots or queue: %+v", st)
	}
	u, err := g.Usage()
	if err != nil || u.CPU < 3*each || u.Voluntary+u.Involuntary == 0 {
		t.Errorf("usage %+v, %v; want at least the %v of those three", u, err, 3*each)
	}
}

func TestRestartLeavesNoOrphans(t *testing.T) {
	g := supervised(t, Launch{}, "abandon")
	eventually(t, "it has a child", func() bool { return len(g.PIDs()) == 2 })
	before := g.PIDs()
	kill(t, g)
	eventually(t, "two others run", func() bool {
		now := g.PIDs()
		return len(now) == 2 && now[0] != before[0] && now[1] != before[1]
	})
}

// Connections wait in the listener's queue while nobody is there.
func TestRestartKeepsTheListener(t *testing.T) {
	f, addr, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := supervised(t, Launch{Listener: f}, "accept")
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for range 4 {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(c)
		if err != nil || seen[string(b)] {
			t.Errorf("answered by process %q, %v; want another each time", b, err)
		}
		seen[string(b)] = true
		c.Close()
	}
	if err := g.Stop(30 * time.Second); err != nil {
		t.Error(err)
	}
	if c, err := net.Dial("tcp", addr); err == nil {
		c.Close()
		t.Error("the port is still open")
	}
}

// Whenever the stop comes, in a life, between two or at the start of one,
// nothing is left and nothing begins.
func TestStopDuringRestart(t *testing.T) {
	t.Parallel()
	for n := range 16 {
		g := supervised(t, Launch{}, "doomed:the roof")
		kill(t, g)
		eventually(t, "a restart", func() bool { return g.Board().Read().Restarts > 0 })
		time.Sleep(time.Duration(n) * 10 * time.Millisecond) // any moment of the pause and of the next life
		if err := g.Stop(30 * time.Second); err != nil {
			t.Error(err)
		}
		if !ended(g) || g.Err() != nil {
			t.Errorf("ended: %v, error %v", ended(g), g.Err())
		}
		restarts := g.Board().Read().Restarts
		if left := g.PIDs(); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
		if again := g.Board().Read().Restarts; again != restarts {
			t.Error("started again after the stop")
		}
	}
}

func TestLockFileIsTheGroups(t *testing.T) {
	a, b := launch(t, Launch{}, "environment:"+LockVariable), launch(t, Launch{}, "environment:"+LockVariable)
	var files [2]os.FileInfo
	var names [2]string
	for i, g := range []*Group{a, b} {
		eventually(t, "it says the path", func() bool { return strings.HasSuffix(g.Log(), "\n") })
		names[i] = strings.TrimSpace(g.Log())
		var err error
		if files[i], err = os.Stat(names[i]); err != nil {
			t.Fatal(err)
		}
	}
	if os.SameFile(files[0], files[1]) {
		t.Errorf("%s and %s are the same file", names[0], names[1])
	}
	if strings.Contains(names[0], "/proc/") && !strings.Contains(names[0], strconv.Itoa(os.Getpid())) {
		t.Errorf("path %s", names[0])
	}
	if err := a.Stop(30 * time.Second); err != nil {
		t.Fatal(err)
	}
	if after, err := os.Stat(names[0]); err == nil && os.SameFile(after, files[0]) {
		t.Errorf("%s is still there", names[0])
	}
}
