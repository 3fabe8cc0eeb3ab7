package trace

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"time"

	"gatewaylab/servers"
	"gatewaylab/servers/trace/recorder"
)

// Run starts a model, sends it requests, one after the other and each when the
// one before is over, records every hop of each, and stops the model. A request
// that gets no complete answer in its time is a Problem of its trace, with
// everything that was seen until then, and the last; the error is for when there
// is nothing to see.
func Run(ctx context.Context, model *servers.Configured, l servers.Launch, requests ...Request) (traces []*Trace, err error) {
	for i := range requests {
		if err := requests[i].Check(); err != nil {
			return nil, err
		}
	}
	dir, err := os.MkdirTemp("", "lab-trace")
	if err != nil {
		return nil, fmt.Errorf("trace: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	t := &tracer{clock: &clock{zero: time.Now()}, dir: dir, log: &logged{also: l.Log}}
	l.Log = t.log
	if t.collector, err = newCollector(dir); err != nil {
		return nil, err
	}
	defer t.collector.close()
	program := l.Programs.App
	if l.Programs.App, err = recorder.StandIn(dir, l.Programs.Server, program, t.collector.path); err != nil {
		return nil, err
	}
	l.Tap = t.tap
	defer t.close()
	inst, err := servers.Start(ctx, recorded(model, t.collector.path), l)
	if err != nil {
		return nil, err
	}
	grace := stopGrace
	if !inst.Observed() { // real programs take their time: gunicorn looks once a second whether it is to end
		grace = 10 * time.Second
	}
	defer func() { err = errors.Join(err, inst.Close(grace)) }()
	t.settle(ctx, inst)
	for i := range requests {
		trace := t.send(ctx, inst, model, &requests[i])
		if traces = append(traces, trace); trace.Problem != "" {
			break
		}
	}
	return traces, nil
}

// How long a started model may take to be at rest before the request and after
// it. What is late then is not recorded, or recorded with the request.
const (
	settleTime = 2 * time.Second
	stopGrace  = 1500 * time.Millisecond
)

// recorded is the model with its processes told where the tracer is.
func recorded(c *servers.Configured, socket string) *servers.Configured {
	if c.Model.Real != nil { // it has nobody inside who could tell
		return c
	}
	copied, m := *c, *c.Model
	m.Commands = func(s servers.Settings, p servers.Programs) []*exec.Cmd {
		commands := c.Model.Commands(s, p)
		for _, cmd := range commands {
			cmd.Env = append(cmd.Environ(), recorder.Variable+"="+socket)
		}
		return commands
	}
	copied.Model = &m
	return &copied
}

// A tracer is all that records one trace.
type tracer struct {
	clock     *clock
	dir       string
	collector *collector
	log       *logged
	taps      []*tap
	hops      []servers.Hop // that the taps are in
}

// tap puts a tap into a hop; it is called while the model is being started.
func (t *tracer) tap(h servers.Hop) (network, address string, err error) {
	tap, err := newTap(t.clock, t.dir, h.Network, h.Address, len(t.taps))
	if err != nil {
		return "", "", err
	}
	t.taps = append(t.taps, tap)
	t.hops = append(t.hops, h)
	return h.Network, tap.listener.Addr().String(), nil
}

func (t *tracer) close() {
	for _, tap := range t.taps {
		tap.close()
	}
}

// settle waits until nothing moves any more: no recorded call or program is
// under way, no byte has crossed for a moment, and no request is being served,
// or for a longer moment none has begun or ended: a worker that a gateway's idle
// connection holds counts as busy for good.
func (t *tracer) settle(ctx context.Context, inst *servers.Instance) {
	const look, moment, longer = 2 * time.Millisecond, 5, 30
	before, still := state{}, 0
	for deadline := time.Now().Add(settleTime); time.Now().Before(deadline); {
		select {
		case <-ctx.Done():
			return
		case <-inst.Done():
			return
		case <-time.After(look):
		}
		now := t.state(inst)
		if still++; now != before || now.open > 0 {
			still = 0
		}
		if before = now; still >= longer || still >= moment && now.busy == 0 {
			return
		}
	}
}

// A state is what can be seen moving.
type state struct {
	events, open, busy int
	bytes              int64
}

func (t *tracer) state(inst *servers.Instance) state {
	s := state{busy: inst.Status().Busy()}
	s.events, s.open = t.collector.count()
	for _, tap := range t.taps {
		s.bytes += tap.size()
	}
	return s
}

// send sends the request and makes a trace of what was recorded.
func (t *tracer) send(ctx context.Context, inst *servers.Instance, model *servers.Configured, r *Request) *Trace {
	began := t.clock.start()
	for _, tap := range t.taps {
		tap.forget()
	}
	t.collector.forget()
	t.log.forget()
	c := &client{clock: t.clock}
	status, err := c.send(ctx, inst.URL(), r)
	t.settle(ctx, inst)
	trace := &Trace{
		Model: model.Spec.String(), Started: began, Request: r.String(), Status: status,
		Total: c.end - c.start,
	}
	if err != nil {
		trace.Problem = err.Error()
		if died := inst.Err(); died != nil {
			trace.Problem += "; " + died.Error()
		}
	}
	t.gather(trace, inst, c)
	trace.decode()
	trace.timing()
	trace.explain()
	trace.remark(c)
	for _, line := range t.log.lines() {
		trace.Notes = append(trace.Notes, "Log: "+line)
	}
	return trace
}

// gather makes the hops of what was recorded, from the client inwards.
func (t *tracer) gather(trace *Trace, inst *servers.Instance, c *client) {
	first := inst.Hops()[0]
	trace.Hops = []Hop{{
		From: first.From, To: first.To, Protocol: first.Protocol, Kind: Socket,
		Network: first.Network, Address: first.Address, Local: c.local,
		Timing:  Timing{Start: c.start, Connect: &c.connect, Total: c.end - c.start},
		Streams: []Stream{c.forward.stream("request", true), c.backward.stream("response", false)},
	}}
	called := func(h servers.Hop) bool { return h.Called }
	t.crossed(trace, func(h servers.Hop) bool { return !called(h) })
	last := trace.Hops[len(trace.Hops)-1].To
	inner := len(trace.Hops)
	for _, events := range t.collector.calls() {
		trace.Hops = append(trace.Hops, t.eventHop(last, events))
	}
	if inner < len(trace.Hops) { // and it is not known which of them, if there are several
		last = trace.Hops[inner].To
	}
	services := len(trace.Hops)
	t.crossed(trace, called)
	for i := range trace.Hops[services:] {
		trace.Hops[services+i].From = last
	}
}

// crossed adds what crossed those of the taps' hops that are meant.
func (t *tracer) crossed(trace *Trace, meant func(servers.Hop) bool) {
	for i, h := range t.hops {
		if !meant(h) {
			continue
		}
		used := false
		if err := t.taps[i].failure(); err != nil {
			trace.Notes = append(trace.Notes, fmt.Sprintf("%s → %s: %v", h.From, h.To, err))
		}
		for _, conn := range t.taps[i].recorded() {
			used = true
			trace.Hops = append(trace.Hops, socketHop(h, conn, trace.Started))
		}
		if !used {
			trace.Idle = append(trace.Idle, fmt.Sprintf("%s → %s at %s", h.From, h.To, h.Address))
		}
	}
}

// recorded lists the connections on which something crossed.
func (t *tap) recorded() (conns []*tapped) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range t.conns {
		if c.forward.size()+c.backward.size() > 0 {
			conns = append(conns, c)
		}
	}
	return conns
}

func socketHop(h servers.Hop, c *tapped, began time.Time) Hop {
	hop := Hop{
		From: h.From, To: h.To, Protocol: h.Protocol, Kind: Socket,
		Network: h.Network, Address: h.Address, Local: c.local,
		Reused: c.start.Before(began),
		Timing: Timing{Start: c.start.Sub(began), Connect: &c.connect},
		Streams: []Stream{
			c.forward.stream("request", true),
			c.backward.stream("response", false),
		},
	}
	if hop.Reused {
		hop.Timing.Start, hop.Timing.Connect = hop.Streams[0].when(0), nil
	}
	return hop
}

// remark notes what a reader could take for the model's doing, or could miss.
func (t *Trace) remark(c *client) {
	note := func(format string, args ...any) { t.Notes = append(t.Notes, fmt.Sprintf(format, args...)) }
	if c.secure != "" {
		note("client → %s goes through %s: the bytes shown are those before encryption and after decryption.", t.Hops[0].To, c.secure)
	}
	if t.Status == http.StatusSwitchingProtocols {
		note("The client asked for another protocol and then closed the connection.")
	}
	for i := range t.Hops {
		for j := range t.Hops[i].Streams {
			if s := &t.Hops[i].Streams[j]; s.Dropped > 0 {
				note("%s → %s, %s: only the first %d of %d bytes were kept.", t.Hops[i].From, t.Hops[i].To, s.Name, len(s.Bytes), s.Size())
			}
		}
	}
}
