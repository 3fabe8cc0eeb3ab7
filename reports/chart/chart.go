// Package chart draws a report: response times by percentile and over time,
// goodput, both by stage of the load, costs, what requests that do harm did to
// others, and what was offered against what was achieved.
//
// A plot has to stand on its own, because it will be cut out and pasted into a
// slide. So each one carries its units, its scale, its sample size, the load
// and the meaning of every bar, band and whisker inside the picture, and a
// model that has nothing to show keeps its place with the reason. The colours
// survive the common forms of colour blindness; markers tell the models apart
// without any colour at all.
package chart

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gatewaylab/reports"

	"gonum.org/v1/plot/vg"
)

// What a plot is about: File.Kind, and the end of its file name.
const (
	KindGoodput     = "goodput"
	KindPercentiles = "latency-percentiles"
	KindOverTime    = "latency-over-time"
	KindStages      = "stages"
	KindFaults      = "faults"
	KindCost        = "cpu-memory"
	KindOffered     = "offered-achieved"
	KindKnee        = "knee"     // of a run that looked for the rate that models hold
	KindScaling     = "scaling"  // with users
	KindSettings    = "settings" // of one model
	KindFidelity    = "fidelity"
)

const (
	defaultDPI    = 144
	defaultWidth  = 10 * vg.Inch
	defaultHeight = 6.25 * vg.Inch
)

// Options say how plots are written. The zero value writes PNG and SVG in the
// light theme, 1440 pixels wide.
type Options struct {
	Formats []string // "png", "svg"; none means both
	DPI     int      // pixels per inch of a PNG, 48 … 600; 0 means 144. The layout does not depend on it
	Theme   string   // "light" (also if empty) or "dark"
	// Width of a plot, 8 to 40 inches; 0 means 10 inches. Type keeps its
	// size in points: for a narrow column of text, scale the picture.
	Width vg.Length
	// Height of a plot; 0 means 6.25 inches for lines and as much as it takes
	// for bars and panels. A plot that needs more than Height, because there
	// are many models or scenarios, is taller: nothing is cut off.
	Height vg.Length
}

// A File is a plot that was written.
type File struct {
	Path     string // base name within the directory
	Caption  string // what the plot shows in words and figures: its alternative text
	Scenario string // name of the scenario; empty for a plot of the whole run
	Kind     string // one of the Kind constants
	Format   string // "png" or "svg"
}

// Write draws every plot of the report into dir, which is made if need be, and
// returns the files in reading order: goodput of all scenarios (if there is
// more than one), then for each scenario its goodput, its response times by
// percentile and over time, both by stage if its load has several, and what its
// requests that do harm did to others, if it has any; then costs, then, of open
// loops, offered against achieved.
//
// Of a run of pairs of a model and its twin it draws one plot alone, which
// holds them against each other: fidelity.png.
//
// The names are stable: goodput.png, <scenario>-goodput.png,
// <scenario>-latency-percentiles.png, <scenario>-latency-over-time.png,
// <scenario>-stages.png, <scenario>-faults.png, cpu-memory.png,
// offered-achieved.png, and the same with .svg; of a run that looked for the
// load that models hold <scenario>-knee.png, <scenario>-scaling.png or
// <scenario>-settings.png alone. The same report and options
// give the same bytes. Write may be called concurrently for different
// directories.
func Write(dir string, r *reports.Report, o Options) ([]File, error) {
	o, err := o.complete()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, fmt.Errorf("plots: %w; choose a directory that can be written", err)
	}
	var files []File
	for _, f := range newRun(r).figures() {
		for _, format := range o.Formats {
			b, err := f.render(format, o)
			if err != nil {
				return files, fmt.Errorf("plot %s.%s: %w", f.name, format, err)
			}
			file := f.file(format)
			if err := os.WriteFile(filepath.Join(dir, file.Path), b, 0o666); err != nil {
				return files, fmt.Errorf("plot: %w", err)
			}
			files = append(files, file)
		}
	}
	return files, nil
}

// Files lists what Write would write in one format, without drawing it.
func Files(r *reports.Report, format string) []File {
	var files []File
	for _, f := range newRun(r).figures() {
		files = append(files, f.file(format))
	}
	return files
}

func (f *figure) file(format string) File {
	return File{
		Path: f.name + "." + format, Caption: f.alt, Scenario: f.scenario, Kind: f.kind, Format: format,
	}
}

func (o Options) complete() (Options, error) {
	if len(o.Formats) == 0 {
		o.Formats = []string{"png", "svg"}
	}
	var formats []string
	for _, f := range o.Formats {
		f = strings.ToLower(strings.TrimSpace(f))
		if f != "png" && f != "svg" {
			return o, fmt.Errorf("plots: unknown format %q; choose from png, svg", f)
		}
		if !slices.Contains(formats, f) {
			formats = append(formats, f)
		}
	}
	o.Formats = formats
	if o.DPI == 0 {
		o.DPI = defaultDPI
	}
	if o.DPI < 48 || o.DPI > 600 {
		return o, fmt.Errorf("plots: %d dots per inch is out of range; choose 48 to 600", o.DPI)
	}
	if o.Theme == "" {
		o.Theme = "light"
	}
	if _, err := themeNamed(o.Theme); err != nil {
		return o, err
	}
	if o.Width == 0 {
		o.Width = defaultWidth
	}
	if o.Width < 8*vg.Inch || o.Width > 40*vg.Inch {
		return o, fmt.Errorf("plots: a width of %.4g inches is out of range; choose 8 to 40", o.Width/vg.Inch)
	}
	if o.Height < 0 || o.Height > 40*vg.Inch {
		return o, fmt.Errorf("plots: a height of %.4g inches is out of range; choose up to 40", o.Height/vg.Inch)
	}
	return o, nil
}
