package load

import (
	"time"
)

// A dispatcher sends the hits of the open stages from a loop, each when it is
// due, as vegeta's does from goroutines: from an idle sender, else a new one,
// and late when there are as many as there may be.
type dispatcher struct {
	run     *run
	loop    *loop
	due     *arrivals
	next    time.Duration // when the next hit is due, if known
	stage   int           // and its stage
	known   bool
	sent    uint64
	idle    []*sender // the last used is used next
	senders int
	over    bool // nothing more is sent
}

// A sender sends one hit at a time.
type sender struct {
	co     *coroutine
	flight flight
	hit    Hit
}

// dispatchBurst is how many hits that are due are sent before answers are
// looked for, and how many answers are taken before hits are.
const dispatchBurst = 16

// dispatch has the loop send the hits of the open stages, from any goroutine.
func (l *loop) dispatch(r *run) {
	l.post(func() { l.open = &dispatcher{run: r, loop: l, due: r.schedule.begin()} })
}

// step sends what is due, and says when to come again: at once (0), after a
// while, or when something has happened (< 0).
func (d *dispatcher) step() (patience time.Duration) {
	for range dispatchBurst {
		if d.over {
			return -1
		}
		now := time.Since(d.run.began)
		if !d.known {
			var ok bool
			if d.next, d.stage, ok = d.due.next(); !ok || d.next >= d.run.length {
				d.end()
				return -1
			}
			d.known = true
		}
		switch {
		case now >= d.run.length+grace, d.run.stop.Err() != nil:
			d.end()
			return -1
		case now < d.next:
			return d.next - now
		case len(d.idle) == 0 && d.senders >= d.run.attack.Bound():
			return -1
		}
		d.send()
	}
	return 0
}

// send sends the next hit.
func (d *dispatcher) send() {
	if len(d.idle) == 0 {
		d.idle = append(d.idle, d.hire())
	}
	s := d.idle[len(d.idle)-1]
	d.idle = d.idle[:len(d.idle)-1]
	s.flight.reset()
	s.flight.seq, s.flight.due, s.flight.stage, s.flight.promised = d.sent, d.next, d.stage, true
	d.sent++
	d.known = false
	d.loop.resume(s.co)
}

// hire makes a sender, which waits for its first hit.
func (d *dispatcher) hire() *sender {
	s := &sender{}
	d.senders++
	d.loop.start(func() {
		s.co = d.loop.current
		for s.co.yield(struct{}{}); !d.over; s.co.yield(struct{}{}) {
			sent := d.run.hit(d.loop.transport, &s.flight)
			s.hit = s.flight.hit(sent, nil)
			if d.run.attack.has(false) {
				s.hit.Seq = s.flight.number
			}
			d.run.report(&s.hit)
			if d.over {
				return
			}
			d.idle = append(d.idle, s)
		}
	})
	return s
}

// end sends nothing more; senders that have a hit under way end with it.
func (d *dispatcher) end() {
	d.over = true
	for _, s := range d.idle {
		d.loop.resume(s.co)
	}
	d.idle = nil
}
