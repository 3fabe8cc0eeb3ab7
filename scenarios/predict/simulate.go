package predict

import (
	"context"
	"fmt"
	"strings"
	"time"

	"gatewaylab/scenarios"
	"gatewaylab/scenarios/load"
	"gatewaylab/scenarios/simulation"
	"gatewaylab/servers"
	"gatewaylab/servers/app"
	"gatewaylab/servers/latency"
)

// Most bounds the requests of one cell's simulation, all its trials together:
// more say no more.
const Most = 20_000_000

// enough is the share of a window that has to be seen for its figures to mean
// something.
const enough = 1. / 10

// Summary is what a simulated trial says of itself, beside what any trial does.
type Summary = simulation.Summary

// Simulate runs one trial of a cell in virtual time, with the traffic that the
// trial of that number has in a run with that seed. The error says why there is
// nothing to simulate. A run that is ended by Most says so in its summary, and its
// trial is of the part of the window that there was.
func Simulate(ctx context.Context, sc *scenarios.Scenario, c *servers.Configured, m Machine, costs Costs, ref scenarios.Ref, seed uint64) (*scenarios.Trial, *Summary, error) {
	f := newFacts(sc, c, m, costs)
	if why := f.beyond(); why != "" {
		return nil, nil, fmt.Errorf("no theory applies: %s", why)
	}
	a := sc.Traffic(seed, ref.Trial)
	y := scenarios.NewTally(ref, sc)
	d, err := newDemands(f)
	if err != nil {
		return nil, nil, err
	}
	sum, err := simulation.Run(ctx, &simulation.Config{
		Attack: a, Demand: d.of, Aside: d.beside, Server: f.server(a.Seed),
		From: sc.Warmup, To: sc.Warmup + sc.For(), Most: uint64(Most / max(1, ref.Of)), Each: y.Hit, Beside: y.Beside,
	})
	if err != nil {
		return nil, nil, fmt.Errorf("simulate %s on %s: %w", c.Spec, sc.Name, err)
	}
	if sum.Ended > 0 && (len(sc.Stages) > 1 || sum.Window.Seconds() < enough*sc.For().Seconds()) {
		return nil, nil, fmt.Errorf("no theory applies: it was ended after %s and %s of virtual time, before there was anything to say",
			requests(sum.Requests), said(sum.Ended.Seconds()))
	}
	t := y.Trial(sum.Unsent, sum.Busy)
	t.Window = sum.Window
	t.Server.MeanBusy = -1
	if c.Slots() > 0 {
		t.Server.MeanBusy = sum.Busy
	}
	t.Server.Restarts = sum.Restarts
	t.Server.CPU = time.Duration(sum.Cores * float64(t.Window))
	t.Machine.Cores, t.Machine.ServerCores = m.Cores, m.Cores
	return t, sum, nil
}

// queries says whether what requests cost is what their queries do, with a
// connection in their hands, and leaves cores idle since they wait longer.
func (f *facts) queries() bool {
	return f.costs.Own && f.pool.each > 0 && f.pool.whole && f.cpu < f.wait
}

// besieged says whether requests that come when they come find slots held by
// others. If what they take isn't known because none was ever served, the
// shortest time there is shows why.
func (f *facts) besieged() bool { return len(f.sc.Beside) > 0 && !f.buffers() && !f.sc.Closed() }

// starting is how long it takes, about, to clear up after a process of the lab's
// and until its successor accepts. Where a request that kills is sent twice, two
// such times and the pause before each make up what a run calls recovery.
const starting = 10 * time.Millisecond

