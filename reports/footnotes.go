package reports

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"gatewaylab/scenarios"
)

// gaps says why figures of the cell are missing or weaker than usual.
func (c *cellTrials) gaps(res *scenarios.Result) []string {
	if c.NotSpoken != "" {
		return nil // its row says so
	}
	if c.Refused != "" {
		return []string{"no figures: not measured, because " + c.Refused}
	}
	switch {
	case c.Trials == 0 && res.State == stateComplete:
		return []string{"no figures: the run holds no trial of this cell"}
	case c.Trials == 0:
		return []string{"no figures: the run ended before the first trial of this cell"}
	case c.Valid == 0:
		return []string{"no figures: none of this cell's trials was valid; the reasons are listed"}
	}
	var said []string
	if all := planned(c.scenario, res.Trials); c.Trials < all {
		said = append(said, fmt.Sprintf("the run ended after %d of the %s of this cell", c.Trials, count(all, "trial")))
	}
	if c.Valid == 1 {
		said = append(said, fmt.Sprintf("one valid trial, which has no interval (a 95 %% interval takes %d): no model is called faster or slower", minTrials))
	} else if c.Valid < minTrials {
		said = append(said, fmt.Sprintf("fewer than %d valid trials, which is what a 95 %% interval takes: the interval spans the lowest and highest trial, and no model is called faster or slower", minTrials))
	} else if c.Rank == 1 && len(c.starved) > 0 {
		said = append(said, fmt.Sprintf("not called faster than %s: fewer than %d valid trials there", strings.Join(c.starved, ", "), minTrials))
	}
	if due := c.fewestDue(); !c.closed() && due < fewArrivals {
		said = append(said, fmt.Sprintf("only %s in the window of a trial, so that one more or less changes its rate by %s: measure for longer (--for)",
			oneOr(int(due), "1 request was due", count(due, "request")+" were due"), percent(1/float64(max(due, 1)))))
	}
	var unsupported []string // of the whole; tables of parts have a word of their own
	for _, q := range quantiles() {
		if _, ok := c.Response[q.name]; !ok && (q.name != "p99.9" || c.tail) {
			unsupported = append(unsupported, fmt.Sprintf("%s (%s in each trial and %s in all)", q.name, fixed(float64(q.each), 0), fixed(float64(q.total), 0)))
		}
	}
	if len(unsupported) > 0 {
		said = append(said, "not shown for want of successful responses: "+strings.Join(unsupported, ", "))
	}
	return append(said, c.unknownCosts()...)
}

// fewArrivals are so few that a rate is off by 5 % with one more or less.
const fewArrivals = 20

// fewestDue is the least number of requests that were due in a valid trial.
func (c *cellTrials) fewestDue() uint64 {
	least := c.valid[0].Due
	for _, t := range c.valid {
		least = min(least, t.Due)
	}
	return least
}

func (c *cellTrials) unknownCosts() []string {
	if c.Foreign {
		return []string{"not known, since the lab did not start this server: CPU, memory, processes, threads, open files, restarts, and how many requests it can hold at once"}
	}
	var said []string
	if !c.CPUPerRequest.Known() {
		said = append(said, "costs per request are not known: no request succeeded")
	} else if c.CPUPerRequest.N < c.Valid {
		said = append(said, "costs per request leave out trials in which no request succeeded")
	}
	var unsampled []string
	for _, f := range []struct {
		name string
		Estimate
	}{{"memory", c.Memory}, {"processes", c.Processes}, {"threads", c.Threads}, {"open files", c.Files}} {
		if !f.Known() {
			unsampled = append(unsampled, f.name)
		}
	}
	if len(unsampled) > 0 {
		said = append(said, "not known, since the process tree could not be sampled: "+strings.Join(unsampled, ", "))
	}
	if !c.ConnectionsPerRequest.Known() {
		said = append(said, "connections per request are not known: nothing was sent")
	}
	return said
}

// footnotes numbers the warnings of all cells, each distinct one once.
type footnotes struct{ notes []note }

type note struct {
	shape  string
	first  string
	others map[string]bool
}

// numbers matches what may differ between trials in warnings that say the
// same: "lag p99 3.1 ms", "lag p99 2.8 ms".
var numbers = regexp.MustCompile(`[0-9]+([.,][0-9]+)*`)

// add puts the warning into the cell. Warnings of one shape share a footnote,
// which quotes the first and counts the rest; the cell keeps every one.
func (f *footnotes) add(c *Cell, warning, shape string) {
	if slices.Contains(c.Warnings, warning) {
		return
	}
	c.Warnings = append(c.Warnings, warning)
	if n := f.number(warning, shape); !slices.Contains(c.Notes, n) {
		c.Notes = append(c.Notes, n)
	}
}

// number is that of the footnote which says the text, or one of its shape.
func (f *footnotes) number(text, shape string) int {
	i := slices.IndexFunc(f.notes, func(n note) bool { return n.shape == shape })
	if i < 0 {
		i = len(f.notes)
		f.notes = append(f.notes, note{shape: shape, first: text, others: map[string]bool{}})
	}
	if text != f.notes[i].first {
		f.notes[i].others[text] = true
	}
	return i + 1
}

func (f *footnotes) texts() []string {
	texts := make([]string, 0, len(f.notes))
	for _, n := range f.notes {
		text := n.first
		if len(n.others) > 0 {
			text += fmt.Sprintf(" (and %d like it with other numbers)", len(n.others))
		}
		texts = append(texts, text)
	}
	return texts
}
