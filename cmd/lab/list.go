package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/charmbracelet/x/ansi"
	"github.com/spf13/cobra"

	"gatewaylab/scenarios"
	"gatewaylab/servers"
)

func newList(s streams) *cobra.Command {
	format, schema := "text", false
	cmd := &cobra.Command{
		Use:   "list [models|scenarios [NAME…]]",
		Short: "What there is, with one line each",
		Long: `Without a name, what there is, with one line each. With the names of
scenarios (or files), all that each says: the question, what is sent, where it
waits, and what is expected.`,
		Example: `  lab list
  lab list models --format json
  lab list scenarios crash two-testers
  lab list scenarios --schema > scenario.schema.json   for an editor`,
		ValidArgs: []string{"models", "scenarios"},
		Args:      cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if err := oneOf("format", format, "text", "json"); err != nil {
				return misuse(c, err)
			}
			what := "all"
			if len(args) > 0 {
				what = args[0]
			}
			if schema {
				if what != "scenarios" || len(args) > 1 || c.Flags().Changed("format") && format != "json" {
					return misuse(c, errors.New("--schema is of all scenario files, in JSON: lab list scenarios --schema"))
				}
				_, err := s.out.Write(scenarios.FileSchema())
				return err
			}
			switch {
			case len(args) > 1 && what == "scenarios":
				return describe(c, s.out, args[1:], format)
			case len(args) > 1:
				return misuse(c, fmt.Errorf("what %s is about can be asked of scenarios only: lab list scenarios NAME", strings.Join(args[1:], " ")))
			case what == "all", what == "models", what == "scenarios":
				return list(s.out, what, format)
			}
			return misuse(c, fmt.Errorf("nothing to list is called %q%s", what, servers.Nearest(what, c.ValidArgs)))
		},
	}
	cmd.Flags().StringVar(&format, "format", format, "text or json")
	cmd.Flags().BoolVar(&schema, "schema", schema, "the JSON Schema of scenario files")
	return cmd
}

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

