package models

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"gatewaylab/servers/app"
	"gatewaylab/servers/iface/asgi"
	"gatewaylab/servers/wire/http1"
)

// next serves one request and says whether another may follow.
func (c *asyncConn) next() bool {
	if c.phase = readsNothing; len(c.in.Buffered()) > 0 {
		c.hear()
	} else if cap(c.response.Bytes()) > keptBuffer {
		c.response = http1.Response{}
	}
	if err := c.in.ReadRequest(&c.request, 0); err != nil {
		var refused *http1.Error
		if errors.As(err, &refused) {
			c.response.Reset(nil, false)
			c.refuse(refused.Status, refused.Why)
			return false
		}
		c.drop() // it is over, or took too long to begin
		return false
	}
	c.phase, c.patience = readsBody, newPatience(c.server.timeout)
	last := c.server.leaving.Load() || c.served+1 == c.server.requests
	c.response.Reset(&c.request, !last)
	c.response.Date = c.server.dates.at(time.Now())
	if wantsSocket(&c.request) {
		c.upgrade()
		return false
	}
	if !c.call() {
		return false
	}
	c.slot.setBusy(false)
	return true
}

// call has the application answer the request, and says whether the connection
// can be kept.
func (c *asyncConn) call() bool {
	x := &c.exchange
	x.Body, x.Length, x.Answer = nil, c.request.Length, (*asyncAnswer)(c)
	c.invited = false
	ctx := &asyncContext{conn: c, received: true}
	if c.request.Framing != http1.NoBody {
		x.Body = (*asyncBody)(c)
		ctx.received = false
		c.context = ctx
	}
	x.Scope.SetHTTP(&c.request, &c.origin)
	err := x.Serve(ctx, c.server.app)
	ctx.end()
	c.context = nil
	var fault *asgi.BodyError
	switch {
	case err == nil:
	case errors.As(err, &fault) && !x.Started():
		c.refuse(bodyRefusal(fault.Err))
		return false
	default:
		if !errors.Is(err, asgi.ErrDisconnected) && !errors.As(err, &fault) {
			c.server.env.Log.Printf("async: %s %s: %v", c.request.Method, c.request.Target, err)
		}
		if !x.Complete() {
			c.cutOff()
			return false
		}
	}
	switch {
	case c.response.Keep() && c.skip():
		return true
	case c.in.Ended():
		c.drop()
	default:
		c.hangUp()
	}
	return false
}

// skip reads what the application didn't want of a body, if that isn't much.
func (c *asyncConn) skip() bool {
	if c.in.Ended() {
		return true
	}
	_, err := io.CopyN(io.Discard, c.in, drained)
	return err == io.EOF
}

// refuse answers in the application's place and closes the connection.
func (c *asyncConn) refuse(status int, why string) {
	if c.response.Refuse(status, why) != nil || (*asyncAnswer)(c).send() != nil {
		c.drop()
		return
	}
	c.hangUp()
}

// hangUp closes the connection so that the client sees the answer: with
// something unread it would be reset, and the answer perhaps lost. A client
// that is sending a large body may go on for a moment.
func (c *asyncConn) hangUp() {
	half, ok := c.Conn.(interface{ CloseWrite() error })
	limit := farewell
	if !c.in.Ended() {
		limit = lingerLimit
	}
	if ok && half.CloseWrite() == nil && c.SetReadDeadline(time.Now().Add(limit)) == nil {
		_, _ = io.Copy(io.Discard, c.Conn)
	}
	c.drop()
}

// cutOff resets the connection, so that the client doesn't take what it got for
// the whole.
func (c *asyncConn) cutOff() {
	if linger, ok := c.slot.halfCloser.(interface{ SetLinger(int) error }); ok {
		_ = linger.SetLinger(0) // without it, the answer still has no end
	}
	c.drop()
}

// An asyncBody reads the request's body, for which a client may wait to be
// asked.
type asyncBody asyncConn

