package load

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// openShapes are stages of every open shape but a replay, with rates of 0 among
// them.
func openShapes() map[string]Stage {
	return map[string]Stage{
		"constant":       {Shape: Constant, From: 333.3, For: 30 * time.Second},
		"ramp up":        {Shape: Ramp, From: 0, To: 700, For: 30 * time.Second},
		"ramp down":      {Shape: Ramp, From: 700, To: 0, For: 30 * time.Second},
		"ramp a little":  {Shape: Ramp, From: 333, To: 333.001, For: 30 * time.Second},
		"steps":          {Shape: Steps, From: 0, To: 600, Levels: 7, For: 30 * time.Second},
		"steps down":     {Shape: Steps, From: 600, To: 0, Levels: 4, For: 30 * time.Second},
		"spike":          {Shape: Spike, From: 100, To: 3000, At: 10 * time.Second, Lasting: 2 * time.Second, For: 30 * time.Second},
		"spike alone":    {Shape: Spike, From: 0, To: 3000, At: 20 * time.Second, Lasting: 3 * time.Second, For: 30 * time.Second},
		"pause":          {Shape: Spike, From: 300, To: 0, At: 3 * time.Second, Lasting: 7 * time.Second, For: 30 * time.Second},
		"sine":           {Shape: Sine, From: 100, To: 500, Every: 4 * time.Second, For: 30 * time.Second},
		"sine down to 0": {Shape: Sine, From: 600, To: 0, Every: 7 * time.Second, For: 30 * time.Second},
		"part of a sine": {Shape: Sine, From: 0, To: 600, Every: 50 * time.Second, For: 30 * time.Second},
	}
}

// dues are the arrivals of one stage.
func dues(s Stage, seed uint64) (all []time.Duration) {
	a := (&schedule{stages: []Stage{s}, seed: seed}).begin()
	for {
		due, _, ok := a.next()
		if !ok {
			return all
		}
		all = append(all, due)
	}
}

// An integral is the area under a stage's rate, Λ, summed up from RateAt in
// small steps: another way than the schedule's.
type integral struct {
	step time.Duration
	sums []float64
}

func integrate(s *Stage) integral {
	const steps = 300_000
	in := integral{step: s.For / steps, sums: make([]float64, steps+1)}
	for i := range steps {
		in.sums[i+1] = in.sums[i] + s.RateAt(time.Duration(i)*in.step+in.step/2)*in.step.Seconds()
	}
	return in
}

func (in integral) at(t time.Duration) float64 {
	i := min(int(t/in.step), len(in.sums)-2)
	part := float64(t-time.Duration(i)*in.step) / float64(in.step)
	return in.sums[i] + part*(in.sums[i+1]-in.sums[i])
}

// TestArrivalsFollowTheRate: in the whole of a stage, and in any part of it,
// there are as many arrivals as the area under its rate says.
func TestArrivalsFollowTheRate(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 5))
	for name, s := range openShapes() {
		if err := s.Check(); err != nil {
			t.Fatal(err)
		}
		all, area := dues(s, 0), integrate(&s)
		if !slices.IsSorted(all) || all[0] < 0 || all[len(all)-1] >= s.For {
			t.Errorf("%s: out of order, or of the stage", name)
		}
		const slack = 0.02 // of the sum
		if n, want := float64(len(all)), area.at(s.For); n < want-slack || n > want+1+slack {
			t.Errorf("%s: %v arrivals, the area is %v", name, n, want)
		}
		for range 500 {
			from := time.Duration(rng.Int64N(int64(s.For)))
			to := from + time.Duration(rng.Int64N(int64(s.For-from)))
			first, _ := slices.BinarySearch(all, from)
			last, _ := slices.BinarySearch(all, to)
			if n, want := float64(last-first), area.at(to)-area.at(from); math.Abs(n-want) > 1+slack {
				t.Errorf("%s: %v arrivals from %v to %v, the area is %v", name, n, from, to, want)
			}
		}
	}
}

