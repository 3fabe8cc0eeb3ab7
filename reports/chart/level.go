package chart

import (
	"math"
	"time"

	"gatewaylab/scenarios/load"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// A level is what was offered over the time of one stage: arrivals/s of an
// open one, users of a closed one, as a line through (seconds from the start
// of the window, level).
type level struct {
	open bool
	line [][2]float64
}

// varies says whether the load has more than one level, so that what was
// offered has to stand beside what came of it.
func (sc *scene) varies() bool {
	_, steady := sc.Steady()
	return len(sc.Stages) > 0 && !steady
}

// levels are those of the scenario's stages, in order.
func (sc *scene) levels() (all []level) {
	var from time.Duration
	for i := range sc.Stages {
		st := &sc.Stages[i]
		l := level{open: st.Open(), line: profile(st)}
		if st.Shape == load.Replay && len(st.Times) == 0 {
			// Arrivals aren't saved with a run; how many came is.
			rate := sc.offeredIn(i)
			l.line = [][2]float64{{0, rate}, {st.For.Seconds(), rate}}
		}
		for k := range l.line {
			l.line[k][0] += from.Seconds()
		}
		all = append(all, l)
		from += st.For
	}
	return all
}

// profile is a stage's level over its time.
func profile(st *load.Stage) (line [][2]float64) {
	if st.For <= 0 {
		return nil
	}
	value := func(t time.Duration) float64 {
		if st.Open() {
			return st.RateAt(t)
		}
		return float64(st.UsersAt(t))
	}
	flat := func(from, to time.Duration, v float64) {
		line = append(line, [2]float64{from.Seconds(), v}, [2]float64{to.Seconds(), v})
	}
	switch {
	case st.Shape == load.Spike:
		flat(0, st.At, st.From)
		flat(st.At, st.At+st.Lasting, st.To)
		flat(st.At+st.Lasting, st.For, st.From)
	case st.Shape == load.Ramp:
		return [][2]float64{{0, st.From}, {st.For.Seconds(), st.To}}
	case st.Shape == load.Sine && st.Every > 0:
		n := min(max(2, int(32*st.For.Seconds()/st.Every.Seconds())), 2000)
		for k := range n + 1 {
			t := time.Duration(float64(st.For) * float64(k) / float64(n))
			line = append(line, [2]float64{t.Seconds(), value(t)})
		}
	case st.Shape == load.Replay:
		const bins = 60
		var came [bins]float64
		for _, t := range st.Times {
			came[min(max(0, int(bins*t.Seconds()/st.For.Seconds())), bins-1)]++
		}
		for k, n := range came {
			flat(st.For*time.Duration(k)/bins, st.For*time.Duration(k+1)/bins, n*bins/st.For.Seconds())
		}
	default:
		n := max(1, st.Levels)
		at := func(k int) time.Duration { return st.For * time.Duration(k) / time.Duration(n) }
		for k := range n {
			from, to := at(k), at(k+1)
			flat(from, to, value(from+(to-from)/2))
		}
	}
	return line
}

// offeredIn is the mean rate that stage i offered, as measured.
func (sc *scene) offeredIn(i int) float64 {
	for _, c := range sc.cells {
		switch {
		case c == nil:
		case len(sc.Stages) == 1 && known(c.Offered):
			return c.Offered.Median
		case i < len(c.Stages) && known(c.Stages[i].Offered):
			return c.Stages[i].Offered.Median
		}
	}
	return 0
}

// bounds are the moments at which one stage gives way to the next, and the end
// of the last, after which late answers came in. A steady load has none.
func (sc *scene) bounds() (seconds []float64) {
	if !sc.varies() {
		return nil
	}
	var at time.Duration
	for i := range sc.Stages {
		at += sc.Stages[i].For
		seconds = append(seconds, at.Seconds())
	}
	return seconds
}

const (
	stripHeight = 34
	stripGap    = 9
)

// A strip shows above a plot over time what was offered when.
type strip struct {
	sc     *scene
	levels []level
	open   []bool // the loops there are, one row for each
}

// strip is nil where the level never changes.
func (sc *scene) strip() *strip {
	if !sc.varies() {
		return nil
	}
	s := &strip{sc: sc, levels: sc.levels()}
	if !sc.Closed() {
		s.open = append(s.open, true)
	}
	if !sc.Open() {
		s.open = append(s.open, false)
	}
	return s
}

// height is what the strip takes from the plot below.
func (s *strip) height(p *pen) vg.Length {
	if s == nil {
		return 0
	}
	h := vg.Length(len(s.open)) * (stripHeight + stripGap)
	return h + s.head(p)
}

// head is for the stages' names.
func (s *strip) head(p *pen) vg.Length {
	if len(s.sc.Stages) > 1 {
		return p.face(sizeSmall, false, p.ink).line()
	}
	return 6
}

// draw fills the canvas, whose left and right are those of the data below;
// x places seconds. Names stand at the top, what the rows are at the right.
func (s *strip) draw(p *pen, c draw.Canvas, x func(float64) vg.Length) {
	small := p.face(sizeSmall, false, p.muted)
	if len(s.sc.Stages) > 1 {
		s.names(p, c, x)
	}
	c = crop(c, 0, 0, 0, s.head(p))
	p.boundaries(c, s.sc, x)
	for k, open := range s.open {
		bottom := c.Max.Y - vg.Length(k+1)*(stripHeight+stripGap) + stripGap
		row := vg.Rectangle{
			Min: vg.Point{X: c.Min.X, Y: bottom},
			Max: vg.Point{X: c.Max.X, Y: bottom + stripHeight},
		}
		title := "users"
		if open {
			title = "arrivals/s"
		}
		s.row(p, c, row, x, open)
		at := vg.Point{X: row.Max.X + 8, Y: bottom + stripHeight - small.size()}
		small.put(c, at, 0, "offered")
		small.put(c, vg.Point{X: at.X, Y: at.Y - small.line()}, 0, title)
	}
}

// top is the highest level of the open or of the closed stages.
func (s *strip) top(open bool) (top float64) {
	for _, l := range s.levels {
		for _, pt := range l.line {
			if l.open == open && finite(pt[1]) {
				top = max(top, pt[1])
			}
		}
	}
	return top
}

// scale is what the labels at the left of the strip take.
func (s *strip) scale(p *pen) (w vg.Length) {
	if s == nil {
		return 0
	}
	for _, open := range s.open {
		w = max(w, p.face(sizeSmall, false, p.ink).Width(setting(round(s.top(open)))))
	}
	return w
}

// row draws the level of the open or of the closed stages, from 0.
func (s *strip) row(p *pen, c draw.Canvas, row vg.Rectangle, x func(float64) vg.Length, open bool) {
	top := s.top(open)
	y := func(v float64) vg.Length {
		if top == 0 {
			return row.Min.Y
		}
		return row.Min.Y + vg.Length(v/top)*row.Size().Y
	}
	c.StrokeLine2(p.line(p.axis, 0.8), row.Min.X, row.Min.Y, row.Max.X, row.Min.Y)
	if x(0) > row.Min.X && len(s.levels) > 0 && s.levels[0].open == open && len(s.levels[0].line) > 0 {
		v := y(s.levels[0].line[0][1]) // the warm-up is at the level at which the first stage starts
		c.StrokeLine2(p.line(p.muted, 1.2, 2, 2), row.Min.X, v, x(0), v)
	}
	for _, l := range s.levels {
		if l.open != open || len(l.line) == 0 {
			continue
		}
		var line []vg.Point
		for _, pt := range l.line {
			line = append(line, vg.Point{X: min(x(pt[0]), row.Max.X), Y: y(pt[1])})
		}
		area := append([]vg.Point{{X: line[0].X, Y: row.Min.Y}}, line...)
		c.FillPolygon(p.shade, append(area, vg.Point{X: line[len(line)-1].X, Y: row.Min.Y}))
		c.StrokeLines(p.line(p.muted, 1.4), line)
	}
	tick := p.face(sizeSmall, false, p.ink) // within the row, for others are near
	tick.put(c, vg.Point{X: row.Min.X - 6, Y: row.Min.Y}, 1, "0")
	if top > 0 {
		tick.put(c, vg.Point{X: row.Min.X - 6, Y: row.Max.Y - tick.rise()}, 1, setting(round(top)))
	}
}

// round keeps three significant figures of a level.
func round(v float64) float64 {
	if !loggable(v) {
		return 0
	}
	unit := math.Pow(10, math.Floor(math.Log10(v))-2)
	return math.Round(v/unit) * unit
}

// names writes the stages' names above their part of the strip.
func (s *strip) names(p *pen, c draw.Canvas, x func(float64) vg.Length) {
	f := p.face(sizeSmall, false, p.ink)
	var slots []slot
	at := time.Duration(0)
	for i := range s.sc.Stages {
		st := &s.sc.Stages[i]
		slots = append(slots, slot{from: x(at.Seconds()), to: min(x((at + st.For).Seconds()), c.Max.X), text: st.Title(i)})
		at += st.For
	}
	for i, text := range f.fit(slots) {
		f.put(c, vg.Point{X: slots[i].middle(), Y: c.Max.Y - f.size()*0.92}, 0.5, text)
	}
}

// boundaries draws a line at each of the bounds that lies within the canvas.
func (p *pen) boundaries(c draw.Canvas, sc *scene, x func(float64) vg.Length) {
	strength := 0.7
	if c.Size().X < 20*vg.Length(len(sc.Stages)) {
		strength = 0.35
	}
	style := p.line(blend(p.back, p.axis, strength), 0.8)
	for _, b := range sc.bounds() {
		if at := x(b); at > c.Min.X+1 && at < c.Max.X-4 {
			c.StrokeLine2(style, at, c.Min.Y, at, c.Max.Y)
		}
	}
}

// over makes a strip for a plot over time and returns what is left of the
// canvas for it; draw is to be called when the plot has been drawn.
func (s *strip) over(p *pen, area draw.Canvas) (rest draw.Canvas, finish func(pl *plot.Plot)) {
	if s == nil {
		return area, func(*plot.Plot) {}
	}
	rest = crop(area, 0, 0, 0, s.height(p))
	return rest, func(pl *plot.Plot) {
		data := pl.DataCanvas(rest)
		x, _ := pl.Transforms(&data)
		top := area
		top.Min = vg.Point{X: data.Min.X, Y: data.Max.Y}
		top.Max.X = data.Max.X
		s.draw(p, top, x)
	}
}

// stripScale is for the time below a strip that stands alone.
const stripScale = 22

// above draws a strip with a scale of its own over panels, and returns what is
// left for them.
func (s *strip) above(p *pen, c draw.Canvas, from, to float64) draw.Canvas {
	if s == nil {
		return c
	}
	const right = 66
	left := max(44, s.scale(p)+6)
	f := p.face(sizeSmall, false, p.ink)
	own := crop(c, left, right, 0, 0)
	own.Min.Y = own.Max.Y - s.height(p)
	x := func(v float64) vg.Length {
		return own.Min.X + vg.Length((v-from)/(to-from))*own.Size().X
	}
	s.draw(p, own, x)
	low := own.Min.Y + stripGap
	for _, t := range (linear{n: 8}).Ticks(from, to) {
		at := x(t.Value)
		c.StrokeLine2(p.line(p.axis, 1), at, low, at, low-4)
		f.put(c, vg.Point{X: at, Y: low - 5 - f.size()}, 0.5, t.Label)
	}
	return crop(c, 0, 0, 0, s.height(p)+stripScale)
}
