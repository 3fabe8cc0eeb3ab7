package chart

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"gatewaylab/reports"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// scaling shows goodput by users, and the law fitted to it.
func (v *run) scaling() *figure {
	f := v.capacityFigure(KindScaling, "Goodput by users",
		"What do more users bring, and where does it end?",
		"Point: median of the valid trials; "+lowerFirst(v.whisker(v.scenes))+". Line: the Universal Scalability Law X(N) = γN/(1+α(N−1)+βN(N−1)) (Gunther), fitted to all valid trials. "+v.lawWords())
	f.draw = v.drawScaling
	return f
}

// lawWords are the fitted parameters of every model.
func (v *run) lawWords() string {
	var all []string
	for _, m := range v.Capacity.Models {
		u := m.USL
		if u == nil || u.Why != "" {
			continue
		}
		s := fmt.Sprintf("%s: γ\u00a0%s per second, α\u00a0%s, β\u00a0%s", m.Model, small(u.Gamma), small(u.Alpha), small(u.Beta))
		if u.Peak.Known() {
			high := "∞"
			if u.Peak.High > 0 {
				high = number(u.Peak.High)
			}
			s += fmt.Sprintf(", N*\u00a0%s [%s–%s]", number(u.Peak.Median), number(u.Peak.Low), high)
		}
		all = append(all, s)
	}
	if len(all) == 0 {
		return ""
	}
	return strings.Join(all, "; ") + " (in brackets: 95\u00a0% intervals)."
}

// small writes a parameter that may be very small, with its interval.
func small(e reports.Estimate) string {
	write := func(v float64) string {
		if v < 1e-6 {
			return "0"
		}
		return number(v)
	}
	return fmt.Sprintf("%s [%s–%s]", write(e.Median), write(e.Low), write(e.High))
}

func (v *run) drawScaling(p *pen, c draw.Canvas) {
	low, top, reach := math.Inf(1), 1.0, 0.0
	for _, m := range v.Capacity.Models {
		for _, t := range m.Points {
			if t.Cell == nil || !known(t.Cell.Goodput) {
				continue
			}
			_, high, _ := interval(t.Cell.Goodput)
			low, top, reach = min(low, t.Load), max(top, t.Load), max(reach, high)
		}
	}
	clues := []clue{p.lineClue("law fitted", p.line(p.ink, 2))}
	alone := len(v.Capacity.Models) == 1
	if alone {
		clues = append(clues, p.lineClue("if users shared nothing", p.line(p.ink, 1.1, 2, 3)))
	}
	if slices.ContainsFunc(v.Capacity.Models, func(m *reports.ModelCapacity) bool { return m.USL != nil && m.USL.Peak.Known() }) {
		clues = append(clues, p.lineClue("N*, the peak", p.line(p.ink, 1.1, 6, 3)))
	}
	c = p.clues(c, "goodput (successful responses/s)", clues)
	pl := p.axes()
	pl.X.Label.Text = "users (closed loop)"
	pl.X.Min, pl.X.Max = 0, top*1.04
	pl.X.Tick.Marker = linear{n: 8}
	pl.Y.Min, pl.Y.Max = 0, reach*1.12
	pl.Y.Tick.Marker = linear{n: 6}
	if !loggable(reach) {
		pl.Y.Max, pl.Y.Tick.Marker = 1, unmarked{}
	}
	p.rules(pl)
	l := p.legend(v.models, v.capacityNotes(), labelRoom(c.Size().X))
	area := crop(c, 0, l.width, 0, 0)
	pl.Draw(area)
	data := pl.DataCanvas(area)
	ends := map[int]vg.Point{}
	for i := len(v.models) - 1; i >= 0; i-- {
		m := v.held(i)
		if m == nil {
			continue
		}
		if m.USL != nil && m.USL.Why == "" {
			v.drawLaw(p, data, pl, i, m.USL, alone)
		}
		if at, ok := v.drawUsers(p, data, pl, i, m); ok {
			ends[i] = at
		}
	}
	if len(ends) == 0 {
		p.empty(data, "no valid trial: nothing to draw")
	}
	p.label(data, l, ends)
}

// drawLaw draws the fitted law from one user on; alone, also what it would be
// without contention and coherency.
func (v *run) drawLaw(p *pen, c draw.Canvas, pl *plot.Plot, i int, u *reports.USL, alone bool) {
	x, y := pl.Transforms(&c)
	curve := func(style draw.LineStyle, of func(n float64) float64) {
		var line []vg.Point
		const steps = 160
		for k := range steps + 1 {
			n := 1 + (pl.X.Max-1)*float64(k)/steps
			if goodput := of(n); goodput <= pl.Y.Max {
				line = append(line, vg.Point{X: x(n), Y: y(goodput)})
			}
		}
		c.StrokeLines(style, line)
	}
	if alone {
		curve(p.line(p.ink, 1.1, 2, 3), func(n float64) float64 { return u.Gamma.Median * n })
	}
	curve(p.line(p.colour(i), 2), u.At)
	if n := u.Peak.Median; u.Peak.Known() && n > 1 && n < pl.X.Max {
		c.StrokeLine2(p.line(p.colour(i), 1.1, 6, 3), x(n), c.Min.Y, x(n), y(min(u.AtPeak.Median, pl.Y.Max)))
	}
}

