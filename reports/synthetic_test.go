package reports_test

import (
	"encoding/json"
	"fmt"
	"time"

	"gatewaylab/scenarios"
	"gatewaylab/scenarios/load"
)

// A shape is one synthetic trial: what it should come to.
type shape struct {
	rate     float64 // goodput, 1/s
	ms       float64 // median response time
	stretch  float64 // p99 over p50
	cpu      float64 // server CPU per success, ms
	gen      float64 // generator CPU per success, ms
	memory   float64 // MiB
	procs    int
	perConn  float64 // connections per request
	busy     float64
	errors   map[string]uint64
	unsent   uint64
	warnings []string
	invalid  []string
	starved  bool
}

// jitter moves trial i by up to 2 % around 1, always in the same way.
func jitter(i int) float64 { return 1 + 0.004*float64([]int{0, 3, -2, 5, -4, 1, 2}[i%7]) }

func trial(sc *scenarios.Scenario, model string, i int, s shape) *scenarios.Trial {
	rate := s.rate * jitter(i)
	n := uint64(rate * sc.For().Seconds())
	if sc.Open() {
		n = min(n, uint64(sc.Stages[0].From*sc.For().Seconds()))
	}
	t := &scenarios.Trial{
		Ref:    scenarios.Ref{Scenario: sc.Name, Model: model, Trial: i + 1, Of: 6},
		Window: sc.For(), Warmup: sc.Warmup,
		Succeeded: n, Measured: n, Errors: s.errors, Unsent: s.unsent,
		Response: scenarios.NewHistogram(), Service: scenarios.NewHistogram(),
		FirstByte: scenarios.NewHistogram(), Lag: scenarios.NewHistogram(),
		Warnings: s.warnings, Invalid: s.invalid, Starved: s.starved,
	}
	for _, k := range s.errors {
		t.Failed += k
	}
	t.Sent = n + t.Failed
	t.Due = t.Sent + t.Unsent
	if sc.Open() {
		t.Due = uint64(sc.Stages[0].From * sc.For().Seconds())
		t.Sent = t.Due - t.Unsent
	}
	flat := n * 9 / 10
	observe(t, sc, s.ms*jitter(i), i, flat)
	for k := flat; k < n; k++ {
		// The upper tenth rises to p99 = stretch × p50.
		q := float64(k) / float64(n)
		observe(t, sc, s.ms*jitter(i)*(1+(s.stretch-1)*max(0, q-0.9)/0.09), i, 1)
	}
	t.Series = series(sc, rate, s)
	t.Server = scenarios.ServerCost{
		CPU:        time.Duration(s.cpu * jitter(i+2) * float64(n) * float64(time.Millisecond)),
		PeakMemory: int64(s.memory * jitter(i+1) * (1 << 20)), MemoryKind: "pss",
		Processes: s.procs, Threads: 5 * s.procs, Files: 9 * s.procs,
		Voluntary: 3 * n, Involuntary: n / 2, MeanBusy: s.busy,
	}
	t.Generator = scenarios.GeneratorCost{
		CPU:         time.Duration(s.gen * float64(n) * float64(time.Millisecond)),
		Connections: uint64(s.perConn * float64(n)),
	}
	t.Machine = scenarios.MachineState{Cores: 2, ServerCores: 2, Steal: 0.001}
	return t
}

// observe records n responses of the same length.
func observe(t *scenarios.Trial, sc *scenarios.Scenario, ms float64, i int, n uint64) {
	record := func(h *scenarios.Histogram, ms float64) {
		if err := h.RecordValues(int64(ms*1e3), int64(n)); err != nil {
			panic(err)
		}
	}
	record(t.Response, ms)
	record(t.FirstByte, 0.9*ms)
	if sc.Open() {
		ms = min(ms, 52*jitter(i))
		record(t.Lag, 0.3)
	}
	record(t.Service, ms)
}

func series(sc *scenarios.Scenario, rate float64, s shape) []scenarios.Interval {
	const step = 250 * time.Millisecond
	var all []scenarios.Interval
	for at := -sc.Warmup + step; at <= sc.For(); at += step {
		p50 := time.Duration(s.ms * float64(time.Millisecond))
		all = append(all, scenarios.Interval{
			At: at + 3*time.Millisecond, Length: step, Succeeded: uint64(rate * step.Seconds()),
			P50: p50, P99: 2 * p50, Max: 3 * p50, InFlight: 10, Busy: 4, Queued: 6,
			CPU: rate * s.cpu / 1e3, Memory: int64(s.memory * (1 << 20)),
		})
	}
	return all
}

