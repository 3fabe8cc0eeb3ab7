package load

import (
	"context"
	"math"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A servant answers each request after a time. It is a caller without a
// network, for virtual time.
type servant struct {
	epoch time.Time
	after func(n int64) time.Duration // the n-th request, from 0
	n     atomic.Int64
	ctx   context.Context
	close context.CancelFunc
}

func (s *servant) call(_ *message, f *flight, _ time.Duration) {
	if pause(s.ctx, s.after(s.n.Add(1)-1)) {
		f.code = 200
	} else {
		f.err, f.cut = errCut, true
	}
	f.done = time.Since(s.epoch)
}

func (s *servant) Connections() uint64 { return 0 }
func (s *servant) Retries() uint64     { return 0 }
func (s *servant) Close()              { s.close() }

// virtually runs the closed stages of a load as Attack.Run does, but in virtual
// time. Nothing is sent in its open ones. each and watch may be nil; watch runs
// beside.
func virtually(t *testing.T, a Attack, after func(n int64) time.Duration, each func(*Hit), watch func(*Gauge)) (live *Gauge) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		a.Requests, a.Timeout = []Request{{URL: "http://127.0.0.1:1/"}}, 1000*time.Hour
		if err := a.Check(); err != nil {
			t.Fatal(err)
		}
		if each == nil {
			each = func(*Hit) {}
		}
		live = new(Gauge)
		r, err := a.newRun(live, each)
		if err != nil {
			t.Fatal(err)
		}
		s := &servant{epoch: time.Now(), after: after}
		s.ctx, s.close = context.WithCancel(t.Context())
		r.caller, r.began = s, s.epoch
		defer r.close()
		live.start(r.began, s.Connections)
		over := make(chan struct{})
		go r.end(t.Context(), nil, over)
		if watch != nil {
			go watch(live)
		}
		r.closedStages()
		r.stopped()
		close(over)
	})
	return live
}

func always(d time.Duration) func(int64) time.Duration {
	return func(int64) time.Duration { return d }
}

const ms = time.Millisecond

// TestUsersAreInFlight: without thinking, so many hits are in flight as there
// are users, all the time and exactly; more or fewer of them as levels want.
func TestUsersAreInFlight(t *testing.T) {
	for name, c := range map[string]struct {
		stages []Stage
		want   []int // in flight in each second
	}{
		"as many": {looping(7, 3*time.Second), []int{7, 7, 7}},
		"up":      {[]Stage{{Shape: Users, UsersFrom: 2, UsersTo: 8, Levels: 4, For: 4 * time.Second}}, []int{2, 4, 6, 8}},
		"down":    {[]Stage{{Shape: Users, UsersFrom: 9, UsersTo: 1, Levels: 3, For: 3 * time.Second}}, []int{9, 5, 1}},
		"stages": {
			slices.Concat(looping(3, time.Second), looping(3, time.Second), looping(1, time.Second), looping(5, time.Second)),
			[]int{3, 3, 1, 5},
		},
		"with a pause": {
			slices.Concat(looping(3, time.Second), arriving(1, time.Second), looping(5, time.Second)), []int{3, 0, 5},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var got []int
			counts := make([]int, len(c.want))
			// Just over 10 ms, so that no answer comes in the very moment of a change.
			live := virtually(t, Attack{Stages: c.stages}, always(10*ms+1), func(h *Hit) {
				counts[h.Sent/time.Second]++
			}, func(g *Gauge) {
				var last Reading
				for range c.want {
					time.Sleep(time.Second - ms) // amid an exchange
					middle := g.Read()
					got = append(got, middle.InFlight)
					if n := middle.MeanInFlight(last); math.Abs(n-float64(middle.InFlight)) > 1e-3 {
						t.Errorf("%v in flight on average before %v, %d then", n, middle.At, middle.InFlight)
					}
					time.Sleep(ms)
					last = g.Read()
				}
			})
			if !slices.Equal(got, c.want) {
				t.Errorf("got %v in flight, want %v", got, c.want)
			}
			for i, n := range c.want {
				if counts[i] != n*100 {
					t.Errorf("second %d: %d hits, want %d", i, counts[i], n*100)
				}
			}
			if r := live.Read(); r.InFlight != 0 || r.Peak != slices.Max(c.want) {
				t.Errorf("at the end: %+v", r)
			}
		})
	}
}

