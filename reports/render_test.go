package reports_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"gatewaylab/reports"
	"gatewaylab/scenarios"
)

var update = flag.Bool("update", false, "rewrite the golden files in testdata")

func analyse(t testing.TB, res *scenarios.Result) *reports.Report {
	t.Helper()
	r, err := reports.Analyse(res)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func render(t testing.TB, f reports.Renderer, r *reports.Report) string {
	t.Helper()
	var out bytes.Buffer
	if err := f(&out, r); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestGolden(t *testing.T) {
	text := func(width int) reports.Renderer { return reports.Text(reports.TextOptions{Width: width}) }
	plots := []reports.Plot{
		{Path: "plots/goodput.png", Caption: "Goodput of every model"},
		{Path: "plots/wait-goodput.png", Caption: "wait: prefork 79/s", Scenario: "wait"},
	}
	runs := map[string]*reports.Report{
		"full": analyse(t, full()),
		"few":  analyse(t, few()),
		"aa":   analyse(t, same()),
		"once": analyse(t, once()),

		"traffic": analyse(t, traffic()),
		"sixteen": analyse(t, sixteen()),
		"crossed": analyse(t, crossed()),

		"fidelity": analyse(t, fidelityRun(4)),
	}
	for _, g := range []struct {
		run, file string
		render    reports.Renderer
	}{
		{"full", "full-80.txt", text(80)},
		{"full", "full-100.txt", text(100)},
		{"full", "full-120.txt", text(120)},
		{"full", "full-colour.txt", reports.Text(reports.TextOptions{Colour: true})},
		{"full", "full.md", reports.Markdown(plots)},
		{"full", "full.csv", reports.CSV},
		{"fidelity", "fidelity-100.txt", text(100)},
		{"fidelity", "fidelity.md", reports.Markdown(nil)},
		{"fidelity", "fidelity.csv", reports.CSV},
		{"few", "few-100.txt", text(100)},
		{"few", "few.md", reports.Markdown(nil)},
		{"few", "few.csv", reports.CSV},
		{"few", "few.json", reports.JSON},
		{"aa", "aa-100.txt", text(100)},
		{"once", "once-100.txt", text(100)},
		{"once", "once.md", reports.Markdown(nil)},
		{"traffic", "traffic-80.txt", text(80)},
		{"traffic", "traffic-120.txt", text(120)},
		{"traffic", "traffic.md", reports.Markdown(nil)},
		{"traffic", "traffic.csv", reports.CSV},
		{"sixteen", "sixteen-80.txt", text(80)},
		{"crossed", "overview.md", reports.Overview},
		{"few", "overview-few.md", reports.Overview},
	} {
		t.Run(g.file, func(t *testing.T) { golden(t, g.file, render(t, g.render, runs[g.run])) })
	}
}

// golden holds what was rendered against a file in testdata.
func golden(t *testing.T, file, got string) {
	t.Helper()
	path := filepath.Join("testdata", file)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; look at it with git diff after go test ./reports -update\n%s", path, got)
	}
}
