package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"gatewaylab/reports"
	"gatewaylab/scenarios"
	"gatewaylab/scenarios/predict"
)

// What theory says of every embedded scenario, beside one run of each as a user
// would make it: with the CPU time that the run itself shows, and as lab predict
// says it before there is a run, with what requests cost in a calibration, which
// is made anew. Formulas are off by less than 10 % at the median; of ten figures
// that are simulated nine are in the measurement's interval or within 10 %:
//
//	go test -run '^$' -bench Predictions -benchtime 1x -timeout 2h ./cmd/lab
//
// The table is printed at the end, of what ran: the benchmarks' own log would
// cut it after ten lines.
func BenchmarkPredictions(b *testing.B) {
	all, err := scenarios.Library()
	if err != nil {
		b.Fatal(err)
	}
	var rows []foretold
	costs := "anew"
	for _, sc := range all {
		b.Run(sc.Name, func(b *testing.B) {
			for b.Loop() {
				rows = append(rows, holdAgainstTheory(b, sc.Name, costs)...)
				costs = "auto"
			}
		})
	}
	if len(rows) > 0 {
		printPredictions(rows)
		judgePredictions(b, rows)
	}
}

// A foretold is a cell, or one stage of it, with what was said of it.
type foretold struct {
	scenario, model   string
	held              reports.Held
	goodput, response *reports.Against // nil: not predicted, or not measured
	kind              string           // of response: its p50, else its mean
	intervals         [2]string        // as measured
	given             bool             // all is answered that comes: goodput is the arrivals' rate, which nobody has to foretell
	before            foresight
}

// A foresight is what lab predict says of a cell before it is measured, and by
// how much it is off.
type foresight struct {
	method            predict.Method
	goodput, response *reports.Against
}

// holdAgainstTheory runs a scenario with those of its models that can run here.
// Whether it meets its expectations is another proof's business.
func holdAgainstTheory(b *testing.B, scenario, costs string) (rows []foretold) {
	b.Helper()
	said := foretellBefore(b, scenario, costs)
	var out, diag bytes.Buffer
	code := run(b.Context(), []string{"compare", "--scenario", scenario, "--theory", "--dash", "off", "--plots", "none", "--format", "json", "--out", b.TempDir()},
		streams{strings.NewReader(""), &out, &diag})
	var r reports.Report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		b.Fatalf("exit status %d, %v:\n%s", code, err, diag.String())
	}
	for _, c := range r.Cells {
		for _, h := range c.Theory {
			rows = append(rows, measured(c, h, said))
		}
	}
	if off := differences(rows, byFormula, goodputOf); len(off) > 0 {
		b.ReportMetric(median(off), "%off/goodput")
	}
	return rows
}

// foretellBefore is what lab predict says of a scenario.
func foretellBefore(b *testing.B, scenario, costs string) (p reports.Predictions) {
	b.Helper()
	var out, diag bytes.Buffer
	code := run(b.Context(), []string{"predict", "--scenario", scenario, "--costs", costs, "--format", "json"}, streams{strings.NewReader(""), &out, &diag})
	if err := json.Unmarshal(out.Bytes(), &p); err != nil || code != 0 {
		b.Fatalf("exit status %d, %v:\n%s", code, err, diag.String())
	}
	return p
}

// measured finds the figures of a cell that were predicted.
func measured(c *reports.Cell, h reports.Held, said reports.Predictions) foretold {
	f := foretold{scenario: c.Scenario, model: c.Model, held: h}
	goodput, response, offered := c.Goodput, c.Response, c.Offered
	if i := slices.IndexFunc(c.Stages, func(p reports.PartCell) bool { return p.Name == h.Part }); h.Part != "" && i >= 0 {
		goodput, response, offered = c.Stages[i].Goodput, c.Stages[i].Response, c.Stages[i].Offered
	}
	figure := func(quantity string, e reports.Estimate) (*reports.Against, string) {
		i := slices.IndexFunc(h.Figures, func(a reports.Against) bool { return a.Quantity == quantity })
		if i < 0 {
			return nil, ""
		}
		return &h.Figures[i], fmt.Sprintf("%s [%s–%s]", digits(e.Median), digits(e.Low), digits(e.High))
	}
	f.goodput, f.intervals[0] = figure("goodput", goodput)
	for _, f.kind = range []string{"p50", "mean"} {
		if f.response, f.intervals[1] = figure("response "+f.kind, response[f.kind]); f.response != nil {
			break
		}
	}
	f.given = answersAll(f, goodput, offered)
	f.before = foreseen(f, said, goodput, response)
	return f
}

