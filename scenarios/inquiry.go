package scenarios

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
)

// What an inquiry looks for.
const (
	ByRate     = "rate"     // the highest arrival rate held within an objective
	ByUsers    = "users"    // how goodput grows with the users of a closed loop
	BySettings = "settings" // which setting of a model holds the highest rate
)

// An Inquiry says what a run was to find out by trying loads, each a scenario
// of its own that differs from the others in nothing else. The run's trials
// are the points that were tried; package capacity asks for them and package
// reports says what they show.
type Inquiry struct {
	Kind      string  `json:"kind"`
	Scenario  string  `json:"scenario"` // whose load was replaced
	Objective string  `json:"objective,omitempty"`
	From      float64 `json:"from,omitempty"` // arrivals/s tried first
	To        float64 `json:"to,omitempty"`   // arrivals/s never exceeded
	Least     float64 `json:"least,omitempty"`
	// Resolution is how far apart the ends of an interval may be, as a share of
	// the lower, before they are confirmed.
	Resolution float64 `json:"resolution,omitempty"`
	// Agree is how many trials must agree at either end.
	Agree   int  `json:"agree"`
	Most    int  `json:"most,omitempty"` // trials of one model's search
	Poisson bool `json:"poisson,omitempty"`
	// Curve asks for trials around what was found, for the knee.
	Curve bool  `json:"curve,omitempty"`
	Users []int `json:"users,omitempty"`
	// Settings are the models that are one model with different settings.
	Settings []string `json:"settings,omitempty"`
}

// Grow is asked for more trials when none are left, and told what came of all
// so far: one trial of each cell that it returns is measured next, in a random
// order. left is how many more it expects after those. None ends the run.
type Grow func(so *Result) (more []Cell, left int)

// grow lays out the next trials, and returns how many there are.
func (r *runner) grow() (int, error) {
	if r.plan.Grow == nil {
		return 0, nil
	}
	cells, left := r.plan.Grow(r.result)
	cells = slices.DeleteFunc(slices.Clone(cells), func(c Cell) bool {
		r.inherit(c.Scenario)
		return !r.runs(c)
	})
	if len(cells) == 0 {
		r.left = 0
		return 0, nil
	}
	rng := rand.New(rand.NewPCG(r.plan.Seed, uint64(len(r.jobs))))
	total := len(r.jobs) + len(cells) + left
	r.left = 0
	far := r.result.TargetTime()
	for _, i := range rng.Perm(len(cells)) {
		c := cells[i]
		if err := newAttack(c.Scenario, "127.0.0.1:1").Check(); err != nil {
			return 0, fmt.Errorf("scenario %s: %w", c.Scenario.Name, err)
		}
		far += c.TargetTime()
		if err := errors.Join(c.checkTarget(), checkTargetTime(far)); err != nil {
			return 0, err
		}
		n := 1
		for _, j := range r.jobs {
			if j.Ref.Scenario == c.Scenario.Name && j.Model == c.Contestant.Label {
				n++
			}
		}
		r.jobs = append(r.jobs, job{c, Ref{
			Scenario: c.Scenario.Name, Model: c.Contestant.Label, Trial: n, Of: n, Order: len(r.jobs) + 1, Total: total,
		}})
		r.left += r.planned(c)
	}
	r.plan.Foreseen = left
	r.left += r.foreseen()
	r.result.Planned = len(r.jobs)
	return len(cells), r.save()
}

// inherit makes a scenario part of the run, if it isn't. It is spoken by those
// that speak the run's first.
func (r *runner) inherit(s *Scenario) {
	if slices.ContainsFunc(r.result.Scenarios, func(o *Scenario) bool { return o.Name == s.Name }) {
		return
	}
	r.result.Scenarios = append(r.result.Scenarios, s)
	r.result.Demand[s.Name] = s.demand()
	if silent := r.result.NotSpoken[r.plan.Cells[0].Scenario.Name]; silent != nil {
		r.result.NotSpoken[s.Name] = silent
	}
}
