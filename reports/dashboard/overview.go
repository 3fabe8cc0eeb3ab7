package dashboard

import (
	"math"
	"slices"
	"strings"
	"time"

	"gatewaylab/scenarios"
)

// gutter lies between two things side by side.
const gutter = 3

// A block is how many lines one model gets in the overview: for its goodput
// strip, its response-time strip, a line of figures, and a blank one.
type block struct{ goodput, response, figures, gap int }

func (b block) height() int { return b.goodput + b.response + b.figures + b.gap }

var blocks = [...]block{
	{6, 6, 1, 1}, {4, 4, 1, 1}, {3, 3, 1, 1}, {2, 2, 1, 1},
	{1, 1, 1, 1}, {1, 1, 1, 0}, {1, 1, 0, 0}, {1, 0, 0, 0},
}

// overview shows what runs now, and below it every model under every scenario
// so far.
func overview(s *screen, a area, p *picture) {
	slots := 1 + max(0, min(a.h-19, 18))/6
	rest := a.h - 6 - slots // title, captions, slots, occupancy, costs, blank; column heads
	want := min(max(3, rest/4), 10)
	b, fits := blocks[len(blocks)-1], false
	for _, try := range blocks {
		if len(p.models)*try.height()-try.gap <= rest-want {
			b, fits = try, true
			break
		}
	}
	tall := want
	if !fits {
		tall = 2
	}
	tall = min(max(tall, rest-(len(p.models)*b.height()-b.gap)), max(want, 12), max(1, rest-1))

	nowPanel(s, area{a.x, a.y, a.w, tall + slots + 4}, p, tall, slots)
	top := a.y + tall + slots + 5
	matrix(s, area{a.x, top, a.w, a.y + a.h - top}, p, b)
}

// nowPanel shows the running trial: two charts, its slots, what it costs.
func nowPanel(s *screen, a area, p *picture, tall, slots int) {
	nowLine(s, a, p)
	w := (a.w - gutter) / 2
	goodputChart(s, area{a.x, a.y + 1, w, tall + 1}, p)
	responseChart(s, area{a.x + a.w - w, a.y + 1, w, tall + 1}, p)

	y := a.y + tall + 2
	slotPanel(s, area{a.x, y, a.w, slots + 1}, p)
	costs(s, area{a.x, y + slots + 1, a.w, 1}, p)
}

// slotPanel is a line about the slots, and the slots.
func slotPanel(s *screen, a area, p *picture) {
	x := s.text(a.x, a.y, a.w, plain, occupancy(p, false))
	if p.sample == nil {
		return
	}
	if slotCount(p.sample.Status) > 0 {
		for _, legend := range slotLegends {
			if left := a.x + a.w - x - 2; left >= s.width(legend) {
				s.right(a.x+a.w, a.y, left, faint, legend)
				break
			}
		}
	}
	slotCells(s, area{a.x, a.y + 1, a.w, a.h - 1}, p.sample.Status, p.nowInk())
}

// costs is one line: the server's tree, and the load generator beside it.
func costs(s *screen, a area, p *picture) {
	sm := p.sample
	if sm == nil {
		return
	}
	lab := "generator " + cores(sm.GeneratorCPU)
	s.right(a.x+a.w, a.y, a.w, faint, lab)
	room := a.w - len(lab) - 2
	text := serverCosts(sm)
	more := strings.Split(history(sm), " · ")
	if sm.Memory >= 0 {
		more = append([]string{count(sm.Usage.Processes, "process")}, more...)
	}
	for _, m := range more { // whole, or not at all
		if m != "" && s.width(text+" · "+m) <= room {
			text += " · " + m
		}
	}
	s.text(a.x, a.y, room, plain, text)
}

// serverCosts is what the server's tree uses, if the lab started it.
func serverCosts(sm *scenarios.Sample) string {
	if sm.Memory < 0 {
		return "server not started by the lab: CPU and memory unknown"
	}
	return "server " + cores(sm.CPU) + " · " + size(sm.Memory)
}

