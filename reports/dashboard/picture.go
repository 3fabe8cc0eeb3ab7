package dashboard

import (
	"cmp"
	"math"
	"slices"
	"time"

	"gatewaylab/scenarios"
	"gatewaylab/scenarios/load"
)

// A picture is all that is known of the run at one moment. It changes only in
// apply, and only by the events given: no clock, no input or output.
type picture struct {
	plan   scenarios.PlanStarted
	scenes []*scene // in the plan's order
	models []scenarios.ModelInfo

	now      scenarios.Ref
	phase    scenarios.Phase
	sample   *scenarios.Sample // the latest of the current trial; nil before it
	left     time.Duration
	span     time.Duration // the most that was ever left
	progress float64       // 0 … 1, never goes back
	invalid  int           // trials finished and not to be believed
	notes    []note
}

// A scene is one scenario's column.
type scene struct {
	name   string
	cells  []*cell       // by model
	window time.Duration // the window of one trial; 0 = unknown
	stages []load.Stage  // of the load; none if unknown
	trials int           // planned of each cell, where the scenario says so itself; 0 = the plan's
	// The largest goodput and the range of response times seen so far, so
	// that one scale serves all models. It only grows.
	peak      float64
	low, high float64 // ms; 0 = nothing seen
}

// A cell is one model under one scenario.
type cell struct {
	trials []*track
	// instead stands in place of figures where it isn't measured, "not spoken" or
	// "not offered"; because is how the model answered, or the path that it lacks.
	instead, because string
}

// A track is one trial of a cell.
type track struct {
	points []point
	done   *trialFigures
}

// A point is one slice of a trial.
type point struct {
	at       time.Duration // from the start of the window
	warm     bool          // warm-up: shown, never counted
	stage    int           // of the load, from 0
	goodput  float64
	p50, p99 float64 // ms; NaN if nothing ended in the slice
	inFlight float64
	cpu      float64 // cores
	memory   float64 // bytes
}

type note struct {
	at   time.Time // zero if the run didn't say
	mark string    // what stands in place of the time then
	text string
}

// trackLimit bounds the slices kept of one trial, noteLimit the log.
const (
	trackLimit = 400
	noteLimit  = 1000
)

// apply takes one event in.
func (p *picture) apply(e any) {
	switch e := e.(type) {
	case scenarios.PlanStarted:
		*p = picture{plan: e, models: slices.Clone(e.Models), left: max(e.Measuring, e.Left)}
		for _, s := range e.Scenarios {
			sc := p.scene(s.Name)
			sc.window, sc.stages, sc.trials = s.For(), s.Stages, s.Trials
		}
	case scenarios.TrialPhase:
		p.enter(e.Ref, e.Phase, e.Left)
	case scenarios.Sample:
		p.enter(e.Ref, e.Phase, e.Left)
		p.sample = &e
		p.record(&e)
	case trialFigures:
		p.finish(e)
	case scenarios.NotSpoken:
		c := p.cell(scenarios.Ref{Scenario: e.Scenario, Model: e.Model})
		c.instead, c.because = "not spoken", cmp.Or(e.How, "no answer")
		p.note(note{mark: "–", text: e.Scenario + " × " + e.Model + ": the protocol is not spoken, the answer was " + cmp.Or(e.How, "none")})
	case scenarios.NotOffered:
		c := p.cell(scenarios.Ref{Scenario: e.Scenario, Model: e.Model})
		c.instead, c.because = "not offered", e.Path
	case scenarios.Note:
		p.note(note{at: e.At, text: e.Text})
	case scenarios.PlanDone:
		if !e.Interrupted {
			p.left, p.progress = 0, 1
		}
	}
}

func (p *picture) enter(r scenarios.Ref, phase scenarios.Phase, left time.Duration) {
	if r != p.now {
		p.now, p.sample = r, nil
	}
	if r.Scenario != "" && r.Of > 0 {
		p.scene(r.Scenario).trials = r.Of
	}
	p.phase = phase
	p.setLeft(left, r.Order-1, r.Total)
}

func (p *picture) setLeft(left time.Duration, trials, total int) {
	p.left = max(0, left)
	p.span = max(p.span, p.plan.Measuring, p.plan.Left, p.left)
	share := 0.0
	switch {
	case p.span > 0:
		share = 1 - float64(p.left)/float64(p.span)
	case total > 0:
		share = float64(trials) / float64(total)
	}
	p.progress = max(p.progress, min(share, 1))
}

