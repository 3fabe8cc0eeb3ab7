package asgi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"

	"gatewaylab/servers/app"
)

// Application is the lab's application as an ASGI one: each route over HTTP,
// an echo of each message at /ws, and a lifespan.
func Application(a *app.App) App {
	l := &lab{app: a}
	l.calls.New = func() any { return newCall() }
	return l.serve
}

type lab struct {
	app   *app.App
	calls sync.Pool // of *call
}

func (l *lab) serve(ctx context.Context, s *Scope, receive Receive, send Send) error {
	switch s.Type {
	case TypeHTTP:
		c := l.calls.Get().(*call)
		defer l.calls.Put(c)
		return c.http(ctx, l.app, s, receive, send)
	case TypeWebSocket:
		return l.webSocket(ctx, s, receive, send)
	case TypeLifespan:
		return lifespan(receive, send)
	}
	return fmt.Errorf("asgi: the application knows no scope of type %q", s.Type)
}

// lifespan has nothing to prepare, but a server may wait for the answers.
func lifespan(receive Receive, send Send) error {
	for {
		e, err := receive()
		if err != nil {
			return err
		}
		switch e.(type) {
		case *LifespanStartup:
			err = send(&LifespanStartupComplete{})
		case *LifespanShutdown:
			return send(&LifespanShutdownComplete{})
		}
		if err != nil {
			return err
		}
	}
}

// webSocket sends every message back as it came. What isn't asked of /ws is
// answered as without a handshake, where the server can do that.
func (l *lab) webSocket(ctx context.Context, s *Scope, receive Receive, send Send) error {
	e, err := receive()
	if err != nil {
		return err
	}
	if _, ok := e.(*WebSocketConnect); !ok {
		return nil // it has gone already
	}
	if s.Path != "/ws" {
		if s.Extensions&ExtensionDenial == 0 {
			return send(&WebSocketClose{})
		}
		c := l.calls.Get().(*call)
		defer l.calls.Put(c)
		return c.deny(ctx, l.app, s, send)
	}
	if err := send(&WebSocketAccept{}); err != nil {
		return err
	}
	var back WebSocketSend
	for {
		e, err := receive()
		if err != nil {
			return err
		}
		message, ok := e.(*WebSocketReceive)
		if !ok {
			return nil
		}
		back.Bytes, back.Text = message.Bytes, message.Text
		if err := send(&back); err != nil {
			return err
		}
	}
}

// A call is one request on its way to the application and back. It is an
// app.Response and the request's body.
type call struct {
	ctx     context.Context
	receive Receive
	send    Send
	denial  bool // of a WebSocket

	request app.Request
	header  []app.Field
	gone    func() <-chan struct{}

	piece []byte // of the body, not read yet
	more  bool   // follows
	err   error  // of the body

	started bool
	over    bool   // the last piece was sent
	left    int64  // of the promised length; -1 if none was
	held    []byte // written, not sent
	names   []app.Field
	start   HTTPResponseStart
	body    HTTPResponseBody
	denies  WebSocketResponseStart
	denied  WebSocketResponseBody
}

// heldSize is how much of what the application writes waits for more of it.
const heldSize = 16 << 10

func newCall() *call {
	c := &call{}
	c.gone = func() <-chan struct{} { return c.ctx.Done() }
	return c
}

func (c *call) http(ctx context.Context, a *app.App, s *Scope, receive Receive, send Send) error {
	c.begin(ctx, s, receive, send)
	c.request.Method, c.more = s.Method, true
	return c.end(a.Serve(c, &c.request))
}

// deny answers a handshake as if it were none. It is a GET without a body.
func (c *call) deny(ctx context.Context, a *app.App, s *Scope, send Send) error {
	c.begin(ctx, s, nil, send)
	c.request.Method, c.denial = "GET", true
	return c.end(a.Serve(c, &c.request))
}

func (c *call) begin(ctx context.Context, s *Scope, receive Receive, send Send) {
	c.ctx, c.receive, c.send, c.denial = ctx, receive, send, false
	c.piece, c.more, c.err = nil, false, nil
	c.started, c.over, c.left, c.held = false, false, -1, c.held[:0]
	length := c.fields(s.Headers)
	c.request = app.Request{
		Path: s.Path, Query: s.QueryString, Header: c.header,
		Body: c.bodyReader(), Length: length, Gone: c.gone, Loop: s.Loop,
	}
}

// end sends what is left and lets go of what belongs to the server.
func (c *call) end(err error) error {
	if err == nil && !c.over {
		err = c.post(c.held, false)
	}
	if cap(c.held) > heldSize {
		c.held = nil
	}
	switch {
	case errors.Is(err, app.ErrGone):
		err = fmt.Errorf("%w (%w)", ErrDisconnected, err)
	case c.err != nil && !c.started: // the server knows why
		err = fmt.Errorf("%w (%w)", ErrDisconnected, c.err)
	}
	c.ctx, c.receive, c.send, c.piece, c.request = nil, nil, nil, nil, app.Request{}
	clear(c.header)
	clear(c.names)
	return err
}

