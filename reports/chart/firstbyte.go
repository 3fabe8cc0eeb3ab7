package chart

import (
	"image/color"
	"slices"

	"gatewaylab/reports"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// streams says whether for any model the first byte comes markedly before the
// last, in half of the median time at most, so that both have to be shown. Both
// count from when the request was sent: waiting to be sent is no streaming.
func (sc *scene) streams() bool {
	return slices.ContainsFunc(sc.cells, func(c *reports.Cell) bool {
		if c == nil || c.Valid == 0 {
			return false
		}
		first, whole := c.FirstByte["p50"], c.Service["p50"]
		return known(first) && known(whole) && 2*first.Median < whole.Median
	})
}

// firstBytes are the models' times to first byte by percentile, as points like
// those of curve; nil where they tell nothing that response times don't.
func firstBytes(sc *scene) [][][2]float64 {
	if !sc.streams() {
		return nil
	}
	all := make([][][2]float64, len(sc.cells))
	for i, c := range sc.cells {
		if c == nil || c.Valid == 0 {
			continue
		}
		for _, q := range []struct {
			name string
			q    float64
		}{{"p50", .5}, {"p90", .9}, {"p99", .99}, {"p99.9", .999}} {
			if e := c.FirstByte[q.name]; known(e) && loggable(e.Median) {
				all[i] = append(all[i], [2]float64{tail(q.q), e.Median})
			}
		}
	}
	return all
}

func firstByteNote(sc *scene) string {
	if !sc.streams() {
		return ""
	}
	return "First byte: at the 50th, 90th, 99th and 99.9th percentile, the median over trials. Where both lines lie together, the model sent nothing before it had everything."
}

func (p *pen) firstByteLine(c color.Color) draw.LineStyle { return p.line(c, 1.6, 5, 3) }

func (p *pen) firstByte(c draw.Canvas, pl *plot.Plot, model int, xy [][2]float64) {
	x, y := pl.Transforms(&c)
	var line []vg.Point
	for _, pt := range xy {
		line = append(line, vg.Point{X: x(pt[0]), Y: y(pt[1])})
	}
	c.StrokeLines(p.firstByteLine(p.colour(model)), line)
	for _, pt := range line {
		p.mark(c, model, pt, 3)
	}
}
