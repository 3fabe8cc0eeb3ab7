package reports_test

import (
	"slices"
	"testing"
	"time"

	"gatewaylab/scenarios/load"
)

// Of few arrivals in a window no rate can be told.
func TestFewArrivals(t *testing.T) {
	rare := closed("rare", "Now and then", "", 0, "/wait?ms=50")
	rare.Stages[0] = load.Stage{Shape: load.Constant, From: 6, For: time.Second}
	res := result(nil, models()[2:], 6)
	res.Scenarios = append(res.Scenarios, rare)
	add(res, rare, "async", 6, shape{rate: 6, ms: 51, stretch: 1.1, cpu: 0.1, memory: 16, procs: 1})
	want := "only 6 requests were due in the window of a trial, so that one more or less changes its rate by 17 %: measure for longer (--for)"
	if r := analyse(t, res); !slices.Contains(r.Footnotes, want) {
		t.Errorf("footnotes are %q", r.Footnotes)
	}
	for _, tr := range res.Measured {
		tr.Due = 20
	}
	if r := analyse(t, res); slices.Contains(r.Footnotes, want) {
		t.Error("20 are too few")
	}
}
