package models

import (
	"errors"
	"io"
	"net/http"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"gatewaylab/servers/iface/wsgi"
	"gatewaylab/servers/process"
)

var (
	errStalled  = &wsgi.FaultError{Status: http.StatusRequestTimeout, Why: "the request stopped coming"}
	errUnsaid   = errors.New("the client has not said anything yet")
	errSlowRead = errors.New("the client does not take its answer")
)

const (
	// lingerLimit is how long a connection is kept open for a client that still
	// sends what nobody will read: closed at once, the kernel would answer with a
	// reset, and that takes the response away before the client has read it.
	lingerLimit = 2 * time.Second

	// silenceLimit is how long a worker that is to leave waits for the first byte
	// of a request on a connection that it has accepted.
	silenceLimit = time.Second

	// askPatience is how long a thread that has others to serve waits for the
	// first byte on a new connection, which is mostly on its way.
	askPatience = 10 * time.Millisecond

	// leastRate is how many bytes of a body must come in a second, so that a
	// large one on a slow line is borne with, and a byte a second is not (as with
	// MinRate of Apache's mod_reqtimeout).
	leastRate = 500
)

// A syncConn is the one connection that a thread has, in blocking system
// calls. The socket's timeouts, which it has from the listener, wake a blocked
// call every beat interval: to show that the worker lives, and to give up a
// client that is too slow.
//
// What a client may take: stall for a whole head, however it comes; of a body,
// stall until some of it comes, and leastRate on the average of each stall that
// was spent waiting for it; of the answer, stall until some of it can be sent,
// for which the kernel wants room for a packet at least, so that no client can
// take it a byte at a time.
type syncConn struct {
	fd      int
	peer    netip.AddrPort // of its client; the zero value for a Unix socket
	beats   *process.Slot  // where a wait is shown to be one; nil = nobody looks
	stall   time.Duration  // 0 = for ever
	leaving *atomic.Bool   // the worker is to leave and does not wait long for a silent client
	direct  int            // how often a read is tried as a direct call; with any, writes are at first

	unsaid bool           // nothing has come yet on this connection
	ask    bool           // the first read waits for askPatience only, and returns errUnsaid then
	head   bool           // it is the head that is read
	waited time.Duration  // for what is read now
	moved  int64          // bytes of it that came
	seen   process.Moment // when a read last ended; before the first, when the request began
}

// open takes a connection.
func (c *syncConn) open(fd int, peer netip.AddrPort) {
	c.fd, c.peer, c.unsaid, c.ask = fd, peer, true, false
}

// begin expects a request's head; body what follows it.
func (c *syncConn) begin(now process.Moment) {
	c.head, c.waited, c.moved, c.seen = true, 0, 0, now
}
func (c *syncConn) body() { c.head, c.waited, c.moved = false, 0, 0 }

// Read reads from the client.
func (c *syncConn) Read(p []byte) (int, error) {
	from := c.seen
	if !c.head { // the application has taken its time in between
		from = process.Now()
	}
	for direct := c.direct; ; direct-- {
		n, err := c.read(p, direct > 0)
		c.seen = c.beats.Beat()
		more := c.seen.After(from)
		switch {
		case n > 0:
			c.unsaid, c.ask = false, false
			c.waited += more
			c.moved += int64(n)
			if c.late(0) {
				return 0, errStalled
			}
			return n, nil
		case err == nil:
			return 0, io.EOF
		case err == unix.EAGAIN && c.ask:
			return 0, errUnsaid
		case err != unix.EINTR && err != unix.EAGAIN:
			return 0, os.NewSyscallError("read", err)
		case c.late(more):
			return 0, errStalled
		}
	}
}

func (c *syncConn) read(p []byte, direct bool) (int, error) {
	if direct {
		return directRead(c.fd, p)
	}
	if c.ask {
		watch := []unix.PollFd{{Fd: int32(c.fd), Events: unix.POLLIN}}
		if n, err := unix.Poll(watch, int(askPatience/time.Millisecond)); n == 0 || err != nil {
			return 0, unix.EAGAIN
		}
	}
	return unix.Read(c.fd, p)
}

// late says whether the client has been waited for too long, more being how
// long it was since the last read.
func (c *syncConn) late(more time.Duration) bool {
	waited := c.waited + more
	switch {
	case c.unsaid && waited > silenceLimit && c.leaving.Load():
		return true
	case c.stall <= 0 || waited <= c.stall:
		return false
	case c.head, more > c.stall, c.moved < int64(c.stall.Seconds()*leastRate):
		return true
	}
	c.waited, c.moved = 0, 0 // what came fast buys nothing for later
	return false
}

// Write writes all of p to the client.
func (c *syncConn) Write(p []byte) (written int, err error) {
	n, err := c.write(p)
	c.beats.Beat()
	if n == len(p) { // nearly always that is all there is to it
		return n, nil
	}
	from := time.Now()
	for {
		written += max(0, n)
		switch {
		case written == len(p):
			return written, nil
		case n <= 0 && err != unix.EINTR && err != unix.EAGAIN:
			return written, os.NewSyscallError("write", err)
		case n > 0:
			from = time.Now()
		case c.stall > 0 && time.Since(from) > c.stall:
			return written, errSlowRead
		}
		c.beats.Beat()
		n, err = unix.Write(c.fd, p[written:])
	}
}

func (c *syncConn) write(p []byte) (int, error) {
	if c.direct > 0 {
		return directWrite(c.fd, p)
	}
	return unix.Write(c.fd, p)
}

// close ends the connection in order. With unread input left it first says
// that nothing more will come, and waits for the client to have noticed.
func (c *syncConn) close(unread bool) {
	if unread && unix.Shutdown(c.fd, unix.SHUT_WR) == nil {
		var waste [16 << 10]byte
		for limit := time.Now().Add(lingerLimit); time.Now().Before(limit); c.beats.Beat() {
			if n, err := unix.Read(c.fd, waste[:]); err != unix.EINTR && n <= 0 {
				break
			}
		}
	}
	if c.direct > 0 {
		directClose(c.fd)
	} else {
		unix.Close(c.fd)
	}
	c.fd = -1
}

// reset ends the connection so that the client notices that it has not got
// everything.
func (c *syncConn) reset() {
	_ = unix.SetsockoptLinger(c.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}) // else it is an orderly close
	unix.Close(c.fd)
	c.fd = -1
}
