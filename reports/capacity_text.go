package reports

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"gatewaylab/scenarios"
)

// capacity writes what a run found that looked for it.
func (t *textWriter) capacity(r *Report) {
	c := r.Capacity
	t.line("")
	name := c.Inquiry.Scenario + " "
	t.line(t.accent.Render(name) + t.faint.Render(strings.Repeat("─", max(0, t.width-ansi.StringWidth(name)))))
	if len(r.Scenarios) > 0 && r.Scenarios[0].Title != "" {
		t.para("", joinTitle(r.Scenarios[0].Title, r.Scenarios[0].Question), t.plain)
	}
	t.para("", c.Setting(), t.faint)
	summary, each := c.tables()
	if len(summary.rows) > 0 {
		t.table(summary)
	}
	t.line("")
	width := 0
	for _, m := range c.Models {
		width = max(width, ansi.StringWidth(m.Model))
	}
	for _, m := range c.Models {
		label := "  " + pad(m.Model, width) + "  "
		if width > t.width/3 {
			t.line("  " + t.strong.Render(m.Model))
			label = "    "
		}
		t.para(label, m.Text, t.plain)
	}
	if c.Verdict != "" {
		t.line("")
		t.para("  ", c.Verdict, t.strong)
	}
	for i, m := range c.Models {
		if len(m.Points) == 0 {
			continue
		}
		t.table(each[i])
		remarks := m.remarks(c)
		if len(remarks) > 0 {
			t.line("")
		}
		for _, s := range remarks {
			t.para("  ", s, t.caution)
		}
	}
}

func (m *markdownWriter) capacity(r *Report) {
	c := r.Capacity
	m.linef("## %s\n", md(c.Inquiry.Scenario))
	if len(r.Scenarios) > 0 && r.Scenarios[0].Title != "" {
		m.linef("%s\n", md(joinTitle(r.Scenarios[0].Title, r.Scenarios[0].Question)))
	}
	m.linef("%s.\n", md(c.Setting()))
	summary, each := c.tables()
	if len(summary.rows) > 0 {
		m.table(summary, true)
	}
	for _, mc := range c.Models {
		m.linef("- **%s**: %s", md(mc.Model), md(mc.Text))
	}
	if c.Verdict != "" {
		m.linef("\n**%s**", md(c.Verdict))
	}
	m.linef("")
	m.pictures(c.Inquiry.Scenario)
	for i, mc := range c.Models {
		if len(mc.Points) == 0 {
			continue
		}
		m.linef("### %s\n", md(each[i].caption))
		m.table(each[i], true)
		for _, s := range mc.remarks(c) {
			m.linef("- %s", md(s))
		}
		m.linef("")
	}
}

// capacityCSV writes one row for each load that a model was tried with, after
// those of what was found: columns are as in CSV, with fields empty where
// nothing is known.
//
//	scenario, model, kind              kind: "rate", "settings" or "users"
//	load                               arrivals/s, or users
//	verdict, trials, held, broken, starved, void
//	goodput_per_s, response_p50_ms, response_p90_ms, response_p99_ms, lost_share, cpu_per_request_ms, memory_mib, each with _low and _high
//	law_per_s                          goodput by the fitted law
//	why
//	found, found_low, found_high, found_low_sure, found_high_sure, limit      the model's, the same in each of its rows
//	gamma_per_s, alpha, beta, peak, each with _low and _high, r2              likewise
func capacityCSV(w io.Writer, r *Report) error {
	out := csv.NewWriter(w)
	head := []string{"scenario", "model", "kind", "load", "verdict", "trials", "held", "broken", "starved", "void"}
	three := func(names ...string) {
		for _, n := range names {
			head = append(head, n, n+"_low", n+"_high")
		}
	}
	three("goodput_per_s", "response_p50_ms", "response_p90_ms", "response_p99_ms", "lost_share", "cpu_per_request_ms", "memory_mib")
	head = append(head, "law_per_s", "why", "found", "found_low", "found_high", "found_low_sure", "found_high_sure", "limit")
	three("gamma_per_s", "alpha", "beta", "peak")
	rows := [][]string{append(head, "r2")}
	for _, m := range r.Capacity.Models {
		for i := range m.Points {
			rows = append(rows, capacityRow(r.Capacity, m, &m.Points[i]))
		}
	}
	if err := out.WriteAll(rows); err != nil {
		return fmt.Errorf("write CSV: %w", err)
	}
	return nil
}

func capacityRow(c *Capacity, m *ModelCapacity, p *Tried) []string {
	row := []string{c.Inquiry.Scenario, m.Model, c.Kind, csvFloat(p.Load), p.Verdict}
	for _, n := range []int{p.Trials, p.Held, p.Broken, p.Starved, p.Void} {
		row = append(row, strconv.Itoa(n))
	}
	estimates := func(all ...Estimate) {
		for _, e := range all {
			if !e.Known() {
				row = append(row, "", "", "")
				continue
			}
			row = append(row, csvFloat(e.Median), csvFloat(e.Low), csvFloat(e.High))
		}
	}
	known := func(v float64) string {
		if v == 0 {
			return ""
		}
		return csvFloat(v)
	}
	cell := p.Cell
	estimates(cell.Goodput, cell.Response["p50"], cell.Response["p90"], cell.Response["p99"], p.Missed, cell.CPUPerRequest, cell.Memory)
	law := USL{R2: -1}
	fit := ""
	if m.USL != nil && m.USL.Why == "" {
		law, fit = *m.USL, csvFloat(m.USL.At(p.Load))
	}
	row = append(row, fit, strings.Join(p.Why, "; "), known(m.Rate), known(m.Low), known(m.High),
		strconv.FormatBool(m.LowSure), strconv.FormatBool(m.HighSure), m.Limit)
	if c.Kind == scenarios.ByUsers { // what is found has no interval
		copy(row[len(row)-5:], []string{"", "", "", ""})
	}
	estimates(law.Gamma, law.Alpha, law.Beta, law.Peak)
	r2 := ""
	if law.R2 >= 0 {
		r2 = csvFloat(law.R2)
	}
	return append(row, r2)
}
