package chart_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatewaylab/reports"
	"gatewaylab/reports/chart"
	"gatewaylab/scenarios"
)

// A report held against theory has its predictions in the plots of goodput and
// of response times, with the method said; one that isn't has none.
func TestTheoryIsDrawn(t *testing.T) {
	res, err := scenarios.Load("../example")
	if err != nil {
		t.Fatal(err)
	}
	r, err := reports.Analyse(res)
	if err != nil {
		t.Fatal(err)
	}
	draw := func() map[string]string {
		dir := t.TempDir()
		if _, err := chart.Write(dir, r, chart.Options{Formats: []string{"svg"}}); err != nil {
			t.Fatal(err)
		}
		all := map[string]string{}
		for _, name := range []string{"goodput.svg", "wait-goodput.svg", "wait-latency-percentiles.svg"} {
			b, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			all[name] = string(b)
		}
		return all
	}
	plain := draw()
	if err := reports.HoldAgainstTheory(r, res); err != nil {
		t.Fatal(err)
	}
	r.Cells[4].Theory[0].Method = "simulated"
	for name, with := range draw() {
		if strings.Contains(plain[name], "Dashed:") || !strings.Contains(with, "Dashed:") {
			t.Errorf("%s: says of dashed lines where there are none, or doesn't", name)
		}
		if n, m := strings.Count(plain[name], "stroke-dasharray"), strings.Count(with, "stroke-dasharray"); m <= n {
			t.Errorf("%s: %d dashed strokes with theory and %d without", name, m, n)
		}
		if !strings.Contains(with, "simulated") {
			t.Errorf("%s doesn't say what is simulated", name)
		}
	}
}
