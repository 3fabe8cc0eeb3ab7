package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"gatewaylab/scenarios"
	"gatewaylab/servers"
)

func newList(s streams) *cobra.Command {
	format := "text"
	cmd := &cobra.Command{
		Use:   "list [models|scenarios]",
		Short: "What there is, with one line each",
		Example: `  lab list
  lab list models --format json`,
		ValidArgs: []string{"models", "scenarios"},
		Args:      cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := oneOf("format", format, "text", "json"); err != nil {
				return misuse(c, err)
			}
			what := "all"
			if len(args) > 0 {
				what = args[0]
			}
			switch what {
			case "all", "models", "scenarios":
				return list(s.out, what, format)
			}
			return misuse(c, fmt.Errorf("nothing to list is called %q%s", what, servers.Nearest(what, c.ValidArgs)))
		},
	}
	cmd.Flags().StringVar(&format, "format", format, "text or json")
	return cmd
}

// modelRow and optionRow are the JSON of lab list models.
type modelRow struct {
	Name      string      `json:"name"`
	Doc       string      `json:"doc"`
	Process   string      `json:"process_model"`
	Interface string      `json:"interface"`
	HTTP      string      `json:"http"`
	Async     bool        `json:"async"`
	Missing   string      `json:"missing,omitempty"` // why it can't run here
	Options   []optionRow `json:"options"`
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
	rows, err := modelRows()
	if err != nil {
		return err
	}
	if format == "json" {
		all := map[string]any{}
		if what != "scenarios" {
			all["models"] = rows
		}
		if what != "models" {
			all["scenarios"] = scs
		}
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		return enc.Encode(all)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if what != "scenarios" {
		listModels(w, rows)
	}
	if what == "all" {
		fmt.Fprintln(w)
	}
	if what != "models" {
		fmt.Fprintln(w, "SCENARIO\tLOAD\tQUESTION")
		for _, sc := range scs {
			fmt.Fprintf(w, "%s\t%s\t%s\n", sc.Name, sc.Words(), sc.Question)
		}
	}
	return w.Flush()
}

func modelRows() ([]modelRow, error) {
	var rows []modelRow
	for _, m := range servers.Models() {
		r := modelRow{Name: m.Name, Doc: m.Doc, Process: m.Process, Interface: m.Interface, HTTP: m.HTTP, Async: m.Async}
		c, err := servers.Resolve(m.Name)
		if err != nil {
			return nil, err
		}
		if err := c.Available(); err != nil {
			r.Missing = err.Error()
		}
		for _, o := range m.Options {
			r.Options = append(r.Options, optionRow{o.Key, o.Default, o.Doc})
		}
		rows = append(rows, r)
	}
	return rows, nil
}

func listModels(w io.Writer, rows []modelRow) {
	fmt.Fprintln(w, "MODEL\tPROCESSES\tHTTP\tWHAT IT IS")
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", r.Name, r.Process, r.HTTP, r.Doc)
	}
	fmt.Fprintln(w)
	fmt.Fprintln(w, "OPTION\tDEFAULT\tWHAT IT SETS")
	for _, r := range rows {
		for _, o := range r.Options {
			fmt.Fprintf(w, "%s:%s=\t%s\t%s\n", r.Name, o.Key, o.Default, o.Doc)
		}
		if r.Missing != "" {
			fmt.Fprintf(w, "%s\t\tcan't run here: %s\n", r.Name, strings.TrimSpace(r.Missing))
		}
	}
}
