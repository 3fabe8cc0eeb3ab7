package predict

import (
	"math"

	"gatewaylab/scenarios"
	"gatewaylab/scenarios/theory"
	"gatewaylab/servers"
)

// A limit is the highest rate that something allows of which requests share
// what there is.
type limit struct {
	name, rests string
	rate        float64
}

// limit is the lowest of the cell's; +Inf where there is none that is known.
func (f *facts) limit() limit {
	best := limit{rate: math.Inf(1)}
	consider := func(name, rests string, rate float64) {
		if rate < best.rate {
			best = limit{name, rests, rate}
		}
	}
	if f.slots > 0 {
		consider("c/S", f.pool.words, theory.Ceiling(f.slots*f.split, f.held.Mean))
	}
	if n := f.places(); n > 0 {
		consider("connections/S", "each request under way has a connection", theory.Ceiling(n, f.held.Mean))
	}
	consider("cores/D", "the cores can do no more", theory.Ceiling(f.m.Cores, f.cpu+f.sending()))
	consider("threads/D", "there are fewer of the threads that requests share than cores", f.threaded())
	if f.threads > 0 {
		consider("threads/S", "requests share threads that block", theory.Ceiling(f.threads*f.split, f.holds().Mean))
	}
	consider("1/S", "one request at a time holds the lock", theory.Ceiling(1, f.lock))
	if len(f.sc.Requests) == 1 {
		if _, b, ok := f.backing(&f.sc.Requests[0]); ok && b.Limit() > 0 {
			consider("the backing service's rate", "", b.Limit())
		}
	}
	return best
}

// Ceiling is the highest rate at which a cell's requests can be answered, however
// many come.
func Ceiling(sc *scenarios.Scenario, c *servers.Configured, m Machine, costs Costs) Prediction {
	f := newFacts(sc, c, m, costs)
	if f.unknowable() != "" || sc.Faulty() || f.unpriced != "" && !costs.Own || len(sc.Beside) > 0 && !f.buffers() {
		return none(-1, "%s", f.excluded())
	}
	l := f.limit()
	if math.IsInf(l.rate, 1) {
		return none(-1, "nothing that requests hold has a limit, but for CPU time, and that isn't known")
	}
	p := formula(l.name, join(l.rests, f.rests()), l.rate, math.NaN()).with(1, math.NaN())
	p.Stage = -1
	return p
}

// pooled says whether a pool of threads takes work and blocking off the loop.
func (f *facts) pooled() bool { return setting(f.c.Settings, "pool", 0) > 0 }

// threaded is the most that the threads which requests share can compute; +Inf
// where there are none. A loop does the server's own work for each request
// itself, and a pool takes only the application's off it.
func (f *facts) threaded() float64 {
	own := f.own().Seconds()
	switch {
	case f.threads == 0:
		return math.Inf(1)
	case !f.pooled():
		return theory.Ceiling(f.threads*f.split, own+f.work)
	}
	return min(theory.Ceiling(max(1, f.c.Instances()), own), theory.Ceiling(f.threads*f.split, f.work))
}

// holds is for how long a request has a thread that it shares.
func (f *facts) holds() theory.Mix {
	if f.pooled() {
		return f.blocked.Plus(f.work)
	}
	return f.blocked.Plus(f.own().Seconds() + f.work)
}

// room is how many requests there may be, before one more is turned away at
// once; 0 = as many as come.
func (f *facts) room() int {
	c := f.c
	if c.Front != nil {
		if front := f.front(); front.PerInstance > 0 {
			return front.PerInstance*c.Instances() + front.Queue
		}
	}
	queue := setting(c.Settings, "queue", 0)
	switch c.Model.Name {
	case "cgi":
		return max(1, c.Instances()) * (c.Settings.Int("children") + queue)
	case "fastcgi", "scgi", "uwsgi":
		switch {
		case c.Settings["mpx"] == "on":
			return c.Slots()
		case queue > 0:
			return c.Slots() + max(1, c.Instances())*queue
		}
	}
	return 0
}
