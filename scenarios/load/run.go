package load

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// startWorkers is how many workers an open loop starts with; vegeta adds one
// whenever none is free. Few is better: idle workers take turns, and each turn
// of another one is a stack that is not in the cache.
const startWorkers = 16

// ballast is memory that a run holds and never touches, so that it costs
// address space only. vegeta makes 2 KB of garbage for each hit; over a live
// heap of a few MB that is a collection every two thousand hits. With the
// ballast there are a tenth as many, and a hit costs 1.5 µs less of 14.
const ballast = 16 << 20

// A run is an Attack under way. It is the http.RoundTripper that vegeta's
// workers call.
type run struct {
	attack   *Attack
	length   time.Duration
	requests []*prepared
	weights  []float64 // cumulative, up to 1
	caller   caller
	loops    []*loop // that users live on; none: each has a goroutine
	flights  *flights
	live     *Gauge
	schedule *schedule
	alarm    *alarm // open loops only
	ballast  []byte
	began    time.Time
	stop     context.Context // ends when sending does
	stopped  context.CancelFunc
	beside   context.Context // ends when the crowds are to go
	dismiss  context.CancelFunc

	mu    sync.Mutex // over what follows, and each
	each  func(*Hit)
	spool *spool // nil: no raw hits wanted
	err   error  // of the spool
	sent  uint64
	ended time.Duration // when the attack was cancelled, else its length
	open  uint64        // hits of open stages sent
}

// A caller does the exchanges of an attack in one protocol. It may be used
// from many goroutines.
type caller interface {
	// call sends m and notes in f what came of it: everything from firstByte
	// on but ended. now is the time from the caller's epoch, from which all
	// times count.
	call(m *message, f *flight, now time.Duration)
	Connections() uint64 // opened so far
	Retries() uint64     // hits sent once more
	Close()              // cuts what is under way; nothing works afterwards
}

func (a *Attack) newRun(live *Gauge, each func(*Hit)) (r *run, err error) {
	r = &run{
		attack: a, length: a.Length(), flights: newFlights(), live: live, each: each, ended: a.Length(),
		schedule: &schedule{stages: a.Stages, seed: a.Seed}, ballast: make([]byte, ballast),
	}
	r.stop, r.stopped = context.WithCancel(context.Background())
	r.beside, r.dismiss = context.WithCancel(context.Background())
	if live == nil {
		r.live = new(Gauge)
	}
	if r.requests, r.weights, err = a.prepare(); err != nil {
		return nil, err
	}
	if a.has(true) {
		if r.alarm, err = newAlarm(); err != nil {
			return nil, err
		}
	}
	if a.Raw != nil {
		if r.spool, err = newSpool(); err != nil {
			r.close()
			return nil, err
		}
	}
	return r, nil
}

func (r *run) close() {
	r.stopped()
	r.dismiss()
	if r.caller != nil {
		r.caller.Close()
	}
	for _, l := range r.loops {
		l.close()
	}
	if r.alarm != nil {
		r.alarm.close()
	}
	if r.spool != nil {
		r.spool.close()
	}
}

// arrive lets vegeta loose on the open stages, and returns when every hit has
// ended.
func (r *run) arrive(attacker *vegeta.Attacker) {
	// vegeta makes an http.Request of its target for each hit, which is then
	// not used, since the message is encoded already: so the target is the
	// cheapest there is.
	target := func(t *vegeta.Target) error {
		t.Method, t.URL = http.MethodGet, "/"
		return nil
	}
	var f *flight
	var h Hit
	for res := range attacker.Attack(target, &openPacer{
		due:     r.schedule.begin(),
		until:   r.length,
		elapsed: func() time.Duration { return time.Since(r.began) },
		sleep:   r.alarm.sleep,
		promise: r.flights.promise,
	}, 0, "") {
		f = r.flights.land(res.Seq, f)
		h = f.hit(res.Timestamp.Sub(r.began), res)
		if r.attack.has(false) {
			h.Seq = f.number
		}
		r.report(&h)
	}
}

func (r *run) attacker() *vegeta.Attacker {
	most := r.attack.Bound()
	return vegeta.NewAttacker(
		vegeta.Client(&http.Client{Transport: r}), // the timeout is the caller's
		vegeta.Redirects(vegeta.NoFollow),
		vegeta.Workers(uint64(min(startWorkers, most))),
		vegeta.MaxWorkers(uint64(most)),
	)
}

