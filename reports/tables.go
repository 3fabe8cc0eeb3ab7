package reports

import (
	"fmt"
	"slices"
	"time"

	"gatewaylab/scenarios"
	"gatewaylab/scenarios/load"
)

// tables are what is shown of a scenario: what clients saw and what it cost,
// then the parts of its traffic. Wide tables have a few columns more.
func (b block) tables(wide bool) (traffic, costs table, more []table) {
	traffic, costs = b.byModel("", b.traffic(wide)), b.byModel("", b.costs())
	for _, t := range []table{b.stages(), b.kinds(), b.crowds(), b.harm(), b.pauses(), b.theory()} {
		if len(t.rows) > 0 {
			more = append(more, t)
		}
	}
	more = append(more, b.backings()...)
	return traffic, costs, more
}

// byModel is a table with a row for each model.
func (b block) byModel(caption string, groups []group) table {
	t := table{caption: caption, corner: "model", groups: groups}
	for _, c := range b.cells {
		r := row{label: c.Model, marks: marks(c), strong: c.Rank == 1 && c.Compared && len(c.Tied) == 0 && b.measured > 1}
		if c.NotSpoken != "" {
			r.instead = notSpoken(c)
		}
		t.rows = append(t.rows, r)
	}
	return t
}

// byPart is a table with a row for each stage, kind of request or crowd, and
// a group of columns for each model.
func (b block) byPart(caption, corner string, labels []string, of func(*Cell) []PartCell, columns ...partColumn) table {
	if !slices.ContainsFunc(b.cells, func(c *Cell) bool { return len(of(c)) > 0 }) {
		return table{}
	}
	t := table{caption: caption, corner: corner}
	for _, l := range labels {
		t.rows = append(t.rows, row{label: l})
	}
	missing := false
	for _, c := range b.cells {
		if c.NotSpoken != "" {
			continue
		}
		parts := of(c)
		g := group{title: c.Model}
		for _, pc := range columns {
			if pc.ifAny != nil && !slices.ContainsFunc(parts, func(p PartCell) bool { return pc.ifAny(&p) > 0 }) {
				continue
			}
			col := column{head: pc.head, unit: pc.unit}
			for i := range labels {
				figure := unknown
				if i < len(parts) {
					figure = pc.figure(&parts[i])
				}
				missing = missing || figure == unknown && len(parts) > 0
				col.cells = append(col.cells, tableCell{figure: figure})
			}
			g.columns = append(g.columns, col)
		}
		t.groups = append(t.groups, g)
	}
	if missing {
		t.caption += " " + unknown + ": too few answers to tell."
	}
	return t
}

// A partColumn shows one figure of every part; with ifAny, only for models of
// which it isn't 0 throughout.
type partColumn struct {
	head, unit string
	figure     func(*PartCell) string
	ifAny      func(*PartCell) uint64
}

func partGoodput() partColumn {
	return partColumn{head: "goodput/s", figure: func(p *PartCell) string { return estimateFigure(p.Goodput) }}
}

func partTime(q string, of func(*PartCell) map[string]Estimate) partColumn {
	return partColumn{head: q, unit: "ms", figure: func(p *PartCell) string {
		if e := of(p)[q]; e.Known() {
			return figure(e.Median)
		}
		return unknown
	}}
}

func partCount(head string, of func(*PartCell) uint64) partColumn {
	return partColumn{head: head, ifAny: of, figure: func(p *PartCell) string { return fixed(float64(of(p)), 0) }}
}

func partResponse(p *PartCell) map[string]Estimate { return p.Response }
func partService(p *PartCell) map[string]Estimate  { return p.Service }
func partFailed(p *PartCell) uint64                { return p.Failed }
func partUnsent(p *PartCell) uint64                { return p.Unsent }

// stages is the table of a load that has several.
func (b block) stages() table {
	if len(b.Stages) < 2 {
		return table{}
	}
	var labels []string
	level, when := column{}, column{head: "s"}
	level.head = "load"
	switch {
	case b.Open():
		level.head = "due/s"
	case b.Closed():
		level.head = "users"
	}
	var at float64
	for i := range b.Stages {
		st := &b.Stages[i]
		labels = append(labels, st.Title(i))
		level.cells = append(level.cells, b.level(st, i, level.head == "load"))
		end := at + st.For.Seconds()
		when.cells = append(when.cells, tableCell{figure: said(at) + "–" + said(end)})
		at = end
	}
	t := b.byPart("Stage by stage: goodput per second, and response time in ms.",
		"stage", labels, func(c *Cell) []PartCell { return c.Stages },
		partGoodput(), partTime("p50", partResponse), partTime("p99", partResponse),
		partCount("errors", partFailed), partCount("unsent", partUnsent))
	if len(t.rows) == 0 {
		return t
	}
	t.groups = append([]group{{columns: []column{level}}}, t.groups...)
	t.groups = append(t.groups, group{optional: true, title: "from–to", columns: []column{when}})
	return t
}

// level is how much traffic a stage brings: users, or arrivals, of which
// there may be a few more or less than planned where they are random.
func (b block) level(st *load.Stage, i int, unit bool) tableCell {
	if !st.Open() {
		s := fixed(float64(st.UsersFrom), 0)
		if st.Levels > 1 {
			s += "–" + fixed(float64(st.UsersTo), 0)
		}
		if unit {
			s += " users"
		}
		return tableCell{figure: s}
	}
	rate := meanRate(st)
	for _, c := range b.cells {
		if i < len(c.Stages) && c.Stages[i].Offered.Known() {
			rate = c.Stages[i].Offered.Median
			break
		}
	}
	if rate == 0 {
		return tableCell{figure: unknown}
	}
	s := said(rate)
	if unit {
		s += "/s"
	}
	return tableCell{figure: s}
}

