package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"gatewaylab/reports"
	"gatewaylab/scenarios"
	"gatewaylab/scenarios/expect"
)

// Every expectation of every embedded scenario holds, each time it is run as a
// user would; the proof is five of five:
//
//	go test -run '^$' -bench Scenarios -benchtime 5x -timeout 3h ./cmd/lab
func BenchmarkScenarios(b *testing.B) {
	all, err := scenarios.Library()
	if err != nil {
		b.Fatal(err)
	}
	for _, sc := range all {
		if len(sc.Expect) == 0 {
			b.Errorf("%s expects nothing", sc.Name)
		}
		b.Run(sc.Name, func(b *testing.B) {
			for b.Loop() {
				expectAll(b, sc)
			}
		})
	}
}

// expectAll runs a scenario and fails for each of its expectations that isn't
// reported as held.
func expectAll(b *testing.B, sc *scenarios.Scenario) {
	b.Helper()
	var out, diag bytes.Buffer
	code := run(b.Context(), []string{"compare", "--scenario", sc.Name, "--dash", "off", "--plots", "none", "--format", "json", "--out", b.TempDir()},
		streams{strings.NewReader(""), &out, &diag})
	var r reports.Report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		b.Fatalf("exit status %d, %v:\n%s", code, err, diag.String())
	}
	for _, c := range r.Cells {
		if c.Valid < c.Trials {
			b.Logf("%s: %d of %d trials valid: %s", c.Model, c.Valid, c.Trials, strings.Join(c.Invalid, "; "))
		}
	}
	if got, want := len(r.Expectations), len(sc.Expect); got != want {
		b.Errorf("%d expectations reported, want %d", got, want)
	}
	for _, e := range r.Expectations {
		b.Logf("%s: %s   (%s)", e.Verdict, e.Text, e.Detail)
		if e.Verdict != expect.Held {
			b.Errorf("%s: %s   (%s)", e.Verdict, e.Text, e.Detail)
		}
	}
	if code != 0 && !b.Failed() {
		b.Errorf("exit status %d:\n%s", code, diag.String())
	}
}
