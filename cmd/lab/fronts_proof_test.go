package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"gatewaylab/reports"
)

// What a gateway protocol costs behind nginx, as the ratio of the goodputs of
// one run, and whether it is what is aimed at:
//
//	go test -run '^$' -bench Gateways -benchtime 1x -timeout 20m ./cmd/lab
func BenchmarkGateways(b *testing.B) {
	switch _, err := exec.LookPath("nginx"); {
	case err != nil && os.Getenv("LAB_REQUIRE") != "":
		b.Fatalf("needs nginx, and LAB_REQUIRE is set: %v", err)
	case err != nil:
		b.Skipf("needs nginx: %v", err)
	}
	for _, c := range []struct {
		model string
		least float64 // of nginx in front of async over HTTP; 0 = no aim
	}{{"nginx+fastcgi", 0.9}, {"nginx+scgi", 0}, {"nginx+uwsgi", 0}, {"nginx+prefork", 0}, {"fastcgi", 0}, {"front+async", 0}} {
		b.Run(c.model, func(b *testing.B) {
			for b.Loop() {
				ratio, low, high := goodputRatio(b, c.model, "nginx+async")
				b.Logf("%s / nginx+async: %.2f [%.2f, %.2f]", c.model, ratio, low, high)
				b.ReportMetric(ratio, "×nginx+async")
				b.ReportMetric(low, "lowest×")
				b.ReportMetric(high, "highest×")
				if ratio < c.least {
					b.Errorf("%s reaches %.2f × nginx+async, want %.2f", c.model, ratio, c.least)
				}
			}
		})
	}
}

// goodputRatio compares two models on hello; low and high are the ratios of the
// 95 % intervals' opposite ends.
func goodputRatio(b *testing.B, one, other string) (ratio, low, high float64) {
	b.Helper()
	var out, diag bytes.Buffer
	code := run(b.Context(), []string{"compare", one, other, "--scenario", "hello", "--dash", "off", "--plots", "none", "--format", "json", "--out", b.TempDir()},
		streams{strings.NewReader(""), &out, &diag})
	var r reports.Report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		b.Fatalf("exit status %d, %v:\n%s", code, err, diag.String())
	}
	found := map[string]reports.Estimate{}
	for _, c := range r.Cells {
		if c.Valid == 0 {
			b.Fatalf("%s: no valid trial: %s", c.Model, strings.Join(c.Invalid, "; "))
		}
		found[c.Model] = c.Goodput
		b.Logf("%s: %.0f/s [%.0f, %.0f], %.1f µs of CPU each", c.Model, c.Goodput.Median, c.Goodput.Low, c.Goodput.High, 1000*c.CPUPerRequest.Median)
	}
	x, y := found[one], found[other]
	return x.Median / y.Median, x.Low / y.High, x.High / y.Low
}
