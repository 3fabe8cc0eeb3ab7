package dashboard

import (
	"math"
	"slices"
	"strconv"
)

// ntcharts' sparkline was tried first: about 2.4 µs and 1.4 kB a cell (each
// cell is a lipgloss style of its own), several milliseconds for the charts of
// one frame, and no room for marks between trials. Columns in eighths of a
// cell need no more than this.
var eighths = [...]rune{' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'}

// column draws one column of height v (0 … 1) of area a, at its i-th place.
// Something that is there is never drawn as nothing.
func column(s *screen, a area, i int, k ink, v float64) {
	if math.IsNaN(v) || v <= 0 || i < 0 || i >= a.w {
		return
	}
	n := min(max(1, int(math.Round(v*float64(a.h)*8))), a.h*8)
	for y := a.y + a.h - 1; n > 0; y-- {
		s.set(a.x+i, y, k, eighths[min(n, 8)])
		n -= 8
	}
}

// dot marks a height, unless a column reaches there: what lies so near needs
// no mark.
func dot(s *screen, a area, i int, k ink, v float64) {
	if math.IsNaN(v) || v < 0 || i < 0 || i >= a.w {
		return
	}
	y := a.y + a.h - 1 - min(int(v*float64(a.h)), a.h-1)
	if s.at(a.x+i, y) == ' ' {
		s.set(a.x+i, y, k, '•')
	}
}

// A scale maps values to heights from 0 to 1.
type scale struct {
	low, high float64
	log       bool
}

// linear runs from 0 to the first round number that holds peak, so that it
// rarely changes.
func linear(peak float64) scale { return scale{high: ceil(peak)} }

// logarithmic runs between round numbers around low and high, a power of ten
// apart at least, so that noise doesn't fill the chart.
func logarithmic(low, high float64) scale {
	if low <= 0 || high < low {
		return scale{low: 1, high: 1000, log: true}
	}
	top := ceil(high)
	return scale{low: floor(min(low/2, top/10)), high: top, log: true}
}

var steps = [...]float64{1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8}

// ceil is the round number at or above v, floor that at or below it. What
// isn't a positive number counts as 1.
func ceil(v float64) float64 {
	e := decade(v)
	for _, m := range steps {
		if v <= m*e*(1+1e-9) {
			return m * e
		}
	}
	return 10 * e
}

func floor(v float64) float64 {
	e := decade(v)
	for _, m := range slices.Backward(steps[:]) {
		if v >= m*e*(1-1e-9) {
			return m * e
		}
	}
	return e
}

// decade is the power of ten at or below v.
func decade(v float64) float64 {
	if !(v > 0) || math.IsInf(v, 0) {
		return 1
	}
	return math.Pow(10, math.Floor(math.Log10(v)))
}

func (c scale) at(v float64) float64 {
	if math.IsNaN(v) {
		return v
	}
	if !c.log {
		return min(v/c.high, 1)
	}
	return min(max(0, math.Log(v/c.low)/math.Log(c.high/c.low)), 1)
}

func (c scale) millis() string { return trimMS(c.low) + " – " + trimMS(c.high) + ", log" }

func trimMS(v float64) string {
	switch {
	case v >= 1000:
		return strconv.FormatFloat(v/1000, 'g', 4, 64) + " s"
	default:
		return strconv.FormatFloat(v, 'g', 4, 64) + " ms"
	}
}

// A curve is one quantity of a cell's trials: as columns, and as dots above
// them where there is a second.
type curve struct {
	scale   scale
	columns func(point) float64
	dots    func(point) float64
}

// Marks between the columns of a strip.
const (
	newTrial = '┊'
	newStage = '│'
)

// strip draws a cell's trials one after the other, a mark between them and one
// where a stage of the load gives way to the next, and shows the end of it:
// what moves is the present.
func strip(s *screen, a area, c *cell, k ink, v curve) {
	if a.w <= 0 || a.h <= 0 {
		return
	}
	x := a.w
	mark := func(r rune) {
		x--
		for y := range a.h {
			s.set(a.x+x, a.y+y, faint, r)
		}
	}
	for t := len(c.trials) - 1; t >= 0 && x > 0; t-- {
		pts := c.trials[t].points
		if len(pts) == 0 {
			continue
		}
		if x < a.w {
			mark(newTrial)
		}
		for i := len(pts) - 1; i >= 0 && x > 0; i-- {
			if i+1 < len(pts) && pts[i].stage != pts[i+1].stage {
				mark(newStage)
				if x == 0 {
					return
				}
			}
			x--
			own := k
			if pts[i].warm {
				own = faint
			}
			column(s, a, x, own, v.scale.at(v.columns(pts[i])))
			if v.dots != nil {
				dot(s, a, x, own, v.scale.at(v.dots(pts[i])))
			}
		}
	}
	for ; x > 0; x-- {
		s.set(a.x+x-1, a.y+a.h-1, faint, '·')
	}
}

// places draws a cell's trials each in a place of its own, so that the same
// trial of every model and scenario stands in the same column. Warm-up has
// none.
func places(s *screen, a area, c *cell, trials int, window float64, k ink, v curve, whole func(*trialFigures) float64) {
	trials = max(trials, len(c.trials), 1)
	first := max(0, trials-a.w) // more trials than columns: the last ones
	trials -= first
	gap := 0
	if a.w >= 2*trials {
		gap = 1
	}
	wide := max(1, (a.w+gap)/trials-gap)
	for n := range trials {
		place := area{a.x + n*(wide+gap), a.y, wide, a.h}
		t := &track{}
		if first+n < len(c.trials) {
			t = c.trials[first+n]
		}
		one(s, place, t, window, k, v, whole)
	}
}

// one draws a single trial into its place: its mean over each column's share
// of the window.
func one(s *screen, a area, t *track, window float64, k ink, v curve, whole func(*trialFigures) float64) {
	bottom := a.y + a.h - 1
	if t.done != nil && len(t.done.invalid) > 0 {
		for i := range a.w {
			s.set(a.x+i, bottom, alert, '×')
		}
		return
	}
	for i := range a.w {
		mean, n := 0.0, 0
		for _, p := range t.points {
			y := v.columns(p)
			if p.warm || math.IsNaN(y) || window > 0 && min(int(p.at.Seconds()/window*float64(a.w)-1e-9), a.w-1) != i {
				continue
			}
			mean += y
			n++
		}
		switch {
		case t.done != nil && (n == 0 || a.w == 1):
			column(s, a, i, k, v.scale.at(whole(t.done)))
		case n > 0:
			column(s, a, i, k, v.scale.at(mean/float64(n)))
		default:
			s.set(a.x+i, bottom, faint, '·')
		}
	}
}
