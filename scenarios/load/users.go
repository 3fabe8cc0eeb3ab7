package load

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// A crew is the users of all closed stages. A user sends, waits for the
// answer, thinks, and sends again, for as long as there are to be so many
// users. It goes from one stage to the next with what it has under way: were
// each stage to bring its own users, those of the last would for a while stand
// in line with them, and the server would see more than there are to be.
//
// vegeta's dispatcher has no part in it: there is nothing to dispatch, and the
// two hand-overs between goroutines that it needs for each hit, with the
// request it makes, cost a third of a small exchange. Where the traffic allows
// it, users don't even have goroutines of their own: see loop.
type crew struct {
	run    *run
	all    sync.WaitGroup
	places []atomic.Uint64 // for each stage, how many hits were sent in it
	state  atomic.Uint64   // stage<<32 | how many users there are to be

	mu      sync.Mutex
	here    []bool        // which users there are, by number; the last ones leave first
	changed chan struct{} // closed when state changes, and replaced
}

// closedStages runs the closed stages, each at its time, and returns when every
// hit of theirs has ended, but for those of users who live on loops.
func (r *run) closedStages() {
	c := &crew{run: r, places: make([]atomic.Uint64, len(r.attack.Stages)), changed: make(chan struct{})}
	c.follow(r.stop)
	c.set(0, 0)
	c.all.Wait()
}

// follow keeps the number of users as the stages want it, until the last one
// is over.
func (c *crew) follow(ctx context.Context) {
	at := func(t time.Duration) bool { return pause(ctx, time.Until(c.run.began.Add(t))) }
	var start time.Duration
	for i := range c.run.attack.Stages {
		s := &c.run.attack.Stages[i]
		if s.Open() {
			if !at(start) {
				return
			}
			c.set(i, 0)
			start += s.For
			continue
		}
		for k := range max(1, s.Levels) {
			if !at(start + s.levelFrom(k)) {
				return
			}
			c.set(i, s.usersOn(k))
		}
		start += s.For
	}
	at(start)
}

// set changes how many users there are to be. New ones begin at once.
func (c *crew) set(stage, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state.Store(uint64(stage)<<32 | uint64(n))
	c.here = append(c.here, make([]bool, max(0, n-len(c.here)))...)
	for number := range n {
		if !c.here[number] {
			c.here[number] = true
			by, begin := c.run.home(number)
			u := &user{crew: c, number: number, caller: by}
			if begin == nil {
				begin = c.all.Go
			}
			begin(u.live)
		}
	}
	close(c.changed)
	c.changed = make(chan struct{})
}

// wants says which stage is on, and whether the user has a part in it.
func (c *crew) wants(number int) (stage int, ok bool) {
	v := c.state.Load()
	return int(v >> 32), number < int(uint32(v)) && c.run.stop.Err() == nil
}

// turn is wants for a user who leaves if not.
func (c *crew) turn(number int) (stage int, ok bool) {
	if stage, ok = c.wants(number); ok {
		return stage, true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if stage, ok = c.wants(number); !ok { // still
		c.here[number] = false
	}
	return stage, ok
}

// watch is wants with what tells when the answer may be another.
func (c *crew) watch(number int) (stage int, ok bool, changed <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	stage, ok = c.wants(number)
	return stage, ok, c.changed
}

// A user is one client of a closed loop.
type user struct {
	crew   *crew
	number int
	caller caller
	rng    *rand.Rand
	timer  *time.Timer
	flight flight
	hit    Hit
}

// live sends requests until the user is one too many.
func (u *user) live() {
	r := u.crew.run
	for {
		stage, ok := u.crew.turn(u.number)
		if !ok {
			r.leave(&u.flight)
			return
		}
		u.flight.reset()
		u.flight.stage = stage
		u.flight.seq = UsersHit(stage, u.crew.places[stage].Add(1))
		sent := r.hit(u.caller, &u.flight)
		u.hit = u.flight.hit(sent, nil)
		u.hit.Seq = u.flight.number
		r.report(&u.hit)
		u.think()
	}
}

// think waits as long as the stage that is on wants. A user whose thinking a
// new stage interrupts goes on with what is left of it, shortened or prolonged
// as the think time is: so users that were spread out in time remain so.
func (u *user) think() {
	stages := u.crew.run.attack.Stages
	if stages[u.flight.stage].Think <= 0 {
		return
	}
	stage, ok, changed := u.crew.watch(u.number)
	left := u.draw(&stages[stage])
	for ok && left > 0 {
		began := time.Now()
		if u.timer == nil {
			u.timer = time.NewTimer(left)
		} else {
			u.timer.Reset(left)
		}
		select {
		case <-u.timer.C:
			return
		case <-changed:
			u.timer.Stop()
		}
		left -= time.Since(began)
		was := stages[stage].Think
		stage, ok, changed = u.crew.watch(u.number)
		left = time.Duration(float64(left) * float64(stages[stage].Think) / float64(was))
	}
}

// draw is how long the user thinks this time.
func (u *user) draw(s *Stage) time.Duration {
	if !s.ThinkExponential {
		return s.Think
	}
	if u.rng == nil {
		u.rng = thinking(u.crew.run.attack.Seed, u.number)
	}
	return time.Duration(u.rng.ExpFloat64() * float64(s.Think))
}

// pause waits; false: ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
