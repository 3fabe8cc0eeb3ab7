package reports

import (
	"fmt"
	"math"
	"strings"

	"gatewaylab/scenarios"
)

// The states of a run; see scenarios.Result.
const (
	stateComplete    = "complete"
	stateInterrupted = "interrupted"
	stateRunning     = "running"
	stateFailed      = "failed"
)

// caveats says what lowers the certainty of the whole run.
func caveats(res *scenarios.Result) []string {
	notes := []string{}
	done := fmt.Sprintf("%d of %s finished", len(res.Measured), count(res.Planned, "planned trial"))
	switch res.State {
	case stateInterrupted:
		notes = append(notes, fmt.Sprintf("Interrupted: %s. Cells with fewer trials have wider intervals; with fewer than %d, no model is called faster.", done, minTrials))
	case stateFailed:
		notes = append(notes, fmt.Sprintf("The run failed: %s. What was measured until then is shown.", done))
	case stateRunning:
		notes = append(notes, fmt.Sprintf("The run did not end properly, or has not ended yet: %s.", done))
	}
	if res.Quick {
		notes = append(notes, quickNote(res))
	}
	if res.AA {
		notes = append(notes, "A/A run: both sides are the same model, so every difference is noise. Don't believe a smaller one between models on this machine.")
	}
	return notes
}

func quickNote(res *scenarios.Result) string {
	if res.Trials == 1 {
		return fmt.Sprintf("Quick run: 1 trial of each cell, so there are no intervals and no model is called faster. A 95 %% interval takes %d.", minTrials)
	}
	if res.Trials < minTrials {
		return fmt.Sprintf("Quick run: %s of each cell. A 95 %% interval takes %d, so intervals span the lowest and highest trial (confidence %s) and no model is called faster.",
			count(res.Trials, "trial"), minTrials, percent(1-math.Pow(2, float64(1-res.Trials))))
	}
	return "Quick run: short trials. Intervals are wider, fewer quantiles of the tail are supported, and small differences stay unseen."
}

// A floorQuantity is a figure by which models are compared, and whether a cell
// has it.
type floorQuantity struct {
	name string
	measure
	has func(*cellTrials) bool
}

func floorQuantities() []floorQuantity {
	return []floorQuantity{
		{"goodput", goodput(), func(c *cellTrials) bool { return c.Goodput.Known() }},
		{"response p50", timing(response).at(quantiles()[0]), supported("p50")},
		{"response p99", timing(response).at(quantiles()[2]), supported("p99")},
		{"CPU per request", cpuPerRequest(), func(c *cellTrials) bool { return c.CPUPerRequest.Known() }},
	}
}

// noiseFloor compares the first model of an A/A run with the others, which
// are the same model, and keeps the largest difference of each quantity.
func noiseFloor(scenario string, group []*cellTrials) []NoiseFloor {
	var floors []NoiseFloor
	for _, q := range floorQuantities() {
		floor, found := NoiseFloor{Scenario: scenario, Quantity: q.name, P: 1}, false
		for i, b := range group {
			if i == 0 || !q.has(group[0]) || !q.has(b) {
				continue
			}
			as, bs := q.values(group[0].valid), q.values(b.valid)
			ma, mb := estimate(as, "").Median, estimate(bs, "").Median
			if ma == 0 {
				continue
			}
			p, told := compare(as, bs)
			if apart := 100 * math.Abs(ma-mb) / ma; !found || apart > floor.Percent {
				floor.Percent, floor.P, floor.Told, found = apart, p, told, true
			}
		}
		if found {
			floor.Text = floor.sentence()
			floors = append(floors, floor)
		}
	}
	return floors
}

func supported(name string) func(*cellTrials) bool {
	return func(c *cellTrials) bool { return c.Response[name].Known() }
}

func (f NoiseFloor) sentence() string {
	apart := percent(f.Percent / 100)
	quantity := strings.ToUpper(f.Quantity[:1]) + f.Quantity[1:]
	if f.Told {
		return fmt.Sprintf("%s: the same model was %s apart from itself and the test took that for a difference (p = %s): a false alarm, as 1 in 20 is; distrust differences up to %s here.", quantity, apart, figure(f.P), apart)
	}
	return fmt.Sprintf("%s: the same model was %s apart from itself, rightly not told apart (p = %s).", quantity, apart, figure(f.P))
}
