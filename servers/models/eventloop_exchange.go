package models

import (
	"errors"
	"io"
	"os"
	"runtime/debug"

	"golang.org/x/sys/unix"

	"gatewaylab/servers/app"
	"gatewaylab/servers/iface/asgi"
	"gatewaylab/servers/wire/http1"
)

// A loopExchange is what a connection needs while a request is there: the
// buffers, and the coroutine. It is the asgi.Answer, and the request's body.
type loopExchange struct {
	loop *loop
	conn *loopConn // nil while it is not in use
	in   []byte
	at   int // in[at:] has come and was not used

	parser  http1.Parser
	begun   bool // a head has
	req     http1.Request
	body    http1.Body
	bodyErr error
	invites bool // the client waits for 100 Continue
	dropped int  // bytes of the body that nobody wanted
	unread  bool // the client may be sending what nobody will read
	resp    http1.Response

	co      *coroutine
	result  error
	waiting waiting
	woken   error // what the wait ended with
	await   *awaited
	alarm   timer
	asgi    asgi.Exchange
	origin  asgi.Origin
	ctx     *loopContext
	lent    app.Loop
}

const unusedKept = 256 // exchanges and stacks that are kept for later

func (l *loop) exchange(c *loopConn) *loopExchange {
	if last := len(l.exchanges) - 1; last >= 0 {
		x := l.exchanges[last]
		l.exchanges = l.exchanges[:last]
		x.conn = c
		return x
	}
	x := &loopExchange{loop: l, conn: c, in: make([]byte, 0, l.readSize)}
	x.lent = app.Loop{Sleep: x.sleep, Await: x.awaitDone, Ready: x.awaitReady}
	if l.pool != nil {
		x.lent.Offload = x.offload
	}
	x.origin.Loop, x.origin.Extensions = &x.lent, asgi.ExtensionDenial
	x.alarm.fire = func() { x.resume(nil) }
	return x
}

// release takes back what nothing uses any more.
func (l *loop) release(x *loopExchange) {
	if x == nil {
		return
	}
	x.conn = nil
	l.stop(&x.alarm)
	if cap(x.in) != l.readSize || len(l.exchanges) >= unusedKept {
		return // the buffer has grown for a head that was large, or was given up
	}
	x.in, x.at = x.in[:0], 0
	x.begun, x.unread, x.bodyErr = false, false, nil
	x.parser.Reset()
	x.resp.Drop()
	l.exchanges = append(l.exchanges, x)
}

// read reads once, behind what is there. The error is io.EOF at the end; no
// bytes and no error say that nothing has come.
func (x *loopExchange) read() (int, error) {
	c := x.conn
	switch {
	case x.at == len(x.in):
		x.in, x.at = x.in[:0], 0
	case len(x.in) == cap(x.in): // a head, which has its limit
		grown := x.in[:0]
		if x.at == 0 {
			grown = make([]byte, 0, 2*cap(x.in))
		}
		x.in, x.at = append(grown, x.in[x.at:]...), 0
	}
	room := x.in[len(x.in):cap(x.in)]
	for {
		n, err := unix.Read(c.fd, room)
		switch {
		case n > 0:
			// Less than was asked for is all there is, but for the end.
			c.readable = n == len(room) || c.ended
			x.in = x.in[:len(x.in)+n]
			return n, nil
		case err == unix.EAGAIN:
			c.readable = false
			return 0, nil
		case err == nil:
			c.readable, c.ended = false, true
			return 0, io.EOF
		case err != unix.EINTR:
			return 0, os.NewSyscallError("read", err)
		}
	}
}

