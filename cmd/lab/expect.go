package main

import (
	"fmt"

	"gatewaylab/reports"
	"gatewaylab/scenarios/expect"
)

// expectationHelp is what the help of commands that judge expectations says,
// after that of traffic.
const expectationHelp = `

A scenario whose traffic is changed here loses its own expectations.

Exit status: 0 done, and every expectation of the scenarios held; 1 ran but
failed, a model was refused, or an expectation did not hold or could not be
decided; 2 bad usage; 130 interrupted. An expectation about a model that had no
part in the comparison counts for nothing.`

// unmet is nil if every expectation that was asked for held.
func unmet(r *reports.Report) error {
	all := r.Expectations
	number := map[expect.Outcome]int{}
	for _, e := range all {
		number[e.Verdict]++
	}
	asked := len(all) - number[expect.NotAsked]
	open := number[expect.Undecided] + number[expect.Unknown]
	switch reports.Worst(all) {
	case expect.NotHeld:
		return fmt.Errorf("%d of %s did not hold; the report says which", number[expect.NotHeld], expectations(asked))
	case expect.Undecided, expect.Unknown:
		return fmt.Errorf("%d of %s could not be decided; the report says why, and more or longer trials may help", open, expectations(asked))
	}
	return nil
}

func expectations(n int) string {
	if n == 1 {
		return "1 expectation"
	}
	return fmt.Sprintf("%d expectations", n)
}
