package reports

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"gatewaylab/scenarios"
)

// noun is what loads are counted in.
func (c *Capacity) noun() string {
	if c.Kind == scenarios.ByUsers {
		return "users"
	}
	return "rate/s"
}

// Setting is what was asked, and how, in words.
func (c *Capacity) Setting() string {
	var words []string
	if c.Objective != "" {
		words = append(words, "objective: "+strings.ReplaceAll(c.Objective, ",", ", "))
	}
	switch {
	case c.Kind == scenarios.ByUsers:
		words = append(words, "closed loop, each number of users by itself")
	case c.Poisson:
		words = append(words, "open loop, arrivals at random (Poisson)")
	default:
		words = append(words, "open loop, arrivals evenly spaced (less is held of those at random)")
	}
	trials := "trials of " + window(dur(c.Window))
	if c.Warmup > 0 {
		trials += " after " + window(dur(c.Warmup)) + " of warm-up"
	}
	words = append(words, trials)
	if c.Kind != scenarios.ByUsers {
		words = append(words, fmt.Sprintf("resolution %s, %s must agree at each end", percent(c.Resolution), count(c.Agree, "trial")))
	}
	return strings.Join(words, " · ")
}

// found is the table of what each model holds.
func (c *Capacity) found() table {
	t := table{corner: "model"}
	rate := column{head: "holds/s"}
	times := c.times(len(c.Models), func(i int) *Cell { return c.Models[i].at(c.Models[i].Rate) })
	cpu, memory := column{head: "ms"}, column{head: "MiB"}
	trials := column{head: "trials"}
	for _, m := range c.Models {
		t.rows = append(t.rows, row{label: m.Model, strong: m.Model == c.Best && len(c.Tied) == 0})
		figure, tail := m.interval()
		rate.cells = append(rate.cells, tableCell{figure, tail})
		at := m.at(m.Rate)
		if at == nil {
			at = &Cell{}
		}
		cpu.cells = append(cpu.cells, withSpread(at.CPUPerRequest))
		memory.cells = append(memory.cells, withSpread(at.Memory))
		trials.cells = append(trials.cells, tableCell{figure: fixed(float64(m.Trials), 0)})
	}
	t.groups = []group{
		{columns: []column{rate}},
		{title: "response time there, ms", columns: times},
		{title: "CPU/request", columns: []column{cpu}},
		{title: "peak memory", columns: []column{memory}},
		{title: "search", columns: []column{trials}, optional: true},
	}
	return t
}

// times are columns of quantiles of response times, of n cells.
func (c *Capacity) times(n int, of func(i int) *Cell) []column {
	var all []column
	for _, q := range c.Quantiles {
		col := column{head: q}
		for i := range n {
			cell := tableCell{figure: unknown}
			if at := of(i); at != nil {
				cell = withSpread(at.Response[q])
			}
			col.cells = append(col.cells, cell)
		}
		all = append(all, col)
	}
	return all
}

// at is the cell of the load given; nil if there is none.
func (m *ModelCapacity) at(load float64) *Cell {
	for _, p := range m.Points {
		if p.Load == load && load > 0 {
			return p.Cell
		}
	}
	return nil
}

// laws is the table of the fitted parameters.
func (c *Capacity) laws() table {
	t := table{corner: "model"}
	head := []string{"γ, 1/s", "α", "β", "N*", "X(N*), 1/s"}
	columns := make([]column, len(head))
	r2 := column{head: "R²"}
	for i, h := range head {
		columns[i].head = h
	}
	for _, m := range c.Models {
		if m.USL == nil || m.USL.Why != "" {
			continue
		}
		t.rows = append(t.rows, row{label: m.Model})
		for i, e := range []Estimate{m.USL.Gamma, m.USL.Alpha, m.USL.Beta, m.USL.Peak, m.USL.AtPeak} {
			columns[i].cells = append(columns[i].cells, lawFigure(e))
		}
		text := unknown
		if m.USL.R2 >= 0 {
			text = fixed(m.USL.R2, 4)
		}
		r2.cells = append(r2.cells, tableCell{figure: text})
	}
	for i := range columns {
		t.groups = append(t.groups, group{columns: columns[i : i+1]})
	}
	t.groups = append(t.groups, group{columns: []column{r2}})
	return t
}

