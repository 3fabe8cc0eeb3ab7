package reports

import (
	"fmt"
	"slices"
	"strings"

	"gatewaylab/scenarios"
	"gatewaylab/scenarios/capacity"
)

// interval is what was found, for a table: "78 [76–82]".
func (m *ModelCapacity) interval() (figure, tail string) {
	switch {
	case m.Rate == 0 && m.High > 0:
		return "< " + rateFigure(m.High), ""
	case m.Rate == 0:
		return unknown, ""
	case m.High == 0:
		return "≥ " + rateFigure(m.Low), ""
	}
	return rateFigure(m.Rate), fmt.Sprintf("[%s–%s]", rateFigure(m.Low), rateFigure(m.High))
}

// Held is what was found, in short: "78 [76–82]", "≥ 7,950", "< 5".
func (m *ModelCapacity) Held() string {
	figure, tail := m.interval()
	return strings.TrimSpace(figure + " " + tail)
}

// rateFigure writes a rate that was chosen: 79.4, 3,180.
func rateFigure(v float64) string {
	if v >= 1000 {
		return fixed(v, 0)
	}
	return said(v)
}

// words says what was found.
func (m *ModelCapacity) words(c *Capacity) string {
	agree := "all " + count(c.Agree, "trial")
	switch c.Agree {
	case 1:
		agree = "the one trial"
	case 2:
		agree = "both trials"
	}
	end := func(rate float64, sure bool, verb string) string {
		if sure {
			return fmt.Sprintf("%s of %s/s %s it", agree, rateFigure(rate), verb)
		}
		return fmt.Sprintf("most trials of %s/s %s it, too few to be sure", rateFigure(rate), verb)
	}
	because := func(reasons []string) string {
		if len(reasons) == 0 {
			return ""
		}
		return ": " + strings.Join(reasons, "; ")
	}
	var text string
	switch {
	case m.Rate == 0 && m.High > 0:
		return fmt.Sprintf("Does not hold the objective even at %s/s, the lowest rate tried%s.", rateFigure(m.High), because(m.tried(m.High).broke))
	case m.Rate == 0:
		return "Nothing is known: no trial was valid at any rate that was tried" + because(m.lowest().Invalid) + "."
	case m.High > 0:
		text = fmt.Sprintf("Holds the objective up to %s/s: %s, ", rateFigure(m.Low), end(m.Low, m.LowSure, "held"))
		if p := m.tried(m.Rate); m.Rate > m.Low {
			text = fmt.Sprintf("Holds the objective up to %s/s for certain (%s), and in most trials up to %s/s (%d of %d); ",
				rateFigure(m.Low), end(m.Low, m.LowSure, "held"), rateFigure(m.Rate), p.Held, p.Held+p.Broken)
		}
		text += fmt.Sprintf("%s%s.%s", end(m.High, m.HighSure, "broke"), because(m.tried(m.High).broke), m.coarse(c))
	case m.Limit == capacity.LimitGenerator:
		whose := "its limit, or that of the cores it shares with the server, and not the server's"
		switch {
		case m.target != nil && m.target.Local:
			whose = "its limit, or that of the cores it shares with the server and with whatever else ran, which is not known, and not the server's"
		case m.target != nil:
			whose = "its limit and not the server's"
		}
		text = fmt.Sprintf("Holds the objective at %s/s at least (%s). Above that the load generator could not keep up, so that this is %s.", rateFigure(m.Low), end(m.Low, m.LowSure, "held"), whose)
	case m.Limit == capacity.LimitTarget:
		text = fmt.Sprintf("Holds the objective at %s/s at least (%s). A server that is not on this machine gets no more than %s/s.", rateFigure(m.Low), end(m.Low, m.LowSure, "held"), rateFigure(scenarios.MaxTargetRate))
	case m.Limit == capacity.LimitTop:
		text = fmt.Sprintf("Holds the objective at %s/s (%s), the highest rate that was to be tried: raise --to.", rateFigure(m.Low), end(m.Low, m.LowSure, "held"))
	case m.Limit == capacity.LimitVoid:
		text = fmt.Sprintf("Holds the objective at %s/s at least (%s). Above that no trial was valid; the points below say why.", rateFigure(m.Low), end(m.Low, m.LowSure, "held"))
	default:
		text = fmt.Sprintf("Holds the objective at %s/s at least; the search ended before it came to a rate that breaks it.", rateFigure(m.Low))
	}
	if m.Behind {
		text += " Its ends were not repeated further: another setting is better whatever they would have said."
	}
	if m.Short {
		text += fmt.Sprintf(" Its curve lacks trials: servers that are not on this machine get requests for %s at most.", window(scenarios.MaxTargetTime))
	}
	if m.Spent {
		text += fmt.Sprintf(" No more was tried: servers that are not on this machine get requests for %s at most.", window(scenarios.MaxTargetTime))
	}
	return text
}

// coarse says that the interval is wider than was asked for, and why.
func (m *ModelCapacity) coarse(c *Capacity) string {
	if m.High/m.Low <= (1+c.Resolution)*1.01 { // rates have three figures
		return ""
	}
	why := "the search ended before it was narrower"
	if slices.ContainsFunc(m.Points, func(p Tried) bool { return p.Load > m.Low && p.Load < m.High }) {
		why = "at rates within it trials differ from one to the next"
	}
	return fmt.Sprintf(" The interval is %s wide, more than the resolution of %s: %s.", percent(m.High/m.Low-1), percent(c.Resolution), why)
}

// uneven says that a rate was held although a lower one wasn't; "" if none was.
func (m *ModelCapacity) uneven() string {
	lower := -1
	for i, p := range m.Points {
		switch {
		case lower < 0 && p.Broken > 0:
			lower = i
		case lower >= 0 && p.Verdict == verdictHeld:
			return fmt.Sprintf("%s/s was held (%d of %d) although %s/s, which is less, was not by all (%d of %d): near its limit a server holds a rate in one trial and not in the next.",
				rateFigure(p.Load), p.Held, p.Held+p.Broken, rateFigure(m.Points[lower].Load), m.Points[lower].Held, m.Points[lower].Held+m.Points[lower].Broken)
		}
	}
	return ""
}

// tried is what came of a load; empty if it wasn't tried.
func (m *ModelCapacity) tried(load float64) Tried {
	for _, p := range m.Points {
		if p.Load == load {
			return p
		}
	}
	return Tried{}
}

// lowest is the lowest load tried.
func (m *ModelCapacity) lowest() Tried {
	if len(m.Points) == 0 {
		return Tried{}
	}
	return m.Points[0]
}
