package simulation

import (
	"testing"
	"time"
)

// Utilisation is of whatever is used most.
func TestUtilisation(t *testing.T) {
	wait, query := Demand{Wait: 20 * time.Millisecond}, Demand{Query: 20 * time.Millisecond}
	block, lock := Demand{Block: 2 * time.Millisecond}, Demand{Lock: 10 * time.Millisecond}
	work := Demand{Work: 10 * time.Millisecond}
	one := Server{Cores: 4, Instances: 1, Processes: 1, Keeps: true}
	for name, row := range map[string]struct {
		change func(*Server)
		demand Demand
		want   float64
	}{
		"slots":       {func(v *Server) { v.Slots, v.Backlog = 4, 1<<20 }, wait, .5},
		"cores":       {func(*Server) {}, work, .25},
		"loop":        {func(v *Server) { v.Loop = true }, block, .2},
		"pool":        {func(v *Server) { v.Loop, v.Pool = true, 1 }, block, .2},
		"overhead":    {func(v *Server) { v.Loop, v.Overhead = true, 8*time.Millisecond }, wait, .8},
		"connections": {func(v *Server) { v.Queries = 5 }, query, .4},
		"lock":        {func(v *Server) { v.Processes, v.Slots, v.Backlog = 16, 1, 1<<20 }, lock, 1},
		"places":      {func(v *Server) { v.Front = &Front{PerInstance: 8, Queue: 1 << 20} }, wait, .25},
	} {
		v := one
		row.change(&v)
		s := simulate(t, &Config{Attack: poisson(100, 100_000, 5), Demand: func(int, []int64, uint64) Demand { return row.demand }, Server: v})
		within(t, name, s.Utilisation, row.want, .02)
	}
	n := 0
	crashes := func(int, []int64, uint64) Demand {
		n++
		return Demand{Block: 2 * time.Millisecond, Crash: n%1000 == 0}
	}
	one.Loop, one.Restart = true, 10*time.Millisecond
	s := simulate(t, &Config{Attack: poisson(100, 100_000, 5), Demand: crashes, Server: one})
	within(t, "a loop that dies now and then", s.Utilisation, .2, .02)
}

// Who never has an answer is counted: a user who is never let in, and a request
// that nothing will ever answer.
func TestUnanswered(t *testing.T) {
	v := Server{Cores: 1, Instances: 1, Processes: 1, Keeps: true, Connections: 3, Backlog: 1 << 10}
	s := simulate(t, &Config{Attack: closed(10, 0, time.Second), Demand: fixed(50 * time.Millisecond), Server: v})
	if s.Users != 10 || s.Unanswered != 7 {
		t.Errorf("of %d users %d had no answer", s.Users, s.Unanswered)
	}
	hangs := func(int, []int64, uint64) Demand { return Demand{Hang: true} }
	if s = simulate(t, &Config{Attack: poisson(10, 100, 1), Demand: hangs, Server: workers(1)}); s.Users != 0 || s.Unanswered != s.Requests {
		t.Errorf("of %d requests %d had no answer", s.Requests, s.Unanswered)
	}
	a := poisson(10, 100, 1)
	a.MaxInFlight = 4
	if s = simulate(t, &Config{Attack: a, Demand: hangs, Server: workers(1)}); s.Unanswered != 4 || s.Unsent != s.Due-4 {
		t.Errorf("of %d requests %d had no answer and %d were not sent", s.Due, s.Unanswered, s.Unsent)
	}
}

// A run is ended after so many requests, and says of the time until then what a
// whole one says.
func TestMost(t *testing.T) {
	c := &Config{Attack: poisson(60, 1_000_000, 3), Demand: exponential(1, 50*time.Millisecond), Server: workers(4), From: 10 * time.Second, Most: 200_000}
	s := simulate(t, c)
	if s.Requests != c.Most || s.Ended < 3000*time.Second || s.Ended > 3600*time.Second || s.Window != s.Ended-c.From {
		t.Errorf("%d requests, ended at %v, a window of %v", s.Requests, s.Ended, s.Window)
	}
	within(t, "goodput", s.Goodput(), 60, .01)
	within(t, "busy", s.Busy, 3, .01)
	v := Server{Cores: 1, Instances: 1, Processes: 1, Slots: 1, Refuses: true, Keeps: true}
	s = simulate(t, &Config{Attack: closed(10_000, 0, time.Hour), Demand: fixed(time.Second), Server: v, From: time.Minute, Most: 100_000})
	if s.Ended == 0 || s.Ended > time.Second || s.Window != 0 {
		t.Errorf("users who are turned away: %+v", s)
	}
}

// A process that has served enough is replaced, which costs time and no request,
// and isn't counted as a death.
func TestProcessesAreReplaced(t *testing.T) {
	v := workers(2)
	v.Serves, v.Restart = 5, 10*time.Millisecond
	for jitter, served := range map[int]float64{0: 5, 10: 10} {
		v.Jitter = jitter
		s := simulate(t, &Config{Attack: closed(10, 0, 100*time.Second), Demand: fixed(20 * time.Millisecond), Server: v, From: time.Second})
		within(t, "goodput", s.Goodput(), 2*served/(served*.02+.01), .01)
		if s.Failed > 0 || s.Restarts > 0 {
			t.Errorf("%d failed, %d restarts", s.Failed, s.Restarts)
		}
	}
}
