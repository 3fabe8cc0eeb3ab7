package reports

import (
	"math"
	"math/rand/v2"
	"testing"
)

// sampled draws trials of a figure whose noise is log-normal, and in one trial
// of twenty as much as a hiccup of the machine makes it.
func sampled(rng *rand.Rand, n int, median, noise float64) []float64 {
	values := make([]float64, n)
	for i := range values {
		values[i] = median * math.Exp(noise*rng.NormFloat64())
		if rng.IntN(20) == 0 {
			values[i] *= 1 - 2*noise*rng.Float64()
		}
	}
	return values
}

// How the rule by which two models are told apart does on data of which it is
// known whether they differ: with the usual six trials, and with more.
func TestFalseAlarmsAndPower(t *testing.T) {
	const runs = 2000
	for _, c := range []struct {
		name          string
		trials        int
		noise, slower float64
		least, most   float64 // share of the runs that call a difference
	}{
		{"A/A, quiet", 6, 0.01, 0, 0, 0.05},
		{"A/A, noisy", 6, 0.10, 0, 0, 0.05},
		{"A/A, many trials", 20, 0.03, 0, 0, 0.05},
		{"10 % slower, quiet", 6, 0.01, 0.10, 0.99, 1},
		{"10 % slower, usual noise", 6, 0.02, 0.10, 0.90, 1},
		{"10 % slower, noisy, more trials", 12, 0.04, 0.10, 0.90, 1},
		// What six trials can't do: a difference as small as the noise is not called.
		{"2 % slower, usual noise", 6, 0.02, 0.02, 0, 0.30},
	} {
		rng := rand.New(rand.NewPCG(11, uint64(c.trials)))
		called, wrong := 0, 0
		for range runs {
			a := sampled(rng, c.trials, 1000, c.noise)
			b := sampled(rng, c.trials, 1000*(1-c.slower), c.noise)
			if _, apart := compare(a, b); apart {
				called++
				if c.slower > 0 && estimate(a, "").Median < estimate(b, "").Median {
					wrong++
				}
			}
		}
		share := float64(called) / runs
		t.Logf("%s, %d trials, noise %.0f %%: a difference is called in %.1f %%", c.name, c.trials, c.noise*100, share*100)
		if share < c.least || share > c.most {
			t.Errorf("%s: a difference is called in %.1f %% of runs, want %.0f to %.0f %%", c.name, share*100, c.least*100, c.most*100)
		}
		if wrong > 0 {
			t.Errorf("%s: the slower one is called faster in %d runs", c.name, wrong)
		}
	}
}
