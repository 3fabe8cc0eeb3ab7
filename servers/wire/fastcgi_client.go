package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"

	"gatewaylab/servers/app"
)

// FastCGIOptions say how connections are used.
type FastCGIOptions struct {
	// Reuse asks the responder to keep the connection, for the next request.
	// Most responders serve one connection at a time, asked or not, so that
	// connections in excess of their processes would wait for ever. Hence the
	// responder is asked (GET_VALUES) how many it takes (FCGI_MAX_CONNS), and
	// requests wait for one of so many. One that doesn't answer gets as many as
	// there are requests.
	Reuse bool
	// MaxIdle is how many connections are kept when nobody uses them; 0 = 8.
	MaxIdle int
	// Multiplex has requests share connections, if the responder doesn't say
	// that it can't (FCGI_MPXS_CONNS), as many requests as it says that it takes
	// (FCGI_MAX_REQS). Another connection is made while all are in use, up to
	// Shared (0 = 8), since behind each there may be another process.
	Multiplex bool
	Shared    int
	// Instances is how many responders share the address; 0 = 1. What one says
	// that it takes counts so many times.
	Instances int
	// Stderr, if not nil, gets what the responder writes to STDERR, whichever
	// request it belongs to. It must not keep the slice.
	Stderr func([]byte)
}

// What a responder may say instead of an answer (section 5.5).
var (
	ErrCantMultiplex = errors.New("FastCGI: the responder can't take a second request on a connection (FCGI_CANT_MPX_CONN)")
	ErrOverloaded    = errors.New("FastCGI: the responder is overloaded (FCGI_OVERLOADED)")
	ErrUnknownRole   = errors.New("FastCGI: the responder is no responder (FCGI_UNKNOWN_ROLE)")
)

// cutOff is the AppStatus with which a multiplexer says that an answer is not
// whole, where others still need the connection and it can't be broken off. It
// is no exit status, and no gateway that doesn't know it minds.
const cutOff = 1<<32 - 1

// ErrCutOff is the end of an answer that is not whole.
var ErrCutOff = errors.New("FastCGI: the responder has broken its answer off")

// A StatusError is an answer's end that the application is not content with:
// it has exited with that status.
type StatusError struct{ AppStatus uint32 }

func (e *StatusError) Error() string {
	return "FastCGI: the application ended the request with status " + strconv.FormatUint(uint64(e.AppStatus), 10)
}

// err is what an end says.
func (e End) err() error {
	switch {
	case e.Status == CantMultiplex:
		return ErrCantMultiplex
	case e.Status == Overloaded:
		return ErrOverloaded
	case e.Status == UnknownRole:
		return ErrUnknownRole
	case e.Status != RequestComplete:
		return &ProtocolError{Protocol: "FastCGI", Why: fmt.Sprintf("END_REQUEST with %v", e.Status)}
	case e.AppStatus == cutOff:
		return ErrCutOff
	case e.AppStatus != 0:
		return &StatusError{e.AppStatus}
	}
	return io.EOF
}

// FastCGI is the gateway's end of FastCGI. It is safe for concurrent use.
type FastCGI struct {
	dial   Dial
	o      FastCGIOptions
	making chan struct{} // held by who makes a shared connection, or asks

	mu     sync.Mutex
	closed bool
	asked  bool          // what the responder takes
	alone  bool          // it takes one request on a connection
	conns  int           // as many connections are shared
	places chan struct{} // requests it takes at a time; nil = as many as come
	idle   []*ownConn    // the one used last at the end
	shared []*commonConn // those that take requests
}

// NewFastCGI returns a client that connects by dial.
func NewFastCGI(dial Dial, o FastCGIOptions) *FastCGI {
	if o.MaxIdle == 0 {
		o.MaxIdle = 8
	}
	if o.Shared == 0 {
		o.Shared = 8
	}
	o.Instances = max(o.Instances, 1)
	return &FastCGI{dial: dial, o: o, making: make(chan struct{}, 1), asked: !o.Reuse && !o.Multiplex, alone: !o.Multiplex, conns: o.Shared}
}

// Close closes connections that are idle. Those in use are closed after it.
func (c *FastCGI) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for _, conn := range c.idle {
		conn.conn.Close()
	}
	c.idle = nil
	for _, conn := range c.shared {
		conn.retire()
	}
	c.shared = nil
}

