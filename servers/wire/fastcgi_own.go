package wire

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

// An ownConn is a connection that one request has to itself. Whoever reads the
// answer reads the records.
type ownConn struct {
	conn   net.Conn
	in     *bufio.Reader
	reused bool
}

// ownID is the number of its requests: there is one at a time.
const ownID = 1

// take returns an idle connection that is still open, or a new one.
func (c *FastCGI) take(ctx context.Context, fresh bool) (*ownConn, error) {
	for !fresh {
		c.mu.Lock()
		n := len(c.idle)
		if n == 0 {
			c.mu.Unlock()
			break
		}
		conn := c.idle[n-1]
		c.idle = c.idle[:n-1]
		c.mu.Unlock()
		if alive(conn.conn) {
			conn.reused = true
			return conn, nil
		}
		conn.conn.Close()
	}
	conn, err := c.dial(ctx)
	if err != nil {
		return nil, err
	}
	return &ownConn{conn: conn, in: bufio.NewReaderSize(conn, 8<<10)}, nil
}

// give returns a connection on which nothing is going on.
func (c *FastCGI) give(conn *ownConn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || !c.o.Reuse || len(c.idle) >= c.o.MaxIdle || conn.in.Buffered() > 0 {
		conn.conn.Close()
		return
	}
	c.idle = append(c.idle, conn)
}

func (c *FastCGI) tryOwn(q *query) (io.ReadCloser, error) {
	conn, err := c.take(q.ctx, q.fresh)
	if err != nil {
		return nil, err
	}
	a := &ownAnswer{client: c, ctx: q.ctx, ownConn: conn}
	a.release = context.AfterFunc(q.ctx, func() { _ = conn.conn.SetDeadline(past) }) // it may have ended
	buf := buffers.Get().(*buffer)
	_, err = conn.conn.Write(q.head(buf[:0], ownID, c.o.Reuse))
	buffers.Put(buf)
	if err == nil && q.body != nil && q.length != 0 {
		a.sending = &stream{body: q.body, left: q.length}
		go a.sending.pump(a.send, func(error) { _ = conn.conn.SetReadDeadline(past) }) // it may have ended
	}
	if err != nil {
		a.broken = true
		err = fmt.Errorf("FastCGI: send the request: %w", a.cause(err))
	} else if err = a.await(); err == nil {
		return a, nil
	}
	// A connection that the responder has closed meanwhile is nobody's fault.
	q.again = conn.reused && stale(err) && a.sending == nil
	q.fresh = q.again
	a.Close()
	return nil, err
}

// An ownAnswer is the answer to one request.
type ownAnswer struct {
	*ownConn
	client  *FastCGI
	ctx     context.Context
	release func() bool
	sending *stream

	left, pad int   // of the STDOUT record in hand
	end       error // of the answer
	ended     bool  // END_REQUEST has come: nothing is going on on the connection
	broken    bool  // the connection can't be used any more
	closed    bool
}

func (a *ownAnswer) send(piece []byte, _ bool) error {
	_, err := a.conn.Write(sealPiece(piece, ownID))
	return err
}

// cause is what stands behind an error of the connection.
func (a *ownAnswer) cause(err error) error {
	if fault := a.sending.fault(); fault != nil {
		return fault
	}
	if a.ctx.Err() != nil {
		return context.Cause(a.ctx)
	}
	return err
}

// await waits for the answer's first bytes, or its end. An end in order
// without any is no error here.
func (a *ownAnswer) await() error {
	for a.left == 0 && a.end == nil {
		a.record()
	}
	if a.left == 0 && a.end != io.EOF {
		return a.end
	}
	return nil
}

func (a *ownAnswer) Read(p []byte) (int, error) {
	for a.left == 0 {
		if a.end != nil {
			return 0, a.end
		}
		a.record()
	}
	n, err := a.in.Read(p[:min(len(p), a.left)])
	if a.left -= n; a.left == 0 && err == nil {
		err = a.skip(a.pad)
	}
	if err != nil {
		a.fail(err)
		if n == 0 {
			return 0, a.end
		}
	}
	return n, nil
}

