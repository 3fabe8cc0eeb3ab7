package reports

import (
	"math"
	"slices"

	"golang.org/x/perf/benchmath"

	"gatewaylab/scenarios"
)

const (
	confidence = 0.95
	alpha      = 1 - confidence
	// minTrials is the smallest sample whose lowest and highest value enclose
	// the median with 95 % confidence: 1 − 2^(1−6) = 0.969.
	minTrials = 6
)

// estimate summarises one value per trial: the median, and the interval
// between two order statistics that holds the true median with at least 95 %
// confidence whatever the distribution (benchmath.AssumeNothing). It may lie
// unevenly around the median. Too few values give lowest … highest instead.
func estimate(values []float64, unit string) Estimate {
	n := len(values)
	if n == 0 {
		return Estimate{Unit: unit}
	}
	s := sample(values)
	sum := benchmath.AssumeNothing.Summary(s, confidence)
	e := Estimate{Median: sum.Center, Low: sum.Lo, High: sum.Hi, N: n, Unit: unit, Confidence: sum.Confidence}
	if math.IsInf(sum.Lo, 0) || math.IsInf(sum.Hi, 0) {
		e.Low, e.High = s.Values[0], s.Values[n-1]
		e.Confidence = 1 - math.Pow(2, float64(1-n))
	}
	return e
}

// compare tests whether two samples of trials differ (Mann–Whitney U, two
// sided), and says whether we call them different: p < 0.05, at least six
// trials each, and intervals that don't overlap.
func compare(a, b []float64) (p float64, apart bool) {
	c := benchmath.AssumeNothing.Compare(sample(a), sample(b))
	if len(a) < minTrials || len(b) < minTrials || c.P >= alpha {
		return c.P, false
	}
	ea, eb := estimate(a, ""), estimate(b, "")
	return c.P, ea.High < eb.Low || eb.High < ea.Low
}

func sample(values []float64) *benchmath.Sample {
	return benchmath.NewSample(slices.Clone(values), &benchmath.Thresholds{CompareAlpha: alpha})
}

// A measure takes one figure from a trial; false where the trial has none.
type measure func(*scenarios.Trial) (float64, bool)

func (m measure) values(trials []*scenarios.Trial) []float64 {
	var vs []float64
	for _, t := range trials {
		if v, ok := m(t); ok {
			vs = append(vs, v)
		}
	}
	return vs
}

func (m measure) over(trials []*scenarios.Trial, unit string) Estimate {
	return estimate(m.values(trials), unit)
}

// always makes a measure of a figure that every trial has.
func always(f func(*scenarios.Trial) float64) measure {
	return func(t *scenarios.Trial) (float64, bool) { return f(t), true }
}

// positive makes a measure of a figure whose zero means that it is unknown.
func positive(f func(*scenarios.Trial) float64) measure {
	return func(t *scenarios.Trial) (float64, bool) {
		v := f(t)
		return v, v > 0
	}
}

// perSuccess divides a total of the window by the successful responses that
// ended in it.
func perSuccess(total func(*scenarios.Trial) float64) measure {
	return func(t *scenarios.Trial) (float64, bool) {
		if t.Succeeded == 0 {
			return 0, false
		}
		return total(t) / float64(t.Succeeded), true
	}
}

// seen leaves out the trials of a server that the lab didn't start, whose
// process tree it can't see.
func seen(m measure) measure {
	return func(t *scenarios.Trial) (float64, bool) {
		if t.Server.Unknown {
			return 0, false
		}
		return m(t)
	}
}
