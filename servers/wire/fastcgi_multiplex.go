package wire

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// MultiplexOptions are a multiplexer's.
type MultiplexOptions struct {
	// MaxVars, MaxConns and MaxReqs are as in ServeOptions.
	MaxVars, MaxConns, MaxReqs int
	// Requests is how many may be in progress at a time over all connections;
	// one more is answered OVERLOADED.
	Requests int
	// Timeout is how long a request may take, from its first record, before it
	// is aborted; and how long a peer may take for a record once it has begun,
	// or to take one. 0 = for ever.
	Timeout time.Duration
	// Begin and Done, if not nil, are told when a request takes its place and
	// when it leaves it.
	Begin func() (done func())
}

// ErrTimeout is what a request is aborted with that takes too long.
var ErrTimeout = fmt.Errorf("the request takes too long: %w", os.ErrDeadlineExceeded)

// A FastCGIMultiplexer serves connections that requests share, each request on
// a goroutine of its own.
type FastCGIMultiplexer struct {
	handler Handler
	o       MultiplexOptions
	places  chan struct{}
	leaving atomic.Bool

	mu    sync.Mutex
	conns map[*sharedConn]struct{}
}

// NewFastCGIMultiplexer returns a multiplexer. Its Exchange.Gone closes when
// the gateway aborts the request, the connection ends, or time is up.
func NewFastCGIMultiplexer(h Handler, o MultiplexOptions) *FastCGIMultiplexer {
	if o.MaxVars == 0 {
		o.MaxVars = 64 << 10
	}
	o.Requests = max(o.Requests, 1)
	return &FastCGIMultiplexer{handler: h, o: o, places: make(chan struct{}, o.Requests), conns: map[*sharedConn]struct{}{}}
}

// Shutdown has each Serve return once it has no request in progress and the
// gateway has had a moment to take note: on each connection, it is told
// FCGI_MAX_REQS=0, as if that had been asked for. A FastCGI client of this
// package then begins nothing more on it, and closes it; other gateways close a
// kept connection on which something comes that they haven't asked for, so
// those that wait for an answer are told after that. What has come until then
// is served.
func (m *FastCGIMultiplexer) Shutdown() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.leaving.Store(true)
	for c := range m.conns {
		c.wake()
	}
}

// A sharedConn is a connection and the requests in progress on it.
type sharedConn struct {
	m    *FastCGIMultiplexer
	conn net.Conn
	in   *bufio.Reader
	out  *timedWriter // locked

	mu       sync.Mutex
	requests map[uint16]*sharedRequest
	waiting  bool      // the reader is, for a record to begin
	told     time.Time // the gateway was, that no more requests are taken
	shares   bool      // the gateway has had two on it at a time, or asked whether it may
	last     bool      // the gateway doesn't want the connection after the requests on it
	serving  sync.WaitGroup
}

// A sharedRequest is one of them.
type sharedRequest struct {
	conn   *sharedConn
	id     uint16
	params []byte
	called bool // the handler is, or was
	stdin  *pipe
	gone   chan struct{}
	clock  *time.Timer
	done   func()

	mu    sync.Mutex
	cause error // that it was aborted for
}

// timedWriter writes with a time limit, one at a time.
type timedWriter struct {
	sync.Mutex
	conn    net.Conn
	limit   time.Duration
	scratch []byte
}

func (w *timedWriter) Write(p []byte) (int, error) {
	if w.limit > 0 {
		if err := w.conn.SetWriteDeadline(time.Now().Add(w.limit)); err != nil {
			return 0, err
		}
	}
	n, err := w.conn.Write(p)
	if err != nil {
		w.conn.Close() // in the middle of a record: nothing can follow
	}
	return n, err
}

// Serve serves a connection until it ends, the gateway doesn't want it any
// more, or Shutdown. It returns when all its requests have ended. The error is
// io.EOF if nothing ever came, a *ProtocolError if it was not FastCGI, which
// somebody who speaks HTTP has then been told. The connection stays the
// caller's to close.
func (m *FastCGIMultiplexer) Serve(conn net.Conn) error {
	c := &sharedConn{m: m, conn: conn, in: bufio.NewReaderSize(conn, 16<<10), out: &timedWriter{conn: conn, limit: m.o.Timeout}, requests: map[uint16]*sharedRequest{}}
	m.mu.Lock()
	m.conns[c] = struct{}{}
	m.mu.Unlock()
	err := c.read()
	var bad *ProtocolError
	if errors.As(err, &bad) {
		c.out.Lock()
		bad.explain(c.out)
		c.out.Unlock()
	}
	m.mu.Lock()
	delete(m.conns, c)
	m.mu.Unlock()
	if err != nil {
		for _, r := range c.inProgress() {
			r.abort(ErrAborted)
			if r.forget(false) {
				r.leave()
			}
		}
	}
	c.serving.Wait()
	return err
}

