package models

import (
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"gatewaylab/servers/iface/asgi"
	"gatewaylab/servers/process"
)

// A connState is what a connection is at.
type connState uint8

const (
	reading    connState = iota // a request's head, or waiting for one
	serving                     // the request's coroutine has the connection
	discarding                  // the rest of a body that nobody wanted
	lingering                   // closed for writing; until the client has seen it
	gone
)

// A loopConn is a connection. While it is idle that is all there is of it: its
// buffers belong to the exchange, which it has from the first byte of a request
// to the last of the response.
type loopConn struct {
	loop     *loop
	fd       int
	slot     *process.Slot
	client   asgi.Address
	x        *loopExchange // nil while idle
	state    connState
	readable bool // there may be something to read
	writable bool // the kernel may take something
	ended    bool // the client sends nothing more
	busy     bool // on the scoreboard
	closing  bool // once everything is sent
	queued   bool // among loop.turns
	served   int

	deadline timer
	headDue  time.Duration // when the request's head has to be there
	budget   time.Duration // that the client has for sending or taking something
	since    time.Duration // when the wait for that began, 0 = it isn't waited for
}

const (
	// minRate is how slow a client may be, in bytes a second: it has the time
	// that it is given for a stall, and more for what it sends or takes.
	// (Apache's mod_reqtimeout has the same rule and the same rate.)
	minRate = 500
	// maxDiscard is how much of a body that nobody wanted is read for the sake
	// of the connection; more than that ends it.
	maxDiscard = 256 << 10
	// stepsATime is how much one connection may do before others have their turn.
	stepsATime = 64
)

// ready takes what the kernel says.
func (c *loopConn) ready(r readiness) {
	c.readable = c.readable || r.in
	c.writable = c.writable || r.out
	c.ended = c.ended || r.hup && r.in
	if c.state == serving {
		c.x.ready(r)
		return
	}
	if r.out && c.x != nil && !c.flush() {
		return
	}
	c.advance()
}

// advance does what can be done without waiting, but not for ever: others want
// their turn.
func (c *loopConn) advance() {
	for range stepsATime {
		if !c.step() {
			c.settle()
			return
		}
	}
	if (c.x == nil || c.flush()) && !c.queued {
		c.queued = true
		c.loop.turns = append(c.loop.turns, c)
	}
}

// step makes use of what has come, or reads more. It returns false if that has
// to wait for the client, or for the request's coroutine.
func (c *loopConn) step() bool {
	switch c.state {
	case reading:
		if c.closing {
			return false
		}
		if c.x != nil {
			if c.crowded() && (!c.flush() || c.crowded()) {
				return false
			}
			if c.parse() {
				return c.state != serving
			}
			if c.closing {
				return false
			}
		}
		return c.fill()
	case discarding:
		if c.discard() {
			return true
		}
		return !c.closing && c.fill()
	case lingering:
		return c.waste()
	case serving, gone:
	}
	return false
}

// crowded says that so much waits to be sent that no more is to be made.
func (c *loopConn) crowded() bool { return len(c.x.resp.Bytes()) >= c.loop.writeSize }

// fill reads what has come into the exchange's buffer. It returns false if
// there is nothing.
func (c *loopConn) fill() bool {
	if !c.readable {
		return false
	}
	if c.x == nil {
		c.x = c.loop.exchange(c)
	}
	switch n, err := c.x.read(); {
	case n > 0:
		c.progress(n)
		return true
	case err == io.EOF:
		c.closing = true // within a request, too: it will never be whole
	case err != nil:
		c.reset()
	}
	return false
}

// parse looks for a request and starts it. It returns false if there is none.
func (c *loopConn) parse() bool {
	x := c.x
	unread := x.in[x.at:]
	if len(unread) == 0 {
		return false
	}
	if !x.begun { // the head has to come within the limit, drop by drop or not
		x.begun = true
		c.headDue = c.loop.now + c.loop.timeout
	}
	n, err := x.parser.Parse(unread, &x.req)
	x.at += n
	if err != nil {
		c.refuse(err)
		return false
	}
	if n == 0 {
		return false
	}
	x.begun = false
	c.awaits(false)
	c.deadline.when = 0
	c.budget = c.loop.timeout
	c.state = serving
	c.begin()
	x.start()
	return true
}

