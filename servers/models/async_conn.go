package models

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"runtime/debug"
	"sync"
	"time"

	"gatewaylab/servers/iface/asgi"
	"gatewaylab/servers/wire/http1"
)

// An asyncConn is one connection and what its requests need one after another.
// Only its own goroutine reads and writes, but for a watch, during which it
// waits.
type asyncConn struct {
	net.Conn // the client's, perhaps under TLS
	server   *asyncServer
	slot     *slotConn // under Conn
	origin   asgi.Origin

	in       *http1.Reader
	request  http1.Request
	response http1.Response
	exchange asgi.Exchange
	context  *asyncContext // of a request with a body

	phase    asyncPhase
	timed    bool      // the head that is being read has its limit
	early    []byte    // was read before it was wanted
	patience patience  // with a body
	deadline time.Time // for reads; zero: not known
	writeBy  time.Time // for writes; zero: none yet
	served   int
	invited  bool // the client was told to send the body
	upgraded bool // a WebSocket, which shows itself: not all that comes is a message

	mu      sync.Mutex
	waiting bool // for what may never come
	fresh   bool // the first request of the connection
}

// asyncPhase is what a connection reads.
type asyncPhase uint8

const (
	readsNothing asyncPhase = iota // and waits for a request
	readsHead
	readsBody
)

// How much of a body that nobody wanted is read so that the connection can be
// kept, how much is written before it is sent, and what a connection keeps of
// its buffers while it waits.
const (
	drained    = 256 << 10
	sentAtOnce = 64 << 10
	keptBuffer = 16 << 10
)

// farewell is how long a client may take to hang up after it was told that the
// server does, and newcomer how long a stopping server waits for the first
// request of a connection.
const (
	farewell = 500 * time.Millisecond
	newcomer = time.Second
)

func newAsyncConn(s *asyncServer, conn net.Conn) *asyncConn {
	c := &asyncConn{Conn: conn, server: s, slot: slotOf(conn)}
	c.origin = asgi.Origin{
		Client: asgiAddress(conn.RemoteAddr()), Server: asgiAddress(conn.LocalAddr()),
		TLS: s.tls != nil, Extensions: asgi.ExtensionDenial, State: s.state,
	}
	if s.tls != nil {
		c.Conn = tls.Server(conn, s.tls)
	}
	return c
}

// drop ends the connection.
func (c *asyncConn) drop() {
	_ = c.Conn.Close()
	c.slot.setBusy(false)
	c.slot.release()
}

// serve serves the connection to its end, unless it is HTTP/2.
func (c *asyncConn) serve(l *http2Listener) {
	defer c.server.leave(c)
	defer func() {
		if p := recover(); p != nil {
			c.server.env.Log.Printf("async: panic while serving %s: %v\n%s", c.RemoteAddr(), p, debug.Stack())
			c.drop()
		}
	}()
	http2, err := c.begin()
	switch {
	case err != nil:
		c.drop()
		return
	case http2:
		c.slot.drop() // its requests show themselves
		c.slot.early = c.early
		_ = c.SetDeadline(time.Time{}) // net/http has its own
		l.give(c.Conn, c.slot)
		return
	}
	c.in = http1.NewReader(c, http1.DefaultLimits())
	for c.next() {
		c.served++
	}
}

// begin shakes hands and finds out what is spoken.
func (c *asyncConn) begin() (http2 bool, err error) {
	if t, ok := c.Conn.(*tls.Conn); ok {
		if err := c.SetDeadline(time.Now().Add(c.server.timeout)); err != nil {
			return false, err
		}
		c.waits(true)
		err := t.Handshake()
		c.waits(false)
		if err != nil {
			return false, c.notTLS(err)
		}
		return t.ConnectionState().NegotiatedProtocol == "h2", c.SetDeadline(time.Time{})
	}
	const preface = "PRI " // no method of HTTP/1 has this name
	first := make([]byte, 512)
	n := 0
	for n < len(preface) && string(first[:n]) == preface[:n] {
		k, err := c.read(first[n:])
		n += k
		if err != nil {
			return false, err
		}
	}
	c.early = first[:n]
	return bytes.HasPrefix(c.early, []byte(preface)), nil
}

