package chart

import (
	"fmt"
	"image/color"
	"math"
	"strings"

	"gatewaylab/reports"
	"gatewaylab/scenarios"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// capacity shows what a run found that looked for the load that models hold.
func (v *run) capacity() *figure {
	switch v.Capacity.Kind {
	case scenarios.ByUsers:
		return v.scaling()
	case scenarios.BySettings:
		return v.settings()
	}
	return v.knee()
}

// held is what was found of the model drawn i-th; nil if it was refused.
func (v *run) held(i int) *reports.ModelCapacity {
	for _, m := range v.Capacity.Models {
		if m.Model == v.models[i] {
			return m
		}
	}
	return nil
}

// capacityFigure is what the three have in common.
func (v *run) capacityFigure(kind, title, sub, notes string) *figure {
	c := v.Capacity
	var words []string
	for _, m := range c.Models {
		words = append(words, m.Model+": "+m.Text)
	}
	heading := c.Scenario
	if len(v.scenes) > 0 && v.scenes[0].Title != "" {
		heading += ": " + v.scenes[0].Title
	}
	taken := map[string]bool{}
	return &figure{
		name: fileName(c.Scenario, taken) + "-" + kind, kind: kind, scenario: c.Scenario,
		title: title + " — " + heading, sub: sub,
		caption: paragraphs(c.Setting()+".", notes, v.colophon()),
		alt:     title + ", " + heading + ". " + strings.Join(words, " ") + " " + c.Setting() + ".",
		body: func(p *pen, width vg.Length) vg.Length {
			l := p.legend(v.models, v.capacityNotes(), labelRoom(width))
			return max(260, l.height()+90)
		},
	}
}

// capacityNotes stand under the models' names.
func (v *run) capacityNotes() []string {
	notes := make([]string, len(v.models))
	for i := range v.models {
		m := v.held(i)
		switch {
		case m == nil:
			notes[i] = "refused"
		case v.Capacity.Kind != scenarios.ByUsers && m.Rate == 0 && m.High == 0:
			notes[i] = "no valid trial"
		case v.Capacity.Kind != scenarios.ByUsers:
			notes[i] = m.Held() + "\u00a0/s"
		case m.USL == nil || m.USL.Why != "":
			notes[i] = "no law fitted"
		case m.USL.R2 >= 0:
			notes[i] = fmt.Sprintf("R² %.3f", m.USL.R2)
		}
	}
	return notes
}

// knee shows response times by offered rate, around what was found.
func (v *run) knee() *figure {
	f := v.capacityFigure(KindKnee, "Response time by offered rate",
		"Where does it bend, and how far below that is the objective still held?",
		"Under each name: the rate that it holds. Point: median of the valid trials at that rate; "+lowerFirst(v.whisker(v.scenes))+". Shaded: from the highest rate that all trials held to the lowest that all broke; a line with an arrow where none broke it. Rates far beyond what a model holds are not drawn.")
	f.draw = v.drawKnee
	return f
}

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }

// kneeEnd is the highest rate at which the plot shows a model.
func kneeEnd(m *reports.ModelCapacity) float64 {
	const beyond = 1.3
	end := max(m.Rate, m.High) * beyond
	if end == 0 { // nothing found: all there is
		for _, t := range m.Points {
			end = max(end, t.Load)
		}
	}
	return end
}

// kneePoints are the points of a model that the plot shows.
func kneePoints(m *reports.ModelCapacity) (all []reports.Tried) {
	if m == nil {
		return nil
	}
	for _, t := range m.Points {
		if t.Load <= kneeEnd(m) && t.Cell != nil && known(t.Cell.Response["p50"]) {
			all = append(all, t)
		}
	}
	return all
}

