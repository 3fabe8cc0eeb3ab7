package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"gatewaylab/reports/checkup"
)

// Of what is installed here, whatever a few servers need is found, with its
// version, and works.
func TestDoctorOfReal(t *testing.T) {
	const specs = "nginx nginx+fcgiwrap:app=perl gunicorn:app=flask apache:mod=perl"
	code, out, stderr := invoke(t, "doctor "+specs+" --format json")
	var found checkup.Checkup
	if err := json.Unmarshal([]byte(out), &found); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	works := 0
	for _, m := range found.Models {
		switch m.State {
		case checkup.Works:
			works++
		case checkup.Missing:
			if os.Getenv("LAB_REQUIRE") != "" {
				t.Errorf("%s lacks %s, and LAB_REQUIRE is set", m.Spec, strings.Join(m.Missing, ", "))
			}
		case checkup.Fails, checkup.Untried, checkup.Found:
			t.Errorf("%s %s: %s", m.Spec, m.State, m.Error)
		}
	}
	for _, p := range found.Needs {
		if p.State == checkup.Works && (p.Path == "" || p.As == "" || p.Version == "" && p.Kind == "program") {
			t.Errorf("found, and not where or what it is: %+v", p)
		}
	}
	if healthy := works == len(found.Models); len(found.Models) != 4 || healthy != (code == 0) {
		t.Errorf("%d of %d work, and the exit status is %d", works, len(found.Models), code)
	}
}

// What this machine can tell is measured, or it is said why not.
func TestDoctorMeasures(t *testing.T) {
	code, out, stderr := invoke(t, "doctor --measure --within 7s --format json")
	if code == 1 && strings.Contains(stderr, "too busy to say what it can measure") {
		return // tests run beside other tests
	}
	var found checkup.Checkup
	if err := json.Unmarshal([]byte(out), &found); err != nil || code != 0 || found.Measured == nil {
		t.Fatalf("exit status %d, %v:\n%s", code, err, stderr)
	}
	m := found.Measured
	if len(m.Floor) < 2 || m.Generator.Rate.Median <= 0 || m.Generator.CPU.Median <= 0 || m.Async.Median <= 0 || m.Pairs <= 0 {
		t.Errorf("measured %+v", m)
	}
	for _, want := range []string{"With 6 trials", "The load generator got", "A sleep of 1 ms"} {
		if !strings.Contains(m.Text, want) {
			t.Errorf("it doesn't say %q: %s", want, m.Text)
		}
	}
}
