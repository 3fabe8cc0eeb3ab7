package reports

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"gatewaylab/scenarios"
)

// A BackingCell is what a backing service had to do for one model, and how well
// it did it. Times are means over its calls.
type BackingCell struct {
	Service  string `json:"service"`
	Settings string `json:"settings"`

	Calls  Estimate `json:"calls"`  // per second
	Waited Estimate `json:"waited"` // ms in line
	Worked Estimate `json:"worked"` // ms that it means to take
	Busy   Estimate `json:"busy"`   // calls worked on at a time
	Late   Estimate `json:"late"`   // ms from when answers were due to when they were given
	CPU    Estimate `json:"cpu"`    // cores
	Memory Estimate `json:"memory"` // MiB, at the end of the window

	// Counts of all valid trials together: calls that came to an end, and those
	// of them that were answered 503 or closed as the settings have it, or
	// refused because the line was full.
	Ended   uint64 `json:"ended"`
	Failed  uint64 `json:"failed"`
	Closed  uint64 `json:"closed"`
	Refused uint64 `json:"refused"`
}

// backings sums up the backing services of the trials, which are the same ones
// in each.
func backings(trials []*scenarios.Trial) []BackingCell {
	if len(trials) == 0 {
		return nil
	}
	n := len(trials[0].Backing)
	for _, t := range trials {
		n = min(n, len(t.Backing)) // a run that was written by hand
	}
	var cells []BackingCell
	for i := range n {
		cells = append(cells, backing(trials, i))
	}
	return cells
}

func backing(trials []*scenarios.Trial, i int) BackingCell {
	rate := func(n func(*scenarios.BackingUse) float64, unit string) Estimate {
		return always(func(t *scenarios.Trial) float64 { return n(&t.Backing[i]) / t.Window.Seconds() }).over(trials, unit)
	}
	mean := func(sum func(*scenarios.BackingUse) time.Duration) Estimate {
		return measure(func(t *scenarios.Trial) (float64, bool) {
			b := &t.Backing[i]
			return millis(sum(b)) / float64(max(b.Ended(), 1)), b.Ended() > 0
		}).over(trials, "ms")
	}
	first := &trials[0].Backing[i]
	c := BackingCell{
		Service: first.Service, Settings: first.Settings,
		Calls:  rate(func(b *scenarios.BackingUse) float64 { return float64(b.Calls) }, "1/s"),
		Waited: mean(func(b *scenarios.BackingUse) time.Duration { return b.Waited }),
		Worked: mean(func(b *scenarios.BackingUse) time.Duration { return b.Worked }),
		Busy:   rate(func(b *scenarios.BackingUse) float64 { return b.Worked.Seconds() }, ""),
		Late:   mean(func(b *scenarios.BackingUse) time.Duration { return b.Late }),
		CPU:    rate(func(b *scenarios.BackingUse) float64 { return b.CPU.Seconds() }, ""),
		Memory: always(func(t *scenarios.Trial) float64 { return float64(t.Backing[i].Memory) / (1 << 20) }).over(trials, "MiB"),
	}
	for _, t := range trials {
		b := &t.Backing[i]
		c.Ended += b.Ended()
		c.Failed += b.Failed
		c.Closed += b.Closed
		c.Refused += b.Refused
	}
	return c
}

// backings are a table for each backing service: what it was asked for, and what
// it was itself.
func (b block) backings() (all []table) {
	for i := range b.Backing {
		if t := b.service(i); len(t.rows) > 0 {
			all = append(all, t)
		}
	}
	return all
}

func (b block) service(i int) table {
	there := func(c *Cell) *BackingCell {
		if i < len(c.Backing) {
			return &c.Backing[i]
		}
		return nil
	}
	if !b.Backing[i].Counted() || !slices.ContainsFunc(b.cells, func(c *Cell) bool { return there(c) != nil }) {
		return table{}
	}
	col := func(head, unit string, of func(*BackingCell) string) column {
		col := b.column(head, func(c *Cell) tableCell {
			if u := there(c); u != nil {
				return tableCell{figure: of(u)}
			}
			return tableCell{figure: unknown}
		})
		col.unit = unit
		return col
	}
	plain := func(head string, of func(*BackingCell) Estimate) column {
		return col(head, "", func(c *BackingCell) string { return estimateFigure(of(c)) })
	}
	share := func(head string, of func(*BackingCell) uint64) []column {
		if !slices.ContainsFunc(b.cells, func(c *Cell) bool { u := there(c); return u != nil && of(u) > 0 }) {
			return nil
		}
		return []column{col(head, "", func(c *BackingCell) string {
			return percent(float64(of(c)) / float64(max(c.Ended, 1)))
		})}
	}
	work := &b.Backing[i]
	calls := group{title: "calls", columns: []column{plain("per s", func(c *BackingCell) Estimate { return c.Calls })}}
	calls.columns = append(calls.columns, share("failed", func(c *BackingCell) uint64 { return c.Failed + c.Closed })...)
	calls.columns = append(calls.columns, share("refused", func(c *BackingCell) uint64 { return c.Refused })...)
	return b.byModel(fmt.Sprintf("Backing service %s, %s: what it was asked for, and what it was itself; none of it is in the figures above. "+
		"Late: how long after they were due its answers left.", work.Service, work), []group{
		calls,
		{title: "a call, ms", columns: []column{
			plain("in line", func(c *BackingCell) Estimate { return c.Waited }),
			plain("in work", func(c *BackingCell) Estimate { return c.Worked }),
			plain("late", func(c *BackingCell) Estimate { return c.Late }),
		}},
		{title: "at a time", columns: []column{plain("in work", func(c *BackingCell) Estimate { return c.Busy })}},
		{title: "itself", columns: []column{
			plain("CPU, cores", func(c *BackingCell) Estimate { return c.CPU }),
			plain("MiB", func(c *BackingCell) Estimate { return c.Memory }),
		}},
	})
}

// services finds the backing service that limits the requests most, and notes
// that what calls one doesn't always take the same time.
func (c *cellTrials) services(e *evidence) {
	for _, b := range c.scenario.Backing {
		var sum, calling float64
		for i := range c.scenario.Requests {
			r := &c.scenario.Requests[i]
			weight := cmp.Or(r.Weight, 1)
			sum += weight
			if path, _, _ := strings.Cut(r.Path, "?"); path == b.Route() {
				calling += weight
			}
		}
		if calling == 0 {
			continue
		}
		e.random = true
		if limit := b.Limit() * sum / calling; limit > 0 && (e.calls == 0 || limit < e.calls) {
			e.backing, e.calls = b.Service, limit
		}
	}
}
