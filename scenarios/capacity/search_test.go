package capacity_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"gatewaylab/scenarios/capacity"
)

// seek runs a search against a function in place of trials, and returns the
// rates that it tried.
func seek(t *testing.T, s *capacity.Search, trial func(rate float64) capacity.Outcome) (tried []float64) {
	t.Helper()
	for {
		rate, more := s.Next()
		if !more {
			return tried
		}
		if rate < s.Least*(1-1e-9) || rate > s.To*(1+1e-9) {
			t.Fatalf("%g/s lies outside %g … %g", rate, s.Least, s.To)
		}
		if tried = append(tried, rate); len(tried) > s.Most {
			t.Fatalf("more than %d trials", s.Most)
		}
		s.Add(rate, trial(rate))
	}
}

func usual() *capacity.Search {
	return &capacity.Search{From: 50, To: 50_000, Least: 5, Resolution: 0.05, Agree: 6, Most: 100}
}

// up to a limit everything holds, above nothing does.
func upTo(limit float64) func(float64) capacity.Outcome {
	return func(rate float64) capacity.Outcome {
		if rate <= limit {
			return capacity.Held
		}
		return capacity.Broken
	}
}

func TestSearchFindsALimit(t *testing.T) {
	for _, limit := range []float64{5, 7.3, 49, 50, 51, 80, 333, 9_999, 49_000} {
		s := usual()
		tried := seek(t, s, upTo(limit))
		f := s.Finding()
		if !f.LowSure || !f.HighSure || f.Low > limit || f.High <= limit || f.Rate != f.Low || f.Cut || f.Limit != capacity.LimitNone {
			t.Errorf("limit %g: %+v", limit, f)
		}
		if f.High/f.Low > 1.0501 {
			t.Errorf("limit %g: [%g, %g] is wider than 5 %%", limit, f.Low, f.High)
		}
		if len(tried) > 40 {
			t.Errorf("limit %g: took %d trials", limit, len(tried))
		}
	}
}

// Trials near the edge go either way: the interval must hold the rate at which
// half of them hold, and its ends must be where all agreed.
func TestSearchInNoise(t *testing.T) {
	const runs = 400
	missed, unsure, width, trials := 0, 0, 0.0, 0
	for seed := range uint64(runs) {
		rng := rand.New(rand.NewPCG(seed, 1))
		edge := 60 * math.Pow(50, rng.Float64())
		s := usual()
		tried := seek(t, s, func(rate float64) capacity.Outcome {
			if rate*math.Exp(0.03*rng.NormFloat64()) <= edge { // what is offered varies by 3 %
				return capacity.Held
			}
			return capacity.Broken
		})
		f := s.Finding()
		trials += len(tried)
		width += f.High/f.Low - 1
		if !f.LowSure || !f.HighSure {
			unsure++
		}
		if f.Low > edge || f.High < edge {
			missed++
		}
	}
	t.Logf("%d of %d intervals missed the edge, %d had an unsure end; mean width %.1f %%, %.0f trials", missed, runs, unsure, 100*width/runs, float64(trials)/runs)
	if missed > runs/20 {
		t.Errorf("%d of %d intervals do not hold the edge, more than 1 in 20", missed, runs)
	}
	if unsure > runs/20 {
		t.Errorf("%d of %d searches ended unsure", unsure, runs)
	}
}

// A trial that a hiccup broke must not make the server look slow.
func TestSearchForgivesAHiccup(t *testing.T) {
	s, hiccups := usual(), 0
	seek(t, s, func(rate float64) capacity.Outcome {
		if rate == 200 && hiccups == 0 {
			hiccups++
			return capacity.Broken
		}
		return upTo(1000)(rate)
	})
	if f := s.Finding(); hiccups != 1 || f.Low > 1000 || f.High < 1000 || f.High/f.Low > 1.06 {
		t.Errorf("%+v after %d hiccup", f, hiccups)
	}
}

func TestSearchWithoutALimit(t *testing.T) {
	for _, c := range []struct {
		name  string
		trial func(float64) capacity.Outcome
		want  capacity.Finding
	}{
		{"holds all that may be tried", upTo(1e9),
			capacity.Finding{Rate: 50_000, Low: 50_000, LowSure: true, Limit: capacity.LimitTop}},
		{"holds nothing", upTo(0),
			capacity.Finding{High: 5, HighSure: true}},
		{"the generator gives up first", func(rate float64) capacity.Outcome {
			if rate > 8000 {
				return capacity.Starved
			}
			return capacity.Held
		}, capacity.Finding{Rate: 7950, Low: 7950, LowSure: true, Limit: capacity.LimitGenerator}},
		{"no trial is ever valid", func(float64) capacity.Outcome { return capacity.Void },
			capacity.Finding{Limit: capacity.LimitVoid}},
	} {
		s := usual()
		seek(t, s, c.trial)
		f := s.Finding()
		if f.Trials == 0 || f.Trials > 40 {
			t.Errorf("%s: took %d trials", c.name, f.Trials)
		}
		f.Trials = 0
		if f != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, f, c.want)
		}
	}
}

// Whatever trials say, a search ends, within its budget, and with ends in
// order.
func FuzzSearch(f *testing.F) {
	f.Add([]byte{0, 0, 1, 1, 2, 3}, byte(6))
	f.Add([]byte{1}, byte(1))
	f.Add([]byte{0, 1}, byte(2))
	f.Fuzz(func(t *testing.T, outcomes []byte, agree byte) {
		if len(outcomes) == 0 {
			return
		}
		s := usual()
		s.Agree = int(agree%9) + 1
		n := 0
		seek(t, s, func(float64) capacity.Outcome {
			n++
			return capacity.Outcome(outcomes[n%len(outcomes)] % 4)
		})
		if f := s.Finding(); f.High > 0 && f.Low > f.High || f.Trials != n {
			t.Errorf("%+v after %d trials", f, n)
		}
	})
}

// A search that is cut off says what it knows, and that it was.
func TestSearchCutOff(t *testing.T) {
	s := usual()
	s.Add(50, capacity.Held)
	if f := s.Finding(); f.Rate != 50 || f.LowSure || f.Limit != capacity.LimitOpen || !f.Cut {
		t.Errorf("%+v", f)
	}
	s.Add(100, capacity.Broken)
	if f := s.Finding(); f.Rate != 50 || f.High != 100 || f.HighSure || !f.Cut {
		t.Errorf("%+v", f)
	}
	if got := fmt.Sprint(s.Points()); got != "[{50 1 0 0 0} {100 0 1 0 0}]" {
		t.Error(got)
	}
}
