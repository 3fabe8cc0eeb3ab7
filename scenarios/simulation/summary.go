package simulation

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// A Summary is what came of a run, by itself: of the window alone, as a trial
// has it. Requests of open stages belong to the window they were due in,
// others to the one they ended in.
type Summary struct {
	Window     time.Duration
	Requests   uint64 // simulated in all, warm-up included
	Due        uint64 // of open stages, in the window
	Unsent     uint64 // of those, never sent
	Succeeded  uint64 // ended in the window
	Failed     uint64
	TimedOut   uint64        // of Failed, given up by their clients
	TurnedAway uint64        // of Failed, answered 503
	Unfinished uint64        // under way at the end: those of a closed loop, and those that nothing would ever have answered
	Response   time.Duration // the mean of the successful
	// Means over the window: slots that held a request, requests that waited for
	// a slot, a thread, a connection, a lock or a service's turn, cores in use by all that is simulated.
	Busy, Queue, Cores float64
	Restarts           uint64 // processes that died, in the whole run
	// Utilisation is the share in use, on average, of what is used most: the
	// cores, slots, loops and their pools, connections to the database, the lock,
	// or the places that a front gives.
	Utilisation float64
	// Users is how many users there were, and Unanswered how many of them never
	// had an answer, and of the open stages' requests when the run was over.
	Users, Unanswered uint64
	// Ended is the virtual time at which the run was ended by Config.Most, and
	// the window with it; 0 if it wasn't.
	Ended time.Duration

	histogram *hdrhistogram.Histogram // µs
}

// Goodput is successes per second.
func (s *Summary) Goodput() float64 { return float64(s.Succeeded) / s.Window.Seconds() }

// Quantile is the response time that a share q of the successes didn't exceed.
func (s *Summary) Quantile(q float64) time.Duration {
	return time.Duration(s.histogram.ValueAtQuantile(100*q)) * time.Microsecond
}

// Of what there are places, besides slots and cores.
const (
	loops = iota
	pools
	queries
	locks
	places // of a front's
	kinds
)

// A use is how many places of a kind are taken, over time.
type use struct {
	taken int
	since int64
	area  float64
}

// A tally counts.
type tally struct {
	Summary
	from, to  int64
	inside    bool
	measured  uint64
	sum       float64 // of response times, ns
	held      int
	queued    int
	heldSince int64
	waitSince int64
	heldArea  float64
	waitArea  float64
	coresFrom float64
	uses      [kinds]use
	restarts  uint64
}

func (t *tally) begin(s *sim) {
	t.from, t.to = int64(s.From), int64(s.To)
	if t.to == 0 {
		t.to = s.length
	}
	t.histogram = hdrhistogram.New(1, (5 * time.Minute).Microseconds(), 3)
}

// schedule puts the ends of the window among the events.
func (t *tally) schedule(s *sim) {
	s.events.push(event{at: t.from, of: 1, what: measuring})
	s.events.push(event{at: t.to, of: 0, what: measuring})
}

// window begins or ends the window.
func (t *tally) window(s *sim, begins bool) {
	s.cores.advance(s.now)
	if begins {
		t.inside = true
		t.heldSince, t.waitSince, t.coresFrom = s.now, s.now, s.cores.used
		for i := range t.uses {
			t.uses[i].since = s.now
		}
		return
	}
	if !t.inside {
		return
	}
	t.hold(s, 0)
	t.queue(s, 0)
	for kind := range t.uses {
		t.use(s, kind, 0)
	}
	t.inside = false
	t.Cores = (s.cores.used - t.coresFrom) / float64(t.to-t.from)
}

func (t *tally) hold(s *sim, change int) {
	if t.inside {
		t.heldArea += float64(t.held) * float64(s.now-t.heldSince)
		t.heldSince = s.now
	}
	t.held += change
}

func (t *tally) queue(s *sim, change int) {
	if t.inside {
		t.waitArea += float64(t.queued) * float64(s.now-t.waitSince)
		t.waitSince = s.now
	}
	t.queued += change
}

func (t *tally) use(s *sim, kind, change int) {
	u := &t.uses[kind]
	if t.inside {
		u.area += float64(u.taken) * float64(s.now-u.since)
		u.since = s.now
	}
	u.taken += change
}

// cut ends the window early.
func (t *tally) cut(now int64) {
	t.Ended = time.Duration(now)
	t.to = max(t.from, min(t.to, now))
}

// stood counts a wait whose end is known when it begins.
func (t *tally) stood(from, to int64) {
	t.waitArea += float64(max(0, min(to, t.to)-max(from, t.from)))
}

func (t *tally) within(at int64) bool { return at >= t.from && at < t.to }

func (t *tally) due(at int64) {
	if t.within(at) {
		t.Due++
	}
}

func (t *tally) count(s *sim, q *request, o outcome) {
	if o.cut || q.flags&harmful != 0 {
		return
	}
	ended := t.within(s.now)
	mine := ended
	if q.user == none {
		mine = t.within(q.due)
	}
	if ended && o.kind == "" {
		t.Succeeded++
	}
	switch {
	case !mine:
	case o.kind == "":
		d := s.now - q.due
		t.measured++
		t.sum += float64(d)
		_ = t.histogram.RecordValue(max(1, min(d/1000, t.histogram.HighestTrackableValue()))) // in range by construction
	default:
		t.Failed++
		switch o.code {
		case 0:
			t.TimedOut++
		case 503:
			t.TurnedAway++
		}
	}
}

func (t *tally) end(s *sim) {
	if t.inside {
		t.window(s, false)
	}
	for _, p := range s.late[s.lateFirst:] {
		if t.within(p.due) {
			t.Unsent++
		}
	}
	t.Users = uint64(len(s.crew.users))
	for i := range s.crew.users {
		if !s.crew.users[i].heard {
			t.Unanswered++
		}
	}
}

func (s *sim) summary() *Summary {
	t := &s.tally
	sum := t.Summary
	length := float64(max(1, t.to-t.from))
	sum.Window = time.Duration(t.to - t.from)
	if t.measured > 0 {
		sum.Response = time.Duration(t.sum / float64(t.measured))
	}
	sum.Busy, sum.Queue, sum.Restarts = t.heldArea/length, t.waitArea/length, t.restarts
	v := &s.Server
	processes := v.Instances * v.Processes
	there := [kinds]int{loops: processes, pools: processes * v.Pool, queries: processes * v.Queries, locks: 1}
	if v.Front != nil {
		there[places] = len(s.backs) * v.Front.PerInstance
	}
	sum.Utilisation = sum.Cores / float64(v.Cores)
	if v.Slots > 0 {
		sum.Utilisation = max(sum.Utilisation, sum.Busy/float64(processes*v.Slots))
	}
	for kind, n := range there {
		if n > 0 {
			sum.Utilisation = max(sum.Utilisation, t.uses[kind].area/length/float64(n))
		}
	}
	return &sum
}
