package reports

import (
	"fmt"
	"strings"

	"gatewaylab/scenarios"
	"gatewaylab/scenarios/load"
)

const (
	unknown = "–"
	tie     = "~"
	untold  = "?" // too few trials to tell
)

// A block is one scenario's part of a report, as tables for people show it.
type block struct {
	*scenarios.Scenario
	cells    []*Cell
	measured int // of the cells, those whose model speaks the protocol
	closed   bool
}

func blocks(r *Report) []block {
	var all []block
	for _, sc := range r.Scenarios {
		b := block{Scenario: sc, closed: sc.Closed()}
		for _, c := range r.Cells {
			if c.Scenario == sc.Name {
				b.cells = append(b.cells, c)
				if c.NotSpoken == "" {
					b.measured++
				}
			}
		}
		all = append(all, b)
	}
	return all
}

// setting is the load, the trials and the window in words.
func (b block) setting(r *Report) string {
	words := []string{loadWords(b.Scenario)}
	if p := protocolWords(b.Scenario); p != "" {
		words = append(words, p)
	}
	trials := fmt.Sprintf("%s × %s", count(planned(b.Scenario, r.Trials), "trial"), window(b.For()))
	if b.Warmup > 0 {
		trials += fmt.Sprintf(" after %s of warm-up", window(b.Warmup))
	}
	return strings.Join(append(words, trials), " · ")
}

func loadWords(s *scenarios.Scenario) string {
	st, ok := s.Steady()
	switch {
	case !ok:
		return s.Words()
	case st.Open() && st.Poisson:
		return fmt.Sprintf("open loop, %s requests/s at random moments (Poisson)", said(st.From))
	case st.Open():
		return fmt.Sprintf("open loop, %s requests/s", said(st.From))
	case st.Think > 0:
		about := ""
		if st.ThinkExponential {
			about = "about "
		}
		return fmt.Sprintf("closed loop, %s that %s %s%s", count(st.UsersFrom, "client"), oneOr(st.UsersFrom, "thinks", "think"), about, window(st.Think))
	}
	return fmt.Sprintf("closed loop, %s", count(st.UsersFrom, "client"))
}

// protocolWords says what requests are sent over; "" for HTTP/1.1 with
// connections that are kept.
func protocolWords(s *scenarios.Scenario) string {
	var words []string
	switch s.Protocol {
	case load.H2C:
		words = append(words, "HTTP/2 without TLS (h2c)")
	case load.H2:
		words = append(words, "HTTP/2 over TLS (h2)")
	case load.WebSocket:
		words = append(words, "WebSocket: a request is a message and its echo")
	}
	if s.Streams > 0 && len(words) > 0 {
		words = append(words, fmt.Sprintf("at most %s at a time on a connection", count(s.Streams, "request")))
	}
	if s.PerConnection > 0 {
		words = append(words, fmt.Sprintf("a new connection for every %s", oneOr(s.PerConnection, "request", count(s.PerConnection, "request"))))
	}
	return strings.Join(words, ", ")
}

// closedLoop says once what would otherwise be a second set of columns.
const closedLoop = "A request is due when it is sent: service time equals response time, and none stays unsent."

func (b block) column(head string, of func(*Cell) tableCell) column {
	col := column{head: head, cells: make([]tableCell, len(b.cells))}
	for i, c := range b.cells {
		col.cells[i] = of(c)
	}
	return col
}

func (b block) spread(head string, of func(*Cell) Estimate) column {
	return b.column(head, func(c *Cell) tableCell { return withSpread(of(c)) })
}

func (b block) plain(head string, of func(*Cell) Estimate) column {
	return b.column(head, func(c *Cell) tableCell { return tableCell{figure: estimateFigure(of(c))} })
}

// traffic is what clients saw; columns that make no sense for the block are
// left out.
func (b block) traffic(wide bool) []group {
	rate := group{columns: []column{b.column("goodput/s", func(c *Cell) tableCell { return withInterval(c.Goodput) })}}
	if b.measured > 1 {
		rate.columns = append(rate.columns, b.column("ratio", ratio))
	}
	failures := group{columns: []column{b.column("errors", func(c *Cell) tableCell { return tableCell{figure: counted(c, c.Failed)} })}}
	if !b.closed {
		failures.columns = append(failures.columns, b.column("unsent", func(c *Cell) tableCell { return tableCell{figure: counted(c, c.Unsent)} }))
	}
	groups := []group{rate, failures, b.latency("response time", func(c *Cell) map[string]Estimate { return c.Response })}
	if !b.closed {
		groups = append(groups, b.latency("service time", func(c *Cell) map[string]Estimate { return c.Service }))
	}
	p50 := func(c *Cell) Estimate { return c.FirstByte["p50"] }
	first := group{title: "first byte", columns: []column{b.spread("p50, ms", p50)}, filler: true}
	if wide {
		p99 := func(c *Cell) Estimate { return c.FirstByte["p99"] }
		first = group{title: "first byte", unit: "ms", columns: []column{b.spread("p50", p50), b.spread("p99", p99)}, filler: true}
	}
	return append(groups, first)
}

