package reports

import (
	"fmt"
	"math"
)

// settles is the share of what follows from Little's law below which a response
// time is of the beginning.
const settles = 0.85

// doubts lists the hard bounds that the measurement exceeds.
func (e *evidence) doubts() []string {
	var odd []string
	for _, b := range e.bounds() {
		if math.IsInf(b.hard, 1) {
			continue
		}
		// Requests that began before the window and ended in it.
		var early int
		switch b.by {
		case bySlots:
			early = e.slots
		case byPool:
			early = e.pool
		case byClients:
			early = e.clients
		}
		edge := float64(early) / (b.hard * e.window)
		if e.goodput > b.hard*(1+tolerance+edge) {
			odd = append(odd, fmt.Sprintf("goodput of %s/s is above what %s can allow (%s/s): either the work was not done or a figure is wrong",
				said(e.goodput), e.name(b), said(b.hard)))
		}
	}
	if e.unsettled() {
		odd = append(odd, "the warm-up was over before the clients' first answers were, so response times are of the beginning, when fewer stood in line than later: lengthen --warmup")
	}
	return odd
}

// unsettled says whether a closed loop was measured before its response time
// had become what it stays at: all clients begin at once, and who is served
// first has nobody before it (R = N/X − Z, Little's law, holds of what follows).
func (e *evidence) unsettled() bool {
	if e.clients == 0 || e.goodput == 0 || e.response == 0 || e.failed > 0 || len(e.stages) > 0 {
		return false
	}
	settled := float64(e.clients)/e.goodput - e.think
	return e.warmup < settled && e.response < settles*settled
}
