//go:build linux

package main

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/creack/pty"

	"gatewaylab/reports"
)

// What the live dashboard costs the measurement: async's goodput on hello,
// where every microsecond of processor counts, with the dashboard on a
// terminal of 120×40 over that without, in alternate rounds.
//
//	go test -run '^$' -bench Dashboard -benchtime 6x ./cmd/lab
func BenchmarkDashboard(b *testing.B) {
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	var ratios []float64
	for b.Loop() {
		var with, without float64
		if len(ratios)%2 == 0 { // the order alternates, so that a drift of the machine favours neither
			with, without = hello(b, self, "on"), hello(b, self, "off")
		} else {
			without, with = hello(b, self, "off"), hello(b, self, "on")
		}
		ratios = append(ratios, with/without)
		b.Logf("goodput %.0f/s with the dashboard, %.0f/s without", with, without)
	}
	slices.Sort(ratios)
	n := len(ratios)
	b.ReportMetric((ratios[(n-1)/2]+ratios[n/2])/2, "with/without")
	b.ReportMetric(ratios[0], "lowest")
	b.ReportMetric(ratios[n-1], "highest")
}

func hello(b *testing.B, self, dash string) float64 {
	dir := filepath.Join(b.TempDir(), "out")
	cmd := &exec.Cmd{
		Path: self,
		Args: []string{"lab", "compare", "async", "--scenario", "hello", "--for", "1s", "--warmup", "200ms", "--trials", "6", "--plots", "none", "--out", dir, "--dash", dash},
		Env:  append(os.Environ(), "TERM=xterm-256color"),
	}
	term, err := pty.StartWithSize(cmd, &pty.Winsize{Cols: 120, Rows: 40})
	if err != nil {
		b.Fatal(err)
	}
	defer term.Close()
	_, _ = io.Copy(io.Discard, term) // ends with an error when the terminal's other side closes
	if err := cmd.Wait(); err != nil {
		b.Fatal(err)
	}
	show := &exec.Cmd{Path: self, Args: []string{"lab", "report", dir, "--format", "json", "--plots", "none"}}
	doc, err := show.Output()
	if err != nil {
		b.Fatal(err)
	}
	var r reports.Report
	if err := json.Unmarshal(doc, &r); err != nil {
		b.Fatal(err)
	}
	return r.Cells[0].Goodput.Median
}
