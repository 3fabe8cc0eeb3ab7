package chart

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"gatewaylab/reports"
	"gatewaylab/scenarios"
)

// A run is a report in the order in which plots walk it: every scenario has a
// place for every model, measured or not.
type run struct {
	*reports.Report
	models []string // labels, in the order given, which fixes each model's mark
	marks  []int    // places in that order; nil = each its own
	scenes []*scene
}

// elsewhere stands in a scene for a model that the scenario isn't put to,
// because it brings models of its own. It is never changed.
var elsewhere = &reports.Cell{}

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
	for _, sc := range v.scenes {
		for i, c := range sc.cells {
			if c == nil && len(sc.Models) > 0 && len(r.Cells) > 0 {
				sc.cells[i] = elsewhere
			}
		}
	}
	return v
}

// within is the run as one scenario sees it: without the models that it isn't
// put to.
func (v *run) within(sc *scene) (*run, *scene) {
	if !slices.Contains(sc.cells, elsewhere) {
		return v, sc
	}
	w, s := *v, *sc
	w.models, s.cells = nil, nil
	for i, c := range sc.cells {
		if c != elsewhere {
			w.models, w.marks, s.cells = append(w.models, v.models[i]), append(w.marks, i), append(s.cells, c)
		}
	}
	w.scenes = []*scene{&s}
	return &w, &s
}

// figures lists the plots in reading order.
func (v *run) figures() []*figure {
	if len(v.scenes) == 0 {
		return nil
	}
	if v.Fidelity != nil {
		return []*figure{v.fidelity()}
	}
	if v.Capacity != nil {
		return []*figure{v.capacity()}
	}
	var all []*figure
	if len(v.scenes) > 1 {
		all = append(all, v.goodputOverview())
	}
	for _, sc := range v.scenes {
		w, sc := v.within(sc)
		own := []*figure{w.goodputOf(sc), w.percentiles(sc), w.overTime(sc)}
		if len(sc.Stages) > 1 {
			own = append(own, w.stages(sc))
		}
		if sc.hasFaults() {
			own = append(own, w.faults(sc))
		}
		for _, f := range own {
			f.marks = w.marks
		}
		all = append(all, own...)
	}
	all = append(all, v.cost())
	if open := v.open(); len(open.scenes) > 0 {
		all = append(all, open.offered(len(open.scenes) < len(v.scenes)))
	}
	return all
}

// open is the run without its closed loops.
func (v *run) open() *run {
	w := *v
	w.scenes = slices.DeleteFunc(slices.Clone(v.scenes), func(sc *scene) bool { return sc.Closed() })
	return &w
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
	case c == elsewhere:
		return "–"
	case c == nil:
		return "not measured"
	case c.NotOffered:
		return "not offered"
	case c.NotSpoken != "":
		return "protocol not spoken"
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

// interval returns the ends of an estimate's interval that can be drawn. One
// trial has none.
func interval(e reports.Estimate) (low, high float64, ok bool) {
	if !known(e) || e.N == 1 || !finite(e.Low) || !finite(e.High) || e.Low > e.High {
		return e.Median, e.Median, false
	}
	return max(0, e.Low), e.High, true
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// loggable says whether v has a place on a logarithmic scale.
func loggable(v float64) bool { return v > 0 && finite(v) }
