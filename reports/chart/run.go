package chart

import (
	"fmt"
	"math"
	"strings"

	"gatewaylab/reports"
	"gatewaylab/scenarios"
)

// A run is a report in the order in which plots walk it: every scenario has a
// place for every model, measured or not.
type run struct {
	*reports.Report
	models []string // labels, in the order given, which fixes each model's mark
	scenes []*scene
}

type scene struct {
	*scenarios.Scenario
	file  string          // start of file names
	cells []*reports.Cell // one for each model of the run; nil where there is none
}

func newRun(r *reports.Report) *run {
	v := &run{Report: r}
	at := map[string]int{}
	model := func(label string) {
		if _, ok := at[label]; !ok {
			at[label] = len(v.models)
			v.models = append(v.models, label)
		}
	}
	for _, m := range r.Models {
		model(m.Label)
	}
	byName, taken := map[string]*scene{}, map[string]bool{}
	place := func(s *scenarios.Scenario) {
		sc := &scene{Scenario: s, file: fileName(s.Name, taken)}
		byName[s.Name] = sc
		v.scenes = append(v.scenes, sc)
	}
	for _, s := range r.Scenarios {
		if s != nil && byName[s.Name] == nil {
			place(s)
		}
	}
	for _, c := range r.Cells {
		if c == nil {
			continue
		}
		model(c.Model)
		if byName[c.Scenario] == nil {
			place(&scenarios.Scenario{Name: c.Scenario})
		}
	}
	for _, sc := range v.scenes {
		sc.cells = make([]*reports.Cell, len(v.models))
	}
	for _, c := range r.Cells {
		if c != nil {
			byName[c.Scenario].cells[at[c.Model]] = c
		}
	}
	return v
}

// figures lists the plots in reading order.
func (v *run) figures() []*figure {
	if len(v.scenes) == 0 {
		return nil
	}
	var all []*figure
	if len(v.scenes) > 1 {
		all = append(all, v.goodputOverview())
	}
	for _, sc := range v.scenes {
		all = append(all, v.goodputOf(sc), v.percentiles(sc), v.overTime(sc))
	}
	return append(all, v.cost(), v.offered())
}

// fileName makes a scenario's name fit to start a file name, and unique.
func fileName(name string, taken map[string]bool) string {
	safe := strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-', r == '_', r == '.':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		}
		return '-'
	}, name), "-.")
	if safe == "" {
		safe = "scenario"
	}
	unique := safe
	for i := 2; taken[unique]; i++ {
		unique = fmt.Sprintf("%s-%d", safe, i)
	}
	taken[unique] = true
	return unique
}

// why says why a cell has nothing to draw; "" if it has.
func why(c *reports.Cell, there func(*reports.Cell) bool) string {
	switch {
	case c == nil:
		return "not measured"
	case c.Trials == 0:
		return "no trial finished"
	case c.Valid == 0:
		return "no valid trial"
	case there(c):
		return ""
	case c.Samples == 0:
		return "no successful response"
	}
	return "too little data"
}

// known says whether an estimate can be drawn.
func known(e reports.Estimate) bool { return e.Known() && finite(e.Median) && e.Median >= 0 }

// interval returns the ends of an estimate's interval that can be drawn.
func interval(e reports.Estimate) (low, high float64, ok bool) {
	if !known(e) || !finite(e.Low) || !finite(e.High) || e.Low > e.High {
		return e.Median, e.Median, false
	}
	return max(0, e.Low), e.High, true
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// loggable says whether v has a place on a logarithmic scale.
func loggable(v float64) bool { return v > 0 && finite(v) }
