//go:build unix

package process

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

func workers(g *Group) (pids []int) {
	for _, s := range g.Board().Read().Slots {
		pids = append(pids, s.PID)
	}
	return pids
}

func hasWorkers(g *Group, n int) func() bool {
	return func() bool { return len(workers(g)) == n && len(g.PIDs()) == n+1 }
}

func send(t *testing.T, g *Group, s os.Signal) {
	t.Helper()
	if err := g.Signal(s); err != nil {
		t.Fatal(err)
	}
}

func TestArbiterCounts(t *testing.T) {
	g := launch(t, Launch{}, "arbiter:2,30s,30s,good")
	eventually(t, "2 workers", hasWorkers(g, 2))
	send(t, g, syscall.SIGTTIN)
	eventually(t, "3 workers", hasWorkers(g, 3))
	send(t, g, syscall.SIGUSR1)
	// Equal signals that are pending together are one, so it is sent again and
	// again: far more often than there are workers to lose.
	eventually(t, "1 worker", func() bool {
		send(t, g, syscall.SIGTTOU)
		return hasWorkers(g, 1)()
	})
	if st := g.Board().Read(); st.Workers != 1 || st.Restarts != 0 {
		t.Errorf("board %+v", st)
	}
	if err := g.Stop(30 * time.Second); err != nil {
		t.Error(err)
	}
}

func TestArbiterReplacesKilled(t *testing.T) {
	g := launch(t, Launch{}, "arbiter:2,30s,30s,good")
	eventually(t, "2 workers", hasWorkers(g, 2))
	victim := workers(g)[1]
	if err := syscall.Kill(victim, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "replaced", func() bool {
		now := workers(g)
		return len(now) == 2 && now[1] != victim
	})
	if st := g.Board().Read(); st.Restarts != 1 || st.Slots[1].Restarts != 1 {
		t.Errorf("board %+v, want one restart, of slot 1", st)
	}
}

func TestArbiterReplacesSilent(t *testing.T) {
	g := launch(t, Launch{}, "arbiter:2,300ms,30s,silent0")
	eventually(t, "2 workers", hasWorkers(g, 2))
	eventually(t, "the silent one is replaced", func() bool { return g.Board().Read().Restarts > 0 })
	eventually(t, "the log says why", func() bool { return strings.Contains(g.Log(), "no sign of life") })
}

func TestArbiterReloads(t *testing.T) {
	g := launch(t, Launch{}, "arbiter:2,30s,30s,good")
	eventually(t, "2 workers", hasWorkers(g, 2))
	old := workers(g)
	send(t, g, syscall.SIGHUP)
	eventually(t, "2 other workers", func() bool {
		now := workers(g)
		return len(now) == 2 && now[0] != old[0] && now[1] != old[1] && now[0] != old[1] && now[1] != old[0]
	})
	if st := g.Board().Read(); st.Restarts != 0 {
		t.Errorf("a reload is no crash: %+v", st)
	}
}

func TestArbiterStops(t *testing.T) {
	for _, c := range []struct {
		name, part string
		signal     os.Signal
	}{
		{"gracefully", "arbiter:2,30s,30s,good", syscall.SIGTERM},
		{"quickly", "arbiter:2,30s,30s,good", syscall.SIGINT},
		{"by force after the graceful timeout", "arbiter:2,30s,100ms,stubborn", syscall.SIGTERM},
		{"by force after SIGQUIT", "arbiter:2,30s,1h,stubborn", syscall.SIGQUIT},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := launch(t, Launch{}, c.part)
			eventually(t, "2 workers", hasWorkers(g, 2))
			send(t, g, c.signal)
			select {
			case <-g.Done():
			case <-time.After(30 * time.Second):
				t.Fatal("it goes on")
			}
			if left := g.PIDs(); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
			if err := g.Err(); err == nil || !strings.Contains(err.Error(), "exit status 0") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestArbiterStopsWhenWorkersCannotBoot(t *testing.T) {
	g := launch(t, Launch{}, "arbiter:4,30s,30s,unfit")
	<-g.Done()
	if err := g.Err(); err == nil || !strings.Contains(err.Error(), "worker failed to boot") {
		t.Errorf("got %v", err)
	}
}

func TestArbiterSlowsCrashLoopDown(t *testing.T) {
	g := launch(t, Launch{}, "arbiter:1,30s,30s,dying")
	eventually(t, "it has crashed often", func() bool { return g.Board().Read().Restarts >= 4 })
	if n := g.Board().Read().Restarts; n > 20 {
		t.Errorf("%d restarts: a storm", n)
	}
	if err := g.Stop(30 * time.Second); err != nil {
		t.Error(err)
	}
}
