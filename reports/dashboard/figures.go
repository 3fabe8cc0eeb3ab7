package dashboard

import (
	"math"
	"slices"
	"time"

	"gatewaylab/scenarios"
)

// trialFigures is what the dashboard keeps of a trial: figures, no histograms.
type trialFigures struct {
	scenarios.Ref
	goodput   float64 // responses/s
	responses int64   // behind the quantiles
	p50, p99  float64 // response time, ms; NaN where the sample can't say
	failed    uint64
	restarts  uint64 // of the server or its workers, in the window
	invalid   []string
	left      time.Duration
}

// finish reads a trial's figures.
func finish(d scenarios.TrialDone) trialFigures {
	f := trialFigures{left: d.Left, p50: math.NaN(), p99: math.NaN()}
	t := d.Trial
	if t == nil {
		return f
	}
	f.Ref, f.failed, f.restarts, f.invalid = t.Ref, t.Failed, t.Server.Restarts, t.Invalid
	if t.Window > 0 {
		f.goodput = t.Goodput()
	}
	if t.Response != nil && t.Response.Histogram != nil {
		f.responses = t.Response.TotalCount()
		f.p50, f.p99 = quantile(t.Response, 0.50), quantile(t.Response, 0.99)
	}
	return f
}

// quantile is a response-time quantile of one trial in ms; NaN where the trial
// has too few responses for it.
func quantile(h *scenarios.Histogram, q float64) float64 {
	if each, _ := scenarios.Needs(q); h.TotalCount() < each {
		return math.NaN()
	}
	return millis(h.Quantile(q))
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// A summary is what all finished trials of a cell say together.
type summary struct {
	valid, invalid    int
	failed, restarts  uint64
	goodput, p50, p99 float64 // medians over valid trials; NaN = none can say
}

func (c *cell) summary() summary {
	s := summary{}
	var goodput, p50, p99 []float64
	var responses int64
	for _, t := range c.trials {
		switch {
		case t.done == nil:
		case len(t.done.invalid) > 0:
			s.invalid++
		default:
			s.valid++
			s.failed += t.done.failed
			s.restarts += t.done.restarts
			responses += t.done.responses
			goodput = append(goodput, t.done.goodput)
			p50 = append(p50, t.done.p50)
			p99 = append(p99, t.done.p99)
		}
	}
	s.goodput = median(goodput)
	s.p50 = supported(p50, 0.50, responses)
	s.p99 = supported(p99, 0.99, responses)
	return s
}

// supported is the median of a quantile that every trial supports, and all
// their responses together.
func supported(v []float64, q float64, responses int64) float64 {
	if _, all := scenarios.Needs(q); responses < all || slices.ContainsFunc(v, math.IsNaN) {
		return math.NaN()
	}
	return median(v)
}

// median of the numbers among v, which it changes; NaN if there are none.
func median(v []float64) float64 {
	v = slices.DeleteFunc(v, math.IsNaN)
	n := len(v)
	if n == 0 {
		return math.NaN()
	}
	slices.Sort(v)
	return (v[(n-1)/2] + v[n/2]) / 2
}
