package models

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"gatewaylab/servers/process"
)

var (
	errSilent    = errors.New("the client closed without a request")
	errHeadLarge = &requestError{http.StatusRequestHeaderFieldsTooLarge, "the request's head is larger than 64 KiB"}
	errStalled   = &requestError{http.StatusRequestTimeout, "the request stopped coming"}
)

// lingerLimit is how long a connection is kept open for a client that still
// sends what nobody will read: closed at once, the kernel would answer with a
// reset, and that takes the response away before the client has read it.
const lingerLimit = 2 * time.Second

// silenceLimit is how long a worker that is to leave waits for the first byte
// of a request on a connection that it has accepted.
const silenceLimit = time.Second

// A syncConn is the one connection that a worker has, in blocking system
// calls. The socket's timeouts, which it has from the listener, wake a blocked
// call every beat interval: to show that the worker lives, and to give up a
// client that has been still for too long.
type syncConn struct {
	fd     int
	slot   *process.Slot
	stall  time.Duration // that a client may be still; 0 = for ever
	in     *bufio.Reader
	head   int       // bytes that the head may still have; < 0: the head is read
	since  time.Time // start of the wait
	silent bool      // nothing has come yet

	leaving *atomic.Bool // the worker is to leave and does not wait long for a silent client
}

func newSyncConn(slot *process.Slot, stall time.Duration, leaving *atomic.Bool) *syncConn {
	c := &syncConn{fd: -1, slot: slot, stall: stall, leaving: leaving}
	c.in = bufio.NewReaderSize(c, 4096)
	return c
}

func (c *syncConn) open(fd int) {
	c.fd, c.head, c.silent = fd, maxHead, true
	c.since = time.Now()
	c.in.Reset(c)
}

// readRequest reads the request's head. The whole head must come within the
// stall limit, drop by drop or not.
func (c *syncConn) readRequest() (*http.Request, error) {
	r, err := http.ReadRequest(c.in)
	if err != nil && c.silent {
		return nil, errSilent
	}
	c.head = -1
	return r, err
}

// Read reads from the client.
func (c *syncConn) Read(p []byte) (int, error) {
	switch {
	case c.head == 0:
		return 0, errHeadLarge
	case c.head > 0:
		p = p[:min(len(p), c.head)]
	default:
		c.since = time.Now()
	}
	for {
		n, err := unix.Read(c.fd, p)
		switch {
		case n > 0:
			c.silent = false
			if c.head > 0 {
				c.head -= n
				if c.stalled() {
					return 0, errStalled
				}
			}
			return n, nil
		case err == nil:
			return 0, io.EOF
		case err != unix.EINTR && err != unix.EAGAIN:
			return 0, os.NewSyscallError("read", err)
		case c.stalled():
			return 0, errStalled
		}
		c.slot.Beat()
	}
}

// Write writes all of p to the client.
func (c *syncConn) Write(p []byte) (written int, err error) {
	c.since = time.Now()
	for written < len(p) {
		n, err := unix.Write(c.fd, p[written:])
		switch {
		case n > 0:
			written += n
			if written < len(p) {
				c.since = time.Now()
			}
		case err != unix.EINTR && err != unix.EAGAIN:
			return written, os.NewSyscallError("write", err)
		case c.stalled():
			return written, os.ErrDeadlineExceeded
		}
		c.slot.Beat()
	}
	return written, nil
}

func (c *syncConn) stalled() bool {
	waited := time.Since(c.since)
	return c.stall > 0 && waited > c.stall || c.silent && waited > silenceLimit && c.leaving.Load()
}

// close ends the connection in order. With unread input left it first says
// that nothing more will come, and waits for the client to have noticed.
func (c *syncConn) close(unread bool) {
	if unread && unix.Shutdown(c.fd, unix.SHUT_WR) == nil {
		var waste [16 << 10]byte
		for limit := time.Now().Add(lingerLimit); time.Now().Before(limit); c.slot.Beat() {
			if n, err := unix.Read(c.fd, waste[:]); err != unix.EINTR && n <= 0 {
				break
			}
		}
	}
	unix.Close(c.fd)
	c.fd = -1
}

// reset ends the connection so that the client notices that it has not got
// everything.
func (c *syncConn) reset() {
	_ = unix.SetsockoptLinger(c.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}) // else it is an orderly close
	unix.Close(c.fd)
	c.fd = -1
}

// A syncBody is a request's body. If the client waits to be told to send it,
// the first read tells it (RFC 9110 §10.1.1).
type syncBody struct {
	body    io.Reader
	answer  *syncAnswer
	invites bool
	ended   bool
}

func newSyncBody(r *http.Request, a *syncAnswer) *syncBody {
	return &syncBody{
		body:    r.Body,
		answer:  a,
		invites: r.ProtoAtLeast(1, 1) && r.ContentLength != 0 && expectsContinue(r),
		ended:   r.Body == http.NoBody,
	}
}

func expectsContinue(r *http.Request) bool {
	return strings.EqualFold(r.Header.Get("Expect"), "100-continue")
}

func (b *syncBody) Read(p []byte) (int, error) {
	if b.ended {
		return 0, io.EOF
	}
	if b.invites && !b.answer.sent {
		b.invites = false
		if _, err := io.WriteString(b.answer.conn, "HTTP/1.1 100 Continue\r\n\r\n"); err != nil {
			return 0, err
		}
	}
	n, err := b.body.Read(p)
	switch {
	case err == io.EOF:
		b.ended = true
	case err != nil && !errors.Is(err, errStalled):
		err = &requestError{http.StatusBadRequest, "the body is cut off or malformed"}
	}
	return n, err
}
