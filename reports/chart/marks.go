package chart

import (
	"image/color"
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// shapes is the number of marker outlines; each exists filled and hollow.
const shapes = 6

// outline holds the marker shapes as corners on the unit circle's scale; the
// first, a circle, has none.
func outline(shape int) [][2]float64 {
	switch shape {
	case 1: // square
		return [][2]float64{{-.86, -.86}, {.86, -.86}, {.86, .86}, {-.86, .86}}
	case 2: // triangle
		return [][2]float64{{-1.08, -.8}, {1.08, -.8}, {0, 1.12}}
	case 3: // diamond
		return [][2]float64{{0, -1.22}, {1.05, 0}, {0, 1.22}, {-1.05, 0}}
	case 4: // triangle on its tip
		return [][2]float64{{-1.08, .8}, {0, -1.12}, {1.08, .8}}
	case 5: // cross
		const in, out = .4, 1.1
		return [][2]float64{
			{-in, -out}, {in, -out}, {in, -in}, {out, -in}, {out, in}, {in, in},
			{in, out}, {-in, out}, {-in, in}, {-out, in}, {-out, -in}, {-in, -in},
		}
	}
	return nil
}

// colour of the model drawn i-th, by its position in the run.
func (p *pen) colour(i int) color.NRGBA {
	i = p.place(i)
	// After all filled and hollow shapes the colours move on by one, so that
	// a pair of colour and shape comes back only after 72 models.
	return p.series[(i+i/(2*shapes))%len(p.series)]
}

// mark draws the marker of the model drawn i-th, by its position in the run:
// six shapes, first filled, then hollow. A rim of background keeps it apart
// from lines.
func (p *pen) mark(c draw.Canvas, i int, at vg.Point, radius vg.Length) {
	col := p.colour(i)
	i = p.place(i)
	path := markPath(i%shapes, at, radius)
	c.SetLineDash(nil, 0)
	if i/shapes%2 == 1 {
		c.SetColor(p.back)
		c.Fill(path)
		c.SetColor(col)
		c.SetLineWidth(radius * 0.42)
		c.Stroke(path)
		return
	}
	c.SetColor(p.back)
	c.SetLineWidth(radius * 0.5)
	c.Stroke(path)
	c.SetColor(col)
	c.Fill(path)
}

func markPath(shape int, at vg.Point, radius vg.Length) vg.Path {
	var path vg.Path
	corners := outline(shape)
	if corners == nil {
		path.Move(vg.Point{X: at.X + radius, Y: at.Y})
		path.Arc(at, radius, 0, 2*math.Pi)
	}
	for i, k := range corners {
		pt := vg.Point{X: at.X + vg.Length(k[0])*radius, Y: at.Y + vg.Length(k[1])*radius}
		if i == 0 {
			path.Move(pt)
		} else {
			path.Line(pt)
		}
	}
	path.Close()
	return path
}
