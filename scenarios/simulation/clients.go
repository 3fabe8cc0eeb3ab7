package simulation

import (
	"time"

	"gatewaylab/scenarios/load"
)

// foresee looks when the next arrival is due.
func (s *sim) foresee() {
	due, stage, number, ok := s.foresight.Next()
	if !ok {
		s.dueAt = never
		return
	}
	s.dueAt, s.dueStage, s.dueNumber = int64(due), stage, number
}

// arrive sends the hit that is due, if there may be one more under way.
func (s *sim) arrive() {
	p := promise{s.dueAt, s.dueStage, s.dueNumber}
	s.foresee()
	s.tally.due(p.due)
	if s.openHits >= s.bound {
		s.late = append(s.late, p)
		return
	}
	s.send(p, none)
}

// openEnded makes room for a hit that is late. From the end of the attack on
// none is sent any more.
func (s *sim) openEnded() {
	s.openHits--
	if s.lateFirst == len(s.late) {
		return
	}
	if s.now >= s.length {
		return
	}
	p := s.late[s.lateFirst]
	s.lateFirst++
	if s.lateFirst == len(s.late) {
		s.late, s.lateFirst = s.late[:0], 0
	}
	s.send(p, none)
}

// send sends a hit; user is none in an open stage.
func (s *sim) send(p promise, user int32) {
	r := s.fresh()
	kind := s.foresight.Request(p.number)
	s.numbers = s.foresight.Draws(s.numbers[:0], kind, p.number)
	d := s.Demand(kind, s.numbers, p.number)
	q := &s.requests[r]
	q.due, q.sent, q.number, q.stage, q.kind, q.user = p.due, s.now, p.number, int32(p.stage), int32(kind), user
	s.ask(q, &d)
	if user == none {
		s.openHits++
	}
	s.waitsForAnswer(r)
	s.tally.Requests++
	s.over = s.tally.Requests >= s.most
	if s.straight && q.todo[taking] == 0 {
		q.step = knocked
	}
	s.enter(r)
}

// ask notes what a request has to get.
func (s *sim) ask(q *request, d *Demand) {
	all := &q.todo
	all[taking], all[own], all[waiting], all[blocking] = int64(d.Taking), int64(s.Server.Overhead+s.Server.Start), int64(d.Wait), int64(d.Block)
	all[asking], all[working], all[locking], all[giving] = int64(d.Query), int64(d.Work), int64(d.Lock), int64(d.Giving)
	q.rest = int64(d.Rest)
	if all[waiting]|all[blocking]|all[asking] == 0 && d.Call == 0 && !d.Hang && !d.Crash && s.Server.Pool == 0 {
		all[own], all[working] = all[own]+all[working], 0 // one go, where nothing is between them
	}
	q.asks = 0
	for phase, t := range all {
		if t != 0 {
			q.asks |= 1 << phase
		}
	}
	q.call = int32(d.Call)
	if d.Call > 0 {
		all[asking] = int64(d.Patience)
		q.asks |= 1 << asking
	}
	if q.asks == 0 && s.Server.Sending == 0 {
		q.todo[waiting] = instant // or a closed loop would turn round for ever in no time
		q.asks = 1 << waiting
	}
	if d.Hang {
		q.flags |= hangs
		q.asks |= 1 << waiting
	}
	if d.Crash {
		q.flags |= crashes
		q.asks |= 1 << waiting
	}
	if d.Fault {
		q.flags |= harmful
	}
	if d.Once {
		q.flags |= once
	}
	if d.Talks {
		q.flags |= talks
	}
}

// A crew is the users of the closed stages.
type crew struct {
	users  []user
	wanted int
	stage  int
	places []uint64 // hits sent in each stage
	steps  []step
}

type user struct {
	here    bool
	heard   bool  // it has had an answer
	process int32 // to which it has a connection; none
	think   func() float64
}

// A step is a change of the number of users.
type step struct{ stage, users int }

// begin schedules the changes.
func (c *crew) begin(s *sim) {
	stages := s.Attack.Stages
	c.places = make([]uint64, len(stages))
	closed := false
	var at time.Duration
	for i := range stages {
		st := &stages[i]
		closed = closed || !st.Open()
		for k := range max(1, st.Levels) {
			if st.Open() {
				c.add(s, at, step{i, 0})
				break
			}
			from := at + time.Duration(mulDiv(int64(st.For), int64(k), int64(max(1, st.Levels))))
			c.add(s, from, step{i, st.UsersAt(from - at + 1)})
		}
		at += st.For
	}
	if !closed {
		s.events.heap = s.events.heap[:0]
		return
	}
	c.add(s, at, step{len(stages) - 1, 0})
}

func (c *crew) add(s *sim, at time.Duration, to step) {
	c.steps = append(c.steps, to)
	s.events.push(event{at: int64(at), of: int32(len(c.steps) - 1), what: level})
}

// set changes the number of users. New ones begin at once.
func (c *crew) set(s *sim, number int) {
	to := c.steps[number]
	c.stage, c.wanted = to.stage, to.users
	for len(c.users) < to.users {
		c.users = append(c.users, user{process: none})
	}
	for u := range to.users {
		if !c.users[u].here {
			c.users[u].here = true
			c.wake(s, u)
		}
	}
}

// wake has a user send, or leave if it is one too many.
func (c *crew) wake(s *sim, u int) {
	if u >= c.wanted || s.now >= s.length {
		c.users[u].here = false
		if p := c.users[u].process; p != none {
			c.users[u].process = none
			if !s.processes[p].dead {
				s.processes[p].open--
				s.admitNext(p)
			}
		}
		return
	}
	c.places[c.stage]++
	s.send(promise{s.now, c.stage, load.UsersHit(c.stage, c.places[c.stage])}, int32(u))
}

// instant is what a request takes that takes no time.
const instant = int64(1)

// turnaround is how long it takes a client to hear of what takes no time, mostly
// that it is turned away, and to ask again: a little, or users would turn round for ever in no time.
const turnaround = int64(100 * time.Microsecond)

// answered has a user think, and then send again. That goes by way of an
// event even if there is nothing to think about: what else happens at this
// moment comes first. Lost says that it has lost its connection, and after is
// how long it has waited.
func (c *crew) answered(s *sim, u int32, lost bool, after int64) {
	who := &c.users[u]
	if lost {
		who.process = none
	} else {
		who.heard = true
	}
	st := &s.Attack.Stages[c.stage]
	d := int64(st.Think)
	if st.ThinkExponential {
		if who.think == nil {
			who.think = s.Attack.Thinking(int(u))
		}
		d = int64(who.think() * float64(st.Think))
	}
	if after <= instant {
		d = max(d, turnaround)
	}
	s.events.push(event{at: s.now + d, of: u, what: waking})
}
