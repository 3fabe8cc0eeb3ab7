package reports_test

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"gatewaylab/reports"
	"gatewaylab/scenarios"
	"gatewaylab/scenarios/predict"
)

// The saved example against theory: its D is as measured, and what follows from
// it is what was measured.
func TestHoldAgainstTheory(t *testing.T) {
	res, err := scenarios.Load("example")
	if err != nil {
		t.Fatal(err)
	}
	r, err := reports.Analyse(res)
	if err != nil {
		t.Fatal(err)
	}
	if err := reports.HoldAgainstTheory(r, res); err != nil {
		t.Fatal(err)
	}
	if f := r.Theory.Formula; f.Figures < 20 || f.Percent >= 10 {
		t.Errorf("%d figures by formulas, off by %.1f %% at the median", f.Figures, f.Percent)
	}
	for _, c := range r.Cells {
		if len(c.Theory) != 1 || c.Theory[0].Method != predict.Formula || len(c.Theory[0].Figures) < 2 {
			t.Errorf("%s on %s: %+v", c.Model, c.Scenario, c.Theory)
			continue
		}
		for _, a := range c.Theory[0].Figures {
			if want := 100 * (a.Measured/a.Predicted - 1); math.Abs(a.Percent-want) > 1e-9 {
				t.Errorf("%s on %s: %s of %g is %g %% off %g", c.Model, c.Scenario, a.Quantity, a.Measured, a.Percent, a.Predicted)
			}
		}
	}
	for name, render := range map[string]reports.Renderer{
		"text": reports.Text(reports.TextOptions{}), "Markdown": reports.Markdown(nil), "CSV": reports.CSV, "JSON": reports.JSON,
	} {
		var b bytes.Buffer
		if err := render(&b, r); err != nil {
			t.Fatal(err)
		}
		want := "cores/D"
		if !strings.Contains(b.String(), want) || name == "text" && !strings.Contains(b.String(), " figures by formulas, off by ") {
			t.Errorf("%s says nothing of theory", name)
		}
		if name == "JSON" && !json.Valid(b.Bytes()) {
			t.Error("the JSON is none")
		}
	}
}

// Where no formula applies the trials are simulated with their own arrivals, and
// a run that was simulated before is predicted to the last digit.
func TestSimulationIsHeldAgainstItself(t *testing.T) {
	sc, err := scenarios.Find("how-many-workers")
	if err != nil {
		t.Fatal(err)
	}
	sc.Models = nil
	models, err := scenarios.Contestants([]string{"prefork:workers=4"})
	if err != nil {
		t.Fatal(err)
	}
	m := models[0]
	res := &scenarios.Result{State: "complete", Seed: 5, Trials: 6, Planned: 6, Scenarios: []*scenarios.Scenario{sc}, Models: []scenarios.ModelInfo{m.Info()}}
	res.Environment.Cores = 2
	for n := range 6 {
		trial, _, err := predict.Simulate(t.Context(), sc, m.Configured, predict.Machine{Cores: 2, Shared: true}, predict.Costs{},
			scenarios.Ref{Scenario: sc.Name, Model: m.Label, Trial: n + 1, Of: 6}, res.Seed)
		if err != nil {
			t.Fatal(err)
		}
		trial.Server.CPU = 0
		res.Measured = append(res.Measured, trial)
	}
	r, err := reports.Analyse(res)
	if err != nil {
		t.Fatal(err)
	}
	if err := reports.HoldAgainstTheory(r, res); err != nil {
		t.Fatal(err)
	}
	h := r.Cells[0].Theory[0]
	if h.Method != predict.Simulated || len(h.Figures) < 4 || r.Theory.Simulated.Percent != 0 || len(h.Expected) == 0 {
		t.Errorf("%+v", h)
	}
	var b bytes.Buffer
	if err := reports.Text(reports.TextOptions{})(&b, r); err != nil || !strings.Contains(b.String(), "simulated; no formula applies: at 75 %") {
		t.Errorf("%v\n%s", err, &b)
	}
}
