package scenarios

import (
	"context"
	"fmt"
	"hash/fnv"
	"math"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"gatewaylab/scenarios/load"
	"gatewaylab/servers"
	"gatewaylab/servers/app"
	"gatewaylab/servers/process"
)

// trial measures one cell once.
func (r *runner) trial(ctx context.Context, j job) *Trial {
	t := &Trial{
		Ref: j.Ref, Started: time.Now().UTC(), Window: j.cell.Scenario.For(), Warmup: j.cell.Scenario.Warmup,
		Response: NewHistogram(), Service: NewHistogram(), FirstByte: NewHistogram(), Lag: NewHistogram(),
		Errors: map[string]uint64{}, Codes: map[int]uint64{},
	}
	t.Server.MeanBusy = -1
	r.phase(j.Ref, Starting)
	launch := r.launch(j.cell.Scenario)
	launch.Seed = r.arrivals(j)
	inst, err := servers.Start(ctx, j.cell.Contestant.Configured, launch)
	if err != nil {
		t.Invalid = append(t.Invalid, fmt.Sprintf("the server did not start: %v", err))
		return t
	}
	r.drive(ctx, j, inst, t)
	r.phase(j.Ref, Stopping)
	if err := r.stop(ctx, inst); err != nil {
		t.Warnings = append(t.Warnings, fmt.Sprintf("the server did not stop cleanly: %v", err))
	}
	if !t.Valid() || t.Failed > 0 {
		t.ServerLog = inst.Log()
	}
	return t
}

func (r *runner) phase(ref Ref, p Phase) {
	r.emit(TrialPhase{Ref: ref, Phase: p, Left: r.left})
}

// drive sends the load, watches the server meanwhile, and judges the outcome.
func (r *runner) drive(ctx context.Context, j job, inst *servers.Instance, t *Trial) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	attack, closeRaw, err := r.attack(j, inst)
	if err != nil {
		t.Invalid = append(t.Invalid, err.Error())
		return
	}
	var gauge load.Gauge
	c := newCollector(t, j.cell.Scenario)
	w := &watcher{
		runner: r, job: j, inst: inst, gauge: &gauge, collector: c,
		began: time.Now(), died: make(chan error, 1), cancel: cancel,
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		w.watch(stop)
	}()
	attack.Aside = c.aside
	outcome, err := attack.Run(ctx, &gauge, c.add)
	close(stop)
	<-stopped
	if cerr := closeRaw(); err == nil {
		err = cerr
	}
	c.finish()
	w.finish(t)
	c.unsent(&outcome)
	select {
	case died := <-w.died:
		t.Invalid = append(t.Invalid, fmt.Sprintf("the server died in mid-trial: %v", died))
	default:
		if err != nil && ctx.Err() == nil {
			t.Invalid = append(t.Invalid, fmt.Sprintf("the load generator failed: %v", err))
		}
	}
	w.services(t)
	judge(t, j.cell.Scenario, &observed{
		inFlightSeconds: c.inFlightSeconds(), capped: gauge.Read().Peak >= attack.Bound(),
		pinned: r.plan.Pin, generatorCores: r.generatorCores(), slots: j.cell.Contestant.Slots(),
	})
}

func (r *runner) generatorCores() int {
	if r.generator != nil {
		return len(r.generator)
	}
	return len(process.Cores())
}

// tail is how long the load goes on after the window, so that the reading at
// its end still sees the server at work.
const tail = 20 * time.Millisecond

// newAttack is the scenario's load on a server. Its first stage is the warm-up,
// if there is one, and its last the tail; those between are the scenario's.
func newAttack(s *Scenario, addr string) *load.Attack {
	a := &load.Attack{
		Timeout:       s.Timeout,
		Protocol:      s.Protocol,
		Streams:       s.Streams,
		PerConnection: s.PerConnection,
		MaxInFlight:   s.MaxInFlight,
		RawFrom:       s.Warmup,
		RawTo:         s.Warmup + s.For(),
	}
	if n := len(s.Stages); n > 0 {
		if s.Warmup > 0 {
			a.Stages = append(a.Stages, level(&s.Stages[0], 0, s.Warmup))
		}
		a.Stages = append(a.Stages, s.Stages...)
		a.Stages = append(a.Stages, level(&s.Stages[n-1], s.Stages[n-1].For-1, tail))
	}
	for i := range s.Requests {
		a.Requests = append(a.Requests, s.Requests[i].load(s.Protocol, addr))
	}
	for _, c := range s.Beside {
		a.Beside = append(a.Beside, load.Crowd{
			Name: c.Title(), Kind: c.Kind, Clients: c.Clients, Rate: c.Rate, Every: c.Every,
			Request: c.Request.load(load.HTTP1, addr),
		})
	}
	return a
}

