package chart

import (
	"fmt"
	"slices"
	"strings"

	"gatewaylab/reports"
	"gatewaylab/scenarios/load"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// stages shows goodput and response times stage by stage; where the stages are
// levels of one kind of load, as a load curve.
func (v *run) stages(sc *scene) *figure {
	q := sc.quantile()
	title := "Goodput and response time by stage — " + sc.heading()
	if _, axis := sc.curve(); axis != "" {
		title = "Goodput and response time by load — " + sc.heading()
	}
	notes := "Point: median of the valid trials. " + v.whisker([]*scene{sc}) + ". Lines join a model's points, no more."
	if sc.anyOpen() {
		notes += " Below the line of what was offered, requests failed, came too late or were never sent; above it, what an earlier stage had left was answered."
	}
	switch {
	case sc.Open():
		notes += " Response times are of the requests that were due in the stage"
	case sc.Closed():
		notes += " Response times are of the requests that ended in the stage"
	default:
		notes += " Response times are of the requests that were due in the stage, in a closed loop of those that ended in it"
	}
	notes += "; there is no point where they were too few for " + q + "."
	return &figure{
		name: sc.file + "-" + KindStages, kind: KindStages, scenario: sc.Name,
		title:   title,
		sub:     sc.Question,
		caption: paragraphs(v.setup(sc), stageKey(sc.Scenario), notes, v.colophon()),
		alt:     "Goodput and " + q + " of response time by stage, " + sc.heading() + ". " + v.stageWords(sc, q) + " " + v.setup(sc),
		body: func(p *pen, width vg.Length) vg.Length {
			l := p.legend(v.models, v.stageNotes(sc, goodputIn), labelRoom(width))
			return 2*max(150, l.height()+24) + stageScale + 2*46
		},
		draw: func(p *pen, c draw.Canvas) { v.drawStages(p, c, sc, q) },
	}
}

// stageScale is for the stages' names below, between and under the panels.
const stageScale = 84

// A figureIn is one quantity of a stage.
type figureIn func(*reports.PartCell) reports.Estimate

func goodputIn(s *reports.PartCell) reports.Estimate { return s.Goodput }

func quantileIn(q string) figureIn {
	return func(s *reports.PartCell) reports.Estimate { return s.Response[q] }
}

// part is what a cell has to say about stage i; nil if nothing.
func part(c *reports.Cell, i int) *reports.PartCell {
	if c == nil || c.NotSpoken != "" || i >= len(c.Stages) {
		return nil
	}
	return &c.Stages[i]
}

// in reads a quantity of stage i; false where there is nothing to draw.
func (of figureIn) in(c *reports.Cell, i int) (reports.Estimate, bool) {
	s := part(c, i)
	if s == nil {
		return reports.Estimate{}, false
	}
	e := of(s)
	return e, known(e)
}

// any says whether any stage of the cell has the quantity.
func (of figureIn) any(sc *scene) func(*reports.Cell) bool {
	return func(c *reports.Cell) bool {
		for i := range sc.Stages {
			if _, ok := of.in(c, i); ok {
				return true
			}
		}
		return false
	}
}

// quantile is the highest that the stages support: in each one, for at least
// half of the models whose median is known there. One quantile for all, for
// points of different ones can't be compared.
func (sc *scene) quantile() string {
	for _, q := range []string{"p99", "p90"} {
		fits := func(i int) bool {
			var have, need int
			for _, c := range sc.cells {
				if _, ok := quantileIn("p50").in(c, i); ok {
					need++
				}
				if _, ok := quantileIn(q).in(c, i); ok {
					have++
				}
			}
			return 2*have >= need
		}
		ok := true
		for i := range sc.Stages {
			ok = ok && fits(i)
		}
		if ok {
			return q
		}
	}
	return "p50"
}

func (sc *scene) anyOpen() bool {
	return slices.ContainsFunc(sc.Stages, func(s load.Stage) bool { return s.Open() })
}

// stageNotes say why a model has no line.
func (v *run) stageNotes(sc *scene, of figureIn) []string {
	notes := make([]string, len(sc.cells))
	for i, c := range sc.cells {
		notes[i] = why(c, of.any(sc))
	}
	return notes
}

func (v *run) drawStages(p *pen, c draw.Canvas, sc *scene, q string) {
	a := sc.axis()
	title := p.face(sizeAxis, true, p.ink)
	half := (c.Size().Y - stageScale) / 2
	upper := crop(c, 0, 0, c.Size().Y-half, 0)
	lower := crop(c, 0, 0, 0, half+12)

	var clues []clue
	if sc.anyOpen() {
		clues = append(clues, p.lineClue("goodput = offered", p.offeredLine()))
	}
	upper = p.clues(upper, "goodput (successful responses/s)", clues)
	top := 0.0
	for i := range sc.Stages {
		if sc.Stages[i].Open() {
			top = max(top, sc.offeredIn(i))
		}
	}
	pl := p.stagePlot(a)
	pl.Y.Min, pl.Y.Max = 0, max(top, v.reach(sc, goodputIn))*1.06
	pl.Y.Tick.Marker = linear{n: 5}
	pl.X.Label.Text = "" // the scale stands below the other panel
	// Both panels' data begin at the same height of type, whatever their scale.
	low := p.stagePlot(a)
	low.Y.Min, low.Y.Max = logRange(v.values(sc, quantileIn(q)))
	low.Y.Scale = plot.LogScale{}
	low.Y.Tick.Marker = decades{n: 6}
	if !loggable(pl.Y.Max) {
		pl.Y.Max, pl.Y.Tick.Marker = 1, unmarked{}
	}
	if len(v.values(sc, quantileIn(q))) == 0 {
		low.Y.Tick.Marker = unmarked{}
	}
	lower = p.yTitle(lower, "response time, "+q+" (ms, log scale)")
	lower = crop(lower, 0, 0, stageScale-22, 0)

	left := max(p.scaleWidth(pl), p.scaleWidth(low))
	for k, one := range []struct {
		pl   *plot.Plot
		c    draw.Canvas
		of   figureIn
		none string
	}{
		{pl, upper, goodputIn, "nothing was measured by stage"},
		{low, lower, quantileIn(q), "too few responses in every stage"},
	} {
		l := p.legend(v.models, v.stageNotes(sc, one.of), labelRoom(c.Size().X))
		area := crop(one.c, left-p.scaleWidth(one.pl), l.width, 0, 0)
		one.pl.Add(plotted(func(c draw.Canvas, pl *plot.Plot) {
			if k == 0 {
				p.offers(c, pl, sc, a)
			}
		}))
		one.pl.Draw(area)
		data := one.pl.DataCanvas(area)
		ends := v.profiles(p, data, one.pl, sc, a, one.of)
		if len(ends) == 0 {
			p.empty(data, one.none)
		}
		p.label(data, l, ends)
		if k == 0 {
			continue
		}
		x, _ := one.pl.Transforms(&data)
		y := p.stageNames(data, sc, a, x)
		title.put(c, vg.Point{X: data.Center().X, Y: y - title.size() - 3}, 0.5, title.shorten(a.title, c.Size().X))
	}
}

// stagePlot is an empty panel over the stages.
func (p *pen) stagePlot(a stageAxis) *plot.Plot {
	pl := p.axes()
	pl.X.Min, pl.X.Max = a.low, a.high
	if a.log {
		pl.X.Scale = plot.LogScale{}
	}
	pl.X.Tick.Marker = unmarked{}
	p.rules(pl)
	return pl
}

// scaleWidth is what the labels of the y axis take.
func (p *pen) scaleWidth(pl *plot.Plot) (w vg.Length) {
	f := p.face(sizeTick, false, p.ink)
	for _, t := range pl.Y.Tick.Marker.Ticks(pl.Y.Min, pl.Y.Max) {
		w = max(w, f.Width(t.Label))
	}
	return w
}

// values are all that a quantity has to show, with its intervals.
func (v *run) values(sc *scene, of figureIn) (all []float64) {
	for _, c := range sc.cells {
		for i := range sc.Stages {
			if e, ok := of.in(c, i); ok {
				low, high, _ := interval(e)
				all = append(all, low, e.Median, high)
			}
		}
	}
	return slices.DeleteFunc(all, func(v float64) bool { return !loggable(v) })
}

func (v *run) reach(sc *scene, of figureIn) (high float64) {
	for _, v := range v.values(sc, of) {
		high = max(high, v)
	}
	return high
}

func (p *pen) offeredLine() draw.LineStyle { return p.line(p.ink, 1.1, 2, 3) }

// stageWords says every model's figures stage by stage.
func (v *run) stageWords(sc *scene, q string) string {
	return v.each(sc, func(c *reports.Cell) string {
		var parts []string
		for i := range sc.Stages {
			g, ok := figureIn(goodputIn).in(c, i)
			if !ok {
				continue
			}
			s := fmt.Sprintf("%s %s/s", sc.Stages[i].Title(i), number(g.Median))
			if e, ok := quantileIn(q).in(c, i); ok {
				s += fmt.Sprintf(", %s %s ms", q, number(e.Median))
			}
			parts = append(parts, s)
		}
		return strings.Join(parts, " · ")
	})
}
