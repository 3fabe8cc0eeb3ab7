package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"gatewaylab/scenarios"
	"gatewaylab/servers"
)

func newList(s streams) *cobra.Command {
	format, schema := "text", false
	cmd := &cobra.Command{
		Use:   "list [models|scenarios] [NAME…]",
		Short: "What there is, with one line each",
		Long: `Without a name, what there is, with one line each. With the names of models, all
options of each. With the names of scenarios (or files), all that each says: the
question, what is sent, where it waits, and what is expected.`,
		Example: `  lab list
  lab list models prefork
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
			case len(args) > 1 && what == "models":
				if err := describeModels(s.out, args[1:], format); err != nil {
					return misuse(c, err)
				}
				return nil
			case len(args) > 1:
				return misuse(c, fmt.Errorf("what %s is about is told by lab list models NAME and lab list scenarios NAME", strings.Join(args[1:], " ")))
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
	width := textWidth(out)
	if what != "scenarios" {
		listModels(out, width, rows, fronts)
	}
	if what == "all" {
		fmt.Fprintln(out)
	}
	if what != "models" {
		listScenarios(out, width, scs)
		listSuites(out, width, suites)
	}
	return nil
}

// textWidth is how wide text is set for a stream.
func textWidth(out io.Writer) int { return cmp.Or(textOptions(out).Width, 100) }

func listScenarios(out io.Writer, width int, scs []*scenarios.Scenario) {
	t := grid{{"SCENARIO", "LESSON", "WHAT IT IS ABOUT", "MODELS"}}
	for _, sc := range scs {
		lesson := "–"
		if sc.Lesson > 0 {
			lesson = strconv.Itoa(sc.Lesson)
		}
		t.row(sc.Name, lesson, sc.Title, strings.Join(contestants(sc, true), ", "))
	}
	t.write(out, width)
}

func listSuites(out io.Writer, width int, suites []*scenarios.Suite) {
	fmt.Fprintln(out)
	t := grid{{"SUITE", "WHAT IT IS ABOUT", "PAIRS"}}
	for _, s := range suites {
		t.row(s.Name, s.Title, s.Labels())
	}
	t.write(out, width)
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
		para := func(label, text string) { paragraph(out, fmt.Sprintf("  %-12s", label), text, textWidth(out)) }
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
