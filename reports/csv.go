package reports

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// CSV writes one row for each cell, after a header. Columns are always the
// same, in the same order; their names end in the unit. Each estimate has
// three: its median, and the ends of its interval (…_low, …_high). A field is
// empty where nothing is known. Lists within a field are separated by "; ".
// Quoting is that of RFC 4180; lines end in \n, as Unix tools like them.
//
//	scenario, model
//	trials, valid_trials, samples        finished; of those valid; responses behind the quantiles
//	rank, ratio, told_apart, p           see Cell; told_apart is true or false
//	goodput_per_s, attempted_per_s, offered_per_s
//	response_p50_ms … response_p99.9_ms, then service_…, first_byte_…, lag_…
//	errors, errors_by_kind, unsent       errors_by_kind: "timeout=3; status 503=1"
//	cpu_per_request_ms, memory_mib, memory_kind, processes, threads, files
//	switches_per_request, connections_per_request, server_cpu_cores, generator_cpu_cores
//	explanation, warnings, invalid
func CSV(w io.Writer, r *Report) error {
	out := csv.NewWriter(w)
	names := make([]string, 0, 128)
	for _, f := range csvFields() {
		names = append(names, f.names()...)
	}
	if err := out.Write(names); err != nil {
		return fmt.Errorf("write CSV: %w", err)
	}
	for _, c := range r.Cells {
		row := make([]string, 0, len(names))
		for _, f := range csvFields() {
			row = append(row, f.values(c)...)
		}
		if err := out.Write(row); err != nil {
			return fmt.Errorf("write CSV: %w", err)
		}
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return fmt.Errorf("write CSV: %w", err)
	}
	return nil
}

// A csvField is one column, or the three of an estimate.
type csvField struct {
	name     string
	text     func(*Cell) string
	estimate func(*Cell) Estimate
}

func (f csvField) names() []string {
	if f.estimate == nil {
		return []string{f.name}
	}
	return []string{f.name, f.name + "_low", f.name + "_high"}
}

func (f csvField) values(c *Cell) []string {
	if f.estimate == nil {
		return []string{f.text(c)}
	}
	e := f.estimate(c)
	if !e.Known() {
		return []string{"", "", ""}
	}
	return []string{csvFloat(e.Median), csvFloat(e.Low), csvFloat(e.High)}
}

func csvFields() []csvField {
	text := func(name string, f func(*Cell) string) csvField { return csvField{name: name, text: f} }
	number := func(name string, f func(*Cell) int) csvField {
		return text(name, func(c *Cell) string { return strconv.Itoa(f(c)) })
	}
	// known leaves a field empty where the cell has no figures.
	known := func(name string, f func(*Cell) string) csvField {
		return text(name, func(c *Cell) string {
			if c.Valid == 0 {
				return ""
			}
			return f(c)
		})
	}
	est := func(name string, f func(*Cell) Estimate) csvField { return csvField{name: name, estimate: f} }

	fields := []csvField{
		text("scenario", func(c *Cell) string { return c.Scenario }),
		text("model", func(c *Cell) string { return c.Model }),
		number("trials", func(c *Cell) int { return c.Trials }),
		number("valid_trials", func(c *Cell) int { return c.Valid }),
		number("samples", func(c *Cell) int { return c.Samples }),
		known("rank", func(c *Cell) string { return strconv.Itoa(c.Rank) }),
		known("ratio", func(c *Cell) string { return csvFloat(c.Ratio) }),
		known("told_apart", func(c *Cell) string { return strconv.FormatBool(c.Compared) }),
		known("p", func(c *Cell) string { return csvFloat(c.P) }),
		est("goodput_per_s", func(c *Cell) Estimate { return c.Goodput }),
		est("attempted_per_s", func(c *Cell) Estimate { return c.Attempted }),
		est("offered_per_s", func(c *Cell) Estimate { return c.Offered }),
	}
	for _, t := range []struct {
		name string
		of   func(*Cell) map[string]Estimate
	}{
		{"response", func(c *Cell) map[string]Estimate { return c.Response }},
		{"service", func(c *Cell) map[string]Estimate { return c.Service }},
		{"first_byte", func(c *Cell) map[string]Estimate { return c.FirstByte }},
		{"lag", func(c *Cell) map[string]Estimate { return c.Lag }},
	} {
		for _, q := range quantiles() {
			fields = append(fields, est(fmt.Sprintf("%s_%s_ms", t.name, q.name), func(c *Cell) Estimate { return t.of(c)[q.name] }))
		}
	}
	return append(fields,
		known("errors", func(c *Cell) string { return strconv.FormatUint(c.Failed, 10) }),
		text("errors_by_kind", csvErrors),
		known("unsent", func(c *Cell) string { return strconv.FormatUint(c.Unsent, 10) }),
		est("cpu_per_request_ms", func(c *Cell) Estimate { return c.CPUPerRequest }),
		est("memory_mib", func(c *Cell) Estimate { return c.Memory }),
		text("memory_kind", func(c *Cell) string { return c.MemoryKind }),
		est("processes", func(c *Cell) Estimate { return c.Processes }),
		est("threads", func(c *Cell) Estimate { return c.Threads }),
		est("files", func(c *Cell) Estimate { return c.Files }),
		est("switches_per_request", func(c *Cell) Estimate { return c.SwitchesPerRequest }),
		est("connections_per_request", func(c *Cell) Estimate { return c.ConnectionsPerRequest }),
		est("server_cpu_cores", func(c *Cell) Estimate { return c.ServerCPU }),
		est("generator_cpu_cores", func(c *Cell) Estimate { return c.GeneratorCPU }),
		text("explanation", func(c *Cell) string { return c.Explanation }),
		text("warnings", func(c *Cell) string { return strings.Join(c.Warnings, "; ") }),
		text("invalid", func(c *Cell) string { return strings.Join(c.Invalid, "; ") }),
	)
}

// csvFloat keeps six significant digits, more than any of it is sure of.
func csvFloat(v float64) string {
	rounded, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 6, 64), 64)
	return strconv.FormatFloat(rounded, 'f', -1, 64)
}

func csvErrors(c *Cell) string {
	kinds := make([]string, 0, len(c.Errors))
	for _, k := range sortedErrors(c.Errors) {
		kinds = append(kinds, fmt.Sprintf("%s=%d", k, c.Errors[k]))
	}
	return strings.Join(kinds, "; ")
}
