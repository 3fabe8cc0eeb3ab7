package expect

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
)

// An Error says what is wrong with an expectation, and where.
type Error struct {
	Column int // in characters, from 1
	Msg    string
}

func (e *Error) Error() string { return fmt.Sprintf("column %d: %s", e.Column, e.Msg) }

// fail makes an error about what stands at a position in runes, from 0.
func fail(at int, format string, args ...any) error {
	return &Error{at + 1, fmt.Sprintf(format, args...)}
}

// MaxLength is how many bytes an expectation may have.
const MaxLength = 1000

// Names are what expectations may refer to. Of a list that is nil, every name
// will do.
type Names struct {
	Models   []string // labels
	Stages   []string
	Requests []string
	Beside   []string
}

// Check says what is wrong with an expectation over results of the models with
// the given labels: its syntax, its names, or its types. Errors are *Error.
func Check(text string, models []string) error { return Names{Models: models}.Check(text) }

// Check is the function Check with more names to hold the text against.
func (n Names) Check(text string) error {
	_, err := parse(text, n)
	return err
}

// A node is a part of an expectation that fits the language.
type node struct {
	op   string // an operator, a function, "number" or "quantity"
	args []*node
	unit unit

	value float64 // of a number
	text  string  // a number as written
	index int     // of a quantity, in expression.quantities
}

type expression struct {
	root       *node
	quantities []Quantity // each once, in order of appearance
}

func parse(text string, names Names) (*expression, error) {
	switch {
	case strings.TrimSpace(text) == "":
		return nil, fail(0, "expected an expectation, such as async.goodput > 10 * prefork.goodput; found nothing")
	case len(text) > MaxLength:
		return nil, fail(0, "an expectation of %d characters: expected at most %d", len(text), MaxLength)
	case !utf8.ValidString(text):
		return nil, fail(0, "the text isn't UTF-8")
	}
	blanked, literals, err := blank(text)
	if err != nil {
		return nil, err
	}
	tree, err := parser.Parse(blanked)
	if err != nil {
		return nil, syntax(err, []rune(text), literals)
	}
	r := &reader{names: names, literals: literals}
	root, err := r.read(tree.Node)
	if err != nil {
		return nil, err
	}
	switch {
	case !root.unit.truth:
		return nil, fail(start(tree.Node), "expected a comparison, found %s alone: say what it should be, such as > 5", root.unit.words())
	case len(r.quantities) == 0:
		return nil, fail(0, "nothing measured is in it: expected a quantity such as async.goodput")
	}
	return &expression{root, r.quantities}, nil
}

var unexpected = regexp.MustCompile(`^unexpected token (\w+)(?:\((".*")\))?$`)

// syntax puts the parser's errors into our words.
func syntax(err error, text []rune, literals map[int]literal) error {
	var e *file.Error
	if !errors.As(err, &e) {
		return fail(0, "%v", err)
	}
	m := unexpected.FindStringSubmatch(e.Message)
	switch {
	case e.Message == "expected name":
		return fail(afterPoint(text[:min(e.From, len(text))]), "expected a name after the point")
	case m != nil && m[1] == "EOF", e.Message == "unexpected end of expression":
		return fail(len(text), "expected more, found the end")
	case e.Message == "literal not terminated":
		return fail(min(e.From, len(text)), "expected a quotation mark, found the end")
	case m == nil:
		return fail(e.From, "%s", e.Message)
	}
	found, err := strconv.Unquote(m[2])
	if l, ok := literals[e.From]; ok {
		found = l.text
	}
	switch {
	case err != nil:
		return fail(e.From, "unexpected %s", m[1])
	case found == ":":
		return fail(e.From, `unexpected ":"; a model whose label isn't a plain word is written model("prefork:workers=2")`)
	case found == "=":
		return fail(e.From, `unexpected "="; equality is written ==`)
	}
	return fail(e.From, "unexpected %q", found)
}

// afterPoint is the position behind the last point that no name follows.
func afterPoint(text []rune) int {
	for at := len(text) - 1; at >= 0; at-- {
		if text[at] == '.' && (at+1 == len(text) || !wordRune(text[at+1])) {
			return at + 1
		}
	}
	return len(text)
}

// start is the position of the leftmost part of n that knows its own.
func start(n ast.Node) int {
	switch n := n.(type) {
	case *ast.BinaryNode:
		return start(n.Left)
	case *ast.MemberNode:
		return start(n.Node)
	}
	return n.Location().From
}

// reader turns what the parser found into nodes.
type reader struct {
	names      Names
	literals   map[int]literal
	quantities []Quantity
}

