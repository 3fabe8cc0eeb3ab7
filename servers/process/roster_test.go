//go:build unix

package process

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A stage plays the system to a roster: it carries orders out at once, gives
// process numbers from 1 up, and lets time pass as it is told.
type stage struct {
	*roster
	t     *testing.T
	now   time.Time
	next  int
	slots map[int]sighting
}

func newStage(t *testing.T, workers int, timeout, graceful time.Duration) *stage {
	return &stage{newRoster(workers, BoardSlots, timeout, graceful), t, time.Unix(1000, 0), 1, map[int]sighting{}}
}

func (s *stage) look(slot int) sighting { return s.slots[slot] }

// step lets time pass and returns what one pass orders, as "start 0" and
// "terminated 2".
func (s *stage) step(d time.Duration) string {
	s.now = s.now.Add(d)
	var said []string
	for _, o := range s.pass(s.now, s.look) {
		if o.pid == 0 {
			said = append(said, fmt.Sprintf("start %d", o.slot))
			s.started(o.slot, s.next, s.now)
			s.next++
			continue
		}
		said = append(said, fmt.Sprintf("%v %d", o.signal, o.pid))
	}
	return strings.Join(said, ", ")
}

// beat has workers show themselves in their slots.
func (s *stage) beat(pids ...int) {
	for _, w := range s.workers {
		if slices.Contains(pids, w.pid) {
			s.slots[w.slot] = sighting{w.pid, s.now, false}
		}
	}
}

func (s *stage) exit(pid, code int) verdict {
	s.observe(s.look)
	_, v := s.exited(end{pid: pid, code: code}, s.now)
	return v
}

func (s *stage) expect(d time.Duration, want string) {
	s.t.Helper()
	if got := s.step(d); got != want {
		s.t.Errorf("orders %q, want %q", got, want)
	}
}

func TestRosterHungWorker(t *testing.T) {
	s := newStage(t, 2, 10*time.Second, time.Minute)
	s.expect(0, "start 0, start 1")
	s.beat(1, 2)
	s.expect(9*time.Second, "")
	s.beat(1)
	s.expect(2*time.Second, "aborted 2")
	s.expect(abortGrace-1, "")
	s.expect(1, "killed 2")
	s.expect(time.Second, "")
	if v := s.exit(2, -1); v != crashed {
		t.Errorf("verdict %v", v)
	}
	s.beat(1)
	s.expect(0, "start 1")
}

func TestRosterWorkerHungInBoot(t *testing.T) {
	s := newStage(t, 1, 10*time.Second, time.Minute)
	s.expect(0, "start 0")
	s.expect(11*time.Second, "aborted 1")
}

func TestRosterReload(t *testing.T) {
	s := newStage(t, 2, 0, 30*time.Second)
	s.step(0)
	s.beat(1, 2)
	s.signal(syscall.SIGHUP)
	s.expect(0, "start 2, start 3")
	s.beat(3)
	s.expect(time.Second, "") // one of two is not enough
	s.signal(syscall.SIGHUP)  // waits for this reload to be over
	s.beat(4)
	s.expect(time.Second, "terminated 1, terminated 2, start 4, start 5")
	s.exit(1, 0)
	s.expect(29*time.Second, "")
	s.expect(time.Second, "killed 2")
	s.exit(2, -1)
	s.beat(5, 6)
	s.expect(0, "terminated 3, terminated 4")
	s.exit(3, 0)
	s.exit(4, 0)
	s.expect(time.Hour, "")
	if len(s.workers) != 2 || s.crashes != 0 {
		t.Errorf("%d workers, %d crashes", len(s.workers), s.crashes)
	}
}

