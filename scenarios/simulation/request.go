package simulation

// none is no request, no process, no user.
const none = int32(-1)

// What a request goes through at a process, in this order. Each takes what of
// Demand its name says.
const (
	taking = iota
	own    // the server's own CPU time for it
	waiting
	blocking
	asking // the database or another service
	working
	locking
	giving
	phases
)

// Where a request is.
const (
	beforeSent   = iota // a slow client sends it to someone who buffers
	sending             // it costs the load generator
	atFront             // it wants a place at an instance
	throughFront        // it costs the front
	knocked             // it wants a process
	serving             // from here on 3 × phase + 0 … 2: wanting a server of the phase's, having it, letting go of it
)

const served = serving + 3*phases

// A request is one hit on its way.
type request struct {
	due, sent  int64
	todo       [phases]int64
	rest       int64 // of the answer, after the server has done with it
	number     uint64
	generation uint32
	next       int32 // in whatever queue it stands
	older      int32 // in the list of those whose client waits
	newer      int32
	user       int32 // none in an open stage; of a crowd, the client
	crowd      int32 // none: of the load
	process    int32
	back       int32
	kind       int32
	stage      int32
	call       int32
	step       uint8
	knocks     uint8
	flags      uint16
	asks       uint8 // a bit for each phase that it goes through
	kept       bool  // its connection has been accepted
}

// A request's flags.
const (
	abandoned = 1 << iota // its client has gone
	hangs
	crashes
	harmful
	failing // what the server will answer is an error: 502,
	overdue // or 504
	placed  // it has a place at the front's instance
	waits   // it stands in a queue for a slot
	used    // its connection had served another before
	once    // it is not sent again
	outside // its front can't connect, since the listen queue is full
	talks   // its answer comes in pieces
)

// A fifo is a queue of requests, which are linked by their next.
type fifo struct {
	first, last int32
	n           int
}

func newFifo() fifo { return fifo{none, none, 0} }

func (s *sim) push(q *fifo, r int32) {
	s.requests[r].next = none
	if q.last == none {
		q.first = r
	} else {
		s.requests[q.last].next = r
	}
	q.last = r
	q.n++
}

func (s *sim) pop(q *fifo) int32 {
	r := q.first
	if r == none {
		return none
	}
	q.first = s.requests[r].next
	if q.first == none {
		q.last = none
	}
	q.n--
	return r
}

// remove takes a request out of a queue; false if it isn't in it.
func (s *sim) remove(q *fifo, r int32) bool {
	before := none
	for k := q.first; k != none; before, k = k, s.requests[k].next {
		if k != r {
			continue
		}
		after := s.requests[k].next
		if before == none {
			q.first = after
		} else {
			s.requests[before].next = after
		}
		if q.last == k {
			q.last = before
		}
		q.n--
		return true
	}
	return false
}

// A station is a number of places of one kind that requests take and wait for.
type station struct {
	kind, places, free int
	queue              fifo
}

func newStation(kind, places int) station { return station{kind, places, places, newFifo()} }

// close ends a station whose process has died.
func (s *sim) close(st *station) {
	s.tally.use(s, st.kind, st.free-st.places)
	st.free = st.places
}

// pass gives a place back, to the one who has waited longest.
func (s *sim) pass(st *station) {
	r := s.pop(&st.queue)
	if r == none {
		st.free++
		s.tally.use(s, st.kind, -1)
		return
	}
	s.requests[r].step++
	s.enter(r)
}

// fresh returns a request that nobody uses.
func (s *sim) fresh() int32 {
	r := s.free
	if r == none {
		s.requests = append(s.requests, request{})
		r = int32(len(s.requests) - 1)
	} else {
		s.free = s.requests[r].next
	}
	q := &s.requests[r]
	// One by one, and without todo, which ask sets: a copy of the whole costs more.
	q.next, q.older, q.newer, q.user, q.crowd, q.process, q.back = none, none, none, none, none, none, none
	q.due, q.sent, q.number, q.kind, q.stage = 0, 0, 0, 0, 0
	q.step, q.knocks, q.flags, q.kept = 0, 0, 0, false
	return r
}

// forget frees the place of a request that neither client nor server has.
func (s *sim) forget(r int32) {
	q := &s.requests[r]
	q.generation++
	q.next = s.free
	s.free = r
}

// waitsForAnswer puts a request among those whose client waits.
func (s *sim) waitsForAnswer(r int32) {
	q := &s.requests[r]
	q.older, q.newer = s.newest, none
	if s.newest == none {
		s.oldest = r
	} else {
		s.requests[s.newest].newer = r
	}
	s.newest = r
}

func (s *sim) waitsNoMore(r int32) {
	q := &s.requests[r]
	if q.older == none {
		s.oldest = q.newer
	} else {
		s.requests[q.older].newer = q.newer
	}
	if q.newer == none {
		s.newest = q.older
	} else {
		s.requests[q.newer].older = q.older
	}
}
