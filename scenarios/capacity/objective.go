// Package capacity finds how much load a model holds: which rates of arrivals
// to try next, when to stop, and what was found.
//
// A capacity without an objective is no number: any server "takes" any rate, if
// nobody looks at how late the answers are. And a capacity from one trial each
// is luck, since near the edge a trial may go either way. So the search repeats
// itself there until trials agree, and answers with an interval: the highest
// rate that all trials held and the lowest that none did.
package capacity

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"gatewaylab/scenarios"
	"gatewaylab/servers"
)

// DefaultObjective is what most people mean by "it still works".
const DefaultObjective = "p99<100ms,errors<0.1%"

// An Objective is what every trial must meet: all of its terms (a service level
// objective).
//
//	objective = term { "," term } .
//	term      = time ( "<" | "<=" ) DURATION
//	          | "errors" ( "<" | "<=" ) SHARE
//	          | "goodput" ( ">" | ">=" ) SHARE .
//	time      = [ ( "response" | "service" | "first_byte" ) "." ] ( QUANTILE | "mean" | "max" ) .
//
// A QUANTILE is p50, p99, p99.9 and the like (p999 is p99.9, as in
// expectations), of response times if nothing else is said; a DURATION one of
// Go's, such as 100ms; a SHARE a percentage such as 0.1%, or a number from 0 to
// 1. White space is ignored.
//
// A quantile is of all requests that were due, and one that failed or was never
// sent counts as never answered: p99<100ms says that 99 of 100 were answered
// well within 100 ms, so that a server can't meet it by refusing. The mean and
// the maximum are of those that were answered. errors is the share of
// requests due that failed or were never sent, goodput the successful responses
// within the window as a share of what was offered in it.
type Objective struct{ Terms []Term }

// A Term is one condition of an objective.
type Term struct {
	Of     string  // "response", "service", "first_byte", "errors" or "goodput"
	Figure string  // of a time: "quantile", "mean" or "max"; else ""
	Q      float64 // the quantile, 0 … 1
	Equal  bool    // the limit itself is within
	Limit  float64 // seconds, or a share
}

var (
	times  = []string{"response", "service", "first_byte"}
	shares = []string{"errors", "goodput"}
)

// ParseObjective reads an objective; errors are *scenarios.GrammarError and say
// where.
func ParseObjective(text string) (Objective, error) {
	var o Objective
	at := 0
	for {
		piece, rest, more := strings.Cut(text[at:], ",")
		p := parser{text: text, from: at, piece: piece}
		t, err := p.term()
		if err != nil {
			return Objective{}, err
		}
		if i := slices.IndexFunc(o.Terms, t.same); i >= 0 {
			return Objective{}, p.fail(p.start(), "%s is limited twice: leave out one of them", t.name())
		}
		o.Terms = append(o.Terms, t)
		if !more {
			return o, nil
		}
		at = len(text) - len(rest)
	}
}

// parser reads one term of an objective.
type parser struct {
	text  string
	from  int // of the piece, in bytes
	piece string
}

// fail points at a byte of the piece.
func (p *parser) fail(at int, format string, args ...any) error {
	upTo := p.text[:min(p.from+at, len(p.text))]
	return &scenarios.GrammarError{Text: p.text, Column: utf8.RuneCountInString(upTo) + 1, Msg: fmt.Sprintf(format, args...)}
}

// start is where the piece begins, without its white space.
func (p *parser) start() int { return len(p.piece) - len(strings.TrimLeft(p.piece, space)) }

const space = " \t\r\n"

func (p *parser) term() (Term, error) {
	at := strings.IndexAny(p.piece, "<>=")
	name := strings.Trim(p.piece, space)
	if at < 0 {
		if name == "" {
			return Term{}, p.fail(p.start(), "expected a condition such as p99<100ms, found nothing")
		}
		return Term{}, p.fail(p.start()+len(name), "expected < and a limit after %s, such as p99<100ms", name)
	}
	name = strings.Trim(p.piece[:at], space)
	t, err := p.figure(name)
	if err != nil {
		return t, err
	}
	sign := p.piece[at : at+1]
	if strings.HasPrefix(p.piece[at+1:], "=") {
		sign += "="
	}
	want := "<"
	if t.Of == "goodput" {
		want = ">"
	}
	if !strings.HasPrefix(sign, want) {
		return t, p.fail(at, "expected %s or %s= after %s, found %s", want, want, name, sign)
	}
	t.Equal = len(sign) == 2
	limit := p.piece[at+len(sign):]
	return p.limit(t, at+len(sign)+len(limit)-len(strings.TrimLeft(limit, space)), strings.Trim(limit, space))
}

