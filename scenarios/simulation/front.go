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
	b := &s.backs[q.back]
	if f.PerInstance == 0 || b.given < f.PerInstance {
		b.active++
		b.given++
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