// TestWhereTheRateIsZero: nothing is due there, not even at its edges.
func TestWhereTheRateIsZero(t *testing.T) {
	const ms = time.Millisecond
	every := func(from, to, gap time.Duration) (all []time.Duration) {
		for ; from < to; from += gap {
			all = append(all, from)
		}
		return all
	}
	for _, c := range []struct {
		stage Stage
		want  []time.Duration
	}{
		{Stage{Shape: Spike, From: 0, To: 10, At: 300 * ms, Lasting: 200 * ms, For: time.Second}, every(300*ms, 500*ms, 100*ms)},
		{Stage{Shape: Spike, From: 10, To: 0, At: 300 * ms, Lasting: 600 * ms, For: time.Second}, append(every(0, 300*ms, 100*ms), 900*ms)},
		{Stage{Shape: Spike, From: 10, To: 0, At: 0, Lasting: 800 * ms, For: time.Second}, every(800*ms, time.Second, 100*ms)},
		{Stage{Shape: Spike, From: 10, To: 0, At: 800 * ms, Lasting: 200 * ms, For: time.Second}, every(0, 800*ms, 100*ms)},
		{Stage{Shape: Steps, From: 0, To: 10, Levels: 2, For: time.Second}, every(500*ms, time.Second, 100*ms)},
		{Stage{Shape: Steps, From: 10, To: 0, Levels: 2, For: time.Second}, every(0, 500*ms, 100*ms)},
		{Stage{Shape: Ramp, From: 0, To: 8, For: time.Second}, []time.Duration{0, 500 * ms, 707106781, 866025404}},
		{Stage{Shape: Ramp, From: 8, To: 0, For: time.Second}, []time.Duration{0, 133974596, 292893219, 500 * ms}},
		// Λ = t − sin(2πt)/2π … is 1 at the end of a period, and not exceeded.
		{Stage{Shape: Sine, From: 2, To: 0, Every: time.Second, For: time.Second}, []time.Duration{0}},
	} {
		if got := dues(c.stage, 0); !slices.Equal(got, c.want) {
			t.Errorf("%+v:\ngot  %v\nwant %v", c.stage, got, c.want)
		}
	}
}

// TestWholeNumbersOfArrivals: rates that are no whole multiple of a float's
// last bit still give the number that a person computes.
func TestWholeNumbersOfArrivals(t *testing.T) {
	for _, rate := range []float64{0.1, 0.3, 0.7, 1.1, 3.3, 33.3, 1e3 / 3, 123.4} {
		for _, tens := range []int{1, 3, 7, 30, 360} {
			length := time.Duration(tens) * 10 * time.Second
			want := int(math.Round(rate*float64(10*tens)*1e6)) / 1e6 // whole but for a third
			if rate*float64(10*tens)-float64(want) > 1e-6 {
				want++
			}
			for name, s := range map[string]Stage{
				"constant":  {Shape: Constant, From: rate, For: length},
				"ramp up":   {Shape: Ramp, From: 0, To: 2 * rate, For: length},
				"ramp down": {Shape: Ramp, From: 2 * rate, To: 0, For: length},
				"steps":     {Shape: Steps, From: 0, To: 2 * rate, Levels: 7, For: length},
				"spike":     {Shape: Spike, From: rate / 2, To: 3 * rate, At: length / 2, Lasting: length / 5, For: length},
				"sine":      {Shape: Sine, From: 0, To: 2 * rate, Every: length / 10, For: length},
			} {
				if n := len(dues(s, 0)); n != want {
					t.Errorf("%s at a mean of %v/s for %v: %d arrivals, want %d", name, rate, length, n, want)
				}
			}
		}
	}
}

// TestLevelsAreEqual: a level begins where the one before it ends, also where
// the length isn't a multiple of their number.
func TestLevelsAreEqual(t *testing.T) {
	for _, levels := range []int{2, 3, 7, 11, 9973, maxLevels} {
		for _, length := range []time.Duration{10 * time.Second, time.Hour, 1_000_003, 240 * time.Hour} {
			s := Stage{Shape: Users, UsersFrom: 1, UsersTo: levels, Levels: levels, For: length}
			for k := range levels {
				from, to := s.levelFrom(k), s.levelFrom(k+1)
				if a, b := s.UsersAt(from), s.UsersAt(to-1); a != k+1 || b != k+1 {
					t.Fatalf("level %d of %d in %v: %d users at its start, %d at its end", k, levels, length, a, b)
				}
			}
			if s.levelFrom(levels) != length || s.UsersAt(-1) != 1 || s.UsersAt(2*length) != levels {
				t.Errorf("ends of %d levels in %v", levels, length)
			}
		}
	}
}

