package expect

import (
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
)

// A step is one name on the way to a quantity, and where it stands.
type step struct {
	name string
	at   int
}

// quantity resolves a name with its points and brackets.
func (r *reader) quantity(n ast.Node) (*node, error) {
	model, path, err := r.steps(n)
	if err != nil {
		return nil, err
	}
	if err := r.knownModel(n, model, path); err != nil {
		return nil, err
	}
	q := Quantity{Model: model.name}
	l := quantities()
	for _, s := range path {
		if l, err = r.down(l, s, &q); err != nil {
			return nil, err
		}
		q.Path = append(q.Path, s.name)
	}
	switch {
	case len(path) == 0:
		return nil, fail(model.at, "%s is a model: expected a quantity of it, such as %[1]s.goodput", reference(model.name))
	case l.free != nil:
		return nil, fail(last(path).at, "%s holds one quantity for each %s: expected its name, such as %s.%s", q, l.noun, q, example(l.noun))
	case !l.isLeaf():
		return nil, fail(last(path).at, "%s holds several quantities: expected one of .%s", q, strings.Join(l.names(), " ."))
	}
	i := slices.IndexFunc(r.quantities, func(o Quantity) bool { return o.Model == q.Model && slices.Equal(o.Path, q.Path) })
	if i < 0 {
		i = len(r.quantities)
		r.quantities = append(r.quantities, q)
	}
	return &node{op: "quantity", index: i, unit: l.unit}, nil
}

func last(path []step) step { return path[len(path)-1] }

func example(noun string) string {
	if noun == "error" {
		return "timeout"
	}
	return "NAME.goodput"
}

// steps takes a chain of members apart.
func (r *reader) steps(n ast.Node) (model step, path []step, err error) {
	at := n.Location().From
	switch n := n.(type) {
	case *ast.IdentifierNode:
		return step{n.Value, at}, nil, nil
	case *ast.CallNode:
		if callee, ok := n.Callee.(*ast.IdentifierNode); ok && callee.Value == "model" {
			if len(n.Arguments) == 1 {
				if s, ok := n.Arguments[0].(*ast.StringNode); ok {
					return step{s.Value, s.Location().From}, nil, nil
				}
			}
			return model, nil, fail(at, `expected model("LABEL") with one label in quotes`)
		}
	case *ast.MemberNode:
		if model, path, err = r.steps(n.Node); err != nil {
			return model, path, err
		}
		name, ok := n.Property.(*ast.StringNode)
		if !ok || n.Optional {
			return model, nil, fail(n.Property.Location().From, `expected a name in quotes, such as ["1"]`)
		}
		return model, append(path, step{name.Value, name.Location().From}), nil
	}
	return model, nil, fail(at, "only models have quantities: expected a model's name before the point")
}

func (r *reader) knownModel(n ast.Node, model step, path []step) error {
	if r.names.Models == nil || slices.Contains(r.names.Models, model.name) {
		return nil
	}
	if _, ok := quantities().members[model.name]; ok {
		rest := []string{model.name}
		for _, s := range path {
			rest = append(rest, s.name)
		}
		of := "async"
		if len(r.names.Models) > 0 {
			of = r.names.Models[0]
		}
		return fail(start(n), "%s of which model? Write %s", model.name, Quantity{of, rest})
	}
	return fail(model.at, "unknown model %q%s", model.name, nearest(model.name, r.names.Models, reference))
}

// down finds the step below a level; q is the way so far.
func (r *reader) down(l level, s step, q *Quantity) (level, error) {
	switch {
	case l.isLeaf():
		return l, fail(s.at, "%s is a quantity, and has no %s", *q, s.name)
	case l.free != nil:
		known := map[string][]string{"stage": r.names.Stages, "request": r.names.Requests, "crowd": r.names.Beside}[l.noun]
		if known != nil && !slices.Contains(known, s.name) {
			return l, r.unknownPart(l.noun, s, known)
		}
		return *l.free, nil
	}
	below, ok := l.members[s.name]
	if !ok {
		return l, fail(s.at, "unknown quantity %q%s", s.name, nearest(s.name, l.names(), plainly))
	}
	return below, nil
}

func (r *reader) unknownPart(noun string, s step, known []string) error {
	if len(known) == 0 {
		return fail(s.at, "unknown %s %q: the scenario has no %ss to tell apart", noun, s.name, noun)
	}
	return fail(s.at, "unknown %s %q%s", noun, s.name, nearest(s.name, known, func(name string) string {
		return strings.TrimPrefix(written([]string{name}), ".")
	}))
}
