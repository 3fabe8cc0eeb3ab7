package chart

import (
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// offers draws what was offered: as a line through the levels of a load curve,
// else as a step for each open stage.
func (p *pen) offers(c draw.Canvas, pl *plot.Plot, sc *scene, a stageAxis) {
	x, y := pl.Transforms(&c)
	if !a.discrete {
		if !sc.anyOpen() {
			return
		}
		var line []vg.Point
		const n = 64 // a straight line bends on a logarithmic scale
		low, high := slices.Min(a.at), slices.Max(a.at)
		if !a.log {
			low = 0
		}
		for k := range n + 1 {
			v := low + (high-low)*float64(k)/n
			line = append(line, vg.Point{X: x(v), Y: y(v)})
		}
		c.StrokeLines(p.offeredLine(), line)
		return
	}
	for i := range sc.Stages {
		if v := sc.offeredIn(i); sc.Stages[i].Open() && loggable(v) {
			c.StrokeLine2(p.offeredLine(), x(float64(i)-0.42), y(v), x(float64(i)+0.42), y(v))
		}
	}
}

// narrow is the width of a place below which points would hide each other: so
// many stages are drawn as lines with a marker here and there.
const narrow = 15

// profiles draws every model's points and the lines through them, and returns
// where they end at the right.
func (v *run) profiles(p *pen, c draw.Canvas, pl *plot.Plot, sc *scene, a stageAxis, of figureIn) map[int]vg.Point {
	x, y := pl.Transforms(&c)
	n := len(sc.cells)
	place := c.Size().X / vg.Length(len(sc.Stages))
	aside := func(model int) vg.Length { // models side by side, where places have a width
		if !a.discrete || place < narrow {
			return 0
		}
		room := min((x(1)-x(0))*0.6, vg.Length(n)*11)
		return room * (vg.Length(model) + 0.5 - vg.Length(n)/2) / vg.Length(n)
	}
	order := make([]int, len(sc.Stages))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, k int) int { return int(math.Copysign(1, a.at[i]-a.at[k])) })
	ends := map[int]vg.Point{}
	radius, every, whisker := vg.Length(4.5), 1, 1.2
	switch {
	case place < narrow:
		every, whisker = 6, 0.7
	case n*len(sc.Stages) > 60:
		radius = 3.5
	}
	for m := n - 1; m >= 0; m-- { // the first model on top
		var line []vg.Point
		flush := func() {
			c.StrokeLines(p.line(p.colour(m), 1.8), line)
			line = nil
		}
		for _, i := range order {
			e, ok := of.in(sc.cells[m], i)
			if !ok || pl.Y.Min > 0 && !loggable(e.Median) {
				flush()
				continue
			}
			at := vg.Point{X: x(a.at[i]) + aside(m), Y: y(e.Median)}
			line = append(line, at)
			ends[m] = at
		}
		flush()
	}
	for _, i := range order {
		points := map[int]vg.Point{}
		for m := n - 1; m >= 0; m-- {
			e, ok := of.in(sc.cells[m], i)
			if !ok || pl.Y.Min > 0 && !loggable(e.Median) {
				continue
			}
			at := vg.Point{X: x(a.at[i]) + aside(m), Y: y(e.Median)}
			points[m] = at
			if low, high, ok := interval(e); ok && high > low && (low > 0 || pl.Y.Min == 0) {
				c.StrokeLine2(p.line(p.ink, whisker), at.X, y(low), at.X, y(high))
			}
		}
		for m := n - 1; m >= 0; m-- {
			if at, ok := points[m]; ok && (i+m)%every == 0 {
				size := radius
				if every == 1 {
					size += min(beneath(points, m), 2) * 1.5
				}
				p.mark(c, m, at, size)
			}
		}
	}
	return ends
}
