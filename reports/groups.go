package reports

import (
	"cmp"
	"slices"

	"gatewaylab/scenarios"
	"gatewaylab/servers"
)

// A ModelGroup is the models of one kind, by label and in the order given.
type ModelGroup struct {
	Kind   ModelKind `json:"kind"`
	Models []string  `json:"models"`
}

// A ModelKind says whose a model is.
type ModelKind string

// The kinds, in the order in which they are shown.
const (
	BuiltIn ModelKind = "built-in" // the lab's own, alone or with the lab's own front
	Real    ModelKind = "real"     // a program that nobody here wrote takes part, as model or as front
	Target  ModelKind = "target"   // the lab didn't start it
	Unheard ModelKind = "unknown"  // the run is another version's, and this one has no such model
)

func groups(models []scenarios.ModelInfo) []ModelGroup {
	var all []ModelGroup
	for _, kind := range []ModelKind{BuiltIn, Real, Target, Unheard} {
		g := ModelGroup{Kind: kind}
		for _, m := range models {
			if kindOf(m) == kind {
				g.Models = append(g.Models, m.Label)
			}
		}
		if len(g.Models) > 0 {
			all = append(all, g)
		}
	}
	return all
}

func kindOf(m scenarios.ModelInfo) ModelKind {
	if m.Target != nil {
		return Target
	}
	c, err := servers.Resolve(cmp.Or(m.Spec, m.Name))
	switch {
	case err != nil:
		return Unheard
	case len(c.Needs()) > 0:
		return Real
	}
	return BuiltIn
}

// grouped are the models of a report as its groups have them.
func (r *Report) grouped() (labels []string) {
	for _, g := range r.Groups {
		labels = slices.Concat(labels, g.Models)
	}
	return labels
}
