package chart

import (
	"image/color"
	"strings"

	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Sizes of type in points, for a picture 720 points wide.
const (
	sizeTitle   = 19
	sizeSub     = 13
	sizeLabel   = 13 // names of models, values
	sizeAxis    = 13 // axis titles
	sizeTick    = 13
	sizeSmall   = 11.5 // intervals, reasons
	sizeCaption = 10.5
	leading     = 1.28
)

// A pen draws in one theme, in the sans-serif face that gonum bundles.
type pen struct {
	*theme
	marks []int // the places in the run of the models that are drawn; nil = each its own
}

// place is that of the model drawn i-th.
func (p *pen) place(i int) int {
	if p.marks == nil {
		return i
	}
	return p.marks[i]
}

// A face is the type in one size, weight and colour.
type face struct {
	font.Face
	colour color.Color
}

func (p *pen) face(size float64, bold bool, colour color.Color) face {
	f := font.Font{Typeface: "Liberation", Variant: "Sans", Size: vg.Points(size)}
	if bold {
		f.Weight = xfont.WeightBold
	}
	return face{Face: font.DefaultCache.Lookup(f, f.Size), colour: colour}
}

// Width is how wide a line is.
func (f face) Width(s string) vg.Length { return f.Face.Width(s) }

func (f face) size() vg.Length { return f.Font.Size }
func (f face) line() vg.Length { return f.Font.Size * leading }

// rise is how far a line of digits and lower-case letters reaches above its
// baseline, on average: half of it centres text on a point.
func (f face) rise() vg.Length { return f.Font.Size * 0.68 }

func (f face) style() text.Style {
	return text.Style{
		Color: f.colour, Font: f.Font, XAlign: draw.XCenter, YAlign: draw.YCenter,
		Handler: plot.DefaultTextHandler,
	}
}

// put writes one line with its baseline at the point: align 0 starts there,
// 0.5 is centred on it, 1 ends there. It returns the line's width.
func (f face) put(c draw.Canvas, at vg.Point, align vg.Length, s string) vg.Length {
	w := f.Width(s)
	if s != "" {
		c.SetColor(f.colour)
		c.FillString(f.Face, vg.Point{X: at.X - align*w, Y: at.Y}, s)
	}
	return w
}

// middle writes one line vertically centred on the point.
func (f face) middle(c draw.Canvas, at vg.Point, align vg.Length, s string) vg.Length {
	at.Y -= f.rise() / 2
	return f.put(c, at, align, s)
}

// wrap breaks text at spaces (not at non-breaking ones) into lines no wider than
// width. A single word that is wider is shortened in the middle.
func (f face) wrap(s string, width vg.Length) []string {
	var lines []string
	line := ""
	for word := range strings.SplitSeq(s, " ") {
		word = f.shorten(word, width)
		switch {
		case line == "":
			line = word
		case f.Width(line+" "+word) <= width:
			line += " " + word
		default:
			lines = append(lines, line)
			line = word
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// shorten takes characters out of the middle of s until it fits.
func (f face) shorten(s string, width vg.Length) string {
	if f.Width(s) <= width {
		return s
	}
	r := []rune(s)
	for keep := len(r) - 1; keep > 2; keep-- {
		head := (keep + 1) / 2
		t := string(r[:head]) + "…" + string(r[len(r)-(keep-head):])
		if f.Width(t) <= width {
			return t
		}
	}
	return "…"
}

func (p *pen) line(colour color.Color, width float64, dashes ...vg.Length) draw.LineStyle {
	return draw.LineStyle{Color: colour, Width: vg.Points(width), Dashes: dashes}
}

// crop cuts margins off a canvas.
func crop(c draw.Canvas, left, right, bottom, top vg.Length) draw.Canvas {
	return draw.Crop(c, left, -right, bottom, -top)
}
