package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gatewaylab/scenarios"
)

// ofSuites are the flags that suites take, of lab compare and of lab predict. The
// others change what is compared in: with other traffic the causes that are known
// would explain something that was not measured.
var ofSuites = [...]string{
	"scenario", "trials", "quick", "seed", "pin", "raw", "out", "name", "dash", "format", "plots", "dpi", "theme", "cores", "costs",
}

const noTheoryOfSuites = "--theory: a suite holds models against real servers, and theory says nothing of those"

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
		case f.render.format == overviewFormat:
			return nil, fmt.Errorf("--format overview sets models against scenarios, and %s holds pairs against each other; take --format md", s.Name)
		}
		shorter := "--trials and the names of pairs"
		if c.Flags().Lookup("quick") != nil {
			shorter = "--trials, --quick and the names of pairs"
		}
		var changes error
		c.Flags().Visit(func(fl *pflag.Flag) {
			switch {
			case slices.Contains(ofSuites[:], fl.Name) || changes != nil:
			case fl.Name == "theory":
				changes = errors.New(noTheoryOfSuites)
			default:
				changes = fmt.Errorf("--%s: %s is a suite, whose situations say this themselves; %s make it shorter", fl.Name, s.Name, shorter)
			}
		})
		return s, changes
	}
	return nil, nil
}

// suitePlan puts the pairs that are named, or all, into the suite's situations.
func (f *compareFlags) suitePlan(c *cobra.Command, s *scenarios.Suite, named []string) (*scenarios.Plan, error) {
	for _, n := range named {
		if many(n) != nil {
			return nil, fmt.Errorf("%s is a suite, which has pairs of its own: leave %s out for all of them, or name some: %s", s.Name, n, s.Labels())
		}
	}
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
