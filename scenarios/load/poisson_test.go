package load

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"
	"time"
)

// kolmogorov returns the probability that n independent draws from a
// distribution are further from it than these are, by the Kolmogorov–Smirnov
// statistic; p are the distribution's values at the draws.
func kolmogorov(p []float64) float64 {
	p = slices.Sorted(slices.Values(p))
	n, d := float64(len(p)), 0.0
	for i, x := range p {
		d = max(d, x-float64(i)/n, float64(i+1)/n-x)
	}
	// The limiting distribution, with Stephens' correction for finite n
	// (Journal of the Royal Statistical Society B 32, 1970).
	x, sum := d*(math.Sqrt(n)+0.12+0.11/math.Sqrt(n)), 0.0
	for k := 1.0; k < 100; k++ {
		sum += 2 * math.Pow(-1, k-1) * math.Exp(-2*k*k*x*x)
	}
	return min(1, max(0, sum))
}

// exponential are the values of the distribution function of gaps with mean 1.
func exponential(areas []float64) []float64 {
	p, last := make([]float64, len(areas)), 0.0
	for i, x := range areas {
		p[i], last = 1-math.Exp(last-x), x
	}
	return p
}

// squeezed are the arrivals in the time in which their rate is 1. The integral
// is taken in small steps, whose noise of 1e-5 of a gap does no harm.
func squeezed(s Stage, seed uint64) []float64 {
	area := integrate(&s)
	var areas []float64
	for _, at := range dues(s, seed) {
		areas = append(areas, area.at(at))
	}
	return areas
}

// TestPoissonArrivals: in the time that its rate stretches and squeezes, a
// Poisson process of any shape has gaps that are exponential with the mean 1,
// independent of each other, and counts that vary as much as they are large.
func TestPoissonArrivals(t *testing.T) {
	const least = 0.001 // with other seeds, one run in six would have one of its 180 below
	for name, s := range openShapes() {
		s.Poisson = true
		for seed := range uint64(5) {
			areas := squeezed(s, seed)
			gaps := exponential(areas)
			if p := kolmogorov(gaps); p < least {
				t.Errorf("%s, seed %d: gaps aren't exponential: p = %.2g of %d", name, seed, p, len(gaps))
			}
			if p := dispersion(areas, 10); p < least {
				t.Errorf("%s, seed %d: counts aren't Poisson: p = %.2g", name, seed, p)
			}
			if p := correlation(gaps[1:], gaps[:len(gaps)-1]); p < least {
				t.Errorf("%s, seed %d: gaps depend on those before them: p = %.2g", name, seed, p)
			}
			all := integrate(&s)
			total := all.at(s.For)
			if n := float64(len(areas)); math.Abs(n-total) > 4*math.Sqrt(total) {
				t.Errorf("%s, seed %d: %v arrivals, %v expected", name, seed, n, total)
			}
		}
	}
}

// TestWhatIsNotPoisson: the tests above can tell.
func TestWhatIsNotPoisson(t *testing.T) {
	const most = 1e-6
	even := openShapes()["constant"]
	ramp := openShapes()["ramp up"]
	if p := kolmogorov(exponential(squeezed(even, 0))); p > most {
		t.Errorf("evenly spaced arrivals pass for Poisson: p = %.2g", p)
	}
	if p := dispersion(squeezed(even, 0), 10); p > most {
		t.Errorf("counts of evenly spaced arrivals pass for Poisson: p = %.2g", p)
	}
	ramp.Poisson = true
	var raw []float64
	for _, at := range dues(ramp, 0) {
		raw = append(raw, at.Seconds()*350)
	}
	if p := kolmogorov(exponential(raw)); p > most {
		t.Errorf("a ramp passes for a constant rate: p = %.2g", p)
	}
	if p := correlation(raw, raw); p > most {
		t.Errorf("what is the same passes for independent: p = %.2g", p)
	}
}

