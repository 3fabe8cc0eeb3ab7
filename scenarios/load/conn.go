package load

import (
	"context"
	"io"
	"net"
	"strconv"
	"time"
)

// inlineWrite is the most that is written from the goroutine that then reads
// the answer. An idle connection takes that much without blocking; what is
// longer has a goroutine of its own, so that an answer which comes before the
// request was fully sent is seen.
const inlineWrite = 16 << 10

// patience is how long a connection whose answer is complete may take to
// finish the write of the request before it is given up; it covers the
// scheduling of the writer, as net/http's own 50 ms do.
const patience = 50 * time.Millisecond

// A conn is one connection and the exchange that is on it.
type conn struct {
	nc   net.Conn
	addr string
	in   reader
	body body

	until   time.Time     // the deadline that is set
	reused  bool          // has served an earlier exchange
	head    head          // of the final response; its slices are good until the body is read
	first   time.Duration // when the first byte of that head came
	served  int           // exchanges, this one included
	last    bool          // this is to be the last exchange
	silent  bool          // no byte of a response has come
	writing chan error    // a write under way tells its end here; nil if none
	request io.Closer     // the request's body, if it is a stream
	ctx     context.Context
	stop    func() bool // ends the watch over the exchange's context; nil if none
}

// converse sends m and reads the head of the final answer.
func (c *conn) converse(ctx context.Context, m *message, by time.Time) error {
	c.silent, c.ctx = true, ctx
	if err := c.endBy(by); err != nil {
		return err
	}
	if ctx.Done() != nil {
		c.stop = context.AfterFunc(ctx, func() { _ = c.nc.Close() })
	}
	sendErr := c.send(m)
	if err := c.receive(m.toHEAD); err != nil {
		if sendErr == nil && c.writing != nil {
			select {
			case sendErr = <-c.writing:
				c.writing = nil
			default:
			}
		}
		if sendErr != nil && c.silent {
			return sendErr
		}
		return err
	}
	if sendErr != nil {
		// Answered and closed without having read the request to its end.
		c.head.close = true
	}
	return nil
}

// endBy makes the exchange fail when it has not ended by then, or up to an
// eighth of the timeout later: moving a deadline costs as much as a tenth of a
// small exchange, so it is moved in steps.
func (c *conn) endBy(by time.Time) error { return endBy(c.nc, &c.until, by) }

// endBy is that for any connection, with the deadline that is set.
func endBy(nc net.Conn, until *time.Time, by time.Time) error {
	switch {
	case by.IsZero() && until.IsZero():
		return nil
	case !by.IsZero() && !by.After(*until) && !until.IsZero():
		return nil
	case !by.IsZero():
		by = by.Add(time.Until(by) / 8)
	}
	*until = by
	return nc.SetDeadline(by)
}

// receive reads heads until a final one. 101 is final: it ends HTTP here.
func (c *conn) receive(toHEAD bool) error {
	const most = 32 // interim responses
	for range most {
		if final, err := c.receiveHead(toHEAD); final || err != nil {
			return err
		}
	}
	return malformed("more than %d interim responses", most)
}

// receiveHead reads one head and says whether it is the final one.
func (c *conn) receiveHead(toHEAD bool) (final bool, err error) {
	block, first, err := c.in.block("HTTP/")
	if c.in.buffered() > 0 || len(block) > 0 {
		c.silent = false
	}
	if err != nil {
		return false, err
	}
	if c.head, err = parseHead(block); err != nil {
		return false, err
	}
	if c.head.code < 200 && c.head.code != 101 {
		return false, nil
	}
	c.first = first
	c.head.close = c.head.close || c.head.code == 101
	c.body.frame(&c.in, &c.head, toHEAD)
	return true, nil
}

// send writes the request, or starts to.
func (c *conn) send(m *message) error {
	wire := m.wire
	if c.last {
		wire = m.last
	}
	if m.stream == nil && len(wire) <= inlineWrite {
		_, err := c.nc.Write(wire)
		return err
	}
	done := make(chan error, 1)
	c.writing, c.request = done, m.stream
	go func() {
		err := c.write(m, wire)
		done <- err
		if err != nil && m.stream != nil {
			// The server would wait for the rest, and so would we.
			_ = c.nc.Close()
		}
	}()
	return nil
}

// write writes the whole request.
func (c *conn) write(m *message, wire []byte) error {
	if _, err := c.nc.Write(wire); err != nil || m.stream == nil {
		return err
	}
	err := m.copyStream(c.nc)
	if closeErr := m.stream.Close(); err == nil {
		err = closeErr
	}
	return err
}

// written waits a moment for the write under way and says whether the request
// went out whole.
func (c *conn) written() bool {
	if c.writing == nil {
		return true
	}
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case err := <-c.writing:
		c.writing, c.request = nil, nil
		return err == nil
	case <-t.C:
		return false
	}
}

// reusable says whether the next exchange may use the connection: this one has
// ended, both sides agree where, and nothing came after it.
func (c *conn) reusable() bool {
	return !c.last && c.body.ended && c.body.framing != untilClose && !c.head.close &&
		c.in.buffered() == 0 && c.written()
}

// unwatch ends the watch over the exchange's context. False: the context ended
// first, and the connection is closed or about to be.
func (c *conn) unwatch() bool {
	if c.stop == nil {
		return true
	}
	ok := c.stop()
	c.stop = nil
	return ok
}

// close closes the connection and ends the write under way.
func (c *conn) close() {
	_ = c.nc.Close()
	switch {
	case c.writing == nil:
	case c.request != nil:
		// The writer may be waiting for the stream, which only its owner can
		// end; closing it is all that can be done, and it is not waited for.
		_ = c.request.Close()
	default:
		<-c.writing
	}
	c.writing, c.request = nil, nil
}

// reason is the status line's code and reason: "503 Service Unavailable".
func (h *head) reason() string {
	if len(h.status) > len("200 ") {
		return string(h.status)
	}
	return strconv.Itoa(h.code)
}
