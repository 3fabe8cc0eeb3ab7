package chart

import (
	"fmt"
	"image/color"

	"gatewaylab/reports"
	"gatewaylab/scenarios/predict"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// held is what theory says of a cell as a whole; nil if nothing.
func held(c *reports.Cell) *reports.Held {
	if c == nil {
		return nil
	}
	for i := range c.Theory {
		if h := &c.Theory[i]; h.Part == "" && h.Method != predict.None && len(h.Figures) > 0 {
			return h
		}
	}
	return nil
}

// predicted is one of a cell's predicted figures.
func predicted(c *reports.Cell, quantity string) (v float64, by string, ok bool) {
	h := held(c)
	if h == nil {
		return 0, "", false
	}
	for _, a := range h.Figures {
		if a.Quantity == quantity && finite(a.Predicted) && a.Predicted >= 0 {
			by = h.Name
			if h.Method == predict.Simulated {
				by = "simulated"
			}
			return a.Predicted, by, true
		}
	}
	return 0, "", false
}

// theoryNote says what dashed lines are; "" where nothing is predicted.
func theoryNote(scs []*scene, what string) string {
	formula, simulated := false, false
	for _, sc := range scs {
		for _, c := range sc.cells {
			if h := held(c); h != nil {
				formula = formula || h.Method == predict.Formula
				simulated = simulated || h.Method == predict.Simulated
			}
		}
	}
	switch {
	case formula && simulated:
		return fmt.Sprintf("Dashed: %s by theory: a formula, or simulated where none applies.", what)
	case formula:
		return fmt.Sprintf("Dashed: %s by theory, a formula.", what)
	case simulated:
		return fmt.Sprintf("Dashed: %s simulated; no formula applies.", what)
	}
	return ""
}

// theoryLine is how what is predicted is drawn.
func (p *pen) theoryLine(c color.Color) draw.LineStyle { return p.line(c, 1.5, 4, 2.5) }

// expected is a predicted distribution as a curve has it; a mean alone is a
// level line.
func expected(c *reports.Cell, right float64) (xy [][2]float64) {
	h := held(c)
	if h == nil || c.Valid == 0 {
		return nil
	}
	for _, pt := range h.Expected {
		if pt.Quantile >= 0 && pt.Quantile < 1 && loggable(pt.Millis) && tail(pt.Quantile) <= right {
			xy = append(xy, [2]float64{tail(pt.Quantile), pt.Millis})
		}
	}
	if mean, _, ok := predicted(c, "response mean"); ok && len(xy) < 2 && loggable(mean) {
		return [][2]float64{{0, mean}, {right, mean}}
	}
	return xy
}

func (p *pen) expected(c draw.Canvas, pl *plot.Plot, model int, xy [][2]float64) {
	if len(xy) < 2 {
		return
	}
	x, y := pl.Transforms(&c)
	line := make([]vg.Point, len(xy))
	for i, pt := range xy {
		line[i] = vg.Point{X: x(pt[0]), Y: y(pt[1])}
	}
	c.StrokeLines(p.theoryLine(blend(p.ink, p.colour(model), 0.55)), line)
}
