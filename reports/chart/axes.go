package chart

import (
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// plotted is data drawn by a function.
type plotted func(c draw.Canvas, p *plot.Plot)

// Plot implements plot.Plotter.
func (f plotted) Plot(c draw.Canvas, p *plot.Plot) { f(c, p) }

// axes makes an empty plot in the pen's theme, without titles: those stand
// level above the axis (y) and below it (x), where they are read without
// turning one's head.
func (p *pen) axes() *plot.Plot {
	pl := plot.New()
	pl.BackgroundColor = nil
	tick := p.face(sizeTick, false, p.ink).style()
	for _, a := range []*plot.Axis{&pl.X, &pl.Y} {
		a.Padding = 0
		a.LineStyle = p.line(p.axis, 1)
		a.Tick.LineStyle = p.line(p.axis, 1)
		a.Tick.Length = 5
		a.Tick.Label = tick
	}
	pl.X.Tick.Label.YAlign = draw.YTop
	pl.Y.Tick.Label.XAlign = draw.XRight
	pl.X.Label.TextStyle = p.face(sizeAxis, true, p.ink).style()
	pl.X.Label.TextStyle.YAlign = draw.YBottom
	pl.X.Label.Padding = 4
	pl.Y.LineStyle.Width = 0
	pl.Y.Tick.LineStyle.Width = 0
	return pl
}

// rules adds the horizontal grid.
func (p *pen) rules(pl *plot.Plot) {
	g := plotter.NewGrid()
	g.Vertical.Color = nil
	g.Horizontal = p.line(p.grid, 1)
	pl.Add(g)
}

// yTitle writes the title of the y axis above it and returns what is left.
func (p *pen) yTitle(c draw.Canvas, title string) draw.Canvas {
	f := p.face(sizeAxis, true, p.ink)
	f.put(c, vg.Point{X: c.Min.X, Y: c.Max.Y - f.size()}, 0, title)
	return crop(c, 0, 0, 0, f.line()+4)
}

// A clue explains one way of drawing.
type clue struct {
	text string
	draw func(c draw.Canvas, from, to vg.Point)
}

// clues writes the title of the y axis and below it rows of explanations, and
// returns what is left.
func (p *pen) clues(c draw.Canvas, title string, clues []clue) draw.Canvas {
	const swatch, gap, apart = 26, 6, 18
	f := p.face(sizeSmall, false, p.ink)
	c = p.yTitle(c, title)
	x, y := c.Min.X, c.Max.Y-f.size()
	for _, k := range clues {
		w := swatch + gap + f.Width(k.text)
		if x > c.Min.X && x+w > c.Max.X {
			x, y = c.Min.X, y-f.line()-2
		}
		mid := y + f.rise()/2
		k.draw(c, vg.Point{X: x, Y: mid}, vg.Point{X: x + swatch, Y: mid})
		f.put(c, vg.Point{X: x + swatch + gap, Y: y}, 0, k.text)
		x += w + apart
	}
	return crop(c, 0, 0, 0, c.Max.Y-y+f.line()-f.size()+4)
}

func (p *pen) lineClue(text string, style draw.LineStyle) clue {
	return clue{text, func(c draw.Canvas, from, to vg.Point) {
		c.StrokeLine2(style, from.X, from.Y, to.X, to.Y)
	}}
}

func (p *pen) boxClue(text string, fill func(c draw.Canvas, box vg.Rectangle)) clue {
	return clue{text, func(c draw.Canvas, from, to vg.Point) {
		fill(c, vg.Rectangle{Min: vg.Point{X: from.X, Y: from.Y - 6}, Max: vg.Point{X: to.X, Y: to.Y + 6}})
	}}
}

// empty says in the middle of a plot that there is nothing in it.
func (p *pen) empty(c draw.Canvas, text string) {
	f := p.face(sizeLabel, false, p.muted)
	f.middle(c, c.Center(), 0.5, f.shorten(text, c.Size().X))
}

const (
	leader  = 24 // from the data to a label's marker
	markGap = 10 // from there to its text
	tagGap  = 3  // between labels
)

// A legend is the column of labels to the right of the data.
type legend struct {
	name, small face
	tags        []*tag
	width       vg.Length
}

// legend prepares the labels of all models, their text no wider than room.
// Notes, where not empty, stand in smaller type under the name.
func (p *pen) legend(models, notes []string, room vg.Length) *legend {
	size := float64(sizeLabel)
	if len(models) > 8 {
		size = sizeSmall
	}
	l := &legend{name: p.face(size, true, p.ink), small: p.face(sizeSmall, false, p.muted)}
	for i, lines := range l.name.names(models, room, 3) {
		t := &tag{model: i, lines: lines, height: vg.Length(len(lines))*l.name.line() + tagGap}
		if i < len(notes) && notes[i] != "" {
			t.note = l.small.shorten(notes[i], room)
			t.height += l.small.line()
		}
		l.width = max(l.width, l.name.widest(lines), l.small.Width(t.note))
		l.tags = append(l.tags, t)
	}
	l.width += leader + markGap
	return l
}

// height is what the labels need at least.
func (l *legend) height() (h vg.Length) {
	for _, t := range l.tags {
		h += t.height
	}
	return h
}

// labelRoom is for the text of labels beside lines in a plot this wide.
func labelRoom(width vg.Length) vg.Length { return width*0.26 - leader - markGap }

// label draws the legend beside the data, each label with its model's marker
// and a leader from its point.
func (p *pen) label(data draw.Canvas, l *legend, points map[int]vg.Point) {
	for _, t := range l.tags {
		pt, ok := points[t.model]
		t.loose = !ok
		t.want = data.Min.Y
		if ok {
			t.want = pt.Y
		}
	}
	spread(l.tags, data.Min.Y-l.name.line(), data.Max.Y+l.name.line()/2)
	for _, t := range l.tags {
		if pt, ok := points[t.model]; ok {
			col := p.colour(t.model)
			data.StrokeLine2(p.line(col, 1, 1, 3), pt.X, pt.Y, data.Max.X, pt.Y)
			data.StrokeLines(p.line(col, 1), []vg.Point{
				{X: data.Max.X, Y: pt.Y},
				{X: data.Max.X + leader/2, Y: t.at}, // level at the marker, clear of its neighbours
				{X: data.Max.X + leader, Y: t.at},
			})
		}
	}
	for _, t := range l.tags {
		mark := vg.Point{X: data.Max.X + leader, Y: t.at}
		p.mark(data, t.model, mark, 4.5)
		at := vg.Point{X: mark.X + markGap, Y: t.at + (t.height-tagGap)/2}
		for _, line := range t.lines {
			l.name.put(data, vg.Point{X: at.X, Y: at.Y - l.name.size()}, 0, line)
			at.Y -= l.name.line()
		}
		l.small.put(data, vg.Point{X: at.X, Y: at.Y - l.small.size()*0.95}, 0, t.note)
	}
}