func closed(name, title, question string, clients int, path string) *scenarios.Scenario {
	return &scenarios.Scenario{
		Name: name, Title: title, Question: question,
		Requests: []scenarios.Request{{Method: "GET", Path: path}},
		Stages:   []load.Stage{{Shape: load.Users, UsersFrom: clients, For: 2 * time.Second}},
		Warmup:   500 * time.Millisecond, Timeout: 10 * time.Second,
	}
}

func models() []scenarios.ModelInfo {
	return []scenarios.ModelInfo{
		{Label: "cgi", Name: "cgi", Options: map[string]string{"children": "16"}, Slots: 16, Noun: "child process", PerRequest: "process"},
		{Label: "prefork", Name: "prefork", Options: map[string]string{"workers": "4", "timeout": "30s"}, Slots: 4, Noun: "worker", PerRequest: "connection"},
		{Label: "async", Name: "async", Options: map[string]string{}, Noun: "connection"},
	}
}

func result(scs []*scenarios.Scenario, ms []scenarios.ModelInfo, trials int) *scenarios.Result {
	started := time.Date(2026, 3, 14, 9, 26, 53, 0, time.UTC)
	r := &scenarios.Result{
		Schema: scenarios.Schema, Name: "first", Started: started, Finished: started.Add(50 * time.Second),
		State: "complete", Command: []string{"lab", "compare", "--scenario", "wait"},
		Seed: 42, Trials: trials, Planned: trials * len(scs) * len(ms), Scenarios: scs, Models: ms,
		Environment: scenarios.Environment{
			Time: started, OS: "linux/amd64", Kernel: "6.8.0", CPU: "Example CPU @ 2.50GHz", Cores: 2,
			Governor: "performance", Memory: 8 << 30, Steal: 0.001, FileLimit: 1048576,
			GoVersion: "go1.26.0", Commit: "0123456789ab", Modified: true,
			Versions: map[string]string{"vegeta": "v12.13.0"},
		},
	}
	demand := `{"hello": {}, "wait": {"wait": 50}, "cpu": {"units": 50}, "rush": {"wait": 50}}`
	if err := json.Unmarshal([]byte(demand), &r.Demand); err != nil {
		panic(err)
	}
	return r
}

func add(r *scenarios.Result, sc *scenarios.Scenario, model string, n int, s shape) []*scenarios.Trial {
	var added []*scenarios.Trial
	for i := range n {
		added = append(added, trial(sc, model, i, s))
	}
	r.Measured = append(r.Measured, added...)
	return added
}

// full is a run with everything in it that can happen to a cell.
func full() *scenarios.Result {
	hello := closed("hello", "A tiny answer", "What does the server model itself cost?", 32, "/hello")
	wait := closed("wait", "Waiting for something else", "How many requests can be under way at once?", 50, "/wait?ms=50")
	cpu := closed("cpu", "A fixed amount of processor work", "Does a model make computation any faster?", 16, "/cpu?units=50")
	rush := closed("rush", "More than can be served", "What becomes of the requests that are too many?", 0, "/wait?ms=50")
	rush.Stages[0] = load.Stage{Shape: load.Constant, From: 200, For: rush.For()}
	r := result([]*scenarios.Scenario{hello, wait, cpu, rush}, models(), 6)
	r.Notes = []string{"async under cpu: the server was slow to stop"}

	busyGenerator := []string{"the load generator used more than 40 % of the cores it shares with the server, which makes fast models look closer together than they are"}
	add(r, hello, "cgi", 6, shape{rate: 590, ms: 54, stretch: 1.6, cpu: 3.0, gen: 0.2, memory: 18.2, procs: 17, perConn: 0.01, busy: 15.8})
	add(r, hello, "prefork", 6, shape{rate: 9100, ms: 3.4, stretch: 2.1, cpu: 0.13, gen: 0.072, memory: 21.4, procs: 5, perConn: 1, busy: 3.9, warnings: busyGenerator})
	add(r, hello, "async", 6, shape{rate: 22300, ms: 1.21, stretch: 3.3, cpu: 0.041, gen: 0.045, memory: 15.9, procs: 1, perConn: 0, busy: 2, warnings: busyGenerator})

	add(r, wait, "cgi", 6, shape{rate: 271, ms: 184, stretch: 1.1, cpu: 3.2, gen: 0.2, memory: 17.9, procs: 17, perConn: 0.01, busy: 15.9})
	prefork := add(r, wait, "prefork", 6, shape{rate: 79.1, ms: 631, stretch: 1.02, cpu: 0.31, gen: 0.2, memory: 21.1, procs: 5, perConn: 1, busy: 3.98})
	prefork[2].Invalid = []string{"the hypervisor took 14 % of the processor time", "a worker died"}
	add(r, wait, "async", 6, shape{rate: 968, ms: 51.2, stretch: 1.1, cpu: 0.07, gen: 0.06, memory: 16.3, procs: 1, perConn: 0, busy: 49.7})

	dead := add(r, cpu, "cgi", 2, shape{rate: 230, ms: 69, stretch: 1.5, cpu: 8.2, gen: 0.2, memory: 18, procs: 17, busy: 15})
	for _, t := range dead {
		t.Invalid = []string{"the server died in mid-trial: exit status 2"}
	}
	add(r, cpu, "prefork", 6, shape{rate: 371, ms: 43, stretch: 1.4, cpu: 5.1, gen: 0.1, memory: 20.9, procs: 5, perConn: 1, busy: 4})
	add(r, cpu, "async", 6, shape{rate: 373, ms: 42.8, stretch: 1.5, cpu: 5.08, gen: 0.09, memory: 16.8, procs: 1, busy: 16})

	add(r, rush, "cgi", 6, shape{rate: 200, ms: 54.1, stretch: 1.3, cpu: 3.1, gen: 0.3, memory: 18, procs: 17, perConn: 0.02, busy: 10.6})
	add(r, rush, "prefork", 6, shape{rate: 79.4, ms: 1480, stretch: 1.9, cpu: 0.3, gen: 0.3, memory: 21.2, procs: 5, perConn: 1, busy: 4, unsent: 61,
		errors:   map[string]uint64{"timeout": 31, "connection refused": 4},
		warnings: []string{"requests were due and never sent: as many were in flight already as the generator allows itself, all waiting for the server"}})
	for i, t := range add(r, rush, "async", 6, shape{rate: 200, ms: 50.6, stretch: 1.05, cpu: 0.09, gen: 0.1, memory: 16.1, procs: 1, busy: 10.1}) {
		t.Warnings = []string{fmt.Sprintf("the server did not stop cleanly: %d sockets left", 2+i%2)}
	}
	return r
}