func (c *sharedConn) inProgress() []*sharedRequest {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Collect(maps.Values(c.requests))
}

// wake has the reader look around, if it waits for a record to begin.
func (c *sharedConn) wake() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting {
		_ = c.conn.SetReadDeadline(past) // it may have ended
	}
}

// past is a deadline that is over.
var past = time.Unix(1, 0)

// leaveGrace is how long a connection on which no more requests are taken is
// left to the gateway to close.
const leaveGrace = time.Second

// tells says whether the gateway is to be told now that no more requests are
// taken: one that shares connections, or has asked, at once, another when it
// doesn't wait for an answer. It holds c.mu.
func (c *sharedConn) tells() bool {
	return c.m.leaving.Load() && c.told.IsZero() && (c.shares || len(c.requests) == 0)
}

// over says whether the connection is to end, and before it is tells the
// gateway.
func (c *sharedConn) over() bool {
	c.mu.Lock()
	idle, tells := len(c.requests) == 0, c.tells()
	if tells {
		c.told = time.Now()
	}
	told := c.told
	c.mu.Unlock()
	switch {
	case idle && c.last:
		return true
	case tells:
		return c.say(GetValuesResult, 0, AppendPair(nil, MaxReqs, "0")) != nil
	}
	return idle && !told.IsZero() && time.Since(told) >= leaveGrace
}

// read reads records. It returns nil when there are no more to be read.
func (c *sharedConn) read() error {
	quiet := io.EOF // of a connection on which nothing has come
	for since := time.Now(); !c.over(); {
		c.await(since)
		_, err := c.in.Peek(1)
		idle := len(c.inProgress()) == 0
		switch {
		case err == nil:
		case errors.Is(err, os.ErrDeadlineExceeded):
			if idle && c.m.o.Timeout > 0 && time.Since(since) >= c.m.o.Timeout {
				return quiet
			}
			if !idle {
				since = time.Now()
			}
			continue
		case err == io.EOF && idle:
			return quiet
		case err == io.EOF:
			return ErrAborted
		default:
			return err
		}
		quiet = nil
		c.hurry()
		h, err := c.header()
		if err == nil {
			err = c.record(h)
		}
		if err != nil {
			return err
		}
		since = time.Now()
	}
	return nil
}

// await sets how long a record may be in coming: as long as a request is in
// progress, which has a clock of its own, for ever.
func (c *sharedConn) await(since time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = true
	var t time.Time
	switch idle := len(c.requests) == 0; {
	case idle && c.last, c.tells():
		t = past // whoever changed that may have woken nobody
	case !idle:
	case !c.told.IsZero():
		t = c.told.Add(leaveGrace)
	case c.m.o.Timeout > 0:
		t = since.Add(c.m.o.Timeout)
	}
	_ = c.conn.SetReadDeadline(t) // if it has ended, the read tells
}

// hurry sets how long a record that has begun may take to come.
func (c *sharedConn) hurry() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = false
	var t time.Time
	if c.m.o.Timeout > 0 {
		t = time.Now().Add(c.m.o.Timeout)
	}
	_ = c.conn.SetReadDeadline(t) // if it has ended, the read tells
}

func (c *sharedConn) header() (Header, error) {
	b, err := c.in.Peek(RecordHeader)
	if err != nil {
		return Header{}, early("FastCGI", "a record's header", err)
	}
	h, err := ParseHeader(b)
	if err == nil {
		_, err = c.in.Discard(RecordHeader)
	}
	return h, err
}

// record deals with one record.
func (c *sharedConn) record(h Header) error {
	if h.ID == 0 {
		return c.management(h)
	}
	c.mu.Lock()
	r := c.requests[h.ID]
	c.mu.Unlock()
	switch {
	case h.Type == BeginRequest && r != nil:
		return &ProtocolError{Protocol: "FastCGI", Why: fmt.Sprintf("request %d begins while it is in progress", h.ID)}
	case h.Type == BeginRequest:
		return c.begin(h)
	case r == nil: // it is over, or never was
	case h.Type == AbortRequest:
		r.abort(ErrAborted)
		r.finish(End{})
	case h.Type == Params && !r.called:
		return c.param(r, h)
	case h.Type == Stdin && r.called:
		return c.body(r, h)
	}
	return c.skip(h.Content + h.Padding)
}

