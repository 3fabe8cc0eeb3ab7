package scenarios

import (
	"time"

	"gatewaylab/scenarios/load"
)

// Traffic is what one trial of the scenario sends, for those who want to know
// it without sending it: with the seed of a run and the number of a trial the
// same requests at the same times as that trial's, whatever the model was.
func (s *Scenario) Traffic(seed uint64, trial int) *load.Attack {
	a := newAttack(s, "127.0.0.1:1") // nobody is asked
	a.Seed = arrivalsSeed(seed, s.Name, trial)
	return a
}

// A Tally makes a trial of hits that nobody sent: what was simulated is counted
// as what was measured is, so that the two can stand beside each other.
type Tally struct {
	t *Trial
	c *collector
}

// NewTally begins a trial without hits.
func NewTally(ref Ref, s *Scenario) *Tally {
	t := &Trial{
		Ref: ref, Window: s.For(), Warmup: s.Warmup,
		Response: NewHistogram(), Service: NewHistogram(), FirstByte: NewHistogram(), Lag: NewHistogram(),
		Errors: map[string]uint64{}, Codes: map[int]uint64{},
	}
	t.Server.MeanBusy = -1
	t.Machine.Others, t.Machine.Steal, t.Machine.ListenDrops = -1, -1, -1
	return &Tally{t, newCollector(t, s)}
}

// Hit counts one hit of the load, Beside one exchange of a crowd.
func (y *Tally) Hit(h *load.Hit) { y.c.add(h) }

// Beside counts one exchange of a crowd.
func (y *Tally) Beside(crowd int, h *load.Hit) { y.c.aside(crowd, h) }

// Trial is what came of it. Unsent is how many hits were due in the window and
// never sent.
func (y *Tally) Trial(unsent uint64, inFlight float64) *Trial {
	y.c.finish()
	y.c.unsent(&load.Outcome{Ended: y.t.Warmup + y.t.Window + time.Second})
	y.t.Unsent, y.t.Due = unsent, y.t.Sent+unsent
	y.t.MeanInFlight = inFlight
	return y.t
}