// server is the model as the simulation has it.
func (f *facts) server(seed uint64) simulation.Server {
	c := f.c
	v := simulation.Server{
		Cores: f.m.Cores, Instances: c.Instances(), Processes: 1, Overhead: f.own(),
		Backlog: setting(c.Settings, "backlog", 2048), Restart: starting, TakesIn: f.buffers(), TakesOff: f.takesOff(),
	}
	switch {
	case f.queries():
		v.Overhead = 0
	case f.m.Shared && f.costs.Request > 0:
		v.Sending = f.costs.Sending
	}
	switch c.Model.Name {
	case "serial":
		v.Slots, v.Restart = 1, servers.RestartPause+starting
	case "prefork":
		v.Processes, v.Slots, v.Timeout = c.Settings.Int("workers"), 1, duration(c.Settings, "timeout")
	case "threads":
		v.Processes, v.Slots = c.Settings.Int("workers"), c.Settings.Int("threads")
		v.Queue, v.Connections, v.Keeps = c.Settings.Int("queue"), c.Settings.Int("connections"), true
	case "eventloop":
		v.Restart = servers.RestartPause + starting
		v.Loop, v.Pool, v.Connections, v.Keeps, v.Abandons = true, c.Settings.Int("pool"), c.Settings.Int("connections"), true, true
	case "async":
		v.Restart = servers.RestartPause + starting
		v.Connections, v.Keeps, v.Abandons = c.Settings.Int("connections"), true, true
	case "cgi":
		v.Slots, v.Queue, v.Refuses, v.Keeps, v.Abandons = c.Settings.Int("children"), c.Settings.Int("queue"), true, true, true
		v.PerRequest, v.Timeout = true, duration(c.Settings, "timeout")
	case "fastcgi", "scgi", "uwsgi":
		v.Processes, v.Slots, v.Timeout = c.Settings.Int("workers"), 1, duration(c.Settings, "timeout")
		v.Door = f.door()
		if c.Settings["mpx"] == "on" {
			v.Slots, v.Timeout, v.Abandons = c.Settings.Int("requests"), 0, true
		}
	}
	if v.Slots == 1 {
		v.Serves, v.Jitter = setting(c.Settings, "max_requests", 0), setting(c.Settings, "max_requests_jitter", 0)
	}
	v.Repeats = v.Keeps && c.Front == nil && f.sc.Faulty() && f.sc.PerConnection != 1
	v.Queries, v.Services = f.pool.each, f.services(seed)
	if c.Front != nil {
		v.Front = f.front()
		if f.shared() {
			v.Front.PerInstance *= c.Instances()
		}
	}
	return v
}

// services are the scenario's backing services, by their places there. Nobody
// calls a database as one.
func (f *facts) services(seed uint64) []simulation.Service {
	all := make([]simulation.Service, len(f.sc.Backing))
	for i, b := range f.sc.Backing {
		if c, err := latency.ParseConfig(b.Settings); err == nil {
			c.Seed = seed + uint64(i)
			foreseen := latency.Foresee(c)
			all[i] = func(now time.Duration) (begins, ends time.Duration, good bool) {
				begins, ends, good = foreseen(now)
				if ends > now { // who is turned away waits for nothing
					ends += f.costs.Late
				}
				return begins, ends, good
			}
		}
	}
	return all
}

// requests is a number of them in words.
func requests(n uint64) string {
	if n < 1e6 {
		return fmt.Sprintf("%d requests", n)
	}
	return fmt.Sprintf("%.3g million requests", float64(n)/1e6)
}

func setting(s servers.Settings, key string, usual int) int {
	if _, ok := s[key]; ok {
		return s.Int(key)
	}
	return usual
}

func duration(s servers.Settings, key string) time.Duration {
	d, err := time.ParseDuration(s[key])
	if err != nil {
		return 0
	}
	return d
}

// demands say what each hit asks for.
type demands struct {
	f     *facts
	known []map[int64]app.Demand // by request and the only number drawn
	fixed []app.Demand
	calls []int  // the backing service that a request calls, from 1; 0 = none
	asks  []bool // a database
	aside []simulation.Demand
}