// lawFigure writes a parameter of the law, which may be very small, with its
// interval.
func lawFigure(e Estimate) tableCell {
	if !e.Known() {
		return tableCell{figure: unknown}
	}
	write := func(v float64) string {
		switch a := math.Abs(v); {
		case a < 1e-6:
			return "0"
		case a < 0.0995:
			return strings.TrimRight(strings.TrimRight(fmt.Sprintf("%.*f", 1-int(math.Floor(math.Log10(a))), v), "0"), ".")
		}
		return figure(v)
	}
	high := "∞"
	if e.High > 0 || e.Median == 0 {
		high = write(e.High)
	}
	return tableCell{write(e.Median), fmt.Sprintf("[%s–%s]", write(e.Low), high)}
}

// points is the table of every load that a model was tried with.
func (c *Capacity) points(m *ModelCapacity) table {
	t := table{corner: c.noun()}
	of := column{head: "of it"}
	verdict := column{head: "trials"}
	goodput, fit := column{head: "goodput/s"}, column{head: "law"}
	theory, off := column{head: "theory"}, column{head: "off by"}
	predicted := 0
	times := c.times(len(m.Points), func(i int) *Cell { return m.Points[i].Cell })
	lost := column{head: "lost"}
	bar := column{head: ""}
	bars := m.bars(c)
	for i, p := range m.Points {
		t.rows = append(t.rows, row{label: rateFigure(p.Load), strong: p.Load == m.Rate})
		share := unknown
		if m.Rate > 0 {
			share = percent(p.Load / m.Rate)
		}
		of.cells = append(of.cells, tableCell{figure: share})
		verdict.cells = append(verdict.cells, tableCell{tail: p.tally()})
		goodput.cells = append(goodput.cells, withSpread(p.Cell.Goodput))
		if m.USL != nil && m.USL.Why == "" {
			fit.cells = append(fit.cells, tableCell{figure: figure(m.USL.At(p.Load))})
		}
		a, ok := p.Cell.foretold()
		if ok {
			predicted++
			theory.cells, off.cells = append(theory.cells, tableCell{figure: figure(a.Predicted)}), append(off.cells, tableCell{figure: signed(a.Percent)})
		} else {
			theory.cells, off.cells = append(theory.cells, tableCell{figure: unknown}), append(off.cells, tableCell{})
		}
		missed := unknown
		if p.Missed.Known() {
			missed = percent(p.Missed.Median)
		}
		lost.cells = append(lost.cells, tableCell{figure: missed})
		bar.cells = append(bar.cells, tableCell{tail: bars[i]})
	}
	t.groups = []group{{columns: []column{verdict}}}
	first := group{columns: []column{goodput}}
	if predicted > 0 {
		first.columns = append(first.columns, theory, off)
	}
	if c.Kind == scenarios.ByUsers {
		if len(fit.cells) > 0 {
			first.columns = append(first.columns, fit)
		}
		t.groups = append(t.groups, first, group{title: "goodput", columns: []column{bar}, filler: true})
	} else {
		t.groups = append([]group{{columns: []column{of}}}, append(t.groups, first)...)
	}
	t.groups = append(t.groups, group{title: "response time, ms", columns: times}, group{columns: []column{lost}})
	if c.Kind != scenarios.ByUsers && slices.ContainsFunc(bars, func(s string) bool { return s != "" }) {
		t.groups = append(t.groups, group{title: c.tail() + ", log scale", columns: []column{bar}})
	}
	return t
}

