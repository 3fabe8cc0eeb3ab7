package dashboard

import (
	"strings"
	"testing"
	"time"

	"github.com/muesli/termenv"

	"gatewaylab/scenarios"
	"gatewaylab/scenarios/load"
)

// Of a server that the lab didn't start nothing is shown as 0 that isn't known.
func TestTargetIsUnknown(t *testing.T) {
	ref := scenarios.Ref{Scenario: "s", Model: "mine", Trial: 1, Of: 1, Order: 1, Total: 1}
	events := batch{
		scenarios.PlanStarted{
			Scenarios: []*scenarios.Scenario{{Name: "s", Stages: []load.Stage{{Shape: load.Users, UsersFrom: 2, For: time.Second}}}},
			Models:    []scenarios.ModelInfo{{Label: "mine", Name: "target", Noun: "slot", Target: &scenarios.TargetInfo{URL: "http://127.0.0.1:8000"}}},
			Trials:    1, Total: 1, Measuring: time.Second,
		},
		scenarios.TrialPhase{Ref: ref, Phase: scenarios.Measuring},
	}
	for i := range 8 {
		events = append(events, scenarios.Sample{
			Ref: ref, Phase: scenarios.Measuring, GeneratorCPU: 0.5,
			Interval: scenarios.Interval{
				At: time.Duration(i+1) * 100 * time.Millisecond, Length: 100 * time.Millisecond, Succeeded: 100,
				P50: time.Millisecond, P99: 2 * time.Millisecond, InFlight: 2, Busy: -1, Queued: -1, CPU: -1, Memory: -1,
			},
		})
	}
	for _, size := range [][2]int{{120, 40}, {80, 24}, {40, 12}} {
		m := feedModel(newModel(testTheme(termenv.Ascii), nil), windowSize(size[0], size[1]), events)
		for range 4 {
			got := m.View()
			for _, wrong := range []string{"0.00 cores", "-1", "0.0 MiB", "0 processes", "0 of 0", "0/0"} {
				if strings.Contains(got, wrong) {
					t.Errorf("%d columns, %s: it says %q:\n%s", size[0], m.view, wrong, got)
				}
			}
			if m.view.String() == "overview" && size[0] > 40 && !strings.Contains(got, "not started by the lab") {
				t.Errorf("%d columns: it doesn't say why costs are missing:\n%s", size[0], got)
			}
			m = press(m, keyTab)
		}
	}
}