// dispersion tests counts in windows of an area: of a Poisson process,
// Σ(n − mean)² ÷ mean is χ² distributed. It returns the two-sided probability.
func dispersion(areas []float64, width float64) float64 {
	windows := int(areas[len(areas)-1] / width)
	counts := make([]float64, windows)
	for _, x := range areas {
		if i := int(x / width); i < windows {
			counts[i]++
		}
	}
	sum := 0.0
	for _, n := range counts {
		sum += (n - width) * (n - width) / width
	}
	// Wilson and Hilferty's approximation of χ² by a normal distribution.
	k := float64(windows)
	z := (math.Cbrt(sum/k) - (1 - 2/(9*k))) / math.Sqrt(2/(9*k))
	return math.Erfc(math.Abs(z) / math.Sqrt2)
}

// correlation tests whether two sequences are: √n times the coefficient of
// independent ones is standard normal.
func correlation(a, b []float64) float64 {
	n := min(len(a), len(b))
	mean := func(v []float64) (m float64) {
		for _, x := range v[:n] {
			m += x / float64(n)
		}
		return m
	}
	ma, mb := mean(a), mean(b)
	var ab, aa, bb float64
	for i := range n {
		ab += (a[i] - ma) * (b[i] - mb)
		aa += (a[i] - ma) * (a[i] - ma)
		bb += (b[i] - mb) * (b[i] - mb)
	}
	return math.Erfc(math.Abs(ab/math.Sqrt(aa*bb)) * math.Sqrt(float64(n)/2))
}

func TestSeeds(t *testing.T) {
	for name, s := range openShapes() {
		s.Poisson = true
		one, again, other := dues(s, 7), dues(s, 7), dues(s, 8)
		if !slices.Equal(one, again) {
			t.Errorf("%s: the same seed gave other times", name)
		}
		if slices.Equal(one[:10], other[:10]) {
			t.Errorf("%s: another seed gave the same times", name)
		}
		s.Poisson = false
		if !slices.Equal(dues(s, 7), dues(s, 8)) {
			t.Errorf("%s: the seed changed evenly spaced arrivals", name)
		}
	}
}

// TestStagesAreIndependent: no stage's gaps tell of another's, be it a
// neighbour or the same one under the next seed; and a stage stays what it is
// when the one before it gets longer.
func TestStagesAreIndependent(t *testing.T) {
	const stages, least = 6, 0.0005 // of 276 pairs
	one := Stage{Shape: Constant, From: 1000, For: 5 * time.Second, Poisson: true}
	walk := func(seed uint64, stretch time.Duration) (gaps [stages][]float64) {
		s := &schedule{seed: seed, stages: slices.Repeat([]Stage{one}, stages)}
		s.stages[0].For += stretch
		var starts [stages]time.Duration
		for i := 1; i < stages; i++ {
			starts[i] = starts[i-1] + s.stages[i-1].For
		}
		last := starts
		a := s.begin()
		for due, i, ok := a.next(); ok; due, i, ok = a.next() {
			gaps[i] = append(gaps[i], 1-math.Exp(-1000*(due-last[i]).Seconds()))
			last[i] = due
		}
		return gaps
	}
	all := make(map[string][]float64)
	for seed := range uint64(4) {
		for i, gaps := range walk(seed, 0) {
			all[fmt.Sprintf("stage %d of seed %d", i, seed)] = gaps
		}
	}
	names := slices.Sorted(maps.Keys(all))
	for i, a := range names {
		for _, b := range names[:i] {
			if p := correlation(all[a], all[b]); p < least {
				t.Errorf("%s and %s: p = %.2g", a, b, p)
			}
		}
	}
	if a, b := walk(1, 0), walk(1, time.Second); !slices.Equal(a[1], b[1]) || slices.Equal(a[0], b[0]) {
		t.Error("the second stage's arrivals changed with the first one's length")
	}
}
