package simulation

import (
	"math"
	"time"

	"gatewaylab/scenarios/load"
)

// A listener is a listen queue and the processes that accept from it.
type listener struct {
	queue     fifo
	outside   fifo // of a front's that find it full
	processes []int32
	// free are those processes that have nothing to do, if each does one thing
	// at a time: the one that has waited longest is woken first.
	free      []int32
	freeFirst int
	freeCount int
}

// A process serves requests.
type process struct {
	listener, instance int32
	busy               int  // requests in its slots
	left               int  // requests until it is replaced; only with Serves
	queue              fifo // of those that wait for one inside
	open               int  // connections kept
	loop, pool         station
	database           station // its connections
	dead, resting      bool    // resting: it is among its listener's free ones
}

// build makes listeners and processes.
func (s *sim) build() {
	v := &s.Server
	s.tracks = v.Keeps && v.Front == nil && (v.Connections > 0 || v.Processes > 1 || v.Repeats)
	s.single = v.Slots == 1 && v.Queue == 0 && !v.Refuses && !s.tracks
	s.straight = v.Front == nil && v.Sending == 0
	shared := v.Front != nil && v.Front.Balance == "shared"
	for i := range v.Instances {
		if i == 0 || !shared {
			s.listeners = append(s.listeners, listener{queue: newFifo(), outside: newFifo()})
			s.backs = append(s.backs, back{queue: newFifo()})
		}
		l := &s.listeners[len(s.listeners)-1]
		for range v.Processes {
			l.processes = append(l.processes, int32(len(s.processes)))
			s.processes = append(s.processes, process{
				listener: int32(len(s.listeners) - 1), instance: int32(i), queue: newFifo(),
				loop: newStation(loops, 1), pool: newStation(pools, v.Pool), database: newStation(queries, v.Queries),
			})
		}
	}
	for i := range s.listeners {
		s.listeners[i].free = make([]int32, len(s.listeners[i].processes))
	}
	for p := range s.processes {
		s.begin(int32(p))
		s.rest(int32(p))
	}
}

// begin says how many requests a new process is to serve.
func (s *sim) begin(p int32) {
	if v := &s.Server; v.Serves > 0 {
		s.processes[p].left = v.Serves + s.rng.IntN(v.Jitter+1)
	}
}

// rest puts a process among the free ones.
func (s *sim) rest(p int32) {
	pr := &s.processes[p]
	if pr.resting || pr.dead || pr.busy > 0 || !s.single {
		return
	}
	l := &s.listeners[pr.listener]
	at := l.freeFirst + l.freeCount
	if at >= len(l.free) {
		at -= len(l.free)
	}
	l.free[at] = p
	l.freeCount++
	pr.resting = true
}

// room says whether a process accepts a connection.
func (s *sim) room(p int32) bool {
	pr, v := &s.processes[p], &s.Server
	switch {
	case pr.dead || v.Connections > 0 && s.tracks && pr.open >= v.Connections:
		return false
	case v.Slots == 0 || v.Refuses:
		return true
	}
	return pr.busy+pr.queue.n < v.Slots+v.Queue
}

// accepts picks the process that accepts a connection; none if there is none.
func (s *sim) accepts(l *listener) int32 {
	if s.single {
		for l.freeCount > 0 {
			p := l.free[l.freeFirst]
			if l.freeFirst++; l.freeFirst == len(l.free) {
				l.freeFirst = 0
			}
			l.freeCount--
			s.processes[p].resting = false
			if !s.processes[p].dead {
				return p
			}
		}
		return none
	}
	best, least := none, math.MaxInt
	s.turn++
	for i := range l.processes {
		p := l.processes[(uint64(i)+s.turn)%uint64(len(l.processes))]
		if pr := &s.processes[p]; s.room(p) && pr.busy+pr.queue.n < least {
			best, least = p, pr.busy+pr.queue.n
		}
	}
	return best
}

// connect brings a request to a process: over the connection that its client
// has, or through the listen queue. False: it has to wait, or was turned away.
func (s *sim) connect(r int32) bool {
	q := &s.requests[r]
	if s.tracks && q.crowd == none && q.flags&abandoned == 0 {
		if p := s.connection(q); p != none {
			q.kept = true
			q.flags |= used
			return s.admit(p, r)
		}
	}
	l := s.listener(q)
	if l.queue.first == none {
		if p := s.accepts(l); p != none {
			s.listen(r)
			return s.accept(p, r)
		}
	}
	switch v := &s.Server; {
	case v.Door > 0 && l.queue.n >= v.Door:
		s.refuse(r, "status 503", 503)
	case v.Door > 0 || l.queue.n <= v.Backlog:
		q.flags |= waits
		s.push(&l.queue, r)
		s.tally.queue(s, 1)
		s.listen(r)
	case v.Front != nil:
		s.keepTrying(l, r)
	default:
		// The kernel drops what finds the queue full; the client's tries again after
		// 1 s, then twice as long each time (RFC 6298 section 5.5).
		s.events.push(event{at: s.now + int64(time.Second)<<q.knocks, of: r, generation: q.generation, what: knocking})
	}
	return false
}

