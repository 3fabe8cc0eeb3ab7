package chart

import (
	"math"
	"slices"

	"gatewaylab/scenarios/load"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// curve gives each stage's level where together they make a load curve: at
// least three stages of one loop, each of one level, and the levels all rise
// or all fall. The axis is empty where they don't.
func (sc *scene) curve() (levels []float64, axis string) {
	n := len(sc.Stages)
	if n < 3 {
		return nil, ""
	}
	open := sc.Stages[0].Open()
	for i := range sc.Stages {
		st := &sc.Stages[i]
		switch {
		case open && st.Shape == load.Constant:
			levels = append(levels, st.From)
		case !open && st.Shape == load.Users && st.Levels < 2 && st.Think == sc.Stages[0].Think:
			levels = append(levels, float64(st.UsersFrom))
		default:
			return nil, ""
		}
	}
	rising := levels[n-1] > levels[0]
	for i := 1; i < n; i++ {
		if levels[i] == levels[i-1] || rising != (levels[i] > levels[i-1]) || !loggable(levels[i]) || !loggable(levels[i-1]) {
			return nil, ""
		}
	}
	if open {
		return levels, "offered (arrivals/s)"
	}
	return levels, "users"
}

// A stageAxis places stages from left to right.
type stageAxis struct {
	title    string
	at       []float64 // of each stage
	low      float64
	high     float64
	log      bool
	discrete bool // places in order, not levels
}

func (sc *scene) axis() stageAxis {
	n := len(sc.Stages)
	levels, title := sc.curve()
	if title == "" {
		a := stageAxis{title: "stage, in the order of time", low: -0.5, high: float64(n) - 0.5, discrete: true}
		for i := range n {
			a.at = append(a.at, float64(i))
		}
		return a
	}
	a := stageAxis{title: title, at: levels}
	low, high := slices.Min(levels), slices.Max(levels)
	a.low, a.high = 0, high*1.04
	// Levels that double each time would crowd at the left.
	if crowded(levels, func(v float64) float64 { return v }) < 0.03 && crowded(levels, math.Log) > 0.03 {
		pad := math.Pow(high/low, 0.04)
		a.low, a.high, a.log = low/pad, high*pad, true
		a.title += ", log scale"
	}
	return a
}

// crowded is the least distance of two neighbours on a scale, as a share of
// the whole.
func crowded(levels []float64, scale func(float64) float64) float64 {
	least := math.Inf(1)
	for i := 1; i < len(levels); i++ {
		least = min(least, math.Abs(scale(levels[i])-scale(levels[i-1])))
	}
	return least / math.Abs(scale(levels[len(levels)-1])-scale(levels[0]))
}

// stageNames writes the scale of the stages below the data and returns how far
// down it reaches: levels, or the stages' names and under each its level.
func (p *pen) stageNames(data draw.Canvas, sc *scene, a stageAxis, x func(float64) vg.Length) (bottom vg.Length) {
	name, small := p.face(sizeTick, false, p.ink), p.face(sizeSmall, false, p.muted)
	tick := p.line(p.axis, 1)
	y := data.Min.Y - 6
	if !a.discrete {
		last := vg.Length(math.Inf(-1))
		for _, v := range slices.Sorted(slices.Values(a.at)) {
			data.StrokeLine2(tick, x(v), data.Min.Y, x(v), data.Min.Y-5)
			text := setting(v)
			w := name.Width(text)
			if from := x(v) - w/2; from > last+8 {
				name.put(data, vg.Point{X: x(v), Y: y - name.size()}, 0.5, text)
				last = from + w
			}
		}
		return y - name.line()
	}
	var names, levels []slot
	for i := range sc.Stages {
		st := &sc.Stages[i]
		s := slot{from: x(float64(i) - 0.5), to: x(float64(i) + 0.5), text: st.Title(i)}
		names = append(names, s)
		s.text = levelWords(st)
		levels = append(levels, s)
		data.StrokeLine2(tick, s.middle(), data.Min.Y, s.middle(), data.Min.Y-5)
	}
	for i, text := range name.fit(names) {
		name.put(data, vg.Point{X: names[i].middle(), Y: y - name.size()}, 0.5, text)
	}
	y -= name.line()
	for _, s := range levels {
		if small.Width(s.text) > s.to-s.from-6 {
			return y // all or none
		}
	}
	for _, s := range levels {
		small.put(data, vg.Point{X: s.middle(), Y: y - small.size()}, 0.5, s.text)
	}
	return y - small.line()
}

// levelWords is a stage's level in a word: "10/s", "10–500/s", "20 users".
func levelWords(st *load.Stage) string {
	between := func(from, to float64, unit string) string {
		if from == to {
			return setting(from) + unit
		}
		return setting(from) + "–" + setting(to) + unit
	}
	switch st.Shape {
	case load.Replay:
		return "replay"
	case load.Constant:
		return setting(st.From) + "/s"
	case load.Users:
		to := st.UsersTo
		if st.Levels < 2 {
			to = st.UsersFrom
		}
		unit := " users"
		if st.UsersFrom == 1 && to == 1 {
			unit = " user"
		}
		return between(float64(st.UsersFrom), float64(to), unit)
	}
	return between(st.From, st.To, "/s")
}
