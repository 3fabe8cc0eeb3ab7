package simulation

import (
	"math/bits"
	"time"

	"gatewaylab/scenarios/load"
)

// delay has a request go on after a while.
func (s *sim) delay(r int32, d int64) {
	s.events.push(event{at: s.now + d, of: r, generation: s.requests[r].generation, what: elapsed})
}

// proceed goes on with what follows the step that is over.
func (s *sim) proceed(r int32) {
	s.requests[r].step++
	s.enter(r)
}

// enter takes a request from the step at which it is to where it has to wait
// for something: time, a core, or its turn.
func (s *sim) enter(r int32) {
	for {
		q := &s.requests[r]
		switch {
		case q.step > served:
			s.answered(r)
			return
		case q.step == served:
			if !s.finish(r) {
				return
			}
		case q.step >= serving:
			if !s.serve(r) {
				return
			}
		default:
			if !s.reach(r) {
				return
			}
		}
		s.requests[r].step++
	}
}

// reach is the way to a process; false: it has to wait.
func (s *sim) reach(r int32) bool {
	q := &s.requests[r]
	switch q.step {
	case beforeSent:
		if d := q.todo[taking]; d > 0 && s.Server.TakesIn {
			q.todo[taking] = 0
			q.asks &^= 1 << taking
			s.delay(r, d)
			return false
		}
	case sending:
		if d := int64(s.Server.Sending); d > 0 && q.crowd == none {
			s.cores.begin(s.now, r, d)
			return false
		}
	case atFront:
		return s.Server.Front == nil || s.choose(r)
	case throughFront:
		if f := s.Server.Front; f != nil && f.Overhead > 0 {
			s.cores.begin(s.now, r, int64(f.Overhead))
			return false
		}
	case knocked:
		if s.Server.Front != nil && q.flags&abandoned != 0 { // while it cost the front
			s.leaveFront(r)
			s.forget(r)
			return false
		}
		return s.connect(r)
	}
	return true
}

// serve takes a request through its phases at a process, from the step at which
// it is; false: it has to wait.
func (s *sim) serve(r int32) bool {
	q := &s.requests[r]
	phase, part := int(q.step-serving)/3, (q.step-serving)%3
	if part == 2 {
		if at := s.station(q, phase); at != nil {
			if at.queue.first != none {
				s.tally.queue(s, -1)
			}
			s.pass(at)
			return true
		}
		phase, part = phase+1, 0
	}
	if part == 0 {
		phase += bits.TrailingZeros(uint(q.asks)>>phase | 1<<phases)
		if phase >= phases || phase == giving && s.Server.TakesOff { // that isn't here
			q.step = served - 1
			return true
		}
		q.step = uint8(serving + 3*phase)
		if phase == waiting && q.flags&(hangs|crashes) != 0 {
			if q.flags&crashes != 0 {
				s.crash(r)
			}
			return false
		}
		if at := s.station(q, phase); at != nil {
			if at.free == 0 {
				s.tally.queue(s, 1)
				s.push(&at.queue, r)
				return false
			}
			at.free--
			s.tally.use(s, at.kind, 1)
		}
		q.step++
	}
	switch {
	case phase == own || phase == working:
		s.cores.begin(s.now, r, q.todo[phase])
	case phase == asking && q.call > 0:
		s.call(r)
	default:
		s.delay(r, q.todo[phase])
	}
	return false
}

// call calls a service, and has the request go on when it has answered, or when
// nobody waits for that any more.
func (s *sim) call(r int32) {
	q := &s.requests[r]
	begins, ends, good := s.Server.Services[q.call-1](time.Duration(s.now))
	until, patience := int64(ends), q.todo[asking]
	switch {
	case patience > 0 && until > s.now+patience:
		until = s.now + patience
		q.flags |= overdue
	case !good:
		q.flags |= failing
	}
	s.tally.stood(s.now, min(int64(begins), until))
	s.delay(r, max(1, until-s.now)) // never in no time, as in ask
}

// station is what a request needs a place of in a phase; nil if nothing.
func (s *sim) station(q *request, phase int) *station {
	switch phase {
	case own:
		if s.Server.Loop {
			return &s.processes[q.process].loop
		}
	case blocking, working:
		switch p := &s.processes[q.process]; {
		case s.Server.Loop && s.Server.Pool > 0:
			return &p.pool
		case s.Server.Loop:
			return &p.loop
		}
	case asking:
		if q.call == 0 && s.Server.Queries > 0 {
			return &s.processes[q.process].database
		}
	case locking:
		return &s.lock
	}
	return nil
}