// listener is where a request is to be accepted.
func (s *sim) listener(q *request) *listener {
	if q.back != none {
		return &s.listeners[q.back]
	}
	return &s.listeners[0]
}

// lastKnock is how many times the client's kernel tries again before it tells
// that the connection has timed out: Linux's tcp_syn_retries, 127 s in all.
const lastKnock = 6

// knock tries again to connect a request that found the listen queue full.
func (s *sim) knock(r int32) {
	q := &s.requests[r]
	if q.knocks == lastKnock {
		s.refuse(r, load.KindTimeout, 0)
		return
	}
	q.knocks++
	s.enter(r)
}

// connection is the process of a connection that is open and idle.
func (s *sim) connection(q *request) int32 {
	if q.user != none {
		return s.crew.users[q.user].process
	}
	if n := len(s.idle); n > 0 {
		p := s.idle[n-1]
		s.idle = s.idle[:n-1]
		return p
	}
	return none
}

// accept gives a process a new connection.
func (s *sim) accept(p, r int32) bool {
	q := &s.requests[r]
	if s.tracks && q.crowd == none && q.flags&abandoned == 0 {
		q.kept = true
		s.processes[p].open++
		if q.user != none {
			s.crew.users[q.user].process = p
		}
	}
	return s.admit(p, r)
}

// admit gives a process a request; true if it is served at once.
func (s *sim) admit(p, r int32) bool {
	pr, q, v := &s.processes[p], &s.requests[r], &s.Server
	switch {
	case v.Slots == 0 || pr.busy < v.Slots:
		s.hold(p, r)
		return true
	case v.Refuses && pr.queue.n >= v.Queue:
		s.refuse(r, "status 503", 503)
		return false
	}
	q.process = p
	q.flags |= waits
	s.push(&pr.queue, r)
	s.tally.queue(s, 1)
	return false
}

// hold gives a request a slot.
func (s *sim) hold(p, r int32) {
	pr, q, v := &s.processes[p], &s.requests[r], &s.Server
	pr.busy++
	s.tally.hold(s, 1)
	q.process = p
	q.flags &^= waits
	if v.Front != nil && v.Front.Slow > 1 && pr.instance == 0 {
		for _, phase := range []int{waiting, blocking, asking, locking} {
			if phase != asking || q.call == 0 { // a call is another's to take
				q.todo[phase] *= int64(v.Front.Slow)
			}
		}
	}
	if v.Timeout > 0 {
		total := int64(0)
		for _, d := range q.todo[own:giving] { // a process shows that it waits for its client
			total += d
		}
		if q.flags&hangs != 0 || 4*total >= int64(v.Timeout) {
			s.events.push(event{at: s.now + q.todo[taking] + int64(v.Timeout), of: r, generation: q.generation, what: killing})
		}
	}
}

// vacate takes a request's slot away and gives it to the next.
func (s *sim) vacate(p int32) {
	pr := &s.processes[p]
	if pr.dead {
		return
	}
	pr.busy--
	s.tally.hold(s, -1)
	if s.Server.Serves > 0 {
		if pr.left--; pr.left == 0 { // nobody else is inside
			pr.dead = true
			s.events.push(event{at: s.now + int64(s.Server.Restart), of: p, what: restarting})
			return
		}
	}
	s.admitNext(p)
}

// admitNext fills a process with those who wait.
func (s *sim) admitNext(p int32) {
	pr := &s.processes[p]
	for !pr.dead && pr.queue.first != none && pr.busy < s.Server.Slots {
		r := s.pop(&pr.queue)
		s.tally.queue(s, -1)
		s.hold(p, r)
		s.requests[r].step = serving
		s.enter(r)
	}
	l := &s.listeners[s.processes[p].listener]
	for l.queue.first != none && s.room(p) {
		r := s.pop(&l.queue)
		s.tally.queue(s, -1)
		s.letIn(l)
		q := &s.requests[r]
		q.flags &^= waits
		if q.flags&abandoned != 0 && s.Server.Abandons {
			s.leaveFront(r)
			s.forget(r)
			continue
		}
		if s.accept(p, r) {
			s.requests[r].step = serving
			s.enter(r)
		}
	}
	s.rest(p)
}

// disconnect closes the connection of a client that gives up, or was failed.
func (s *sim) disconnect(q *request) {
	if !q.kept {
		return
	}
	q.kept = false
	p := q.process
	if q.user != none {
		p = s.crew.users[q.user].process
		s.crew.users[q.user].process = none
	}
	if p != none && !s.processes[p].dead {
		s.processes[p].open--
		s.admitNext(p)
	}
}
