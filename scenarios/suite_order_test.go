package scenarios

import (
	"testing"
)

// The two of a pair follow each other, now the one first and now the other, and
// each cell has all its trials.
func TestSuiteOrderKeepsPairsTogether(t *testing.T) {
	s, err := FindSuite("fidelity")
	if err != nil {
		t.Fatal(err)
	}
	built := *s
	built.Pairs = []Pair{{Entry{Spec: "serial"}, Entry{Spec: "prefork"}}, {Entry{Spec: "async"}, Entry{Spec: "eventloop"}}}
	p, err := NewSuitePlan(&built, nil, 3)
	if err != nil {
		t.Fatal(err)
	}
	p.Seed = 1
	jobs, modelFirst, trials := p.order(), 0, map[Cell]int{}
	if want := 2 * 2 * 6 * 3; len(jobs) != want {
		t.Fatalf("%d trials, want %d", len(jobs), want)
	}
	for i := 0; i < len(jobs); i += 2 {
		a, b := jobs[i], jobs[i+1]
		together := map[string]string{"serial": "prefork", "prefork": "serial", "async": "eventloop", "eventloop": "async"}
		if a.Scenario != b.Scenario || a.Trial != b.Trial || together[a.Model] != b.Model {
			t.Errorf("%s of %s is followed by %s of %s", a.Model, a.Scenario, b.Model, b.Scenario)
		}
		if a.Model == "serial" || a.Model == "async" {
			modelFirst++
		}
		trials[a.cell]++
		trials[b.cell]++
	}
	if modelFirst < 9 || modelFirst > 27 {
		t.Errorf("the model comes first in %d of %d pairs, want about half", modelFirst, len(jobs)/2)
	}
	for c, n := range trials {
		if n != 3 {
			t.Errorf("%s under %s has %d trials, want 3", c.Contestant.Label, c.Scenario.Name, n)
		}
	}
}
