package models

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"

	"gatewaylab/servers/app"
	"gatewaylab/servers/wire/http1"
)

// maxLocalSteps limits how many local redirects of a CGI program follow one
// another.
const maxLocalSteps = 10

// An outbound is a request as it is passed on.
type outbound struct {
	req  *http1.Request
	path string // raw, with the query: the target
	// fields are those that belong to the message; what is about the
	// connection, and what clients say of proxies, is not among them.
	fields        []app.Field
	remote, local string
	body          *frontBody
	socket        bool // the client wants a WebSocket
}

// An inbound is the model's answer.
type inbound struct {
	status int
	header []app.Field
	length int64 // of the body; -1 = it ends when it ends
	body   io.Reader
	// done gives the connection back, or closes it if the body has not been
	// read to its end.
	done func()
	// location is set for a local redirect of a CGI program: the path to serve.
	location string
	// socket is the connection after the protocol has been switched.
	socket net.Conn
	rest   io.Reader // what has come on it already, and all that follows
}

// forward passes a request on and the answer back.
func (p *proxy) forward(c *frontConn) error {
	body, err := p.take(c)
	if err != nil {
		return bodyError(err)
	}
	c.body = body
	defer body.Close()
	out := &outbound{
		req: &c.req, path: originForm(c.req.Target), fields: p.passedFields(c), body: body,
		remote: c.conn.RemoteAddr().String(), local: c.conn.LocalAddr().String(),
		socket: p.wire == wireHTTP && strings.EqualFold(c.req.Upgrade, "websocket"),
	}
	p.env.Board.Queue(1)
	defer p.env.Board.Queue(-1)
	ctx, cancel := context.WithCancel(p.ctx)
	defer cancel()
	stop := c.watch(cancel)
	stopped := false
	unwatch := func() {
		if !stopped {
			stopped = true
			stop()
		}
	}
	defer unwatch()
	for range maxLocalSteps {
		in, err := p.ask(ctx, out)
		if err != nil {
			return p.explain(ctx, out, err)
		}
		if in.location == "" {
			if in.socket != nil {
				unwatch()
				return c.tunnel(in)
			}
			return p.deliver(ctx, c, out, in, unwatch)
		}
		in.done()
		out = out.redirected(in.location)
	}
	return &frontError{status: 502, why: "the application redirects in a circle"}
}

// bodyError says how a body that could not be taken in is answered for.
func bodyError(err error) error {
	var bad *http1.Error
	switch {
	case errors.As(err, &bad):
		return &frontError{status: bad.Status, why: bad.Why, cause: err}
	case isTimeout(err):
		return &frontError{status: 408, why: "the body stopped coming", cause: err}
	case errors.Is(err, io.ErrUnexpectedEOF):
		return &frontError{status: 400, why: "the body is cut off", cause: err}
	case errors.Is(err, errSpool):
		return &frontError{status: 500, why: "there is no room for the body", cause: err}
	}
	return &frontError{why: "the client has gone away", cause: err}
}

// explain says how a request that got no answer is answered for, and logs why.
func (p *proxy) explain(ctx context.Context, out *outbound, err error) error {
	if ctx.Err() != nil {
		return &frontError{why: "the client has gone away, or the front is to stop", cause: err}
	}
	var fault *frontError
	if !errors.As(err, &fault) {
		fault = &frontError{status: 502, why: "the application server gave no proper answer", cause: err}
		if isTimeout(err) {
			fault.status, fault.why = 504, "the application server did not answer in time"
		}
		if cerr := out.body.clientFault(); cerr != nil {
			return bodyError(cerr)
		}
	}
	if fault.status == 503 {
		p.env.Board.Rejected()
	} else {
		p.env.Log.Printf("front: %.200q: %v", out.req.Method+" "+out.path, err)
	}
	return fault
}

// ask chooses an instance and asks it; if that can't be connected to, another.
func (p *proxy) ask(ctx context.Context, out *outbound) (*inbound, error) {
	tried := map[*back]bool{}
	for {
		b := p.backs.choose(tried)
		if err := p.enter(ctx, b); err != nil {
			return nil, err
		}
		in, err := b.exchange(ctx, out)
		if err == nil {
			b.works()
			finish := in.done
			in.done = func() { finish(); p.exit(b) }
			return in, nil
		}
		p.exit(b)
		var unreachable *connectError
		if !errors.As(err, &unreachable) {
			return nil, err
		}
		if ctx.Err() != nil {
			return nil, err
		}
		b.failed()
		if tried[b] = true; len(tried) == len(p.backs.all) {
			status, why := 502, "the application server can't be reached"
			if isTimeout(err) || errors.Is(err, syscall.EAGAIN) {
				status, why = 504, "the application server takes no connection"
			}
			return nil, &frontError{status: status, why: why, cause: err}
		}
	}
}

// enter waits for a place at an instance.
func (p *proxy) enter(ctx context.Context, b *back) error {
	b.active.Add(1)
	if b.places == nil {
		return nil
	}
	select {
	case b.places <- struct{}{}:
		return nil
	default:
	}
	defer p.queued.Add(-1)
	if p.queued.Add(1) > int64(p.queue) {
		b.active.Add(-1)
		return &frontError{status: 503, why: "the queue is full", wait: true}
	}
	select {
	case b.places <- struct{}{}: // in the order in which they came
		return nil
	case <-ctx.Done():
		b.active.Add(-1)
		return ctx.Err()
	}
}

func (p *proxy) exit(b *back) {
	if b.places != nil {
		<-b.places
	}
	b.active.Add(-1)
}