func (c *call) bodyReader() io.Reader { return (*bodyOf)(c) }

// fields are a scope's headers as every model shows them to the application,
// see iface.Fields, except that app.Merge is left to who wants it. It also
// returns the body's length.
func (c *call) fields(headers []app.Field) (length int64) {
	c.header = c.header[:0]
	named := ""
	for i := range headers {
		f := &headers[i]
		switch f.Name {
		case "connection":
			named += "," + f.Value
		case "content-length":
			if n, err := strconv.ParseInt(f.Value, 10, 64); err == nil {
				length = n
			}
		case "transfer-encoding":
			length = -1
		default:
			if name := Canonical(f.Name); app.Passed(name) && !(name == "Content-Type" && f.Value == "") {
				c.header = append(c.header, app.Field{Name: name, Value: f.Value})
			}
		}
	}
	if named != "" {
		c.dropNamed(named)
	}
	return length
}

// dropNamed drops the fields that Connection declares to be hop-by-hop.
func (c *call) dropNamed(list string) {
	for word := range strings.SplitSeq(list, ",") {
		switch word = strings.Trim(word, " \t"); word {
		case "", "close", "keep-alive", "Upgrade", "upgrade":
			continue
		}
		kept := c.header[:0]
		for _, f := range c.header {
			if !strings.EqualFold(f.Name, word) || f.Name == "Host" {
				kept = append(kept, f)
			}
		}
		c.header = kept
	}
}

// A bodyOf is the request's body for the application to read.
type bodyOf call

func (b *bodyOf) Read(p []byte) (int, error) {
	for len(b.piece) == 0 && b.more && b.err == nil {
		e, err := b.receive()
		switch e := e.(type) {
		case *HTTPRequest:
			b.piece, b.more = e.Body, e.MoreBody
		default:
			if b.err = err; err == nil {
				b.err = io.ErrUnexpectedEOF
			}
		}
	}
	if b.err != nil {
		return 0, b.err
	}
	if len(b.piece) == 0 {
		return 0, io.EOF
	}
	n := copy(p, b.piece)
	b.piece = b.piece[n:]
	return n, nil
}

// WriteTo hands on each piece without a copy.
func (b *bodyOf) WriteTo(w io.Writer) (int64, error) {
	var total int64
	for {
		if _, err := b.Read(nil); err == io.EOF {
			return total, nil
		} else if err != nil {
			return total, err
		}
		n, err := w.Write(b.piece)
		total += int64(n)
		b.piece = b.piece[n:]
		if err != nil {
			return total, err
		}
	}
}

// Start is app.Response's.
func (c *call) Start(status int, header []app.Field) error {
	c.started = true
	c.names = c.names[:0]
	for i := range header {
		f := &header[i]
		if f.Name == "Content-Length" {
			if n, err := strconv.ParseInt(f.Value, 10, 64); err == nil {
				c.left = n
			}
		}
		c.names = append(c.names, app.Field{Name: Lower(f.Name), Value: f.Value})
	}
	if c.denial {
		c.denies = WebSocketResponseStart{Status: status, Headers: c.names}
		return c.send(&c.denies)
	}
	c.start = HTTPResponseStart{Status: status, Headers: c.names}
	return c.send(&c.start)
}

// Write is app.Response's. The piece with which the body is as long as was
// promised is sent as the last, so that a small answer is two events.
func (c *call) Write(p []byte) (int, error) {
	if c.over {
		return 0, errors.New("asgi: the application wrote more than the Content-Length that it promised")
	}
	if c.left >= 0 {
		if c.left -= int64(len(p)); c.left <= 0 && len(c.held) == 0 {
			return len(p), c.post(p, false)
		}
	}
	if len(c.held)+len(p) > heldSize {
		if len(c.held) > 0 {
			if err := c.post(c.held, true); err != nil {
				return 0, err
			}
			c.held = c.held[:0]
		}
		if len(p) > heldSize {
			return len(p), c.post(p, c.left != 0)
		}
	}
	c.held = append(c.held, p...)
	return len(p), nil
}

// Flush is app.Response's.
func (c *call) Flush() error {
	if c.over {
		return nil
	}
	held := c.held
	c.held = c.held[:0]
	return c.post(held, true)
}

// post sends a piece of the response's body.
func (c *call) post(p []byte, more bool) error {
	c.over = !more
	if c.denial {
		c.denied = WebSocketResponseBody{p, more}
		return c.send(&c.denied)
	}
	c.body = HTTPResponseBody{p, more}
	return c.send(&c.body)
}