// finish is the end of a request for its server; false if it is the end
// altogether.
func (s *sim) finish(r int32) bool {
	s.release(r)
	q := &s.requests[r]
	if q.flags&abandoned != 0 {
		s.forget(r)
		return false
	}
	d := q.rest
	if s.Server.TakesOff {
		d += q.todo[giving]
	}
	if d > 0 {
		s.delay(r, d)
		return false
	}
	return true
}

// release lets go of the process, and of the place at the front.
func (s *sim) release(r int32) {
	q := &s.requests[r]
	p := q.process
	q.process = none
	if q.kept && q.user == none && q.flags&abandoned == 0 && p != none {
		s.idle = append(s.idle, p)
	}
	if p != none {
		s.vacate(p)
	}
	s.leaveFront(r)
}

// answered is the end of a request for its client.
func (s *sim) answered(r int32) {
	o := outcome{code: 200}
	switch flags := s.requests[r].flags; {
	case flags&overdue != 0:
		o = outcome{kind: "status 504", code: 504}
	case flags&failing != 0:
		o = outcome{kind: "status 502", code: 502}
	}
	s.ended(r, o)
	s.forget(r)
}

// refuse answers with an error, in no time.
func (s *sim) refuse(r int32, kind string, code int) {
	s.release(r)
	if s.requests[r].flags&abandoned == 0 {
		s.ended(r, outcome{kind: kind, code: code})
	}
	s.forget(r)
}

// An outcome is what a client has of a request.
type outcome struct {
	kind string
	code int
	cut  bool
}

// ended tells of a request that is over for its client, who then goes on.
func (s *sim) ended(r int32, o outcome) {
	q := &s.requests[r]
	if q.crowd != none {
		s.crowdEnded(r, o)
		return
	}
	s.waitsNoMore(r)
	latency := s.now - q.sent
	if o.cut {
		q.flags |= abandoned
	}
	s.tally.count(s, q, o)
	if s.Each != nil {
		s.hit = load.Hit{
			Seq: q.number, Stage: int(q.stage), Request: int(q.kind), Code: o.code, Kind: o.kind, Err: o.kind, Cut: o.cut,
			Due: time.Duration(q.due), Sent: time.Duration(q.sent), Latency: time.Duration(latency),
		}
		if o.kind == "" && !o.cut {
			s.hit.FirstByte = time.Duration(latency)
		}
		s.Each(&s.hit)
	}
	switch {
	case o.cut:
	case q.user != none:
		s.crew.answered(s, q.user, o.kind != "" && o.code == 0, latency)
	default:
		s.openEnded()
	}
}

// giveUp is a client that has waited long enough.
func (s *sim) giveUp(r int32) {
	q := &s.requests[r]
	s.disconnect(q)
	s.ended(r, outcome{kind: load.KindTimeout})
	s.desert(r)
}

// desert is a request for whose answer nobody waits any more. A front sees that
// at once.
func (s *sim) desert(r int32) {
	q := &s.requests[r]
	q.flags |= abandoned
	switch {
	case q.step < knocked && s.leaveFrontQueue(r):
		s.forget(r)
		return
	case s.stopTrying(r):
		s.leaveFront(r)
		s.forget(r)
		return
	case q.step >= knocked:
		s.leaveFront(r)
		q = &s.requests[r]
	}
	switch {
	case q.step == knocked && q.process == none && q.flags&waits == 0:
		s.leaveFront(r)
		s.forget(r) // it was still knocking
	case s.Server.Abandons && q.step == serving+3*waiting+1:
		q.generation++ // it waits no more
		q.todo = [phases]int64{}
		q.step = served
		s.enter(r)
	case s.Server.Abandons && q.flags&hangs != 0 && q.step == serving+3*waiting:
		q.step = served
		s.enter(r)
	case s.Server.Abandons && q.step == knocked && q.process != none && s.remove(&s.processes[q.process].queue, r):
		s.tally.queue(s, -1)
		q.process = none
		s.leaveFront(r)
		s.forget(r)
	}
}