// kneeReach is the lowest and the highest rate that the plot shows.
func (v *run) kneeReach() (low, high float64) {
	low = math.Inf(1)
	open := 0.0 // of those without an upper end, whose arrow takes room
	for _, m := range v.Capacity.Models {
		high = max(high, kneeEnd(m))
		for _, t := range kneePoints(m) {
			low = min(low, t.Load)
		}
		if m.High == 0 {
			open = max(open, m.Low)
		}
	}
	if math.IsInf(low, 0) || high <= 0 {
		return 1, 10
	}
	if logKnee(low, high) && open > low {
		high = max(high, open*math.Pow(open/low, 0.1))
	}
	return low, high
}

// logKnee says whether rates span so much that their axis is logarithmic.
func logKnee(low, high float64) bool { return high/low > 20 }

func (v *run) drawKnee(p *pen, c draw.Canvas) {
	low, high := v.kneeReach()
	var ms []float64
	for _, m := range v.Capacity.Models {
		for _, t := range kneePoints(m) {
			for _, q := range v.Capacity.Drawn {
				if e := t.Cell.Response[q]; known(e) {
					a, b, _ := interval(e)
					ms = append(ms, a, e.Median, b)
				}
			}
		}
	}
	for _, l := range v.Capacity.Limits {
		ms = append(ms, l.Millis)
	}
	var clues []clue
	for k := len(v.Capacity.Drawn) - 1; k >= 0; k-- {
		clues = append(clues, p.lineClue(v.Capacity.Drawn[k], v.quantileLine(p, p.ink, k)))
	}
	c = p.clues(c, "response time (ms, log scale)", append(clues,
		p.lineClue("the objective", p.line(p.ink, 1.1, 2, 3)),
		p.boxClue("interval found", func(c draw.Canvas, box vg.Rectangle) {
			c.FillPolygon(faded(p.ink, 0.18), corners(box))
		}),
	))
	pl := p.axes()
	pl.X.Label.Text = "offered (arrivals/s)"
	pl.X.Min, pl.X.Max = low*0.9, high
	if logKnee(low, high) {
		pl.X.Scale, pl.X.Tick.Marker = plot.LogScale{}, decades{n: 8}
		pl.X.Label.Text += ", log scale"
		pl.X.Min = low / 1.1
	} else {
		pl.X.Tick.Marker = linear{n: 7}
	}
	pl.Y.Min, pl.Y.Max = logRange(ms)
	pl.Y.Scale, pl.Y.Tick.Marker = plot.LogScale{}, decades{n: 8}
	p.rules(pl)
	l := p.legend(v.models, v.capacityNotes(), labelRoom(c.Size().X))
	area := crop(c, 0, l.width, 0, 0)
	pl.Add(plotted(func(c draw.Canvas, pl *plot.Plot) {
		x, y := pl.Transforms(&c)
		for i := range v.models {
			v.drawFound(p, c, x, i)
		}
		f := p.face(sizeSmall, false, p.ink)
		for _, limit := range v.Capacity.Limits {
			at := y(limit.Millis)
			c.StrokeLine2(p.line(p.ink, 1.1, 2, 3), c.Min.X, at, c.Max.X, at)
			f.put(c, vg.Point{X: v.clear(c, x, y, at, f.Width(limit.Text), f.line()), Y: at + 3}, 0, limit.Text)
		}
	}))
	pl.Draw(area)
	data := pl.DataCanvas(area)
	ends := map[int]vg.Point{}
	for i := len(v.models) - 1; i >= 0; i-- {
		points := kneePoints(v.held(i))
		for k, q := range v.Capacity.Drawn {
			radius := vg.Length(3.5)
			if k == len(v.Capacity.Drawn)-1 {
				radius = 4.5
			}
			if at, ok := v.drawQuantile(p, data, pl, i, points, q, v.quantileLine(p, p.colour(i), k), radius); ok {
				ends[i] = at // of the rarest that there is
			}
		}
	}
	if len(ms) == len(v.Capacity.Limits) {
		p.empty(data, "no valid trial: nothing to draw")
	}
	p.label(data, l, ends)
}

