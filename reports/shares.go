package reports

import "gatewaylab/scenarios"

// shares are counts of single trials over others, as the cell's own sums can't
// give them an interval: by their names in expectations. "errors" stands for
// every kind of error that didn't come up.
type shares map[string]Estimate

type counter func(*scenarios.Trial) uint64

func one(*scenarios.Trial) uint64    { return 1 }
func nought(*scenarios.Trial) uint64 { return 0 }
func due(t *scenarios.Trial) uint64  { return t.Due }

// put estimates n of each trial over of, where that isn't 0.
func (s shares) put(name string, trials []*scenarios.Trial, n, of counter) {
	s[name] = measure(func(t *scenarios.Trial) (float64, bool) {
		return float64(n(t)) / float64(max(of(t), 1)), of(t) > 0
	}).over(trials, "")
}

// newShares needs the cell's parts.
func newShares(c *Cell, trials []*scenarios.Trial) shares {
	s := shares{}
	s.put("failed", trials, func(t *scenarios.Trial) uint64 { return t.Failed }, due)
	s.put("unsent", trials, func(t *scenarios.Trial) uint64 { return t.Unsent }, due)
	s.put("errors", trials, nought, due)
	var harmful []*scenarios.Trial
	for _, t := range trials {
		for kind := range t.Errors {
			s.put("errors."+kind, trials, func(t *scenarios.Trial) uint64 { return t.Errors[kind] }, due)
		}
		if t.Faults != nil {
			harmful = append(harmful, t)
		}
	}
	if len(harmful) > 0 {
		others := func(t *scenarios.Trial) uint64 { return t.Faults.Others }
		s.put("faults.sent", harmful, func(t *scenarios.Trial) uint64 { return t.Faults.Sent }, one)
		s.put("faults.others", harmful, others, one)
		s.put("faults.hurt", harmful, func(t *scenarios.Trial) uint64 { return t.Faults.Failed + t.Faults.Slow }, others)
		s.put("faults.unrecovered", harmful, func(t *scenarios.Trial) uint64 { return t.Faults.Unrecovered }, one)
	}
	s.parts("stages", c.Stages, trials, func(t *scenarios.Trial) []scenarios.Part { return t.Stages })
	s.parts("requests", c.Requests, trials, func(t *scenarios.Trial) []scenarios.Part { return t.Requests })
	s.parts("beside", c.Beside, trials, func(t *scenarios.Trial) []scenarios.Part { return t.Beside })
	return s
}

func (s shares) parts(name string, cells []PartCell, trials []*scenarios.Trial, of func(*scenarios.Trial) []scenarios.Part) {
	for i, p := range cells {
		at := func(t *scenarios.Trial) *scenarios.Part { return &of(t)[i] }
		due := func(t *scenarios.Trial) uint64 { return at(t).Due }
		prefix := name + "." + p.Name + "."
		if _, taken := s[prefix+"sent"]; taken {
			continue // of several with one name, the first goes by it
		}
		s.put(prefix+"sent", trials, func(t *scenarios.Trial) uint64 { return at(t).Sent }, one)
		s.put(prefix+"failed", trials, func(t *scenarios.Trial) uint64 { return at(t).Failed }, due)
		if name == "stages" {
			s.put(prefix+"unsent", trials, func(t *scenarios.Trial) uint64 { return at(t).Unsent }, due)
		}
	}
}
