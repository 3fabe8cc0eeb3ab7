package scenarios

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"gatewaylab/scenarios/load"
	"gatewaylab/servers"
	"gatewaylab/servers/process"
)

// trial measures one cell once.
func (r *runner) trial(ctx context.Context, j job) *Trial {
	t := &Trial{
		Ref: j.Ref, Started: time.Now().UTC(), Window: j.cell.Scenario.For, Warmup: j.cell.Scenario.Warmup,
		Response: NewHistogram(), Service: NewHistogram(), FirstByte: NewHistogram(), Lag: NewHistogram(),
		Errors: map[string]uint64{}, Codes: map[int]uint64{},
	}
	t.Server.MeanBusy = -1
	r.phase(j.Ref, Starting)
	inst, err := servers.Start(ctx, j.cell.Contestant.Configured, servers.Launch{Programs: r.plan.Programs, Cores: r.server})
	if err != nil {
		t.Invalid = append(t.Invalid, fmt.Sprintf("the server did not start: %v", err))
		return t
	}
	r.drive(ctx, j, inst, t)
	r.phase(j.Ref, Stopping)
	if err := inst.Close(closeGrace(ctx)); err != nil {
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
	outcome, err := attack.Run(ctx, &gauge, c.add)
	close(stop)
	<-stopped
	if cerr := closeRaw(); err == nil {
		err = cerr
	}
	c.finish()
	w.finish(t)
	t.Unsent = outcome.UnsentIn(j.cell.Scenario.Warmup, j.cell.Scenario.Warmup+j.cell.Scenario.For)
	t.Due = t.Sent + t.Unsent
	select {
	case died := <-w.died:
		t.Invalid = append(t.Invalid, fmt.Sprintf("the server died in mid-trial: %v", died))
	default:
		if err != nil && ctx.Err() == nil {
			t.Invalid = append(t.Invalid, fmt.Sprintf("the load generator failed: %v", err))
		}
	}
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

// newAttack is the scenario's load on a server.
func newAttack(s *Scenario, server string) *load.Attack {
	header := make(http.Header, len(s.Request.Header))
	for k, v := range s.Request.Header {
		header.Set(k, v)
	}
	return &load.Attack{
		Load:    s.Load,
		Request: load.Request{Method: s.Request.Method, URL: server + s.Request.Path, Header: header, Body: []byte(s.Request.Body)},
		For:     s.Warmup + s.For + tail,
		Timeout: s.Timeout,
		RawFrom: s.Warmup,
		RawTo:   s.Warmup + s.For,
	}
}

// attack sets the load generator up for one trial. The function it returns
// ends the recording of raw hits.
func (r *runner) attack(j job, inst *servers.Instance) (*load.Attack, func() error, error) {
	a := newAttack(j.cell.Scenario, inst.URL())
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
