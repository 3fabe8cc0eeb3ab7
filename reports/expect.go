package reports

import (
	"fmt"
	"slices"
	"strings"

	"gatewaylab/scenarios/expect"
)

// An Expectation is what came of one of a scenario's expectations.
type Expectation struct {
	Scenario string         `json:"scenario"`
	Text     string         `json:"text"`
	Verdict  expect.Outcome `json:"verdict"` // "held", "not held", "undecided", "unknown" or "not asked"
	// Detail is what the sides of its comparisons amounted to, with their
	// intervals, or why there is nothing to say.
	Detail string `json:"detail"`
}

// Expectations holds the scenarios' expectations against a report made by
// Analyse, in the scenarios' order.
func Expectations(r *Report) []Expectation {
	all := []Expectation{}
	for _, sc := range r.Scenarios {
		for _, text := range sc.Expect {
			all = append(all, expectation(r, sc.Name, text))
		}
	}
	return all
}

func expectation(r *Report, scenario, text string) Expectation {
	e := Expectation{Scenario: scenario, Text: text}
	v, err := expect.Eval(text, func(q expect.Quantity) expect.Value { return r.value(scenario, q) })
	if err != nil {
		e.Verdict, e.Detail = expect.Unknown, err.Error()
		return e
	}
	e.Verdict, e.Detail = v.Outcome, v.Detail
	fewest := 0
	for _, q := range v.Readings {
		if n := q.Value.N; n > 0 && (fewest == 0 || n < fewest) {
			fewest = n
		}
	}
	switch {
	case e.Verdict == expect.Unknown || e.Verdict == expect.NotAsked:
	case fewest == 1:
		e.Detail += "; of 1 trial, without an interval"
	case fewest > 0 && fewest < minTrials:
		e.Detail += fmt.Sprintf("; intervals span the lowest and highest of %d trials", fewest)
	}
	return e
}

// Worst is the gravest of the verdicts: one that does not hold, before one
// that is undecided or unknown, before all others. What nobody asked for
// counts as held.
func Worst(all []Expectation) expect.Outcome {
	for _, grave := range []expect.Outcome{expect.NotHeld, expect.Undecided, expect.Unknown} {
		if slices.ContainsFunc(all, func(e Expectation) bool { return e.Verdict == grave }) {
			return grave
		}
	}
	return expect.Held
}

// value is what a report says of a quantity under a scenario.
func (r *Report) value(scenario string, q expect.Quantity) expect.Value {
	i := slices.IndexFunc(r.Cells, func(c *Cell) bool { return c.Scenario == scenario && c.Model == q.Model })
	if i < 0 {
		return expect.Value{Absent: true}
	}
	c := r.Cells[i]
	because := func(format string, args ...any) expect.Value {
		return expect.Value{Why: fmt.Sprintf(format, args...)}
	}
	spoken := slices.Equal(q.Path, []string{"spoken"})
	switch {
	case c.NotOffered:
		return because("what %s runs has no %s", c.Model, c.NotSpoken)
	case c.NotSpoken != "" && spoken:
		return expect.Value{Known: true}
	case c.NotSpoken != "":
		return because("%s doesn't speak the protocol (%s)", c.Model, c.NotSpoken)
	case c.Trials == 0:
		return because("%s was not measured", c.Model)
	case spoken:
		return expect.Value{Low: 1, Median: 1, High: 1, Known: true}
	case c.Valid == 0:
		return because("none of the trials of %s was valid", c.Model)
	}
	e, why := c.quantity(q.Path)
	if !e.Known() {
		return because("%s is not known: %s", q, why)
	}
	by := 1.0
	switch e.Unit {
	case "ms":
		by = 1e-3
	case "MiB":
		by = mib
	}
	return expect.Value{Low: e.Low * by, Median: e.Median * by, High: e.High * by, N: e.N, Known: true}
}

const (
	nothingSent      = "nothing was sent"
	nothingSucceeded = "no request succeeded"
	notSampled       = "the process tree could not be sampled"
	notOurs          = "the lab did not start this server"
	noLength         = "its time has no length"
	noOthers         = "there were no others to hurt"
)

