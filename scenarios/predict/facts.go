package predict

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatewaylab/scenarios"
	"gatewaylab/scenarios/load"
	"gatewaylab/scenarios/theory"
	"gatewaylab/servers"
	"gatewaylab/servers/app"
	"gatewaylab/servers/latency"
)

// facts are what formulas need to know of a cell. Times are seconds.
type facts struct {
	sc    *scenarios.Scenario
	c     *servers.Configured
	m     Machine
	costs Costs

	slots   int // requests at a time, of a queue; 0 = as many as come: where connections are fewer, those
	split   int // queues that arrivals are split among at random
	threads int // that requests share for blocking and computing; 0 = each its own
	pool    pool

	held     theory.Mix // that a request holds a slot
	blocked  theory.Mix // of that, the shared thread
	wait     float64    // of held, waiting
	late     float64    // of wait, how much longer the machine takes than it was asked to
	lock     float64
	work     float64 // CPU of the application's work
	cpu      float64 // of the server for a request, work included
	random   bool    // requests differ
	memory   bool    // held is exponential
	unpriced string  // a request whose cost nobody knows
}

// trifle is the share of a wait below which CPU time beside it makes it no
// longer to speak of; idle is how busy cores are with it, at the most, if nobody
// waits for one.
const (
	trifle = 1. / 20
	idle   = 1. / 4
)

func newFacts(sc *scenarios.Scenario, c *servers.Configured, m Machine, costs Costs) *facts {
	f := &facts{sc: sc, c: c, m: m, costs: costs, slots: c.Slots(), threads: c.Threads(), split: 1}
	if given := f.given(); given > 0 && (f.slots == 0 || given < f.slots) {
		f.slots = given
	}
	if c.Front != nil && c.Instances() > 1 && c.FrontSettings["balance"] == "random" {
		f.split = c.Instances()
		f.slots /= f.split
		f.threads /= f.split
	}
	f.pool = f.connections()
	var held, blocked []theory.Mix
	var weights []float64
	sum, kinds := 0.0, 0
	demands := sc.Demands()
	for i := range sc.Requests {
		r := &sc.Requests[i]
		if r.Fault {
			continue
		}
		w := cmp.Or(r.Weight, 1)
		d := demands[i]
		mix, exponential, other := f.mix(r, d)
		held, weights = append(held, mix), append(weights, w)
		if d.Block > 0 && d.Block == d.Wait {
			blocked = append(blocked, mix)
		} else {
			blocked = append(blocked, theory.Fixed(f.lasts(d.Block)))
		}
		f.wait += w * (float64(d.Wait)/1e3 + float64(d.Sleeps)*costs.Late.Seconds())
		f.late += w * float64(d.Sleeps) * costs.Late.Seconds()
		if d.Query == 0 { // with one query at a time nobody waits for a lock in it
			f.lock += w * f.lasts(d.Lock)
		}
		f.work += w * float64(d.Units) * costs.Unit.Seconds()
		f.random = f.random || other || mix.CV2() > 0
		f.memory = exponential
		kinds++
		sum += w
		if unpriced(r, d) && f.unpriced == "" {
			f.unpriced = r.Title()
		}
	}
	if sum == 0 {
		return f
	}
	if f.pool.each > 0 && f.pool.whole && f.wait > 0 {
		f.slots = f.pool.each * f.pool.processes / f.split
	}
	f.wait, f.late, f.lock, f.work = f.wait/sum, f.late/sum, f.lock/sum, f.work/sum
	f.random = f.random || kinds > 1
	f.memory = f.memory && kinds == 1
	f.held, f.blocked = theory.Mixed(held, weights), theory.Mixed(blocked, weights)
	f.cpu = costs.Request.Seconds() + f.work
	f.held = f.held.Plus(f.cpu - costs.Front.Seconds())
	f.memory = f.memory && f.cpu < trifle*f.wait
	return f
}

// unpriced says whether what a request costs has never been measured for
// itself: reading a body, sending a file, a message, a query that computes.
func unpriced(r *scenarios.Request, d app.Demand) bool {
	path, query, _ := strings.Cut(r.Path, "?")
	switch path {
	case "/db":
		return d.Query == 0 || strings.Contains(query, "rows=")
	case "/hello", "/wait", "/cpu", "/mixed", "/locked", "/block", "/stream", "/upstream", "/ws":
		return r.Size > 1<<10 || len(r.Body) > 1<<10
	}
	return true
}

// mix is how long a request waits, and whether that is exponential. Other says
// that something else in which requests differ is drawn.
func (f *facts) mix(r *scenarios.Request, d app.Demand) (m theory.Mix, exponential, other bool) {
	late := float64(d.Sleeps) * f.costs.Late.Seconds()
	wait := float64(d.Wait)/1e3 + late
	if _, b, ok := f.backing(r); ok {
		mean := b.Delay.Mean().Seconds()
		deviation := mean * b.Delay.CV()
		mean += late
		return theory.Mix{Mean: mean, Square: mean*mean + deviation*deviation}, strings.HasPrefix(b.Delay.String(), "exponential"), false
	}
	words, other := drawn(r.Path)
	switch {
	case len(words) == 2 && words[0] == "exponential":
		return theory.Exponential(wait), !other && d.Units == 0 && d.Lock == 0, other
	case len(words) == 3 && words[0] == "uniform":
		low, _ := strconv.ParseFloat(words[1], 64) // Scenario.Check has read them
		high, _ := strconv.ParseFloat(words[2], 64)
		return theory.Uniform(low/1e3, high/1e3).Plus(wait - (low+high)/2e3), false, other
	}
	return theory.Fixed(wait), false, other
}

