package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"gatewaylab/reports"
)

// How often the lab calls a difference between a model and itself, in short
// real runs on this machine. One iteration is one A/A comparison of six trials
// a side; of 40 at most 2 may call one, in whatever figure:
//
//	go test -run '^$' -bench FalseAlarms -benchtime 40x ./cmd/lab
func BenchmarkFalseAlarms(b *testing.B) {
	alarms := map[string]int{}
	n, called, undecidable := 0, 0, 0
	for b.Loop() {
		r := decidedly(b, "compare async --aa --scenario hello --for 120ms --warmup 40ms")
		if n++; !decided(r) {
			undecidable++
		}
		told := false
		for _, f := range r.NoiseFloor {
			if f.Told {
				alarms[f.Quantity]++
				told = true
			}
		}
		if told {
			called++
		}
	}
	b.ReportMetric(float64(called), "alarms")
	b.ReportMetric(float64(undecidable), "undecidable")
	b.Logf("of %d A/A comparisons %d called a difference: %d of goodput, %d of response p50, %d of p99, %d of CPU per request; %d had fewer than six valid trials a side",
		n, called, alarms["goodput"], alarms["response p50"], alarms["response p99"], alarms["CPU per request"], undecidable)
	if limit := max(1, n/20); called > limit {
		b.Errorf("%d false alarms in %d comparisons, more than %d", called, n, limit)
	}
	if 10*undecidable > n {
		b.Errorf("%d comparisons of %d had fewer than six valid trials a side: this machine is too busy", undecidable, n)
	}
}

// How often the lab finds a model that was made 10 % slower: nine workers that
// wait 50 ms can answer 180/s, ten 200/s. At least 18 of 20:
//
//	go test -run '^$' -bench Power -benchtime 20x ./cmd/lab
func BenchmarkPower(b *testing.B) {
	found, undecidable, n := 0, 0, 0
	for b.Loop() {
		r := decidedly(b, "compare ten=prefork:workers=10 nine=prefork:workers=9 --scenario wait --for 650ms --warmup 120ms")
		n++
		if !decided(r) {
			undecidable++
			continue
		}
		for _, c := range r.Cells {
			if c.Model == "nine" && c.Compared && c.Rank == 2 {
				found++
			}
		}
	}
	b.ReportMetric(float64(found), "found")
	b.ReportMetric(float64(undecidable), "undecidable")
	b.Logf("of %d comparisons %d found the model that is 10 %% slower; %d had fewer than six valid trials a side", n, found, undecidable)
	if 10*found < 9*n {
		b.Errorf("%d of %d found, fewer than 9 in 10; in %d fewer than six trials a side were valid", found, n, undecidable)
	}
}

// decidedly is compared, made anew, twice at the most, where other programs took
// the machine from too many of its trials.
func decidedly(b *testing.B, args string) (r *reports.Report) {
	b.Helper()
	for range 3 {
		if r = compared(b, args); decided(r) {
			break
		}
	}
	return r
}

// compared runs a comparison and reads its report. An expectation that isn't
// held is none of these benchmarks' business.
func compared(b *testing.B, args string) *reports.Report {
	b.Helper()
	var out, diag bytes.Buffer
	words := append(strings.Fields(args), "--dash", "off", "--plots", "none", "--format", "json", "--out", b.TempDir())
	if code := run(b.Context(), words, streams{strings.NewReader(""), &out, &diag}); code != 0 && !busyMachine(diag.String()) {
		b.Fatalf("lab %s exited with %d:\n%s", args, code, diag.String())
	}
	var r reports.Report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		b.Fatalf("lab %s: %v", args, err)
	}
	return &r
}

// decided says whether every cell has the valid trials that a verdict takes.
func decided(r *reports.Report) bool {
	for _, c := range r.Cells {
		if c.Valid < usualTrials {
			return false
		}
	}
	return len(r.Cells) > 0
}
