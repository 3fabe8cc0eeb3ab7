package load

import (
	"runtime"
	"testing"
	"time"
)

// hour is an hour of 50 stages of every kind, with about 1000 arrivals a second
// in the open ones.
func hour() []Stage {
	const length = time.Hour / 50
	kinds := []Stage{
		{Shape: Constant, From: 1000},
		{Shape: Ramp, From: 0, To: 2000, Poisson: true},
		{Shape: Users, UsersFrom: 10, Think: 50 * ms},
		{Shape: Steps, From: 500, To: 1500, Levels: 9},
		{Shape: Spike, From: 500, To: 4100, At: 10 * time.Second, Lasting: 10 * time.Second, Poisson: true},
		{Shape: Sine, From: 0, To: 2000, Every: 10 * time.Second},
		{Shape: Users, UsersFrom: 1, UsersTo: 20, Levels: 20, Think: 50 * ms, ThinkExponential: true},
		{Shape: Ramp, From: 2000, To: 0},
		{Shape: Sine, From: 500, To: 1500, Every: 7 * time.Second, Poisson: true},
		{Shape: Constant, From: 1000, Poisson: true},
	}
	var all []Stage
	for i := range 50 {
		s := kinds[i%len(kinds)]
		s.For = length
		all = append(all, s)
	}
	return all
}

// heap is what is in use after a collection.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// flat fails if memory has grown since a tenth of the way.
func flat(t *testing.T, early, late uint64) {
	t.Helper()
	if late > early+early/5+1<<20 {
		t.Errorf("%d bytes in use after a tenth, %d at the end", early, late)
	}
}

// TestHourOfArrivals walks through an hour's arrivals as vegeta's dispatcher
// does, with a clock that jumps from one to the next.
func TestHourOfArrivals(t *testing.T) {
	a := Attack{Stages: hour()}
	s := &schedule{stages: a.Stages, seed: 1}
	var now, last time.Duration
	var early uint64
	sent := make([]uint64, len(a.Stages))
	p := &openPacer{
		due: s.begin(), until: a.Length(),
		elapsed: func() time.Duration { return now },
		sleep:   func(d time.Duration) bool { now += d; return true },
		promise: func(_ uint64, due time.Duration, stage int) {
			if due < last || due > now {
				t.Fatalf("due %v, sent %v, after one at %v", due, now, last)
			}
			last = due
			sent[stage]++
		},
	}
	n := uint64(0)
	for ; ; n++ {
		if _, stop := p.Pace(now, n); stop {
			break
		}
		if early == 0 && now > a.Length()/10 {
			early = heap()
		}
	}
	flat(t, early, heap())
	if n < 2_800_000 || n > 2_960_000 || n != s.count(0, 0, a.Length()) {
		t.Errorf("%d arrivals", n)
	}
	for i := range a.Stages {
		from := time.Duration(i) * a.Stages[i].For
		if n := s.count(0, from, from+a.Stages[i].For); n != sent[i] {
			t.Errorf("stage %d: %d counted, %d sent", i, n, sent[i])
		}
	}
	runtime.KeepAlive(s)
	runtime.KeepAlive(p)
}

// TestHourOfUsers lives through an hour's closed stages in virtual time.
func TestHourOfUsers(t *testing.T) {
	a := Attack{Stages: hour(), Seed: 1}
	var early, late uint64
	hits := make([]int, len(a.Stages))
	const last = 46 // the last closed stage
	virtually(t, a, always(50*ms), func(h *Hit) {
		if early == 0 && h.Sent > a.Length()/10 {
			early = heap()
		}
		if hits[h.Stage]++; late == 0 && h.Sent > a.Length()*(last+1)/50-time.Second {
			late = heap()
		}
	}, nil)
	flat(t, early, late)
	for i, n := range hits {
		s := &a.Stages[i]
		want := 0.0 // N ÷ (S + Z), and 10.5 users on average where there are levels
		if !s.Open() {
			want = 10 * 72 / 0.1
		}
		if !s.Open() && s.Levels > 0 {
			want = 10.5 * 72 / 0.1
		}
		if float64(n) < 0.95*want || float64(n) > 1.05*want {
			t.Errorf("stage %d: %d hits, want %v", i, n, want)
		}
	}
}
