package expect

import "math"

// A span is all numbers from low to high. What can't be computed is all
// numbers, and decides nothing.
type span struct{ low, high float64 }

var anything = span{math.Inf(-1), math.Inf(1)}

// eval evaluates arithmetic over the intervals of quantities.
func (n *node) eval(box []span) span {
	switch n.op {
	case "number":
		return span{n.value, n.value}
	case "quantity":
		return box[n.index]
	}
	s := n.args[0].eval(box)
	switch n.op {
	case "minus":
		return span{-s.high, -s.low}
	case "abs":
		return s.abs()
	}
	for _, arg := range n.args[1:] {
		o := arg.eval(box)
		switch n.op {
		case "+":
			s = span{s.low + o.low, s.high + o.high}
		case "-":
			s = span{s.low - o.high, s.high - o.low}
		case "*":
			s = s.times(o)
		case "/":
			s = s.over(o)
		case "min":
			s = span{min(s.low, o.low), min(s.high, o.high)}
		case "max":
			s = span{max(s.low, o.low), max(s.high, o.high)}
		}
	}
	return s.orAnything()
}

func (s span) orAnything() span {
	if math.IsNaN(s.low) || math.IsNaN(s.high) {
		return anything
	}
	return s
}

func (s span) abs() span {
	switch {
	case s.low >= 0:
		return s
	case s.high <= 0:
		return span{-s.high, -s.low}
	}
	return span{0, max(-s.low, s.high)}
}

func (s span) times(o span) span {
	a, b, c, d := s.low*o.low, s.low*o.high, s.high*o.low, s.high*o.high
	return span{min(a, b, c, d), max(a, b, c, d)} // NaN if any is
}

// over divides. A divisor that may be 0 leaves the result open, but for a side
// that it can't reach.
func (s span) over(o span) span {
	switch {
	case o.low > 0 || o.high < 0:
		a, b, c, d := s.low/o.low, s.low/o.high, s.high/o.low, s.high/o.high
		return span{min(a, b, c, d), max(a, b, c, d)}
	case o.low == 0 && o.high > 0 && s.low > 0:
		return span{s.low / o.high, math.Inf(1)}
	}
	return anything
}

// above says whether every number of s is greater than every number of o.
func (s span) above(o span) answer {
	switch {
	case s.low > o.high:
		return yes
	case s.high <= o.low:
		return no
	}
	return unsettled
}

func (s span) equals(o span) answer {
	switch {
	case s.low == s.high && o.low == o.high && s.low == o.low:
		return yes
	case s.low > o.high || s.high < o.low:
		return no
	}
	return unsettled
}

// part is the border between the first k of n equal pieces and the rest.
func (s span) part(k, n int) float64 {
	switch k {
	case 0:
		return s.low
	case n:
		return s.high
	}
	return s.low + (s.high-s.low)*float64(k)/float64(n)
}
