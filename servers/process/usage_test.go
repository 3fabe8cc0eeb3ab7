//go:build linux

package process

import (
	"strings"
	"testing"
	"time"
)

func sessionOf(leader int) map[int]uint64 {
	st, _ := readStat(leader)
	return map[int]uint64{leader: st.start}
}

// running counts the tree's processes that are not zombies.
func running(t *testing.T, tr *tree) (n int) {
	t.Helper()
	if tr.names == nil {
		tr.names = make([]byte, 32<<10)
	}
	found, err := tr.scan(true)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range found {
		if !p.zombie {
			n++
		}
	}
	return n
}

func TestUsageOfSpinningProcess(t *testing.T) {
	g := launch(t, Launch{}, "burn:400ms")
	var before Usage
	eventually(t, "it has started", func() bool {
		before, _ = g.Sample()
		return before.CPU > 20*time.Millisecond
	})
	<-g.Done()
	after, err := g.Sample()
	if err != nil {
		t.Fatal(err)
	}
	// burn stops at 400 ms by its own rusage; starting and ending come on top.
	if after.CPU < 400*time.Millisecond || after.CPU > 480*time.Millisecond {
		t.Errorf("CPU %v, want 400 ms and up to 20 %% more", after.CPU)
	}
}

func TestUsageCountsLiveProcessExactly(t *testing.T) {
	g := launch(t, Launch{}, "spin")
	pid := g.PIDs()[0]
	read := func() (sample, clock time.Duration) {
		before, _ := cpuTime(pid)
		u, err := g.Sample()
		after, _ := cpuTime(pid)
		if err != nil || u.CPU < before || u.CPU > after {
			t.Errorf("sample of %v (%v), between clock readings of %v and %v", u.CPU, err, before, after)
		}
		return u.CPU, after
	}
	first, _ := read()
	eventually(t, "it goes on", func() bool { u, _ := read(); return u > first+100*time.Millisecond })
}

func TestUsageCountsReapedChildren(t *testing.T) {
	g := launch(t, Launch{}, "reaper:100ms")
	eventually(t, "four children have come and gone", func() bool { return strings.Contains(g.Log(), "done") })
	u, err := g.Usage()
	if err != nil {
		t.Fatal(err)
	}
	if u.Processes != 1 || u.CPU < 380*time.Millisecond { // USER_HZ rounds down
		t.Errorf("%d process, CPU %v; want 1 and at least 400 ms of its dead children", u.Processes, u.CPU)
	}
	if u.MemoryKind != "pss" || u.Memory < 1<<18 || u.Memory > 1<<28 || u.Voluntary == 0 {
		t.Errorf("usage %+v", u)
	}
	if err := g.Stop(30 * time.Second); err != nil {
		t.Fatal(err)
	}
	end, err := g.Usage()
	if err != nil || end.CPU < u.CPU || end.Processes != 0 {
		t.Errorf("after the end %+v (%v), before it %+v", end, err, u)
	}
}

func TestReusedSessionNumberIsForeign(t *testing.T) {
	g := launch(t, Launch{}, "sleep")
	leader := g.PIDs()[0]
	tr := &tree{sessions: map[int]uint64{leader: 1}} // as if the leader had been another process
	if n := running(t, tr); n != 0 {
		t.Errorf("%d processes of a stranger's session were taken for ours", n)
	}
}
