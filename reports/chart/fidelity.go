package chart

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"gatewaylab/reports"
	"gatewaylab/scenarios"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// fidelity shows by how much models differ from what they are models of: for
// each aspect a line for each pair, ratios at the left and differences of
// shares at the right, over the band of what counts as the same.
func (v *run) fidelity() *figure {
	f := v.Fidelity
	cols := [2][]likes{likesOf(f, false), likesOf(f, true)}
	return &figure{
		name: KindFidelity, kind: KindFidelity, compact: true,
		title: f.Title,
		sub:   f.Question,
		caption: paragraphs(
			f.Criterion+" Shaded: the same. Filled: same; hollow: different; a line alone: undecided. Line: the interval.",
			v.colophon(),
		),
		alt:  fidelityWords(f),
		body: func(_ *pen, _ vg.Length) vg.Length { return max(likesHeight(cols[0]), likesHeight(cols[1])) },
		draw: func(p *pen, c draw.Canvas) {
			all := slices.DeleteFunc(cols[:], func(l []likes) bool { return len(l) == 0 })
			t := draw.Tiles{Cols: len(all), Rows: 1, PadX: blockGap}
			for i, l := range all {
				p.likes(t.At(c, i, 0), l)
			}
		},
	}
}

// likes is one aspect of every pair.
type likes struct {
	title string
	share bool
	rows  []*reports.Likeness
	pairs []int // their places among the pairs
}

const (
	likeRow   = 14.5
	likeTitle = 20
	likeScale = 46
)

func likesOf(f *reports.Fidelity, share bool) (all []likes) {
	for i := range f.Rows {
		l := &f.Rows[i]
		if l.Share != share {
			continue
		}
		title := l.Situation + ": " + l.Title()
		k := slices.IndexFunc(all, func(a likes) bool { return a.title == title })
		if k < 0 {
			k = len(all)
			all = append(all, likes{title: title, share: share})
		}
		all[k].rows = append(all[k].rows, l)
		all[k].pairs = append(all[k].pairs, slices.IndexFunc(f.Pairs, func(p scenarios.Pair) bool { return p.Name() == l.Pair }))
	}
	return all
}

func likesHeight(all []likes) vg.Length {
	h := vg.Length(likeScale)
	for _, l := range all {
		h += likeTitle + vg.Length(len(l.rows))*likeRow
	}
	return h
}

// likeRange is the scale that holds all intervals, and no less than is needed
// to see the band.
func likeRange(all []likes) (low, high float64) {
	low, high = 0.5, 2
	if all[0].share {
		low, high = -40, 40
	}
	for _, a := range all {
		for _, l := range a.rows {
			if by := likeValue(l); by.Known() {
				low, high = min(low, by.Low), max(high, by.High)
			}
		}
	}
	if all[0].share {
		return low - 4, high + 4
	}
	return low / 1.15, high * 1.15
}

// likeValue is what is drawn: a ratio, or points.
func likeValue(l *reports.Likeness) reports.Estimate {
	if l.Share {
		return percent(l.By)
	}
	return l.By
}

// likes draws a column of aspects over one scale.
func (p *pen) likes(c draw.Canvas, all []likes) {
	name := p.face(sizeSmall, false, p.ink)
	var left vg.Length
	for _, a := range all {
		for _, l := range a.rows {
			left = max(left, name.Width(l.Pair))
		}
	}
	const text = 58 // for the figure behind each line
	low, high := likeRange(all)
	data := crop(c, left+22, text, 0, 0)
	x := likeScaleOf(data, low, high, all[0].share)
	bottom := c.Max.Y - likesHeight(all) + likeScale

	p.likeTicks(c, data, x, low, high, bottom, all[0].share)
	y := c.Max.Y
	head := p.face(sizeSmall, true, p.ink)
	for _, a := range all {
		head.put(c, vg.Point{X: c.Min.X, Y: y - likeTitle + 6}, 0, head.shorten(a.title, left+22+data.Size().X))
		y -= likeTitle
		p.likeBand(data, x, y, y-vg.Length(len(a.rows))*likeRow, a.share)
		for i, l := range a.rows {
			at := vg.Point{X: data.Min.X - 8, Y: y - likeRow/2}
			name.middle(c, vg.Point{X: data.Min.X - 8, Y: at.Y}, 1, l.Pair)
			p.like(c, data, l, a.pairs[i], at.Y, x)
			y -= likeRow
		}
	}
}