func (a *ownAnswer) fail(err error) {
	if a.end != nil {
		return
	}
	a.left = 0
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	a.broken = !errors.Is(err, os.ErrDeadlineExceeded)
	a.end = fmt.Errorf("FastCGI: read the answer: %w", a.cause(err))
}

func (a *ownAnswer) skip(n int) error {
	if n == 0 {
		return nil
	}
	_, err := a.in.Discard(n)
	return err
}

// record reads up to the content of the next STDOUT record, or to the end.
func (a *ownAnswer) record() {
	b, err := a.in.Peek(RecordHeader)
	if err != nil {
		a.fail(err)
		return
	}
	h, err := ParseHeader(b)
	if err == nil {
		_, err = a.in.Discard(RecordHeader)
	}
	switch {
	case err != nil:
	case h.ID == ownID && h.Type == Stdout && h.Content > 0:
		a.left, a.pad = h.Content, h.Padding
	case h.ID == ownID && h.Type == Stderr && h.Content > 0:
		err = a.stderr(h)
	case h.ID == ownID && h.Type == EndRequest:
		err = a.finish(h)
	default:
		err = a.skip(h.Content + h.Padding)
	}
	if err != nil {
		a.fail(err)
		a.broken = true
	}
}

// stderr hands the content of a STDERR record on.
func (a *ownAnswer) stderr(h Header) error {
	for left := h.Content; left > 0; {
		if _, err := a.in.Peek(1); err != nil {
			return err
		}
		piece, _ := a.in.Peek(min(left, a.in.Buffered()))
		if a.client.o.Stderr != nil {
			a.client.o.Stderr(piece)
		}
		_, _ = a.in.Discard(len(piece)) // it was peeked at
		left -= len(piece)
	}
	return a.skip(h.Padding)
}

// finish reads an END_REQUEST.
func (a *ownAnswer) finish(h Header) error {
	var content [8]byte
	if h.Content != len(content) {
		return &ProtocolError{Protocol: "FastCGI", Why: fmt.Sprintf("%v with %d bytes; it has 8", h.Type, h.Content)}
	}
	if _, err := io.ReadFull(a.in, content[:]); err != nil {
		return err
	}
	if err := a.skip(h.Padding); err != nil {
		return err
	}
	e, err := ParseEnd(content[:])
	if err != nil {
		return err
	}
	a.end, a.ended = e.err(), true
	if fault := a.sending.fault(); fault != nil {
		a.end = fault
	}
	return nil
}

// Close gives the connection back. If the answer has not ended, the request is
// aborted.
func (a *ownAnswer) Close() error {
	if a.closed {
		return nil
	}
	a.closed = true
	stopped := a.release()
	switch {
	case !a.sending.halt(), a.broken, !a.client.o.Reuse:
		a.conn.Close()
	case a.ended && !a.sending.sent(): // many responders don't look for the end of what they haven't read
		a.conn.Close()
	case a.ended && stopped:
		a.client.give(a.ownConn)
	default:
		go a.abort()
	}
	return nil
}

// abort tells the responder that nobody waits for the answer any more, and
// keeps the connection if he ends the request soon.
func (a *ownAnswer) abort() {
	err := a.conn.SetDeadline(time.Now().Add(abortGrace))
	if err == nil && !a.ended {
		_, err = a.conn.Write(AppendRecord(nil, AbortRequest, ownID, nil))
	}
	if err == nil {
		err = a.skip(a.left)
	}
	if err == nil && a.left > 0 {
		err = a.skip(a.pad)
	}
	a.left, a.end = 0, nil
	for err == nil && !a.ended {
		if a.record(); a.ended {
			break
		}
		if err = a.end; err == nil && a.left > 0 {
			err = a.skip(a.left + a.pad)
			a.left = 0
		}
	}
	if err == nil {
		err = a.conn.SetDeadline(time.Time{})
	}
	if err != nil {
		a.conn.Close()
		return
	}
	a.client.give(a.ownConn)
}
