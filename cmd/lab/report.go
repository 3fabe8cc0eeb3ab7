package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gatewaylab/reports"
	"gatewaylab/reports/chart"
	"gatewaylab/scenarios"
)

// renderFlags say how results are shown; lab compare and lab report share them.
type renderFlags struct {
	format string
	plots  string
	theme  string
	dpi    int
	theory bool // hold the results against theory

	printed []string               // the formats that there are
	changed func(flag string) bool // whether it was given
}

// usualFormats are those of everything that is measured.
var usualFormats = [...]string{"text", "json", "csv", "md"}

// overviewFormat is that of what sets models against scenarios.
const overviewFormat = "overview"

// register adds the flags; more are formats beside the usual ones.
func (f *renderFlags) register(fs *pflag.FlagSet, more ...string) {
	f.printed, f.changed = append(usualFormats[:], more...), fs.Changed
	usage := "what is printed on stdout: " + strings.Join(f.printed, ", ")
	if slices.Contains(more, overviewFormat) {
		usage += " (a page of Markdown, all models against all scenarios)"
	}
	fs.StringVar(&f.format, "format", "text", usage)
	fs.StringVar(&f.plots, "plots", "both", "plots to draw into the results folder: png, svg, both, or none")
	fs.StringVar(&f.theme, "theme", "light", "colours of the plots: light or dark")
	fs.IntVar(&f.dpi, "dpi", 144, "resolution of PNG plots")
}

// registerTheory adds the flag of those that have something to hold against theory.
func (f *renderFlags) registerTheory(fs *pflag.FlagSet) {
	fs.BoolVar(&f.theory, "theory", false, "what theory predicts beside what was measured: formulas where one applies, else a simulation")
}

func (f *renderFlags) check() error {
	if err := oneOf("format", f.format, f.printed...); err != nil {
		return err
	}
	if err := oneOf("theme", f.theme, "light", "dark"); err != nil {
		return err
	}
	if f.dpi < 48 || f.dpi > 600 {
		return fmt.Errorf("--dpi %d: expected 48 to 600", f.dpi)
	}
	for _, p := range f.formats() {
		if p != "png" && p != "svg" {
			return fmt.Errorf("--plots %s: expected png, svg, both or none", f.plots)
		}
	}
	switch {
	case f.changed("dpi") && !slices.Contains(f.formats(), "png"):
		return fmt.Errorf("--dpi is the resolution of PNG plots, and --plots %s draws none", f.plots)
	case f.changed("theme") && len(f.formats()) == 0:
		return fmt.Errorf("--theme is of plots, and --plots %s draws none", f.plots)
	}
	return nil
}

// formats are those that plots are drawn in.
func (f *renderFlags) formats() []string {
	switch strings.TrimSpace(f.plots) {
	case "none":
		return nil
	case "both":
		return []string{"png", "svg"}
	}
	all := strings.Split(f.plots, ",")
	for i := range all {
		all[i] = strings.TrimSpace(all[i])
	}
	return all
}

func newReport(s streams) *cobra.Command {
	var f renderFlags
	cmd := &cobra.Command{
		Use:   "report DIR",
		Short: "Re-render saved results: text, Markdown, CSV, JSON, PNG, SVG",
		Long: `Reads a results folder and prints the report in the wanted format. Nothing is
written unless --plots says which plots, or --dpi or --theme how: these are drawn
into the folder, and its report.md is written anew with them. The measurements
themselves are never changed.

Exit status: 0 done, and every expectation of the run held; 1 it failed, or
an expectation did not hold or could not be decided; 2 bad usage.`,
		Example: `  lab report lab-results/20260102T150405Z-compare
  lab report DIR --format csv
  lab report DIR --format overview --theory > page.md
  lab report DIR --theory
  lab report DIR --plots png --dpi 300 --theme dark`,
		Args: cobra.ExactArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
		RunE: func(c *cobra.Command, args []string) error {
			if changed := c.Flags().Changed; !changed("plots") && (changed("dpi") || changed("theme")) {
				f.plots = "both"
			}
			if err := f.check(); err != nil {
				return misuse(c, err)
			}
			report, err := f.show(s, args[0])
			if err != nil {
				return err
			}
			if len(f.formats()) > 0 {
				if err := f.save(args[0], report); err != nil {
					return err
				}
			}
			return unmet(report)
		},
	}
	f.register(cmd.Flags(), overviewFormat)
	f.registerTheory(cmd.Flags())
	plots := cmd.Flags().Lookup("plots")
	f.plots, plots.DefValue = "none", "none"
	return cmd
}

// show prints what is said about a run directory in the wanted format.
func (f *renderFlags) show(s streams, dir string) (*reports.Report, error) {
	result, err := scenarios.Load(dir)
	if err != nil {
		return nil, err
	}
	report, err := reports.Analyse(result)
	if err != nil {
		return nil, err
	}
	switch {
	case f.theory && report.Fidelity != nil:
		fmt.Fprintln(s.err, "lab: "+noTheoryOfSuites)
	case f.theory:
		if err := reports.HoldAgainstTheory(report, result); err != nil {
			return nil, err
		}
	}
	return report, f.print(s, report)
}

// save draws the plots into a run directory and writes its report.md.
func (f *renderFlags) save(dir string, report *reports.Report) error {
	plots, err := f.draw(dir, report)
	if err != nil {
		return err
	}
	return writeWhole(filepath.Join(dir, "report.md"), func(w io.Writer) error {
		return reports.Markdown(plots)(w, report)
	})
}

func (f *renderFlags) print(s streams, r *reports.Report) error {
	render := reports.JSON
	switch f.format {
	case "text":
		render = reports.Text(textOptions(s.out))
	case "csv":
		render = reports.CSV
	case "md":
		render = reports.Markdown(nil)
	case overviewFormat:
		render = reports.Overview
	}
	if err := render(s.out, r); err != nil {
		return fmt.Errorf("print the report: %w", err)
	}
	return nil
}

// draw renders the plots, if any are wanted, and returns those that report.md
// is to show: the ones just drawn, or those of an earlier rendering.
func (f *renderFlags) draw(dir string, r *reports.Report) ([]reports.Plot, error) {
	folder := filepath.Join(dir, "plots")
	formats := f.formats()
	if len(formats) > 0 {
		if _, err := chart.Write(folder, r, chart.Options{Formats: formats, DPI: f.dpi, Theme: f.theme}); err != nil {
			return nil, err
		}
	} else {
		formats = []string{"png", "svg"}
	}
	for _, format := range formats {
		var shown []reports.Plot
		for _, file := range chart.Files(r, format) {
			if _, err := os.Stat(filepath.Join(folder, file.Path)); err == nil {
				shown = append(shown, reports.Plot{Path: "plots/" + file.Path, Caption: file.Caption, Scenario: file.Scenario})
			}
		}
		if len(shown) > 0 {
			return shown, nil
		}
	}
	return nil, nil
}

// writeWhole writes a file whole or not at all.
func writeWhole(name string, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(name), err)
	}
	err = errors.Join(f.Chmod(0o644), write(f), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", name, errors.Join(err, os.Remove(f.Name())))
	}
	return nil
}
