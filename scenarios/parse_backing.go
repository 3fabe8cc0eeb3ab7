package scenarios

import (
	"github.com/goccy/go-yaml/ast"

	"gatewaylab/servers"
)

// backing reads the backing services by their names, each as a text or as a
// mapping of its settings.
func (p *fileParser) backing(n ast.Node, to *[]servers.Backing) error {
	seen, err := p.mapping(n, "backing", p.backingFields(to)...)
	if err == nil && len(seen) == 0 {
		return p.fail(n, "expected a backing service, such as upstream: exponential 100ms")
	}
	return err
}

func (p *fileParser) backingFields(to *[]servers.Backing) (fields []field) {
	for _, row := range servers.Services() {
		fields = append(fields, field{row.Name, false, func(n ast.Node) error {
			b, err := p.service(n, &row)
			*to = append(*to, b)
			return err
		}})
	}
	return fields
}

func (p *fileParser) service(n ast.Node, row *servers.Service) (servers.Backing, error) {
	if !isMapping(n) {
		text, err := p.scalar(n, "settings of "+row.Name+", as text or as key: value lines")
		if err != nil {
			return servers.Backing{}, err
		}
		b, err := ParseBacking(row.Name, text)
		return b, p.inText(n, err)
	}
	f := newBackingForm(row)
	if _, err := p.mapping(n, row.Name, p.pieces(f.take, optionKeys(row)...)...); err != nil {
		return servers.Backing{}, err
	}
	b, err := servers.NewBacking(row.Name, f.given)
	if err != nil {
		return b, p.fail(start(n), "%v", err)
	}
	return b, nil
}
