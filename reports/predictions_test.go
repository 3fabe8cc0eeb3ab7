package reports_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"gatewaylab/reports"
	"gatewaylab/scenarios"
	"gatewaylab/scenarios/load"
	"gatewaylab/scenarios/predict"
)

// predicted is what is predicted of one model and load, in every format.
func predicted(t *testing.T, scenario, spec string, cores int, trials int, costs predict.Costs, change func(*scenarios.Scenario)) (p *reports.Predictions, text, table string) {
	t.Helper()
	sc, err := scenarios.Find(scenario)
	if err != nil {
		t.Fatal(err)
	}
	change(sc)
	sc.Models = nil
	models, err := scenarios.Contestants([]string{spec})
	if err != nil {
		t.Fatal(err)
	}
	plan, err := scenarios.NewPlan([]*scenarios.Scenario{sc}, models, trials)
	if err != nil {
		t.Fatal(err)
	}
	plan.Seed = 1
	p, err = reports.Predict(t.Context(), plan, predict.Machine{Cores: cores}, func(scenarios.Cell) predict.Costs { return costs })
	if err != nil {
		t.Fatal(err)
	}
	var b, c bytes.Buffer
	if err := reports.PredictionsText(&b, p, reports.TextOptions{Width: 400}); err != nil {
		t.Fatal(err)
	}
	if err := reports.PredictionsCSV(&c, p); err != nil {
		t.Fatal(err)
	}
	return p, b.String(), c.String()
}

func crowded(users int) func(*scenarios.Scenario) {
	return func(sc *scenarios.Scenario) {
		sc.Warmup, sc.Stages = 100*time.Millisecond, []load.Stage{{Shape: load.Users, UsersFrom: users, For: time.Second}}
	}
}

var cheap = predict.Costs{Request: 20 * time.Microsecond, Known: true}

// Users whom a simulation leaves without an answer are told of, and what limits
// is what is busy.
func TestPredictionTellsWhoIsLeft(t *testing.T) {
	p, text, table := predicted(t, "hello", "eventloop", 64, 1, cheap, crowded(30_000))
	row := p.Rows[0]
	if row.Left == nil || row.Left.Users != 30_000 || row.Left.Unanswered != 20_000 || *row.Utilisation < .99 {
		t.Errorf("%+v, left %+v, %v busy", row, row.Left, row.Utilisation)
	}
	if !strings.Contains(text, "; 20,000 of 30,000 users had no answer by the end.") || !strings.Contains(table, ",30000,20000,0,0,,") {
		t.Errorf("%s%s", text, table)
	}
}

// A simulation that would never end is broken off, and says how far it came.
func TestPredictionIsBrokenOff(t *testing.T) {
	p, text, _ := predicted(t, "hello", "cgi", 64, 100, cheap, crowded(100_000))
	if row := p.Rows[0]; row.Method != predict.None || row.Goodput != nil || !strings.Contains(text, "it was ended after 200000 requests and ") {
		t.Errorf("%+v\n%s", row, text)
	}
}

// Response times that nobody can predict aren't, by simulation as little as by
// formulas.
func TestPredictionWithholdsBriefTimes(t *testing.T) {
	p, text, _ := predicted(t, "hello", "async", 2, 1, cheap, func(sc *scenarios.Scenario) {
		sc.Stages = []load.Stage{{Shape: load.Constant, From: 80_000, For: time.Second}}
	})
	if row := p.Rows[0]; row.Method != predict.Simulated || row.Goodput == nil || len(row.Response) > 0 || !strings.Contains(text, predict.Hasty) {
		t.Errorf("%+v\n%s", row, text)
	}
	p, _, _ = predicted(t, "two-testers", "prefork:workers=1", 2, 1, cheap, func(*scenarios.Scenario) {})
	if len(p.Rows) != 3 {
		t.Fatalf("%d rows", len(p.Rows))
	}
	whole, tester, arrivals := p.Rows[0], p.Rows[1], p.Rows[2]
	if whole.Goodput != nil || tester.Goodput != nil || arrivals.Method != predict.Simulated || arrivals.Response["p99"] < 350 || arrivals.Response["p50"] != 0 {
		t.Errorf("%+v\n%+v\n%+v", whole, tester, arrivals)
	}
}
