package wire

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

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
	most     int    // requests at a time
	retired  bool   // it takes no more
	err      error  // that ended it
}

func (c *FastCGI) tryShared(q *query) (io.ReadCloser, error) {
	conn, a, err := c.join(q)
	switch {
	case err != nil:
		return nil, err
	case conn == nil: // the responder doesn't multiplex
		q.again = true
		return nil, nil
	}
	a.release = context.AfterFunc(q.ctx, func() { a.out.end(fmt.Errorf("FastCGI: read the answer: %w", context.Cause(q.ctx))) })
	conn.writing.Lock()
	conn.scratch = q.head(conn.scratch[:0], a.id, true)
	_, err = conn.conn.Write(conn.scratch)
	conn.writing.Unlock()
	if err != nil {
		conn.fail(fmt.Errorf("FastCGI: send the request: %w", err))
	} else if q.body != nil && q.length != 0 {
		a.sending = &stream{body: q.body, left: q.length}
		go a.sending.pump(a.send, func(err error) { a.out.end(err) })
	}
	if err = a.out.await(); err == nil || err == io.EOF {
		return a, nil
	}
	switch {
	case a.sending != nil || a.out.touched():
	case errors.Is(err, ErrCantMultiplex):
		c.stopSharing()
		q.again = true
	case errors.Is(err, ErrOverloaded) && !q.fresh, stale(err) && !a.first:
		// It has told that it is about to leave, or has left.
		q.again, q.fresh = true, true
	}
	a.Close()
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

// join finds a connection with room for a request, or makes one; none if the
// responder turns out not to multiplex.
func (c *FastCGI) join(q *query) (*commonConn, *commonAnswer, error) {
	conn, a := c.room(q)
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
	if conn, a = c.room(q); a != nil {
		return conn, a, nil
	}
	c.mu.Lock()
	asked, alone := c.asked, c.alone
	c.mu.Unlock()
	if alone {
		return nil, nil, nil
	}
	nc, err := c.dial(q.ctx)
	if err != nil {
		return nil, nil, err
	}
	conn = &commonConn{client: c, conn: nc, in: bufio.NewReaderSize(nc, 16<<10), requests: map[uint16]*commonAnswer{}, most: c.o.Requests}
	if !asked {
		if ok, err := c.ask(q.ctx, conn); !ok || err != nil {
			return nil, nil, err
		}
	}
	a = conn.enter()
	a.first = true
	go conn.read()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		conn.retire()
	} else {
		c.shared = append(c.shared, conn)
	}
	return conn, a, nil
}

// room finds a connection that has some.
func (c *FastCGI) room(q *query) (*commonConn, *commonAnswer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := 0; !q.fresh && i < len(c.shared); i++ {
		if a := c.shared[i].enter(); a != nil {
			return c.shared[i], a
		}
	}
	return nil, nil
}

// ask asks the responder whether it multiplexes; one that doesn't answer is
// believed to. If it doesn't, the connection is kept for one request at a time.
func (c *FastCGI) ask(ctx context.Context, conn *commonConn) (multiplexes bool, err error) {
	stop := context.AfterFunc(ctx, func() { _ = conn.conn.SetDeadline(past) }) // it may have ended
	_ = conn.conn.SetReadDeadline(time.Now().Add(askGrace))                    // as above
	values, err := askValues(conn.conn, conn.in)
	if !stop() {
		conn.conn.Close()
		return false, context.Cause(ctx)
	}
	if err != nil && (conn.in.Buffered() > 0 || !errors.Is(err, os.ErrDeadlineExceeded)) {
		// It didn't take the question well, and has perhaps ended.
		conn.conn.Close()
		if conn.conn, err = c.dial(ctx); err != nil {
			return false, err
		}
		conn.in.Reset(conn.conn)
	}
	_ = conn.conn.SetReadDeadline(time.Time{}) // as above
	c.mu.Lock()
	c.asked = true
	c.alone = values[MpxsConns] == "0"
	alone := c.alone
	c.mu.Unlock()
	if alone {
		c.give(&ownConn{conn: conn.conn, in: conn.in})
	}
	return !alone, nil
}

// enter gives a request a number, if there is room.
func (c *commonConn) enter() *commonAnswer {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.retired || len(c.requests) >= c.most {
		return nil
	}
	for {
		if c.last++; c.last != 0 && c.requests[c.last] == nil {
			break
		}
	}
	a := &commonAnswer{conn: c, id: c.last, out: newPipe()}
	c.requests[a.id] = a
	if c.err != nil {
		a.out.end(c.err)
	}
	return a
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
		if err == io.EOF {
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
	first   bool // request on its connection
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
		a.release()
		a.out.close()
		c := a.conn
		c.mu.Lock()
		open := c.requests[a.id] == a
		c.mu.Unlock()
		a.sending.halt() // what is being sent comes before the end of the request
		if open {
			go c.abort(a)
		}
	})
	return nil
}

func (c *commonConn) abort(a *commonAnswer) {
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
