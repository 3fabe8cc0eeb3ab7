package load

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strconv"
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
	attack    *Attack
	message   *message
	transport *Transport
	attacker  *vegeta.Attacker
	flights   *flights
	live      *Gauge
	alarm     *alarm // open loops only
	due       schedule
	spool     *spool // nil: no raw hits wanted
	ballast   []byte
	began     time.Time
	ended     time.Duration // when the attack was cancelled, else For
	sent      uint64
}

func (a *Attack) newRun(live *Gauge) (r *run, err error) {
	r = &run{attack: a, flights: newFlights(), live: live, ended: a.For, ballast: make([]byte, ballast)}
	if live == nil {
		r.live = new(Gauge)
	}
	if r.message, err = a.message(); err != nil {
		return nil, err
	}
	if a.Load.Kind == Open {
		r.due = constant(a.Load.Rate)
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
	if r.transport != nil {
		r.transport.Close()
	}
	if r.alarm != nil {
		r.alarm.close()
	}
	if r.spool != nil {
		r.spool.close()
	}
}

// start lets vegeta loose.
func (r *run) start() <-chan *vegeta.Result {
	workers, most := startWorkers, r.attack.Bound()
	if r.attack.Load.Kind == Closed {
		workers = most
	}
	r.attacker = vegeta.NewAttacker(
		vegeta.Client(&http.Client{Transport: r}), // the timeout is the transport's
		vegeta.Redirects(vegeta.NoFollow),
		vegeta.Workers(uint64(min(workers, most))),
		vegeta.MaxWorkers(uint64(most)),
	)
	// vegeta makes an http.Request of its target for each hit, which is then
	// not used, since the message is encoded already: so the target is the
	// cheapest there is.
	target := func(t *vegeta.Target) error {
		t.Method, t.URL = r.attack.Request.Method, "/"
		return nil
	}
	r.transport = NewTransport(r.attack.Timeout)
	r.began = r.transport.epoch
	r.live.start(r.began, r.transport.Connections)
	return r.attacker.Attack(target, r.pacer(), 0, "")
}

func (r *run) pacer() vegeta.Pacer {
	if r.attack.Load.Kind == Closed {
		return closedPacer{r.attack.For}
	}
	return &openPacer{
		due:     r.due,
		until:   r.attack.For,
		elapsed: func() time.Duration { return time.Since(r.began) },
		sleep:   r.alarm.sleep,
		promise: r.flights.promise,
	}
}

// end ends the attack when it is time to, or when ctx is.
func (r *run) end(ctx context.Context, over <-chan struct{}) {
	until := r.attack.For
	if r.attack.Load.Kind == Open {
		until += grace
	}
	t := time.NewTimer(until - time.Since(r.began))
	defer t.Stop()
	select {
	case <-over:
		return
	case <-ctx.Done():
		r.ended = min(r.ended, time.Since(r.began))
	case <-t.C:
		r.attacker.Stop() // the dispatcher may be waiting for a worker
		if r.attack.Load.Kind == Closed {
			break
		}
		select {
		case <-over:
			return
		case <-ctx.Done():
		}
	}
	r.attacker.Stop()
	if r.alarm != nil {
		r.alarm.stop()
	}
	r.transport.Close()
}

// RoundTrip implements http.RoundTripper for vegeta's workers. It does the
// whole exchange, so that vegeta neither buffers the body nor counts it.
func (r *run) RoundTrip(req *http.Request) (*http.Response, error) {
	now := time.Since(r.began)
	seq, err := sequence(req)
	if err != nil {
		return nil, err
	}
	f := r.flights.at(seq)
	r.live.add(now)
	r.hit(f, now)
	r.live.remove(f.done)
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

// hit does one exchange and notes what came of it.
func (r *run) hit(f *flight, now time.Duration) {
	t := r.transport
	c, err := t.exchange(context.Background(), r.message, t.deadline(now))
	if err == nil {
		f.code, f.firstByte, f.reused = c.head.code, c.first, c.reused
		if kindOfCode(f.code) != "" {
			f.status = c.head.reason()
		}
		f.bytes, err = c.body.discard()
		f.done = c.in.at
		if err == nil {
			t.finish(c)
		} else {
			t.drop(c)
		}
	}
	switch {
	case err == nil && f.done-now > t.timeout:
		// It came all the same: deadlines are moved in steps.
		err, f.code, f.status = os.ErrDeadlineExceeded, 0, ""
	case err != nil:
		f.done = time.Since(r.began)
		f.cut = t.ctx.Err() != nil
	}
	f.err, f.ended = err, true
}

// collect joins vegeta's results with what the transport saw.
func (r *run) collect(results <-chan *vegeta.Result, each func(*Hit)) error {
	var f *flight
	var h Hit
	var failed error
	for res := range results {
		f = r.flights.land(res.Seq, f)
		r.sent++
		h = f.hit(res.Timestamp.Sub(r.began), res)
		if r.spool != nil && failed == nil && !h.Cut && r.attack.recorded(h.Due) {
			failed = r.spool.add(&h)
		}
		each(&h)
	}
	return failed
}

// recorded says whether a hit that was due then belongs in Raw.
func (a *Attack) recorded(due time.Duration) bool {
	return due >= a.RawFrom && (a.RawTo == 0 || due < a.RawTo)
}

// hit is what is told about a flight that ended; sent is when a worker took it.
func (f *flight) hit(sent time.Duration, res *vegeta.Result) Hit {
	h := Hit{Seq: f.seq, Due: sent, Sent: sent, Code: f.code, Bytes: f.bytes, Reused: f.reused, Cut: f.cut}
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
		Connections: r.transport.Connections(),
		Retries:     r.transport.Retries(),
		due:         r.due,
	}
	if r.due != nil {
		o.Due = r.due.count(0, 0, o.Ended)
	}
	return o
}
