package models

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"gatewaylab/servers/app"
	"gatewaylab/servers/iface/asgi"
	"gatewaylab/servers/wire/http1"
)

// A loopSocket is the connection under a WebSocket of the event loop: its
// coroutine reads and writes as if it had a thread.
type loopSocket struct {
	*loopExchange
	failed error // the handshake's answer: the connection has to be reset
}

// upgrade shakes hands and serves a WebSocket, to its end. It is what the
// request's coroutine does.
func (x *loopExchange) upgrade() error {
	l := x.loop
	c := &loopSocket{loopExchange: x}
	if s := newSocket(c, &x.req, &x.origin, &l.buffers); s != nil {
		err := s.serve(x.ctx, l.app)
		if err != nil && !errors.Is(err, asgi.ErrDisconnected) {
			l.env.Log.Printf("WebSocket %s: %v", s.scope.Path, err)
		}
	}
	return c.failed
}

func (c *loopSocket) last() { c.resp.Close() }

func (c *loopSocket) refuse(status int, why string) {
	c.failed = c.loopExchange.refuse(&http1.Error{Status: status, Why: why})
}

func (c *loopSocket) opened() []byte {
	x := c.loopExchange
	early := x.in[x.at:]
	x.in, x.at = nil, 0 // most WebSockets are idle
	x.resp.Close()
	x.conn.drop() // the handshake is not one of the requests that are counted
	return early
}

func (c *loopSocket) readFrame(p []byte, within bool) (int, error) {
	conn, l := c.conn, c.loop
	what := forInput
	if !within {
		what = forFrame
		conn.budget = l.timeout
	}
	for conn.state != gone {
		if !conn.readable {
			if what == forFrame && l.leaving {
				return 0, os.ErrDeadlineExceeded
			}
			if err := c.suspend(what); err != nil {
				return 0, err
			}
			continue
		}
		n, err := unix.Read(conn.fd, p)
		switch {
		case n > 0:
			conn.readable = n == len(p) || conn.ended
			conn.progress(n)
			return n, nil
		case err == unix.EAGAIN:
			conn.readable = false
		case err == nil:
			conn.readable, conn.ended = false, true
			return 0, io.EOF
		case err != unix.EINTR:
			return 0, os.NewSyscallError("read", err)
		}
	}
	return 0, app.ErrGone
}

func (c *loopSocket) writeFrame(p []byte) error {
	c.resp.Raw(p...)
	if !c.conn.flush() {
		return app.ErrGone
	}
	return c.drain()
}

func (c *loopSocket) stopping() bool { return c.loop.leaving }

func (c *loopSocket) show(busy bool) {
	if busy {
		c.conn.begin()
	} else {
		c.conn.done()
	}
}

// bye leaves it to the loop to send the frame, and to wait for the client.
func (c *loopSocket) bye(frame []byte) {
	c.resp.Raw(frame...)
	c.unread = true
}

func (c *loopSocket) hangUp() { c.unread = true }

func (c *loopSocket) cutOff() { c.failed = asgi.ErrDisconnected }

func (c *loopSocket) drop() {}
