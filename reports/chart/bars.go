package chart

import (
	"math"
	"slices"

	"gatewaylab/reports"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// A block is a panel of bars, one for each model, on a scale of its own that
// starts at 0. The bars lie, so that long model names can stand beside them.
type block struct {
	heading string // may be empty
	sub     string // below it
	axis    string // quantity and unit
	bars    []bar
	ranges  bool // write the interval behind the value
}

// A bar is one model's estimate.
type bar struct {
	value  reports.Estimate
	each   []reports.PerRun // goodput of each trial
	note   string           // behind the value
	theory float64          // what it should be; 0 = nothing is predicted
	reason string           // why there is nothing
}

const (
	blockGap   = 22
	blockTitle = 38 // heading above
	blockScale = 46 // ticks and title below
)

// barNames are the models' names beside bars.
func (p *pen) barNames(models []string, width vg.Length) (f face, lines [][]string) {
	size := float64(sizeLabel)
	if len(models) > 8 {
		size = sizeSmall
	}
	f = p.face(size, true, p.ink)
	return f, f.names(models, width*0.24, 2)
}

// blocksHeight is the least height of rows of blocks.
func (p *pen) blocksHeight(rows int, models []string, width vg.Length, roomy bool) vg.Length {
	one := vg.Length(34)
	switch {
	case len(models) > 8:
		one = 22
	case len(models) > 4:
		one = 27
	}
	if roomy {
		one += 8
	}
	f, names := p.barNames(models, width)
	for _, lines := range names {
		one = max(one, vg.Length(len(lines))*f.line()+4)
	}
	block := blockTitle + blockScale + max(2, vg.Length(len(models)))*one
	return vg.Length(rows)*(block+blockGap) - blockGap
}

// blocks draws rows of blocks with the models' names at the left of each row.
func (p *pen) blocks(c draw.Canvas, models []string, rows [][]block) {
	cols := 0
	for _, r := range rows {
		cols = max(cols, len(r))
	}
	name, labels := p.barNames(models, c.Size().X)
	column := vg.Length(0)
	for _, l := range labels {
		column = max(column, name.widest(l))
	}
	const mark = 20
	height := (c.Size().Y - vg.Length(len(rows)-1)*blockGap) / vg.Length(len(rows))
	for r, row := range rows {
		top := vg.Length(r) * (height + blockGap)
		strip := crop(c, 0, 0, c.Size().Y-top-height, top)
		t := draw.Tiles{Cols: cols, Rows: 1, PadX: blockGap, PadLeft: column + mark + 8}
		for k, b := range row {
			data := p.block(t.At(strip, k, 0), b)
			if k > 0 {
				continue
			}
			for i, lines := range labels {
				y := rowAt(data, i, len(labels))
				p.mark(c, i, vg.Point{X: c.Min.X + column + mark - 5, Y: y}, 4.5)
				y += vg.Length(len(lines)-1) * name.line() / 2
				for _, l := range lines {
					name.middle(c, vg.Point{X: c.Min.X + column, Y: y}, 1, l)
					y -= name.line()
				}
			}
		}
	}
}

func rowAt(c draw.Canvas, i, n int) vg.Length {
	return c.Max.Y - (vg.Length(i)+0.5)*c.Size().Y/vg.Length(n)
}

// block draws one panel and returns where its data are.
func (p *pen) block(c draw.Canvas, b block) draw.Canvas {
	if b.heading != "" {
		head, sub := p.face(sizeAxis, true, p.ink), p.face(sizeSmall, false, p.muted)
		head.put(c, vg.Point{X: c.Min.X, Y: c.Max.Y - head.size()}, 0, head.shorten(b.heading, c.Size().X))
		sub.put(c, vg.Point{X: c.Min.X, Y: c.Max.Y - head.line() - sub.size()*0.9}, 0, sub.shorten(b.sub, c.Size().X))
		c = crop(c, 0, 0, 0, blockTitle)
	}

	pl := p.axes()
	pl.X.Label.Text = b.axis
	pl.X.Label.TextStyle.Font.Weight = 0
	if w := p.face(sizeAxis, false, p.ink).Width(b.axis); w > c.Size().X {
		pl.X.Label.TextStyle.Font.Size *= c.Size().X / w
	}
	pl.Y.Min, pl.Y.Max = 0, 1
	pl.Y.Tick.Marker = unmarked{}
	pl.Y.LineStyle = p.line(p.axis, 1)
	pl.X.Min, pl.X.Max = 0, p.reach(b, c.Size().X-16)
	pl.X.Tick.Marker = p.fitting(pl.X.Max, c.Size().X)
	if b.void() {
		pl.X.Tick.Marker = plot.ConstantTicks{{Label: "0"}}
	}
	g := plotter.NewGrid()
	g.Horizontal.Color = nil
	g.Vertical = p.line(p.grid, 1)
	pl.Add(g, plotted(func(c draw.Canvas, pl *plot.Plot) {
		for i := range b.bars {
			p.bar(c, pl, b, i)
		}
	}))
	pl.Draw(c)
	return pl.DataCanvas(c)
}

// fitting are the most ticks from 0 whose labels stay apart.
func (p *pen) fitting(high float64, width vg.Length) linear {
	f := p.face(sizeTick, false, p.ink)
	for n := 8; n > 1; n-- {
		var text vg.Length
		ticks := linear{n}.Ticks(0, high)
		for _, t := range ticks {
			text += f.Width(t.Label) + 18
		}
		if text < width {
			return linear{n}
		}
	}
	return linear{1}
}

// extent is how far a bar, its whisker and its dots reach.
func (b bar) extent() float64 {
	if b.reason != "" {
		return 0
	}
	_, high, _ := interval(b.value)
	for _, t := range b.each {
		if finite(t.Goodput) {
			high = max(high, t.Goodput)
		}
	}
	return max(high, b.theory)
}

// void says that no bar has a length, so that there is no scale.
func (b block) void() bool {
	return !slices.ContainsFunc(b.bars, func(x bar) bool { return loggable(x.extent()) })
}

// reach is the end of the scale at which every bar leaves room for its text.
func (p *pen) reach(b block, width vg.Length) float64 {
	end := 0.0
	for _, x := range b.bars {
		text := p.valueWidth(b, x)
		room := max(float64(width-text), float64(width)/4)
		end = max(end, x.extent()*float64(width)/room)
	}
	if !loggable(end) {
		return 1
	}
	return end
}

// The text behind a bar: the value, its interval, a note.
func (p *pen) valueWidth(b block, x bar) vg.Length {
	value, small := p.face(sizeLabel, true, p.ink), p.face(sizeSmall, false, p.muted)
	const gap = 8
	w := gap + value.Width(number(x.value.Median))
	if s := x.rangeText(b); s != "" {
		w += gap + small.Width(s)
	}
	if x.note != "" {
		w += gap + small.Width(x.note)
	}
	return w
}

func (b bar) rangeText(in block) string {
	low, high, ok := interval(b.value)
	if !in.ranges || !ok {
		return ""
	}
	return number(low) + " – " + number(high)
}

// bar draws row i.
func (p *pen) bar(c draw.Canvas, pl *plot.Plot, b block, i int) {
	x, _ := pl.Transforms(&c)
	row := c.Size().Y / vg.Length(len(b.bars))
	y := rowAt(c, i, len(b.bars))
	half := min(row*0.34, 17)
	one, col := b.bars[i], p.colour(i)
	value, small := p.face(sizeLabel, true, p.ink), p.face(sizeSmall, false, p.muted)
	if one.reason != "" {
		small.middle(c, vg.Point{X: x(0) + 8, Y: y}, 0, small.shorten(one.reason, c.Size().X-12))
		return
	}
	box := vg.Rectangle{
		Min: vg.Point{X: x(0), Y: y - half},
		Max: vg.Point{X: x(one.value.Median), Y: y + half},
	}
	c.SetColor(blend(p.back, col, 0.38))
	c.Fill(box.Path())
	c.StrokeLine2(p.line(col, 3), box.Max.X, box.Min.Y, box.Max.X, box.Max.Y)

	// The whisker runs in the upper part of the bar, the trials below it.
	low, high, ok := interval(one.value)
	above := y
	if len(one.each) > 0 {
		above = y + half*0.6
		p.dots(c, x, y-half*0.3, half*0.6, one.each)
	}
	if ok && high > low {
		w := p.line(p.ink, 1.6)
		c.StrokeLine2(w, x(low), above, x(high), above)
		for _, v := range []float64{low, high} {
			c.StrokeLine2(w, x(v), above-half*0.3, x(v), above+half*0.3)
		}
	}

	if one.theory > 0 {
		c.StrokeLine2(p.theoryLine(p.ink), x(one.theory), y-half*1.25, x(one.theory), y+half*1.25)
		c.SetLineDash(nil, 0)
	}

	at := vg.Point{X: x(one.extent()) + 8, Y: y}
	at.X += value.middle(c, at, 0, number(one.value.Median)) + 8
	for _, s := range []string{one.rangeText(b), one.note} {
		if s != "" {
			at.X += small.middle(c, at, 0, s) + 8
		}
	}
}

// dots draws each trial's own value within half of y, from top to bottom in
// the order of the trials; one that does not count is a cross.
func (p *pen) dots(c draw.Canvas, x func(float64) vg.Length, y, half vg.Length, each []reports.PerRun) {
	for k, t := range each {
		if !finite(t.Goodput) || t.Goodput < 0 {
			continue
		}
		share := vg.Length((float64(k)+0.5)/float64(len(each)) - 0.5)
		at := vg.Point{X: x(t.Goodput), Y: y - share*2*half}
		if t.Valid {
			c.SetColor(p.ink)
			c.Fill(markPath(0, at, min(2, half/4)))
			continue
		}
		const arm = 2.4
		s := p.line(p.ink, 1.2)
		c.StrokeLine2(s, at.X-arm, at.Y-arm, at.X+arm, at.Y+arm)
		c.StrokeLine2(s, at.X-arm, at.Y+arm, at.X+arm, at.Y-arm)
	}
}

// panelRows breaks n panels into rows of up to cols, as even as can be.
func panelRows(n, cols int) (rows [][]int) {
	count := int(math.Ceil(float64(n) / float64(cols)))
	for r := range count {
		var row []int
		for i := n * r / count; i < n*(r+1)/count; i++ {
			row = append(row, i)
		}
		rows = append(rows, row)
	}
	return rows
}
