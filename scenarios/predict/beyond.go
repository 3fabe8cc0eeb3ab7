package predict

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"

	"gatewaylab/scenarios"
	"gatewaylab/scenarios/load"
	"gatewaylab/servers"
	"gatewaylab/servers/app"
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
	case f.unknowable() != "":
		return f.unknowable()
	case !f.costs.Known && f.turnsAway():
		return "what is turned away is over at once, but for CPU time that has to be measured once"
	case c.Model.Real != nil:
		return fmt.Sprintf("%s is nobody's model but its authors': only the lab's own are simulated", c.Model.Name)
	case f.unpriced != "" && !f.costs.Own:
		return f.unmeasured()
	case f.unsimulated() != "":
		return f.unsimulated()
	case f.unknown() && !f.besieged():
		return unmeasuredYet
	}
	if stages := f.unbelievable(); !slices.Contains(stages, "") {
		return stages[0]
	}
	return ""
}

const unmeasuredYet = "nothing is known of what a request takes; it has to be measured once"

func (f *facts) unknown() bool { return !f.costs.Known && f.held.Mean == 0 && f.work == 0 }

// unbelievable says of each stage why what is simulated of it means nothing; ""
// where it does.
func (f *facts) unbelievable() []string {
	why := make([]string, len(f.sc.Stages))
	for i := range f.sc.Stages {
		switch st := &f.sc.Stages[i]; {
		case st.Open() || st.Think > 0:
		case st.UsersFrom <= f.few():
			why[i] = "cores are left idle by " + fewUsers
		case f.unknown():
			why[i] = unmeasuredYet
		}
	}
	return why
}

// Hasty is why response times are withheld that nobody can predict.
const Hasty = "of so short a time on idle cores the network and the scheduler decide"

// Caveats say what of a cell's simulation is not to be believed.
type Caveats struct {
	stages []string // why, of each stage; "" where it is
	brief  float64  // s
}

// Of says why a stage's figures are not, or those of the cell as a whole if stage
// is -1; "" if they are.
func (c *Caveats) Of(stage int) string {
	if stage >= 0 {
		return c.stages[stage]
	}
	i := slices.IndexFunc(c.stages, func(why string) bool { return why != "" })
	if i < 0 {
		return ""
	}
	return "in one of its stages " + c.stages[i]
}

// saturated is how busy that is which limits where response times are those of
// a queue.
const saturated = .9

// Withholds says whether a response time, in seconds, is not, where what limits
// is so busy.
func (c *Caveats) Withholds(response, busy float64) bool {
	return busy <= saturated && response <= c.brief
}

// Rows are what Cell says, and the caveats of the simulation that may take the
// place of what it can't say. Of a cell that as a whole is not to be believed
// there is a row for each stage.
func Rows(sc *scenarios.Scenario, c *servers.Configured, m Machine, costs Costs) ([]Prediction, Caveats) {
	f := newFacts(sc, c, m, costs)
	caveats := Caveats{stages: f.unbelievable()}
	if f.brief() {
		caveats.brief = max(unseen.Seconds(), f.cpu)
	}
	rows := Cell(sc, c, m, costs)
	if len(rows) == 1 && len(sc.Stages) > 1 && caveats.Of(-1) != "" && slices.Contains(caveats.stages, "") {
		for i := range sc.Stages {
			rows = append(rows, none(i, "%s", rows[0].Why))
		}
	}
	return rows, caveats
}

// turnsAway says whether users may find the server or a backing service's line
// full, and ask again at once.
func (f *facts) turnsAway() bool {
	_, users := f.peak()
	if room := f.room(); room > 0 && users > room {
		return true
	}
	return slices.ContainsFunc(f.sc.Requests, func(r scenarios.Request) bool {
		_, b, calls := f.backing(&r)
		return calls && (b.Rate > 0 || b.Places > 0) && users > b.Queue+b.Places
	})
}

// refused says which request the application answers with an error, which costs
// what no other does; "" if none.
func (f *facts) refused() string {
	refusal := func(r *scenarios.Request) string {
		path, err := load.Mean(r.Path)
		if err != nil {
			return ""
		}
		if status := app.RefusalOf(cmp.Or(r.Method, http.MethodGet), path); status != 0 {
			return fmt.Sprintf("%s is answered %d", r.Path, status)
		}
		return ""
	}
	for i := range f.sc.Requests {
		if why := refusal(&f.sc.Requests[i]); why != "" && f.sc.Protocol != load.WebSocket {
			return why
		}
	}
	for i := range f.sc.Beside {
		if why := refusal(&f.sc.Beside[i].Request); why != "" {
			return why
		}
	}
	return ""
}
