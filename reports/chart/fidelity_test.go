package chart

import (
	"strings"
	"testing"

	"gatewaylab/reports"
	"gatewaylab/scenarios"
)

// likened is a report of pairs with every outcome in it.
func likened() *reports.Report {
	by := func(low, mid, high float64) reports.Estimate {
		return reports.Estimate{Low: low, Median: mid, High: high, N: 4, Confidence: 0.97}
	}
	f := &reports.Fidelity{Title: "Do the models behave like the real servers?", Question: "Each beside its twin.", Criterion: "Same: near enough."}
	for i, name := range []string{"prefork", "threads", "eventloop", "cgi", "fastcgi", "front"} {
		f.Pairs = append(f.Pairs, scenarios.Pair{Model: scenarios.Entry{Spec: name}, Twin: scenarios.Entry{Spec: "twin_of_" + name}})
		row := func(situation string, a scenarios.Aspect, by reports.Estimate, share bool, v reports.Likeliness) {
			f.Rows = append(f.Rows, reports.Likeness{Pair: name, Twin: "twin_of_" + name, Situation: situation, Aspect: a, By: by, Share: share, Verdict: v})
		}
		x := 1 + float64(i)/100
		row("waiting", scenarios.Ceiling, by(x-0.02, x, x+0.02), false, reports.Same)
		row("cpu", scenarios.Speed, by(12*x, 13*x, 15*x), false, reports.Different)
		row("crash", scenarios.Recovery, by(0.04, x, 9), false, reports.Undecided)
		row("overload", scenarios.InTime, by(0.4, 0.41, 0.5), true, reports.Different)
		row("hang", scenarios.Unharmed, by(-0.9, -0.12, 0.3), true, reports.Undecided)
		row("hang", scenarios.Recovery, reports.Estimate{}, false, reports.Unknown)
	}
	r := threeByThree()
	r.Fidelity = f
	return r
}

func TestFidelityIsOnePlot(t *testing.T) {
	r := likened()
	dir, files := write(t, r, Options{Formats: []string{"svg"}})
	if len(files) != 1 || files[0].Path != "fidelity.svg" || files[0].Kind != KindFidelity {
		t.Fatalf("files: %v", files)
	}
	for _, want := range []string{
		"prefork v twin_of_prefork, waiting: goodput ÷ ceiling: 1.00×, same",
		"front v twin_of_front, overload: answered in time: 41.0 points, different",
	} {
		if !strings.Contains(files[0].Caption, want) {
			t.Errorf("the caption doesn't say %q:\n%s", want, files[0].Caption)
		}
	}
	all := parse(t, read(t, dir, files[0].Path)).joined()
	for _, want := range []string{"waiting: goodput ÷ ceiling", "hang: others unharmed", "model ÷ twin", "percentage points", "13.0×", "+41", "−12", "eventloop"} {
		if !strings.Contains(all, want) {
			t.Errorf("the picture doesn't say %q:\n%s", want, all)
		}
	}
	whole(t, "fidelity", r)
	one := likened()
	one.Fidelity.Rows = one.Fidelity.Rows[:4] // of one pair, with a single share
	whole(t, "one pair", one)
	one.Fidelity.Rows = one.Fidelity.Rows[:3] // ratios alone
	whole(t, "ratios", one)
}
