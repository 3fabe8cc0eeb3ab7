package models

import (
	"golang.org/x/sys/unix"
)

// end closes the connection in order. With unread input left it first says that
// nothing more will come, and waits for the client to have noticed: closed at
// once, the kernel would answer with a reset, and that takes the response away
// before the client has read it.
func (c *loopConn) end(unread bool) {
	if !unread || c.ended && !c.readable || unix.Shutdown(c.fd, unix.SHUT_WR) != nil {
		c.close()
		return
	}
	c.state = lingering
	c.loop.release(c.x)
	c.x, c.since = nil, 0
	c.loop.set(&c.deadline, lingerLimit)
	c.advance()
}

// waste reads what nobody wants. It returns false if there is no more of it
// for now.
func (c *loopConn) waste() bool {
	if !c.readable {
		return false
	}
	n, err := unix.Read(c.fd, c.loop.waste[:])
	switch {
	case n > 0 || err == unix.EINTR:
		return true
	case err == unix.EAGAIN:
		c.readable = false
		return false
	}
	c.close()
	return false
}

// reset ends the connection so that the client notices that it has not got
// everything.
func (c *loopConn) reset() {
	if c.state == gone {
		return
	}
	_ = unix.SetsockoptLinger(c.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}) // else it is an orderly close
	c.close()
}

func (c *loopConn) close() {
	if c.state == gone {
		return
	}
	l := c.loop
	if c.state == serving { // the coroutine still has the exchange
		c.x.ctx.end()
		c.done()
	} else if c.x != nil {
		l.release(c.x)
		c.x = nil
	}
	c.state = gone
	l.stop(&c.deadline)
	l.conns[c.fd] = nil
	closeFD(c.fd)
	l.open--
	c.slot.Release()
	l.pause(false)
}

// left says whether the client has gone away: it has sent the end of its
// stream, and nothing before that which was not read.
func (c *loopConn) left() bool {
	if !c.ended || c.x.at < len(c.x.in) {
		return false
	}
	var b [1]byte
	n, _, err := unix.Recvfrom(c.fd, b[:], unix.MSG_PEEK)
	return n <= 0 && err != unix.EAGAIN && err != unix.EINTR
}

// begin shows a request on the scoreboard, and done that it is over.
func (c *loopConn) begin() {
	if c.busy {
		return
	}
	c.busy = true
	if c.slot == nil {
		c.loop.env.Board.Unslotted(1)
	}
	c.slot.Busy()
}

func (c *loopConn) done() {
	if !c.busy {
		return
	}
	c.busy = false
	if c.slot == nil {
		c.loop.env.Board.Unslotted(-1)
	}
	c.slot.Idle()
}

// drop makes the slot idle without counting a request.
func (c *loopConn) drop() {
	if !c.busy {
		return
	}
	c.busy = false
	if c.slot == nil {
		c.loop.env.Board.Unslotted(-1)
	}
	c.slot.Drop()
}
