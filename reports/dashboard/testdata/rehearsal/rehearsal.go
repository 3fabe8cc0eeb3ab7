// Package rehearsal makes up a run, so that the dashboard can be looked at and
// tested without one: the same events in the same order every time, with
// figures such as the real models give on two cores.
package rehearsal

import (
	"math"
	"math/rand/v2"
	"time"

	"gatewaylab/scenarios"
	"gatewaylab/scenarios/load"
	"gatewaylab/servers/process"
)

// Run says what to make up.
type Run struct {
	Models []scenarios.ModelInfo
	Trials int           // of each cell
	For    time.Duration // window of one trial
	Slice  time.Duration // between samples

	Stages []load.Stage // of every scenario's load, For long together; none = users throughout
	Mute   string       // the model that doesn't speak the protocol of scenario cpu
	Dies   string       // the model that is started again every now and then
}

// Three is the usual run: three models, six trials of each cell.
func Three() Run {
	return Run{
		Models: []scenarios.ModelInfo{
			{Label: "cgi", Name: "cgi", Slots: 32, Noun: "child process"},
			{Label: "prefork:workers=4", Name: "prefork", Slots: 4, Noun: "worker"},
			{Label: "async", Name: "async", Noun: "connection"},
		},
		Trials: 6, For: time.Second, Slice: 125 * time.Millisecond,
	}
}

// Staged is a run whose load has a calm start, a rush and an end, with one
// cell that is not measured and a model that dies.
func Staged() Run {
	r := Three()
	r.Stages = []load.Stage{
		{Name: "calm", Shape: load.Constant, From: 60, For: 500 * time.Millisecond},
		{Name: "the great rush of the year", Shape: load.Ramp, From: 60, To: 1500, For: time.Second, Poisson: true},
		{Shape: load.Users, UsersFrom: 20, For: 500 * time.Millisecond},
	}
	r.For, r.Mute, r.Dies = 2*time.Second, "cgi", "async"
	return r
}

const warmup = 250 * time.Millisecond

