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