// level is a stage that goes on as another is at a moment.
func level(s *load.Stage, at, length time.Duration) load.Stage {
	if !s.Open() {
		return load.Stage{
			Shape: load.Users, UsersFrom: s.UsersAt(at), Think: s.Think, ThinkExponential: s.ThinkExponential, For: length,
		}
	}
	return load.Stage{Shape: load.Constant, From: max(s.RateAt(at), leastRate), Poisson: s.Poisson, For: length}
}

// leastRate is the rate of the warm-up before a stage that starts from nothing.
const leastRate = 1

// load is the request to a server over a protocol.
func (r *Request) load(p load.Protocol, addr string) load.Request {
	header := make(http.Header, len(r.Header))
	for k, v := range r.Header {
		header.Set(k, v)
	}
	scheme := "http://"
	switch p {
	case load.H2:
		scheme = "https://"
	case load.WebSocket:
		scheme = "ws://"
	}
	return load.Request{
		Name: r.Title(), Weight: r.Weight, Method: r.Method, URL: scheme + addr + r.Path, Header: header,
		Body: []byte(r.Body), Size: r.Size, Chunked: r.Chunked, Stream: r.Stream, Fault: r.Fault,
	}
}

// Demands is what each of the scenario's requests asks of the application,
// with its mean in place of what is drawn.
func (s *Scenario) Demands() []app.Demand {
	all := make([]app.Demand, len(s.Requests))
	for i, r := range s.Requests {
		path, err := load.Mean(r.Path)
		if err != nil {
			continue // the attack's check says what is wrong
		}
		all[i] = app.DemandOf(path)
		for _, b := range s.Backing {
			if called, _, _ := strings.Cut(path, "?"); called == b.Route() {
				all[i].Wait += int(math.Round(float64(b.Wait()) / float64(time.Millisecond)))
				if b.Wait() > 0 {
					all[i].Sleeps++
				}
				if b.InFile() {
					all[i].Lock += all[i].Write
				}
			}
		}
	}
	return all
}

// demand is what a request of the scenario asks of the application, on average.
func (s *Scenario) demand() (d app.Demand) {
	var wait, units, lock, block, sum float64
	for i, one := range s.Demands() {
		w := s.Requests[i].Weight
		if w == 0 {
			w = 1
		}
		sum += w
		wait += w * float64(one.Wait)
		units += w * float64(one.Units)
		lock += w * float64(one.Lock)
		block += w * float64(one.Block)
	}
	if sum > 0 {
		d.Wait, d.Units = int(math.Round(wait/sum)), int(math.Round(units/sum))
		d.Lock, d.Block = int(math.Round(lock/sum)), int(math.Round(block/sum))
	}
	return d
}

// arrivals is the seed of the trial's traffic: the same for every model, so
// that all get the same requests at the same times, and another in each trial.
// A suite's trials of a situation all have the same: what differs there is to
// be the server alone, where one crash more would outweigh it.
func (r *runner) arrivals(j job) uint64 {
	trial := j.Trial
	if r.plan.suite != nil {
		trial = 1
	}
	return arrivalsSeed(r.plan.Seed, j.Scenario, trial)
}

func arrivalsSeed(seed uint64, scenario string, trial int) uint64 {
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%d %s %d", seed, scenario, trial)
	return h.Sum64()
}

// launch says how servers for a scenario are started.
func (r *runner) launch(s *Scenario) servers.Launch {
	return servers.Launch{
		Programs: r.plan.Programs, Cores: r.server,
		TLS: s.Protocol == load.H2, Supervise: s.Faulty(),
		Services: s.Backing, ServiceCores: r.generator, // what they use is not the server's
	}
}

// attack sets the load generator up for one trial. The function it returns
// ends the recording of raw hits.
func (r *runner) attack(j job, inst *servers.Instance) (*load.Attack, func() error, error) {
	a := newAttack(j.cell.Scenario, inst.Addr())
	ask(a, j.cell.Contestant.Target)
	a.Seed = r.arrivals(j)
	a.Name = j.Ref.fileName()
	if !r.plan.Raw || r.plan.Store == nil {
		return a, func() error { return nil }, nil
	}
	f, err := r.plan.Store.createRaw(j.Ref)
	if err != nil {
		return nil, nil, err
	}
	a.Raw = f
	return a, f.Close, nil
}

// port is the one the instance listens on; 0 if it can't be told.
func port(inst *servers.Instance) int {
	_, p, err := net.SplitHostPort(inst.Addr())
	if err != nil {
		return 0
	}
	n, err := strconv.Atoi(p)
	if err != nil {
		return 0
	}
	return n
}
