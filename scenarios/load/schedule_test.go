package load

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

func TestConstant(t *testing.T) {
	for _, c := range []struct {
		rate float64
		d    time.Duration
		want uint64
	}{
		{100, 10 * time.Second, 1000},
		{3, time.Second, 3},
		{33.3, 10 * time.Second, 333},
		{0.1, 10 * time.Second, 1},
		{0.1, 11 * time.Second, 2},
		{20_000, 3 * time.Second, 60_000},
		{1e6 / 3.0, 3 * time.Second, 1e6},
	} {
		s := &schedule{stages: arriving(c.rate, c.d)}
		if n := s.count(0, 0, c.d); n != c.want {
			t.Errorf("%v/s for %v: %d due, want %d", c.rate, c.d, n, c.want)
		}
	}
	s := (&schedule{stages: arriving(3, time.Minute)}).begin()
	for k, want := range []time.Duration{0, 333333333, 666666667, 1000000000} {
		if got, _, _ := s.next(); got != want {
			t.Errorf("hit %d is due at %d, want %d", k, got, want)
		}
	}
}

func TestCountsAddUp(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		s, end := &schedule{stages: arriving(1+999*rng.Float64(), time.Minute)}, time.Duration(rng.Int64N(int64(3*time.Second)))
		first, cut := uint64(rng.IntN(300)), time.Duration(rng.Int64N(int64(end)+1))
		if a, b, all := s.count(first, 0, cut), s.count(first, cut, end), s.count(first, 0, end); a+b != all {
			t.Fatalf("%d + %d ≠ %d", a, b, all)
		}
	}
}

// paced runs an openPacer as vegeta's dispatcher does. stall is how long the
// dispatcher is held up after each hit. It returns when each hit was due and
// when it was let go.
func paced(rate float64, d time.Duration, stall func(k int) time.Duration) (due, sent []time.Duration) {
	began := time.Now()
	p := &openPacer{
		due: (&schedule{stages: arriving(rate, d)}).begin(), until: d,
		elapsed: func() time.Duration { return time.Since(began) },
		sleep:   func(d time.Duration) bool { time.Sleep(d); return true },
		promise: func(k uint64, d time.Duration, _ int) {
			if k != uint64(len(due)) {
				panic("out of order")
			}
			due, sent = append(due, d), append(sent, time.Since(began))
		},
	}
	for k := 0; ; k++ {
		wait, stop := p.Pace(time.Since(began), uint64(k))
		if stop {
			return due, sent
		}
		time.Sleep(wait + stall(k))
	}
}

func TestPacerKeepsTheSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		due, sent := paced(250, time.Second, func(int) time.Duration { return 0 })
		if len(due) != 250 {
			t.Fatalf("%d hits, want 250", len(due))
		}
		for k := range due {
			if want := time.Duration(k) * 4 * time.Millisecond; due[k] != want || sent[k] != want {
				t.Fatalf("hit %d: due %v, sent %v, want %v", k, due[k], sent[k], want)
			}
		}
	})
}

func TestPacerCatchesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// 100/s, and at 200 ms the dispatcher is blocked for 300 ms.
		due, sent := paced(100, time.Second, func(k int) time.Duration {
			if k == 20 {
				return 300 * time.Millisecond
			}
			return 0
		})
		if len(due) != 100 {
			t.Fatalf("%d hits, want 100", len(due))
		}
		for k := range due {
			want := time.Duration(k) * 10 * time.Millisecond
			if due[k] != want {
				t.Errorf("hit %d: due %v, want %v", k, due[k], want)
			}
			if 20 < k && k < 50 {
				want = 500 * time.Millisecond
			}
			if sent[k] != want {
				t.Errorf("hit %d: sent %v, want %v", k, sent[k], want)
			}
		}
	})
}

func TestPacerGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// Each hit takes 100 ms and 100 are due in a second: it sends until
		// the grace after the end is over.
		due, sent := paced(100, time.Second, func(int) time.Duration { return 100 * time.Millisecond })
		if n := len(due); n != 11 || due[n-1] != 100*time.Millisecond || sent[n-1] != time.Second {
			t.Errorf("%d hits, the last due %v and sent %v", n, due[n-1], sent[n-1])
		}
	})
}

func TestPacerStops(t *testing.T) {
	p := &openPacer{
		due: (&schedule{stages: arriving(1, time.Hour)}).begin(), until: time.Hour,
		elapsed: func() time.Duration { return 0 },
		sleep:   func(time.Duration) bool { return false },
		promise: func(k uint64, _ time.Duration, _ int) {
			if k > 0 {
				t.Error("a hit after the stop")
			}
		},
	}
	if _, stop := p.Pace(0, 0); stop {
		t.Error("the first hit, due at once, was stopped")
	}
	if _, stop := p.Pace(0, 1); !stop {
		t.Error("an interrupted sleep didn't stop the pacer")
	}
}

func TestAlarm(t *testing.T) {
	a, err := newAlarm()
	if err != nil {
		t.Fatal(err)
	}
	defer a.close()
	began := time.Now()
	for _, d := range []time.Duration{-1, 0, 1, 10 * time.Microsecond, 20 * time.Millisecond} {
		if !a.sleep(d) {
			t.Errorf("sleep of %v was interrupted", d)
		}
	}
	if d := time.Since(began); d < 20*time.Millisecond {
		t.Errorf("slept for %v", d)
	}
	time.AfterFunc(10*time.Millisecond, a.stop)
	for range 2 { // the second finds it stopped
		if a.sleep(time.Hour) {
			t.Error("sleep went on after stop")
		}
	}
}

func TestGauge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Gauge
		if r := g.Read(); r != (Reading{}) {
			t.Errorf("before the start: %+v", r)
		}
		g.start(time.Now(), func() uint64 { return 7 })
		began := time.Now()
		now := func() time.Duration { return time.Since(began) }
		g.add()
		time.Sleep(time.Second) // 1 in flight
		first := g.Read()
		g.add()
		g.add()
		time.Sleep(time.Second) // 3
		g.remove(now())
		time.Sleep(2 * time.Second) // 2
		last := g.Read()
		if want := (Reading{At: 4 * time.Second, InFlight: 2, Sent: 3, Done: 1, Area: 8 * time.Second, Peak: 3, Connections: 7}); last != want {
			t.Errorf("got %+v, want %+v", last, want)
		}
		if n := last.MeanInFlight(Reading{}); n != 2 {
			t.Errorf("mean %v, want 2", n)
		}
		if n := last.MeanInFlight(first); n != 7.0/3 {
			t.Errorf("mean of the last 3 s %v, want 7/3", n)
		}
		if n := last.MeanInFlight(last); n != 0 {
			t.Errorf("mean over nothing %v", n)
		}
	})
}