// few is a quick run, interrupted, with too few trials for anything.
func few() *scenarios.Result {
	wait := closed("wait", "Waiting for something else", "", 50, "/wait?ms=50")
	wait.Stages[0].For = 500 * time.Millisecond
	r := result([]*scenarios.Scenario{wait}, models(), 3)
	r.State, r.Quick = "interrupted", true
	add(r, wait, "prefork", 3, shape{rate: 79.1, ms: 631, stretch: 1.02, cpu: 0.31, gen: 0.2, memory: 21.1, procs: 5, perConn: 1, busy: 3.98})
	add(r, wait, "async", 2, shape{rate: 968, ms: 51.2, stretch: 1.1, cpu: 0.07, gen: 0.06, memory: 16.3, procs: 1, busy: 49.7})
	return r
}

// once is one trial of each model, which tells nothing for certain.
func once() *scenarios.Result {
	wait := closed("wait", "Waiting for something else", "", 50, "/wait?ms=50")
	r := result([]*scenarios.Scenario{wait}, models()[1:], 1)
	r.Quick = true
	add(r, wait, "prefork", 1, shape{rate: 79.1, ms: 631, stretch: 1.02, cpu: 0.31, gen: 0.2, memory: 21.1, procs: 5, perConn: 1, busy: 3.98})
	add(r, wait, "async", 1, shape{rate: 968, ms: 51.2, stretch: 1.1, cpu: 0.07, gen: 0.06, memory: 16.3, procs: 1, busy: 49.7})
	return r
}

// same is an A/A run.
func same() *scenarios.Result {
	hello := closed("hello", "A tiny answer", "", 32, "/hello")
	ms := models()[2:]
	twin := ms[0]
	twin.Label = "async#2"
	r := result([]*scenarios.Scenario{hello}, append(ms, twin), 6)
	r.AA = true
	add(r, hello, "async", 6, shape{rate: 22300, ms: 1.21, stretch: 3.3, cpu: 0.041, gen: 0.045, memory: 15.9, procs: 1, busy: 2})
	add(r, hello, "async#2", 6, shape{rate: 22390, ms: 1.22, stretch: 3.3, cpu: 0.0412, gen: 0.045, memory: 15.8, procs: 1, busy: 2})
	return r
}

// small is a run with nothing wrong in it.
func small() *scenarios.Result {
	wait := closed("wait", "Waiting for something else", "How many requests can be under way at once?", 50, "/wait?ms=50")
	r := result([]*scenarios.Scenario{wait}, models()[1:], 6)
	add(r, wait, "prefork", 6, shape{rate: 78.5, ms: 631, stretch: 1.02, cpu: 0.31, gen: 0.2, memory: 21.1, procs: 5, perConn: 1, busy: 3.98})
	add(r, wait, "async", 6, shape{rate: 968, ms: 51.2, stretch: 1.1, cpu: 0.07, gen: 0.06, memory: 16.3, procs: 1, busy: 49.7})
	return r
}
