package reports

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"gatewaylab/scenarios"
	"gatewaylab/scenarios/load"
	"gatewaylab/servers"
)

// A limiter is what can keep goodput from being higher.
type limiter int

const (
	bySlots       limiter = iota // requests that the model can hold at once
	byCPU                        // cores that the server works on
	byGenerator                  // cores of its own that the load generator works on
	byLock                       // a lock that all requests of a server share
	byClients                    // clients of a closed loop, and the time they think
	byArrivals                   // requests due in an open loop
	byPool                       // connections to the database that the server may have
	byThread                     // the thread, or few of them, that all requests share
	byInterpreter                // the interpreters in which requests compute one at a time
	byService                    // a backing service that takes so many calls and no more
)

// A bound is the most requests per second that one limiter allows: the
// operational laws of Denning & Buzen (1978), X ≤ c/S, X ≤ cores/D,
// X ≤ N/(S+Z). Where requests differ, S is their mean.
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
	open         bool
	rate         float64 // of arrivals, without harmful ones; 0 in a closed loop
	clients      int     // of a steady closed loop; else 0
	think        float64 // of each client between requests, on average
	lock         float64 // that a request holds the one lock of its server
	pool         int     // connections to the database, of all processes; 0 = as many as requests
	query        float64 // that a request holds one of them
	random       bool    // requests or think times differ: what is known of them is their mean
	stages       []stage // of a load whose level changes; empty for a steady one
	beside       crowds
	faults       *FaultCell
	hurt         float64 // from which response time on a request is hurt; 0 = none is by that
	slots        int
	noun         string
	threads      int     // that requests share for what holds one; 0 = each has its own
	interpreters int     // that requests share for computing; 0 = none
	block        float64 // that a request blocks its thread
	block2       float64 // the mean of its square
	longest      float64 // that any blocks it
	backing      string  // the service that limits requests most
	calls        float64 // that it takes, as requests; 0 = any number
	perRequest   string  // what is made for each request: a process, a connection
	front        string  // the program before the model; "" = there is none
	foreign      bool    // the lab didn't start it: nothing is known of what it has
	database     bool    // requests ask one that the lab didn't start

	wait      float64 // that the application waits for each request; -1 if unknown
	works     bool    // the application has CPU work to do
	cpu       float64 // of the server's process tree, per successful response; 0 if unknown
	generator float64 // CPU of the load generator, per successful response

	cores, serverCores int
	steal              float64 // share of CPU time that the hypervisor took

	goodput  float64
	response float64 // mean; 0 if unknown
	warmup   float64
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
	s := e.service()
	// A mean can be missed by chance, and a slot left empty by a slow client.
	hard := func(v float64) float64 {
		if e.random || e.beside.clients > 0 {
			return math.Inf(1)
		}
		return v
	}
	if s > 0 && e.slots > 0 && !e.crowdedOut() && e.free() > 0 {
		all = append(all, bound{bySlots, e.free() / s, hard(per(float64(e.slots), e.wait))})
	}
	if e.lock > 0 {
		all = append(all, bound{byLock, 1 / e.lock, hard(1 / e.lock)})
	}
	if e.calls > 0 {
		all = append(all, bound{byService, e.calls, math.Inf(1)})
	}
	if e.query > 0 && e.pool > 0 {
		all = append(all, bound{byPool, float64(e.pool) / e.query, hard(float64(e.pool) / e.query)})
	}
	if held := e.holds(); held > 0 && e.threads > 0 {
		n := float64(e.threads)
		all = append(all, bound{byThread, n / held, hard(per(n, e.block))})
	}
	// A front's part of the CPU time is not spent in an interpreter.
	if e.interpreters > 0 && e.cpu > 0 && e.front == "" {
		all = append(all, bound{byInterpreter, float64(e.interpreters) / e.cpu, math.Inf(1)})
	}
	if s+e.think > 0 && e.wait >= 0 && e.closed() && e.clients > 0 {
		all = append(all, bound{byClients, float64(e.clients) / (s + e.think), hard(per(float64(e.clients), e.wait+e.think))})
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
		open: !c.scenario.Closed(), clients: steady.UsersFrom, think: steady.Think.Seconds(), random: steady.ThinkExponential,
		slots: c.model.Slots, threads: c.model.Threads, interpreters: c.model.Interpreters, noun: c.model.Noun, perRequest: c.perRequest(), front: c.model.Front, foreign: c.Foreign,
		faults: c.Faults, hurt: c.scenario.Hurt.Seconds(),
		wait:      -1,
		cpu:       c.CPUPerRequest.Median / 1e3,
		generator: perGood(func(t *scenarios.Trial) float64 { return t.Generator.CPU.Seconds() }),
		cores:     first.Machine.Cores, serverCores: first.Machine.ServerCores,
		goodput: c.Goodput.Median, response: c.Response["mean"].Median / 1e3, warmup: first.Warmup.Seconds(), window: first.Window.Seconds(),
		answered: uint64(c.Samples), failed: c.Failed, unsent: c.Unsent, worst: commonest(c.Errors),
	}
	e.database = slices.ContainsFunc(c.scenario.Backing, servers.Backing.Foreign)
	if e.open {
		e.rate = c.Offered.Median * c.harmless()
	}
	// What wasn't checked may be other work than the scenario asks for.
	unverified := c.Foreign && c.model.Target.Unverified
	if _, ok := res.Demand[c.Cell.Scenario]; ok && !unverified {
		c.demand(e)
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
	e.stages = c.levels()
	e.beside = c.crowds(e)
	return e
}

