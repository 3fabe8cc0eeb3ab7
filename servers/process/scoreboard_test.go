//go:build unix

package process

import (
	"os"
	"sync"
	"testing"
	"time"
)

func TestScoreboardBetweenProcesses(t *testing.T) {
	g := launch(t, Launch{}, "board", "board")
	eventually(t, "both are done", func() bool {
		st := g.Board().Read()
		if st.Busy() > 8 {
			t.Errorf("%d busy, of 8 that serve", st.Busy())
		}
		return st.Served == 200_000 && len(st.Slots) == 0
	})
	if st := g.Board().Read(); st.Children != 200_000 || st.ChildCPU != 200*time.Millisecond {
		t.Errorf("%d children with %v, want 200000 with 200ms", st.Children, st.ChildCPU)
	}
	if err := g.Stop(30 * time.Second); err != nil {
		t.Error(err)
	}
	if st := g.Board().Read(); st.Served != 200_000 {
		t.Errorf("once closed the board shows %d served", st.Served)
	}
}

func newBoard(t *testing.T) (*Scoreboard, *os.File) {
	t.Helper()
	b, f, err := NewScoreboard()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close(); f.Close() })
	return b, f
}

func TestScoreboardFills(t *testing.T) {
	b, f := newBoard(t)
	for range BoardSlots {
		if b.Claim(1) == nil {
			t.Fatal("full too early")
		}
	}
	s := b.Claim(1)
	if s != nil {
		t.Fatal("more slots than there are")
	}
	s.Busy() // a nil slot counts nothing, and doesn't mind
	s.Idle()
	s.Drop()
	s.Beat()
	s.Take(1)
	s.Release()
	b.Slot(7).Release()
	again, err := OpenScoreboard(f)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if again.Claim(2) != again.Slot(7) || b.Slot(7).PID() != 2 {
		t.Error("the freed slot was not found through the other mapping")
	}
}

func TestSlotTells(t *testing.T) {
	b, _ := newBoard(t)
	b.SetWorkers(3)
	s := b.Slot(2)
	if !s.LastBeat().IsZero() {
		t.Error("a beat before the first")
	}
	s.Take(42)
	if age := time.Since(s.LastBeat()); age < 0 || age > 30*time.Second {
		t.Errorf("beat %v ago", age)
	}
	s.Busy()
	s.Drop()
	s.Busy()
	s.Idle()
	s.Busy()
	b.Queue(5)
	b.Unslotted(2)
	b.Rejected()
	b.Restarted()
	s.Restarted()
	st := b.Read()
	if len(st.Slots) != 1 {
		t.Fatalf("%d slots taken", len(st.Slots))
	}
	got := st.Slots[0]
	if got.Since < 0 || got.Since > 30*time.Second {
		t.Errorf("busy for %v", got.Since)
	}
	got.Since = 0
	if want := (SlotStatus{Index: 2, PID: 42, Busy: true, Served: 1, Restarts: 1}); got != want {
		t.Errorf("slot %+v, want %+v", got, want)
	}
	if st.Busy() != 3 || st.Workers != 3 || st.Queued != 5 || st.Rejected != 1 || st.Restarts != 1 || st.Served != 1 {
		t.Errorf("board %+v", st)
	}
}

// Whoever watches may read while the group stops.
func TestReadDuringClose(t *testing.T) {
	b, _ := newBoard(t)
	b.Slot(0).Take(1)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 1000 {
				if n := len(b.Read().Slots); n != 1 {
					t.Errorf("%d slots", n)
					return
				}
			}
		})
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
}

func TestOpenStrangeScoreboard(t *testing.T) {
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, size := range []int64{0, int64(boardSize)} {
		if err := f.Truncate(size); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenScoreboard(f); err == nil {
			t.Errorf("%d empty bytes were taken for a scoreboard", size)
		}
	}
}
