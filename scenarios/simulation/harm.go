package simulation

import "gatewaylab/scenarios/load"

// kill ends the process of a request that has taken too long.
func (s *sim) kill(r int32) {
	q := &s.requests[r]
	if q.process == none || q.step < serving || q.step >= serving+3*giving {
		return
	}
	if s.Server.PerRequest {
		s.lose(r, "status 504", 504)
		return
	}
	s.die(q.process)
}

// crash is what a request does that kills its process.
func (s *sim) crash(r int32) {
	if s.Server.PerRequest {
		s.lose(r, "status 502", 502)
		return
	}
	s.die(s.requests[r].process)
}

// lose ends a request that its process has no part in any more.
func (s *sim) lose(r int32, kind string, code int) {
	q := &s.requests[r]
	s.letGo(r)
	q.generation++ // whatever it waited for comes in vain
	if s.Server.Front != nil {
		kind, code = "status 502", 502
	}
	s.refuse(r, kind, code)
}

// letGo gives back what a request holds beside its slot.
func (s *sim) letGo(r int32) {
	q := &s.requests[r]
	if q.step < serving || q.step >= served {
		return
	}
	phase, part := int(q.step-serving)/3, (q.step-serving)%3
	at := s.station(q, phase)
	switch {
	case part == 0 && at != nil && s.remove(&at.queue, r):
		s.tally.queue(s, -1)
	case part == 1:
		s.cores.drop(r)
		if at == nil || phase != locking { // a thread or a connection dies with its process
			return
		}
		if at.queue.first != none {
			s.tally.queue(s, -1)
		}
		s.pass(at)
	}
}

// die ends a process with all that it serves; who waits inside it has lost its
// connection, and sends again if that had served another request before; who
// waits to be accepted waits for its successor.
func (s *sim) die(p int32) {
	pr := &s.processes[p]
	if pr.dead {
		return
	}
	pr.dead, pr.open = true, 0
	kept := s.idle[:0]
	for _, k := range s.idle {
		if k != p {
			kept = append(kept, k)
		}
	}
	s.idle = kept
	for u := range s.crew.users {
		if s.crew.users[u].process == p {
			s.crew.users[u].process = none
		}
	}
	var again []int32
	for r := range s.requests {
		q := &s.requests[r]
		if q.process != p {
			continue
		}
		if q.flags&waits != 0 {
			s.remove(&pr.queue, int32(r))
			s.tally.queue(s, -1)
		} else {
			pr.busy--
			s.tally.hold(s, -1)
		}
		q.kept = false
		if s.Server.Repeats && q.flags&(used|once|abandoned) == used {
			s.letGo(int32(r))
			q.generation++
			q.flags &^= used | waits
			q.process, q.step = none, knocked
			again = append(again, int32(r))
			continue
		}
		s.lose(int32(r), load.KindClosed, 0)
		pr = &s.processes[p]
	}
	for _, st := range []*station{&pr.loop, &pr.pool, &pr.database} {
		s.close(st)
	}
	pr.busy = 0
	pr.queue = newFifo()
	s.tally.restarts++
	s.events.push(event{at: s.now + int64(s.Server.Restart), of: p, what: restarting})
	for _, r := range again {
		s.enter(r)
	}
}

// restarted is the successor of a process.
func (s *sim) restarted(p int32) {
	pr := &s.processes[p]
	pr.dead = false
	s.begin(p)
	s.admitNext(p)
}