// run serves the request. It is what the coroutine does.
func (x *loopExchange) run() (err error) {
	l := x.loop
	ctx := &loopContext{}
	x.ctx = ctx
	defer func() {
		ctx.end()
		if p := recover(); p != nil {
			l.env.Log.Printf("panic: %v\n%s", p, debug.Stack())
			err = x.refuse(&http1.Error{Status: 500, Why: "the application failed"})
		}
	}()
	x.origin.Client, x.origin.Server, x.origin.State = x.conn.client, l.server, l.lifespan.State()
	if wantsSocket(&x.req) {
		return x.upgrade()
	}
	a := &x.asgi
	a.Body, a.Length, a.Answer = nil, x.req.Length, x
	if x.req.Framing != http1.NoBody {
		a.Body = x
	}
	a.Scope.SetHTTP(&x.req, &x.origin)
	err = a.Serve(ctx, l.app)
	var fault *asgi.BodyError
	switch {
	case err == nil || errors.Is(err, asgi.ErrDisconnected):
		return err
	case errors.As(err, &fault):
		if !a.Started() {
			err = x.refuse(fault.Err)
		}
		return err
	}
	l.env.Log.Printf("%s %s: %v", x.req.Method, x.req.Target, err)
	if a.Complete() {
		return nil
	}
	return err
}

// refuse answers for the application, and has the connection end.
func (x *loopExchange) refuse(err error) error {
	var fault *http1.Error
	switch {
	case errors.As(err, &fault):
	case errors.Is(err, os.ErrDeadlineExceeded):
		fault = &http1.Error{Status: 408, Why: "the request stopped coming"}
	case errors.Is(err, io.ErrUnexpectedEOF):
		fault = &http1.Error{Status: 400, Why: "the body is cut off"}
	default:
		return err
	}
	x.resp.Date = x.loop.date
	x.unread = true
	return x.resp.Refuse(fault.Status, fault.Why)
}

// Read reads the request's body.
func (x *loopExchange) Read(p []byte) (int, error) {
	for len(p) > 0 && x.bodyErr == nil {
		if x.body.Ended() {
			return 0, io.EOF
		}
		if x.at == len(x.in) {
			x.bodyErr = x.more()
			continue
		}
		// No more than fits, so that nothing has to be kept.
		data, n, err := x.body.Next(x.in[x.at:min(len(x.in), x.at+len(p))])
		x.at += n
		if len(data) > 0 {
			return copy(p, data), nil
		}
		x.bodyErr = err
	}
	return 0, x.bodyErr
}

// more waits for more from the client.
func (x *loopExchange) more() error {
	c := x.conn
	if x.invites {
		x.invites = false
		x.resp.Invite()
	}
	for c.state != gone {
		if c.readable {
			switch n, err := x.read(); {
			case n > 0:
				c.progress(n)
				return nil
			case err == io.EOF:
				return io.ErrUnexpectedEOF
			case err != nil:
				return err
			}
		} else if err := x.suspend(forInput); err != nil {
			return err
		}
	}
	return app.ErrGone
}

// Start takes the status and the fields. A connection whose client is to send
// much that nobody wants is not worth keeping.
func (x *loopExchange) Start(status int, header []app.Field) error {
	if x.loop.leaving || x.invites || !x.body.Ended() && x.body.Left() > maxDiscard {
		x.resp.Close()
	}
	return x.resp.Start(status, header)
}

// Write adds to the answer. It waits if the client takes it too slowly.
func (x *loopExchange) Write(p []byte) (int, error) {
	n, err := x.resp.Write(p)
	if err == nil && x.conn.crowded() {
		err = x.drain()
	}
	return n, err
}

// Flush sends what was written, or leaves it to the loop to.
func (x *loopExchange) Flush() error {
	if err := x.resp.Flush(); err != nil {
		return err
	}
	if !x.conn.flush() {
		return asgi.ErrDisconnected
	}
	return x.drain()
}

// Finish ends the answer. It is the loop that sends it, with those to the
// requests that have come behind.
func (x *loopExchange) Finish() error { return x.resp.Finish() }

func (x *loopExchange) drain() error {
	for x.conn.state == gone || x.conn.crowded() {
		if !x.conn.flush() {
			return asgi.ErrDisconnected
		}
		if !x.conn.crowded() {
			return nil
		}
		if x.suspend(forRoom) != nil {
			return asgi.ErrDisconnected
		}
	}
	return nil
}