// tally is how a point's trials went: "held 6 of 6".
func (p *Tried) tally() string {
	valid := p.Held + p.Broken
	var s string
	switch p.Verdict {
	case verdictInvalid:
		if p.Starved > 0 {
			return fmt.Sprintf("%d × generator's limit", p.Starved)
		}
		return fmt.Sprintf("%d invalid", p.Trials)
	case verdictNone:
		s = fmt.Sprint(valid)
	case verdictBroken:
		s = fmt.Sprintf("broke %d of %d", p.Broken, valid)
	default:
		s = fmt.Sprintf("held %d of %d", p.Held, valid)
	}
	if n := p.Starved + p.Void; n > 0 {
		s += fmt.Sprintf(", %d invalid", n)
	}
	return s
}

// barWidth is how many characters the longest bar takes.
const barWidth = 16

// bars draw the points' tail of response times, on a logarithmic scale from the lowest, or their
// goodput from 0.
func (m *ModelCapacity) bars(c *Capacity) []string {
	value := func(p *Tried) float64 {
		if c.Kind == scenarios.ByUsers {
			return p.Cell.Goodput.Median
		}
		return p.Cell.Response[c.tail()].Median
	}
	low, high := math.Inf(1), 0.0
	for i := range m.Points {
		if v := value(&m.Points[i]); v > 0 {
			low, high = min(low, v), max(high, v)
		}
	}
	all := make([]string, len(m.Points))
	for i := range m.Points {
		v := value(&m.Points[i])
		switch {
		case v <= 0:
		case c.Kind == scenarios.ByUsers:
			all[i] = barOf(v / high)
		case high > low:
			// An eighth stays for the lowest, so that it can be seen; and a spread of
			// less than ten is not blown up to the whole width.
			all[i] = barOf((1 + 7*math.Log(v/low)/max(math.Log(high/low), math.Log(10))) / 8)
		default:
			all[i] = barOf(1.0 / 8)
		}
	}
	return all
}

// barOf is a bar of a share of the width, to an eighth of a character.
func barOf(share float64) string {
	eighths := int(math.Round(share * barWidth * 8))
	s := strings.Repeat("█", eighths/8)
	if rest := eighths % 8; rest > 0 {
		s += string([]rune(" ▏▎▍▌▋▊▉")[rest])
	}
	return s
}

// tables are the capacity's tables in reading order, each with its heading: all
// models first, then every point of each.
func (c *Capacity) tables() (summary table, each []table) {
	if summary = c.found(); c.Kind == scenarios.ByUsers {
		summary = c.laws()
	}
	for _, m := range c.Models {
		t := c.points(m)
		t.caption = m.Model + ": every load that was tried"
		if c.Kind == scenarios.ByUsers {
			t.caption = m.Model + ": goodput and response time by number of users"
		}
		each = append(each, t)
	}
	return summary, each
}

// remarks say for each point of a model why it broke, and apart from that why
// trials were invalid.
func (m *ModelCapacity) remarks(c *Capacity) []string {
	var all []string
	for _, p := range m.Points {
		if len(p.broke) > 0 {
			all = append(all, c.load(p.Load)+": "+strings.Join(p.broke, "; "))
		}
		switch left := strings.Join(p.Invalid, "; "); {
		case left == "":
		case p.Verdict == verdictInvalid:
			all = append(all, c.load(p.Load)+": "+left)
		default:
			all = append(all, fmt.Sprintf("%s, %s left out as not valid: %s", c.load(p.Load), count(p.Starved+p.Void, "trial"), left))
		}
	}
	if c.Kind != scenarios.ByUsers {
		if s := m.uneven(); s != "" {
			all = append(all, s)
		}
	}
	return all
}

// load writes a load with its unit.
func (c *Capacity) load(v float64) string {
	if c.Kind == scenarios.ByUsers {
		return count(int(v), "user")
	}
	return rateFigure(v) + "/s"
}