// drawUsers draws a model's points and returns the last.
func (v *run) drawUsers(p *pen, c draw.Canvas, pl *plot.Plot, i int, m *reports.ModelCapacity) (end vg.Point, ok bool) {
	x, y := pl.Transforms(&c)
	for _, t := range m.Points {
		if t.Cell == nil || !known(t.Cell.Goodput) {
			continue
		}
		end, ok = vg.Point{X: x(t.Load), Y: y(t.Cell.Goodput.Median)}, true
		if low, high, is := interval(t.Cell.Goodput); is && high > low {
			c.StrokeLine2(p.line(p.ink, 1.3), end.X, y(low), end.X, y(high))
		}
		p.mark(c, i, end, 4.5)
	}
	return end, ok
}

// settings shows what each setting of a model holds.
func (v *run) settings() *figure {
	f := v.capacityFigure(KindSettings, "Rate held by setting", v.Capacity.Verdict,
		"Point: the highest rate that more trials held than broke. Line: from the highest that all held to the lowest that all broke, of settings that were out of the race what fewer trials say; an arrow where nothing broke it. Shaded: the best setting's interval. Settings that reach into it can't be told apart from the best.")
	f.body = func(*pen, vg.Length) vg.Length { return 280 }
	f.draw = v.drawSettings
	return f
}

func (v *run) drawSettings(p *pen, c draw.Canvas) {
	reach := 0.0
	for _, m := range v.Capacity.Models {
		reach = max(reach, m.Rate, m.High)
	}
	c = p.yTitle(c, "rate held within the objective (arrivals/s)")
	name := p.face(sizeTick, false, p.ink)
	c = crop(c, 0, 12, name.line()+8, 0)
	pl := p.axes()
	pl.X.Min, pl.X.Max, pl.X.Tick.Marker = -0.5, float64(len(v.models))-0.5, unmarked{}
	pl.Y.Min, pl.Y.Max, pl.Y.Tick.Marker = 0, reach*1.12, linear{n: 6}
	if !loggable(reach) {
		pl.Y.Max, pl.Y.Tick.Marker = 1, unmarked{}
	}
	p.rules(pl)
	pl.Draw(c)
	data := pl.DataCanvas(c)
	x, y := pl.Transforms(&data)
	var slots []slot
	for i, label := range v.models {
		slots = append(slots, slot{from: x(float64(i) - 0.5), to: x(float64(i) + 0.5), text: option(label)})
		m := v.held(i)
		if m != nil && m.Model == v.Capacity.Best && m.High > 0 {
			data.FillPolygon(faded(p.colour(0), 0.18), corners(vg.Rectangle{
				Min: vg.Point{X: data.Min.X, Y: y(m.Low)}, Max: vg.Point{X: data.Max.X, Y: y(m.High)},
			}))
		}
	}
	for i := range v.models {
		v.drawSetting(p, data, x(float64(i)), y, v.held(i))
	}
	for i, text := range name.fit(slots) {
		name.put(data, vg.Point{X: slots[i].middle(), Y: data.Min.Y - 8 - name.size()}, 0.5, text)
	}
}

// drawSetting draws one interval with its figure.
func (v *run) drawSetting(p *pen, c draw.Canvas, x vg.Length, y func(float64) vg.Length, m *reports.ModelCapacity) {
	f := p.face(sizeSmall, m != nil && m.Model == v.Capacity.Best, p.ink)
	if m == nil || m.Rate == 0 {
		text := "none held"
		if m == nil || m.High == 0 {
			text = "not known"
		}
		f.put(c, vg.Point{X: x, Y: c.Min.Y + 6}, 0.5, text)
		return
	}
	top := y(m.High)
	if m.High == 0 {
		top = min(y(m.Low)+22, c.Max.Y)
		c.FillPolygon(p.ink, []vg.Point{{X: x, Y: top + 5}, {X: x - 4, Y: top - 2}, {X: x + 4, Y: top - 2}})
	}
	c.StrokeLine2(p.line(p.ink, 1.6), x, y(m.Low), x, top)
	p.mark(c, 0, vg.Point{X: x, Y: y(m.Rate)}, 5)
	f.put(c, vg.Point{X: x, Y: top + 6}, 0.5, number(m.Rate))
}

// option is what is special about a setting: what stands behind the model's name.
func option(label string) string {
	if _, options, ok := strings.Cut(label, ":"); ok {
		return options
	}
	return label
}