func newDemands(f *facts) (*demands, error) {
	d := &demands{f: f, fixed: f.sc.Demands()}
	for i := range f.sc.Requests {
		r := &f.sc.Requests[i]
		service := 0
		if k, _, ok := f.backing(r); ok {
			service = k + 1
		}
		_, asks := f.database(r)
		d.known, d.calls, d.asks = append(d.known, nil), append(d.calls, service), append(d.asks, asks)
		if words, other := drawn(r.Path); other || words != nil {
			d.known[i] = map[int64]app.Demand{}
		}
	}
	for i := range f.sc.Beside {
		c := &f.sc.Beside[i]
		path, err := load.Mean(c.Request.Path)
		if err != nil {
			return nil, err
		}
		asks := d.convert(app.DemandOf(path))
		at := func(bytes int) time.Duration {
			return time.Duration(float64(bytes) / c.Rate * float64(time.Second))
		}
		switch c.Kind {
		case load.SlowSend:
			asks.Taking = at(max(int(c.Request.Size), len(c.Request.Body)))
		case load.SlowRead:
			size := answerHead + app.SizeOf(path)
			asks.Rest = at(underway(size))
			asks.Giving = at(size) - asks.Rest
		case load.Idle, load.Periodic:
		}
		d.aside = append(d.aside, asks)
	}
	return d, nil
}

// answerHead is about how many bytes an answer's head has.
const answerHead = 150

// socketRoom is how much of an answer is on its way to a slow client when it
// first holds the server up, and pipeRoom how much more on its way from a child.
const socketRoom, pipeRoom = 42_000, 64 << 10

// underway is how much of an answer of so many bytes is on its way to a slow
// client when the server has written it all. A client asks for small buffers (see
// package load), but the kernel lets a server have more under way when that
// drains, up to some 100 KB. (Linux 6.18, at 10 to 100 KB/s.)
func underway(size int) int {
	const most = 100_000
	return min(size, max(socketRoom, min((size+socketRoom)/2, most)))
}

func (d *demands) convert(a app.Demand) simulation.Demand {
	if a.Query > 0 {
		a.Lock = 0 // one query at a time, or it isn't simulated
	}
	asks := simulation.Demand{Work: time.Duration(a.Units) * d.f.costs.Unit}
	sleeps := a.Sleeps
	for _, one := range []struct {
		ms int
		to *time.Duration
	}{{a.Block, &asks.Block}, {a.Lock, &asks.Lock}, {a.Query, &asks.Query}} {
		if one.ms > 0 {
			*one.to = time.Duration(one.ms)*time.Millisecond + d.f.costs.Late
			sleeps--
		}
	}
	asks.Wait = time.Duration(a.Wait-a.Lock-a.Block-a.Query)*time.Millisecond + time.Duration(sleeps)*d.f.costs.Late
	return asks
}

func (d *demands) of(request int, drawn []int64, _ uint64) simulation.Demand {
	r := &d.f.sc.Requests[request]
	s := d.asked(request, r, drawn)
	s.Fault, s.Once, s.Talks = r.Fault, !load.Idempotent(r.Method), inPieces(r.Path)
	return s
}

// asked is what a request waits for and computes.
func (d *demands) asked(request int, r *scenarios.Request, drawn []int64) simulation.Demand {
	path, _, _ := strings.Cut(r.Path, "?")
	switch {
	case d.calls[request] > 0:
		return simulation.Demand{Call: d.calls[request], Patience: time.Duration(app.PatienceOf(r.Path)) * time.Millisecond}
	case path == "/hang":
		return simulation.Demand{Hang: true}
	case path == "/crash":
		return simulation.Demand{Crash: true}
	}
	asks := d.fixed[request]
	if cache := d.known[request]; cache != nil {
		asks = d.drawn(cache, r.Path, drawn)
	}
	s := d.convert(asks)
	if d.asks[request] {
		s.Query = max(s.Query, 1) // it waits for a connection, however short the query is
		if d.f.queries() {
			s.Query += d.f.own()
		}
	}
	return s
}

// drawn is what a path with numbers in it asks for.
func (d *demands) drawn(cache map[int64]app.Demand, path string, numbers []int64) app.Demand {
	if len(numbers) == 1 {
		if asks, ok := cache[numbers[0]]; ok {
			return asks
		}
	}
	url, err := load.Drawn(path, numbers)
	if err != nil {
		return app.Demand{} // can't be: the attack has drawn them from it
	}
	asks := app.DemandOf(url)
	if len(numbers) == 1 && len(cache) < 1<<16 {
		cache[numbers[0]] = asks
	}
	return asks
}

func (d *demands) beside(crowd int) simulation.Demand { return d.aside[crowd] }
