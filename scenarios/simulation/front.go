package simulation

// A back is an instance as the front sees it.
type back struct {
	active int  // requests that it has, or that wait for it
	given  int  // of those, given to it
	queue  fifo // of the others
}

// choose picks an instance for a request and gives it a place there; false if
// it has to wait for one.
func (s *sim) choose(r int32) bool {
	f, q := s.Server.Front, &s.requests[r]
	q.back = 0
	if n := len(s.backs); n > 1 {
		switch f.Balance {
		case "random":
			q.back = int32(s.rng.IntN(n))
		case "least-connections":
			q.back = s.leastBusy()
		default: // round-robin
			q.back = int32(s.frontTurn % uint64(n))
			s.frontTurn++
		}
	}
	return s.place(r)
}

// place gives a request a place at the instance that was chosen for it; false if
// it has to wait for one.
func (s *sim) place(r int32) bool {
	f, q := s.Server.Front, &s.requests[r]
	b := &s.backs[q.back]
	if f.PerInstance == 0 || b.given < f.PerInstance {
		b.active++
		b.given++
		s.tally.use(s, places, 1)
		q.flags |= placed
		return true
	}
	if s.frontWaits >= f.Queue {
		q.back = none
		s.refuse(r, "status 503", 503)
		return false
	}
	b.active++
	s.frontWaits++
	s.tally.queue(s, 1)
	s.push(&b.queue, r)
	return false
}

// leastBusy is the instance with the fewest requests, and of several such the
// one whose turn it is.
func (s *sim) leastBusy() int32 {
	n := uint64(len(s.backs))
	s.frontTurn++
	first := s.frontTurn % n
	best := first
	for i := range n {
		if k := (first + i) % n; s.backs[k].active < s.backs[best].active {
			best = k
		}
	}
	return int32(best)
}

// leaveFront gives a request's place at its instance to the next.
func (s *sim) leaveFront(r int32) {
	q := &s.requests[r]
	if q.flags&placed == 0 {
		return
	}
	q.flags &^= placed
	b := &s.backs[q.back]
	b.active--
	b.given--
	next := s.pop(&b.queue)
	if next == none {
		s.tally.use(s, places, -1)
		return
	}
	s.frontWaits--
	s.tally.queue(s, -1)
	b.given++
	s.requests[next].flags |= placed
	s.requests[next].step = throughFront
	s.enter(next)
}

// leaveFrontQueue has a request whose client has gone leave the queue for a
// place; false if it doesn't stand in one.
func (s *sim) leaveFrontQueue(r int32) bool {
	q := &s.requests[r]
	if q.step != atFront || q.back == none || q.flags&placed != 0 || !s.remove(&s.backs[q.back].queue, r) {
		return false
	}
	s.backs[q.back].active--
	s.frontWaits--
	s.tally.queue(s, -1)
	return true
}

// keepTrying has the front of a request try to connect until the listen queue
// has room.
func (s *sim) keepTrying(l *listener, r int32) {
	q, f := &s.requests[r], s.Server.Front
	if f.Reach == 0 {
		s.tryAnother(r, "status 502", 502)
		return
	}
	q.flags |= outside
	s.push(&l.outside, r)
	s.tally.queue(s, 1)
	s.events.push(event{at: s.now + int64(f.Reach), of: r, generation: q.generation, what: unreachable})
}

// letIn gives the place that has become free in a listen queue to who has tried
// for the longest.
func (s *sim) letIn(l *listener) {
	r := s.pop(&l.outside)
	if r == none {
		return
	}
	q := &s.requests[r]
	q.flags = q.flags&^outside | waits
	s.push(&l.queue, r)
	s.listen(r)
}

// unreached is a front that gives up connecting.
func (s *sim) unreached(r int32) {
	if s.stopTrying(r) {
		s.tryAnother(r, "status 504", 504)
	}
}

// tryAnother has a front that can't connect to an instance go on to the next, and
// after the last answer with an error.
func (s *sim) tryAnother(r int32, kind string, code int) {
	q := &s.requests[r]
	if q.knocks++; int(q.knocks) >= len(s.backs) {
		s.refuse(r, kind, code)
		return
	}
	next := (q.back + 1) % int32(len(s.backs))
	s.leaveFront(r)
	q = &s.requests[r]
	q.back, q.step = next, atFront
	if s.place(r) {
		s.requests[r].step = knocked
		s.enter(r)
	}
}

// stopTrying has the front of a request no longer try to connect; false if it
// doesn't.
func (s *sim) stopTrying(r int32) bool {
	q := &s.requests[r]
	if q.flags&outside == 0 {
		return false
	}
	q.flags &^= outside
	s.remove(&s.listener(q).outside, r)
	s.tally.queue(s, -1)
	return true
}

// listen has the front wait for the instance to say something, from now on. A
// client that gives up before spares it that.
func (s *sim) listen(r int32) {
	f, q := s.Server.Front, &s.requests[r]
	if f == nil || f.Silence == 0 || q.crowd == none && q.sent+s.timeout <= s.now+int64(f.Silence) {
		return
	}
	s.events.push(event{at: s.now + int64(f.Silence), of: r, generation: q.generation, what: silence})
}

// silent is an instance that has said nothing of a request for too long. The
// front closes the connection, and to the instance the client has gone.
func (s *sim) silent(r int32) {
	q := &s.requests[r]
	begun := q.step >= serving && q.flags&talks != 0 || q.step > serving+3*giving
	if begun || q.flags&abandoned != 0 {
		return
	}
	s.ended(r, outcome{kind: "status 504", code: 504})
	s.desert(r)
}
