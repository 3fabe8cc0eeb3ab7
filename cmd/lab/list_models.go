package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"gatewaylab/servers"
)

// modelRow and optionRow are the JSON of lab list models.
type modelRow struct {
	Name      string      `json:"name"`
	Doc       string      `json:"doc"`
	Process   string      `json:"process_model"`
	Wire      string      `json:"wire_protocol"`
	Interface string      `json:"interface"`
	HTTP      string      `json:"http"`
	Async     bool        `json:"async"`
	Missing   string      `json:"missing,omitempty"` // why it can't run here
	Behaves   []string    `json:"behaves,omitempty"` // what the installed versions do differently from others
	Options   []optionRow `json:"options"`
	Lacks     string      `json:"lacks,omitempty"` // options that others have, and why there are none
}

// frontRow is the same of a front.
type frontRow struct {
	Name    string      `json:"name"`
	Doc     string      `json:"doc"`
	Process string      `json:"process_model"`
	HTTP    string      `json:"http"`
	Wires   []string    `json:"wire_protocols"`
	Missing string      `json:"missing,omitempty"`
	Options []optionRow `json:"options"`
}

type optionRow struct {
	Key     string `json:"key"`
	Default string `json:"default"`
	Doc     string `json:"doc"`
}

func modelRows() ([]modelRow, error) {
	var rows []modelRow
	for _, m := range servers.Models() {
		r := modelRow{Name: m.Name, Doc: m.Doc, Process: m.Process, Wire: m.Wire, Interface: m.Interface, HTTP: m.HTTP, Async: m.Async}
		c, err := servers.Resolve(m.Name)
		if err != nil {
			return nil, err
		}
		if err := c.Available(); err != nil {
			r.Missing = err.Error()
		}
		r.Behaves = c.AllBehaviours()
		r.Options, r.Lacks = optionRows(m.Options), m.Lacks
		rows = append(rows, r)
	}
	return rows, nil
}

func frontRows() (rows []frontRow) {
	for _, f := range servers.Fronts() {
		r := frontRow{Name: f.Name, Doc: f.Doc, Process: f.Process, HTTP: f.HTTP, Wires: f.Wires, Options: optionRows(f.Options)}
		if err := f.Available(); err != nil {
			r.Missing = err.Error()
		}
		rows = append(rows, r)
	}
	return rows
}

func optionRows(options []servers.Option) (rows []optionRow) {
	for _, o := range options {
		rows = append(rows, optionRow{o.Key, o.Default, o.Doc})
	}
	return rows
}

func listModels(out io.Writer, width int, rows []modelRow, fronts []frontRow) {
	what, how := grid{{"MODEL", "WHAT IT IS"}}, grid{{"MODEL", "PROCESSES", "WIRE", "INTERFACE", "REQUESTS", "HTTP"}}
	for _, r := range rows {
		what.row(r.Name, r.Doc)
		how.row(r.Name, r.Process, r.Wire, r.Interface, r.requests(), r.HTTP)
	}
	what.write(out, width)
	fmt.Fprintln(out)
	how.write(out, width)
	fmt.Fprintln(out)
	what, how = grid{{"FRONT", "WHAT IT IS"}}, grid{{"FRONT", "PROCESSES", "PASSES ON OVER", "HTTP"}}
	for _, f := range fronts {
		what.row(f.Name+"+MODEL", f.Doc)
		how.row(f.Name+"+MODEL", f.Process, strings.Join(f.Wires, ", "), f.HTTP)
	}
	what.write(out, width)
	fmt.Fprintln(out)
	how.write(out, width)
	fmt.Fprintln(out)
	t := grid{{"NOT HERE", "WHAT IT IS, AND WHY NOT"}}
	for _, a := range servers.Absentees() {
		t.row(a.Name, a.Why)
	}
	t.write(out, width)
	fmt.Fprintln(out)
	listOptions(out, width, rows, fronts)
}

func (r *modelRow) requests() string {
	if r.Async {
		return "async"
	}
	return "sync"
}

func listOptions(out io.Writer, width int, rows []modelRow, fronts []frontRow) {
	t := grid{{"OPTION", "DEFAULT", "WHAT IT SETS"}}
	of := func(name string, options []optionRow, missing string) {
		for _, o := range options {
			t.row(name+":"+o.Key+"=", o.Default, o.Doc)
		}
		if missing != "" {
			t.row(name, "", "can't run here: "+strings.TrimSpace(missing))
		}
	}
	for i := range rows {
		r := &rows[i]
		of(r.Name, r.Options, r.Missing)
		for _, b := range r.Behaves {
			t.row(r.Name, "", b)
		}
		if r.Lacks != "" {
			t.row(r.Name, "", "without "+r.Lacks)
		}
	}
	for _, f := range fronts {
		of(f.Name, f.Options, f.Missing)
	}
	t.write(out, width)
}

// describeModels says all about the models and fronts that are named.
func describeModels(out io.Writer, names []string, format string) error {
	all, err := modelRows()
	if err != nil {
		return err
	}
	var rows []modelRow
	var fronts []frontRow
	for _, n := range names {
		found, known := false, []string{}
		for _, r := range all {
			known = append(known, r.Name)
			if r.Name == n {
				rows, found = append(rows, r), true
			}
		}
		for _, f := range frontRows() {
			known = append(known, f.Name)
			if f.Name == n {
				fronts, found = append(fronts, f), true
			}
		}
		if !found {
			return fmt.Errorf("no model or front is called %q%s", n, servers.Nearest(n, known))
		}
	}
	if format == "json" {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		return enc.Encode(map[string]any{"models": rows, "fronts": fronts})
	}
	width := textWidth(out)
	para := func(label, text string) { paragraph(out, fmt.Sprintf("  %-11s", label), text, width) }
	for i := range rows {
		r := &rows[i]
		paragraph(out, r.Name+" – ", r.Doc, width)
		para("processes", r.Process)
		para("wire", r.Wire)
		para("interface", r.Interface)
		para("requests", r.requests())
		para("HTTP", r.HTTP)
		fmt.Fprintln(out)
	}
	for _, f := range fronts {
		paragraph(out, f.Name+"+MODEL – ", f.Doc, width)
		para("processes", f.Process)
		para("passes on", "over "+strings.Join(f.Wires, ", "))
		para("HTTP", f.HTTP)
		fmt.Fprintln(out)
	}
	listOptions(out, width, rows, fronts)
	return nil
}
