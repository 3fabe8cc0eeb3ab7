package wire

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"time"
)

// maxShared is how many requests share a connection at most: they have numbers
// of 16 bits.
const maxShared = 1 << 15

// A commonConn is a connection that requests share. One goroutine reads it and
// gives each its own.
type commonConn struct {
	client *FastCGI
	conn   net.Conn
	in     *bufio.Reader

	writing sync.Mutex // held for a whole record
	scratch []byte

	mu       sync.Mutex
	requests map[uint16]*commonAnswer
	last     uint16 // number given
	retired  bool   // it takes no more
	err      error  // that ended it
}

// sharedBuffer is how much of a shared connection is read at a time.
const sharedBuffer = 16 << 10

func (c *FastCGI) tryShared(q *query) (*commonAnswer, error) {
	conn, a, err := c.join(q)
	if err != nil {
		return nil, err
	}
	a.leave = q.leave
	a.release = context.AfterFunc(q.ctx, func() { a.out.fail(fmt.Errorf("FastCGI: read the answer: %w", context.Cause(q.ctx))) })
	conn.writing.Lock()
	conn.scratch = q.head(conn.scratch[:0], a.id, true)
	_, err = conn.conn.Write(conn.scratch)
	conn.writing.Unlock()
	unsent := err != nil
	if unsent {
		conn.fail(fmt.Errorf("FastCGI: send the request: %w", err))
	} else if q.body != nil && q.length != 0 {
		a.sending = &stream{body: q.body, left: q.length}
		go a.sending.pump(a.send, func(err error) { a.out.fail(err) })
	}
	if err = a.out.await(); err == nil || err == io.EOF {
		return a, nil
	}
	switch {
	case a.sending != nil || a.out.touched():
	case errors.Is(err, ErrCantMultiplex):
		c.stopSharing()
		q.again = true
	case errors.Is(err, ErrOverloaded) && !q.fresh, (unsent || stale(err)) && !a.first:
		// It is about to leave, or has left.
		q.again, q.fresh = true, true
	}
	a.leave = func() {}
	_ = a.Close() // err says more
	return nil, err
}

// stopSharing has requests go on connections of their own from now on.
func (c *FastCGI) stopSharing() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.alone = true
	for _, conn := range c.shared {
		conn.retire()
	}
	c.shared = nil
}

// join finds the connection with the fewest requests, or makes one as long as
// there may be more and none is idle.
func (c *FastCGI) join(q *query) (*commonConn, *commonAnswer, error) {
	conn, a := c.room(q, false)
	if a != nil {
		return conn, a, nil
	}
	// One connection is made at a time, in case others have room on it.
	select {
	case c.making <- struct{}{}:
		defer func() { <-c.making }()
	case <-q.ctx.Done():
		return nil, nil, context.Cause(q.ctx)
	}
	if conn, a = c.room(q, false); a != nil {
		return conn, a, nil
	}
	nc, err := c.dial(q.ctx)
	if err != nil {
		if conn, a = c.room(q, true); a != nil {
			return conn, a, nil
		}
		return nil, nil, err
	}
	conn = c.share(nc, bufio.NewReaderSize(nc, sharedBuffer))
	if a = conn.enter(); a == nil {
		return nil, nil, fmt.Errorf("FastCGI: the new connection has ended: %w", conn.fault())
	}
	a.first = true
	return conn, a, nil
}

// share makes a connection one that takes requests.
func (c *FastCGI) share(nc net.Conn, in *bufio.Reader) *commonConn {
	conn := &commonConn{client: c, conn: nc, in: in, requests: map[uint16]*commonAnswer{}}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		conn.retired = true // with its first request
	} else {
		c.shared = append(c.shared, conn)
	}
	go conn.read()
	return conn
}

// room enters a request on the connection with the fewest, unless there should
// be another; with must on any.
func (c *FastCGI) room(q *query, must bool) (*commonConn, *commonAnswer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var best *commonConn
	least := 0
	for _, conn := range c.shared {
		if n := conn.load(); best == nil || n < least {
			best, least = conn, n
		}
	}
	if best == nil || !must && (q.fresh || least > 0 && len(c.shared) < c.conns) {
		return nil, nil
	}
	return best, best.enter()
}

// enter gives a request a number, if there is room.
func (c *commonConn) enter() *commonAnswer {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil || c.retired && c.last != 0 || len(c.requests) == maxShared {
		return nil
	}
	for {
		if c.last++; c.last != 0 && c.requests[c.last] == nil {
			break
		}
	}
	a := &commonAnswer{conn: c, id: c.last, out: newPipe()}
	c.requests[a.id] = a
	return a
}

func (c *commonConn) load() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.requests)
}

func (c *commonConn) fault() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// retire has the connection end with the requests on it.
func (c *commonConn) retire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.retired = true
	if len(c.requests) == 0 {
		c.conn.Close()
	}
}

// fail ends the connection and the requests on it.
func (c *commonConn) fail(err error) {
	c.mu.Lock()
	if c.err == nil {
		c.err = err
	}
	c.retired = true
	for id, a := range c.requests {
		a.out.end(c.err)
		delete(c.requests, id)
	}
	c.mu.Unlock()
	c.conn.Close()
	c.client.forget(c)
}

// forget takes a connection off those that take requests.
func (c *FastCGI) forget(conn *commonConn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, other := range c.shared {
		if other == conn {
			c.shared = append(c.shared[:i], c.shared[i+1:]...)
			return
		}
	}
}