// quantity finds a figure of the cell by its name in expectations, which was
// checked; and why it isn't known, if it isn't.
func (c *Cell) quantity(path []string) (Estimate, string) {
	if e, ok := c.shares[strings.Join(path, ".")]; ok {
		return e, nothingSent
	}
	if c.Foreign {
		switch path[0] {
		case "cpu_per_request", "memory", "processes", "threads", "restarts":
			return Estimate{}, notOurs
		}
	}
	switch path[0] {
	case "goodput":
		return c.Goodput, ""
	case "attempted":
		return c.Attempted, ""
	case "offered":
		return c.Offered, ""
	case "cpu_per_request":
		return c.CPUPerRequest, nothingSucceeded
	case "memory":
		return c.Memory, notSampled
	case "processes":
		return c.Processes, notSampled
	case "threads":
		return c.Threads, notSampled
	case "restarts":
		return c.Restarts, ""
	case "connections_per_request":
		return c.ConnectionsPerRequest, nothingSent
	case "errors": // of a kind that didn't come up
		return c.shares["errors"], nothingSent
	case "faults":
		return c.harmed(path[1:])
	case "stages":
		return partly(c.Stages, path[1:])
	case "requests":
		return partly(c.Requests, path[1:])
	case "beside":
		return partly(c.Beside, path[1:])
	}
	return timed(map[string]map[string]Estimate{
		"response": c.Response, "service": c.Service, "first_byte": c.FirstByte, "lag": c.Lag, "gaps": c.Gaps,
	}, path)
}

func partly(all []PartCell, path []string) (Estimate, string) {
	i := slices.IndexFunc(all, func(p PartCell) bool { return p.Name == path[0] })
	switch {
	case len(all) == 0:
		return Estimate{}, "the scenario has none, or one alone, which is not told apart from the whole"
	case i < 0:
		return Estimate{}, fmt.Sprintf("the scenario has no %q", path[0])
	}
	p := all[i]
	switch path[1] {
	case "goodput":
		return p.Goodput, noLength
	case "offered":
		return p.Offered, noLength
	case "bytes_per_second":
		return p.Received, noLength
	case "unsent":
		return Estimate{}, "that is counted of stages only"
	}
	return timed(map[string]map[string]Estimate{"response": p.Response, "service": p.Service, "first_byte": p.FirstByte}, path[1:])
}

func (c *Cell) harmed(path []string) (Estimate, string) {
	if c.Faults == nil {
		return Estimate{}, "no request of the scenario does harm on purpose"
	}
	switch path[0] {
	case "failed":
		return c.Faults.FailedShare, noOthers
	case "slow":
		return c.Faults.SlowShare, noOthers
	}
	return timed(map[string]map[string]Estimate{"recovery": c.Faults.Recovery}, path)
}

// timed looks a time up: which, and which quantile of it.
func timed(of map[string]map[string]Estimate, path []string) (Estimate, string) {
	m, name := of[path[0]], path[1]
	if name == "p999" {
		name = "p99.9"
	}
	if len(m) == 0 {
		return Estimate{}, "there were none to measure"
	}
	return m[name], "the sample doesn't support it"
}

// expectationsOf are the scenario's.
func (r *Report) expectationsOf(scenario string) []Expectation {
	var all []Expectation
	for _, e := range r.Expectations {
		if e.Scenario == scenario {
			all = append(all, e)
		}
	}
	return all
}

func (t *textWriter) expectations(r *Report, scenario string) {
	all := r.expectationsOf(scenario)
	if len(all) == 0 {
		return
	}
	t.line("")
	t.line(t.strong.Render("Expectations"))
	for _, e := range all {
		style := t.plain
		switch e.Verdict {
		case expect.NotHeld:
			style = t.caution
		case expect.Undecided, expect.Unknown, expect.NotAsked:
			style = t.faint
		}
		t.para("  "+pad(string(e.Verdict), len(expect.Undecided))+"  ", e.Text+"   ("+e.Detail+")", style)
	}
}

func (m *markdownWriter) expectations(r *Report, scenario string) {
	all := r.expectationsOf(scenario)
	if len(all) == 0 {
		return
	}
	m.linef("\n**Expectations**\n")
	for _, e := range all {
		m.linef("- **%s**: %s (%s)", e.Verdict, md(e.Text), md(e.Detail))
	}
}