func TestReplayGivesItsTimesBack(t *testing.T) {
	times := []time.Duration{0, 0, 5, time.Second, time.Second, 1500 * time.Millisecond, 2 * time.Second}
	s := &schedule{stages: []Stage{
		{Shape: Constant, From: 1, For: 2 * time.Second},
		{Shape: Replay, Times: times, For: 2 * time.Second}, // the last one is too late
		{Shape: Users, UsersFrom: 1, For: time.Second},
		{Shape: Replay, Times: times[:1], For: time.Second},
	}}
	want := []time.Duration{0, time.Second}
	for _, at := range times[:6] {
		want = append(want, 2*time.Second+at)
	}
	want = append(want, 5*time.Second)
	var got []time.Duration
	a := s.begin()
	for due, _, ok := a.next(); ok; due, _, ok = a.next() {
		got = append(got, due)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if n := s.count(0, 2*time.Second, 4*time.Second); n != 6 {
		t.Errorf("%d due in the replay, want 6", n)
	}
}

// TestCountsAreWhatIsDue: counting gives what walking does, wherever it begins
// and ends.
func TestCountsAreWhatIsDue(t *testing.T) {
	var stages []Stage
	i := 0
	for _, name := range slices.Sorted(maps.Keys(openShapes())) {
		s := openShapes()[name]
		s.For /= 10
		s.At, s.Lasting = s.At/10, s.Lasting/10
		s.Poisson = i%2 == 0
		stages = append(stages, s)
		if i%3 == 0 {
			stages = append(stages, Stage{Shape: Users, UsersFrom: 1, For: time.Second})
		}
		i++
	}
	s := &schedule{stages: stages, seed: 9}
	var all []time.Duration
	a := s.begin()
	for due, stage, ok := a.next(); ok; due, stage, ok = a.next() {
		all = append(all, due)
		if !stages[stage].Open() {
			t.Fatal("a hit is due in a closed stage")
		}
	}
	length := (&Attack{Stages: stages}).Length()
	rng := rand.New(rand.NewPCG(1, 1))
	edges := []time.Duration{0, length, length + time.Hour}
	for at, i := time.Duration(0), 0; i < len(stages); i++ {
		at += stages[i].For
		edges = append(edges, at)
	}
	for range 1000 {
		from, to := edges[rng.IntN(len(edges))], edges[rng.IntN(len(edges))]
		if rng.IntN(2) == 0 {
			to = time.Duration(rng.Int64N(int64(length)))
		}
		first := uint64(rng.IntN(len(all) + 5))
		var want uint64
		for k, due := range all {
			if uint64(k) >= first && due >= from && due < to {
				want++
			}
		}
		if n := s.count(first, from, to); n != want {
			t.Fatalf("from number %d on, in [%v, %v): %d, want %d", first, from, to, n, want)
		}
	}
}

// TestStageCheck: what would send nothing, or not what it says, is refused.
func TestStageCheck(t *testing.T) {
	times := func(d ...time.Duration) Stage { return Stage{Shape: Replay, File: "a.txt", Times: d, For: time.Second} }
	for want, s := range map[string]Stage{
		"":                                       {Shape: Steps, From: 0, To: maxRate, Levels: maxLevels, For: time.Second},
		"at most 1000000":                        {Shape: Constant, From: maxRate + 1, For: time.Second},
		"lower rate is -1":                       {Shape: Ramp, From: -1, To: 1, For: time.Second},
		"upper rate is NaN":                      {Shape: Ramp, From: 1, To: math.NaN(), For: time.Second},
		"sine from 0/s to 0/s":                   {Shape: Sine, Every: time.Second, For: time.Second},
		"steps in 1 levels":                      {Shape: Steps, To: 1, Levels: 1, For: time.Second},
		"steps in 10001 levels: it must be at m": {Shape: Steps, To: 1, Levels: maxLevels + 1, For: time.Second},
		"users in 10001 levels: it must be at m": {Shape: Users, UsersFrom: 1, UsersTo: 2, Levels: maxLevels + 1, For: time.Second},
		"does not lie within":                    {Shape: Spike, To: 1, At: 1, Lasting: time.Second, For: time.Second},
		"sine every 0s":                          {Shape: Sine, To: 1, For: time.Second},
		"at most 1000000 periods":                {Shape: Sine, To: 1, Every: 1, For: time.Second},
		`"a.txt" has no arrivals`:                times(),
		"in order, from 0s on":                   times(2, 1),
		"must be in order, from":                 times(-1, 1),
		"no arrival within its stage of 1s":      times(time.Second),
		"think time -1ns":                        {Shape: Users, UsersFrom: 1, Think: -1, For: time.Second},
	} {
		err := s.Check()
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got %v, want %q", s, err, want)
		}
	}
	for url, want := range map[string]string{
		"/?ms={uniform 1.5 2}":   "expected whole numbers, found {uniform 1.5 2}",
		"/?ms={uniform 2 1}":     "expected {exponential MEAN} or {uniform LOW HIGH}, found {uniform 2 1}",
		"/?ms={exponential 0}":   "expected {exponential MEAN} or {uniform LOW HIGH}, found {exponential 0}",
		"/?ms={exponential NaN}": "expected {exponential MEAN} or {uniform LOW HIGH}, found {exponential NaN}",
		"/?ms={":                 "has a { without a }",
	} {
		if _, err := Mean(url); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", url, err, want)
		}
	}
}

// BenchmarkSchedule is what one arrival costs.
func BenchmarkSchedule(b *testing.B) {
	all := openShapes()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		for _, poisson := range []bool{false, true} {
			s := all[name]
			s.Poisson = poisson
			b.Run(fmt.Sprintf("%s/poisson=%v", name, poisson), func(b *testing.B) {
				sched := &schedule{stages: []Stage{s}, seed: 1}
				a := sched.begin()
				b.ReportAllocs()
				for b.Loop() {
					if _, _, ok := a.next(); !ok {
						a = sched.begin()
					}
				}
			})
		}
	}
}