// quantileLine is how the k-th quantile is drawn: the rarest as an unbroken
// line, p50 dashed.
func (v *run) quantileLine(p *pen, c color.Color, k int) draw.LineStyle {
	switch k {
	case len(v.Capacity.Drawn) - 1:
		return p.line(c, 2.2)
	case 0:
		return p.line(c, 1.6, 5, 3)
	}
	return p.line(c, 1.6, 9, 3, 2, 3)
}

// clear is where on a line at a height a text may begin without a curve in it:
// as far to the left as there is such a place.
func (v *run) clear(c draw.Canvas, x, y func(float64) vg.Length, at, width, height vg.Length) vg.Length {
	const margin, step = 4, 6
	taken := func(from vg.Length) bool {
		for _, m := range v.Capacity.Models {
			for _, q := range v.Capacity.Drawn {
				line := kneeLine(x, y, kneePoints(m), q)
				for i, b := range line {
					a := line[max(i-1, 0)]
					for k := range 21 { // marks, and what is between them
						px, py := a.X+(b.X-a.X)*vg.Length(k)/20, a.Y+(b.Y-a.Y)*vg.Length(k)/20
						if px > from-margin && px < from+width+margin && py > at-margin && py < at+height+margin {
							return true
						}
					}
				}
			}
		}
		return false
	}
	for from := c.Min.X + margin; from+width < c.Max.X; from += step {
		if !taken(from) {
			return from
		}
	}
	return c.Min.X + margin
}

func corners(box vg.Rectangle) []vg.Point {
	return []vg.Point{box.Min, {X: box.Max.X, Y: box.Min.Y}, box.Max, {X: box.Min.X, Y: box.Max.Y}}
}

// drawFound shades what was found of the model drawn i-th; an interval without
// an upper end is a line with an arrow.
func (v *run) drawFound(p *pen, c draw.Canvas, x func(float64) vg.Length, i int) {
	m := v.held(i)
	if m == nil || m.Low <= 0 {
		return
	}
	from := x(m.Low)
	col := p.colour(i)
	if m.High == 0 {
		c.StrokeLine2(p.line(col, 1.6), from, c.Min.Y, from, c.Max.Y)
		y := c.Max.Y - 8 - vg.Length(i)*10
		c.StrokeLine2(p.line(col, 1.6), from, y, from+16, y)
		c.FillPolygon(col, []vg.Point{{X: from + 22, Y: y}, {X: from + 15, Y: y + 4}, {X: from + 15, Y: y - 4}})
		return
	}
	to := min(max(x(m.High), from+2), c.Max.X)
	c.FillPolygon(faded(col, 0.18), corners(vg.Rectangle{Min: vg.Point{X: from, Y: c.Min.Y}, Max: vg.Point{X: to, Y: c.Max.Y}}))
}

// kneeLine is where a quantile of a model's points lies.
func kneeLine(x, y func(float64) vg.Length, points []reports.Tried, q string) (line []vg.Point) {
	for _, t := range points {
		if e := t.Cell.Response[q]; known(e) && loggable(e.Median) {
			line = append(line, vg.Point{X: x(t.Load), Y: y(e.Median)})
		}
	}
	return line
}

// drawQuantile draws one quantile of a model's points and returns where its
// line ends.
func (v *run) drawQuantile(p *pen, c draw.Canvas, pl *plot.Plot, i int, points []reports.Tried, q string, style draw.LineStyle, radius vg.Length) (end vg.Point, ok bool) {
	x, y := pl.Transforms(&c)
	for _, t := range points {
		if low, high, ok := interval(t.Cell.Response[q]); ok && high > low && low > 0 {
			c.StrokeLine2(p.line(p.ink, 1.1), x(t.Load), y(low), x(t.Load), y(high))
		}
	}
	line := kneeLine(x, y, points, q)
	if len(line) == 0 {
		return vg.Point{}, false
	}
	c.StrokeLines(style, line)
	for _, at := range line {
		p.mark(c, i, at, radius)
	}
	return line[len(line)-1], true
}
