package scenarios_test

import (
	"slices"
	"testing"
	"time"

	"gatewaylab/scenarios"
)

// A plan that grows: it is asked for more when none are left, told all that was
// measured, and what it adds is measured and saved like the rest.
func TestRunGrows(t *testing.T) {
	first := tiny("/hello")
	c := contestants(t, "async")
	p := plan(t, first, 1, c...)
	second := *first
	second.Name, second.Warmup = "second", 0
	p.Inquiry, p.Foreseen = &scenarios.Inquiry{Kind: scenarios.ByRate, Scenario: "tiny", Agree: 1}, 2
	asked := 0
	p.Grow = func(so *scenarios.Result) (more []scenarios.Cell, left int) {
		asked++
		if len(so.Measured) != asked && asked < 3 {
			t.Errorf("asked a %dth time with %d trials", asked, len(so.Measured))
		}
		if asked > 2 {
			return nil, 0
		}
		return []scenarios.Cell{{Scenario: &second, Contestant: c[0]}}, 2 - asked
	}
	var totals []int
	var left time.Duration
	res, err := scenarios.Run(t.Context(), p, func(e scenarios.Event) {
		switch e := e.(type) {
		case scenarios.PlanStarted:
			totals = append(totals, e.Total)
		case scenarios.TrialDone:
			totals, left = append(totals, e.Total), e.Left
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if asked != 3 || res.State != "complete" || res.Planned != 3 || !slices.Equal(totals, []int{3, 3, 3, 3}) || left != 0 {
		t.Errorf("asked %d times; %s, %d planned; totals %v, %s left", asked, res.State, res.Planned, totals, left)
	}
	saved, err := scenarios.Load(p.Store.Dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, tr := range saved.Measured {
		got = append(got, tr.Scenario)
	}
	if !slices.Equal(got, []string{"tiny", "second", "second"}) || saved.Measured[2].Trial != 2 || len(saved.Scenarios) != 2 || saved.Inquiry == nil {
		t.Errorf("saved trials %v, %d scenarios, inquiry %+v", got, len(saved.Scenarios), saved.Inquiry)
	}
}