// TestUsersGoOnFromStageToStage: who still waits for an answer when a stage
// begins is one of its users, not one more.
func TestUsersGoOnFromStageToStage(t *testing.T) {
	var stages [4]int
	stage := []Stage{
		{Shape: Users, UsersFrom: 5, For: time.Second},
		{Shape: Users, UsersFrom: 5, For: time.Second},
		{Shape: Constant, From: 1, For: time.Second},
		{Shape: Users, UsersFrom: 2, For: 2 * time.Second},
	}
	live := virtually(t, Attack{Stages: stage}, func(n int64) time.Duration {
		if n < 5 {
			return 3500 * ms // until the last stage
		}
		return 250*ms - 1
	}, func(h *Hit) {
		stages[h.Stage]++
		if h.Stage == 3 && h.Sent < 3500*ms {
			t.Errorf("sent at %v, when five users were still waiting", h.Sent)
		}
	}, nil)
	// Two users go on, each with 1.5 s ÷ 250 ms hits and one that is cut.
	if want := [4]int{5, 0, 0, 14}; stages != want {
		t.Errorf("hits by stage %v, want %v", stages, want)
	}
	if r := live.Read(); r.Peak != 5 || r.Sent != 19 {
		t.Errorf("%+v", r)
	}
}

// TestUsersAreCut: hits under way at the end of a closed last stage are cut
// then, and nobody sends again.
func TestUsersAreCut(t *testing.T) {
	n := 0
	virtually(t, Attack{Stages: looping(5, time.Minute)}, always(time.Hour), func(h *Hit) {
		if n++; !h.Cut || h.Done() != time.Minute {
			t.Errorf("%+v", h)
		}
	}, nil)
	if n != 5 {
		t.Errorf("%d hits, want 5", n)
	}
}

// TestThinkTime: users are idle while they think: N = X·(S + Z).
func TestThinkTime(t *testing.T) {
	var sent []time.Duration
	live := virtually(t, Attack{Stages: []Stage{
		{Shape: Users, UsersFrom: 4, Think: 90 * ms, For: time.Second - 1},
	}}, always(10*ms), func(h *Hit) { sent = append(sent, h.Sent) }, nil)
	if len(sent) != 40 {
		t.Errorf("%d hits, want 40", len(sent))
	}
	for i, at := range sent {
		if want := time.Duration(i/4) * 100 * ms; at != want {
			t.Errorf("hit %d sent at %v, want %v", i, at, want)
		}
	}
	if r := live.Read(); r.Area != 4*100*ms {
		t.Errorf("%v in flight, summed up; want 400ms", r.Area)
	}
}

