package chart

import (
	"fmt"
	"math"
	"strings"

	"gatewaylab/reports"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// percentiles shows the distribution of response times, tail and all.
func (v *run) percentiles(sc *scene) *figure {
	return &figure{
		name: sc.file + "-" + KindPercentiles, kind: KindPercentiles, scenario: sc.Name,
		title: "Response time by percentile — " + sc.heading(),
		sub:   sc.Question,
		caption: paragraphs(
			v.setup(sc),
			percentileLegend(len(sc.cells)),
			firstByteNote(sc),
			theoryNote([]*scene{sc}, "response times (from edge to edge: their mean)"),
			v.colophon(),
		),
		alt: "Response time by percentile, " + sc.heading() + ". " +
			v.each(sc, func(c *reports.Cell) string {
				words := quantileWords(c.Response)
				if first := quantileWords(c.FirstByte); words != "" && first != "" && sc.streams() {
					words += ", first byte " + first
				}
				return words
			}) + " " + v.setup(sc),
		body: func(p *pen, width vg.Length) vg.Length {
			l := p.legend(v.models, v.percentileNotes(sc), labelRoom(width))
			return max(230, l.height()+80)
		},
		draw: func(p *pen, c draw.Canvas) { v.drawPercentiles(p, c, sc) },
	}
}

// withFigures is how many models have their figures beside the plot.
const withFigures = 6

func percentileLegend(models int) string {
	s := "Response time counts from when a request was due to its last byte. Line and marks: all valid trials together, as far as the sample supports; dots lead on to the name."
	if models <= withFigures {
		s += " Beside the name: medians over trials, as in tables, which slow trials move less."
	}
	return s
}

// curve returns the points of a model's curve that have a place in the plot:
// x on the tail scale, y in milliseconds.
func curve(c *reports.Cell) (xy [][2]float64) {
	if c == nil || c.Valid == 0 {
		return nil
	}
	for _, pt := range c.Curve {
		if pt.Quantile >= 0 && pt.Quantile < 1 && loggable(pt.Millis) {
			xy = append(xy, [2]float64{tail(pt.Quantile), pt.Millis})
		}
	}
	return xy
}

// percentileNotes are the notes under the models' names: figures if there are
// few models, or why there is no line.
func (v *run) percentileNotes(sc *scene) []string {
	notes := make([]string, len(sc.cells))
	for i, cell := range sc.cells {
		notes[i] = why(cell, func(c *reports.Cell) bool { return len(curve(c)) > 0 })
		if notes[i] == "" && len(sc.cells) <= withFigures {
			notes[i] = quantileNote(cell)
		}
	}
	return notes
}

func (v *run) drawPercentiles(p *pen, c draw.Canvas, sc *scene) {
	curves := make([][][2]float64, len(sc.cells))
	var ms []float64
	right := tail(0.99)
	for i, cell := range sc.cells {
		curves[i] = curve(cell)
		for _, pt := range curves[i] {
			right = max(right, pt[0])
			ms = append(ms, pt[1])
		}
	}
	theory := make([][][2]float64, len(sc.cells))
	for i, cell := range sc.cells {
		theory[i] = expected(cell, right)
		for _, pt := range theory[i] {
			ms = append(ms, pt[1])
		}
	}
	first := firstBytes(sc)
	for _, xy := range first {
		for _, pt := range xy {
			right = max(right, pt[0])
			ms = append(ms, pt[1])
		}
	}

	if first == nil {
		c = p.yTitle(c, "response time (ms, log scale)")
	} else {
		c = p.clues(c, "time (ms, log scale)", []clue{
			p.lineClue("response: due to last byte", p.line(p.ink, 2.4)),
			p.lineClue("first byte: sent to first byte", p.firstByteLine(p.ink)),
		})
	}
	pl := p.axes()
	pl.X.Min, pl.X.Max = 0, right*1.01
	l := p.legend(v.models, v.percentileNotes(sc), labelRoom(c.Size().X))
	width := c.Size().X - l.width - 60 // leaves room for the y axis
	title, tick := p.face(sizeAxis, true, p.ink), p.face(sizeTick, false, p.ink)
	pl.X.Label.Text = "percentile of successful responses (90, 99, 99.9: each is ten times rarer)"
	if title.Width(pl.X.Label.Text) > width+40 {
		pl.X.Label.Text = "percentile of successful responses (log tail)"
	}
	pl.X.Tick.Marker = quantiles{unit: width / vg.Length(pl.X.Max), width: tick.Width}
	pl.Y.Min, pl.Y.Max = logRange(ms)
	pl.Y.Scale = plot.LogScale{}
	pl.Y.Tick.Marker = decades{n: 8}
	if len(ms) == 0 {
		pl.Y.Tick.Marker = unmarked{}
	}
	p.rules(pl)
	pl.Add(plotted(func(c draw.Canvas, pl *plot.Plot) {
		for i := len(first) - 1; i >= 0; i-- {
			p.firstByte(c, pl, i, first[i])
		}
		for i := len(curves) - 1; i >= 0; i-- { // the first model on top
			p.curve(c, pl, i, curves)
		}
		for i := range theory {
			p.expected(c, pl, i, theory[i])
		}
	}))

	area := crop(c, 0, l.width, 0, 0)
	pl.Draw(area)
	data := pl.DataCanvas(area)
	if len(ms) == 0 {
		p.empty(data, "no valid trial: nothing to draw")
	}
	x, y := pl.Transforms(&data)
	ends := map[int]vg.Point{}
	for i, xy := range curves {
		if n := len(xy); n > 0 {
			ends[i] = vg.Point{X: x(xy[n-1][0]), Y: y(xy[n-1][1])}
		}
	}
	p.label(data, l, ends)
}

// curve draws one model's line with a marker at each percentile of the axis,
// larger where another model's would hide it.
func (p *pen) curve(c draw.Canvas, pl *plot.Plot, model int, curves [][][2]float64) {
	xy := curves[model]
	if len(xy) == 0 {
		return
	}
	x, y := pl.Transforms(&c)
	line := make([]vg.Point, len(xy))
	for i, pt := range xy {
		line[i] = vg.Point{X: x(pt[0]), Y: y(pt[1])}
	}
	c.StrokeLines(p.line(p.colour(model), 2.4), line)
	for _, q := range []float64{.5, .9, .99, .999, .9999, .99999} {
		marks := map[int]vg.Point{}
		for i := range curves {
			if ms, ok := at(curves[i], tail(q)); ok {
				marks[i] = vg.Point{X: x(tail(q)), Y: y(ms)}
			}
		}
		if mark, ok := marks[model]; ok {
			p.mark(c, model, mark, 4.5+min(beneath(marks, model), 2)*hidden)
		}
	}
	p.mark(c, model, line[len(line)-1], 4.5)
}

// at reads a curve at x, on a straight line between its points as drawn: the
// logarithm of y.
func at(xy [][2]float64, x float64) (y float64, ok bool) {
	for i := 1; i < len(xy); i++ {
		a, b := xy[i-1], xy[i]
		if a[0] <= x && x <= b[0] && a[0] < b[0] {
			share := (x - a[0]) / (b[0] - a[0])
			return math.Exp(math.Log(a[1])*(1-share) + math.Log(b[1])*share), true
		}
	}
	return 0, false
}

// quantileNote is the note under a model's name.
func quantileNote(c *reports.Cell) string {
	var parts []string
	for _, q := range []string{"p50", "p99"} {
		if e, ok := c.Response[q]; ok && known(e) {
			parts = append(parts, q+" "+number(e.Median))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return strings.Join(parts, ", ") + " ms"
}

func quantileWords(response map[string]reports.Estimate) string {
	var parts []string
	for _, q := range []string{"p50", "p90", "p99", "p99.9"} {
		if e, ok := response[q]; ok && known(e) {
			parts = append(parts, fmt.Sprintf("%s %s ms", q, number(e.Median)))
		}
	}
	return strings.Join(parts, ", ")
}
