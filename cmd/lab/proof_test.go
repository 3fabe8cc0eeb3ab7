package main

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"gatewaylab/reports"
)

// What the default comparison must show on any machine with two cores or
// more, whatever its speed. One iteration is one full run of about a minute;
// the proof is five of five:
//
//	go test -run '^$' -bench Compare -benchtime 5x -timeout 20m ./cmd/lab
func BenchmarkCompare(b *testing.B) {
	var prefork, async, cpu, hello []float64
	for b.Loop() {
		r := fullRun(b)
		wait := func(m string) float64 { return goodput(b, r, "wait", m) }
		prefork = append(prefork, wait("prefork")/80)
		async = append(async, wait("async")/wait("prefork"))
		cpu = append(cpu, goodput(b, r, "cpu", "async")/goodput(b, r, "cpu", "prefork"))
		hello = append(hello, goodput(b, r, "hello", "cgi")/goodput(b, r, "hello", "async"))
	}
	within := func(what string, got []float64, low, high float64) {
		b.Logf("%s: %.3f; must be within %g … %g", what, got, low, high)
		for i, v := range got {
			if v < low || v > high {
				b.Errorf("run %d: %s is %.3f, outside %g … %g", i+1, what, v, low, high)
			}
		}
	}
	within("wait: prefork's goodput over 4 workers ÷ 50 ms", prefork, 0.9, 1.1)
	within("wait: async's goodput over prefork's", async, 10, 1e9)
	within("cpu: async's goodput over prefork's", cpu, 1/1.25, 1.25)
	within("hello: cgi's goodput over async's", hello, 0, 0.1)
}

func fullRun(b *testing.B) *reports.Report {
	var out, diag bytes.Buffer
	began := time.Now()
	code := run(b.Context(), []string{"compare", "--dash", "off", "--format", "json", "--out", b.TempDir()}, streams{strings.NewReader(""), &out, &diag})
	if code != 0 {
		b.Fatalf("lab compare exited with %d:\n%s", code, diag.String())
	}
	b.Logf("a full run took %s", time.Since(began).Round(time.Second))
	var r reports.Report
	if err := json.NewDecoder(&out).Decode(&r); err != nil && err != io.EOF {
		b.Fatal(err)
	}
	return &r
}

func goodput(b *testing.B, r *reports.Report, scenario, model string) float64 {
	for _, c := range r.Cells {
		if c.Scenario == scenario && c.Model == model {
			if c.Valid < c.Trials {
				b.Logf("%s %s: %d of %d trials valid: %v", scenario, model, c.Valid, c.Trials, c.Invalid)
			}
			if !c.Goodput.Known() {
				b.Fatalf("%s %s has no goodput: %v", scenario, model, c.Invalid)
			}
			return c.Goodput.Median
		}
	}
	b.Fatalf("no cell for %s %s", scenario, model)
	return 0
}