// caption is the line above a chart; the scale gives way first, then the name.
func caption(s *screen, a area, name, value, scale string) {
	x := a.x
	if s.width(name)+1+s.width(value) <= a.w {
		x = s.text(x, a.y, a.w, faint, name) + 1
	}
	x = s.text(x, a.y, a.x+a.w-x, strong, value)
	if left := a.x + a.w - x - 2; left >= s.width(scale) {
		s.right(a.x+a.w, a.y, left, faint, scale)
	}
}

// chart draws the running cell's strip below a caption.
func chart(s *screen, a area, p *picture, v curve, name, value, scale string) {
	caption(s, a, name, value, scale)
	c := &cell{}
	if p.now.Scenario != "" {
		c = p.seek(p.now.Scenario, p.now.Model)
	}
	strip(s, area{a.x, a.y + 1, a.w, a.h - 1}, c, p.nowInk(), v)
}

// seek finds a cell without making one.
func (p *picture) seek(scenario, model string) *cell {
	for _, sc := range p.scenes {
		for i, m := range p.models {
			if sc.name == scenario && m.Label == model {
				return sc.look(i)
			}
		}
	}
	return &cell{}
}

// current is the column of the running scenario.
func (p *picture) current() *scene {
	for _, sc := range p.scenes {
		if sc.name == p.now.Scenario {
			return sc
		}
	}
	return &scene{}
}

func goodputCurve(sc *scene) curve {
	return curve{scale: linear(sc.peak), columns: func(q point) float64 { return q.goodput }}
}

func responseCurve(sc *scene) curve {
	return curve{
		scale:   logarithmic(sc.low, sc.high),
		columns: func(q point) float64 { return q.p50 },
		dots:    func(q point) float64 { return q.p99 },
	}
}

func goodputChart(s *screen, a area, p *picture) {
	v := goodputCurve(p.current())
	chart(s, a, p, v, "goodput", rate(p.recent().goodput), "0 – "+rate(v.scale.high))
}

func responseChart(s *screen, a area, p *picture) {
	v := responseCurve(p.current())
	r := p.recent()
	chart(s, a, p, v, "response", "p50 "+ms(r.p50)+" •p99 "+ms(r.p99), v.scale.millis())
}

// recent is the last second of the running trial as one point: figures that
// change eight times a second can't be read.
func (p *picture) recent() point {
	r := point{goodput: math.NaN(), p50: math.NaN(), p99: math.NaN()}
	c := p.seek(p.now.Scenario, p.now.Model)
	if p.now.Trial < 1 || p.now.Trial > len(c.trials) {
		return r
	}
	pts := c.trials[p.now.Trial-1].points
	if len(pts) == 0 {
		return r
	}
	last := pts[len(pts)-1]
	var middles []float64
	sum, n := 0.0, 0
	for _, q := range slices.Backward(pts) {
		if q.warm != last.warm || last.at-q.at >= time.Second {
			break
		}
		sum += q.goodput
		n++
		middles = append(middles, q.p50)
		if !math.IsNaN(q.p99) && !(r.p99 >= q.p99) {
			r.p99 = q.p99
		}
	}
	r.goodput, r.p50 = sum/float64(n), median(middles)
	return r
}

// Widths of the overview's columns.
const (
	labelWidth  = 21
	wideLabel   = 30
	cellWidth   = 17 // at least
	numberWidth = 8
)

