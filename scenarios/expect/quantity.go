package expect

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/agnivade/levenshtein"
	"github.com/expr-lang/expr/parser/utils"
)

// A Quantity is something about a model that was measured.
type Quantity struct {
	Model string   // its label
	Path  []string // what stands behind the model: "response", "p99"
}

// String writes the quantity as an expectation does.
func (q Quantity) String() string { return reference(q.Model) + written(q.Path) }

// reference is how an expectation names a model.
func reference(model string) string {
	if word(model) {
		return model
	}
	return fmt.Sprintf("model(%q)", model)
}

func written(path []string) string {
	var b strings.Builder
	for i, name := range path {
		if word(name) && (i == 0 || path[i-1] != "errors") {
			b.WriteString("." + name)
		} else {
			fmt.Fprintf(&b, "[%q]", name)
		}
	}
	return b.String()
}

// word says whether a name can stand in an expression without quotes.
func word(name string) bool {
	return utils.IsValidIdentifier(name) && !slices.Contains(reserved, name)
}

var reserved = []string{"true", "false", "nil", "not", "and", "or", "in", "matches", "contains", "startsWith", "endsWith", "let", "if", "else"}

// A level is a place in the tree of quantities: a quantity if it has no
// members.
type level struct {
	unit    unit
	members map[string]level
	free    *level // for members of any name
	noun    string // what those are
}

func group(parts ...map[string]level) level {
	l := level{members: map[string]level{}}
	for _, p := range parts {
		maps.Copy(l.members, p)
	}
	return l
}

// each gives every name the same level.
func each(l level, names ...string) map[string]level {
	m := map[string]level{}
	for _, n := range names {
		m[n] = l
	}
	return m
}

func leaf(u unit) level { return level{unit: u} }

func open(noun string, of level) level { return level{noun: noun, free: &of} }

// quantities is all that can be asked of a model.
func quantities() level {
	timing := group(each(leaf(second), "mean", "p50", "p90", "p99", "p999", "max"))
	part := group(
		each(leaf(rate), "goodput", "offered"), each(leaf(share), "failed", "unsent"), each(leaf(count), "sent"),
		each(leaf(byteRate), "bytes_per_second"), each(timing, "response", "service", "first_byte"))
	return group(
		each(leaf(rate), "goodput", "offered", "attempted"),
		each(timing, "response", "service", "first_byte", "lag", "gaps"),
		each(leaf(share), "failed", "unsent"),
		each(open("error", leaf(share)), "errors"),
		each(leaf(second), "cpu_per_request"),
		each(leaf(byteUnit), "memory"),
		each(leaf(count), "processes", "threads", "restarts", "connections_per_request"),
		each(leaf(truth), "spoken"),
		each(group(each(leaf(count), "sent", "others", "unrecovered"), each(leaf(share), "failed", "slow", "hurt"), each(timing, "recovery")), "faults"),
		each(open("stage", part), "stages"), each(open("request", part), "requests"), each(open("crowd", part), "beside"))
}

func (l level) isLeaf() bool { return l.members == nil && l.free == nil }

func (l level) names() []string { return slices.Sorted(maps.Keys(l.members)) }

// nearest says which name was probably meant, or what there is; write is how to
// write a name.
func nearest(name string, known []string, write func(string) string) string {
	best, least := "", len(name)/2+1
	for _, k := range known {
		d := levenshtein.ComputeDistance(strings.ToLower(name), strings.ToLower(k))
		if rest, ok := strings.CutPrefix(strings.ToLower(k), strings.ToLower(name)); ok && name != "" {
			d = min(d, 1)
			if r, _ := utf8.DecodeRuneInString(rest); !wordRune(r) {
				d = 0 // a name with a dash, which was read as a minus
			}
		}
		if d < least {
			best, least = k, d
		}
	}
	switch {
	case best != "":
		return "; did you mean " + write(best) + "?"
	case len(known) == 0:
		return ""
	}
	var all []string
	for _, k := range known {
		all = append(all, write(k))
	}
	return " (known: " + strings.Join(all, ", ") + ")"
}

func plainly(name string) string { return name }