func (b *asyncBody) Read(p []byte) (int, error) {
	c := (*asyncConn)(b)
	if c.request.Continue && !c.invited && !c.response.Started() {
		c.invited = true
		c.response.Invite()
		if err := (*asyncAnswer)(c).send(); err != nil {
			return 0, err
		}
	}
	n, err := c.in.Read(p)
	if c.in.Ended() {
		c.context.bodyEnded()
	}
	return n, err
}

// An asyncAnswer is an asgi.Answer that sends.
type asyncAnswer asyncConn

// Start takes the head. A body that nobody has read by now nobody will read,
// so if it is long, or the client still has it, that ends the connection.
func (a *asyncAnswer) Start(status int, header []app.Field) error {
	if !a.in.Ended() && (a.request.Length > drained || a.request.Continue && !a.invited) {
		a.response.Close()
	}
	return a.response.Start(status, header)
}

func (a *asyncAnswer) Write(p []byte) (int, error) {
	n, err := a.response.Write(p)
	if err == nil && len(a.response.Bytes()) > sentAtOnce {
		err = a.send()
	}
	return n, err
}

func (a *asyncAnswer) Flush() error {
	if err := a.response.Flush(); err != nil {
		return err
	}
	return a.send()
}

func (a *asyncAnswer) Finish() error {
	if err := a.response.Finish(); err != nil {
		return err
	}
	return a.send()
}

func (a *asyncAnswer) send() error {
	n, err := (*asyncConn)(a).write(a.response.Bytes())
	a.response.Sent(n)
	if err != nil {
		return fmt.Errorf("%w: %w", asgi.ErrDisconnected, err)
	}
	return nil
}

// An asyncContext ends with the request or with the connection. Nobody looks
// for the end of the connection before somebody asks for Done: for a request
// that doesn't wait, to look would cost more than the request.
type asyncContext struct {
	conn *asyncConn

	mu       sync.Mutex
	done     chan struct{} // nil until it is asked for
	err      error
	received bool          // the request's body, so that what comes is none of it
	watched  chan struct{} // closed when the watch has ended; nil: there is none
	over     bool
}

// Deadline is never.
func (x *asyncContext) Deadline() (time.Time, bool) { return time.Time{}, false }

// Value has none.
func (x *asyncContext) Value(any) any { return nil }

// Err says why Done is closed.
func (x *asyncContext) Err() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.err
}

// Done is closed when the client has gone or the request is over.
func (x *asyncContext) Done() <-chan struct{} {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.done == nil {
		x.done = make(chan struct{})
		if x.err != nil {
			close(x.done)
		}
		x.watch()
	}
	return x.done
}

// bodyEnded is called when the request's body has been read.
func (x *asyncContext) bodyEnded() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.received = true
	x.watch()
}

// watch begins to look for the client's going away, if it is time.
func (x *asyncContext) watch() {
	if x.done == nil || !x.received || x.over || x.watched != nil {
		return
	}
	x.conn.deadline = time.Time{}
	if x.conn.SetReadDeadline(time.Time{}) != nil {
		return // it is closed, and the next write will say so
	}
	x.watched = make(chan struct{})
	go x.look()
}

// look reads until the request is over. What comes belongs to the next one; a
// client that sends too much of that is not looked after any longer.
func (x *asyncContext) look() {
	defer close(x.watched)
	ahead := make([]byte, 512)
	n := 0
	var err error
	for err == nil && n < len(ahead) {
		var k int
		k, err = x.conn.Conn.Read(ahead[n:])
		n += k
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.conn.early = ahead[:n]
	if err != nil && !x.over {
		x.finish()
	}
}

func (x *asyncContext) finish() {
	if x.err == nil {
		x.err = context.Canceled
		if x.done != nil {
			close(x.done)
		}
	}
}

// end ends the context with its request.
func (x *asyncContext) end() {
	x.mu.Lock()
	x.over = true
	x.finish()
	watched := x.watched
	x.mu.Unlock()
	if watched == nil {
		return
	}
	_ = x.conn.SetReadDeadline(time.Unix(1, 0)) // wakes the watch; if it fails, reading has too
	<-watched
	x.conn.deadline = time.Time{}
}
