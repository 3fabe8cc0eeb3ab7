package capacity

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"gatewaylab/scenarios"
)

// An Outcome is what one trial says of its load.
type Outcome int

const (
	Held    Outcome = iota // the objective was met
	Broken                 // it was not
	Starved                // invalid: the load generator's limit, not the server's
	Void                   // invalid for another reason: says nothing
)

func (o Outcome) String() string { return [...]string{"held", "broken", "starved", "void"}[o] }

// Judge holds a trial against the objective. why names each term that it broke
// by how much, or why it says nothing.
//
// An open load is held only if it could go on: where more and more requests are
// under way, the trial was merely too short for its times to break the
// objective.
func (o Objective) Judge(t *scenarios.Trial, open bool) (out Outcome, why []string) {
	switch {
	case t.Starved:
		return Starved, t.Invalid
	case !t.Valid():
		return Void, t.Invalid
	}
	for _, term := range o.Terms {
		if text := term.broken(t); text != "" {
			why = append(why, text)
		}
	}
	if open {
		if text := pilesUp(t); text != "" {
			why = append(why, text)
		}
	}
	if len(why) > 0 {
		return Broken, why
	}
	return Held, nil
}

// broken says by how much a trial misses the term; "" if it doesn't.
func (term Term) broken(t *scenarios.Trial) string {
	missed := t.Failed + t.Unsent
	due := t.Measured + missed
	if due == 0 {
		return "nothing was answered"
	}
	within := func(v float64) bool { return v < term.Limit || term.Equal && v == term.Limit }
	switch term.Of {
	case "errors":
		if v := float64(missed) / float64(due); !within(v) {
			return fmt.Sprintf("errors were %s", percent(v))
		}
		return ""
	case "goodput":
		v := float64(t.Succeeded) / float64(max(t.Due, 1))
		if v < term.Limit || !term.Equal && v == term.Limit {
			return fmt.Sprintf("goodput was %s of what was offered", percent(v))
		}
		return ""
	}
	h := map[string]*scenarios.Histogram{"response": t.Response, "service": t.Service, "first_byte": t.FirstByte}[term.Of]
	v, answered := term.reading(h, due)
	switch {
	case !answered:
		return fmt.Sprintf("%s was not reached: %s failed or were never sent", term.name(), percent(float64(missed)/float64(due)))
	case !within(v):
		return fmt.Sprintf("%s was %s", term.name(), millis(v))
	}
	return ""
}

// reading is the term's figure in seconds. A quantile is of all that was due;
// it isn't answered if so many weren't.
func (term Term) reading(h *scenarios.Histogram, due uint64) (v float64, answered bool) {
	if h == nil || h.Histogram == nil || h.TotalCount() == 0 {
		return 0, false
	}
	switch term.Figure {
	case "mean":
		return h.Mean() / 1e6, true
	case "max":
		return float64(h.Max()) / 1e6, true
	}
	need := math.Ceil(term.Q * float64(due))
	if n := float64(h.TotalCount()); need <= n {
		return h.Quantile(need / n).Seconds(), true
	}
	return 0, false
}

// A load piles up when of all that arrived in two thirds of the window more
// than this share is under way in its last third beyond what was in its first.
const pile = 0.02

// pilesUp compares how many requests were under way in the first and in the
// last third of the window.
func pilesUp(t *scenarios.Trial) string {
	var early, late, earlyN, lateN float64
	for _, s := range t.Series {
		switch middle := s.At - s.Length/2; {
		case middle < 0 || middle > t.Window:
		case middle < t.Window/3:
			early, earlyN = early+float64(s.InFlight), earlyN+1
		case middle > t.Window*2/3:
			late, lateN = late+float64(s.InFlight), lateN+1
		}
	}
	if earlyN == 0 || lateN == 0 {
		return ""
	}
	early, late = early/earlyN, late/lateN
	grown := late - early
	arrived := float64(t.Due) * 2 / 3
	// A few more or less are chance, the more so the more are under way.
	if grown <= pile*arrived || grown <= 2+math.Sqrt(early) {
		return ""
	}
	return fmt.Sprintf("requests piled up: %.0f under way in the first third of the trial, %.0f in the last", early, late)
}

func percent(share float64) string {
	v := share * 100
	digits := 2
	if v >= 1 {
		digits = 1
	}
	return strconv.FormatFloat(v, 'f', digits, 64) + " %"
}

func millis(seconds float64) string {
	ms := seconds * 1e3
	if ms >= 10_000 {
		return time.Duration(seconds * float64(time.Second)).Round(100 * time.Millisecond).String()
	}
	digits := 1
	if ms >= 100 {
		digits = 0
	}
	return strconv.FormatFloat(ms, 'f', digits, 64) + " ms"
}