// answersAll says whether an open load was answered to the last request or so.
func answersAll(f foretold, goodput, offered reports.Estimate) bool {
	sc, err := scenarios.Find(f.scenario)
	return err == nil && sc.Open() && offered.Median > 0 && math.Abs(goodput.Median/offered.Median-1) < .02
}

// foreseen holds what was said before against what was measured.
func foreseen(f foretold, said reports.Predictions, goodput reports.Estimate, response map[string]reports.Estimate) foresight {
	i := slices.IndexFunc(said.Rows, func(r reports.Predicted) bool {
		return r.Scenario == f.scenario && r.Model == f.model && r.Stage == f.held.Part
	})
	if i < 0 {
		return foresight{method: predict.None}
	}
	row := said.Rows[i]
	before := foresight{method: row.Method}
	if row.Goodput != nil {
		before.goodput = against(*row.Goodput, goodput)
	}
	for _, kind := range []string{"p50", "mean"} {
		predicted, ok := row.Response[kind]
		if ok && (f.response == nil || kind == f.kind) {
			before.response = against(predicted, response[kind])
			break
		}
	}
	return before
}

// against is by how much what was measured is above what was said; nil, if
// nothing was measured.
func against(predicted float64, e reports.Estimate) *reports.Against {
	if !e.Known() {
		return nil
	}
	a := reports.Against{Predicted: predicted, Measured: e.Median, Low: e.Low, High: e.High, Within: e.Low <= predicted && predicted <= e.High}
	switch {
	case predicted > 0:
		a.Percent = 100 * (e.Median/predicted - 1)
	case e.Median > 0:
		a.Percent = 100
	}
	return &a
}

func goodputOf(f foretold) *reports.Against  { return f.goodput }
func responseOf(f foretold) *reports.Against { return f.response }

func goodputBefore(f foretold) *reports.Against  { return f.before.goodput }
func responseBefore(f foretold) *reports.Against { return f.before.response }

func byFormula(f foretold) bool { return f.held.Method == predict.Formula }
func simulated(f foretold) bool { return f.held.Method == predict.Simulated }

// priced says whether a formula rests on CPU time above all, which is the run's
// own: it says then no more than that nothing but the cores is in the way.
func priced(f foretold) bool {
	return byFormula(f) && slices.Contains([]string{"cores/D", "c/D", "threads/D", "M/M/c//N"}, f.held.Name)
}

func unpriced(f foretold) bool { return byFormula(f) && !priced(f) }

func given(f foretold) bool { return f.given && f.held.Method != predict.None }

// open leaves out of what is predicted what nobody has to foretell.
func open(by func(foretold) bool) func(foretold) bool {
	return func(f foretold) bool { return by(f) && !f.given }
}

func formulaBefore(f foretold) bool   { return f.before.method == predict.Formula }
func simulatedBefore(f foretold) bool { return f.before.method == predict.Simulated }

// differences are the absolute ones, in per cent, of what was predicted by a
// method.
func differences(rows []foretold, by func(foretold) bool, of func(foretold) *reports.Against) (off []float64) {
	for _, f := range rows {
		if a := of(f); a != nil && by(f) {
			off = append(off, math.Abs(a.Percent))
		}
	}
	return off
}

