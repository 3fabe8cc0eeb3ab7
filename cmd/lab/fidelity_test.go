package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"gatewaylab/reports"
	"gatewaylab/scenarios"
	"gatewaylab/servers"
)

const smallFidelity = `name: small
title: A title
question: Alike?
pairs:
  - model: prefork = prefork:workers=2,timeout=1s
    twin: sync = gunicorn:class=sync,workers=2,timeout=1s
situations:
  - name: waiting
    title: A title
    question: Does it?
    text: {load: some, queue: some, service: some, bottleneck: some}
    request: /wait?ms=20
    load: ["alone: 1 users over 200ms", "crowd: 8 users over 400ms"]
    warmup: 50ms
    compare: [ceiling, growth]
  - name: hang
    title: A title
    question: Does it?
    text: {load: some, queue: some, service: some, bottleneck: some}
    requests:
      - {name: ordinary, path: "/wait?ms=5"}
      - {name: endless, path: /hang, fault: true}
    load: constant 10/s over 600ms
    warmup: 100ms
    timeout: 300ms
    hurt: 100ms
    compare: [unharmed]
`

// A model and the real server that it is a model of, from the file to the
// verdict. One trial each decides nothing; that they are alike is measured
// elsewhere, and written down in reports/fidelity.
func TestFidelityOfARealPair(t *testing.T) {
	c, err := servers.Resolve("gunicorn")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Available(); err != nil {
		if os.Getenv("LAB_REQUIRE") != "" {
			t.Fatalf("needs gunicorn, and LAB_REQUIRE is set: %v", err)
		}
		t.Skip(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "small.yaml")
	if err := os.WriteFile(file, []byte(smallFidelity), 0o644); err != nil {
		t.Fatal(err)
	}
	code, out, stderr := invoke(t, "compare --scenario "+file+" --trials 1 --dash off --plots none --format json --out "+filepath.Join(dir, "run"))
	if code != 0 && !busyMachine(stderr) {
		t.Fatalf("exit status %d:\n%s", code, stderr)
	}
	var r struct {
		Cells    []struct{ Valid int }
		Fidelity reports.Fidelity
	}
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Fidelity.Rows) != 3 {
		t.Fatalf("%d aspects, want 3:\n%s", len(r.Fidelity.Rows), out)
	}
	for _, cell := range r.Cells {
		if cell.Valid == 0 {
			return // a busy machine; what stands above held
		}
	}
	for _, l := range r.Fidelity.Rows {
		if l.Verdict != reports.Undecided {
			t.Errorf("%s: %s of one trial, want undecided (%s)", l.Aspect, l.Verdict, l.Why)
		}
		for side, e := range map[string]reports.Estimate{l.Pair: l.Model, l.Twin: l.Other} {
			switch {
			case l.Aspect == scenarios.Ceiling && (e.Median < 0.5 || e.Median > 1.1):
				t.Errorf("%s reaches %v of what its workers can finish", side, e.Median)
			case l.Aspect == scenarios.Growth && (e.Median < 2 || e.Median > 8):
				t.Errorf("%s answers %v times as slowly in a crowd of 8 before 2 workers, want 4", side, e.Median)
			case l.Aspect == scenarios.Unharmed && e.Median > 0.9:
				t.Errorf("%v of the others were unharmed by as many requests that never end as there are workers", e.Median)
			}
		}
	}
}