// notTLS tells a client that speaks HTTP to a port for TLS.
func (c *asyncConn) notTLS(err error) error {
	var header tls.RecordHeaderError
	if !errors.As(err, &header) || header.Conn == nil {
		return err
	}
	switch string(header.RecordHeader[:]) {
	case "GET /", "HEAD ", "POST ", "PUT /", "OPTIO":
		_, werr := io.WriteString(header.Conn, "HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"+
			"400 bad request: this port speaks TLS: ask for https\n")
		return errors.Join(err, werr)
	}
	return err
}

// Read is the http1.Reader's source.
func (c *asyncConn) Read(p []byte) (int, error) {
	if len(c.early) > 0 {
		n := copy(p, c.early)
		if c.early = c.early[n:]; len(c.early) == 0 {
			c.early = nil
		}
		c.hear()
		return n, nil
	}
	return c.read(p)
}

// read reads from the client, who may take as long as the phase allows.
func (c *asyncConn) read(p []byte) (int, error) {
	switch c.phase {
	case readsNothing:
		return c.await(p)
	case readsHead:
		if !c.timed { // most heads have come by now
			c.timed, c.deadline = true, time.Time{}
			if err := c.limit(c.server.timeout); err != nil {
				return 0, err
			}
		}
	case readsBody:
		begun := time.Now()
		c.deadline = time.Time{}
		if err := c.SetReadDeadline(begun.Add(c.patience.left)); err != nil {
			return 0, err
		}
		n, err := c.Conn.Read(p)
		c.patience.spent(begun, n)
		return n, err
	}
	return c.Conn.Read(p)
}

// await waits for the first bytes of a request.
func (c *asyncConn) await(p []byte) (int, error) {
	patience := c.server.keepalive
	if c.served == 0 {
		patience = c.server.timeout
	}
	if err := c.limit(patience); err != nil {
		return 0, err
	}
	c.waits(true)
	n, err := c.Conn.Read(p)
	c.waits(false)
	if c.server.leaving.Load() {
		c.deadline = time.Time{} // goAway may have set another
	}
	if n > 0 {
		c.hear()
	}
	return n, err
}

// waits notes whether the connection waits for what may never come, which a
// server that stops doesn't.
func (c *asyncConn) waits(yes bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting, c.fresh = yes, c.served == 0
	if yes && c.server.leaving.Load() {
		_ = c.SetReadDeadline(c.wakeBy()) // fails on a connection that is gone
	}
}

// limit has reads end when that much time has passed, or up to an eighth less:
// to move a deadline costs as much as a small request's work.
func (c *asyncConn) limit(d time.Duration) error {
	want := time.Now().Add(d)
	if c.deadline.After(want.Add(-d/8)) && !c.deadline.After(want) {
		return nil
	}
	c.deadline = want
	return c.SetReadDeadline(want)
}

// write writes to the client, who may be slow but not stall. The deadline is
// moved seldom: it is between timeout and twice that.
func (c *asyncConn) write(p []byte) (int, error) {
	now, need := time.Now(), c.server.timeout+time.Duration(len(p))*slowest
	if c.writeBy.Before(now.Add(need)) {
		c.writeBy = now.Add(need + c.server.timeout)
		if err := c.SetWriteDeadline(c.writeBy); err != nil {
			return 0, err
		}
	}
	return c.Conn.Write(p)
}

// hear is called for bytes of a request.
func (c *asyncConn) hear() {
	if c.phase != readsNothing || c.upgraded {
		return
	}
	c.phase, c.timed = readsHead, false
	c.slot.setBusy(true)
}

// wakeBy is until when a stopping server waits for what may never come. Its
// caller has c.mu.
func (c *asyncConn) wakeBy() time.Time {
	if c.fresh {
		return time.Now().Add(min(newcomer, c.server.timeout))
	}
	return time.Now()
}