func (c *sharedConn) skip(n int) error {
	if _, err := c.in.Discard(n); err != nil {
		return early("FastCGI", "a record", err)
	}
	return nil
}

// content reads a small record's.
func (c *sharedConn) content(h Header, most int) ([]byte, error) {
	if h.Content > most {
		return nil, &ProtocolError{Protocol: "FastCGI", Why: fmt.Sprintf("%v of %d bytes; at most %d are taken", h.Type, h.Content, most)}
	}
	b := make([]byte, h.Content)
	if _, err := io.ReadFull(c.in, b); err != nil {
		return nil, early("FastCGI", "a record", err)
	}
	return b, c.skip(h.Padding)
}

func (c *sharedConn) management(h Header) error {
	if h.Type != GetValues {
		if err := c.skip(h.Content + h.Padding); err != nil {
			return err
		}
		return c.say(UnknownType, 0, AppendUnknown(nil, h.Type))
	}
	asked, err := c.content(h, maxValues)
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.shares = true
	c.mu.Unlock()
	content, err := answerValues(asked, &ServeOptions{MaxConns: c.m.o.MaxConns, MaxReqs: max(c.m.o.MaxReqs, c.m.o.Requests)}, true)
	if err != nil {
		return err
	}
	return c.say(GetValuesResult, 0, content)
}

// say sends a record of the responder's own.
func (c *sharedConn) say(t RecordType, id uint16, content []byte) error {
	c.out.Lock()
	defer c.out.Unlock()
	c.out.scratch = AppendRecord(c.out.scratch[:0], t, id, content)
	_, err := c.out.Write(c.out.scratch)
	return err
}

// begin gives a request its place, if there is one.
func (c *sharedConn) begin(h Header) error {
	content, err := c.content(h, 8)
	if err != nil {
		return err
	}
	b, err := ParseBegin(content)
	if err != nil {
		return err
	}
	if b.Role != RoleResponder {
		return c.say(EndRequest, h.ID, End{Status: UnknownRole}.Append(nil))
	}
	select {
	case c.m.places <- struct{}{}:
	default:
		return c.say(EndRequest, h.ID, End{Status: Overloaded}.Append(nil))
	}
	r := &sharedRequest{conn: c, id: h.ID, stdin: newPipe(), gone: make(chan struct{})}
	if c.m.o.Begin != nil {
		r.done = c.m.o.Begin()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests[h.ID] = r
	c.shares = c.shares || len(c.requests) > 1
	c.last = c.last || !b.KeepConn
	if c.m.o.Timeout > 0 {
		r.clock = time.AfterFunc(c.m.o.Timeout, r.overdue)
	}
	return nil
}

// param adds to a request's variables, and calls the handler after the last.
func (c *sharedConn) param(r *sharedRequest, h Header) error {
	if h.Content > 0 {
		have := len(r.params)
		if have+h.Content > c.m.o.MaxVars {
			bad := &ProtocolError{Protocol: "FastCGI", Oversize: true, Why: fmt.Sprintf("more than %d bytes of PARAMS", c.m.o.MaxVars)}
			r.answer(bad.answer)
			r.finish(End{AppStatus: 1})
			return c.skip(h.Content + h.Padding)
		}
		r.params = append(r.params, make([]byte, h.Content)...)
		if _, err := io.ReadFull(c.in, r.params[have:]); err != nil {
			return early("FastCGI", "a record", err)
		}
		return c.skip(h.Padding)
	}
	if err := c.skip(h.Padding); err != nil {
		return err
	}
	vars, err := ParseParams(r.params, nil)
	if err != nil {
		return err
	}
	r.params = nil
	c.mu.Lock()
	r.called = c.requests[r.id] == r // time may have been up
	c.mu.Unlock()
	if r.called {
		c.serving.Go(func() { r.serve(Exchange{Vars: vars, Body: r.stdin, Gone: r.gone}) })
	}
	return nil
}

// body hands a STDIN record on.
func (c *sharedConn) body(r *sharedRequest, h Header) error {
	if h.Content == 0 {
		r.stdin.end(io.EOF)
	}
	for left := h.Content; left > 0; {
		if c.in.Buffered() == 0 {
			if _, err := c.in.Peek(1); err != nil {
				return early("FastCGI", "STDIN", err)
			}
		}
		piece, _ := c.in.Peek(min(left, c.in.Buffered()))
		r.stdin.feed(piece)
		_, _ = c.in.Discard(len(piece)) // it was peeked at
		left -= len(piece)
		c.hurry() // waiting for the application is not the peer's fault
	}
	return c.skip(h.Padding)
}
