package reports

import (
	"maps"
	"math"
	"slices"
	"time"

	"gatewaylab/scenarios"
)

// merge lays the trials' intervals over one another by time and takes medians
// over trials. Trials don't sample at exactly the same moments, so intervals
// meet at the nearest multiple of their usual length. The first and the last
// are as long as the trial lasted in them.
func merge(trials []*scenarios.Trial) []Slice {
	step := usualLength(trials)
	at := map[int][]scenarios.Interval{}
	for _, t := range trials {
		seen := map[int]bool{}
		for _, iv := range t.Series {
			k := int(math.Round(float64(iv.At) / float64(step)))
			from, to := within(t, k, step)
			if iv.Length = time.Duration(float64(iv.Length) * float64(to-from) / float64(step)); iv.Length > 0 && !seen[k] {
				at[k], seen[k] = append(at[k], iv), true
			}
		}
	}
	merged := []Slice{}
	for _, k := range slices.Sorted(maps.Keys(at)) {
		s := slice(at[k])
		from, to := within(trials[0], k, step)
		s.Seconds = ((from + to) / 2).Seconds()
		merged = append(merged, s)
	}
	return merged
}

// within is the part of the k-th slice in which the trial sent requests.
func within(t *scenarios.Trial, k int, step time.Duration) (from, to time.Duration) {
	return max(time.Duration(k-1)*step, -t.Warmup), min(time.Duration(k)*step, t.Window)
}

func usualLength(trials []*scenarios.Trial) time.Duration {
	var lengths []time.Duration
	for _, t := range trials {
		for _, iv := range t.Series {
			lengths = append(lengths, iv.Length)
		}
	}
	if len(lengths) == 0 {
		return time.Second
	}
	slices.Sort(lengths)
	return max(lengths[len(lengths)/2].Round(10*time.Millisecond), 10*time.Millisecond)
}

func slice(ivs []scenarios.Interval) Slice {
	median := func(f func(scenarios.Interval) float64) float64 {
		vs := make([]float64, len(ivs))
		for i, iv := range ivs {
			vs[i] = f(iv)
		}
		return estimate(vs, "").Median
	}
	s := Slice{
		N:        len(ivs),
		Goodput:  median(func(iv scenarios.Interval) float64 { return float64(iv.Succeeded) / iv.Length.Seconds() }),
		InFlight: median(func(iv scenarios.Interval) float64 { return float64(iv.InFlight) }),
		CPU:      median(func(iv scenarios.Interval) float64 { return iv.CPU }),
		Memory:   median(func(iv scenarios.Interval) float64 { return float64(iv.Memory) / mib }),
	}
	if ivs[0].Memory < 0 {
		s.CPU, s.Memory = -1, -1
	}
	var p50, p99 []float64 // of trials in which something ended
	for _, iv := range ivs {
		if iv.P50 > 0 {
			p50 = append(p50, millis(iv.P50))
			p99 = append(p99, millis(iv.P99))
		}
	}
	if len(p50) > 0 {
		s.P50, s.P99 = estimate(p50, "").Median, estimate(p99, "").Median
		s.P50Low, s.P50High = slices.Min(p50), slices.Max(p50)
	}
	return s
}

// each gives every trial's own figures, in the order of the trials.
func each(trials []*scenarios.Trial) []PerRun {
	runs := make([]PerRun, 0, len(trials))
	for _, t := range trials {
		run := PerRun{Trial: t.Trial, Valid: t.Valid()}
		if t.Window > 0 {
			run.Goodput, run.Offered = t.Goodput(), t.Offered()
		}
		for _, q := range quantiles() {
			ms, _ := timing(response).at(q)(t)
			switch q.name {
			case "p50":
				run.P50 = ms
			case "p99":
				run.P99 = ms
			}
		}
		runs = append(runs, run)
	}
	return runs
}
