package scenarios

import "github.com/goccy/go-yaml/ast"

// tune reads the options whose best values are to be found, each with the values
// to try, in ascending order.
func (p *fileParser) tune(n ast.Node, to *[]Tunable) error {
	var fields []field
	for _, option := range tunableOptions {
		fields = append(fields, field{option, false, func(n ast.Node) error {
			values, err := p.tuneValues(n)
			*to = append(*to, Tunable{option, values})
			return err
		}})
	}
	seen, err := p.mapping(n, "tune", fields...)
	if err == nil && len(seen) == 0 {
		return p.fail(n, "expected an option and the values to try, such as workers: [4, 16, 64]")
	}
	return err
}

func (p *fileParser) tuneValues(n ast.Node) (values []int, err error) {
	items, err := p.list(n, "value", maxTuneValues)
	if err != nil {
		return nil, err
	}
	for _, item := range items {
		var v int
		if err := p.count(&v, "a value", maxTuneValue)(item); err != nil {
			return nil, err
		}
		if len(values) > 0 && v <= values[len(values)-1] {
			return nil, p.fail(item, "expected values in ascending order, found %d after %d", v, values[len(values)-1])
		}
		values = append(values, v)
	}
	return values, nil
}