// passedFields are the fields that are passed on: not those about the
// connection, what the front has dealt with, or what only a proxy may say of
// the client, which this one then says itself. Names that a CGI variable can't
// carry are left out whatever the protocol, as nginx does: X_User and X-User
// would be one to whoever turns them into variables.
func (p *proxy) passedFields(c *frontConn) []app.Field {
	fields := make([]app.Field, 0, len(c.req.Fields)+4)
	named := connectionTokens(c.req.Fields)
	for _, f := range c.req.Fields {
		switch f.Name {
		case "Host", "Content-Length", "Expect", "Proxy",
			"Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip":
			continue
		}
		if app.HopByHop(f.Name) || !plainName(f.Name) || named != "" && http1.HasToken(named, strings.ToLower(f.Name)) {
			continue
		}
		fields = append(fields, f)
	}
	return fields
}

func connectionTokens(fields []app.Field) (tokens string) {
	for _, f := range fields {
		if f.Name == "Connection" {
			tokens += "," + f.Value
		}
	}
	return tokens
}

func plainName(name string) bool {
	for _, c := range []byte(name) {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-') {
			return false
		}
	}
	return true
}

// originForm is the path and query of a target as it came.
func originForm(target string) string {
	if strings.HasPrefix(target, "/") {
		return target
	}
	if _, rest, ok := strings.Cut(target, "://"); ok {
		if i := strings.IndexAny(rest, "/?"); i >= 0 {
			if rest[i] == '?' {
				return "/" + rest[i:]
			}
			return rest[i:]
		}
	}
	return "/"
}

// redirected is the request that a local redirect stands for, "as if the
// client had asked for that path" (RFC 3875 §6.2.2): a GET without a body.
func (o *outbound) redirected(location string) *outbound {
	req := *o.req
	if req.Method != "HEAD" {
		req.Method = "GET"
	}
	req.Target = location
	req.Path, req.Query, _ = strings.Cut(location, "?")
	req.Framing, req.Length = http1.NoBody, 0
	next := *o
	next.req, next.path, next.body, next.fields = &req, location, &frontBody{size: -1}, nil
	for _, f := range o.fields {
		switch f.Name {
		case "Content-Type", "Content-Encoding":
		default:
			next.fields = append(next.fields, f)
		}
	}
	return &next
}

// deliver passes an answer back. Unwatch must be called before anything else
// is read from the client.
func (p *proxy) deliver(ctx context.Context, c *frontConn, out *outbound, in *inbound, unwatch func()) error {
	finish := sync.OnceFunc(in.done)
	defer finish()
	bodyless := c.req.Method == "HEAD" || in.status == 204 || in.status == 304
	var short []byte
	if p.responseBuffering && !bodyless && in.length >= 0 && in.length <= bodyInMemory {
		// All of it, then the instance is free, then it is sent in one piece
		// with the head.
		short = make([]byte, in.length)
		if _, err := io.ReadFull(in.body, short); err != nil {
			return p.explain(ctx, out, err)
		}
		finish()
	}
	if !c.body.taken() {
		c.out.Close() // nobody will read the rest of the body
	}
	header := shownFields(in.header, in.status)
	if in.length >= 0 && in.status != 204 {
		header = append(header, app.Field{Name: "Content-Length", Value: itoa(in.length)})
	}
	if err := c.out.Start(in.status, header); err != nil {
		return err
	}
	var err error
	switch {
	case bodyless:
	case !p.responseBuffering:
		err = c.pump(in.body)
	case short != nil:
		_, err = c.out.Write(short)
	default:
		err = c.pumpBuffered(ctx, in.body, finish)
	}
	if err != nil {
		if ctx.Err() == nil && !isClientError(err) {
			p.env.Log.Printf("front: the answer to %.200q was cut off: %v", c.req.Method+" "+c.req.Target, err)
		}
		return fmt.Errorf("answer cut off: %w", err)
	}
	unwatch()
	return c.finish()
}

// pump sends each piece of a body as it comes.
func (c *frontConn) pump(body io.Reader) error {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	for {
		n, err := body.Read(*buf)
		if n > 0 {
			if _, werr := c.out.Write((*buf)[:n]); werr != nil {
				return werr
			}
			_ = c.out.Flush() // it only moves what was written
			if werr := c.flush(); werr != nil {
				return &clientError{werr}
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// pumpBuffered sends a body as fast as the client takes it, and takes it from
// the instance as fast as that gives it: finish is called as soon as the
// instance has given all.
func (c *frontConn) pumpBuffered(ctx context.Context, body io.Reader, finish func()) error {
	s := newResponseSpool(ctx)
	filled := make(chan struct{})
	go func() {
		defer close(filled)
		s.fill(body)
		if s.whole() {
			finish()
		}
	}()
	err := c.pump(s)
	s.stop(err) // the client is gone: the instance is not to go on for it
	if err != nil {
		finish()
	}
	<-filled
	return err
}

// A clientError is one of the client's connection.
type clientError struct{ error }

func (e *clientError) Unwrap() error { return e.error }

func isClientError(err error) bool {
	var c *clientError
	return errors.As(err, &c)
}

// shownFields are the fields of an answer that clients see: not those about
// the connection to the instance, nor those that tell what the instance is.
func shownFields(fields []app.Field, status int) []app.Field {
	named := connectionTokens(fields)
	shown := make([]app.Field, 0, len(fields)+1)
	for _, f := range fields {
		switch {
		case f.Name == "Upgrade" && status == 426: // which has to have it (RFC 9110 §15.5.22)
		case f.Name == "Content-Length", f.Name == "Server", f.Name == "X-Powered-By", f.Name == "Via",
			strings.HasPrefix(f.Name, "X-Accel-"),
			app.HopByHop(f.Name), named != "" && http1.HasToken(named, strings.ToLower(f.Name)):
			continue
		}
		shown = append(shown, f)
	}
	return shown
}
