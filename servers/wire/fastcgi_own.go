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
	"sync/atomic"
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

func (c *FastCGI) tryOwn(q *query) (*ownAnswer, error) {
	conn, err := c.take(q.ctx, q.fresh)
	if err != nil {
		return nil, err
	}
	a := &ownAnswer{client: c, ctx: q.ctx, ownConn: conn, leave: q.leave}
	a.release = context.AfterFunc(q.ctx, func() { _ = conn.conn.SetDeadline(past) }) // it may have ended
	buf := buffers.Get().(*buffer)
	_, err = conn.conn.Write(q.head(buf[:0], ownID, c.o.Reuse))
	buffers.Put(buf)
	if err == nil && q.body != nil && q.length != 0 {
		a.sending = &stream{body: q.body, left: q.length}
		go a.sending.pump(a.send, func(error) { _ = conn.conn.SetDeadline(past) }) // it may have ended
	}
	unsent := err != nil
	if unsent {
		a.broken = true // nobody reads yet
		err = fmt.Errorf("FastCGI: send the request: %w", a.cause(err))
	} else if err = a.await(); err == nil {
		return a, nil
	}
	// A connection that the responder has closed meanwhile is nobody's fault.
	q.again = conn.reused && a.sending == nil && (unsent || stale(err) || errors.Is(err, io.ErrUnexpectedEOF) && wasReset(conn.conn))
	q.fresh = q.again
	a.leave = func() {}
	_ = a.Close() // err says more
	return nil, err
}

// An ownAnswer is the answer to one request.
type ownAnswer struct {
	*ownConn
	client  *FastCGI
	ctx     context.Context
	release func() bool
	leave   func() // gives the request's place up
	sending *stream
	closed  atomic.Bool

	reading sync.Mutex // over what follows
	left    int        // of the STDOUT record in hand
	waste   int        // bytes to be dropped after that
	end     error      // of the answer
	ended   bool       // END_REQUEST has come: nothing is going on on the connection
	broken  bool       // the connection can't be used any more
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
	a.reading.Lock()
	defer a.reading.Unlock()
	for a.left == 0 && a.end == nil {
		a.record()
	}
	if a.left == 0 && a.end != io.EOF {
		return a.end
	}
	return nil
}

func (a *ownAnswer) Read(p []byte) (int, error) {
	a.reading.Lock()
	defer a.reading.Unlock()
	if a.closed.Load() {
		return 0, net.ErrClosed
	}
	for a.left == 0 {
		if a.end != nil {
			return 0, a.end
		}
		a.record()
	}
	n, err := a.in.Read(p[:min(len(p), a.left)])
	a.left -= n
	if err != nil {
		a.fail(err)
		if n == 0 {
			return 0, a.end
		}
	}
	return n, nil
}

// fail notes an error of the connection, which is still good if it was only
// woken.
func (a *ownAnswer) fail(err error) {
	if a.end != nil {
		return
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	a.broken = !errors.Is(err, os.ErrDeadlineExceeded)
	a.end = fmt.Errorf("FastCGI: read the answer: %w", a.cause(err))
}

// record reads up to the content of the next STDOUT record, or to the end.
// If it is woken it can be called again.
func (a *ownAnswer) record() {
	n, err := a.in.Discard(a.waste)
	a.waste -= n
	var b []byte
	if err == nil {
		b, err = a.in.Peek(RecordHeader)
	}
	if err != nil {
		a.fail(err)
		return
	}
	h, err := ParseHeader(b)
	if err != nil {
		a.fail(err)
		return
	}
	if h.ID == ownID && h.Type == EndRequest {
		a.finish(h)
		return
	}
	_, _ = a.in.Discard(RecordHeader) // it was peeked at
	switch {
	case h.ID == ownID && h.Type == Stdout:
		a.left, a.waste = h.Content, h.Padding
	case h.ID == ownID && h.Type == Stderr:
		if err := a.stderr(h); err != nil {
			a.fail(err)
			a.broken = true
		}
	default:
		a.waste = h.Content + h.Padding
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
	a.waste = h.Padding
	return nil
}

// finish reads an END_REQUEST.
func (a *ownAnswer) finish(h Header) {
	if h.Content != 8 {
		a.fail(&ProtocolError{Protocol: "FastCGI", Why: fmt.Sprintf("%v with %d bytes; it has 8", h.Type, h.Content)})
		return
	}
	all, err := a.in.Peek(RecordHeader + h.Content + h.Padding)
	if err != nil {
		a.fail(err)
		return
	}
	e, _ := ParseEnd(all[RecordHeader : RecordHeader+h.Content]) // its size is right
	_, _ = a.in.Discard(len(all))                                // it was peeked at
	a.end, a.ended = e.err(), true
	if fault := a.sending.fault(); fault != nil {
		a.end = fault
	}
}

// Close gives the connection back. If the answer has not ended, the request is
// aborted. It may be called while somebody reads.
func (a *ownAnswer) Close() error {
	if a.closed.Swap(true) {
		return nil
	}
	wanted := a.release() // the end was not ctx's
	if a.reading.TryLock() {
		defer a.reading.Unlock()
		a.settle(wanted)
		return nil
	}
	_ = a.conn.SetDeadline(past) // if it has ended, the reader knows
	go func() {
		a.reading.Lock()
		defer a.reading.Unlock()
		a.settle(false)
	}()
	return nil
}

// settle decides what becomes of the connection; wanted says that the answer
// was read as far as anybody wanted.
func (a *ownAnswer) settle(wanted bool) {
	for wanted && a.end == nil && a.left == 0 && a.in.Buffered() >= a.waste+2*RecordHeader {
		a.record() // most likely the end, behind the end of the last record
	}
	switch {
	case !a.sending.halt(), a.broken, !a.client.o.Reuse,
		a.ended && !a.sending.sent(), // many responders don't look for the end of what they haven't read
		a.ended && !wanted:           // the deadline that ctx's end sets may be yet to come
		a.conn.Close()
	case a.ended:
		a.client.give(a.ownConn)
	default:
		go a.abort(wanted)
		return
	}
	a.leave()
}

// abort keeps the connection if all was read that was wanted and the responder
// ends the request soon by itself. Else it is told to, and the connection
// closed: the end that comes may have been under way already, and a responder
// that reads ABORT_REQUEST where it expects the next request takes it for
// nonsense, and closes under what follows.
func (a *ownAnswer) abort(wanted bool) {
	a.reading.Lock()
	defer a.reading.Unlock()
	defer a.leave()
	if wanted && a.left == 0 && a.drain(endGrace) == nil && a.sending.sent() && a.conn.SetDeadline(time.Time{}) == nil {
		a.client.give(a.ownConn)
		return
	}
	defer a.conn.Close()
	if a.ended || a.broken || a.conn.SetDeadline(time.Now().Add(abortGrace)) != nil {
		return
	}
	if _, err := a.conn.Write(AppendRecord(nil, AbortRequest, ownID, nil)); err == nil {
		_ = a.drain(abortGrace) // its place is taken until it has ended
	}
}

// drain drops what is left of the answer.
func (a *ownAnswer) drain(limit time.Duration) error {
	if err := a.conn.SetDeadline(time.Now().Add(limit)); err != nil {
		return err
	}
	for a.end = nil; !a.ended; {
		n, err := a.in.Discard(a.left)
		a.left -= n
		if err != nil {
			a.fail(err)
		} else {
			a.record()
		}
		if a.end != nil && !a.ended {
			return a.end
		}
	}
	return nil
}
