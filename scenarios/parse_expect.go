package scenarios

import (
	"errors"

	"github.com/goccy/go-yaml/ast"

	"gatewaylab/scenarios/expect"
)

func (p *fileParser) expects(n ast.Node, to *[]string) error {
	items, err := p.list(n, "expectation", maxExpect)
	if err != nil {
		return err
	}
	for _, item := range items {
		text, err := p.scalar(item, "an expectation, such as async.goodput > 10 * prefork.goodput")
		if err != nil {
			return err
		}
		*to = append(*to, text)
	}
	return nil
}

// expectations checks what is expected, once it is known of what.
func (p *fileParser) expectations(s *Scenario, n ast.Node) error {
	if n == nil {
		return nil
	}
	labels, err := labels(s.Models)
	if err != nil {
		return p.fail(n, "%v", err)
	}
	for i, item := range n.(*ast.SequenceNode).Values {
		err := s.CheckExpectation(s.Expect[i], labels)
		var e *expect.Error
		if errors.As(err, &e) {
			return p.failIn(item, e.Column-1, s.Expect[i], e.Msg)
		} else if err != nil {
			return p.fail(item, "%v", err)
		}
	}
	return nil
}

// CheckExpectation says what is wrong with an expectation over results of the
// scenario and of models with the given labels; without any, every name may be
// a model's. Errors are *expect.Error.
func (s *Scenario) CheckExpectation(text string, models []string) error {
	names := expect.Names{Models: models, Stages: []string{}, Requests: []string{}, Beside: []string{}}
	for i := range s.Stages {
		if len(s.Stages) == 1 {
			break // the only one is the whole, and not measured apart
		}
		names.Stages = append(names.Stages, s.Stages[i].Title(i))
	}
	for i := range s.Requests {
		if len(s.Requests) == 1 {
			break // likewise
		}
		names.Requests = append(names.Requests, s.Requests[i].Title())
	}
	for i := range s.Beside {
		names.Beside = append(names.Beside, s.Beside[i].Title())
	}
	return names.Check(text)
}

// labels are the names by which results know models; nil if there are none.
func labels(entries []Entry) ([]string, error) {
	all, err := contestants(entries)
	if err != nil {
		return nil, err
	}
	var labels []string
	for _, c := range all {
		labels = append(labels, c.Label)
	}
	return labels, nil
}
