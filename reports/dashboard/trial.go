package dashboard

import (
	"math"
)

// trialView is the running trial, large.
func trialView(s *screen, a area, p *picture) {
	nowLine(s, a, p)
	rest := a.h - 7 // title, blank, two captions, slots' line, blank, costs
	slots := min(max(2, rest/3), 16)
	low := min(max(1, (rest-slots)/3), 8)
	tall := max(1, rest-slots-low)

	w := (a.w - gutter) / 2
	y := a.y + 1
	goodputChart(s, area{a.x, y, w, tall + 1}, p)
	responseChart(s, area{a.x + a.w - w, y, w, tall + 1}, p)
	y += tall + 1
	loadCharts(s, area{a.x, y, a.w, low + 1}, p)
	y += low + 2
	if sm := p.sample; sm != nil && sm.Status.Workers > 0 && slotCount(sm.Status) <= slots && p.info().Noun != "" {
		s.text(a.x, y, a.w, plain, occupancy(p, false))
		slotRows(s, area{a.x, y + 1, a.w, slots}, sm.Status, p.info().Noun, p.nowInk())
	} else {
		slotPanel(s, area{a.x, y, a.w, slots + 1}, p)
	}
	costs(s, area{a.x, a.y + a.h - 1, a.w, 1}, p)
}

// loadCharts show what the trial asks of the server and the machine.
func loadCharts(s *screen, a area, p *picture) {
	c := p.seek(p.now.Scenario, p.now.Model)
	value := func(f func() string) string {
		if p.sample == nil {
			return unknown
		}
		return f()
	}
	w := (a.w - 2*gutter) / 3
	draw := func(i int, name, now string, of func(point) float64, limit func(float64) string) {
		v := curve{scale: linear(peak(c, of)), columns: of}
		chart(s, area{a.x + i*(w+gutter), a.y, w, a.h}, p, v, name, now, "≤ "+limit(v.scale.high))
	}
	draw(0, "in flight", value(func() string { return whole(p.sample.InFlight) }),
		func(q point) float64 { return q.inFlight }, func(v float64) string { return whole(int(v)) })
	cost := func(f func() string) string {
		if p.sample != nil && p.sample.Memory < 0 {
			return unknown
		}
		return value(f)
	}
	draw(1, "CPU", cost(func() string { return cores(p.sample.CPU) }),
		func(q point) float64 { return q.cpu }, cores)
	draw(2, "memory", cost(func() string { return size(p.sample.Memory) }),
		func(q point) float64 { return q.memory / (1 << 20) },
		func(v float64) string { return size(int64(v * (1 << 20))) })
}

// peak is the largest value among a cell's slices.
func peak(c *cell, of func(point) float64) float64 {
	top := 0.0
	for _, t := range c.trials {
		for _, q := range t.points {
			if v := of(q); !math.IsNaN(v) {
				top = max(top, v)
			}
		}
	}
	return top
}
