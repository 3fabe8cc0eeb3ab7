package reports

import (
	"math"

	"gatewaylab/scenarios"
)

// A limiter is what can keep goodput from being higher.
type limiter int

const (
	bySlots     limiter = iota // requests that the model can hold at once
	byCPU                      // cores that the server works on
	byGenerator                // cores of its own that the load generator works on
	byClients                  // clients of a closed loop
	byArrivals                 // requests due in an open loop
)

// A bound is the most requests per second that one limiter allows: the
// operational laws of Denning & Buzen (1978), X ≤ c/S, X ≤ cores/D,
// X ≤ N/S.
type bound struct {
	by    limiter
	limit float64 // what it allows, 1/s
	// hard is what can't be exceeded if the figures are right, 1/s. It is
	// above limit, or infinite, where limit rests on an estimate: CPU time
	// that a server spends after it has answered doesn't hold a request.
	hard float64
}

// evidence is what is known about one cell's traffic, in seconds and 1/s.
type evidence struct {
	open       bool
	rate       float64 // of arrivals, if the load is steady; else 0
	clients    int     // of a steady closed loop; else 0
	slots      int
	noun       string
	perRequest string

	wait      float64 // that the application waits for each request; -1 if unknown
	works     bool    // the application has CPU work to do
	cpu       float64 // of the server's process tree, per successful response; 0 if unknown
	generator float64 // CPU of the load generator, per successful response

	cores, serverCores int
	steal              float64 // share of CPU time that the hypervisor took

	goodput  float64
	window   float64 // of one trial
	busy     float64 // mean number of slots that held a request; -1 if unknown
	answered uint64  // successes in all trials
	failed   uint64
	unsent   uint64
	worst    string // the commonest kind of error
}

func (e *evidence) closed() bool { return !e.open }

// shared says whether server and generator work on the same cores.
func (e *evidence) shared() bool { return e.serverCores >= e.cores }

// mostlyWaits says whether CPU time is a trifle beside the wait.
func (e *evidence) mostlyWaits() bool { return e.wait > 0 && e.cpu < e.wait/20 }

// service is the time that a request holds a slot at least: the wait it asks
// for and its CPU time, or the wait alone where the CPU time is a trifle.
func (e *evidence) service() float64 {
	switch {
	case e.wait < 0:
		return 0
	case e.mostlyWaits():
		return e.wait
	}
	return e.wait + e.cpu
}

// used is the share of the server's cores that were busy with this run.
func (e *evidence) used() float64 {
	d := e.cpu
	if e.shared() {
		d += e.generator
	}
	return e.goodput * d / float64(e.serverCores)
}

// bounds lists every limit that the evidence allows to compute, the CPU's
// first: it is the one to name where two are equal.
func (e *evidence) bounds() []bound {
	var all []bound
	per := func(n, seconds float64) float64 {
		if seconds <= 0 {
			return math.Inf(1)
		}
		return n / seconds
	}
	if e.cpu > 0 && e.serverCores > 0 {
		d := e.cpu
		if e.shared() {
			d += e.generator
		}
		limit := float64(e.serverCores) / d
		all = append(all, bound{byCPU, limit, limit})
		if own := e.cores - e.serverCores; own > 0 && e.generator > 0 {
			limit := float64(own) / e.generator
			all = append(all, bound{byGenerator, limit, limit})
		}
	}
	if s := e.service(); s > 0 {
		if e.slots > 0 {
			all = append(all, bound{bySlots, float64(e.slots) / s, per(float64(e.slots), e.wait)})
		}
		if e.closed() && e.clients > 0 {
			all = append(all, bound{byClients, float64(e.clients) / s, per(float64(e.clients), e.wait)})
		}
	}
	if !e.closed() && e.rate > 0 {
		all = append(all, bound{byArrivals, e.rate, math.Inf(1)})
	}
	return all
}

func lowest(all []bound, except limiter) (bound, bool) {
	best, found := bound{limit: math.Inf(1)}, false
	for _, b := range all {
		if b.by != except && b.limit < best.limit {
			best, found = b, true
		}
	}
	return best, found
}

// evidence takes the medians over valid trials.
func (c *cellTrials) evidence(res *scenarios.Result) *evidence {
	perGood := func(total func(*scenarios.Trial) float64) float64 {
		return perSuccess(total).over(c.valid, "").Median
	}
	first := c.valid[0]
	steady, _ := c.scenario.Steady()
	e := &evidence{
		open: !c.scenario.Closed(), rate: steady.From, clients: steady.UsersFrom, slots: c.model.Slots, noun: c.model.Noun, perRequest: c.model.PerRequest,
		wait:      -1,
		cpu:       c.CPUPerRequest.Median / 1e3,
		generator: perGood(func(t *scenarios.Trial) float64 { return t.Generator.CPU.Seconds() }),
		cores:     first.Machine.Cores, serverCores: first.Machine.ServerCores,
		goodput: c.Goodput.Median, window: first.Window.Seconds(),
		answered: uint64(c.Samples), failed: c.Failed, unsent: c.Unsent, worst: commonest(c.Errors),
	}
	if d, ok := res.Demand[c.Cell.Scenario]; ok {
		e.wait, e.works = float64(d.Wait)/1e3, d.Units > 0
	}
	if e.noun == "" {
		e.noun = "slot"
	}
	if e.cores == 0 {
		e.cores = res.Environment.Cores
	}
	if e.serverCores == 0 {
		e.serverCores = max(e.cores, 1)
	}
	e.steal = positive(func(t *scenarios.Trial) float64 { return t.Machine.Steal }).over(c.valid, "").Median
	e.busy = -1
	if busy := measure(func(t *scenarios.Trial) (float64, bool) {
		return t.Server.MeanBusy, t.Server.MeanBusy >= 0
	}).over(c.valid, ""); busy.Known() {
		e.busy = busy.Median
	}
	return e
}

func commonest(errors map[string]uint64) string {
	worst := ""
	for kind, n := range errors {
		if worst == "" || n > errors[worst] || n == errors[worst] && kind < worst {
			worst = kind
		}
	}
	return worst
}