// matrix has a row for each model and a column for each scenario, none of
// which ever moves; with more than fit, the page with the running one.
func matrix(s *screen, a area, p *picture, b block) {
	label := labelWidth
	if a.w >= 110 {
		label = wideLabel
	}
	columns := max(1, min(len(p.scenes), (a.w-label)/(cellWidth+2)))
	w := (a.w - label) / columns
	scenes, firstScene := page(p.scenes, columns, func(sc *scene) bool { return sc.name == p.now.Scenario })
	rows := max(1, (a.h-1+b.gap)/b.height())
	if rows < len(p.models) && b.height() == 1 {
		rows = max(1, rows-1) // for the line that says so
	}
	_, first := page(p.models, rows, func(m modelInfo) bool { return m.Label == p.now.Model })
	labels := shorten(p.models, label-3)

	for i, sc := range scenes {
		k := faint
		if sc.name == p.now.Scenario {
			k = strong
		}
		s.text(a.x+label+i*w, a.y, w-2, k, sc.name)
	}
	s.text(a.x, a.y, label-2, faint, matrixHead(p, scenes, firstScene))

	y := a.y + 1
	for i := first; i < min(first+rows, len(p.models)); i++ {
		running := p.models[i].Label == p.now.Model
		k := plain
		if running {
			s.set(a.x, y, of(i), '▶')
			k = strong
		}
		s.text(a.x+2, y, label-3, k, labels[i])
		for j, sc := range scenes {
			matrixCell(s, area{a.x + label + j*w, y, w - 2, b.height()}, p, sc, i, b)
		}
		y += b.height()
	}
	if more := len(p.models) - rows; more > 0 {
		s.text(a.x+2, min(y, a.y+a.h-1), a.w-2, faint, "and "+count(more, "more model")+": tab shows the results of all")
	}
}

func matrixHead(p *picture, scenes []*scene, first int) string {
	if len(scenes) < len(p.scenes) {
		return "scenario " + whole(first+1) + "–" + whole(first+len(scenes)) + " of " + whole(len(p.scenes))
	}
	return "so far"
}

// page cuts a list into pages of n and returns the one with the item wanted,
// and its start.
func page[T any](list []T, n int, wanted func(T) bool) ([]T, int) {
	if len(list) == 0 {
		return nil, 0
	}
	start := max(0, slices.IndexFunc(list, wanted)) / n * n
	start = max(0, min(start, len(list)-n)) // the last page is full too
	return list[start:min(start+n, len(list))], start
}

// matrixCell shows one model under one scenario: a place for each trial, and
// the medians so far.
func matrixCell(s *screen, a area, p *picture, sc *scene, i int, b block) {
	c := sc.look(i)
	if c.instead != "" {
		s.text(a.x, a.y+b.goodput-1, a.w, faint, c.instead)
		if b.response > 0 {
			s.text(a.x, a.y+b.goodput, a.w, faint, c.because)
		}
		return
	}
	sum := c.summary()
	trials := sc.planned(p)
	w := a.w - numberWidth - 1
	places(s, area{a.x, a.y, w, b.goodput}, c, trials, sc.window.Seconds(), of(i), goodputCurve(sc),
		func(f *trialFigures) float64 { return f.goodput })
	s.right(a.x+a.w, a.y+b.goodput-1, numberWidth, strong, rate(sum.goodput))
	y := a.y + b.goodput
	if b.response > 0 {
		places(s, area{a.x, y, w, b.response}, c, trials, sc.window.Seconds(), of(i), responseCurve(sc),
			func(f *trialFigures) float64 { return f.p50 })
		s.right(a.x+a.w, y+b.response-1, numberWidth, plain, ms(sum.p50))
		y += b.response
	}
	if b.figures > 0 {
		s.text(a.x, y, a.w, faint, cellNote(sum))
		if !math.IsNaN(sum.p99) {
			s.right(a.x+a.w, y, a.w-s.width(cellNote(sum))-1, faint, "p99 "+ms(sum.p99))
		}
	}
}

func cellNote(sum summary) string {
	if sum.valid+sum.invalid == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("n=" + whole(sum.valid))
	if sum.invalid > 0 {
		b.WriteString(" ×" + whole(sum.invalid))
	}
	return b.String()
}
