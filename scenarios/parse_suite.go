package scenarios

import (
	"slices"
	"time"

	"github.com/goccy/go-yaml/ast"

	"gatewaylab/servers"
)

const (
	maxPairs      = 50
	maxSituations = 50
	// suiteTrials give the ratio of two models an interval of 95 %.
	suiteTrials = 4
)

// isSuite tells a suite from a scenario: it has situations.
func (p *fileParser) isSuite(n ast.Node) bool {
	values, err := p.pairs(n, "")
	return err == nil && slices.ContainsFunc(values, func(kv *ast.MappingValueNode) bool {
		return kv.Key.GetToken().Value == "situations"
	})
}

func (p *fileParser) suite(n ast.Node) (*Suite, error) {
	s := &Suite{Trials: suiteTrials}
	_, err := p.mapping(n, "a suite", p.suiteFields(s)...)
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (p *fileParser) suiteFields(s *Suite) []field {
	return []field{
		{"name", true, func(n ast.Node) error { return p.slug(n, &s.Name) }},
		{"title", true, p.text(&s.Title, "a title")},
		{"question", true, p.text(&s.Question, "a question")},
		{"trials", false, p.count(&s.Trials, "a number of trials", maxTrials)},
		{"pairs", true, func(n ast.Node) error { return p.suitePairs(n, &s.Pairs) }},
		{"situations", true, func(n ast.Node) error { return p.situations(n, &s.Situations) }},
	}
}

// suitePairs reads the pairs, no two of whose labels may be the same.
func (p *fileParser) suitePairs(n ast.Node, to *[]Pair) error {
	items, err := p.list(n, "pair", maxPairs)
	if err != nil {
		return err
	}
	taken := map[string]bool{}
	for _, item := range items {
		var pair Pair
		if _, err := p.mapping(item, "a pair", p.pairFields(&pair)...); err != nil {
			return err
		}
		for _, e := range []Entry{pair.Model, pair.Twin} {
			if taken[e.Label()] {
				return p.fail(start(item), "two models are called %s; give one of them another name", e.Label())
			}
			taken[e.Label()] = true
		}
		*to = append(*to, pair)
	}
	return nil
}

func (p *fileParser) pairFields(pair *Pair) []field {
	entry := func(to *Entry) func(ast.Node) error {
		return func(n ast.Node) (err error) {
			*to, err = p.model(n)
			return err
		}
	}
	return []field{{"model", true, entry(&pair.Model)}, {"twin", true, entry(&pair.Twin)}}
}

func (p *fileParser) situations(n ast.Node, to *[]*Scenario) error {
	items, err := p.list(n, "situation", maxSituations)
	if err != nil {
		return err
	}
	for _, item := range items {
		p.stages = nil // those of this one
		sc, err := p.filled(item, "a situation", p.situationFields)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(*to, func(o *Scenario) bool { return o.Name == sc.Name }) {
			return p.fail(start(item), "two situations are called %s; give one of them another name", sc.Name)
		}
		*to = append(*to, sc)
	}
	return nil
}

// situationFields are a scenario's but those that the suite says for all, and
// what is compared.
func (p *fileParser) situationFields(s *Scenario, window *time.Duration) []field {
	fields := slices.DeleteFunc(p.scenarioFields(s, window), func(f field) bool {
		return slices.Contains([]string{"models", "trials", "expect", "lesson", "tune"}, f.key)
	})
	return append(fields, field{"compare", true, func(n ast.Node) error { return p.aspects(n, &s.Compare) }})
}

func (p *fileParser) aspects(n ast.Node, to *[]Aspect) error {
	items, err := p.list(n, "aspect", len(Aspects))
	if err != nil {
		return err
	}
	names := make([]string, len(Aspects))
	for i, a := range Aspects {
		names[i] = string(a)
	}
	for _, item := range items {
		text, err := p.scalar(item, "an aspect, such as ceiling")
		if err != nil {
			return err
		}
		if !slices.Contains(names, text) {
			return p.fail(item, "no aspect is called %q%s", text, servers.Nearest(text, names))
		}
		*to = append(*to, Aspect(text))
	}
	return nil
}