// refuse answers for the application to what is no request, and ends the
// connection.
func (c *loopConn) refuse(err error) {
	x := c.x
	c.begin()
	x.resp.Reset(nil, false)
	if x.refuse(err) != nil { // can't be: nothing has been answered
		c.reset()
		return
	}
	c.done()
	x.begun = false
	c.closing = true
}

// completed is called when the request's coroutine has ended.
func (c *loopConn) completed(err error) {
	l, x := c.loop, c.x
	if c.state == gone {
		l.release(x)
		c.x = nil
		return
	}
	c.done()
	c.served++
	c.state = reading
	switch {
	case err != nil:
		c.reset() // the client must not take what it got for the whole answer
	case !x.resp.Keep():
		c.closing = true
		x.unread = x.unread || !x.body.Ended()
	case !x.body.Ended():
		c.state = discarding
		x.dropped = 0
	}
}

// discard drops what has come of the rest of a body. It returns true at its
// end.
func (c *loopConn) discard() bool {
	x := c.x
	for !x.body.Ended() && x.at < len(x.in) {
		_, n, err := x.body.Next(x.in[x.at:])
		x.at += n
		x.dropped += n
		if err != nil || x.dropped > maxDiscard {
			c.closing, x.unread = true, true
			return false
		}
	}
	if x.body.Ended() {
		c.awaits(false)
		c.state = reading
	}
	return x.body.Ended()
}

// flush sends what can be sent. It returns false if the connection is gone.
func (c *loopConn) flush() bool {
	if c.state == gone {
		return false
	}
	x := c.x
	for c.writable && len(x.resp.Bytes()) > 0 {
		n, err := unix.Write(c.fd, x.resp.Bytes())
		switch {
		case n > 0:
			x.resp.Sent(n)
			c.progress(n)
		case err == unix.EAGAIN:
			c.writable = false
		case err != unix.EINTR:
			c.reset()
			return false
		}
	}
	return true
}

// settle is what a connection does before it waits: it sends what there is,
// gives back what it doesn't need, and sets a limit to the wait.
func (c *loopConn) settle() {
	x := c.x
	if x == nil || c.state != reading && c.state != discarding || !c.flush() {
		return
	}
	switch {
	case len(x.resp.Bytes()) > 0 || c.state == discarding && !c.closing:
		if c.since == 0 {
			c.budget = c.loop.timeout
			c.awaits(true)
		}
	case c.closing:
		c.end(x.unread || x.at < len(x.in))
	case x.begun:
		c.awaits(false)
		c.loop.set(&c.deadline, c.headDue-c.loop.now)
	default:
		c.rest()
	}
}

// rest is between two requests.
func (c *loopConn) rest() {
	c.awaits(false)
	c.loop.release(c.x)
	c.x = nil
	switch {
	case c.loop.leaving && c.served > 0:
		c.close()
	case c.served > 0:
		c.loop.set(&c.deadline, c.loop.keepalive)
	}
}

// awaits starts or stops the clock that a client is measured by which has to
// send or to take something. Only the time in which it is waited for counts.
func (c *loopConn) awaits(yes bool) {
	switch {
	case yes:
		c.since = c.loop.now
		c.loop.set(&c.deadline, c.budget)
	case c.since > 0:
		c.budget -= c.loop.now - c.since
		c.since = 0
		c.deadline.when = 0
	}
}

// progress gives a client more time for what it has sent or taken.
func (c *loopConn) progress(n int) {
	if c.since > 0 {
		c.budget -= c.loop.now - c.since
		c.since = c.loop.now
	}
	c.budget = min(c.budget+time.Duration(n)*time.Second/minRate, c.loop.timeout)
	if c.since > 0 {
		c.loop.set(&c.deadline, c.budget)
	}
}

// timedOut is called when the client has taken too long.
func (c *loopConn) timedOut() {
	switch {
	case c.state == serving:
		c.x.stalled()
	case c.x != nil && len(c.x.resp.Bytes()) > 0:
		c.reset()
	case c.state == reading && c.x != nil && c.x.begun:
		c.refuse(os.ErrDeadlineExceeded)
		c.settle()
	default:
		c.close()
	}
}

// leave is called when the server is to stop.
func (c *loopConn) leave() {
	switch {
	case c.state == serving:
		c.x.leave()
	case c.state != reading || c.x != nil:
	case c.served == 0: // its request may be on the way
		c.loop.set(&c.deadline, silence)
	default:
		c.readable = true // a last look
		if c.advance(); c.state == reading && c.x == nil {
			c.close()
		}
	}
}