// figure reads what is limited.
func (p *parser) figure(name string) (Term, error) {
	if slices.Contains(shares, name) {
		return Term{Of: name}, nil
	}
	t := Term{Of: "response"}
	at := p.start()
	if of, figure, dotted := strings.Cut(name, "."); dotted && !isQuantile(name) {
		if !slices.Contains(times, of) {
			return t, p.fail(at, "unknown time %q%s", of, servers.Nearest(of, times))
		}
		t.Of, name, at = of, figure, at+len(of)+1
	}
	switch {
	case name == "":
		return t, p.fail(at, "expected what is limited before the sign: a quantile such as p99, mean, max, errors or goodput")
	case name == "mean" || name == "max":
		t.Figure = name
		return t, nil
	case isQuantile(name):
		q, ok := quantile(name[1:])
		if !ok {
			return t, p.fail(at, "expected a quantile from p1 to p99.99, found %q", name)
		}
		t.Figure, t.Q = "quantile", q
		return t, nil
	}
	known := slices.Concat([]string{"p50", "p90", "p99", "p99.9", "mean", "max"}, shares, times)
	return t, p.fail(at, "unknown figure %q%s", name, servers.Nearest(name, known))
}

func isQuantile(name string) bool {
	return len(name) > 1 && name[0] == 'p' && strings.Trim(name[1:], "0123456789.") == ""
}

// quantile reads "99", "99.9", and "999" as the same.
func quantile(digits string) (float64, bool) {
	if len(digits) > 2 && digits[0] == '9' && !strings.Contains(digits, ".") {
		digits = digits[:2] + "." + digits[2:]
	}
	v, err := strconv.ParseFloat(digits, 64)
	// Two decimals are what a trial of ordinary length can support.
	return v / 100, err == nil && v >= 1 && v <= 99.99 && math.Abs(v*100-math.Round(v*100)) < 1e-6
}

// limit reads the limit, which begins at a byte of the piece.
func (p *parser) limit(t Term, at int, text string) (Term, error) {
	if t.Figure != "" {
		d, err := time.ParseDuration(text)
		switch {
		case text == "":
			return t, p.fail(at, "expected a duration such as 100ms after the sign, found nothing")
		case err != nil:
			return t, p.fail(at, "expected a duration such as 100ms, found %q", text)
		case d < 100*time.Microsecond || d > 5*time.Minute:
			return t, p.fail(at, "expected a duration from 100µs to 5m, found %q", text)
		}
		t.Limit = d.Seconds()
		return t, nil
	}
	number, percent := strings.CutSuffix(text, "%")
	v, err := strconv.ParseFloat(strings.Trim(number, space), 64)
	if percent {
		v /= 100
	}
	switch {
	case text == "":
		return t, p.fail(at, "expected a percentage such as 0.1%% after the sign, found nothing")
	case err != nil || !(v >= 0) || v > 1:
		return t, p.fail(at, "expected a percentage from 0%% to 100%%, found %q", text)
	case !t.Equal && (t.Of == "errors" && v == 0 || t.Of == "goodput" && v == 1):
		return t, p.fail(at, "nothing can meet that: write %s%s=%s", t.Of, map[string]string{"errors": "<", "goodput": ">"}[t.Of], text)
	}
	t.Limit = v
	return t, nil
}

func (t Term) same(o Term) bool { return t.Of == o.Of && t.Figure == o.Figure && t.Q == o.Q }

// name is the term's figure in the grammar.
func (t Term) name() string {
	if t.Figure == "" {
		return t.Of
	}
	name := t.Figure
	if name == "quantile" {
		name = "p" + number(t.Q*100)
	}
	if t.Of != "response" {
		name = t.Of + "." + name
	}
	return name
}

// Text is the term in the grammar.
func (t Term) Text() string {
	sign := "<"
	if t.Of == "goodput" {
		sign = ">"
	}
	if t.Equal {
		sign += "="
	}
	if t.Figure != "" {
		return t.name() + sign + time.Duration(math.Round(t.Limit*1e9)).String()
	}
	return t.name() + sign + number(t.Limit*100) + "%"
}

func number(v float64) string { return strconv.FormatFloat(math.Round(v*1e6)/1e6, 'f', -1, 64) }

// String is the objective in its shortest form; ParseObjective reads it back.
func (o Objective) String() string {
	all := make([]string, len(o.Terms))
	for i, t := range o.Terms {
		all[i] = t.Text()
	}
	return strings.Join(all, ",")
}

// Needs is how many requests a trial must have for the objective to mean
// anything: that one of them lies beyond its rarest quantile.
func (o Objective) Needs() int64 {
	need := int64(1)
	for _, t := range o.Terms {
		if t.Figure == "quantile" {
			each, _ := scenarios.Needs(t.Q)
			need = max(need, each)
		}
	}
	return need
}

// Longest is the longest time that the objective allows; 0 if it limits none.
func (o Objective) Longest() time.Duration {
	longest := 0.0
	for _, t := range o.Terms {
		if t.Figure != "" {
			longest = max(longest, t.Limit)
		}
	}
	return time.Duration(longest * float64(time.Second))
}
