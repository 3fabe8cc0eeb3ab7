package load

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// users runs a closed stage: so many goroutines as there are users, each of
// which sends, waits for the answer, thinks, and sends again. vegeta's
// dispatcher has no part in it: there is nothing to dispatch, and the two
// hand-overs between goroutines that it needs for each hit, with the request
// it makes, cost a third of a small exchange.
func (r *run) users(index int, start time.Duration) {
	s := &r.attack.Stages[index]
	var active atomic.Int64
	var all sync.WaitGroup
	ctx, cancel := context.WithDeadline(r.stop, r.began.Add(start+s.For))
	defer all.Wait()
	defer cancel()
	levels := max(1, s.Levels)
	for k, running := 0, 0; k < levels; k++ {
		at := s.For * time.Duration(k) / time.Duration(levels)
		if !pause(r.stop, time.Until(r.began.Add(start+at))) {
			return
		}
		n := s.UsersAt(at)
		active.Store(int64(n))
		for ; running < n; running++ {
			u := &user{run: r, stage: index, number: running, active: &active}
			all.Go(func() { u.live(ctx) })
		}
		// Who leaves at the next level isn't there to come back after it.
		running = n
	}
	<-ctx.Done()
}

// A user is one client of a closed loop.
type user struct {
	run    *run
	stage  int
	number int
	active *atomic.Int64
	flight flight
}

// live sends requests until the stage is over or the user is one too many.
func (u *user) live(ctx context.Context) {
	s := &u.run.attack.Stages[u.stage]
	var rng *rand.Rand
	if s.ThinkExponential {
		rng = rand.New(rand.NewPCG(u.run.attack.Seed, uint64(u.stage)<<32|uint64(u.number)))
	}
	for ctx.Err() == nil && int64(u.number) < u.active.Load() {
		u.flight.reset()
		u.flight.stage = u.stage
		sent := u.run.hit(&u.flight)
		h := u.flight.hit(sent, nil)
		h.Seq = u.flight.number
		u.run.report(&h)
		think := s.Think
		if rng != nil {
			think = time.Duration(rng.ExpFloat64() * float64(think))
		}
		if think > 0 && !pause(ctx, think) {
			return
		}
	}
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