// Do sends a request and returns what the responder writes to STDOUT: a CGI
// response header and a document. It waits for the first of it. Body is nil
// where there is none; with CONTENT_LENGTH among the variables so much of it
// is sent, without, all.
//
// When ctx ends, or Close is called before the answer's end, the request is
// aborted: by ABORT_REQUEST where others use the connection, by that and then
// by closing it where they would have used it next, else by closing it at once.
// After Close nothing more is read from body, but a Read of it may
// be in progress.
//
// The answer ends with io.EOF only if the responder has ended it in order, and
// with a *StatusError if it did but is not content. Other errors are
// ErrOverloaded and its like. A *net.OpError of dial comes as it is.
func (c *FastCGI) Do(ctx context.Context, vars []app.Field, body io.Reader) (io.ReadCloser, error) {
	length, err := size("FastCGI", vars, body)
	if err != nil {
		return nil, err
	}
	if err := c.learn(ctx); err != nil {
		return nil, err
	}
	leave, err := c.enter(ctx)
	if err != nil {
		return nil, err
	}
	q := &query{ctx: ctx, vars: vars, body: body, length: length, leave: leave}
	for {
		a, err := c.try(q)
		switch {
		case a != nil:
			return a, nil
		case !q.again || ctx.Err() != nil:
			leave()
			return nil, err
		}
	}
}

// A query is a request as it is sent, perhaps more than once.
type query struct {
	ctx    context.Context
	vars   []app.Field
	body   io.Reader
	length int64
	leave  func() // gives its place up
	again  bool   // it may be sent again, on another connection
	fresh  bool   // which must be a new one
}

// try sends the request once. It returns an answer of which something has come,
// or its end has.
func (c *FastCGI) try(q *query) (io.ReadCloser, error) {
	q.again = false
	c.mu.Lock()
	alone := c.alone
	c.mu.Unlock()
	if alone {
		a, err := c.tryOwn(q)
		if a == nil { // not to become an interface that isn't nil
			return nil, err
		}
		return a, nil
	}
	a, err := c.tryShared(q)
	if a == nil {
		return nil, err
	}
	return a, nil
}

// enter takes a request's place among those that the responder takes at a time,
// in the order in which they came.
func (c *FastCGI) enter(ctx context.Context) (leave func(), err error) {
	c.mu.Lock()
	places := c.places
	c.mu.Unlock()
	if places == nil {
		return func() {}, nil
	}
	select {
	case places <- struct{}{}:
		return func() { <-places }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("FastCGI: wait for one of the responder's %d places: %w", cap(places), context.Cause(ctx))
	}
}

// head appends everything that comes before the body.
func (q *query) head(b []byte, id uint16, keep bool) []byte {
	b = Header{Type: BeginRequest, ID: id, Content: 8}.Append(b)
	b = Begin{RoleResponder, keep}.Append(b)
	start := len(b)
	b = Header{Type: Params, ID: id}.Append(b)
	for i := range q.vars {
		b = AppendPair(b, q.vars[i].Name, q.vars[i].Value)
	}
	if n := len(b) - start - RecordHeader; n > MaxContent { // seldom: a stream of several records
		content := append([]byte(nil), b[start+RecordHeader:]...)
		b = AppendStream(b[:start], Params, id, content)
		b = Header{Type: Params, ID: id}.Append(b)
	} else if n > 0 {
		pad := padding(n)
		Header{Params, id, n, pad}.Append(b[:start])
		b = append(b, zeros[:pad]...)
		b = Header{Type: Params, ID: id}.Append(b)
	}
	if q.body == nil || q.length == 0 {
		b = Header{Type: Stdin, ID: id}.Append(b)
	}
	return b
}

// sealPiece makes a record of a piece of the body, which has room before it
// for the header and behind it for the padding.
func sealPiece(piece []byte, id uint16) []byte {
	n := len(piece) - RecordHeader
	pad := padding(n)
	Header{Stdin, id, n, pad}.Append(piece[:0])
	return append(piece, zeros[:pad]...)
}

// How long a responder may take for what it should do at once.
const (
	endGrace   = 50 * time.Millisecond // end a request after its answer
	abortGrace = time.Second           // end an aborted request
	askGrace   = time.Second           // answer GET_VALUES
)
