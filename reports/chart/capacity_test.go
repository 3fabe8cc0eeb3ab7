package chart

import (
	"math"
	"strings"
	"testing"

	"gatewaylab/reports"
	"gatewaylab/scenarios"
)

// looked is a report of a run that looked for what two models hold.
func looked(kind string) *reports.Report {
	r := cases()["one"]
	r.Models = append(r.Models[:1:1], scenarios.ModelInfo{Label: "prefork:workers=8", Name: "prefork"})
	c := &reports.Capacity{
		Inquiry: scenarios.Inquiry{Kind: kind, Scenario: "wait", Objective: "p99<100ms,errors<0.1%", Resolution: 0.05, Agree: 6},
		Window:  2, Warmup: 0.5, Limits: []reports.TimeLimit{{Text: "p99<100ms", Quantile: "p99", Millis: 100}},
		Quantiles: []string{"p50", "p99"}, Drawn: []string{"p50", "p99"},
	}
	r.Capacity = c
	e := func(v, spread float64) reports.Estimate {
		return reports.Estimate{Median: v, Low: v * (1 - spread), High: v * (1 + spread), N: 6, Confidence: 0.97}
	}
	for i, m := range r.Models {
		top := 80 * math.Pow(2, float64(i))
		h := &reports.ModelCapacity{Model: m.Label, Rate: top, Low: top * 0.98, High: top * 1.05, LowSure: true, HighSure: true, Text: "Holds."}
		if i == 1 {
			h.High, h.Limit = 0, "generator"
		}
		if kind == scenarios.ByUsers {
			h.USL = &reports.USL{Gamma: e(20*float64(i+1), 0.02), Alpha: e(0.03, 0.2), Beta: e(0.0008, 0.3), Peak: e(34.8, 0.1), AtPeak: e(300*float64(i+1), 0.1), R2: 0.997}
		}
		for _, share := range []float64{0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1, 1.05, 1.1, 1.2, 3} {
			load := top * share
			ms := 50 / math.Max(0.03, 1-share*0.93)
			cell := &reports.Cell{Goodput: e(math.Min(load, top), 0.02), Response: map[string]reports.Estimate{"p50": e(ms, 0.05), "p99": e(2*ms, 0.1)}, Valid: 6, Trials: 6}
			if kind == scenarios.ByUsers {
				load = math.Round(64 * share / 3)
				cell.Goodput = e(h.USL.At(load)*(1+0.02*math.Sin(load)), 0.03)
			}
			h.Points = append(h.Points, reports.Tried{Load: load, Verdict: "held", Cell: cell})
		}
		c.Models = append(c.Models, h)
	}
	c.Best, c.Verdict = c.Models[0].Model, c.Models[0].Model+" is the best setting."
	return r
}

func TestCapacityHasOnePlot(t *testing.T) {
	for kind, want := range map[string]string{scenarios.ByRate: "wait-knee", scenarios.ByUsers: "wait-scaling", scenarios.BySettings: "wait-settings"} {
		for _, theme := range []string{"light", "dark"} {
			dir, files := write(t, looked(kind), Options{Theme: theme})
			if len(files) != 2 || files[0].Path != want+".png" || files[1].Path != want+".svg" || files[0].Scenario != "wait" {
				t.Fatalf("%s: %v", kind, files)
			}
			svg := string(read(t, dir, want+".svg"))
			words := map[string][]string{
				scenarios.ByRate:     {">p99&lt;100ms<", "interval found", "offered (arrivals/s)", "80 [78.4–84] /s"},
				scenarios.ByUsers:    {"law fitted", "users (closed loop)", "N*, the peak", "R² 0.997", "α"},
				scenarios.BySettings: {"rate held within the objective", "is the best setting."},
			}[kind]
			for _, w := range append(words, "objective: p99&lt;100ms") {
				if !strings.Contains(strings.ReplaceAll(svg, "\u00a0", " "), w) {
					t.Errorf("%s: the picture doesn't say %q", kind, w)
				}
			}
		}
	}
}

// An objective of another quantile is drawn with that quantile's curve.
func TestKneeDrawsTheObjectivesQuantile(t *testing.T) {
	r := looked(scenarios.ByRate)
	r.Capacity.Limits = []reports.TimeLimit{{Text: "p90<60ms", Quantile: "p90", Millis: 60}, {Text: "p98<100ms", Quantile: "p98", Millis: 100}}
	r.Capacity.Drawn = []string{"p50", "p90", "p98"}
	for _, m := range r.Capacity.Models {
		for _, p := range m.Points {
			times := p.Cell.Response
			times["p90"], times["p98"] = times["p99"], times["p99"]
			delete(times, "p99")
		}
	}
	dir, _ := write(t, r, Options{Formats: []string{"svg"}})
	all := parse(t, read(t, dir, "wait-knee.svg")).joined()
	for _, want := range []string{"p98 p90 p50 the objective", "p98<100ms", "p90<60ms"} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in\n%s", want, all)
		}
	}
	if strings.Contains(all, "nothing to draw") {
		t.Error("nothing is drawn")
	}
}

// Rates far beyond what was found would squeeze the knee into a corner.
func TestKneeLeavesOutWhatIsFarBeyond(t *testing.T) {
	r := looked(scenarios.ByRate)
	low, high := newRun(r).kneeReach()
	top := r.Capacity.Models[len(r.Capacity.Models)-1].Rate
	if low != 40 || high < top || high > 1.4*top {
		t.Errorf("from %g to %g", low, high)
	}
	for _, m := range r.Capacity.Models {
		for _, p := range kneePoints(m) {
			if p.Load > 1.4*m.Rate {
				t.Errorf("%s, which holds %g/s, is drawn at %g/s", m.Model, m.Rate, p.Load)
			}
		}
	}
}

// A run of which nothing is known yet, or in which a model was refused, is
// drawn all the same.
func TestCapacityOfNothing(t *testing.T) {
	for _, kind := range []string{scenarios.ByRate, scenarios.ByUsers, scenarios.BySettings} {
		r := looked(kind)
		for _, m := range r.Capacity.Models {
			m.Rate, m.Low, m.High, m.Points = 0, 0, 0, nil
			if m.USL != nil {
				m.USL = &reports.USL{Why: "nothing"}
			}
		}
		r.Capacity.Models = r.Capacity.Models[1:]
		r.Capacity.Best = ""
		dir, files := write(t, r, Options{DPI: 48})
		if len(files) != 2 {
			t.Errorf("%s: %v", kind, files)
			continue
		}
		want := map[string]string{scenarios.ByRate: "no valid trial", scenarios.ByUsers: "no law fitted", scenarios.BySettings: "not known"}[kind]
		if svg := string(read(t, dir, files[1].Path)); !strings.Contains(svg, want) {
			t.Errorf("%s: the picture doesn't say %q", kind, want)
		}
	}
}
