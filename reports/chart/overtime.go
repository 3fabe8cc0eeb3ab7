package chart

import (
	"gatewaylab/reports"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// overlaid is the number of models that can share one plot over time; more
// get a panel each.
const overlaid = 4

// overTime shows whether response times held steady through the trials.
func (v *run) overTime(sc *scene) *figure {
	return &figure{
		name: sc.file + "-" + KindOverTime, kind: KindOverTime, scenario: sc.Name,
		title: "Response time over time — " + sc.heading(),
		sub:   sc.Question,
		caption: paragraphs(
			v.setup(sc),
			stageKey(sc.Scenario),
			"Each point is one slice of the trials, at the same moment of each, and stands in its middle: median over the valid trials. A gap: nothing was answered in that slice.",
			v.colophon(),
		),
		alt: "Response time over the course of a trial, " + sc.heading() + ". " +
			v.each(sc, func(c *reports.Cell) string { return quantileWords(c.Response) }) + " " + v.setup(sc),
		body: func(p *pen, _ vg.Length) vg.Length {
			strip := sc.strip().height(p)
			if len(v.models) <= overlaid {
				return 230 + strip
			}
			if strip > 0 {
				strip += stripScale
			}
			_, rows := grid(len(v.models))
			return vg.Length(rows)*120 + 60 + strip
		},
		draw: func(p *pen, c draw.Canvas) { v.drawOverTime(p, c, sc) },
	}
}

// grid arranges n panels.
func grid(n int) (cols, rows int) {
	cols = 3
	if n > 9 {
		cols = 4
	}
	return cols, (n + cols - 1) / cols
}

// A course is one model's series, as far as it can be drawn.
type course struct {
	slices []reports.Slice
	any    bool
}

func courses(cells []*reports.Cell) (all []course, ms []float64, from, to float64) {
	all = make([]course, len(cells))
	for i, c := range cells {
		if c == nil || c.Valid == 0 {
			continue
		}
		for _, s := range c.Series {
			if !finite(s.Seconds) {
				continue
			}
			all[i].slices = append(all[i].slices, s)
			from, to = min(from, s.Seconds), max(to, s.Seconds)
			for _, v := range []float64{s.P50, s.P50Low, s.P50High, s.P99} {
				if loggable(v) && loggable(s.P50) {
					all[i].any = true
					ms = append(ms, v)
				}
			}
		}
	}
	if to <= from {
		to = from + 1
	}
	return all, ms, from, to
}

func (v *run) drawOverTime(p *pen, c draw.Canvas, sc *scene) {
	all, ms, from, to := courses(sc.cells)
	switch planned := sc.For().Seconds(); {
	case sc.varies():
		to = max(to, planned)
	case len(ms) == 0 && planned > 0:
		to = planned
	}
	c = p.clues(c, "response time (ms, log scale)", p.timeClues(from < 0))
	panel := func(models ...int) *plot.Plot {
		pl := p.axes()
		pl.X.Min, pl.X.Max = from, to
		pl.X.Tick.Marker = linear{n: 8}
		pl.Y.Min, pl.Y.Max = logRange(ms)
		pl.Y.Scale = plot.LogScale{}
		pl.Y.Tick.Marker = decades{n: 8}
		pl.Add(plotted(func(c draw.Canvas, pl *plot.Plot) {
			p.warmup(c, pl)
			x, _ := pl.Transforms(&c)
			p.boundaries(c, sc, x)
		}))
		p.rules(pl)
		pl.Add(plotted(func(c draw.Canvas, pl *plot.Plot) {
			for _, i := range models {
				p.band(c, pl, i, all[i])
			}
			for k := len(models) - 1; k >= 0; k-- {
				p.course(c, pl, models[k], all[models[k]])
			}
		}))
		return pl
	}
	if len(v.models) > overlaid {
		c = sc.strip().above(p, c, from, to)
		v.timePanels(p, c, sc, all, panel)
		return
	}
	notes := make([]string, len(sc.cells))
	models := make([]int, len(sc.cells))
	for i, cell := range sc.cells {
		models[i] = i
		notes[i] = why(cell, func(*reports.Cell) bool { return all[i].any })
	}
	pl := panel(models...)
	if len(ms) == 0 {
		pl.Y.Tick.Marker = unmarked{}
	}
	pl.X.Label.Text = timeTitle
	l := p.legend(v.models, notes, labelRoom(c.Size().X))
	offered := sc.strip()
	area, strip := offered.over(p, crop(c, max(0, offered.scale(p)-p.scaleWidth(pl)), l.width, 0, 0))
	pl.Draw(area)
	strip(pl)
	data := pl.DataCanvas(area)
	if len(ms) == 0 {
		p.empty(data, "no valid trial: nothing to draw")
	}
	x, y := pl.Transforms(&data)
	ends := map[int]vg.Point{}
	for i := range all {
		for _, s := range all[i].slices {
			if loggable(s.P50) {
				ends[i] = vg.Point{X: x(s.Seconds), Y: y(s.P50)}
			}
		}
	}
	p.label(data, l, ends)
}

const timeTitle = "time since the measuring window began (s)"

// timePanels draws each model in a panel of its own, on the same scales.
func (v *run) timePanels(p *pen, c draw.Canvas, sc *scene, all []course, panel func(...int) *plot.Plot) {
	name, title := p.face(sizeSmall, true, p.ink), p.face(sizeAxis, true, p.ink)
	title.put(c, vg.Point{X: c.Center().X, Y: c.Min.Y + 4}, 0.5, timeTitle)
	c = crop(c, 0, 0, title.line()+4, 0)

	cols, rows := grid(len(v.models))
	labels := name.names(v.models, c.Size().X/vg.Length(cols)-60, 2)
	lines := 1
	plots := make([][]*plot.Plot, rows)
	for r := range plots {
		plots[r] = make([]*plot.Plot, cols)
	}
	for i := range v.models {
		lines = max(lines, len(labels[i]))
		pl := panel(i)
		pl.X.Tick.Marker, pl.Y.Tick.Marker = linear{n: 3}, decades{n: 4}
		if i%cols > 0 {
			pl.Y.Tick.Marker = unlabelled{pl.Y.Tick.Marker} // the scale stands at the left
		}
		plots[i/cols][i%cols] = pl
	}
	head := vg.Length(lines)*name.line() + 4
	tiles := draw.Tiles{Cols: cols, Rows: rows, PadX: 14, PadY: head + 8, PadTop: head}
	for r, canvases := range plot.Align(plots, tiles, c) {
		for k, at := range canvases {
			i := r*cols + k
			if i >= len(v.models) {
				break
			}
			plots[r][k].Draw(at)
			data := plots[r][k].DataCanvas(at)
			y := data.Max.Y + head - name.size()
			p.mark(at, i, vg.Point{X: data.Min.X + 6, Y: y + name.rise()/2}, 4)
			for _, l := range labels[i] {
				name.put(at, vg.Point{X: data.Min.X + 16, Y: y}, 0, l)
				y -= name.line()
			}
			if reason := why(sc.cells[i], func(*reports.Cell) bool { return all[i].any }); reason != "" {
				p.empty(data, reason)
			}
		}
	}
}

func (p *pen) timeClues(warm bool) []clue {
	clues := []clue{
		p.lineClue("p50, median of trials", p.line(p.ink, 2.4)),
		p.boxClue("p50, lowest to highest trial", func(c draw.Canvas, box vg.Rectangle) {
			c.SetColor(blend(p.back, p.ink, 0.22))
			c.Fill(box.Path())
		}),
		p.lineClue("p99", p.line(p.ink, 1.2, 5, 3)),
	}
	if warm {
		clues = append(clues, p.boxClue("warm-up, not counted", func(c draw.Canvas, box vg.Rectangle) {
			c.SetColor(p.shade)
			c.Fill(box.Path())
			c.SetLineStyle(p.line(p.axis, 0.7))
			c.Stroke(box.Path())
		}))
	}
	return clues
}

// warmup shades what lies before the window.
func (p *pen) warmup(c draw.Canvas, pl *plot.Plot) {
	if pl.X.Min >= 0 {
		return
	}
	x, _ := pl.Transforms(&c)
	box := vg.Rectangle{Min: c.Min, Max: vg.Point{X: min(x(0), c.Max.X), Y: c.Max.Y}}
	c.SetColor(p.shade)
	c.Fill(box.Path())
	c.StrokeLine2(p.line(p.axis, 1), box.Max.X, c.Min.Y, box.Max.X, c.Max.Y)
}

// stretches splits a course where nothing was answered.
func (k course) stretches(value func(reports.Slice) float64) (runs [][]reports.Slice) {
	var run []reports.Slice
	for _, s := range k.slices {
		if loggable(value(s)) {
			run = append(run, s)
			continue
		}
		if len(run) > 0 {
			runs = append(runs, run)
		}
		run = nil
	}
	if len(run) > 0 {
		runs = append(runs, run)
	}
	return runs
}

func p50(s reports.Slice) float64 { return s.P50 }
func p99(s reports.Slice) float64 { return s.P99 }

// band fills from the lowest to the highest trial.
func (p *pen) band(c draw.Canvas, pl *plot.Plot, model int, k course) {
	x, y := pl.Transforms(&c)
	for _, run := range k.stretches(p50) {
		var up, down []vg.Point
		for _, s := range run {
			low, high := s.P50, s.P50
			if loggable(s.P50Low) {
				low = min(low, s.P50Low)
			}
			if loggable(s.P50High) {
				high = max(high, s.P50High)
			}
			up = append(up, vg.Point{X: x(s.Seconds), Y: y(high)})
			down = append(down, vg.Point{X: x(s.Seconds), Y: y(low)})
		}
		for i := len(down) - 1; i >= 0; i-- {
			up = append(up, down[i])
		}
		c.FillPolygon(faded(p.colour(model), 0.25), up)
	}
}

// course draws p50 as a line with markers and p99 dashed.
func (p *pen) course(c draw.Canvas, pl *plot.Plot, model int, k course) {
	x, y := pl.Transforms(&c)
	lines := func(style draw.LineStyle, value func(reports.Slice) float64) {
		for _, run := range k.stretches(value) {
			var line []vg.Point
			for _, s := range run {
				line = append(line, vg.Point{X: x(s.Seconds), Y: y(value(s))})
			}
			c.StrokeLines(style, line)
		}
	}
	lines(p.line(p.colour(model), 1.2, 5, 3), p99)
	lines(p.line(p.colour(model), 2.4), p50)
	every := max(1, len(k.slices)/6)
	for i, s := range k.slices {
		alone := (i == 0 || !loggable(k.slices[i-1].P50)) && (i == len(k.slices)-1 || !loggable(k.slices[i+1].P50))
		if (alone || (i+model)%every == every-1) && loggable(s.P50) {
			p.mark(c, model, vg.Point{X: x(s.Seconds), Y: y(s.P50)}, 4)
		}
	}
}
