package reports

import (
	"fmt"
	"strings"

	"gatewaylab/scenarios"
	"gatewaylab/scenarios/load"
)

// someHeld is how many slots clients beside the load must hold on average for
// it to be worth a word.
const someHeld = 0.05

// crowds are the clients beside the load that may keep a server's slots from
// it, or would if it had any.
type crowds struct {
	clients int
	words   string  // "4 slow-read clients"
	slow    bool    // they hold what serves them for as long as they please
	held    float64 // of the server's slots, on average
}

// crowds finds out how many slots the clients beside the load took: those that
// were busy and that the load's own requests don't account for (Little's law
// for the slots, busy = X·S).
func (c *cellTrials) crowds(e *evidence) crowds {
	var cr crowds
	var names []string
	idle := 0
	for i := range c.scenario.Beside {
		b := &c.scenario.Beside[i]
		if b.Kind == load.Idle {
			idle += b.Clients
			continue
		}
		cr.clients += b.Clients
		cr.slow = cr.slow || b.Kind != load.Periodic
		names = append(names, count(b.Clients, string(b.Kind)+" client"))
	}
	if cr.clients == 0 && idle > 0 && e.slots == 0 {
		return crowds{clients: idle, words: count(idle, "idle client"), slow: true}
	}
	cr.words = strings.Join(names, " and ")
	if cr.clients == 0 || e.slots == 0 {
		return cr
	}
	most := min(float64(cr.clients), float64(e.slots))
	switch own := e.goodput * e.service(); {
	case e.busy >= 0 && e.wait >= 0:
		cr.held = min(max(0, e.busy-own), most)
	case cr.slow:
		cr.held = most
	}
	return cr
}

// free is how many slots the load has to itself.
func (e *evidence) free() float64 { return float64(e.slots) - e.beside.held }

// crowdedOut says whether there were as many slow clients as slots, so that
// the load got a slot only between two of theirs.
func (e *evidence) crowdedOut() bool {
	return e.beside.slow && e.slots > 0 && e.beside.clients >= e.slots && e.beside.held >= float64(e.slots)/2
}

func (e *evidence) competition() string {
	s := fmt.Sprintf("%s compete with the load for %s and held %s on average, so no simple limit applies; measured %s requests/s.",
		e.beside.words, count(e.slots, e.noun), said(e.beside.held), said(e.goodput))
	return sentences(s, e.failures())
}

// others says who else took part: clients beside the load, requests that do
// harm.
func (e *evidence) others() string { return sentences(e.crowdWords(), e.harmWords()) }

// othersThan leaves out what was said with a bound.
func (e *evidence) othersThan(b bound) string {
	if b.by == bySlots && e.beside.held >= someHeld {
		return e.harmWords()
	}
	return e.others()
}

func (e *evidence) crowdWords() string {
	b := e.beside
	switch {
	case b.clients == 0:
		return ""
	case e.foreign && b.slow:
		return fmt.Sprintf("%s beside it took connections, of which nobody knows how many it has.", b.words)
	case e.slots == 0 && b.slow:
		return fmt.Sprintf("%s beside it took connections alone, of which this model has no fixed number.", b.words)
	case e.slots == 0:
		return ""
	case b.held < someHeld && e.front != "":
		return fmt.Sprintf("%s beside it held %s and hardly any of %s behind it.", b.words, e.front, count(e.slots, e.noun))
	case b.held < someHeld:
		return fmt.Sprintf("%s beside it held hardly any of %s.", b.words, count(e.slots, e.noun))
	}
	busy := ""
	if e.busy >= 0 {
		busy = fmt.Sprintf(" (%s were busy)", said(e.busy))
	}
	return fmt.Sprintf("%s beside it held %s of %s on average%s.", b.words, said(b.held), count(e.slots, e.noun), busy)
}

func (e *evidence) harmWords() string {
	f := e.faults
	if f == nil {
		return ""
	}
	hurt := float64(f.Failed+f.Slow) / float64(max(f.Others, 1))
	if hurt < someFail/10 {
		return fmt.Sprintf("Of the others, %s hurt hardly any.", count(f.Sent, "harmful request"))
	}
	var how []string
	if f.Failed > 0 {
		how = append(how, percent(float64(f.Failed)/float64(f.Others))+" failed")
	}
	if f.Slow > 0 {
		how = append(how, fmt.Sprintf("%s took %s or more", percent(float64(f.Slow)/float64(f.Others)), saidTime(e.hurt)))
	}
	return fmt.Sprintf("%s hurt %s of the others: %s.", count(f.Sent, "harmful request"), percent(hurt), strings.Join(how, ", "))
}

// notSpoken is what stands in a row in place of figures.
func notSpoken(c *Cell) string {
	if c.NotOffered {
		return fmt.Sprintf("not offered (%s)", c.NotSpoken)
	}
	return fmt.Sprintf("not spoken (%s)", c.NotSpoken)
}

// crowdTitle is what a crowd is and how many it are.
func crowdTitle(c *scenarios.Crowd) string {
	return fixed(float64(c.Clients), 0) + " " + c.Title()
}
