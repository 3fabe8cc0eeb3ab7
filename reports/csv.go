package reports

import (
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// CSV writes one row for each cell, after a header, and under it one for each
// stage, kind of request, crowd and backing service that its scenario has. Columns are always the
// same, in the same order; their names end in the unit. Each estimate has
// three: its median, and the ends of its interval (…_low, …_high). A field is
// empty where nothing is known. Lists within a field are separated by "; ".
// Quoting is that of RFC 4180; lines end in \n, as Unix tools like them.
//
//	scenario, model
//	part, part_name, part_kind           empty in a cell's own row; else "stage", "request", "beside" or "service", whose kind is its settings
//	from_s, to_s                         when the part was, from the start of the window; empty in a cell's own row and a service's
//	trials, valid_trials, samples        finished; of those valid; responses behind the quantiles
//	rank, ratio, told_apart, p           see Cell; told_apart is true or false
//	goodput_per_s, attempted_per_s, offered_per_s
//	response_mean_ms, response_p50_ms … response_p99.9_ms, response_max_ms, then service_…, first_byte_…, lag_…, gaps_…
//	errors, errors_by_kind, unsent       errors_by_kind: "timeout=3; status 503=1"
//	received_bytes_per_s                 of parts alone
//	faults, others, others_failed, others_failed_share, others_slow, others_slow_share
//	recovery_p50_ms, recovery_max_ms, unrecovered, restarts
//	cpu_per_request_ms, memory_mib, memory_kind, processes, threads, files
//	switches_per_request, connections_per_request, server_cpu_cores, generator_cpu_cores
//	explanation, warnings, invalid, not_spoken
//	service_calls_per_s, service_waited_ms, service_worked_ms, service_busy, service_late_ms   of services alone, as those after; see BackingCell
//	service_cpu_cores, service_memory_mib, service_ended, service_failed, service_closed, service_refused
//	theory_method, theory_name, theory_why_no_formula   of cells and stages, if the report was held against theory
//	theory_goodput_per_s, theory_goodput_per_s_off_percent, then for response_mean_ms, response_p50_ms, response_p99_ms
//
// Of a run of pairs it writes one row for each aspect that was compared
// instead, with columns of its own; what its cells came to is in the JSON.
func CSV(w io.Writer, r *Report) error {
	if r.Fidelity != nil {
		return fidelityCSV(w, r.Fidelity)
	}
	if r.Capacity != nil { // likewise one row for each load that was tried
		return capacityCSV(w, r)
	}
	out := csv.NewWriter(w)
	names := make([]string, 0, 128)
	for _, f := range csvFields() {
		names = append(names, f.names()...)
	}
	if err := out.Write(names); err != nil {
		return fmt.Errorf("write CSV: %w", err)
	}
	for _, c := range r.Cells {
		for _, rec := range csvRecords(c) {
			row := make([]string, 0, len(names))
			for _, f := range csvFields() {
				row = append(row, f.values(rec)...)
			}
			if err := out.Write(row); err != nil {
				return fmt.Errorf("write CSV: %w", err)
			}
		}
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return fmt.Errorf("write CSV: %w", err)
	}
	return nil
}

// A csvRecord is a row: a cell, a part of one, or a service that it called.
type csvRecord struct {
	cell    *Cell
	part    string    // "stage", "request", "beside", "service"
	of      *PartCell // of a part
	service *BackingCell
}

// whole says whether it is the cell's own.
func (r csvRecord) whole() bool { return r.of == nil && r.service == nil }

func (r csvRecord) named() (name, kind string) {
	switch {
	case r.of != nil:
		return r.of.Name, r.of.Kind
	case r.service != nil:
		return r.service.Service, r.service.Settings
	}
	return "", ""
}

func csvRecords(c *Cell) []csvRecord {
	all := []csvRecord{{cell: c}}
	for _, k := range []struct {
		part string
		of   []PartCell
	}{{"stage", c.Stages}, {"request", c.Requests}, {"beside", c.Beside}} {
		for i := range k.of {
			all = append(all, csvRecord{cell: c, part: k.part, of: &k.of[i]})
		}
	}
	for i := range c.Backing {
		all = append(all, csvRecord{cell: c, part: "service", service: &c.Backing[i]})
	}
	return all
}

// A csvField is one column, or the three of an estimate.
type csvField struct {
	name     string
	text     func(csvRecord) string
	estimate func(csvRecord) Estimate
}

func (f csvField) names() []string {
	if f.estimate == nil {
		return []string{f.name}
	}
	return []string{f.name, f.name + "_low", f.name + "_high"}
}

func (f csvField) values(r csvRecord) []string {
	if f.estimate == nil {
		return []string{f.text(r)}
	}
	e := f.estimate(r)
	if !e.Known() {
		return []string{"", "", ""}
	}
	return []string{csvFloat(e.Median), csvFloat(e.Low), csvFloat(e.High)}
}

func csvFields() []csvField {
	return slices.Concat(csvNames(), csvTraffic(), csvHarm(), csvCosts(), csvServices(), csvTheory())
}

// The makers of fields: of every row, of a cell's own row (which leave a
// part's empty), of those that have figures, and of parts.

func csvOfAll(name string, f func(csvRecord) string) csvField { return csvField{name: name, text: f} }

func csvOfCell(name string, f func(*Cell) string) csvField {
	return csvOfAll(name, func(r csvRecord) string {
		if !r.whole() {
			return ""
		}
		return f(r.cell)
	})
}

func csvKnown(name string, f func(*Cell) string) csvField {
	return csvOfCell(name, func(c *Cell) string {
		if c.Valid == 0 {
			return ""
		}
		return f(c)
	})
}

func csvOfPart(name string, f func(csvRecord) string) csvField {
	return csvOfAll(name, func(r csvRecord) string {
		if r.of == nil {
			return ""
		}
		return f(r)
	})
}

// csvEstimate is an estimate of cells and, unless part is nil, of parts.
func csvEstimate(name string, cell func(*Cell) Estimate, part func(*PartCell) Estimate) csvField {
	return csvField{name: name, estimate: func(r csvRecord) (e Estimate) {
		switch {
		case r.whole() && cell != nil:
			e = cell(r.cell)
		case r.of != nil && part != nil:
			e = part(r.of)
		}
		return e
	}}
}

// csvCount is a sum over valid trials.
func csvCount(name string, cell func(*Cell) uint64, part func(*PartCell) uint64) csvField {
	return csvOfAll(name, func(r csvRecord) string {
		switch {
		case r.of != nil:
			return strconv.FormatUint(part(r.of), 10)
		case r.service != nil, r.cell.Valid == 0:
			return ""
		}
		return strconv.FormatUint(cell(r.cell), 10)
	})
}

func csvNames() []csvField {
	number := func(name string, f func(*Cell) int) csvField {
		return csvOfCell(name, func(c *Cell) string { return strconv.Itoa(f(c)) })
	}
	return []csvField{
		csvOfAll("scenario", func(r csvRecord) string { return r.cell.Scenario }),
		csvOfAll("model", func(r csvRecord) string { return r.cell.Model }),
		csvOfAll("part", func(r csvRecord) string { return r.part }),
		csvOfAll("part_name", func(r csvRecord) string {
			name, _ := r.named()
			return name
		}),
		csvOfAll("part_kind", func(r csvRecord) string {
			_, kind := r.named()
			return kind
		}),
		csvOfPart("from_s", func(r csvRecord) string { return csvFloat(r.of.From) }),
		csvOfPart("to_s", func(r csvRecord) string { return csvFloat(r.of.To) }),
		number("trials", func(c *Cell) int { return c.Trials }),
		number("valid_trials", func(c *Cell) int { return c.Valid }),
		csvOfAll("samples", func(r csvRecord) string {
			switch {
			case r.of != nil:
				return strconv.FormatUint(r.of.Samples, 10)
			case r.service != nil:
				return ""
			}
			return strconv.Itoa(r.cell.Samples)
		}),
		csvKnown("rank", func(c *Cell) string { return strconv.Itoa(c.Rank) }),
		csvKnown("ratio", func(c *Cell) string { return csvFloat(c.Ratio) }),
		csvKnown("told_apart", func(c *Cell) string { return strconv.FormatBool(c.Compared) }),
		csvKnown("p", func(c *Cell) string { return csvFloat(c.P) }),
	}
}

func csvTraffic() []csvField {
	fields := []csvField{
		csvEstimate("goodput_per_s", func(c *Cell) Estimate { return c.Goodput }, func(p *PartCell) Estimate { return p.Goodput }),
		csvEstimate("attempted_per_s", func(c *Cell) Estimate { return c.Attempted }, nil),
		csvEstimate("offered_per_s", func(c *Cell) Estimate { return c.Offered }, func(p *PartCell) Estimate { return p.Offered }),
	}
	names := []string{"mean"}
	for _, q := range quantiles() {
		names = append(names, q.name)
	}
	names = append(names, "max")
	none := func(*PartCell) map[string]Estimate { return nil }
	for _, t := range []struct {
		name   string
		ofCell func(*Cell) map[string]Estimate
		ofPart func(*PartCell) map[string]Estimate
	}{
		{"response", func(c *Cell) map[string]Estimate { return c.Response }, partResponse},
		{"service", func(c *Cell) map[string]Estimate { return c.Service }, partService},
		{"first_byte", func(c *Cell) map[string]Estimate { return c.FirstByte }, func(p *PartCell) map[string]Estimate { return p.FirstByte }},
		{"lag", func(c *Cell) map[string]Estimate { return c.Lag }, none},
		{"gaps", func(c *Cell) map[string]Estimate { return c.Gaps }, none},
	} {
		for _, q := range names {
			fields = append(fields, csvEstimate(fmt.Sprintf("%s_%s_ms", t.name, q),
				func(c *Cell) Estimate { return t.ofCell(c)[q] }, func(p *PartCell) Estimate { return t.ofPart(p)[q] }))
		}
	}
	return append(fields,
		csvCount("errors", func(c *Cell) uint64 { return c.Failed }, partFailed),
		csvOfAll("errors_by_kind", func(r csvRecord) string {
			switch {
			case r.of != nil:
				return csvErrors(r.of.Errors)
			case r.service != nil:
				return ""
			}
			return csvErrors(r.cell.Errors)
		}),
		csvOfAll("unsent", func(r csvRecord) string {
			switch {
			case r.of != nil && r.part != "stage", r.service != nil, r.of == nil && r.cell.Valid == 0:
				return ""
			case r.of != nil:
				return strconv.FormatUint(r.of.Unsent, 10)
			}
			return strconv.FormatUint(r.cell.Unsent, 10)
		}),
		csvEstimate("received_bytes_per_s", nil, func(p *PartCell) Estimate { return p.Received }),
	)
}

func csvHarm() []csvField {
	count := func(name string, f func(*FaultCell) uint64) csvField {
		return csvOfCell(name, func(c *Cell) string {
			if c.Faults == nil {
				return ""
			}
			return strconv.FormatUint(f(c.Faults), 10)
		})
	}
	estimate := func(name string, f func(*FaultCell) Estimate) csvField {
		return csvEstimate(name, func(c *Cell) (e Estimate) {
			if c.Faults != nil {
				e = f(c.Faults)
			}
			return e
		}, nil)
	}
	return []csvField{
		count("faults", func(f *FaultCell) uint64 { return f.Sent }),
		count("others", func(f *FaultCell) uint64 { return f.Others }),
		count("others_failed", func(f *FaultCell) uint64 { return f.Failed }),
		estimate("others_failed_share", func(f *FaultCell) Estimate { return f.FailedShare }),
		count("others_slow", func(f *FaultCell) uint64 { return f.Slow }),
		estimate("others_slow_share", func(f *FaultCell) Estimate { return f.SlowShare }),
		estimate("recovery_p50_ms", func(f *FaultCell) Estimate { return f.Recovery["p50"] }),
		estimate("recovery_max_ms", func(f *FaultCell) Estimate { return f.Recovery["max"] }),
		count("unrecovered", func(f *FaultCell) uint64 { return f.Unrecovered }),
		csvEstimate("restarts", func(c *Cell) Estimate { return c.Restarts }, nil),
	}
}

func csvCosts() []csvField {
	est := func(name string, f func(*Cell) Estimate) csvField { return csvEstimate(name, f, nil) }
	return []csvField{
		est("cpu_per_request_ms", func(c *Cell) Estimate { return c.CPUPerRequest }),
		est("memory_mib", func(c *Cell) Estimate { return c.Memory }),
		csvOfCell("memory_kind", func(c *Cell) string { return c.MemoryKind }),
		est("processes", func(c *Cell) Estimate { return c.Processes }),
		est("threads", func(c *Cell) Estimate { return c.Threads }),
		est("files", func(c *Cell) Estimate { return c.Files }),
		est("switches_per_request", func(c *Cell) Estimate { return c.SwitchesPerRequest }),
		est("connections_per_request", func(c *Cell) Estimate { return c.ConnectionsPerRequest }),
		est("server_cpu_cores", func(c *Cell) Estimate { return c.ServerCPU }),
		est("generator_cpu_cores", func(c *Cell) Estimate { return c.GeneratorCPU }),
		csvOfCell("explanation", func(c *Cell) string { return c.Explanation }),
		csvOfCell("warnings", func(c *Cell) string { return strings.Join(c.Warnings, "; ") }),
		csvOfCell("invalid", func(c *Cell) string { return strings.Join(c.Invalid, "; ") }),
		csvOfCell("not_spoken", func(c *Cell) string { return c.NotSpoken }),
	}
}

// csvFloat keeps six significant digits, more than any of it is sure of.
func csvFloat(v float64) string {
	rounded, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 6, 64), 64)
	return strconv.FormatFloat(rounded, 'f', -1, 64)
}

func csvErrors(errors map[string]uint64) string {
	kinds := make([]string, 0, len(errors))
	for _, k := range sortedErrors(errors) {
		kinds = append(kinds, fmt.Sprintf("%s=%d", k, errors[k]))
	}
	return strings.Join(kinds, "; ")
}
