package dashboard

// compactView says the most important things, one to a line, as far down as
// there is room.
func compactView(s *screen, a area, p *picture) {
	y, end := a.y, a.y+a.h
	put := func(k ink, str string) {
		if y < end {
			s.text(a.x, y, a.w, k, str)
		}
		y++
	}
	put(strong, title(p.now))
	where := string(p.phase)
	if p.now.Of > 0 {
		where = "trial " + whole(p.now.Trial) + " of " + whole(p.now.Of) + " · "
		if stage := p.stageWords(max(8, a.w-s.width(where))); stage != "" {
			where += stage
		} else {
			where += string(p.phase)
		}
	}
	put(plain, where)
	r := p.recent()
	lead := 18
	for _, c := range []struct {
		text string
		v    curve
	}{
		{rate(r.goodput), goodputCurve(p.current())},
		{ms(r.p50) + " • " + ms(r.p99), responseCurve(p.current())},
	} {
		if y >= end {
			return
		}
		s.text(a.x, y, lead, strong, c.text)
		c.v.dots = nil
		strip(s, area{a.x + lead + 1, y, a.w - lead - 1, 1}, p.seek(p.now.Scenario, p.now.Model), p.nowInk(), c.v)
		y++
	}
	put(plain, occupancy(p, true))
	if p.sample == nil {
		return
	}
	if y < end {
		slotCells(s, area{a.x, y, a.w, 1}, p.sample.Status, p.nowInk())
		y++
	}
	put(plain, serverCosts(p.sample))
	put(faint, "generator "+cores(p.sample.GeneratorCPU))
	put(faint, history(p.sample))
}
