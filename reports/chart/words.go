package chart

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatewaylab/reports"
	"gatewaylab/scenarios"
)

// number writes a measured value to three significant figures, or as a whole
// number where that is more, never in exponents, with thousands set apart.
func number(v float64) string {
	if !finite(v) {
		return "–"
	}
	abs := math.Abs(v)
	decimals := 0
	switch {
	case abs == 0 || abs >= 99.95:
	case abs >= 9.995:
		decimals = 1
	case abs >= 0.9995:
		decimals = 2
	default:
		decimals = min(2-int(math.Floor(math.Log10(abs))), 9)
	}
	return thousands(strconv.FormatFloat(v, 'f', decimals, 64))
}

// setting writes a value that was chosen, not measured: 1.5, not 1.50.
func setting(v float64) string {
	return thousands(strconv.FormatFloat(math.Round(v*1e6)/1e6, 'f', -1, 64))
}

// tickText writes v with as many decimals as a step of this size needs.
func tickText(v, step float64) string {
	if v == 0 {
		return "0"
	}
	decimals := 0
	for s := step; decimals < 9 && math.Abs(s-math.Round(s)) > 1e-6*math.Abs(s); s *= 10 {
		decimals++
	}
	return thousands(strconv.FormatFloat(v, 'f', decimals, 64))
}

func count[T int | uint64](n T) string { return thousands(fmt.Sprint(n)) }

// thousands puts commas between the groups of three digits before the point.
func thousands(s string) string {
	whole, fraction, _ := strings.Cut(s, ".")
	sign := ""
	if strings.HasPrefix(whole, "-") {
		sign, whole = "−", whole[1:]
	}
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if fraction != "" {
		whole += "." + fraction
	}
	if sign != "" && strings.Trim(whole, "0.,") == "" {
		sign = ""
	}
	return sign + whole
}

func duration(d time.Duration) string {
	switch {
	case d >= time.Minute && d%time.Minute == 0:
		return setting(d.Minutes()) + " min"
	case d >= time.Second:
		return setting(d.Seconds()) + " s"
	}
	return setting(float64(d)/float64(time.Millisecond)) + " ms"
}

// heading names a scenario: "wait: 50 ms of waiting".
func (sc *scene) heading() string {
	if sc.Title == "" || sc.Title == sc.Name {
		return sc.Name
	}
	return sc.Name + ": " + sc.Title
}

// planned is how many trials each cell of a scenario was to have.
func (v *run) planned(s *scenarios.Scenario) int { return cmp.Or(s.Trials, v.Trials) }

func (v *run) trials(s *scenarios.Scenario) string {
	t := fmt.Sprintf("%d trials", v.planned(s))
	if v.planned(s) == 1 {
		t = "1 trial"
	}
	if s.For() > 0 {
		t += " × " + duration(s.For())
	}
	if s.Warmup > 0 {
		t += " + " + duration(s.Warmup) + " warm-up"
	}
	return t
}

// samples says how many successful responses stand behind each model.
func (v *run) samples(sc *scene) string {
	var each []string
	low, high := math.MaxInt, 0
	for i, c := range sc.cells {
		if c == nil || c.Samples == 0 {
			continue
		}
		each = append(each, count(c.Samples)+" ("+v.models[i]+")")
		low, high = min(low, c.Samples), max(high, c.Samples)
	}
	switch {
	case high == 0:
		return "n = 0 responses"
	case len(v.models) == 1:
		return "n = " + count(high) + " responses"
	case len(each) <= 3:
		return "n = " + strings.Join(each, ", ") + " responses"
	case low == high:
		return "n = " + count(low) + " responses per model"
	}
	return "n = " + count(low) + " to " + count(high) + " responses per model"
}

// short lists the models with fewer valid trials than planned.
func (v *run) short(sc *scene) string {
	var short []string
	for i, c := range sc.cells {
		if n := v.planned(sc.Scenario); c != nil && c != elsewhere && c.NotSpoken == "" && c.Valid < n {
			short = append(short, fmt.Sprintf("%s %d of %d", v.models[i], c.Valid, n))
		}
	}
	if len(short) == 0 {
		return ""
	}
	return "Valid trials: " + strings.Join(short, ", ") + "."
}

// failures says what the figures leave out; errors never improve a latency.
func (v *run) failures(sc *scene) string {
	var parts []string
	for i, c := range sc.cells {
		if c == nil {
			continue
		}
		var what []string
		if c.Failed > 0 {
			what = append(what, count(c.Failed)+" failed")
		}
		if c.Unsent > 0 {
			what = append(what, count(c.Unsent)+" never sent")
		}
		if len(what) > 0 {
			parts = append(parts, v.models[i]+" "+strings.Join(what, ", "))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "Not in n: " + strings.Join(parts, "; ") + "."
}

// dashes explains the places of models in scenarios that aren't put to them.
func (v *run) dashes() string {
	for _, sc := range v.scenes {
		if slices.Contains(sc.cells, elsewhere) {
			return "–: the scenario brings models of its own, and this is none of them."
		}
	}
	return ""
}

// level is the confidence of intervals in words: "95 %".
func (v *run) level() string {
	if v.Confidence <= 0 || v.Confidence >= 1 || !finite(v.Confidence) {
		return "95\u00a0%"
	}
	return setting(math.Round(v.Confidence*1000)/10) + "\u00a0%"
}

// whisker says what intervals are, and where too few trials make them less.
func (v *run) whisker(scs []*scene) string {
	const enough = 6                     // for a 95 % interval of a median
	some := func(least, most int) bool { // models with so many valid trials
		return slices.ContainsFunc(scs, func(sc *scene) bool {
			return slices.ContainsFunc(sc.cells, func(c *reports.Cell) bool {
				return c != nil && c.Valid >= least && c.Valid <= most
			})
		})
	}
	if some(1, 1) && !some(2, math.MaxInt) {
		return "No whisker: one trial has no interval"
	}
	s := "Whisker: " + v.level() + " interval of the median over trials"
	if some(2, enough-1) {
		s += "; of fewer than 6 valid trials, which can't give " + v.level() + ", lowest to highest trial"
	}
	if some(1, 1) {
		s += "; of one trial none"
	}
	return s
}

// colophon says whose picture this is and in what state the run was.
func (v *run) colophon() string {
	s := "Gateway Lab"
	if v.Name != "" {
		s += " · " + v.Name
	}
	if !v.Started.IsZero() {
		s += " · " + v.Started.UTC().Format("2006-01-02 15:04") + " UTC"
	}
	if e := v.Environment; e.Cores > 0 {
		unit := "cores"
		if e.Cores == 1 {
			unit = "core"
		}
		s += fmt.Sprintf(" · %d %s", e.Cores, unit)
		if e.CPU != "" {
			s += ", " + e.CPU
		}
	}
	if v.Pinned {
		s += " · server and generator pinned to separate cores"
	}
	if v.Quick {
		s += " · QUICK RUN: fewer or shorter trials, less certain"
	}
	if v.AA {
		s += " · A/A RUN: one model against itself, differences are noise"
	}
	if v.State != "" && v.State != "complete" {
		s += " · " + strings.ToUpper(v.State) + ": "
		if v.Planned > v.Finished && v.Finished > 0 {
			s += fmt.Sprintf("%d of %d trials were measured", v.Finished, v.Planned)
		} else {
			s += "not all trials were measured"
		}
	}
	return s
}

// paragraphs drops the empty ones.
func paragraphs(all ...string) []string {
	return slices.DeleteFunc(all, func(s string) bool { return s == "" })
}