func (r *reader) read(n ast.Node) (*node, error) {
	at := n.Location().From
	switch n := n.(type) {
	case *ast.IntegerNode:
		l, ok := r.literals[at]
		if !ok {
			break
		}
		return &node{op: "number", value: l.value, unit: l.unit, text: l.text}, nil
	case *ast.UnaryNode:
		return r.unary(n)
	case *ast.BinaryNode:
		return r.binary(n)
	case *ast.BuiltinNode:
		return r.call(n.Name, at, n.Arguments)
	case *ast.CallNode:
		callee, ok := n.Callee.(*ast.IdentifierNode)
		if !ok {
			return nil, fail(at, "a quantity can't be called: the ( doesn't belong here")
		}
		if callee.Value == "model" {
			return r.quantity(n)
		}
		return r.call(callee.Value, at, n.Arguments)
	case *ast.IdentifierNode, *ast.MemberNode:
		return r.quantity(n)
	case *ast.StringNode:
		return nil, fail(at, "a text can't be compared with anything: expected a quantity or a number")
	case *ast.BoolNode:
		return nil, fail(at, "%t isn't needed: write async.spoken, or not async.spoken", n.Value)
	}
	return nil, fail(at, "expected quantities, numbers, comparisons and functions only")
}

func (r *reader) unary(n *ast.UnaryNode) (*node, error) {
	at := n.Location().From
	arg, err := r.read(n.Node)
	if err != nil {
		return nil, err
	}
	switch n.Operator {
	case "not", "!":
		if !arg.unit.truth {
			return nil, fail(at, "%s takes something true or false, found %s: put parentheses around a comparison", n.Operator, arg.unit.words())
		}
		return &node{op: "not", args: []*node{arg}, unit: truth}, nil
	case "-":
		if arg.unit.truth {
			return nil, fail(at, "- takes a number, found %s", arg.unit.words())
		}
		return &node{op: "minus", args: []*node{arg}, unit: arg.unit}, nil
	}
	return nil, fail(at, "the %s isn't needed", n.Operator)
}

var spelling = map[string]string{"&&": "and", "||": "or"}

func (r *reader) binary(n *ast.BinaryNode) (*node, error) {
	at := n.Location().From
	op := n.Operator
	if s, ok := spelling[op]; ok {
		op = s
	}
	if !slices.Contains([]string{"and", "or", "<", "<=", ">", ">=", "==", "!=", "+", "-", "*", "/"}, op) {
		return nil, fail(at, "expected one of + - * / < <= > >= == != and or, found %s", op)
	}
	args, err := r.readAll([]ast.Node{n.Left, n.Right})
	if err != nil {
		return nil, err
	}
	a, b := args[0].unit, args[1].unit
	u := truth
	switch {
	case op == "and" || op == "or":
		for i, side := range []ast.Node{n.Left, n.Right} {
			if !args[i].unit.truth {
				return nil, fail(start(side), "%s takes comparisons, found %s", op, args[i].unit.words())
			}
		}
		return &node{op: op, args: args, unit: truth}, nil
	case a.truth || b.truth:
		return nil, fail(at, "%s takes numbers, found %s", op, truth.words())
	case op == "*":
		u = a.times(b)
	case op == "/":
		u = a.over(b)
	case !a.fits(b):
		return nil, fail(at, "%s takes like and like: its left is %s, its right %s", op, a.words(), b.words())
	case op == "+" || op == "-":
		u = a.and(b)
	}
	return &node{op: op, args: args, unit: u}, nil
}

func (r *reader) readAll(from []ast.Node) ([]*node, error) {
	var all []*node
	for _, n := range from {
		arg, err := r.read(n)
		if err != nil {
			return nil, err
		}
		all = append(all, arg)
	}
	return all, nil
}

// functions are those that take numbers, with how many.
var functions = []struct {
	name     string
	min, max int
	usage    string
}{
	{"abs", 1, 1, "abs(x)"},
	{"between", 3, 3, "between(x, low, high)"},
	{"max", 1, 100, "max(x, y…)"},
	{"min", 1, 100, "min(x, y…)"},
	{"within", 3, 3, "within(x, y, 10%)"},
}

func (r *reader) call(name string, at int, given []ast.Node) (*node, error) {
	var known []string
	for _, f := range functions {
		known = append(known, f.name)
	}
	i := slices.Index(known, name)
	if i < 0 {
		return nil, fail(at, "unknown function %q%s", name, nearest(name, append(known, "model"), plainly))
	}
	f := functions[i]
	if len(given) < f.min || len(given) > f.max {
		return nil, fail(at, "expected %s, found %d values", f.usage, len(given))
	}
	args, err := r.readAll(given)
	if err != nil {
		return nil, err
	}
	u := args[0].unit
	for i, a := range args {
		switch {
		case a.unit.truth:
			return nil, fail(start(given[i]), "%s takes numbers, found %s", name, a.unit.words())
		case name == "within" && i == 2:
			if a.op != "number" || !a.unit.fits(count) || a.value > 1 {
				return nil, fail(start(given[i]), "expected a tolerance from 0%% to 100%%, such as 10%%")
			}
		case !u.fits(a.unit):
			return nil, fail(start(given[i]), "%s can't go with %s in %s", a.unit.words(), u.words(), name)
		default:
			u = u.and(a.unit)
		}
	}
	if name == "between" || name == "within" {
		u = truth
	}
	return &node{op: name, args: args, unit: u}, nil
}