// lasts is how long a wait for so many milliseconds takes, in seconds.
func (f *facts) lasts(ms int) float64 {
	if ms == 0 {
		return 0
	}
	return float64(ms)/1e3 + f.costs.Late.Seconds()
}

// drawn is the distribution that a path has in the place of a time, in words;
// other says that it has one in the place of anything else that matters. Which
// row of a table is asked for doesn't.
func drawn(path string) (words []string, other bool) {
	_, query, _ := strings.Cut(path, "?")
	for pair := range strings.SplitSeq(query, "&") {
		key, value, _ := strings.Cut(pair, "=")
		text, draws := strings.CutPrefix(value, "{")
		text, _, _ = strings.Cut(text, "}")
		switch {
		case !draws || key == "key":
		case words == nil && (key == "ms" || key == "wait" || key == "hold"):
			words = strings.Fields(text)
		default:
			other = true
		}
	}
	return words, other
}

// backing is the service that a request calls, by its place among the
// scenario's.
func (f *facts) backing(r *scenarios.Request) (int, latency.Config, bool) {
	path, _, _ := strings.Cut(r.Path, "?")
	for i, b := range f.sc.Backing {
		if path == b.Route() {
			if c, err := latency.ParseConfig(b.Settings); err == nil {
				return i, c, true
			}
		}
	}
	return 0, latency.Config{}, false
}

// spoken says whether the model speaks the scenario's protocol, as the table of
// models has it.
func spoken(sc *scenarios.Scenario, c *servers.Configured) bool {
	versions := c.Model.HTTP
	if c.Front != nil {
		versions = c.Front.HTTP
	}
	switch sc.Protocol {
	case load.H2, load.H2C:
		return slices.Contains(strings.Split(versions, ", "), "2")
	case load.WebSocket:
		return strings.Contains(versions, "WebSocket") && (c.Front == nil || strings.Contains(c.Model.HTTP, "WebSocket"))
	}
	return true
}

// unknowable says why neither a formula nor the simulation says anything of the
// cell; "" if one may.
func (f *facts) unknowable() string {
	switch {
	case !spoken(f.sc, f.c):
		return fmt.Sprintf("%s doesn't speak %s", f.c.Spec, f.sc.Protocol)
	case f.refused() != "":
		return f.refused()
	case f.contended() != "":
		return f.contended()
	case f.parted():
		return loopParted
	}
	return ""
}

// excluded says why no formula applies to the cell whatever its load is; "" if
// one may.
func (f *facts) excluded() string {
	sc, c := f.sc, f.c
	if why := f.unknowable(); why != "" {
		return why
	}
	for i := range sc.Requests {
		_, b, ok := f.backing(&sc.Requests[i])
		if ok && (b.Rate > 0 || b.Places > 0 || b.Failures > 0 || b.Closes > 0) {
			return "the backing service has a limit of its own, or fails: that is a second queue behind the first"
		}
	}
	switch balance := c.FrontSettings["balance"]; {
	case f.fronted() != "":
		return f.fronted()
	case f.pool.each > 0 && !f.pool.whole:
		return "requests wait, and some of them for one of their process's connections to the database: a second queue behind the first"
	case sc.Faulty():
		return "what requests meant to do harm break, and when, is a matter of chance"
	case len(sc.Beside) > 0 && !f.buffers() && f.slots > 0:
		return "clients beside the load hold slots, for as long as they like"
	case slices.ContainsFunc(sc.Beside, func(c scenarios.Crowd) bool { return c.Kind == load.Periodic }):
		return "requests beside the load come at times of their own"
	case c.Front != nil && c.FrontSettings["slow"] != "1":
		return "one instance is slower than the others"
	case c.Front != nil && c.Instances() > 1 && balance != "random" && balance != "shared" && (f.slots > 0 || f.threads > 0):
		return fmt.Sprintf("arrivals that %s sends to each instance are neither random nor evenly spaced", balance)
	case f.unpriced != "" && !f.costs.Own:
		return f.unmeasured()
	}
	return ""
}

// unmeasured says of which request nobody knows what it costs.
func (f *facts) unmeasured() string {
	return fmt.Sprintf("what %s costs in CPU time is known only when it has been measured for itself, as by lab compare --theory", f.unpriced)
}

// buffers says whether clients that send slowly hold no slot of the model.
func (f *facts) buffers() bool {
	return f.c.Model.Async || f.c.Model.Name == "cgi" || f.c.Front != nil && f.frontBuffers("request_buffering")
}

// rests says where the figures in a formula are from.
func (f *facts) rests() string {
	var rests string
	if f.late > 0 {
		rests = fmt.Sprintf("a sleep takes %s longer here than it should", said(f.costs.Late.Seconds()))
	}
	if f.cpu == 0 {
		return rests
	}
	cpu := fmt.Sprintf("%s of CPU for each request", said(f.cpu))
	if f.costs.Source != "" {
		cpu += ", " + f.costs.Source
	}
	if n := f.costs.Cores; n > 0 && n != f.m.Cores {
		cpu += fmt.Sprintf(" on %d cores, and taken to be the same on %d", n, f.m.Cores)
	}
	return join(rests, cpu)
}

// own is the model's own CPU time for each request, its front's left out.
func (f *facts) own() time.Duration { return f.costs.Request - f.costs.Front }

// said is a time in three digits.
func said(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	unit := time.Nanosecond
	for unit*1000 <= d {
		unit *= 10
	}
	return d.Round(unit).String()
}
