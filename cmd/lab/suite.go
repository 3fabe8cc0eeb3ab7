package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"gatewaylab/scenarios"
)

// suite is the suite that is meant; nil if scenarios are.
func (f *compareFlags) suite(c *cobra.Command) (*scenarios.Suite, error) {
	for _, n := range f.scenarios {
		s, err := scenarios.FindSuite(n)
		switch {
		case err != nil:
			return nil, err
		case s == nil:
			continue
		case len(f.scenarios) > 1:
			return nil, fmt.Errorf("%s is a suite of situations of its own and runs by itself: leave the other --scenario out", s.Name)
		}
		// The situations are what is compared in: with other traffic the causes
		// that are known would explain something that was not measured.
		for _, flag := range []string{"for", "warmup", "timeout", "rate", "concurrency", "aa", "load", "request", "beside",
			"protocol", "streams", "per-connection", "max-in-flight", "hurt", "expect"} {
			if c.Flags().Changed(flag) {
				return nil, fmt.Errorf("--%s: %s is a suite, whose situations say this themselves; --trials, --quick and the names of pairs make it shorter", flag, s.Name)
			}
		}
		return s, nil
	}
	return nil, nil
}

// suitePlan puts the pairs that are named, or all, into the suite's situations.
func (f *compareFlags) suitePlan(c *cobra.Command, s *scenarios.Suite, named []string) (*scenarios.Plan, error) {
	trials := s.Trials
	switch {
	case c.Flags().Changed("trials"):
		trials = f.trials
	case f.quick:
		trials = min(trials, quickTrials)
	}
	p, err := scenarios.NewSuitePlan(s, named, trials)
	if err != nil {
		return nil, err
	}
	f.finish(c, p, []string{s.Name}, named)
	return p, nil
}