// Play gives every event to emit. Before each, pause is told how long after
// the one before it would happen.
func (r Run) Play(emit func(scenarios.Event), pause func(time.Duration)) {
	names := []string{"hello", "wait", "cpu"}
	plan := scenarios.PlanStarted{Name: "rehearsal", Models: r.Models, Trials: r.Trials}
	var order []scenarios.Ref
	for _, n := range names {
		stages := r.Stages
		if stages == nil {
			stages = []load.Stage{{Shape: load.Users, UsersFrom: 64, For: r.For}}
		}
		plan.Scenarios = append(plan.Scenarios, &scenarios.Scenario{Name: n, Warmup: warmup, Stages: stages})
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for t := 1; t <= r.Trials; t++ {
		var round []scenarios.Ref
		for _, n := range names {
			for _, m := range r.Models {
				round = append(round, scenarios.Ref{Scenario: n, Model: m.Label, Trial: t, Of: r.Trials})
			}
		}
		rng.Shuffle(len(round), func(i, j int) { round[i], round[j] = round[j], round[i] })
		order = append(order, round...)
	}
	plan.Total = len(order)
	plan.Measuring = time.Duration(len(order)) * (r.For + warmup)
	emit(plan)
	for _, m := range r.Models {
		emit(scenarios.TrialPhase{Ref: scenarios.Ref{Model: m.Label, Total: len(order)}, Phase: scenarios.Verifying, Left: plan.Measuring})
		pause(300 * time.Millisecond)
	}
	emit(scenarios.Note{At: time.Date(2026, 3, 14, 15, 9, 26, 0, time.UTC), Text: "all models answer the probes alike"})
	if r.Mute != "" {
		emit(scenarios.NotSpoken{Scenario: "cpu", Model: r.Mute, How: "505 HTTP Version Not Supported"})
	}
	left := plan.Measuring
	for i, ref := range order {
		ref.Order, ref.Total = i+1, len(order)
		if ref.Scenario == "cpu" && ref.Model == r.Mute {
			left -= r.For + warmup
			continue
		}
		left = r.trial(ref, left, rng, emit, pause)
	}
	emit(scenarios.PlanDone{})
}

// trial plays one trial and returns the time left after it.
func (r Run) trial(ref scenarios.Ref, left time.Duration, rng *rand.Rand, emit func(scenarios.Event), pause func(time.Duration)) time.Duration {
	var info scenarios.ModelInfo
	for _, m := range r.Models {
		if m.Label == ref.Model {
			info = m
		}
	}
	f := figures(ref.Scenario, info)
	pause(60 * time.Millisecond)
	emit(scenarios.TrialPhase{Ref: ref, Phase: scenarios.Starting, Left: left})
	pause(200 * time.Millisecond)
	emit(scenarios.TrialPhase{Ref: ref, Phase: scenarios.Warming, Left: left})
	var served uint64
	for at := -warmup + r.Slice; at <= r.For; at += r.Slice {
		pause(r.Slice)
		left -= r.Slice
		phase := scenarios.Measuring
		ramp := 1.0
		if at <= 0 {
			phase, ramp = scenarios.Warming, 0.6
		}
		if at > 0 && r.Stages != nil {
			ramp = r.share(at-r.Slice/2, f.rate)
		}
		s := f.slice(rng, ramp, r.Slice)
		s.At = at
		served += s.Succeeded
		smp := scenarios.Sample{Ref: ref, Phase: phase, Interval: s, Left: left, GeneratorCPU: 0.2 + f.rate/40000, Status: f.status(rng, served)}
		smp.Busy, smp.Queued = smp.Status.Busy(), max(0, 64-smp.Status.Busy())
		if info.Slots == 0 {
			smp.Queued = 0
		}
		if r.Dies == ref.Model {
			smp.Status.Restarts = uint64(max(0, at) / (400 * time.Millisecond))
		}
		smp.Usage = process.Usage{Memory: s.Memory, Processes: f.processes}
		emit(smp)
	}
	emit(scenarios.TrialPhase{Ref: ref, Phase: scenarios.Draining, Left: left})
	pause(60 * time.Millisecond)
	t := &scenarios.Trial{Ref: ref, Window: r.For, Response: scenarios.NewHistogram()}
	t.Succeeded = uint64(f.rate * r.For.Seconds() * (0.97 + 0.06*rng.Float64()))
	for range min(t.Succeeded, 3000) {
		t.Response.Observe(time.Duration(f.latency * math.Exp(rng.NormFloat64()*f.spread) * float64(time.Millisecond)))
	}
	if r.Dies == ref.Model {
		t.Server.Restarts = uint64(r.For / (400 * time.Millisecond))
	}
	if ref.Order%17 == 11 {
		t.Invalid = []string{"the generator used 94 % of a core: the load may not have been what it says"}
	}
	emit(scenarios.TrialDone{Trial: t, Left: left})
	emit(scenarios.TrialPhase{Ref: ref, Phase: scenarios.Stopping, Left: left})
	return left
}

// share is how much of its usual rate a model has at a moment of staged load.
func (r Run) share(at time.Duration, rate float64) float64 {
	for i := range r.Stages {
		st := &r.Stages[i]
		if at >= st.For {
			at -= st.For
			continue
		}
		if st.Open() {
			return min(1, st.RateAt(at)/rate)
		}
		break
	}
	return 1
}

// behaviour is what one model does under one scenario.
type behaviour struct {
	rate, latency, spread float64 // responses/s, ms, log-normal
	cpu                   float64 // cores
	memory                int64
	processes             int
	workers, slots        int // 0 workers: as many as come
	busy                  float64
}

func figures(scenario string, m scenarios.ModelInfo) behaviour {
	b := behaviour{spread: 0.12, processes: 1, memory: 18 << 20}
	switch m.Name {
	case "cgi":
		b.processes, b.workers, b.slots = 21, 32, 32
		b.rate, b.latency, b.cpu, b.busy = 412, 142, 1.71, 0.6
	case "prefork":
		b.processes, b.workers, b.slots, b.memory = m.Slots+1, m.Slots, m.Slots, 31<<20
		b.rate, b.latency, b.cpu, b.busy = 9620, 6.2, 1.12, 0.7
	default:
		b.slots = 64
		b.rate, b.latency, b.cpu, b.busy = 21400, 2.6, 1.05, 0.4
	}
	switch scenario {
	case "wait":
		b.busy = 0.97
		b.rate, b.latency, b.cpu = map[string]float64{"cgi": 330, "prefork": 79}[m.Name], 190, 1.5
		if m.Name == "prefork" {
			b.latency, b.cpu = 804, 0.02
		}
		if b.rate == 0 {
			b.rate, b.latency, b.cpu = 1262, 50.6, 0.09
		}
	case "cpu":
		b.latency, b.cpu, b.busy = b.latency*1.2+150, 1.9, 0.9
		b.rate = math.Min(b.rate*0.6, 377)
	}
	return b
}

func (f behaviour) slice(rng *rand.Rand, ramp float64, length time.Duration) scenarios.Interval {
	noise := 1 + 0.07*rng.NormFloat64()
	p50 := f.latency / ramp * (1 + 0.05*rng.NormFloat64())
	ms := float64(time.Millisecond)
	return scenarios.Interval{
		Length:    length,
		Succeeded: uint64(max(1, f.rate*ramp*noise*length.Seconds())),
		P50:       time.Duration(p50 * ms), P99: time.Duration(p50 * (1.3 + 0.8*rng.Float64()) * ms),
		InFlight: 64, CPU: f.cpu * ramp * noise, Memory: f.memory + int64(rng.IntN(1<<20)),
	}
}

func (f behaviour) status(rng *rand.Rand, served uint64) process.Status {
	st := process.Status{Workers: f.workers, Served: served}
	for i := range f.slots {
		busy := rng.Float64() < f.busy
		if f.workers == 32 && !busy {
			continue // a CGI child ends with its request
		}
		since := time.Duration(rng.ExpFloat64() * f.latency / 4 * float64(time.Millisecond))
		st.Slots = append(st.Slots, process.SlotStatus{
			Index: i, PID: 4700 + i, Busy: busy, Since: min(since, 2*time.Second), Served: served / uint64(f.slots),
		})
	}
	return st
}
