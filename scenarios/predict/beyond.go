package predict

import (
	"fmt"
	"slices"

	"gatewaylab/scenarios"
	"gatewaylab/scenarios/load"
)

// beyond says what the simulation knows nothing of; "" if nothing.
func (f *facts) beyond() string {
	c := f.c
	for i := range f.sc.Stages {
		if st := &f.sc.Stages[i]; st.Shape == load.Replay && len(st.Times) == 0 {
			return "the times of a replay's arrivals are not saved with a run"
		}
	}
	switch {
	case f.contended() != "":
		return f.contended()
	case f.parted():
		return loopParted
	case !f.costs.Known && f.turnsAway():
		return "what is turned away is over at once, but for CPU time that has to be measured once"
	case !spoken(f.sc, c):
		return fmt.Sprintf("%s doesn't speak %s", c.Spec, f.sc.Protocol)
	case c.Model.Real != nil:
		return fmt.Sprintf("%s is nobody's model but its authors': only the lab's own are simulated", c.Model.Name)
	case f.ends() != "":
		return f.ends()
	case f.unpriced != "" && !f.costs.Own:
		return f.unmeasured()
	case slices.ContainsFunc(f.sc.Stages, func(st load.Stage) bool { return !st.Open() && st.Think == 0 && st.UsersFrom <= f.few() }):
		return "cores are left idle by " + fewUsers
	case !f.costs.Known && f.held.Mean == 0 && f.work == 0 && !f.besieged():
		return "nothing is known of what a request takes; it has to be measured once"
	}
	return ""
}

// turnsAway says whether users may find the server or a backing service's line
// full, and ask again at once.
func (f *facts) turnsAway() bool {
	_, users := f.peak()
	if room := f.room(); room > 0 && users > room || f.waits() < unbounded && users > f.slots*f.split+f.waits() {
		return true
	}
	return slices.ContainsFunc(f.sc.Requests, func(r scenarios.Request) bool {
		_, b, calls := f.backing(&r)
		return calls && (b.Rate > 0 || b.Places > 0) && users > b.Queue+b.Places
	})
}
