package reports

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// law makes trials that follow the law, but for noise of so much.
func law(p [3]float64, noise float64, seed uint64, levels ...float64) (points []point) {
	rng := rand.New(rand.NewPCG(seed, 7))
	for _, n := range levels {
		for range 6 {
			points = append(points, point{n, uslAt(p, n) * math.Exp(noise*rng.NormFloat64())})
		}
	}
	return points
}

var doubling = []float64{1, 2, 4, 8, 16, 32, 64}

func TestUSLIsExactWithoutNoise(t *testing.T) {
	for _, p := range [][3]float64{
		{1000, 0.02, 0.0005}, {20, 0.05, 0.0001}, {995.6, 0.0267, 0.000769}, {100, 0.2, 0.002}, {50, 0, 0.001}, {50, 0.1, 0},
	} {
		u := fitUSL(law(p, 0, 1, doubling...), 1)
		near := func(got Estimate, want, slack float64) bool { return math.Abs(got.Median-want) <= slack }
		if u.Why != "" || !near(u.Gamma, p[0], p[0]*1e-3) || !near(u.Alpha, p[1], 1e-3) || !near(u.Beta, p[2], 1e-5) || u.R2 < 0.9999 {
			t.Errorf("%v: fitted %v %v %v, R² %v %s", p, u.Gamma.Median, u.Alpha.Median, u.Beta.Median, u.R2, u.Why)
		}
		if want := math.Sqrt((1 - p[1]) / p[2]); p[2] > 0 && math.Abs(u.Peak.Median/want-1) > 0.02 {
			t.Errorf("%v: N* is %v, want %v", p, u.Peak.Median, want)
		}
	}
}

// The 95 % intervals hold the parameters that the data were made from; at most
// a tenth of them may miss, for a bootstrap of 42 trials is a little narrow.
func TestUSLIntervalsHoldTheTruth(t *testing.T) {
	truth := [3]float64{500, 0.06, 0.0008}
	const runs = 24
	missed := 0
	for seed := range uint64(runs) {
		u := fitUSL(law(truth, 0.04, seed, doubling...), seed)
		for i, e := range []Estimate{u.Gamma, u.Alpha, u.Beta} {
			if truth[i] < e.Low || truth[i] > e.High {
				missed++
			}
			if e.Low > e.Median || e.High < e.Median {
				t.Errorf("seed %d: %+v is not around its median", seed, e)
			}
		}
	}
	t.Logf("%d of %d intervals missed the truth", missed, 3*runs)
	if missed > 3*runs/10 {
		t.Errorf("%d of %d intervals missed the truth", missed, 3*runs)
	}
}

// Data that a law of three parameters says nothing about must be told from
// data that it describes, in words.
func TestUSLOfDegenerateData(t *testing.T) {
	for _, c := range []struct {
		name   string
		points []point
		why    string
		text   string
		peak   bool
	}{
		{"linear", law([3]float64{20, 0, 0}, 0.001, 1, doubling...), "", "grows in proportion", false},
		{"flat", law([3]float64{80, 1, 0}, 0.001, 1, doubling...), "", "the same however many users", true},
		{"one level", law([3]float64{80, 0, 0}, 0.01, 1, 8), "takes at least 4 numbers of users with valid trials, found 1", "", false},
		{"three levels", law([3]float64{80, 0.1, 0}, 0.01, 1, 1, 2, 4), "found 3", "", false},
		{"nothing", nil, "found 0", "", false},
		{"an outage", []point{{1, 5}, {2, 9}, {4, 0}, {8, 30}}, "a trial of 4 users had no successful response", "", false},
		{"four workers", []point{{1, 18}, {1, 17}, {2, 38}, {2, 37}, {4, 71.5}, {4, 72}, {8, 72}, {8, 70}, {16, 71}, {16, 64}, {32, 73}, {32, 67}, {64, 72}, {64, 73}}, "", "isn't seen to fall again. The law fits badly (R² 0.7", false},
		{"falls from the start", []point{{1, 100}, {2, 80}, {4, 60}, {8, 40}, {16, 20}}, "", "N* = 1 ", true},
		{"one trial each", []point{{1, 20}, {2, 39}, {4, 75}, {8, 130}, {16, 190}, {32, 210}}, "", "%", true},
	} {
		u := fitUSL(c.points, 1)
		if (u.Why == "") != (c.why == "") || !strings.Contains(u.Why, c.why) {
			t.Errorf("%s: no fit because %q, want %q", c.name, u.Why, c.why)
			continue
		}
		if c.why != "" {
			continue
		}
		for _, e := range []Estimate{u.Gamma, u.Alpha, u.Beta} {
			if math.IsNaN(e.Median+e.Low+e.High) || e.Low < 0 {
				t.Errorf("%s: %+v", c.name, e)
			}
		}
		if !strings.Contains(u.Text, c.text) || u.Peak.Known() != c.peak {
			t.Errorf("%s: %+v\n%s", c.name, u, u.Text)
		}
	}
}

func TestUSLIsTheSameForTheSameSeed(t *testing.T) {
	points := law([3]float64{500, 0.06, 0.0008}, 0.04, 3, doubling...)
	if a, b := fitUSL(points, 5), fitUSL(points, 5); *a != *b {
		t.Errorf("%+v\n%+v", a, b)
	}
}