func median(v []float64) float64 {
	slices.Sort(v)
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// digits are four, or those before the point.
func digits(v float64) string {
	if v >= 1000 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.4g", v)
}

// printPredictions prints what reports/theory/report.md consists of.
func printPredictions(rows []foretold) {
	fmt.Print("\n| scenario | model, stage | by | goodput/s | measured | off by | said before | response, ms | measured | off by | said before |\n" +
		"|:--|:--|:--|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	var reasons []string
	of := map[string][]string{} // by reason, the cells
	last := ""
	for _, f := range rows {
		who := f.model
		if f.held.Part != "" {
			who += ", " + f.held.Part
		}
		if f.held.Method == predict.None {
			if of[f.held.Why] == nil {
				reasons = append(reasons, f.held.Why)
			}
			of[f.held.Why] = append(of[f.held.Why], f.scenario+": "+who)
			continue
		}
		by := f.held.Name
		if f.held.Method == predict.Simulated {
			by = string(f.held.Method)
		}
		scenario := f.scenario
		if scenario == last {
			scenario = ""
		}
		last = f.scenario
		fmt.Printf("| %s | %s | %s |", scenario, who, by)
		before := []*reports.Against{f.before.goodput, f.before.response}
		for i, a := range []*reports.Against{f.goodput, f.response} {
			if a == nil {
				fmt.Printf(" – | – | – | %s |", off(before[i]))
				continue
			}
			predicted := digits(a.Predicted)
			if i == 1 {
				predicted = f.kind + " " + predicted
			}
			fmt.Printf(" %s | %s | %s | %s |", predicted, f.intervals[i], off(a), off(before[i]))
		}
		fmt.Println()
	}
	fmt.Println()
	for _, why := range reasons {
		fmt.Printf("- No theory applies: %s (%s)\n", why, strings.Join(of[why], "; "))
	}
	fmt.Println()
}

// off is a difference in words.
func off(a *reports.Against) string {
	if a == nil {
		return "–"
	}
	return fmt.Sprintf("%+.1f %%", a.Percent)
}

// judgePredictions sums up what the rows show, and fails for what they don't.
func judgePredictions(b *testing.B, rows []foretold) {
	b.Helper()
	fmt.Print("| | figures | off by, at the median | in the measurement's interval or within 10 % |\n|:--|--:|--:|--:|\n")
	figures := 0
	for _, k := range []struct {
		name   string
		by     func(foretold) bool
		of     func(foretold) *reports.Against
		judged func(off float64, within, n int) string // "" if it is as it should be
	}{
		{"goodput where all is answered that comes", given, goodputOf, nineOfTen},
		{"other goodput, by formulas that need no CPU time", open(unpriced), goodputOf, nearAtTheMedian},
		{"response times by them", unpriced, responseOf, nearAtTheMedian},
		{"other goodput, by formulas with the run's own CPU time", open(priced), goodputOf, nearAtTheMedian},
		{"response times by them", priced, responseOf, nearAtTheMedian},
		{"other goodput, by simulation", open(simulated), goodputOf, nineOfTen},
		{"response times by simulation", simulated, responseOf, nineOfTen},
		{"said before the run: other goodput, by formulas", open(formulaBefore), goodputBefore, nearAtTheMedian},
		{"said before the run: response times by formulas", formulaBefore, responseBefore, nearAtTheMedian},
		{"said before the run: other goodput, by simulation", open(simulatedBefore), goodputBefore, nineOfTen},
		{"said before the run: response times by simulation", simulatedBefore, responseBefore, nearAtTheMedian},
	} {
		off := differences(rows, k.by, k.of)
		if len(off) == 0 {
			continue
		}
		within := 0
		for _, f := range rows {
			if a := k.of(f); a != nil && k.by(f) && (a.Within || math.Abs(a.Percent) <= 10) {
				within++
			}
		}
		figures += len(off)
		fmt.Printf("| %s | %d | %.1f %% | %d |\n", k.name, len(off), median(off), within)
		if fault := k.judged(median(off), within, len(off)); fault != "" {
			b.Errorf("%s: %s", k.name, fault)
		}
	}
	fmt.Println()
	if figures == 0 {
		b.Error("nothing that was predicted was measured: no trial was valid, or no theory applies")
	}
}

func nearAtTheMedian(off float64, _, n int) string {
	if off < 10 {
		return ""
	}
	return fmt.Sprintf("%d are off by %.1f %% at the median, not by less than 10 %%", n, off)
}

func nineOfTen(_ float64, within, n int) string {
	if 10*within >= 9*n {
		return ""
	}
	return fmt.Sprintf("%d of %d have what was measured, fewer than 9 in 10", within, n)
}