// TestThinkTimeChanges: a new stage shortens or prolongs the thinking under
// way, and a level that needs fewer users takes those who think too.
func TestThinkTimeChanges(t *testing.T) {
	thinking := func(n int, think, d time.Duration) Stage {
		return Stage{Shape: Users, UsersFrom: n, Think: think, For: d}
	}
	for name, c := range map[string]struct {
		stages []Stage
		want   []time.Duration // when hits are sent
	}{
		"the same":     {[]Stage{thinking(1, 10*time.Second, 5*time.Second), thinking(1, 10*time.Second, 10*time.Second)}, []time.Duration{0, 11 * time.Second}},
		"shorter":      {[]Stage{thinking(1, 10*time.Second, 6*time.Second), thinking(1, 4*time.Second, 5*time.Second)}, []time.Duration{0, 8 * time.Second}},
		"longer":       {[]Stage{thinking(1, 10*time.Second, 10*time.Second), thinking(1, time.Minute, 9*time.Second)}, []time.Duration{0, 16 * time.Second}},
		"none":         {[]Stage{thinking(1, time.Hour, 5*time.Second), thinking(1, 0, 1500*ms)}, []time.Duration{0, 5 * time.Second, 6 * time.Second}},
		"pause":        {[]Stage{thinking(1, time.Hour, 5*time.Second), arriving(1, time.Second)[0], thinking(1, 2*time.Second, time.Second)}, []time.Duration{0, 6 * time.Second}},
		"fewer, more":  {[]Stage{thinking(2, time.Hour, 5*time.Second), thinking(1, time.Hour, 5*time.Second), thinking(2, time.Hour, 5*time.Second)}, []time.Duration{0, 0, 10 * time.Second}},
		"over, for me": {[]Stage{thinking(1, time.Hour, 5*time.Second), arriving(1, 2*time.Second)[0]}, []time.Duration{0}},
	} {
		t.Run(name, func(t *testing.T) {
			var sent []time.Duration
			virtually(t, Attack{Stages: c.stages}, always(time.Second), func(h *Hit) {
				sent = append(sent, h.Sent)
			}, nil)
			if !slices.Equal(sent, c.want) {
				t.Errorf("sent at %v, want %v", sent, c.want)
			}
		})
	}
}

// TestExponentialThinkTime: with the mean that is wanted, by seed and user.
func TestExponentialThinkTime(t *testing.T) {
	const mean = 50 * ms
	thoughts := func(seed uint64) (all []float64) {
		var done time.Duration
		virtually(t, Attack{Seed: seed, Stages: []Stage{
			{Shape: Users, UsersFrom: 1, Think: mean, ThinkExponential: true, For: time.Minute},
			{Shape: Users, UsersFrom: 1, Think: mean, ThinkExponential: true, For: time.Minute},
		}}, always(ms), func(h *Hit) {
			if done > 0 {
				all = append(all, (h.Sent-done).Seconds()/mean.Seconds())
			}
			done = h.Done()
		}, nil)
		return all
	}
	one, again, other := thoughts(1), thoughts(1), thoughts(2)
	for _, all := range [][]float64{one, other} {
		sum, p := 0.0, make([]float64, len(all))
		for i, x := range all {
			sum, p[i] = sum+x, 1-math.Exp(-x)
		}
		n := float64(len(all))
		if math.Abs(sum/n-1) > 4/math.Sqrt(n) || math.Abs(n-2*60/0.051) > 4*math.Sqrt(2*60/0.051) {
			t.Errorf("%v thoughts, on average %v of what is wanted", n, sum/n)
		}
		if p := kolmogorov(p); p < 0.001 {
			t.Errorf("think times aren't exponential: p = %.2g", p)
		}
	}
	if !slices.Equal(one, again) || slices.Equal(one, other) {
		t.Error("seeds don't decide")
	}
	var users [2][]float64
	c := &crew{run: &run{attack: &Attack{Seed: 1}}}
	for number := range users {
		u := &user{crew: c, number: number}
		for range 5000 {
			users[number] = append(users[number], float64(u.draw(&Stage{Think: mean, ThinkExponential: true})))
		}
	}
	if p := correlation(users[0], users[1]); p < 0.001 {
		t.Errorf("two users think alike: p = %.2g", p)
	}
}

// TestUsersAllocateNothing holds a long closed loop's memory against a short
// one's.
func TestUsersAllocateNothing(t *testing.T) {
	allocs := func(d time.Duration) (mallocs, hits uint64) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		virtually(t, Attack{Stages: []Stage{
			{Shape: Users, UsersFrom: 10, Think: ms, ThinkExponential: true, For: d},
		}}, always(0), func(*Hit) { hits++ }, nil)
		runtime.ReadMemStats(&after)
		return after.Mallocs - before.Mallocs, hits
	}
	short, few := allocs(time.Second)
	long, many := allocs(3 * time.Second)
	if per := float64(int64(long)-int64(short)) / float64(many-few); per > 0.1 {
		t.Errorf("%.2f allocations a hit", per)
	}
}
