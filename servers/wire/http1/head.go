package http1

import (
	"bytes"
	"unsafe"

	"gatewaylab/servers/app"
)

// A Parser finds a request's head at the beginning of what has come on a
// connection. It remembers how far it has looked, so that a head that comes in
// many pieces is not read over and over. The zero value has DefaultLimits.
type Parser struct {
	limits Limits
	line   int // where the line begins that is looked at
	seen   int // up to where there is no end of it
	begun  bool
	method int // where it begins: behind an empty line, if there was one
	parts  requestLine
	fields []span
}

// A span is where in the head a field is.
type span struct{ name, nameEnd, value, valueEnd int32 }

// requestLine is where in the head the parts of the request line end.
type requestLine struct {
	methodEnd, targetEnd int
	minor                int
}

// NewParser returns a parser with limits of its own.
func NewParser(l Limits) *Parser { return &Parser{limits: l} }

// Reset makes the parser forget an unfinished head.
func (p *Parser) Reset() {
	p.line, p.seen, p.begun, p.method = 0, 0, false, 0
	p.fields = p.fields[:0]
}

// Parse looks at the unread bytes of a connection, of which the first is the
// first of a request. If the head is complete it fills r and returns the
// head's length; the parser is then ready for the next. If it isn't, Parse
// returns 0 and wants to be called again with the same bytes and more. The
// error is an *Error. Whether the bytes come one by one or all at once makes
// no difference to what it returns in the end.
//
// buf is not kept. The head costs one allocation, of the memory that the
// strings in r are made of.
func (p *Parser) Parse(buf []byte, r *Request) (int, error) {
	if p.limits.Head == 0 {
		p.limits = DefaultLimits()
	}
	for {
		if !p.begun && p.line < len(buf) && buf[p.line] != '\r' && !isToken(buf[p.line]) {
			return 0, refuse(400, "this is not the beginning of an HTTP request")
		}
		i := bytes.IndexByte(buf[p.seen:], '\n')
		end := p.seen + i
		if i < 0 {
			end = len(buf)
		}
		if !p.begun && end-p.line > p.limits.Line+1 { // one more for the CR
			return 0, refuse(414, "the request line is too long")
		}
		if end >= p.limits.Head {
			return 0, refuse(431, "the request's head is too large")
		}
		if i < 0 {
			p.seen = end
			return 0, nil
		}
		done, err := p.take(buf, end)
		if err != nil {
			return 0, err
		}
		p.line, p.seen = end+1, end+1
		if done {
			err := p.fill(buf[:end+1], r)
			p.Reset()
			return end + 1, err
		}
	}
}

// take takes the line that ends with the LF at buf[end].
func (p *Parser) take(buf []byte, end int) (done bool, err error) {
	if end == p.line || buf[end-1] != '\r' {
		return false, refuse(400, "a line ends in a bare LF")
	}
	line := buf[p.line : end-1]
	switch {
	case p.begun && len(line) == 0:
		return true, nil
	case p.begun:
		return false, p.field(line)
	case len(line) == 0 && p.line == 0:
		p.method = end + 1 // RFC 9112 §2.2 asks to ignore one
		return false, nil
	}
	p.begun = true
	return false, p.request(line)
}

// request takes the request line: method SP target SP version (RFC 9112 §3),
// each space being just that.
func (p *Parser) request(line []byte) error {
	method := bytes.IndexByte(line, ' ')
	if method <= 0 || !all(line[:method], isToken) {
		return refuse(400, "the request line is malformed")
	}
	if method > maxMethod {
		return refuse(501, "no method is as long as this one")
	}
	rest := line[method+1:]
	target := bytes.IndexByte(rest, ' ')
	if target <= 0 {
		return refuse(400, "the request line is malformed")
	}
	v := rest[target+1:]
	if len(v) != 8 || string(v[:5]) != "HTTP/" || v[5] < '0' || v[5] > '9' || v[6] != '.' || v[7] < '0' || v[7] > '9' {
		return refuse(400, "the request line does not end in an HTTP version")
	}
	if v[5] != '1' {
		return refuse(505, "only HTTP/1.0 and HTTP/1.1 are spoken here")
	}
	if !all(rest[:target], isTarget) {
		return refuse(400, "the request's target has a byte that can't be in it")
	}
	p.parts = requestLine{p.line + method, p.line + method + 1 + target, min(int(v[7]-'0'), 1)}
	return nil
}

// field takes a field line (RFC 9112 §5).
func (p *Parser) field(line []byte) error {
	if isSpace(line[0]) {
		return refuse(400, "a field is folded over several lines")
	}
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 {
		return refuse(400, "a line of the header is not a field")
	}
	for _, c := range line[:colon] {
		if !isToken(c) {
			return refuse(400, "a field's name has a byte that can't be in it")
		}
	}
	for _, c := range line[colon+1:] {
		if !isText(c) {
			return refuse(400, "a field's value has a control byte")
		}
	}
	if len(p.fields) >= p.limits.Fields {
		return refuse(431, "the request has too many fields")
	}
	from, to := colon+1, len(line)
	for from < to && isSpace(line[from]) {
		from++
	}
	for from < to && isSpace(line[to-1]) {
		to--
	}
	p.fields = append(p.fields, span{
		int32(p.line), int32(p.line + colon), int32(p.line + from), int32(p.line + to),
	})
	return nil
}

// fill makes the request of a complete head.
func (p *Parser) fill(head []byte, r *Request) error {
	// One copy is the memory of all strings. It is a string only once nobody
	// writes to it any more, as in strings.Builder.
	own := bytes.Clone(head)
	for _, f := range p.fields {
		canonical(own[f.name:f.nameEnd])
	}
	text := unsafe.String(unsafe.SliceData(own), len(own))
	*r = Request{
		Method: text[p.method:p.parts.methodEnd],
		Target: text[p.parts.methodEnd+1 : p.parts.targetEnd],
		Minor:  p.parts.minor,
		Fields: r.Fields[:0],
	}
	for _, f := range p.fields {
		r.Fields = append(r.Fields, app.Field{Name: text[f.name:f.nameEnd], Value: text[f.value:f.valueEnd]})
	}
	authority, err := r.splitTarget()
	if err != nil {
		return err
	}
	return r.settle(authority)
}