func TestRosterCount(t *testing.T) {
	s := newStage(t, 1, 0, time.Minute)
	s.step(0)
	s.signal(syscall.SIGTTIN)
	s.expect(0, "start 1")
	s.signal(syscall.SIGTTOU)
	s.signal(syscall.SIGTTOU)
	s.expect(0, "terminated 1") // the oldest
	s.exit(1, 0)
	s.expect(time.Hour, "")
	for range BoardSlots {
		s.signal(syscall.SIGTTIN)
	}
	if s.want != BoardSlots/2 {
		t.Errorf("%d workers wanted: a reload needs as many slots again", s.want)
	}
	s.signal(syscall.SIGHUP)
	if s.want != 1 {
		t.Errorf("%d workers wanted after a reload, want as many as at first", s.want)
	}
}

func TestRosterBackoff(t *testing.T) {
	s := newStage(t, 1, 0, time.Minute)
	s.step(0)
	s.beat(1)
	if v := s.exit(1, 70); v != crashed {
		t.Fatalf("verdict %v", v)
	}
	s.expect(0, "start 0") // the first time may be chance
	s.exit(2, 70)
	s.expect(firstDelay-1, "")
	s.expect(1, "start 0")
	s.exit(3, 70)
	s.expect(firstDelay, "")
	s.expect(firstDelay, "start 0")
	for range 20 {
		s.exit(s.next-1, 70)
		s.step(maxDelay)
	}
	s.beat(s.next - 1)
	s.now = s.now.Add(quickDeath) // a worker that lasts ends the series
	s.exit(s.next-1, 70)
	if s.step(0) == "" {
		t.Error("a worker that had lasted is replaced with delay")
	}
}

// A worker that dies of a request was fit: the next is started at once, however
// often that happens.
func TestRosterNoBackoffForRequestsThatKill(t *testing.T) {
	s := newStage(t, 1, 0, time.Minute)
	s.step(0)
	for pid := 1; pid < 20; pid++ {
		s.slots[0] = sighting{pid, s.now, true}
		if v := s.exit(pid, 70); v != crashed {
			t.Fatalf("verdict %v", v)
		}
		s.expect(0, "start 0")
	}
}

func TestRosterLeavingIsNoCrash(t *testing.T) {
	s := newStage(t, 1, 0, time.Minute)
	s.step(0)
	for pid := 1; pid < 50; pid++ {
		s.beat(pid)
		if v := s.exit(pid, 0); v != left {
			t.Fatalf("verdict %v", v)
		}
		s.expect(0, "start 0")
	}
}

func TestRosterBootFailure(t *testing.T) {
	s := newStage(t, 2, 0, time.Minute)
	s.step(0)
	if v := s.exit(1, BootErrorExit); v != unfit {
		t.Fatalf("verdict %v", v)
	}
	s.expect(0, "interrupt 2")
	s.exit(2, -1)
	if !s.done() || !errors.Is(s.err, ErrBoot) {
		t.Errorf("done %v, %v", s.done(), s.err)
	}

	s = newStage(t, 1, 0, time.Minute)
	s.step(0)
	s.beat(1)
	if v := s.exit(1, BootErrorExit); v != crashed {
		t.Errorf("a worker that had booted: verdict %v", v)
	}

	s = newStage(t, 1, 0, time.Minute)
	s.startFailed(errors.New("no such file"), s.now)
	if !s.done() || !errors.Is(s.err, ErrBoot) {
		t.Errorf("done %v, %v", s.done(), s.err)
	}
}

func TestRosterStop(t *testing.T) {
	s := newStage(t, 2, 0, 30*time.Second)
	s.step(0)
	s.signal(syscall.SIGTERM)
	s.expect(0, "terminated 1, terminated 2")
	s.exit(1, 0)
	s.expect(time.Second, "")
	s.signal(syscall.SIGINT) // somebody has lost patience
	s.expect(0, "interrupt 2")
	s.expect(quickGrace, "killed 2")
	s.exit(2, -1)
	if !s.done() || s.err != nil {
		t.Errorf("done %v, %v", s.done(), s.err)
	}
}