// likeScaleOf is where a value stands, kept within the data.
func likeScaleOf(data draw.Canvas, low, high float64, share bool) func(float64) vg.Length {
	at := func(v float64) float64 { return v }
	if !share {
		at = math.Log
	}
	return func(v float64) vg.Length {
		part := (at(v) - at(low)) / (at(high) - at(low))
		return data.Min.X + vg.Length(min(1, max(0, part)))*data.Size().X
	}
}

// likeBand shades what counts as the same, and draws the line of no difference.
func (p *pen) likeBand(data draw.Canvas, x func(float64) vg.Length, top, bottom vg.Length, share bool) {
	low, none, high := 1/reports.LikeMargin, 1.0, float64(reports.LikeMargin)
	if share {
		low, none, high = -100*reports.LikePoints, 0, 100*reports.LikePoints
	}
	band := vg.Rectangle{Min: vg.Point{X: x(low), Y: bottom}, Max: vg.Point{X: x(high), Y: top}}
	data.SetColor(p.shade)
	data.Fill(band.Path())
	data.StrokeLine2(p.line(p.axis, 1), x(none), bottom, x(none), top)
}

func (p *pen) likeTicks(c, data draw.Canvas, x func(float64) vg.Length, low, high float64, bottom vg.Length, share bool) {
	var ticker plot.Ticker = decades{5}
	title := "model ÷ twin"
	if share {
		ticker, title = linear{6}, "model − twin, percentage points"
	}
	tick, axis := p.face(sizeSmall, false, p.ink), p.face(sizeSmall, true, p.ink)
	data.StrokeLine2(p.line(p.axis, 1), data.Min.X, bottom, data.Max.X, bottom)
	for _, t := range ticker.Ticks(low, high) {
		length := vg.Length(3)
		if !t.IsMinor() {
			length = 5
			tick.put(c, vg.Point{X: x(t.Value), Y: bottom - 6 - tick.size()}, 0.5, t.Label)
		}
		data.StrokeLine2(p.line(p.axis, 1), x(t.Value), bottom, x(t.Value), bottom-length)
	}
	axis.put(c, vg.Point{X: (data.Min.X + data.Max.X) / 2, Y: bottom - 12 - tick.size() - axis.line()}, 0.5, title)
}

// like draws one pair's line: its interval, its marker, and the figure.
func (p *pen) like(c, data draw.Canvas, l *reports.Likeness, pair int, y vg.Length, x func(float64) vg.Length) {
	small := p.face(sizeSmall, l.Verdict == reports.Different, p.ink)
	end := vg.Point{X: data.Max.X + 6, Y: y}
	by := likeValue(l)
	if !by.Known() {
		p.face(sizeSmall, false, p.muted).middle(c, end, 0, "–")
		return
	}
	col := p.colour(pair)
	data.StrokeLine2(p.line(col, 2), x(by.Low), y, x(by.High), y)
	for _, v := range []float64{by.Low, by.High} {
		data.StrokeLine2(p.line(col, 2), x(v), y-3, x(v), y+3)
	}
	at := vg.Point{X: x(by.Median), Y: y}
	switch l.Verdict {
	case reports.Same:
		p.mark(data, pair, at, 4.2)
	case reports.Different:
		path := markPath(pair%shapes, at, 4.2)
		data.SetColor(p.back)
		data.Fill(path)
		data.SetLineStyle(p.line(col, 1.8))
		data.Stroke(path)
	default:
		data.StrokeLine2(p.line(col, 2), at.X, y-4.5, at.X, y+4.5)
	}
	text := number(by.Median) + "×"
	if l.Share {
		text = fmt.Sprintf("%+.0f", by.Median)
		if math.Abs(by.Median) < 0.5 {
			text = "0"
		}
		text = strings.ReplaceAll(text, "-", "−")
	}
	small.middle(c, end, 0, text)
}

// fidelityWords says the same for those who can't see the picture.
func fidelityWords(f *reports.Fidelity) string {
	var parts []string
	for i := range f.Rows {
		l := &f.Rows[i]
		by := likeValue(l)
		if !by.Known() {
			continue
		}
		unit := "×"
		if l.Share {
			unit = " points"
		}
		parts = append(parts, fmt.Sprintf("%s v %s, %s: %s: %s%s, %s", l.Pair, l.Twin, l.Situation, l.Title(), number(by.Median), unit, l.Verdict))
	}
	return "By how much models differ from their twins. " + strings.Join(parts, "; ") + "."
}
