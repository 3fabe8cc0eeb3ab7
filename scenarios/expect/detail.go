package expect

import (
	"fmt"
	"slices"
	"strings"
)

// detail says what the sides of every comparison amounted to. With several
// comparisons each is preceded by what came of it.
func (w *world) detail(n *node) string {
	parts := w.comparisons(n)
	var all []string
	for _, c := range parts {
		s := w.sides(c)
		if len(parts) > 1 && c.op != "quantity" {
			s = map[answer]string{yes: "true: ", no: "false: ", unsettled: "open: "}[w.truth(c)] + s
		}
		all = append(all, s)
	}
	return strings.Join(all, "; ")
}

// comparisons are the parts of n below its logic.
func (w *world) comparisons(n *node) []*node {
	switch n.op {
	case "and", "or", "not":
		var all []*node
		for _, a := range n.args {
			all = append(all, w.comparisons(a)...)
		}
		return all
	}
	return []*node{n}
}

// sides prints one comparison.
func (w *world) sides(n *node) string {
	switch n.op {
	case "quantity":
		return fmt.Sprintf("%s: %s", w.quantities[n.index], w.reading(n))
	case "between":
		return fmt.Sprintf("%s v %s … %s", w.side(n.args[0]), w.side(n.args[1]), w.side(n.args[2]))
	case "within":
		return fmt.Sprintf("%s v %s ± %s", w.side(n.args[0]), w.side(n.args[1]), n.args[2].text)
	}
	return w.side(n.args[0]) + " v " + w.side(n.args[1])
}

// side prints one side of a comparison; where it takes more than one
// operation, with the result.
func (w *world) side(n *node) string {
	s, result := w.print(n, 0), n.eval(w.box)
	switch {
	case slices.ContainsFunc(w.values, func(v Value) bool { return !v.Known }) && len(uses(n, map[int]int{})) > 0:
		return s
	case result == anything:
		return s + " (undefined: a divisor may be 0)"
	case operations(n) < 2:
		return s
	}
	return s + " = " + n.unit.show(n.eval(w.middle).low, result)
}

func operations(n *node) int {
	if len(n.args) == 0 {
		return 0
	}
	sum := 1
	for _, a := range n.args {
		sum += operations(a)
	}
	return sum
}

// tightness orders the operators, so that parentheses stand where they must.
var tightness = map[string]int{"+": 1, "-": 1, "*": 2, "/": 2, "minus": 3}

// print writes arithmetic with figures in place of quantities.
func (w *world) print(n *node, around int) string {
	var s string
	mine, binary := tightness[n.op]
	switch {
	case n.op == "number":
		return n.text
	case n.op == "quantity":
		return w.reading(n)
	case n.op == "minus":
		s = "-" + w.print(n.args[0], mine)
	case binary:
		// The right of - and / needs parentheses where the left doesn't.
		s = w.print(n.args[0], mine) + " " + strings.ReplaceAll(n.op, "*", "×") + " " + w.print(n.args[1], mine+1)
	default:
		var args []string
		for _, a := range n.args {
			args = append(args, w.print(a, 0))
		}
		return n.op + "(" + strings.Join(args, ", ") + ")"
	}
	if mine < around {
		return "(" + s + ")"
	}
	return s
}

// reading prints the value of a quantity.
func (w *world) reading(n *node) string {
	v := w.values[n.index]
	switch {
	case !v.Known:
		return "unknown"
	case n.unit.truth:
		return map[answer]string{yes: "yes", no: "no", unsettled: "in some trials"}[compare(n, w.box)]
	}
	return n.unit.show(v.Median, w.box[n.index])
}

// readings lists every quantity once.
func (w *world) readings(root *node) []Reading {
	all := make([]Reading, len(w.quantities))
	var visit func(*node)
	visit = func(n *node) {
		if n.op == "quantity" {
			all[n.index] = Reading{w.quantities[n.index], w.values[n.index], w.reading(n)}
		}
		for _, a := range n.args {
			visit(a)
		}
	}
	visit(root)
	return all
}
