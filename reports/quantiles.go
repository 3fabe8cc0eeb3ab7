package reports

import (
	"math"
	"slices"
	"time"

	"gatewaylab/scenarios"
)

// A quantile is printed when every valid trial has at least each samples and
// all together have at least total; see scenarios.Needs.
type quantile struct {
	name  string
	q     float64
	each  int64
	total int64
}

func quantiles() []quantile {
	all := []quantile{{name: "p50", q: 0.5}, {name: "p90", q: 0.9}, {name: "p99", q: 0.99}, {name: "p99.9", q: 0.999}}
	for i := range all {
		all[i].each, all[i].total = scenarios.Needs(all[i].q)
	}
	return all
}

// A timing picks one of a trial's histograms.
type timing func(*scenarios.Trial) *scenarios.Histogram

func response(t *scenarios.Trial) *scenarios.Histogram  { return t.Response }
func service(t *scenarios.Trial) *scenarios.Histogram   { return t.Service }
func firstByte(t *scenarios.Trial) *scenarios.Histogram { return t.FirstByte }
func lag(t *scenarios.Trial) *scenarios.Histogram       { return t.Lag }

func (pick timing) count(t *scenarios.Trial) int64 {
	if h := pick(t); h != nil && h.Histogram != nil {
		return h.TotalCount()
	}
	return 0
}

func (pick timing) supports(q quantile, trials []*scenarios.Trial) bool {
	var total int64
	for _, t := range trials {
		n := pick.count(t)
		if n < q.each {
			return false
		}
		total += n
	}
	return total >= q.total
}

// at is the measure of one quantile, in milliseconds.
func (pick timing) at(q quantile) measure {
	return func(t *scenarios.Trial) (float64, bool) {
		if pick.count(t) < q.each {
			return 0, false
		}
		return millis(pick(t).Quantile(q.q)), true
	}
}

// quantile estimates one that isn't among the usual; it is not known where the
// trials don't support it.
func (pick timing) quantile(name string, at float64, trials []*scenarios.Trial) Estimate {
	q := quantile{name: name, q: at}
	if q.each, q.total = scenarios.Needs(at); !pick.supports(q, trials) {
		return Estimate{}
	}
	return pick.at(q).over(trials, "ms")
}

// summary estimates the quantiles that the trials support, and "mean" and
// "max" where every trial has a sample.
func (pick timing) summary(trials []*scenarios.Trial) map[string]Estimate {
	m := map[string]Estimate{}
	if slices.ContainsFunc(trials, func(t *scenarios.Trial) bool { return pick.count(t) == 0 }) || len(trials) == 0 {
		return m
	}
	m["mean"] = always(func(t *scenarios.Trial) float64 { return pick(t).Mean() / 1e3 }).over(trials, "ms")
	m["max"] = always(func(t *scenarios.Trial) float64 { return float64(pick(t).Max()) / 1e3 }).over(trials, "ms")
	for _, q := range quantiles() {
		if pick.supports(q, trials) {
			m[q.name] = pick.at(q).over(trials, "ms")
		}
	}
	return m
}

// curve is the distribution over all trials together, at quantiles evenly
// spaced in log 1/(1−q), twenty to a decade, up to the last with five samples
// beyond it.
func (pick timing) curve(trials []*scenarios.Trial) []Point {
	all := scenarios.NewHistogram()
	for _, t := range trials {
		if pick.count(t) > 0 {
			all.Merge(pick(t).Histogram)
		}
	}
	points := []Point{}
	last := float64(all.TotalCount()) / 5
	for i := 0; ; i++ {
		beyond := math.Pow(10, float64(i)/20) // 1/(1−q)
		if beyond > last {
			return points
		}
		q := 1 - 1/beyond
		points = append(points, Point{Quantile: q, Millis: millis(all.Quantile(q))})
	}
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
