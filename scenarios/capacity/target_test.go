package capacity_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"gatewaylab/scenarios"
	"gatewaylab/scenarios/capacity"
	"gatewaylab/servers"
)

// afar is a search among servers that the lab didn't start, each of which holds
// up to so many arrivals/s and the first of which is on this machine. It
// returns the run, with all that they were sent.
func afar(t *testing.T, q scenarios.Inquiry, window time.Duration, holds ...float64) *scenarios.Result {
	t.Helper()
	base, err := scenarios.Find("hello")
	if err != nil {
		t.Fatal(err)
	}
	var targets []*servers.Target
	for i := range holds {
		targets = append(targets, &servers.Target{
			Label: string(rune('a' + i)), URL: "http://192.0.2.7:8000", Host: "192.0.2.7:8000",
			Pinned: netip.MustParseAddrPort("192.0.2.7:8000"), Local: i == 0,
		})
	}
	models, err := scenarios.AddTargets(nil, targets)
	if err != nil {
		t.Fatal(err)
	}
	p, err := capacity.Plan(q, base, models, window)
	if err != nil {
		t.Fatal(err)
	}
	res := &scenarios.Result{State: "complete", Inquiry: p.Inquiry}
	for _, m := range models {
		res.Models = append(res.Models, m.Info())
	}
	for cells := p.Cells; len(cells) > 0; cells, _ = p.Grow(res) {
		for _, c := range cells {
			if !slices.Contains(res.Scenarios, c.Scenario) {
				res.Scenarios = append(res.Scenarios, c.Scenario)
			}
			rate := capacity.Rates(res)[c.Scenario.Name]
			tr := thousand()
			tr.Scenario, tr.Model, tr.Window, tr.Warmup = c.Scenario.Name, c.Contestant.Label, c.Scenario.For(), c.Scenario.Warmup
			if rate > holds[slices.Index(models, c.Contestant)] {
				tr.Failed, tr.Due = 1000, 2000
			}
			res.Measured = append(res.Measured, tr)
		}
	}
	return res
}

func asked(most int) scenarios.Inquiry {
	return scenarios.Inquiry{
		Kind: scenarios.ByRate, Objective: "p50<90ms,errors<1%", From: 50, To: 50_000, Least: 1,
		Resolution: 0.05, Agree: 6, Most: most, Curve: true,
	}
}

// However much a server elsewhere holds, it gets no more than it may, and the
// finding says that this is why.
func TestTargetGetsNoMoreThanItMay(t *testing.T) {
	res := afar(t, asked(80), 2*time.Second, 8_000, 20_000, 400)
	rates, most := capacity.Rates(res), map[string]float64{}
	for _, tr := range res.Measured {
		most[tr.Model] = max(most[tr.Model], rates[tr.Scenario])
	}
	if most["a"] < 8_000 || most["b"] != scenarios.MaxTargetRate || most["c"] < 400 {
		t.Errorf("sent at most %v", most)
	}
	for label, want := range map[string]capacity.Finding{
		"b": {Rate: scenarios.MaxTargetRate, Low: scenarios.MaxTargetRate, LowSure: true, Limit: capacity.LimitTarget},
	} {
		f := capacity.Retrace(res, label).Search.Finding()
		f.Trials = 0
		if f != want {
			t.Errorf("%s: %+v, want %+v", label, f, want)
		}
	}
	for label, holds := range map[string]float64{"a": 8_000, "c": 400} {
		if f := capacity.Retrace(res, label).Search.Finding(); !f.LowSure || !f.HighSure || f.Low > holds || f.High <= holds {
			t.Errorf("%s: %+v, it holds %g", label, f, holds)
		}
	}
}

// Servers elsewhere share the time that they may be sent requests for; when it
// is spent, those here are searched on.
func TestTargetsShareTheirTime(t *testing.T) {
	res := afar(t, asked(80), time.Minute, 700, 700, 900)
	trials := map[string]int{}
	for _, tr := range res.Measured {
		trials[tr.Model]++
	}
	far := res.TargetTime()
	if far > scenarios.MaxTargetTime || far < scenarios.MaxTargetTime-2*time.Minute {
		t.Errorf("sent requests for %s", far)
	}
	if d := trials["b"] - trials["c"]; d < -1 || d > 1 || trials["a"] < 60 {
		t.Errorf("trials: %v", trials)
	}
	for _, label := range []string{"b", "c"} {
		if f := capacity.Retrace(res, label).Search.Finding(); !f.Cut || f.Low == 0 {
			t.Errorf("%s: %+v", label, f)
		}
	}
}
