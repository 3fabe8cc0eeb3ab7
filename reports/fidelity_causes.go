package reports

import "gatewaylab/scenarios"

// A cause is why a model and a program that it is a model of differ in
// something. Each was verified by measuring with the cause removed, or follows
// from the program's documented way of working.
type cause struct {
	model, twin string // names of models, or of the fronts before them
	situation   string
	aspect      scenarios.Aspect // "" = all of the situation
	why         string
}

func causes() []cause {
	return []cause{}
}

// causeOf looks a known cause up.
func causeOf(model, twin *scenarios.ModelInfo, situation string, a scenarios.Aspect) string {
	one, other := model.Name, twin.Name
	if one == other { // what differs is before them
		one, other = model.Front, twin.Front
	}
	for _, c := range causes() {
		if c.model == one && c.twin == other && c.situation == situation && (c.aspect == "" || c.aspect == a) {
			return c.why
		}
	}
	return ""
}
