//go:build linux

package servers_test

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"gatewaylab/servers"
)

// The pre-fork model and the program that it is modelled on, under one script.
// Below is how many processes its workers are under the one that was started:
// gunicorn's arbiter has a guard over it.
var arbiters = []struct {
	name  string
	below int
}{{"prefork", 1}, {"gunicorn", 2}}

func eachArbiter(t *testing.T, options string, test func(t *testing.T, inst *servers.Instance, workers func() []int)) {
	for _, a := range arbiters {
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			needs(t, a.name)
			inst := launch(t, a.name+":"+options)
			test(t, inst, func() []int { return descendants(inst.PIDs(), a.below) })
		})
	}
}

// descendants are those of the processes, oldest first, that have so many of
// them above.
func descendants(pids []int, above int) (found []int) {
	parents, starts := map[int]int{}, map[int]int{}
	for _, pid := range pids {
		b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if err != nil || strings.Contains(string(b), ") Z ") {
			continue // gone
		}
		// After the name, which is in brackets: state (3), ppid (4), … starttime (22).
		fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
		parents[pid], _ = strconv.Atoi(fields[1])
		starts[pid], _ = strconv.Atoi(fields[19])
	}
	for pid := range parents {
		depth := 0
		for p, ok := parents[pid]; ok && parents[p] != 0; p, ok = parents[p] {
			depth++
		}
		if depth == above {
			found = append(found, pid)
		}
	}
	slices.SortFunc(found, func(a, b int) int { return cmp.Or(cmp.Compare(starts[a], starts[b]), cmp.Compare(a, b)) })
	return found
}

// A stream of requests goes on until it is stopped, and counts those that were
// lost.
type stream struct {
	stop   context.CancelFunc
	wg     sync.WaitGroup
	served atomic.Int64
	mu     sync.Mutex
	lost   []outcome
}

func requests(t *testing.T, inst *servers.Instance, clients int, target string) *stream {
	ctx, cancel := context.WithCancel(t.Context())
	s := &stream{stop: cancel}
	for range clients {
		s.wg.Go(func() {
			for ctx.Err() == nil {
				if got := get(t.Context(), inst, target); got.status == 200 {
					s.served.Add(1)
				} else {
					s.mu.Lock()
					s.lost = append(s.lost, got)
					s.mu.Unlock()
				}
			}
		})
	}
	t.Cleanup(func() { s.end() })
	return s
}

// pass waits until so many more have been served.
func (s *stream) pass(t *testing.T, n int64) {
	t.Helper()
	until := s.served.Load() + n
	eventually(t, "requests being served", func() bool { return s.served.Load() >= until })
}

func (s *stream) end() []outcome {
	s.stop()
	s.wg.Wait()
	return s.lost
}

// A step is a signal and what comes of it.
type step struct {
	signal  syscall.Signal
	workers int
	// kept says which of the workers there are, oldest first, are still there.
	kept func(before []int) []int
}

func keepAll(before []int) []int { return before }
func keepNone([]int) []int       { return nil }

// What the arbiter is told while requests come and go: not one is lost.
func TestArbitersUnderLoad(t *testing.T) {
	t.Parallel()
	more, fewer := syscall.SIGTTIN, syscall.SIGTTOU
	steps := []step{
		{more, 3, keepAll},
		{more, 4, keepAll},
		{syscall.SIGUSR1, 4, keepAll},
		{fewer, 3, func(before []int) []int { return before[1:] }}, // the oldest goes
		{fewer, 2, func(before []int) []int { return before[1:] }},
		{fewer, 1, func(before []int) []int { return before[1:] }},
		{fewer, 1, keepAll},           // there is always one
		{syscall.SIGHUP, 2, keepNone}, // as many as it was set up with
		{syscall.SIGHUP, 2, keepNone},
	}
	eachArbiter(t, "workers=2", func(t *testing.T, inst *servers.Instance, workers func() []int) {
		load := requests(t, inst, 3, "/wait?ms=10")
		eventually(t, "two workers", func() bool { return len(workers()) == 2 })
		for _, s := range steps {
			before := workers()
			kept := s.kept(before)
			settled := func() bool {
				now := workers()
				for _, p := range before {
					if slices.Contains(now, p) != slices.Contains(kept, p) {
						return false
					}
				}
				return len(now) == s.workers
			}
			if err := inst.Signal(s.signal); err != nil {
				t.Fatal(err)
			}
			load.pass(t, 30) // time for what must not happen
			eventually(t, fmt.Sprintf("%v: %d workers, of %v no more than %v", s.signal, s.workers, before, kept), settled)
			load.pass(t, 30)
			if !settled() {
				t.Errorf("%v: workers %v, then %v; want %d, of the former %v", s.signal, before, workers(), s.workers, kept)
			}
		}
		if lost := load.end(); len(lost) > 0 {
			t.Errorf("%d requests were lost beside %d served, the first: %+v", len(lost), load.served.Load(), lost[0])
		}
	})
}

// TERM lets what is being served be finished, QUIT doesn't; either way that is
// the end.
func TestArbitersStop(t *testing.T) {
	t.Parallel()
	for sig, status := range map[syscall.Signal]int{syscall.SIGTERM: 200, syscall.SIGQUIT: 0, syscall.SIGINT: 0} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			eachArbiter(t, "workers=2", func(t *testing.T, inst *servers.Instance, workers func() []int) {
				load := requests(t, inst, 1, "/hello")
				held := make(chan outcome, 1)
				first := make(chan struct{})
				every := time.Second
				if status == 0 {
					every = never
				}
				go func() { held <- streamed(t, inst, every, first) }()
				<-first
				load.pass(t, 10)
				if err := inst.Signal(sig); err != nil {
					t.Fatal(err)
				}
				if got := <-held; got.status != status {
					t.Errorf("the request under way: %+v, want status %d", got, status)
				}
				<-inst.Done()
				if left := workers(); len(left) > 0 {
					t.Errorf("workers %v are left", left)
				}
				load.stop()
			})
		})
	}
}

// A worker that hangs is killed and replaced, its request is lost, and no other.
func TestArbitersReplaceWhoHangs(t *testing.T) {
	t.Parallel()
	eachArbiter(t, "workers=2,timeout=10s", func(t *testing.T, inst *servers.Instance, workers func() []int) {
		load := requests(t, inst, 2, "/wait?ms=10")
		before := workers()
		if got := get(t.Context(), inst, "/hang"); got.status != 0 {
			t.Errorf("the request that hung: %+v, want its connection closed", got)
		}
		var now []int
		eventually(t, "two workers again", func() bool { now = workers(); return len(now) == 2 && !slices.Equal(now, before) })
		if !slices.Contains(before, now[0]) && !slices.Contains(before, now[1]) {
			t.Errorf("workers %v were replaced by %v, want one to stay", before, now)
		}
		load.pass(t, 30)
		if lost := load.end(); len(lost) > 0 {
			t.Errorf("%d other requests were lost beside %d served, the first: %+v", len(lost), load.served.Load(), lost[0])
		}
	})
}
