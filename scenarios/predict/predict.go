// Package predict says what a cell of a plan should come to, before it is
// measured or beside its measurement: by a formula where one applies, named and
// with what it rests on, and where none does by simulating the model in virtual
// time. Where neither has anything to say it says why.
package predict

import (
	"fmt"
	"math"
	"time"

	"gatewaylab/scenarios"
	"gatewaylab/scenarios/load"
	"gatewaylab/servers"
)

// Method is how a prediction was made.
type Method string

const (
	Formula   Method = "formula"
	Simulated Method = "simulated"
	None      Method = "none"
)

// A Machine is where the server is thought to run.
type Machine struct {
	Cores int `json:"cores"` // that the server's processes share
	// Shared says that the load generator works on them too.
	Shared bool `json:"shared"`
}

// Costs are the times that no theory knows: they have to be measured once.
type Costs struct {
	// Request is the server's CPU time for each request, whatever it asks for:
	// with a process for each request, its start above all.
	Request time.Duration `json:"request"`
	// Front is what of that a front takes, which holds no worker and no loop of
	// the model behind it; 0 where there is none, or its part isn't known.
	Front   time.Duration `json:"front,omitempty"`
	Unit    time.Duration `json:"unit"`    // of CPU for a unit of work
	Sending time.Duration `json:"sending"` // of the load generator, for each request
	Known   bool          `json:"known"`
	// Own says that they are those of the scenario's own requests, and not of
	// what any request takes.
	Own    bool   `json:"own"`
	Source string `json:"source"` // where they are from, in words
	// Cores is how many there were where they are from; 0 = as many as the machine
	// has.
	Cores int `json:"cores,omitempty"`
	// Late is by how much a sleep on the machine takes longer than it was meant
	// to: what an application waits for is over later by that.
	Late time.Duration `json:"late"`
}

// A Prediction is what one cell, or one stage of it, should come to. What isn't
// predicted is NaN or absent.
type Prediction struct {
	Stage  int    // index of the scenario's stage; -1: the cell as a whole
	Method Method // Formula or None
	Name   string // of the formula
	// Rests is what the formula takes for granted.
	Rests string
	// Why is why there is no formula.
	Why         string
	Goodput     float64            // 1/s
	Response    map[string]float64 // s: "mean", "p50", "p90", "p99"
	Utilisation float64            // of what limits it
	Queue       float64            // requests that wait, on average
}

func none(stage int, why string, args ...any) Prediction {
	return Prediction{Stage: stage, Method: None, Why: fmt.Sprintf(why, args...), Goodput: math.NaN(), Utilisation: math.NaN(), Queue: math.NaN()}
}

// Cell predicts a cell by formulas: the whole if its load has one stage, else
// each stage, after a word on why there is none for the whole.
func Cell(sc *scenarios.Scenario, c *servers.Configured, m Machine, costs Costs) []Prediction {
	f := newFacts(sc, c, m, costs)
	if why := f.excluded(); why != "" {
		return []Prediction{none(-1, "%s", why)}
	}
	if len(sc.Stages) == 1 {
		p := f.stage(0)
		p.Stage = -1
		return []Prediction{p}
	}
	all := []Prediction{none(-1, "the load changes; see its stages")}
	for i := range sc.Stages {
		all = append(all, f.stage(i))
	}
	return all
}

// stage predicts one stage as if there were nothing before it.
func (f *facts) stage(i int) Prediction {
	st := &f.sc.Stages[i]
	var p Prediction
	switch {
	case st.Shape == load.Users && st.Levels > 1:
		p = none(i, "the number of users changes within the stage")
	case st.Shape == load.Users:
		p = f.closed(st)
	case st.Shape != load.Constant:
		p = none(i, "the arrival rate changes all the time")
	default:
		p = f.open(st)
	}
	if i > 0 && p.Method == Formula && f.remembers(i) {
		p = none(i, "the stage begins with what the one before it has left")
	}
	if p.Method == Formula {
		if why := f.bounded(i, p); why != "" {
			p = none(i, "%s", why)
		}
	}
	p.Stage = i
	if p.Method == Formula {
		f.unhurried(&p)
		p.Rests = join(join(p.Rests, f.pool.words), f.rests())
	}
	return p
}

// unseen is how much CPU time a request has to take for that to be how long it
// takes: below, it is the scheduler's and the network's business.
const unseen = time.Millisecond

// brief says whether a request that nothing holds up is over at once. That it
// takes CPU time says little then: an idle server's is mostly its clock's.
func (f *facts) brief() bool {
	return f.wait == 0 && (f.cpu < unseen.Seconds() || f.costs.Own && f.work == 0)
}

// unhurried leaves out the response times of requests that nothing holds up.
func (f *facts) unhurried(p *Prediction) {
	if !f.brief() || p.Utilisation > .9 || len(p.Response) == 0 {
		return
	}
	p.Response = nil
	p.Rests = join(p.Rests, Hasty)
}

// shows is a share of a stage's answers.
const shows = 1. / 20

// remembers says whether an earlier stage asks for more than can be done, or the
// one before leaves so many requests under way that their answers show.
func (f *facts) remembers(i int) bool {
	if st := &f.sc.Stages[i]; st.Open() {
		before, users := f.sc.Stages[i-1].Peak()
		left := max(float64(users), before*f.held.Mean)
		if math.Abs(left-st.From*f.held.Mean) > shows*st.From*st.For.Seconds() {
			return true
		}
	}
	most := f.limit().rate
	for k := range i {
		st := &f.sc.Stages[k]
		if _, users := st.Peak(); users > 0 {
			continue
		}
		if rate, _ := st.Peak(); rate >= most {
			return true
		}
	}
	return false
}

func join(a, b string) string {
	switch {
	case a == "":
		return b
	case b == "":
		return a
	}
	return a + "; " + b
}
