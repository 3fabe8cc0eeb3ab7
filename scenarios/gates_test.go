package scenarios_test

import (
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatewaylab/scenarios"
	"gatewaylab/scenarios/load"
	"gatewaylab/servers/process"
)

// The gates whose causes can be made to happen, and not only put into a trial's
// figures as TestJudge does: each trial is spoiled for real, and says so. What
// the server itself does with too much or with a crash (leave requests waiting,
// die and be replaced, overflow its listen queue) is what was asked about, and
// only a warning; a trial in which something else went wrong is invalid.
//
// Steal has no test of this kind: only the hypervisor can take time away.
func TestGatesProvoked(t *testing.T) {
	crash := scenarios.Request{Method: "GET", Path: "/crash", Fault: true, Name: "crash"}
	for _, c := range []struct {
		name, spec     string
		spoil          func(*scenarios.Scenario)
		invalid, warns string // "" = it isn't
	}{
		// One worker takes 100 ms for each of 200 requests a second, and the
		// generator allows itself 4 in flight.
		{"capped", "prefork:workers=1", func(s *scenarios.Scenario) {
			s.Requests[0].Path = "/wait?ms=100"
			s.Stages = []load.Stage{{Shape: load.Constant, From: 200, For: 500 * time.Millisecond}}
			s.MaxInFlight = 4
		}, "", "as many were in flight already as the generator allows itself"},
		{"workers replaced", "prefork:workers=2", func(s *scenarios.Scenario) {
			s.Requests = append(s.Requests, crash)
			s.Stages[0].For = 500 * time.Millisecond
		}, "", "were replaced during the window"},
		// The only process dies, which was meant, and is started again.
		{"server restarted", "async", func(s *scenarios.Scenario) {
			s.Requests = append(s.Requests, crash)
			s.Stages[0].For = time.Second
		}, "", "were replaced during the window"},
		// Nothing here said that it was meant.
		{"server died", "serial", func(s *scenarios.Scenario) { s.Requests[0].Path = "/crash" }, "the server died in mid-trial", ""},
		// A connection waits in the queue, and the other clients' are dropped.
		{"listen queue full", "prefork:workers=1,backlog=1", func(s *scenarios.Scenario) {
			s.Requests[0].Path, s.Timeout = "/wait?ms=100", 300*time.Millisecond
			s.Stages[0].UsersFrom, s.Stages[0].For = 8, time.Second
		}, "", "the kernel dropped connections because a listen queue was full"},
		// The request is one that no server grants.
		{"wrong request", "async", func(s *scenarios.Scenario) { s.Requests[0].Path = "/nowhere" }, "had status 404", ""},
		// No answer comes before the window is over.
		{"no answer", "async", func(s *scenarios.Scenario) {
			s.Requests[0].Path, s.Warmup = "/wait?ms=5000", 0
		}, "no answer ended within the window", ""},
		{"nothing due", "async", func(s *scenarios.Scenario) {
			s.Stages = []load.Stage{{Shape: load.Constant, Poisson: true, From: 0.001, For: 250 * time.Millisecond}}
		}, "no request was due within the window", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := tiny("/hello")
			c.spoil(s)
			res, err := scenarios.Run(t.Context(), plan(t, s, 1, contestants(t, c.spec)...), nil)
			if err != nil {
				t.Fatal(err)
			}
			tr := res.Measured[0]
			invalid, warnings := strings.Join(own(tr.Invalid), "\n"), strings.Join(own(tr.Warnings), "\n")
			if !strings.Contains(invalid, c.invalid) || c.invalid == "" && invalid != "" && disturbed(tr) < 0.1 {
				t.Errorf("invalid: %q, want %q", invalid, c.invalid)
			}
			if !strings.Contains(warnings, c.warns) {
				t.Errorf("warnings: %q, want %q", warnings, c.warns)
			}
		})
	}
}

// own leaves out what a trial says of the machine: other tests run beside it.
func own(said []string) []string {
	return slices.DeleteFunc(slices.Clone(said), func(s string) bool {
		return strings.HasPrefix(s, "other programs used") || strings.HasPrefix(s, "the hypervisor took")
	})
}

// disturbed is the share of the processor time that neither the trial had nor
// nobody. With a tenth of it gone, a trial can be spoiled in ways that no test
// provokes: this process gets its turns too late.
func disturbed(tr *scenarios.Trial) float64 {
	return max(0, tr.Machine.Others) + max(0, tr.Machine.Steal)
}

// As many programs as there are cores do nothing but compute.
func TestGateOtherPrograms(t *testing.T) {
	p := plan(t, tiny("/hello"), 1, contestants(t, "async")...)
	for range runtime.NumCPU() {
		compute(t)
	}
	res, err := scenarios.Run(t.Context(), p, nil)
	if err != nil {
		t.Fatal(err)
	}
	tr := res.Measured[0]
	if said := strings.Join(tr.Invalid, "\n"); !strings.Contains(said, "other programs used") || tr.Starved {
		t.Errorf("said %q, want that other programs used the processor; starved %v, and it was not by its own doing", said, tr.Starved)
	}
}