// read gives each request its own, until the connection ends.
func (c *commonConn) read() {
	for {
		err := c.record()
		if err == nil {
			continue
		}
		switch {
		case err == io.EOF && wasReset(c.conn):
			err = syscall.ECONNRESET
		case err == io.EOF:
			err = io.ErrUnexpectedEOF
		}
		c.fail(fmt.Errorf("FastCGI: read the answer: %w", err))
		return
	}
}

func (c *commonConn) record() error {
	b, err := c.in.Peek(RecordHeader)
	if err != nil {
		return err
	}
	h, err := ParseHeader(b)
	if err != nil {
		return err
	}
	_, _ = c.in.Discard(RecordHeader) // it was peeked at
	c.mu.Lock()
	a := c.requests[h.ID]
	c.mu.Unlock()
	switch {
	case h.ID == 0 && h.Type == GetValuesResult:
		err = c.news(h)
	case a == nil:
		_, err = c.in.Discard(h.Content + h.Padding)
	case h.Type == Stdout:
		err = c.pieces(h, a.out.feed)
	case h.Type == Stderr && c.client.o.Stderr != nil:
		err = c.pieces(h, c.client.o.Stderr)
	case h.Type == EndRequest:
		err = c.finish(h, a)
	default:
		_, err = c.in.Discard(h.Content + h.Padding)
	}
	return err
}

// news reads a GET_VALUES_RESULT that nobody has asked for: a responder that
// takes no more requests is about to leave, once it has answered those it has.
func (c *commonConn) news(h Header) error {
	if h.Content > maxValues {
		return &ProtocolError{Protocol: "FastCGI", Why: fmt.Sprintf("%v of %d bytes; at most %d are taken", h.Type, h.Content, maxValues)}
	}
	content, err := c.in.Peek(h.Content)
	if err != nil {
		return err
	}
	name, value, _, perr := ParsePair(content)
	leaving := perr == nil && string(name) == MaxReqs && string(value) == "0"
	if _, err := c.in.Discard(h.Content + h.Padding); err != nil {
		return err
	}
	if leaving {
		c.client.forget(c)
		c.retire()
	}
	return nil
}

// pieces hands a record's content on as it comes.
func (c *commonConn) pieces(h Header, to func([]byte)) error {
	for left := h.Content; left > 0; {
		if _, err := c.in.Peek(1); err != nil {
			return err
		}
		piece, _ := c.in.Peek(min(left, c.in.Buffered()))
		to(piece)
		_, _ = c.in.Discard(len(piece)) // it was peeked at
		left -= len(piece)
	}
	_, err := c.in.Discard(h.Padding)
	return err
}

// finish reads an END_REQUEST.
func (c *commonConn) finish(h Header, a *commonAnswer) error {
	if h.Content != 8 {
		return &ProtocolError{Protocol: "FastCGI", Why: fmt.Sprintf("%v with %d bytes; it has 8", h.Type, h.Content)}
	}
	content, err := c.in.Peek(8)
	if err != nil {
		return err
	}
	e, err := ParseEnd(content)
	if err != nil {
		return err
	}
	if _, err := c.in.Discard(8 + h.Padding); err != nil {
		return err
	}
	c.mu.Lock()
	delete(c.requests, a.id)
	over := c.retired && len(c.requests) == 0
	c.mu.Unlock()
	a.out.end(e.err())
	if over {
		return net.ErrClosed
	}
	return nil
}

// A commonAnswer is the answer to one of a connection's requests.
type commonAnswer struct {
	conn    *commonConn
	id      uint16
	out     *pipe
	sending *stream
	release func() bool
	leave   func() // gives the request's place up
	first   bool   // request on its connection
	once    sync.Once
}

func (a *commonAnswer) send(piece []byte, _ bool) error {
	a.conn.writing.Lock()
	defer a.conn.writing.Unlock()
	a.conn.mu.Lock()
	over := a.conn.requests[a.id] != a
	a.conn.mu.Unlock()
	if over {
		return net.ErrClosed
	}
	_, err := a.conn.conn.Write(sealPiece(piece, a.id))
	return err
}

func (a *commonAnswer) Read(p []byte) (int, error) { return a.out.Read(p) }

// Close aborts the request if its answer has not ended. Its number is taken
// until the responder has ended it; what it sends until then is dropped. A
// responder that doesn't in time loses the connection, since it may be gone
// as well.
func (a *commonAnswer) Close() error {
	a.once.Do(func() {
		wanted := a.release() // the end was not ctx's
		a.out.close()
		c := a.conn
		c.mu.Lock()
		open := c.requests[a.id] == a
		c.mu.Unlock()
		a.sending.halt() // what is being sent comes before the end of the request
		switch {
		case open && wanted: // perhaps all was read, and the end is on its way
			time.AfterFunc(endGrace, func() { c.abort(a) })
		case open:
			go c.abort(a)
		}
		a.leave()
	})
	return nil
}

func (c *commonConn) abort(a *commonAnswer) {
	c.mu.Lock()
	over := c.requests[a.id] != a
	c.mu.Unlock()
	if over {
		return
	}
	c.writing.Lock()
	c.scratch = AppendRecord(c.scratch[:0], AbortRequest, a.id, nil)
	_ = c.conn.SetWriteDeadline(time.Now().Add(abortGrace)) // if it has ended, the write tells
	_, err := c.conn.Write(c.scratch)
	_ = c.conn.SetWriteDeadline(time.Time{}) // as above
	c.writing.Unlock()
	if err != nil {
		c.fail(fmt.Errorf("FastCGI: abort a request: %w", err))
	}
}
