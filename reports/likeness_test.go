package reports

import (
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"gatewaylab/scenarios"
)

func TestVerdicts(t *testing.T) {
	for _, c := range []struct {
		low, high float64
		share     bool
		sure      float64
		want      Likeliness
	}{
		{0.9, 1.1, false, 0.97, Same},
		{0.8, 1.25, false, 0.97, Same},
		{0.79, 1.1, false, 0.97, Undecided},
		{0.9, 1.26, false, 0.97, Undecided},
		{0.1, 9, false, 0.97, Undecided},
		{1.26, 1.3, false, 0.97, Different},
		{0.1, 0.79, false, 0.97, Different},
		{0.9, 1.1, false, 0.9, Undecided},
		{5, 6, false, 0.9, Undecided},
		{-0.1, 0.1, true, 0.97, Same},
		{-0.2, 0.1, true, 0.97, Undecided},
		{-0.3, -0.11, true, 0.97, Different},
		{0.5, 0.9, true, 0.97, Different},
	} {
		if got := verdictOf(Estimate{Low: c.low, High: c.high, Confidence: c.sure, N: 4}, c.share); got != c.want {
			t.Errorf("[%v, %v], share %v, %v sure: %s, want %s", c.low, c.high, c.share, c.sure, got, c.want)
		}
	}
}

// The interval leaves out as many ratios at either end as the Mann–Whitney
// distribution lets it: with 4 and 4 none (1 − 2/70), with 6 and 6 five, the
// tables' critical value.
func TestBetween(t *testing.T) {
	ratio := func(a, b float64) float64 { return a / b }
	e := between([]float64{2, 4, 6, 8}, []float64{1, 1, 1, 2}, ratio)
	if e.Low != 1 || e.High != 8 || e.Median != 4 || math.Abs(e.Confidence-(1-2.0/70)) > 1e-9 || e.N != 4 {
		t.Errorf("of 4 and 4: %+v", e)
	}
	a, b := []float64{10, 20, 30, 40, 50, 60}, []float64{1, 2, 3, 4, 5, 6}
	e = between(a, b, func(a, b float64) float64 { return a - b })
	all := 0
	for _, x := range a {
		for _, y := range b {
			if x-y < e.Low {
				all++
			}
		}
	}
	if all != 5 || e.Confidence < 0.95 || e.Confidence > 0.97 {
		t.Errorf("of 6 and 6: %+v leaves out %d at the lower end, want 5", e, all)
	}
	if e := between([]float64{1, 2, 3}, []float64{1, 2, 3}, ratio); e.Confidence > 0.91 {
		t.Errorf("of 3 and 3: %+v, want no more than 0.9", e)
	}
	if e := between([]float64{3}, []float64{2}, ratio); e.Median != 1.5 || e.Low != 1.5 || e.Confidence != 0 {
		t.Errorf("of 1 and 1: %+v", e)
	}
}

// Every known cause is of something that the suite compares.
func TestCausesAreOfTheSuite(t *testing.T) {
	s, err := scenarios.FindSuite("fidelity")
	if err != nil || s == nil {
		t.Fatalf("fidelity: %v, %v", s, err)
	}
	found := make([]int, len(causes()))
	for _, p := range s.Pairs {
		both, err := scenarios.Contestants([]string{p.Model.Spec, p.Twin.Spec})
		if err != nil {
			t.Fatal(err)
		}
		model, twin := both[0].Info(), both[1].Info()
		for _, sc := range s.Situations {
			for _, a := range sc.Compare {
				why := causeOf(&model, &twin, sc.Name, a)
				for i, c := range causes() {
					if c.why == why && c.situation == sc.Name {
						found[i]++
					}
				}
			}
		}
	}
	for i, c := range causes() {
		if found[i] == 0 {
			t.Errorf("%s v %s in %s, %q: the suite compares no such thing", c.model, c.twin, c.situation, c.aspect)
		}
	}
	if why := causeOf(&scenarios.ModelInfo{Name: "prefork"}, &scenarios.ModelInfo{Name: "serial"}, "hang", scenarios.Recovery); why != "" {
		t.Errorf("a pair of which nothing is known differs because %s", why)
	}
}

// The table in the docs knows no cause that the code doesn't.
func TestDocumentedCauses(t *testing.T) {
	b, err := os.ReadFile("fidelity/report.md")
	if err != nil {
		t.Fatal(err)
	}
	differ := 0
	for line := range strings.SplitSeq(string(b), "\n") {
		_, why, found := strings.Cut(line, "| **different** | ")
		if !found {
			continue
		}
		differ++
		if !slices.ContainsFunc(causes(), func(c cause) bool { return md(c.why)+" |" == why }) {
			t.Errorf("reports/fidelity/report.md gives a cause that stands in no row of causes: %s; run lab report again on its run, or measure again", why)
		}
	}
	if differ == 0 {
		t.Error("reports/fidelity/report.md holds no difference")
	}
}