// record adds a slice to the current trial's track. What comes in while the
// load drains lies outside the window and would draw a slope that isn't there.
func (p *picture) record(s *scenarios.Sample) {
	if s.Phase != scenarios.Warming && s.Phase != scenarios.Measuring || s.Length <= 0 {
		return
	}
	pt := point{
		at: s.At, warm: s.Phase == scenarios.Warming,
		goodput:  float64(s.Succeeded) / s.Length.Seconds(),
		p50:      math.NaN(),
		p99:      math.NaN(),
		inFlight: float64(s.InFlight),
		cpu:      s.CPU,
		memory:   float64(s.Memory),
	}
	if s.Memory < 0 { // a server that the lab didn't start
		pt.cpu, pt.memory = math.NaN(), math.NaN()
	}
	sc := p.scene(s.Scenario)
	if s.P50 > 0 {
		pt.p50, pt.p99 = millis(s.P50), millis(max(s.P50, s.P99))
		if sc.low == 0 || pt.p50 < sc.low {
			sc.low = pt.p50
		}
		sc.high = max(sc.high, pt.p99)
	}
	sc.peak = max(sc.peak, pt.goodput)
	pt.stage = sc.stageAt(s.At - s.Length/2)
	t := p.cell(s.Ref).track(s.Trial)
	if len(t.points) == trackLimit {
		t.points = slices.Delete(t.points, 0, trackLimit/2)
	}
	t.points = append(t.points, pt)
}

func (p *picture) finish(f trialFigures) {
	if len(f.invalid) > 0 {
		p.invalid++
		for _, why := range f.invalid {
			p.note(note{mark: "×", text: f.Scenario + " × " + f.Model + ", trial " + whole(f.Trial) + " is invalid: " + why})
		}
	}
	p.cell(f.Ref).track(f.Trial).done = &f
	p.setLeft(f.left, f.Order, f.Total)
}

func (p *picture) note(n note) {
	if len(p.notes) == noteLimit {
		p.notes = slices.Delete(p.notes, 0, noteLimit/2)
	}
	p.notes = append(p.notes, n)
}

// scene finds a scenario's column; one that the plan didn't announce gets a
// column all the same.
func (p *picture) scene(name string) *scene {
	for _, s := range p.scenes {
		if s.name == name {
			return s
		}
	}
	s := &scene{name: name}
	p.scenes = append(p.scenes, s)
	return s
}

// model finds a model's row likewise.
func (p *picture) model(label string) int {
	for i := range p.models {
		if p.models[i].Label == label {
			return i
		}
	}
	p.models = append(p.models, scenarios.ModelInfo{Label: label, Name: label})
	return len(p.models) - 1
}

func (p *picture) cell(r scenarios.Ref) *cell { return p.scene(r.Scenario).cell(p.model(r.Model)) }

// cell is that of the model in row i.
func (s *scene) cell(i int) *cell {
	for len(s.cells) <= i {
		s.cells = append(s.cells, &cell{})
	}
	return s.cells[i]
}

// look is cell for readers, who must not add any.
func (s *scene) look(i int) *cell {
	if i < len(s.cells) {
		return s.cells[i]
	}
	return &cell{}
}

// track is trial n, counted from 1.
func (c *cell) track(n int) *track {
	n = min(max(n, 1), 10_000)
	for len(c.trials) < n {
		c.trials = append(c.trials, &track{})
	}
	return c.trials[n-1]
}

// clone is a copy that later events leave as it is.
func (p *picture) clone() *picture {
	q := *p
	q.models, q.notes = slices.Clone(p.models), slices.Clone(p.notes)
	q.scenes = make([]*scene, len(p.scenes))
	for i, s := range p.scenes {
		t := *s
		t.cells = make([]*cell, len(s.cells))
		for j, c := range s.cells {
			d := &cell{trials: make([]*track, len(c.trials)), instead: c.instead, because: c.because}
			for k, tr := range c.trials {
				d.trials[k] = &track{slices.Clone(tr.points), tr.done}
			}
			t.cells[j] = d
		}
		q.scenes[i] = &t
	}
	return &q
}
