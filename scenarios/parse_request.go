package scenarios

import (
	"github.com/goccy/go-yaml/ast"
)

func (p *fileParser) requests(n ast.Node) ([]Request, error) {
	items, err := p.list(n, "request", MaxRequests)
	if err != nil {
		return nil, err
	}
	var all []Request
	for _, item := range items {
		r, err := p.request(item)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}

func (p *fileParser) request(n ast.Node) (Request, error) {
	f := newRequestForm()
	err := p.requestForm(n, f)
	return f.request, err
}

// requestForm reads a request as a mapping or as a text.
func (p *fileParser) requestForm(n ast.Node, f *requestForm) error {
	if !isMapping(n) {
		text, err := p.scalar(n, "request as key: value lines or as text, such as GET /wait?ms=50")
		if err != nil {
			return err
		}
		t := &textParser{text: text}
		return p.inText(n, t.request(f))
	}
	if _, err := p.mapping(n, "request", p.requestFields(f)...); err != nil {
		return err
	}
	return f.finish(piece{wrong: func(_ int, msg string) error { return p.fail(start(n), "%s", msg) }})
}

func (p *fileParser) requestFields(f *requestForm) []field {
	fields := p.pieces(f.take, requestKeys...)
	for i := range fields {
		switch key := fields[i].key; key {
		case "header":
			fields[i].set = func(n ast.Node) error { return p.header(n, f) }
		case "chunked", "stream", "fault":
			set := fields[i].set
			fields[i].set = func(n ast.Node) error {
				if _, ok := n.(*ast.BoolNode); !ok {
					return p.fail(n, "expected %s: true or false, found %s", key, describe(n))
				}
				return set(n)
			}
		}
	}
	return fields
}

func (p *fileParser) header(n ast.Node, f *requestForm) error {
	values, err := p.pairs(n, "header")
	if err != nil {
		return err
	}
	for _, kv := range values {
		v, err := p.scalar(kv.Value, "a header value")
		if err != nil {
			return err
		}
		c := piece{wrong: func(_ int, msg string) error { return p.fail(kv.Key, "%s", msg) }}
		if err := f.field(c, kv.Key.GetToken().Value, v); err != nil {
			return err
		}
	}
	return nil
}

// beside reads a list of crowds, each a mapping or a text.
func (p *fileParser) beside(n ast.Node, to *[]Crowd) error {
	items, err := p.list(n, "crowd", MaxCrowds)
	if err != nil {
		return err
	}
	for _, item := range items {
		c, err := p.crowd(item)
		if err != nil {
			return err
		}
		*to = append(*to, c)
	}
	return nil
}

func (p *fileParser) crowd(n ast.Node) (Crowd, error) {
	if kv, ok := split(n); ok {
		c, err := ParseCrowd(joined(kv))
		return c, p.inSplit(kv, err)
	}
	if !isMapping(n) {
		text, err := p.scalar(n, "a crowd as key: value lines or as text, such as 100 idle")
		if err != nil {
			return Crowd{}, err
		}
		c, err := ParseCrowd(text)
		return c, p.inText(n, err)
	}
	f := newCrowdForm()
	seen, err := p.mapping(n, "a crowd", p.crowdFields(f)...)
	if err != nil {
		return f.crowd, err
	}
	if f.kind.key == "" {
		return f.crowd, p.fail(start(n), "a crowd lacks what it does: slow-send, slow-read, idle or periodic, and how many clients")
	}
	if err := f.finish(); err != nil {
		return f.crowd, p.inText(seen["request"], err) // of its text, if it is one
	}
	return f.crowd, nil
}

func (p *fileParser) crowdFields(f *crowdForm) []field {
	return append(p.pieces(f.take, crowdKeys...), field{"request", false, func(n ast.Node) error {
		f.asks = newRequestForm()
		f.requested = piece{wrong: func(_ int, msg string) error { return p.fail(start(n), "%s", msg) }}
		return p.requestForm(n, f.asks)
	}})
}