// meanRate is how many arrivals per second an open stage plans; 0 for a replay
// whose arrivals weren't saved.
func meanRate(st *load.Stage) (rate float64) {
	const points = 1000
	for i := range points {
		rate += st.RateAt(st.For*(2*time.Duration(i)+1)/(2*points)) / points
	}
	return rate
}

// kinds is the table of a mix of several requests.
func (b block) kinds() table {
	if len(b.Requests) < 2 {
		return table{}
	}
	var labels []string
	for i := range b.Requests {
		label := b.Requests[i].Title()
		if b.Requests[i].Fault {
			label += " (harmful)"
		}
		labels = append(labels, label)
	}
	return b.byPart("Request by request: goodput per second, and response time in ms.",
		"request", labels, func(c *Cell) []PartCell { return c.Requests },
		partGoodput(), partTime("p50", partResponse), partTime("p99", partResponse), partCount("errors", partFailed))
}

// crowds is the table of who did something of their own beside the load.
func (b block) crowds() table {
	var labels []string
	for i := range b.Beside {
		labels = append(labels, crowdTitle(&b.Beside[i]))
	}
	done := partColumn{head: "done", figure: func(p *PartCell) string { return fixed(float64(p.Samples), 0) }}
	received := partColumn{head: "KB/s", figure: func(p *PartCell) string {
		if !p.Received.Known() {
			return unknown
		}
		return said(p.Received.Median / 1e3)
	}}
	caption := "Beside the load, and in no figure above: exchanges done in all trials, what was received, and how long one took in ms."
	if slices.ContainsFunc(b.Beside, func(c scenarios.Crowd) bool { return c.Kind == load.Idle }) {
		caption += " One of an idle client lasts until the server closes its connection."
	}
	return b.byPart(caption, "clients", labels, func(c *Cell) []PartCell { return c.Beside },
		done, partCount("failed", partFailed), received, partTime("p50", partService), partTime("max", partService))
}

// harm is the blast radius of harmful requests, a line for each model.
func (b block) harm() table {
	if !b.Faulty() || !slices.ContainsFunc(b.cells, func(c *Cell) bool { return c.Faults != nil }) {
		return table{}
	}
	fault := func(head string, of func(*Cell, *FaultCell) tableCell) column {
		return b.column(head, func(c *Cell) tableCell {
			if c.Faults == nil {
				return tableCell{figure: unknown}
			}
			return of(c, c.Faults)
		})
	}
	hurt := func(n uint64, share Estimate) tableCell {
		if !share.Known() {
			return tableCell{figure: unknown}
		}
		if n == 0 {
			return tableCell{figure: "0"}
		}
		return tableCell{fixed(float64(n), 0), "(" + percent(share.Median) + ")"}
	}
	others := group{title: "others hurt", columns: []column{
		fault("failed", func(_ *Cell, f *FaultCell) tableCell { return hurt(f.Failed, f.FailedShare) })}}
	if b.Hurt > 0 {
		others.columns = append(others.columns, fault("slow", func(_ *Cell, f *FaultCell) tableCell { return hurt(f.Slow, f.SlowShare) }))
	}
	recovery := group{title: "time to recover", unit: "ms"}
	for _, q := range []string{"p50", "max"} {
		recovery.columns = append(recovery.columns, fault(q, func(_ *Cell, f *FaultCell) tableCell {
			if e := f.Recovery[q]; e.Known() {
				return tableCell{figure: figure(e.Median)}
			}
			return tableCell{figure: unknown}
		}))
	}
	if slices.ContainsFunc(b.cells, func(c *Cell) bool { return c.Faults != nil && c.Faults.Unrecovered > 0 }) {
		recovery.columns = append(recovery.columns, fault("not seen", func(_ *Cell, f *FaultCell) tableCell {
			return tableCell{figure: fixed(float64(f.Unrecovered), 0)}
		}))
	}
	caption := "Harm done: requests meant to do harm, who else was hurt, and the time until another request succeeded again."
	if len(recovery.columns) > 2 {
		caption += " Not seen: the trial ended before one did."
	}
	if b.Hurt > 0 {
		caption += fmt.Sprintf(" Slow: %s or more.", window(b.Hurt))
	}
	return b.byModel(caption+" Counts are of all trials, shares medians.", []group{
		{title: "harmful", columns: []column{fault("sent", func(_ *Cell, f *FaultCell) tableCell { return tableCell{figure: fixed(float64(f.Sent), 0)} })}},
		others, recovery,
		{title: "restarts", columns: []column{fault("per trial", func(c *Cell, _ *FaultCell) tableCell { return tableCell{figure: estimateFigure(c.Restarts)} })}},
	})
}

// pauses are those between the pieces of streamed answers.
func (b block) pauses() table {
	if !slices.ContainsFunc(b.cells, func(c *Cell) bool { return len(c.Gaps) > 0 }) {
		return table{}
	}
	g := group{title: "pause", unit: "ms"}
	for _, q := range []string{"p50", "p99", "max"} {
		g.columns = append(g.columns, b.spread(q, func(c *Cell) Estimate { return c.Gaps[q] }))
	}
	return b.byModel("Streamed answers: the pauses between their pieces.", []group{g})
}
