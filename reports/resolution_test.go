package reports

import (
	"math/rand/v2"
	"testing"
)

// noisy are n trials around 1000 with a relative standard deviation.
func noisy(seed uint64, n int, deviation float64) []float64 {
	rng := rand.New(rand.NewPCG(seed, 7))
	vs := make([]float64, n)
	for i := range vs {
		vs[i] = 1000 * (1 + deviation*rng.NormFloat64())
	}
	return vs
}

// The smallest difference grows with the noise, shrinks with more trials, and is
// what the rule does find in fresh trials and what, halved, it mostly misses.
func TestResolution(t *testing.T) {
	const seeds = 8
	mean := func(n int, deviation float64) (sum float64) {
		for seed := range uint64(seeds) {
			r := resolution("goodput", noisy(2*seed, n, deviation), noisy(2*seed+1, n, deviation))
			if r.Smallest == 0 || r.Trials != n || r.Spread <= 0 {
				t.Fatalf("%+v", r)
			}
			sum += r.Smallest / seeds
		}
		return sum
	}
	calm, noisier := mean(8, 0.01), mean(8, 0.04)
	fewer, more := mean(6, 0.02), mean(11, 0.02)
	if noisier < 2.5*calm || noisier > 6*calm {
		t.Errorf("with four times the noise %.2f %% are told apart, without %.2f %%", noisier, calm)
	}
	if more > 0.9*fewer {
		t.Errorf("with 11 trials %.2f %% are told apart, with 6 %.2f %%", more, fewer)
	}
	told := func(shift float64) (times int) {
		for seed := range uint64(100) {
			b := noisy(1000+2*seed, 8, 0.01)
			for i := range b {
				b[i] *= 1 + shift
			}
			if _, apart := compare(noisy(1001+2*seed, 8, 0.01), b); apart {
				times++
			}
		}
		return times
	}
	if n := told(1.5 * calm / 100); n < 85 {
		t.Errorf("half as much again as the smallest difference, %.2f %%, is found %d times of 100", 1.5*calm, n)
	}
	if n := told(calm / 3 / 100); n > 70 {
		t.Errorf("a third of the smallest difference, %.2f %%, is found %d times of 100", calm/3, n)
	}
}

// The quick rule is the rule.
func TestQuickRule(t *testing.T) {
	for _, n := range []int{6, 7, 8, 10, 13, 20, 31} {
		quick, told := quickRule(n), 0
		for seed := range uint64(40) {
			a, b := noisy(seed, n, 0.02), noisy(seed+100, n, 0.02)
			for i := range b {
				b[i] *= 1 + float64(seed)/800
			}
			_, want := compare(a, b)
			if got := quick(a, b); got != want {
				t.Errorf("n = %d, shift %d/800: %v, the rule says %v", n, seed, got, want)
			}
			if want {
				told++
			}
		}
		if told == 0 || told == 40 {
			t.Errorf("n = %d: told apart %d times of 40, so nothing was shown", n, told)
		}
	}
}

func TestResolutionOfNothing(t *testing.T) {
	if r := resolution("goodput", []float64{0, 0}, []float64{0, 0}); r.Smallest != 0 || r.Told {
		t.Errorf("%+v", r)
	}
	// Fewer trials than the rule takes tell nothing.
	if r := resolution("goodput", noisy(1, 5, 0.01), noisy(2, 5, 0.01)); r.Smallest != 0 {
		t.Errorf("%+v", r)
	}
}
