package wsgi_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"gatewaylab/servers/app"
	"gatewaylab/servers/iface/wsgi"
)

// page is a sink that keeps the order in which things reach it.
type page struct {
	events []string
	body   bytes.Buffer
	breaks int // after that many calls the client is gone; 0 = never
	calls  int
}

var errGone = errors.New("the client is gone")

func (p *page) call(event string) error {
	if p.calls++; p.breaks > 0 && p.calls >= p.breaks {
		return errGone
	}
	p.events = append(p.events, event)
	return nil
}

func (p *page) Start(status int, reason string, header []app.Field, length int64) error {
	names := make([]string, len(header))
	for i, f := range header {
		names[i] = f.Name + "=" + f.Value
	}
	return p.call(fmt.Sprintf("start %d %s [%s] %d", status, reason, strings.Join(names, " "), length))
}

func (p *page) Write(b []byte) (int, error) {
	p.body.Write(b)
	return len(b), p.call("write " + string(b))
}

func (p *page) Flush() error { return p.call("flush") }

// environ is a good one.
func environ(errs io.Writer) *wsgi.Environ {
	return &wsgi.Environ{
		Variables: []app.Field{
			{Name: "REQUEST_METHOD", Value: "GET"},
			{Name: "SCRIPT_NAME", Value: ""},
			{Name: "PATH_INFO", Value: "/hello"},
			{Name: "QUERY_STRING", Value: ""},
			{Name: "SERVER_NAME", Value: "lab.test"},
			{Name: "SERVER_PORT", Value: "80"},
			{Name: "SERVER_PROTOCOL", Value: "HTTP/1.1"},
			{Name: "HTTP_HOST", Value: "lab.test"},
		},
		Version: [2]int{1, 0}, URLScheme: "http", Input: strings.NewReader(""), Errors: errs,
	}
}

// body is an iterable that a test writes as a function: what Next returns for
// the n-th call, from 0 on.
type body struct {
	next   func(n int) ([]byte, error)
	n      int
	closed int
}

func (b *body) Next() ([]byte, error) {
	b.n++
	return b.next(b.n - 1)
}

func (b *body) Close() error { b.closed++; return nil }

// yields is an iterable that doesn't know its length.
func yields(blocks ...string) *body {
	return &body{next: func(n int) ([]byte, error) {
		if n == len(blocks) {
			return nil, io.EOF
		}
		return []byte(blocks[n]), nil
	}}
}

var plain = []app.Field{{Name: "Content-Type", Value: "text/plain"}}

func header(more ...string) []app.Field {
	h := append([]app.Field(nil), plain...)
	for i := 0; i < len(more); i += 2 {
		h = append(h, app.Field{Name: more[i], Value: more[i+1]})
	}
	return h
}