func (b block) latency(title string, of func(*Cell) map[string]Estimate) group {
	g := group{title: title, unit: "ms"}
	for _, q := range quantiles() {
		some := q.name != "p99.9"
		for _, c := range b.cells {
			some = some || of(c)[q.name].Known()
		}
		if some {
			g.columns = append(g.columns, b.spread(q.name, func(c *Cell) Estimate { return of(c)[q.name] }))
		}
	}
	return g
}

// costs is what the servers used.
func (b block) costs() []group {
	return []group{
		{newTable: true, title: "CPU/request", columns: []column{b.spread("ms", func(c *Cell) Estimate { return c.CPUPerRequest })}},
		{title: "peak memory", columns: []column{b.spread("MiB", func(c *Cell) Estimate { return c.Memory })}},
		{columns: []column{b.plain("processes", func(c *Cell) Estimate { return c.Processes })}},
		{title: "connections", columns: []column{b.plain("per request", func(c *Cell) Estimate { return c.ConnectionsPerRequest })}},
		{title: "CPU", unit: "cores", columns: []column{
			b.plain("server", func(c *Cell) Estimate { return c.ServerCPU }),
			b.plain("generator", func(c *Cell) Estimate { return c.GeneratorCPU })}},
		{optional: true, columns: []column{
			b.plain("threads", func(c *Cell) Estimate { return c.Threads }),
			b.plain("files", func(c *Cell) Estimate { return c.Files })}},
	}
}

func (b block) switches() group {
	return group{title: "switches", columns: []column{b.plain("per request", func(c *Cell) Estimate { return c.SwitchesPerRequest })}}
}

func withInterval(e Estimate) tableCell {
	if !e.Known() {
		return tableCell{figure: unknown}
	}
	if e.N == 1 {
		return tableCell{figure: figure(e.Median)}
	}
	d := decimals(e.Median)
	return tableCell{figure(e.Median), fmt.Sprintf("[%s–%s]", fixed(e.Low, d), fixed(e.High, d))}
}

func withSpread(e Estimate) tableCell {
	if !e.Known() {
		return tableCell{figure: unknown}
	}
	if e.N == 1 {
		return tableCell{figure: figure(e.Median)}
	}
	return tableCell{figure(e.Median), "±" + percentFigure(e.Spread()) + "%"}
}

func estimateFigure(e Estimate) string {
	if !e.Known() {
		return unknown
	}
	return said(e.Median)
}

func counted(c *Cell, n uint64) string {
	if c.Valid == 0 {
		return unknown
	}
	return fixed(float64(n), 0)
}

func ratio(c *Cell) tableCell {
	switch {
	case c.Rank == 0:
		return tableCell{figure: unknown}
	case c.undecided():
		return tableCell{ratioFigure(c), untold}
	case !c.Compared:
		return tableCell{figure: tie}
	}
	return tableCell{figure: ratioFigure(c)}
}

func ratioFigure(c *Cell) string {
	switch {
	case c.Rank == 1 || c.Ratio == 1:
		return "1×"
	case c.Ratio >= 0.995:
		return ">0.99×"
	case c.Ratio < 0.095:
		return fixed(c.Ratio, 3) + "×"
	}
	return fixed(c.Ratio, 2) + "×"
}

// errorKinds lists a cell's errors by kind, the commonest first.
func errorKinds(c *Cell) string {
	kinds := make([]string, 0, len(c.Errors))
	for _, k := range sortedErrors(c.Errors) {
		kinds = append(kinds, fmt.Sprintf("%s %s", fixed(float64(c.Errors[k]), 0), k))
	}
	return strings.Join(kinds, ", ")
}

// leftOut says which trials entered no figure, and why.
func leftOut(c *Cell) string {
	return fmt.Sprintf("%d of %s left out as not valid: %s", c.Trials-c.Valid, count(c.Trials, "trial"), strings.Join(c.Invalid, "; "))
}

var superscripts = strings.NewReplacer("0", "⁰", "1", "¹", "2", "²", "3", "³", "4", "⁴",
	"5", "⁵", "6", "⁶", "7", "⁷", "8", "⁸", "9", "⁹")

func superscript(n int) string { return superscripts.Replace(fmt.Sprint(n)) }

// marks are the numbers of the cell's footnotes, to stand behind its label.
func marks(c *Cell) string {
	s := make([]string, len(c.Notes))
	for i, n := range c.Notes {
		s[i] = superscript(n)
	}
	return strings.Join(s, "·")
}
