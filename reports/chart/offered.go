package chart

import (
	"strings"

	"gatewaylab/reports"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// offered shows how much of what was asked for was answered. It is of open
// loops: a client of a closed one sends its next request only after the last
// answer, so that as much is offered as is achieved.
func (v *run) offered(leftOut bool) *figure {
	n := len(v.scenes)
	var alts []string
	for _, sc := range v.scenes {
		alts = append(alts, sc.Name+": "+v.each(sc, offeredWords))
	}
	notes := []string{
		"Point: medians of the valid trials. Vertical line: " + v.level() + " interval of goodput.",
		"Below the diagonal, requests failed, came too late or were never sent.",
	}
	if leftOut {
		notes = append(notes, "Closed loops are left out: each of their clients sends its next request only after the last answer, so that they offer what the server achieves.")
	}
	caption := append(v.setups(), notes...)
	panels := n
	if n > 1 && n%2 == 1 {
		panels++ // for the notes, which fill the grid
		caption = v.setups()
	}
	sub := "On the diagonal, everything that was offered was served."
	if n > 1 {
		sub += " Each scenario has its own scale, from 0."
	}
	return &figure{
		name: KindOffered, kind: KindOffered, compact: n > 1,
		title:   "Offered and achieved — how much of the load was served?",
		sub:     sub,
		caption: append(caption, v.colophon()),
		alt:     "Offered rate and goodput by model. " + strings.Join(alts, " "),
		body: func(p *pen, width vg.Length) vg.Length {
			_, rows := offeredGrid(panels, width)
			one := vg.Length(220)
			for _, sc := range v.scenes {
				w, own := v.within(sc)
				one = max(one, p.legend(w.models, w.offeredTags(own), offeredRoom).height()+100)
			}
			return vg.Length(rows)*(one+blockGap) - blockGap
		},
		draw: func(p *pen, c draw.Canvas) {
			cols, rows := offeredGrid(panels, c.Size().X)
			t := draw.Tiles{Cols: cols, Rows: rows, PadX: blockGap, PadY: blockGap}
			for i, sc := range v.scenes {
				w, own := v.within(sc)
				w.drawOffered(&pen{p.theme, w.marks}, t.At(c, i%cols, i/cols), own)
			}
			if panels > n {
				p.read(t.At(c, n%cols, n/cols), notes)
			}
		},
	}
}

// offeredGrid puts two panels beside each other where there is room.
func offeredGrid(n int, width vg.Length) (cols, rows int) {
	cols = min(n, 2)
	if width < 600 {
		cols = 1
	}
	return cols, (n + cols - 1) / cols
}

// read fills a panel with notes on how to read the others.
func (p *pen) read(c draw.Canvas, notes []string) {
	c = crop(c, 24, 12, 0, 0)
	head, f := p.face(sizeAxis, true, p.ink), p.face(sizeAxis, false, p.muted)
	y := c.Max.Y - head.size()
	head.put(c, vg.Point{X: c.Min.X, Y: y}, 0, "How to read this")
	y -= head.line() + 2
	for _, n := range notes {
		for _, l := range f.wrap(n, c.Size().X) {
			f.put(c, vg.Point{X: c.Min.X, Y: y}, 0, l)
			y -= f.line()
		}
		y -= 6
	}
}

func offeredWords(c *reports.Cell) string {
	of := c.Offered
	if !known(of) || !known(c.Goodput) {
		return ""
	}
	return number(c.Goodput.Median) + " of " + number(of.Median) + "/s"
}

// lacking says why a cell has no point.
func lacking(c *reports.Cell) string {
	return why(c, func(c *reports.Cell) bool { return offeredWords(c) != "" })
}

// offeredRoom is for the text of labels beside a panel, in points.
const offeredRoom = 108

// offeredTags are the notes under the models' names: goodput and its share of
// what was offered, if there are few models; or why there is no point.
func (v *run) offeredTags(sc *scene) []string {
	notes := make([]string, len(sc.cells))
	for i, c := range sc.cells {
		notes[i] = lacking(c)
		if notes[i] != "" || len(sc.cells) > 6 {
			continue
		}
		notes[i] = number(c.Goodput.Median) + "/s"
		if of := c.Offered.Median; of > 0 {
			notes[i] += " (" + number(100*c.Goodput.Median/of) + "\u00a0%)"
		}
	}
	return notes
}

func (v *run) drawOffered(p *pen, c draw.Canvas, sc *scene) {
	head := p.face(sizeAxis, true, p.ink)
	head.put(c, vg.Point{X: c.Min.X, Y: c.Max.Y - head.size()}, 0, head.shorten(sc.heading(), c.Size().X))
	sub := p.face(sizeAxis, false, p.ink)
	sub.put(c, vg.Point{X: c.Min.X, Y: c.Max.Y - head.line() - sub.size()}, 0, "goodput (successful responses/s)")
	c = crop(c, 0, 0, 0, head.line()+sub.line()+6)

	end := 0.0
	for _, cell := range sc.cells {
		if lacking(cell) == "" {
			_, high, _ := interval(cell.Goodput)
			end = max(end, cell.Offered.Median, high)
		}
	}
	pl := p.axes()
	pl.X.Label.Text = "offered (requests/s)"
	pl.X.Label.TextStyle.Font.Weight = 0
	if !loggable(end) {
		for _, a := range []*plot.Axis{&pl.X, &pl.Y} {
			a.Min, a.Max = 0, 1
			a.Tick.Marker = unmarked{}
		}
		v.drawPoints(p, c, pl, sc)
		return
	}
	for _, a := range []*plot.Axis{&pl.X, &pl.Y} {
		a.Min, a.Max = 0, end*1.08
		a.Tick.Marker = linear{n: 4}
	}
	l := p.legend(v.models, v.offeredTags(sc), offeredRoom)
	pl.X.Tick.Marker = p.fitting(pl.X.Max, c.Size().X-l.width-50)
	p.rules(pl)
	pl.Add(plotted(func(c draw.Canvas, _ *plot.Plot) {
		c.StrokeLine2(p.line(p.axis, 1.2, 2, 3), c.Min.X, c.Min.Y, c.Max.X, c.Max.Y)
	}))
	v.drawPoints(p, c, pl, sc)
}

func (v *run) drawPoints(p *pen, c draw.Canvas, pl *plot.Plot, sc *scene) {
	l := p.legend(v.models, v.offeredTags(sc), offeredRoom)
	area := crop(c, 0, l.width, 0, 0)
	pl.Draw(area)
	data := pl.DataCanvas(area)
	x, y := pl.Transforms(&data)
	points := map[int]vg.Point{}
	for i := len(sc.cells) - 1; i >= 0; i-- {
		cell := sc.cells[i]
		if lacking(cell) != "" {
			continue
		}
		at := vg.Point{X: x(cell.Offered.Median), Y: y(cell.Goodput.Median)}
		points[i] = at
		if low, high, ok := interval(cell.Goodput); ok && high > low {
			data.StrokeLine2(p.line(p.ink, 1.4), at.X, y(low), at.X, y(high))
		}
	}
	if len(points) == 0 {
		p.empty(data, "no valid trial: nothing to draw")
	}
	p.label(data, l, points)
	for i := len(sc.cells) - 1; i >= 0; i-- {
		if at, ok := points[i]; ok {
			p.mark(data, i, at, 5+min(beneath(points, i), 2)*hidden)
		}
	}
}

// hidden is by how much a marker is drawn larger for each that would hide it.
const hidden = 4

// beneath is how many of the models before i would hide its marker.
func beneath(points map[int]vg.Point, i int) (n vg.Length) {
	for k := range i {
		at, ok := points[k]
		if d := at.Sub(points[i]); ok && d.Dot(d) < 7*7 {
			n++
		}
	}
	return n
}
