package wire

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"time"

	"gatewaylab/servers/app"
)

// FastCGIOptions say how connections are used.
type FastCGIOptions struct {
	// Reuse asks the responder to keep the connection, for the next request.
	// A responder that serves one connection at a time, as most do, is then
	// taken by whoever holds its connection, asking or not: see MaxIdle.
	Reuse bool
	// MaxIdle is how many connections are kept when nobody uses them; 0 = 8.
	MaxIdle int
	// Multiplex has requests share connections. The first connection asks the
	// responder (GET_VALUES) whether it does; if it says no, they don't.
	Multiplex bool
	// Requests is how many share one connection at most; 0 = 64.
	Requests int
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
	case e.AppStatus != 0:
		return &StatusError{e.AppStatus}
	}
	return io.EOF
}

// FastCGI is the gateway's end of FastCGI. It is safe for concurrent use.
type FastCGI struct {
	dial   Dial
	o      FastCGIOptions
	making chan struct{} // held by who makes a shared connection

	mu     sync.Mutex
	closed bool
	idle   []*ownConn    // the one used last at the end
	shared []*commonConn // those that take requests
	asked  bool          // whether it multiplexes
	alone  bool          // it doesn't
}

// NewFastCGI returns a client that connects by dial.
func NewFastCGI(dial Dial, o FastCGIOptions) *FastCGI {
	if o.MaxIdle == 0 {
		o.MaxIdle = 8
	}
	if o.Requests == 0 {
		o.Requests = 64
	}
	return &FastCGI{dial: dial, o: o, making: make(chan struct{}, 1)}
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
// aborted: by ABORT_REQUEST where others use the connection or will, else by
// closing it. After Close nothing more is read from body, but a Read of it may
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
	q := &query{ctx: ctx, vars: vars, body: body, length: length}
	for {
		a, err := c.try(q)
		if !q.again || err != nil && ctx.Err() != nil {
			return a, err
		}
	}
}

// A query is a request as it is sent, perhaps more than once.
type query struct {
	ctx    context.Context
	vars   []app.Field
	body   io.Reader
	length int64
	again  bool // it may be sent again, on another connection
	fresh  bool // which must be a new one
}

func (c *FastCGI) try(q *query) (io.ReadCloser, error) {
	q.again = false
	if c.multiplexes() {
		return c.tryShared(q)
	}
	return c.tryOwn(q)
}

func (c *FastCGI) multiplexes() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.o.Multiplex && !c.alone
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

// Values asks the responder, on a connection of its own, for the values of
// FCGI_MAX_CONNS, FCGI_MAX_REQS and FCGI_MPXS_CONNS. It answers those that it
// knows; one that knows nothing of the question may not answer at all.
func (c *FastCGI) Values(ctx context.Context) (map[string]string, error) {
	conn, err := c.dial(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(past) })() // it may have ended
	values, err := askValues(conn, bufio.NewReaderSize(conn, 4<<10))
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("FastCGI: no answer to GET_VALUES: %w", context.Cause(ctx))
	}
	return values, err
}

// askValues asks on a connection on which nothing else is going on.
func askValues(conn net.Conn, in *bufio.Reader) (map[string]string, error) {
	var content []byte
	for _, name := range []string{MaxConns, MaxReqs, MpxsConns} {
		content = AppendPair(content, name, "")
	}
	if _, err := conn.Write(AppendRecord(nil, GetValues, 0, content)); err != nil {
		return nil, fmt.Errorf("FastCGI: send GET_VALUES: %w", err)
	}
	h, content, err := readSmall(in)
	switch {
	case err != nil:
		return nil, err
	case h.Type != GetValuesResult || h.ID != 0:
		return nil, &ProtocolError{Protocol: "FastCGI", Why: fmt.Sprintf("%v as an answer to %v", h.Type, GetValues)}
	}
	values := map[string]string{}
	for len(content) > 0 {
		name, value, rest, err := ParsePair(content)
		if err != nil {
			return nil, &ProtocolError{Protocol: "FastCGI", Why: "GET_VALUES_RESULT ends in the middle of a pair"}
		}
		values[string(name)] = string(value)
		content = rest
	}
	return values, nil
}

// readSmall reads a record whose content is small.
func readSmall(in *bufio.Reader) (Header, []byte, error) {
	b, err := in.Peek(RecordHeader)
	if err != nil {
		return Header{}, nil, early("FastCGI", "a record's header", err)
	}
	h, err := ParseHeader(b)
	if err != nil {
		return h, nil, err
	}
	if h.Content > maxValues {
		return h, nil, &ProtocolError{Protocol: "FastCGI", Why: fmt.Sprintf("%v of %d bytes; at most %d are taken", h.Type, h.Content, maxValues)}
	}
	all := make([]byte, RecordHeader+h.Content+h.Padding)
	if _, err := io.ReadFull(in, all); err != nil {
		return h, nil, early("FastCGI", "a record", err)
	}
	return h, all[RecordHeader : RecordHeader+h.Content], nil
}

// How long a responder may take for what it should do at once.
const (
	abortGrace = time.Second // end an aborted request
	askGrace   = time.Second // answer GET_VALUES
)
