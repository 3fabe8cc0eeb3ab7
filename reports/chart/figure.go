package chart

import (
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// A figure is one picture: a title above, a caption below, and between them a
// body that is drawn into whatever room is left.
type figure struct {
	name     string // file name without its extension
	kind     string
	scenario string

	title   string
	sub     string   // the question
	caption []string // paragraphs
	alt     string
	compact bool  // as high as it needs, unless a height is asked for
	marks   []int // of the run's models shown, their places in it; nil = all

	// body is the least height in which draw is readable at a given width.
	body func(p *pen, width vg.Length) vg.Length
	draw func(p *pen, c draw.Canvas)
}

const (
	margin     = 22 // points around everything
	captionGap = 12
)

// A sheet is a figure laid out for one size.
type sheet struct {
	*figure
	pen                 *pen
	title, sub, caption []string
	width, height, body vg.Length
}

func (f *figure) lay(o Options) (*sheet, error) {
	t, err := themeNamed(o.Theme)
	if err != nil {
		return nil, err
	}
	s := &sheet{figure: f, pen: &pen{t, f.marks}, width: o.Width}
	room := o.Width - 2*margin
	s.title = s.titleFace().wrap(f.title, room)
	s.sub = s.subFace().wrap(f.sub, room)
	for _, paragraph := range f.caption {
		s.caption = append(s.caption, s.captionFace().wrap(paragraph, room)...)
	}
	rest := 2*margin + s.head() + s.foot()
	height := o.Height
	if height == 0 && !f.compact {
		height = defaultHeight
	}
	s.height = max(height, rest+f.body(s.pen, room))
	s.body = s.height - rest
	return s, nil
}

func (s *sheet) titleFace() face   { return s.pen.face(sizeTitle, true, s.pen.ink) }
func (s *sheet) subFace() face     { return s.pen.face(sizeSub, false, s.pen.muted) }
func (s *sheet) captionFace() face { return s.pen.face(sizeCaption, false, s.pen.muted) }

func (s *sheet) head() vg.Length {
	h := vg.Length(len(s.title))*s.titleFace().line() + vg.Length(len(s.sub))*s.subFace().line()
	return h + 8
}

func (s *sheet) foot() vg.Length {
	return captionGap + 6 + vg.Length(len(s.caption))*s.captionFace().line()
}

func (s *sheet) draw(c draw.Canvas) {
	c = crop(c, margin, margin, margin, margin)
	y := c.Max.Y
	lines := func(f face, text []string) {
		for _, l := range text {
			f.put(c, vg.Point{X: c.Min.X, Y: y - f.size()*0.92}, 0, l)
			y -= f.line()
		}
	}
	lines(s.titleFace(), s.title)
	lines(s.subFace(), s.sub)

	s.figure.draw(s.pen, crop(c, 0, 0, s.foot(), s.head()))

	y = c.Min.Y + s.foot() - captionGap
	c.StrokeLine2(s.pen.line(s.pen.grid, 1), c.Min.X, y, c.Max.X, y)
	y -= 6
	lines(s.captionFace(), s.caption)
}

// render draws the figure in one format.
func (f *figure) render(format string, o Options) ([]byte, error) {
	s, err := f.lay(o)
	if err != nil {
		return nil, err
	}
	if format == "svg" {
		c := &vector{Canvas: vgsvg.New(s.width, s.height)}
		back := draw.New(c)
		back.SetColor(s.pen.back)
		back.Fill(back.Path())
		s.draw(back)
		return c.encode(f.title, f.alt)
	}
	c := vgimg.NewWith(vgimg.UseWH(s.width, s.height), vgimg.UseDPI(o.DPI), vgimg.UseBackgroundColor(s.pen.back))
	s.draw(draw.New(c))
	return encodePNG(c.Image(), o.DPI)
}