// end ends the attack when it is time to, or when ctx is. Hits of an open last
// stage are waited for; those of a closed one are cut.
func (r *run) end(ctx context.Context, attacker *vegeta.Attacker, over <-chan struct{}) {
	last := &r.attack.Stages[len(r.attack.Stages)-1]
	until := r.length
	if last.Open() {
		until += grace
	}
	t := time.NewTimer(until - time.Since(r.began))
	defer t.Stop()
	select {
	case <-over:
		return
	case <-ctx.Done():
		r.mu.Lock()
		r.ended = min(r.ended, time.Since(r.began))
		r.mu.Unlock()
	case <-t.C:
		if attacker != nil {
			attacker.Stop() // the dispatcher may be waiting for a worker
		}
		r.stopped()
		if !last.Open() {
			break
		}
		select {
		case <-over:
			return
		case <-ctx.Done():
		}
	}
	r.stopped()
	r.dismiss()
	if attacker != nil {
		attacker.Stop()
		r.alarm.stop()
	}
	r.cutAll()
}

// RoundTrip implements http.RoundTripper for vegeta's workers. It does the
// whole exchange, so that vegeta neither buffers the body nor counts it.
func (r *run) RoundTrip(req *http.Request) (*http.Response, error) {
	seq, err := sequence(req)
	if err != nil {
		return nil, err
	}
	f := r.flights.at(seq)
	r.hit(r.caller, f)
	if f.err != nil {
		return nil, f.err
	}
	f.answer = http.Response{StatusCode: f.code, Body: http.NoBody}
	return &f.answer, nil
}

// sequence is how vegeta tells which hit a request is.
func sequence(req *http.Request) (uint64, error) {
	v := req.Header["X-Vegeta-Seq"]
	if len(v) != 1 {
		return 0, errors.New("vegeta sent no sequence number")
	}
	return strconv.ParseUint(v[0], 10, 64)
}

// hit does one exchange, notes what came of it, and returns when it began.
func (r *run) hit(by caller, f *flight) (now time.Duration) {
	now, f.number = r.live.add()
	f.request = r.pick(f.seq)
	by.call(r.requests[f.request].message(r.attack.Seed, f.seq), f, now)
	f.expire(now, r.attack.Timeout)
	f.ended = true
	r.live.remove(f.done)
	return now
}

// expire makes a timeout of an answer that came all the same: deadlines are
// moved in steps.
func (f *flight) expire(sent, timeout time.Duration) {
	if f.err == nil && f.done-sent > timeout {
		f.err, f.code, f.status = os.ErrDeadlineExceeded, 0, ""
	}
}

// report hands a hit on, one at a time.
func (r *run) report(h *Hit) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sent++
	if r.attack.Stages[h.Stage].Open() {
		r.open++
	}
	if r.spool != nil && r.err == nil && !h.Cut && r.attack.recorded(h.Due) {
		r.err = r.spool.add(h)
	}
	r.each(h)
}

// recorded says whether a hit that was due then belongs in Raw.
func (a *Attack) recorded(due time.Duration) bool {
	return due >= a.RawFrom && (a.RawTo == 0 || due < a.RawTo)
}

// hit is what is told about a flight that ended; sent is when it began, and
// res what vegeta says of it, nil where it had no part in it.
func (f *flight) hit(sent time.Duration, res *vegeta.Result) Hit {
	h := Hit{
		Seq: f.seq, Stage: f.stage, Request: f.request, Due: sent, Sent: sent,
		Code: f.code, Bytes: f.bytes, Gaps: f.gaps, Reused: f.reused, Cut: f.cut,
	}
	if f.promised {
		h.Due = f.due
	}
	switch {
	case !f.ended: // vegeta itself refused
		h.Latency = res.Latency
		h.Kind, h.Err = KindOther, res.Error
		return h
	case f.cut:
		h.Err = errCut.Error()
	case f.err != nil:
		h.Kind, h.Err = kindOf(f.err), f.err.Error()
	default:
		h.Kind, h.Err = kindOfCode(f.code), f.status
	}
	h.Latency = max(0, f.done-sent)
	if f.firstByte > 0 {
		h.FirstByte = max(0, f.firstByte-sent)
	}
	return h
}

func (r *run) outcome() Outcome {
	o := Outcome{
		Began:       r.began,
		Ended:       r.ended,
		Due:         r.sent,
		Sent:        r.sent,
		Connections: r.caller.Connections(),
		Retries:     r.caller.Retries(),
		open:        r.open,
	}
	if r.attack.has(true) {
		o.due = r.schedule
		o.Due += o.Unsent()
	}
	return o
}