// perRequest is what the model makes for each request. A connection that
// serves several is not one of those.
func (c *cellTrials) perRequest() string {
	switch p := c.scenario.Protocol; {
	case c.model.PerRequest == perRequestConnection && p != "" && p != load.HTTP1:
		return ""
	case c.model.PerRequest == "" && c.scenario.PerConnection == 1:
		return perRequestConnection
	}
	return c.model.PerRequest
}

// harmless is the share of requests due that are not meant to do harm.
func (c *cellTrials) harmless() float64 {
	var all, harmful float64
	for _, p := range c.Requests {
		all += p.Offered.Median
		if p.Kind == "fault" {
			harmful += p.Offered.Median
		}
	}
	if all == 0 {
		return 1
	}
	return 1 - harmful/all
}

// demand is what a request that is not harmful asks of the application, on
// average. Where many failed, those that succeeded are what counts: the ones
// that ask for more fail sooner.
func (c *cellTrials) demand(e *evidence) {
	failing := float64(c.Failed) > someFail*float64(c.Samples)
	var sum, wait, lock, query, block, block2 float64
	kinds := 0
	demands := c.scenario.Demands()
	for i := range c.scenario.Requests {
		r := &c.scenario.Requests[i]
		if r.Fault {
			continue
		}
		weight := cmp.Or(r.Weight, 1)
		if failing && i < len(c.Requests) {
			weight = float64(c.Requests[i].Samples)
		}
		d := demands[i]
		sum += weight
		wait += weight * float64(d.Wait) / 1e3
		lock += weight * float64(d.Lock) / 1e3
		query += weight * float64(d.Query) / 1e3
		held := float64(d.Block) / 1e3
		block += weight * held
		block2 += weight * held * held
		e.longest = max(e.longest, held)
		e.works = e.works || d.Units > 0
		e.random = e.random || strings.Contains(r.Path, "{")
		kinds++
	}
	e.random = e.random || kinds > 1
	c.services(e)
	if sum > 0 {
		e.wait, e.lock, e.query, e.block, e.block2 = wait/sum, lock/sum, query/sum, block/sum, block2/sum
	}
	for _, b := range c.scenario.Backing {
		if b.Pool() > 0 {
			e.pool = c.model.Pools * cmp.Or(c.model.Pool, b.Pool())
		}
	}
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
