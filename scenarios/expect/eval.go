package expect

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// A Value is what was measured of a quantity. A quantity that is true or false
// is 1 or 0.
type Value struct {
	Low, Median, High float64
	N                 int // trials behind it; 0 if it isn't of trials
	Known             bool
	// Why says why the quantity is not known, without naming it: "prefork was
	// not measured".
	Why string
	// Absent says that the quantity's model had no part in the comparison:
	// nobody asked.
	Absent bool
}

// An Env knows the quantities of a result.
type Env func(Quantity) Value

// An Outcome is what came of an expectation.
type Outcome string

// What can come of an expectation.
const (
	Held      Outcome = "held"      // true whatever the true values within their intervals are
	NotHeld   Outcome = "not held"  // false whatever they are
	Undecided Outcome = "undecided" // neither
	Unknown   Outcome = "unknown"   // something that it depends on is not known
	NotAsked  Outcome = "not asked" // it is about a model that had no part in the comparison
)

// A Verdict is an outcome with what it rests on.
type Verdict struct {
	Outcome Outcome
	// Detail is what the sides of the comparisons amounted to, or why nothing
	// is known: "968/s [966, 971] v 10 × 79.1/s [78.9, 79.3]".
	Detail string
	// Readings are the quantities that the expectation refers to, in order.
	Readings []Reading
}

// A Reading is a quantity, its value, and that in words.
type Reading struct {
	Quantity Quantity
	Value    Value
	Text     string
}

// Eval evaluates an expectation. An error is about the text, and Check would
// have found it.
func Eval(text string, env Env) (Verdict, error) {
	e, err := parse(text, Names{})
	if err != nil {
		return Verdict{}, err
	}
	w := &world{quantities: e.quantities}
	for _, q := range e.quantities {
		v := env(q)
		if v.Known && !(v.Low <= v.Median && v.Median <= v.High) {
			v = Value{Why: fmt.Sprintf("%s is no interval: %g, %g, %g", q, v.Low, v.Median, v.High)}
		}
		w.values = append(w.values, v)
		w.box = append(w.box, span{v.Low, v.High})
		w.middle = append(w.middle, span{v.Median, v.Median})
	}
	v := Verdict{Readings: w.readings(e.root)}
	switch w.truth(e.root) {
	case yes:
		v.Outcome = Held
	case no:
		v.Outcome = NotHeld
	default:
		v.Outcome = w.doubt()
	}
	if v.Outcome == Unknown || v.Outcome == NotAsked {
		v.Detail = w.reasons(v.Outcome)
	} else {
		v.Detail = w.detail(e.root)
	}
	return v, nil
}

// world is all that evaluation needs of a result, by quantities' index.
type world struct {
	quantities []Quantity
	values     []Value
	box        []span // the intervals
	middle     []span // the medians
}

// doubt says why nothing was decided.
func (w *world) doubt() Outcome {
	switch {
	case slices.ContainsFunc(w.values, func(v Value) bool { return !v.Known && v.Absent }):
		return NotAsked
	case slices.ContainsFunc(w.values, func(v Value) bool { return !v.Known }):
		return Unknown
	}
	return Undecided
}

func (w *world) reasons(o Outcome) string {
	var all []string
	for i, v := range w.values {
		if v.Known || (o == NotAsked) != v.Absent {
			continue
		}
		why := v.Why
		switch {
		case why == "" && v.Absent:
			why = reference(w.quantities[i].Model) + " has no part in this comparison"
		case why == "":
			why = w.quantities[i].String() + " is not known"
		}
		if !slices.Contains(all, why) {
			all = append(all, why)
		}
	}
	return strings.Join(all, "; ")
}

// answer is a truth value of three: what is neither yes nor no is open.
type answer int

const (
	no        answer = -1
	unsettled answer = 0
	yes       answer = 1
)

// truth evaluates what is true or false: logic over comparisons.
func (w *world) truth(n *node) answer {
	switch n.op {
	case "not":
		return -w.truth(n.args[0])
	case "and":
		return min(w.truth(n.args[0]), w.truth(n.args[1]))
	case "or":
		return max(w.truth(n.args[0]), w.truth(n.args[1]))
	}
	used := uses(n, map[int]int{})
	for i := range used {
		if !w.values[i].Known {
			return unsettled
		}
	}
	return w.comparison(n, used)
}

// uses counts how often each quantity occurs in n.
func uses(n *node, found map[int]int) map[int]int {
	if n.op == "quantity" {
		found[n.index]++
	}
	for _, a := range n.args {
		uses(a, found)
	}
	return found
}

// mostPieces bounds the boxes that a comparison is evaluated in.
const mostPieces = 4096

// comparison evaluates one comparison. Interval arithmetic takes the same
// quantity in two places for two quantities and so makes results too wide;
// cutting the intervals of such quantities into pieces narrows that.
func (w *world) comparison(n *node, used map[int]int) answer {
	var again []int
	for i, times := range used {
		if times > 1 && w.box[i].low < w.box[i].high {
			again = append(again, i)
		}
	}
	whole := compare(n, w.box)
	if len(again) == 0 || whole != unsettled {
		return whole
	}
	slices.Sort(again)
	pieces := min(64, max(1, int(math.Pow(mostPieces, 1/float64(len(again))))))
	box := slices.Clone(w.box)
	return w.inPieces(n, box, again, pieces)
}

// inPieces cuts the first of the quantities and goes on with the rest.
func (w *world) inPieces(n *node, box []span, cut []int, pieces int) answer {
	if len(cut) == 0 {
		return compare(n, box)
	}
	whole := w.box[cut[0]]
	first := unsettled
	for k := range pieces {
		box[cut[0]] = span{whole.part(k, pieces), whole.part(k+1, pieces)}
		v := w.inPieces(n, box, cut[1:], pieces)
		if v == unsettled || k > 0 && v != first {
			return unsettled
		}
		first = v
		if pieces == 1 {
			break
		}
	}
	return first
}

// compare evaluates one comparison in one box.
func compare(n *node, box []span) answer {
	if n.op == "quantity" { // something true or false
		return box[n.index].above(span{0.5, 0.5})
	}
	a, b := n.args[0].eval(box), n.args[1].eval(box)
	switch n.op {
	case "<":
		return b.above(a)
	case "<=":
		return -a.above(b)
	case ">":
		return a.above(b)
	case ">=":
		return -b.above(a)
	case "==":
		return a.equals(b)
	case "!=":
		return -a.equals(b)
	case "between":
		return min(-b.above(a), -a.above(n.args[2].eval(box)))
	}
	// within(a, b, tolerance)
	t := n.args[2].value
	low, high := span{b.low - t*math.Abs(b.low), b.high - t*math.Abs(b.high)}, span{b.low + t*math.Abs(b.low), b.high + t*math.Abs(b.high)}
	return min(-low.above(a), -a.above(high))
}
