package reports

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"

	"gatewaylab/scenarios"
	"gatewaylab/scenarios/predict"
)

// Left is who had no answer when a simulated trial was over, on average of the
// trials: they are in no other figure.
type Left struct {
	Users      uint64 `json:"users,omitempty"`      // there were
	Unanswered uint64 `json:"unanswered,omitempty"` // of those, never had an answer; without users, requests
	Due        uint64 `json:"due,omitempty"`        // requests of an open loop
	Unsent     uint64 `json:"unsent,omitempty"`     // of those, never sent
}

// Ended is where a simulation was broken off, that would have been too long.
type Ended struct {
	Requests uint64  `json:"requests"` // of each trial
	Seconds  float64 `json:"seconds"`  // of virtual time, in the shortest trial
}

// simulate fills those rows of a cell for which there is no formula.
func (p *Predictions) simulate(ctx context.Context, plan *scenarios.Plan, c scenarios.Cell, m predict.Machine, costs predict.Costs, caveats *predict.Caveats) error {
	var wanting []*Predicted
	for i := range p.Rows {
		if r := &p.Rows[i]; r.Scenario == c.Scenario.Name && r.Model == c.Contestant.Label && r.Method == predict.None {
			wanting = append(wanting, r)
		}
	}
	if len(wanting) == 0 {
		return nil
	}
	res := &scenarios.Result{
		State: stateComplete, Seed: plan.Seed, Trials: plan.Trials, Planned: plan.Trials,
		Scenarios: []*scenarios.Scenario{c.Scenario}, Models: []scenarios.ModelInfo{c.Contestant.Info()},
	}
	all := &simulations{}
	for n := range plan.Trials {
		ref := scenarios.Ref{Scenario: c.Scenario.Name, Model: c.Contestant.Label, Trial: n + 1, Of: plan.Trials}
		t, sum, err := predict.Simulate(ctx, c.Scenario, c.Contestant.Configured, m, costs, ref, plan.Seed)
		if ctx.Err() != nil {
			return err
		}
		if err != nil {
			why := strings.TrimPrefix(err.Error(), "no theory applies: ")
			for _, r := range wanting {
				r.nor(why)
			}
			return nil
		}
		res.Measured = append(res.Measured, t)
		all.add(sum)
	}
	r, err := Analyse(res)
	if err != nil {
		return fmt.Errorf("predict %s on %s: %w", c.Contestant.Label, c.Scenario.Name, err)
	}
	for _, row := range wanting {
		if why := caveats.Of(stageCalled(c.Scenario, row.Stage)); why != "" {
			row.nor(why)
			continue
		}
		row.simulated(r.Cells[0], all)
		row.withhold(caveats, all.busy/float64(all.n))
	}
	return nil
}

// stageCalled is the place of a stage; -1 if no stage is called that, as the cell
// as a whole isn't.
func stageCalled(sc *scenarios.Scenario, title string) int {
	for i := range sc.Stages {
		if sc.Stages[i].Title(i) == title {
			return i
		}
	}
	return -1
}

// nor says why a row isn't simulated either.
func (p *Predicted) nor(why string) {
	if p.Why != why {
		p.Why += "; nor is it simulated: " + why
	}
}

// withhold leaves out the response times that are not to be believed.
func (p *Predicted) withhold(caveats *predict.Caveats, busy float64) {
	for q, ms := range p.Response {
		if caveats.Withholds(ms/1e3, busy) {
			delete(p.Response, q)
			p.Rests = predict.Hasty
		}
	}
}

// simulations are those of a cell's trials.
type simulations struct {
	n           int
	busy, queue float64 // sums
	left        Left    // as well
	ended       *Ended
}

func (s *simulations) add(sum *predict.Summary) {
	s.n++
	s.busy += sum.Utilisation
	s.queue += sum.Queue
	s.left.Users += sum.Users
	s.left.Unanswered += sum.Unanswered
	s.left.Due += sum.Due
	s.left.Unsent += sum.Unsent
	if at := sum.Ended.Seconds(); at > 0 && (s.ended == nil || at < s.ended.Seconds) {
		s.ended = &Ended{sum.Requests, at}
	}
}

// remains is who is left in a trial; nil if nobody is.
func (s *simulations) remains() *Left {
	each := func(sum uint64) uint64 { return uint64(math.Round(float64(sum) / float64(s.n))) }
	l := &Left{Unanswered: each(s.left.Unanswered), Unsent: each(s.left.Unsent)}
	if l.Unanswered > 0 {
		l.Users = each(s.left.Users)
	}
	if l.Unsent > 0 {
		l.Due = each(s.left.Due)
	}
	if *l == (Left{}) {
		return nil
	}
	return l
}

// simulated fills a row with what was simulated of a cell.
func (p *Predicted) simulated(cell *Cell, all *simulations) {
	p.Method = predict.Simulated
	goodput, response, failed, samples := cell.Goodput, cell.Response, cell.Failed, uint64(cell.Samples)
	if p.Stage != "" {
		for k := range cell.Stages {
			if part := &cell.Stages[k]; part.Name == p.Stage {
				goodput, response, failed, samples = part.Goodput, part.Response, part.Failed, part.Samples
			}
		}
	} else {
		busy, queue := all.busy/float64(all.n), all.queue/float64(all.n)
		p.Utilisation, p.Queue, p.Left, p.Ended = &busy, &queue, all.remains(), all.ended
	}
	p.Goodput = &goodput.Median
	for _, q := range []string{"mean", "p50", "p90", "p99"} {
		if e := response[q]; e.Known() {
			p.set(q, e.Median)
		}
	}
	if n := failed + samples; n > 0 {
		share := float64(failed) / float64(n)
		p.Failed = &share
	}
}

// besides says what a simulation's figures don't.
func (p *Predicted) besides() (s string) {
	if p.Rests != "" {
		s = "; " + p.Rests
	}
	if l := p.Left; l != nil {
		switch {
		case l.Unanswered > 0 && l.Users > 0:
			s += fmt.Sprintf("; %s of %s had no answer by the end", fixed(float64(l.Unanswered), 0), count(l.Users, "user"))
		case l.Unanswered > 0:
			s += fmt.Sprintf("; %s had no answer by the end", count(l.Unanswered, "request"))
		}
		if l.Unsent > 0 {
			s += fmt.Sprintf("; %s of %s were never sent, with as many under way as there may be", fixed(float64(l.Unsent), 0), count(l.Due, "request"))
		}
	}
	if e := p.Ended; e != nil {
		s += fmt.Sprintf("; broken off after %s and %s of virtual time", count(e.Requests, "request"), saidTime(e.Seconds))
	}
	return s
}

// left are the fields that say for whom and what a simulation ended too early.
func (p *Predicted) left() []string {
	fields := make([]string, 5)
	if l := p.Left; l != nil {
		for i, n := range []uint64{l.Users, l.Unanswered, l.Due, l.Unsent} {
			fields[i] = strconv.FormatUint(n, 10)
		}
	}
	if p.Ended != nil {
		fields[4] = csvFloat(p.Ended.Seconds)
	}
	return fields
}