// compute starts a process that computes until the test ends.
func compute(t *testing.T) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), "LAB_TEST_COMPUTE=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Wait()
	})
}

// The generator's own process uses up its half of the cores: eight threads for
// each of them compute, so that the scheduler puts what else there is on the
// other half. If it doesn't, less than 85 % of half the cores is not the
// generator's doing, and the trial is made again.
func TestGateGeneratorBusy(t *testing.T) {
	cores := len(process.Cores())
	if cores < 2 || runtime.GOOS != "linux" {
		t.Skip("takes two cores, and a system that can give the generator one of them")
	}
	s := tiny("/hello")
	s.Stages[0].For = 500 * time.Millisecond
	threads := 8 * (cores / 2)
	for range 3 {
		p := plan(t, s, 1, contestants(t, "async")...)
		p.Pin = true
		held := hold{threads: threads, procs: threads + 2} // which leaves two for the load
		defer held.end()
		res, err := scenarios.Run(t.Context(), p, held.whileMeasuring)
		if err != nil {
			t.Fatal(err)
		}
		tr := res.Measured[0]
		said := strings.Join(tr.Invalid, "\n")
		if strings.Contains(said, "and was the bottleneck itself") {
			return
		}
		if disturbed(tr) < 0.05 {
			t.Fatalf("said %q, want that the generator was the bottleneck", said)
		}
	}
	t.Log("other programs left the generator too little to be the bottleneck")
}

// Whoever is shown the samples doesn't give the watcher back until the load is
// over. Its last look at the requests in flight then comes when there have been
// none for long, and can't agree with their times.
func TestGateLittle(t *testing.T) {
	s := tiny("/wait?ms=20")
	s.Stages[0].UsersFrom = 20
	shown := false
	res, err := scenarios.Run(t.Context(), plan(t, s, 1, contestants(t, "async")...), func(e scenarios.Event) {
		if e, ok := e.(scenarios.Sample); ok && e.Phase == scenarios.Measuring && !shown {
			shown = true
			time.Sleep(4 * s.For())
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if said := strings.Join(res.Measured[0].Invalid, "\n"); !strings.Contains(said, "Little's law does not hold") {
		t.Errorf("said %q, want that Little's law does not hold", said)
	}
}

// The generator itself is held: while a trial sends, it has one thread, which it
// shares with four that compute, so that it gets a fifth of the time in turns of
// 10 ms. Whatever the machine, it is then late by 40 ms, sends no more than a
// fifth of what a core could, and has never many in flight, since the server
// answers in the other four turns: the cause is its own.
func TestGatesGeneratorHeld(t *testing.T) {
	for _, c := range []struct {
		name string
		rate float64
		held time.Duration // 0: to the end; else there is time to send all, late
		says string
	}{
		{"late", 200, 300 * time.Millisecond, "the generator ran late"},
		{"starved", 200_000, 0, "were never sent although the generator was free to"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := tiny("/hello")
			s.Stages = []load.Stage{{Shape: load.Constant, From: c.rate, For: c.held + 500*time.Millisecond}}
			p := plan(t, s, 1, contestants(t, "async")...)
			held := hold{threads: 4, procs: 1, atMost: c.held}
			defer held.end()
			res, err := scenarios.Run(t.Context(), p, held.whileMeasuring)
			if err != nil {
				t.Fatal(err)
			}
			tr := res.Measured[0]
			if said := strings.Join(tr.Invalid, "\n"); !strings.Contains(said, c.says) {
				t.Errorf("said %q, want %q", said, c.says)
			}
		})
	}
}

// A hold has threads of this process compute, on as many processors as Go is
// given meanwhile.
type hold struct {
	threads, procs int
	atMost         time.Duration // 0: until the trial is done

	before int
	over   atomic.Bool
	ended  sync.Once
	busy   sync.WaitGroup
}

// whileMeasuring holds the process from the start of the window on.
func (h *hold) whileMeasuring(e scenarios.Event) {
	switch e := e.(type) {
	case scenarios.TrialPhase:
		if e.Phase == scenarios.Measuring {
			h.begin()
			if h.atMost > 0 {
				time.AfterFunc(h.atMost, h.end)
			}
		}
	case scenarios.TrialDone:
		h.end()
	}
}

func (h *hold) begin() {
	h.before = runtime.GOMAXPROCS(h.procs)
	for range h.threads {
		h.busy.Go(func() {
			for !h.over.Load() {
			}
		})
	}
}

// end may be called again, and without begin.
func (h *hold) end() {
	h.ended.Do(func() {
		h.over.Store(true)
		h.busy.Wait()
		if h.before > 0 {
			runtime.GOMAXPROCS(h.before)
		}
	})
}
