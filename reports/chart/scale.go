package chart

import (
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
)

// linear ticks: about n of them, at steps of 1, 2 or 5 times a power of ten.
type linear struct{ n int }

// Ticks implements plot.Ticker.
func (l linear) Ticks(low, high float64) []plot.Tick {
	step := niceStep((high - low) / float64(max(l.n, 1)))
	if !loggable(step) {
		return nil
	}
	var ticks []plot.Tick
	for i := math.Ceil(low/step - 1e-9); i*step <= high+step*1e-9 && len(ticks) < 50; i++ {
		v := i * step
		ticks = append(ticks, plot.Tick{Value: v, Label: tickText(v, step)})
	}
	return ticks
}

// niceStep is the least of 1, 2 and 5 times a power of ten that is not below v.
func niceStep(v float64) float64 {
	if !loggable(v) {
		return math.NaN()
	}
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, k := range []float64{1, 2, 5} {
		if v <= k*power*(1+1e-9) {
			return k * power
		}
	}
	return 10 * power
}

// decades are logarithmic ticks: as many of the round numbers as stay apart,
// labelled in full (1, 2, 5, 10 …, 1,000), the others of each power of ten
// without a label.
type decades struct{ n int }

// Ticks implements plot.Ticker.
func (d decades) Ticks(low, high float64) []plot.Tick {
	if !loggable(low) || !loggable(high) || low >= high {
		return nil
	}
	steps := [][]float64{
		{1, 1.2, 1.4, 1.6, 1.8, 2, 2.5, 3, 3.5, 4, 4.5, 5, 6, 7, 8, 9},
		{1, 1.5, 2, 3, 4, 5, 7},
		{1, 2, 5},
		{1, 3},
		{1},
	}
	var values []float64
	for _, s := range steps {
		if values = within(s, 1, low, high); len(values) <= d.n {
			break
		}
	}
	for every := 2; len(values) > d.n; every++ {
		values = within([]float64{1}, every, low, high)
	}
	var ticks []plot.Tick
	for _, v := range values {
		ticks = append(ticks, plot.Tick{Value: v, Label: tickText(v, v)})
	}
	if len(values) > 0 && math.Log10(high/low) <= 5 {
		for _, v := range within([]float64{1, 2, 3, 4, 5, 6, 7, 8, 9}, 1, low, high) {
			ticks = append(ticks, plot.Tick{Value: v})
		}
	}
	return ticks
}

// within lists k × 10ᵉ from low to high, for each k of steps and every so many
// powers of ten.
func within(steps []float64, every int, low, high float64) []float64 {
	var values []float64
	first := int(math.Floor(math.Log10(low)))
	for e := first; float64(e) <= math.Log10(high)+1; e++ {
		if e%every != 0 {
			continue
		}
		for _, k := range steps {
			v := k * math.Pow(10, float64(e))
			if v >= low*(1-1e-9) && v <= high*(1+1e-9) {
				values = append(values, v)
			}
		}
	}
	return values
}

// logRange widens the range of the values so that nothing sits on the frame
// and differences of a few per cent are not blown up to the full height: it
// spans at least a factor of four. Without any value it is 1 to 1,000.
func logRange(values []float64) (low, high float64) {
	low, high = math.Inf(1), 0
	for _, v := range values {
		if loggable(v) {
			low, high = min(low, v), max(high, v)
		}
	}
	if high == 0 {
		return 1, 1000
	}
	a, b := math.Log10(low), math.Log10(high)
	pad := max(0.06*(b-a), 0.04)
	if short := math.Log10(4) - (b - a + 2*pad); short > 0 {
		pad += short / 2
	}
	return math.Pow(10, max(a-pad, -300)), math.Pow(10, min(b+pad, 300))
}

// tail is where a quantile stands on the axis of percentiles: each unit is ten
// times rarer than the one before, so 0.9, 0.99 and 0.999 are equally apart.
func tail(q float64) float64 { return -math.Log10(1 - q) }

// quantiles are the marks of that axis. Where labels would touch, 75, 95 and
// 99.5 are left out, and others stand without theirs.
type quantiles struct {
	unit  vg.Length              // length of one step of ten times rarer
	width func(string) vg.Length // of a label
}

// Ticks implements plot.Ticker.
func (t quantiles) Ticks(low, high float64) []plot.Tick {
	marks := []struct {
		q     float64
		label string
	}{
		{.9, "90"}, {.99, "99"}, {.5, "50"}, {0, "0"}, {.999, "99.9"}, {.9999, "99.99"}, {.99999, "99.999"},
		{.999999, "99.9999"}, {.95, "95"}, {.75, "75"}, {.995, "99.5"},
	}
	var ticks []plot.Tick
	for _, m := range marks {
		x := tail(m.q)
		if x < low-1e-9 || x > high+1e-9 {
			continue
		}
		for _, other := range ticks {
			apart := vg.Length(math.Abs(x-other.Value)) * t.unit
			if !other.IsMinor() && apart < (t.width(m.label)+t.width(other.Label))/2+14 {
				m.label = ""
				break
			}
		}
		if between := m.q == .75 || m.q == .95 || m.q == .995; between && m.label == "" {
			continue
		}
		ticks = append(ticks, plot.Tick{Value: x, Label: m.label})
	}
	return ticks
}

// unmarked is an axis without ticks.
type unmarked struct{}

// Ticks implements plot.Ticker.
func (unmarked) Ticks(float64, float64) []plot.Tick { return nil }

// unlabelled keeps the ticks of an axis, and with them its grid, and leaves
// out their text.
type unlabelled struct{ plot.Ticker }

// Ticks implements plot.Ticker.
func (u unlabelled) Ticks(low, high float64) []plot.Tick {
	ticks := u.Ticker.Ticks(low, high)
	for i := range ticks {
		if !ticks[i].IsMinor() {
			ticks[i].Label = " "
		}
	}
	return ticks
}
