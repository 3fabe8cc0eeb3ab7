package chart

import (
	"fmt"
	"slices"
	"strings"

	"gatewaylab/reports"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

const (
	goodputAxis = "successful responses/s"
	acrossMost  = 3 // panels beside each other
)

// goodputOf shows how many requests each model answered, for one scenario.
func (v *run) goodputOf(sc *scene) *figure {
	return &figure{
		name: sc.file + "-" + KindGoodput, kind: KindGoodput, scenario: sc.Name, compact: true,
		title: "Goodput by model — " + sc.heading(),
		sub:   sc.Question,
		caption: paragraphs(
			v.setup(sc),
			v.goodputLegend([]*scene{sc}),
			v.colophon(),
		),
		alt:  "Goodput by model, " + sc.heading() + ". " + v.goodputWords(sc) + " " + v.setup(sc),
		body: func(p *pen, width vg.Length) vg.Length { return p.blocksHeight(1, v.models, width, true) },
		draw: func(p *pen, c draw.Canvas) {
			b := v.goodputBlock(sc, true)
			b.heading, b.sub = "", ""
			p.blocks(c, v.models, [][]block{{b}})
		},
	}
}

// goodputOverview shows all scenarios, each on its own scale.
func (v *run) goodputOverview() *figure {
	rows := panelRows(len(v.scenes), acrossMost)
	var alts []string
	for _, sc := range v.scenes {
		alts = append(alts, sc.Name+": "+v.goodputWords(sc))
	}
	return &figure{
		name: KindGoodput, kind: KindGoodput, compact: true,
		title: "Goodput by model — successful responses per second in each scenario",
		sub:   "Each scenario has its own scale, from 0.",
		caption: paragraphs(append(v.setups(),
			v.goodputLegend(v.scenes), v.dashes(),
			v.colophon())...),
		alt:  "Goodput by model in each scenario. " + strings.Join(alts, " "),
		body: func(p *pen, width vg.Length) vg.Length { return p.blocksHeight(len(rows), v.models, width, false) },
		draw: func(p *pen, c draw.Canvas) {
			p.blocks(c, v.models, v.panels(rows, func(sc *scene) block { return v.goodputBlock(sc, false) }))
		},
	}
}

// panels makes the blocks of rows of scenarios.
func (v *run) panels(rows [][]int, of func(*scene) block) (all [][]block) {
	for _, row := range rows {
		var blocks []block
		for _, i := range row {
			blocks = append(blocks, of(v.scenes[i]))
		}
		all = append(all, blocks)
	}
	return all
}

func (v *run) goodputBlock(sc *scene, roomy bool) block {
	b := block{heading: sc.Name, sub: sc.Title, axis: goodputAxis, ranges: roomy}
	for _, c := range sc.cells {
		x := bar{reason: why(c, func(c *reports.Cell) bool { return known(c.Goodput) })}
		if x.reason == "" {
			x.value, x.each = c.Goodput, c.Each
			x.note = tie(c, roomy)
			if v, by, ok := predicted(c, "goodput"); ok {
				x.theory = v
				if roomy {
					x.note = strings.TrimSpace(x.note + "  " + by + " " + number(v))
				}
			}
		}
		b.bars = append(b.bars, x)
	}
	return b
}

// tie marks a model that can't be told apart from others, or wasn't for want of
// trials.
func tie(c *reports.Cell, roomy bool) string {
	mark := func(sign string, from []string) string {
		switch {
		case len(from) == 0:
			return ""
		case !roomy:
			return sign
		case len(from) == 1 && len(from[0]) <= 16:
			return sign + " " + from[0]
		}
		return fmt.Sprintf("%s %d others", sign, len(from))
	}
	return strings.TrimSpace(mark("~", alike(c)) + " " + mark("?", c.Untested))
}

// alike are the models that it was held against and not told apart from.
func alike(c *reports.Cell) []string {
	return slices.DeleteFunc(slices.Clone(c.Tied), func(m string) bool { return slices.Contains(c.Untested, m) })
}

func (v *run) goodputLegend(scs []*scene) string {
	s := "Bar: median of the valid trials. " + v.whisker(scs) + ". Dots: each trial, the first at the top"
	var crossed, tied, untested bool
	for _, sc := range scs {
		for _, c := range sc.cells {
			if c == nil {
				continue
			}
			tied = tied || len(alike(c)) > 0
			untested = untested || len(c.Untested) > 0
			for _, t := range c.Each {
				crossed = crossed || !t.Valid
			}
		}
	}
	if crossed {
		s += " (crosses: invalid trials, not counted)"
	}
	s += "."
	if tied {
		s += " ~ can't be told apart."
	}
	if untested {
		s += " ? too few trials to tell."
	}
	return strings.TrimSpace(s + " " + theoryNote(scs, "predicted"))
}

func (v *run) goodputWords(sc *scene) string {
	return v.each(sc, func(c *reports.Cell) string {
		if !known(c.Goodput) {
			return ""
		}
		s := number(c.Goodput.Median) + "/s"
		if low, high, ok := interval(c.Goodput); ok {
			s += fmt.Sprintf(" (%s to %s)", number(low), number(high))
		}
		if v, by, ok := predicted(c, "goodput"); ok {
			s += fmt.Sprintf(", %s/s by theory (%s)", number(v), by)
		}
		if same := alike(c); len(same) > 0 {
			s += ", not told apart from " + list(same)
		}
		if len(c.Untested) > 0 {
			s += ", too few trials to tell it from " + list(c.Untested)
		}
		return s
	})
}

// each writes a sentence with every model's figures, or why it has none.
func (v *run) each(sc *scene, of func(*reports.Cell) string) string {
	var parts []string
	for i, c := range sc.cells {
		if c == elsewhere {
			continue
		}
		var words string
		reason := why(c, func(c *reports.Cell) bool { words = of(c); return words != "" })
		if reason != "" {
			words = reason
		}
		parts = append(parts, v.models[i]+": "+words)
	}
	if len(parts) == 0 {
		return "No model was measured."
	}
	return strings.Join(parts, "; ") + "."
}