func list(out io.Writer, what, format string) error {
	scs, err := scenarios.Library()
	if err != nil {
		return err
	}
	suites, err := scenarios.Suites()
	if err != nil {
		return err
	}
	rows, err := modelRows()
	if err != nil {
		return err
	}
	fronts := frontRows()
	if format == "json" {
		all := map[string]any{}
		if what != "scenarios" {
			all["models"], all["fronts"] = rows, fronts
		}
		if what != "models" {
			all["scenarios"], all["suites"] = scs, suites
		}
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		return enc.Encode(all)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if what != "scenarios" {
		listModels(w, rows, fronts)
	}
	if what == "all" {
		fmt.Fprintln(w)
	}
	if what != "models" {
		listScenarios(w, scs)
		listSuites(w, suites)
	}
	return w.Flush()
}

func listScenarios(w io.Writer, scs []*scenarios.Scenario) {
	fmt.Fprintln(w, "SCENARIO\tLESSON\tWHAT IT IS ABOUT\tMODELS")
	for _, sc := range scs {
		lesson := "–"
		if sc.Lesson > 0 {
			lesson = strconv.Itoa(sc.Lesson)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", sc.Name, lesson, sc.Title, strings.Join(contestants(sc, true), ", "))
	}
}

func listSuites(w io.Writer, suites []*scenarios.Suite) {
	fmt.Fprintln(w)
	fmt.Fprintln(w, "SUITE\tWHAT IT IS ABOUT\tPAIRS")
	for _, s := range suites {
		fmt.Fprintf(w, "%s\t%s\t%s\n", s.Name, s.Title, s.Labels())
	}
}

// aspects names what a situation compares.
func aspects(sc *scenarios.Scenario) string {
	words := make([]string, len(sc.Compare))
	for i, a := range sc.Compare {
		words[i] = string(a)
	}
	return strings.Join(words, ", ")
}

// contestants names the models of a scenario, by alias alone if short is set.
func contestants(sc *scenarios.Scenario, short bool) (names []string) {
	for _, e := range sc.Models {
		switch {
		case e.As == "":
			names = append(names, e.Spec)
		case short:
			names = append(names, e.As)
		default:
			names = append(names, e.As+" = "+e.Spec)
		}
	}
	return names
}

// describe says all about the scenarios that are named.
func describe(c *cobra.Command, out io.Writer, names []string, format string) error {
	var all []*scenarios.Scenario
	for _, n := range names {
		suite, err := scenarios.FindSuite(n)
		switch {
		case err != nil:
			return misuse(c, err)
		case suite != nil: // which is its situations
			all = append(all, suite.Situations...)
			continue
		}
		sc, err := scenarios.Find(n)
		if err != nil {
			return misuse(c, err)
		}
		all = append(all, sc)
	}
	if format == "json" {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		return enc.Encode(map[string]any{"scenarios": all})
	}
	for i, sc := range all {
		if i > 0 {
			fmt.Fprintln(out)
		}
		fmt.Fprintf(out, "%s – %s\n", sc.Name, sc.Title)
		para := func(label, text string) {
			const width, indent = 98, "              "
			text = ansi.Wordwrap(text, width-len(indent), "")
			fmt.Fprintf(out, "  %-12s%s\n", label, strings.ReplaceAll(text, "\n", "\n"+indent))
		}
		if sc.Lesson > 0 {
			para("lesson", strconv.Itoa(sc.Lesson))
		}
		para("question", sc.Question)
		para("load", sc.Text.Load)
		para("queue", sc.Text.Queue)
		para("service", sc.Text.Service)
		para("bottleneck", sc.Text.Bottleneck)
		para("sent", sc.Words())
		for j := range sc.Requests {
			para("", scenarios.RequestText(sc.Requests[j]))
		}
		for j := range sc.Beside {
			para("beside", scenarios.CrowdText(sc.Beside[j]))
		}
		for _, b := range sc.Backing {
			para(b.Service, b.String())
		}
		if len(sc.Models) > 0 {
			para("models", strings.Join(contestants(sc, false), ", "))
		}
		if len(sc.Compare) > 0 {
			para("compares", aspects(sc))
		}
		for j, e := range sc.Expect {
			label := "expects"
			if j > 0 {
				label = ""
			}
			para(label, e)
		}
	}
	return nil
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

func listModels(w io.Writer, rows []modelRow, fronts []frontRow) {
	fmt.Fprintln(w, "MODEL\tPROCESSES\tWIRE\tINTERFACE\tREQUESTS\tHTTP\tWHAT IT IS")
	for _, r := range rows {
		requests := "sync"
		if r.Async {
			requests = "async"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Name, r.Process, r.Wire, r.Interface, requests, r.HTTP, r.Doc)
	}
	fmt.Fprintln(w)
	fmt.Fprintln(w, "FRONT\tPROCESSES\tPASSES ON OVER\tHTTP\tWHAT IT IS")
	for _, f := range fronts {
		fmt.Fprintf(w, "%s+MODEL\t%s\t%s\t%s\t%s\n", f.Name, f.Process, strings.Join(f.Wires, ", "), f.HTTP, f.Doc)
	}
	fmt.Fprintln(w)
	fmt.Fprintln(w, "NOT HERE\tWHAT IT IS, AND WHY NOT")
	for _, a := range servers.Absentees() {
		fmt.Fprintf(w, "%s\t%s\n", a.Name, a.Why)
	}
	fmt.Fprintln(w)
	fmt.Fprintln(w, "OPTION\tDEFAULT\tWHAT IT SETS")
	for _, r := range rows {
		listOptions(w, r.Name, r.Options, r.Missing)
		for _, b := range r.Behaves {
			fmt.Fprintf(w, "%s\t\t%s\n", r.Name, b)
		}
		if r.Lacks != "" {
			fmt.Fprintf(w, "%s\t\twithout %s\n", r.Name, r.Lacks)
		}
	}
	for _, f := range fronts {
		listOptions(w, f.Name, f.Options, f.Missing)
	}
}

func listOptions(w io.Writer, name string, options []optionRow, missing string) {
	for _, o := range options {
		fmt.Fprintf(w, "%s:%s=\t%s\t%s\n", name, o.Key, o.Default, o.Doc)
	}
	if missing != "" {
		fmt.Fprintf(w, "%s\t\tcan't run here: %s\n", name, strings.TrimSpace(missing))
	}
}
