package scenarios

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"gatewaylab/scenarios/load"
	"gatewaylab/servers"
)

// What a server that isn't on this machine is sent at most, even by whoever
// owns it. Clients of a closed loop wait for their answers, so a server slows
// them down by itself; arrivals of an open loop don't.
const (
	MaxTargetRate    = 5_000 // arrivals/s
	MaxTargetClients = 500   // with those beside the load
	MaxTargetTime    = 30 * time.Minute
)

// AddTargets puts servers that the lab didn't start among the contestants.
func AddTargets(all []*Contestant, targets []*servers.Target) ([]*Contestant, error) {
	for _, t := range targets {
		name := piece{text: t.Label, wrong: func(_ int, msg string) error { return errors.New(msg) }}
		if _, err := name.identifier(); err != nil {
			return nil, fmt.Errorf("target %s: expected a name of letters, digits and _ that doesn't begin with a digit, found %q", t.URL, t.Label)
		}
		if slices.ContainsFunc(all, func(c *Contestant) bool { return c.Label == t.Label }) {
			return nil, fmt.Errorf("target %s: another contestant is called %s too", t.URL, t.Label)
		}
		all = append(all, &Contestant{Label: t.Label, Configured: t.Configured(), fixed: true})
	}
	return all, nil
}

// checkTargets refuses what must not be sent to a server that isn't the lab's.
func (p *Plan) checkTargets() error {
	var far time.Duration
	for _, c := range p.Cells {
		if err := c.checkTarget(); err != nil {
			return err
		}
		far += time.Duration(p.trials(c.Scenario)) * c.TargetTime()
	}
	return checkTargetTime(far)
}

// checkTarget refuses what the cell's contestant must not be sent, if it is a
// target.
func (c Cell) checkTarget() error {
	t, s := c.Contestant.Target, c.Scenario
	switch {
	case t == nil:
		return nil
	case s.Faulty():
		return fmt.Errorf("scenario %s sends requests that are meant to do harm; target %s, which the lab did not start and could not start again, doesn't get them", s.Name, t.Label)
	case len(s.Backing) > 0:
		return fmt.Errorf("scenario %s has the lab start a service that the application calls; target %s calls another or none, so it can't do the same work", s.Name, t.Label)
	case t.Local:
		return nil
	}
	if rate, clients := s.most(); rate > MaxTargetRate || clients > MaxTargetClients {
		return fmt.Errorf("scenario %s sends up to %g requests/s with up to %d clients; target %s, which is not on this machine, gets %d/s and %d clients at most", s.Name, rate, clients, t.Label, MaxTargetRate, MaxTargetClients)
	}
	return nil
}

func checkTargetTime(far time.Duration) error {
	if far > MaxTargetTime {
		return fmt.Errorf("targets that are not on this machine would be sent requests for %s; %s is the most: take fewer --trials or a shorter --for", far, MaxTargetTime)
	}
	return nil
}

// TargetTime is how long a trial of the cell sends requests to a server that is
// not on this machine; 0 if it is.
func (c Cell) TargetTime() time.Duration {
	if t := c.Contestant.Target; t == nil || t.Local {
		return 0
	}
	return c.Scenario.Warmup + c.Scenario.For()
}

// TargetTime is how long the run has sent requests to servers that are not on
// this machine.
func (r *Result) TargetTime() (far time.Duration) {
	for _, t := range r.Measured {
		if r.Far(t.Model) {
			far += t.Warmup + t.Window
		}
	}
	return far
}

// Far says whether the model of that label is a server that is not on this
// machine.
func (r *Result) Far(label string) bool {
	return slices.ContainsFunc(r.Models, func(m ModelInfo) bool {
		return m.Label == label && m.Target != nil && !m.Target.Local
	})
}

// Targets are the servers that the lab didn't start. They have to be pinned
// before the plan is run.
func (p *Plan) Targets() (all []*servers.Target) {
	for _, c := range p.contestants() {
		if c.Target != nil {
			all = append(all, c.Target)
		}
	}
	return all
}

// most is the highest arrival rate, and the most clients, of the load and of
// what goes on beside it.
func (s *Scenario) most() (rate float64, clients int) {
	for i := range s.Stages {
		st := &s.Stages[i]
		for step := range 101 { // shapes bend between their ends
			at := st.For * time.Duration(step) / 100
			if st.Open() {
				rate = max(rate, st.RateAt(min(at, st.For-1)))
			} else {
				clients = max(clients, st.UsersAt(min(at, st.For-1)))
			}
		}
	}
	for _, c := range s.Beside {
		clients += c.Clients
	}
	return rate, clients
}

// aboutTargets says what a reader of the results has to know of them.
func (p *Plan) aboutTargets() (notes []string) {
	for _, c := range p.contestants() {
		t := c.Target
		if t == nil {
			continue
		}
		text := fmt.Sprintf("%s is %s (%s), which the lab did not start: all trials meet the same processes, and what those use is not known", t.Label, t.URL, t.Pinned)
		if t.Local {
			text += ", nor what else used the processor meanwhile"
		}
		if t.Unverified {
			text += "; whether it does the same work was not checked (--no-verify)"
		}
		notes = append(notes, text+".")
	}
	return notes
}

// ask has an attack's requests ask for the target by the name that it was given.
func ask(a *load.Attack, t *servers.Target) {
	if t == nil {
		return
	}
	for i := range a.Requests {
		hosted(&a.Requests[i], t.Host)
	}
	for i := range a.Beside {
		hosted(&a.Beside[i].Request, t.Host)
	}
}

func hosted(r *load.Request, host string) {
	if r.Header.Get("Host") == "" {
		r.Header.Set("Host", host)
	}
}
