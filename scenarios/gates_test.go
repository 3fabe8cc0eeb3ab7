package scenarios_test

import (
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatewaylab/scenarios"
	"gatewaylab/scenarios/load"
)

// The gates whose causes can be made to happen, and not only put into a trial's
// figures as TestJudge does: each trial is spoiled for real, and says so.
func TestGatesProvoked(t *testing.T) {
	for _, c := range []struct {
		name, spec string
		spoil      func(*scenarios.Scenario)
		invalid    bool // else it is a warning
		says       string
	}{
		// One worker takes 200 ms for each of 200 requests a second, and the
		// generator allows itself 4 in flight.
		{"capped", "prefork:workers=1", func(s *scenarios.Scenario) {
			s.Requests[0].Path = "/wait?ms=200"
			s.Stages = []load.Stage{{Shape: load.Constant, From: 200, For: 400 * time.Millisecond}}
			s.MaxInFlight = 4
		}, false, "as many were in flight already as the generator allows itself"},
		// A million requests a second are more than any generator here sends.
		{"more than can be sent", "async", func(s *scenarios.Scenario) {
			s.Stages = []load.Stage{{Shape: load.Constant, From: scenarios.MaxRate, For: 200 * time.Millisecond}}
			s.MaxInFlight = 50
		}, false, "never sent"},
		// Workers die and are replaced.
		{"workers replaced", "prefork:workers=2", func(s *scenarios.Scenario) {
			s.Requests = append(s.Requests, scenarios.Request{Method: "GET", Path: "/crash", Fault: true, Name: "crash"})
			s.Stages = []load.Stage{{Shape: load.Constant, From: 40, For: 500 * time.Millisecond}}
		}, false, "were replaced during the window"},
		// The only process dies, and nothing here said that this was meant.
		{"server died", "serial", func(s *scenarios.Scenario) {
			s.Requests[0].Path = "/crash"
			s.Stages = []load.Stage{{Shape: load.Constant, From: 20, For: 500 * time.Millisecond}}
		}, true, "the server died in mid-trial"},
		// The request is one that no server grants.
		{"wrong request", "async", func(s *scenarios.Scenario) { s.Requests[0].Path = "/nowhere" }, true, "had status 404"},
		// No answer comes before the window is over.
		{"no answer", "async", func(s *scenarios.Scenario) {
			s.Requests[0].Path, s.Warmup = "/wait?ms=5000", 0
		}, true, "no answer ended within the window"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := tiny("/hello")
			c.spoil(s)
			p := plan(t, s, 1, contestants(t, c.spec)...)
			res, err := scenarios.Run(t.Context(), p, nil)
			if err != nil {
				t.Fatal(err)
			}
			tr := res.Measured[0]
			said := strings.Join(append(append([]string{}, tr.Invalid...), tr.Warnings...), "\n")
			if !strings.Contains(said, c.says) || c.invalid && tr.Valid() {
				t.Errorf("valid %v, said %q, want %q", tr.Valid(), said, c.says)
			}
		})
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
			var held hold
			defer held.end()
			res, err := scenarios.Run(t.Context(), p, func(e scenarios.Event) {
				switch e := e.(type) {
				case scenarios.TrialPhase:
					if e.Phase == scenarios.Measuring {
						held.begin()
						if c.held > 0 {
							time.AfterFunc(c.held, held.end)
						}
					}
				case scenarios.TrialDone:
					held.end()
				}
			})
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

// A hold keeps this process from its work.
type hold struct {
	procs int
	over  atomic.Bool
	ended sync.Once
	busy  sync.WaitGroup
}

func (h *hold) begin() {
	h.procs = runtime.GOMAXPROCS(1)
	for range 4 {
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
		if h.procs > 0 {
			runtime.GOMAXPROCS(h.procs)
		}
	})
}
