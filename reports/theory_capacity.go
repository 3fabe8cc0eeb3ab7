package reports

import (
	"cmp"
	"fmt"
	"strings"

	"gatewaylab/scenarios"
	"gatewaylab/scenarios/predict"
)

// holdAgainst puts the highest rate that theory allows beside what each model
// holds, or did at the most.
func (c *Capacity) holdAgainst(res *scenarios.Result) {
	for _, m := range c.Models {
		var most *Cell
		for i := range m.Points {
			if p := m.Points[i].Cell; p != nil && p.Valid > 0 && (most == nil || p.Goodput.Median > most.Goodput.Median) {
				most = p
			}
		}
		if most == nil || m.target != nil {
			continue
		}
		sc, configured, err := most.parts(res)
		if sc == nil || err != nil {
			continue
		}
		machine, costs := most.priced(res, sc)
		p := predict.Ceiling(sc, configured, machine, costs)
		m.Theory = &Held{Method: p.Method, Name: p.Name, Rests: p.Rests, Why: p.Why, Figures: []Against{}}
		if p.Method != predict.Formula {
			m.Text += " No theory says how much it can take: " + p.Why + "."
			continue
		}
		measured, what := most.Goodput, "the most that was measured"
		if c.Kind != scenarios.ByUsers && m.Rate > 0 {
			measured, what = Estimate{Median: m.Rate, Low: m.Low, High: cmp.Or(m.High, m.Rate), N: m.Trials, Unit: measured.Unit}, "what it holds"
		}
		m.Theory.add("ceiling", p.Goodput, measured)
		m.Text += fmt.Sprintf(" Theory: no more than %s/s (%s); %s is %s of that.", rateFigure(p.Goodput), strings.TrimSuffix(p.Name+"; "+p.Rests, "; "), what, percent(measured.Median/p.Goodput))
	}
}

// foretold is the cell's goodput as a whole, as predicted and measured.
func (c *Cell) foretold() (Against, bool) {
	for i := range c.Theory {
		if h := &c.Theory[i]; h.Part == "" {
			return h.figure("goodput")
		}
	}
	return Against{}, false
}
