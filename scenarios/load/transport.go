package load

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// A Transport is a lean HTTP/1.1 client for measuring: plain http:// only, no
// proxy, no redirects, no compression, no cookies, TCP_NODELAY set. Each
// request is one write; each connection is read by the goroutine that waits
// for the answer, so an exchange costs no hand-over between goroutines.
//
// It is an http.RoundTripper that may be used from many goroutines. A body
// must be read to its end or closed, not both at the same time. An Expect
// field is sent as it is; the body doesn't wait for the 100.
type Transport struct {
	timeout time.Duration
	epoch   time.Time
	ctx     context.Context // ends when the transport is closed
	cancel  context.CancelFunc
	pool    pool
	narrow  sync.Pool // of *[narrowBuffer]byte
	wide    sync.Pool // of *[wideBuffer]byte

	perConnection int // requests after which a connection is closed; 0 = never
	// control, if set, prepares a socket before it is connected.
	control func(network, address string, c syscall.RawConn) error

	// connect, if set, makes the connections, in place of net.Dialer.
	connect func(addr string, by time.Time) (net.Conn, error)

	counts *counts
}

// counts are what transports of one attack count together.
type counts struct{ connections, retries atomic.Uint64 }

// NewTransport returns a transport whose every exchange, from connecting to the
// last byte of the body, may take as long as timeout; 0 sets no limit.
func NewTransport(timeout time.Duration) *Transport {
	t := &Transport{timeout: timeout, epoch: time.Now(), counts: new(counts)}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	return t
}

// beside returns a transport with connections of its own, which are made by
// connect, that counts with t, ends with t, and has the same epoch.
func (t *Transport) beside(connect func(addr string, by time.Time) (net.Conn, error)) *Transport {
	return &Transport{
		timeout: t.timeout, epoch: t.epoch, ctx: t.ctx, cancel: t.cancel,
		perConnection: t.perConnection, connect: connect, counts: t.counts,
	}
}

// Connections is how many connections have been opened.
func (t *Transport) Connections() uint64 { return t.counts.connections.Load() }

// Retries is how many requests were sent a second time, on a new connection,
// because the idle one they went out on had died.
func (t *Transport) Retries() uint64 { return t.counts.retries.Load() }

// CloseIdleConnections closes the connections that serve no request.
func (t *Transport) CloseIdleConnections() {
	for _, c := range t.pool.takeIdle() {
		_ = c.nc.Close()
		t.recycle(c)
	}
}

// Close ends the transport: exchanges under way fail at once, and so does
// every later one.
func (t *Transport) Close() {
	t.cancel()
	t.pool.cut()
	t.CloseIdleConnections()
}

// background is the context of exchanges that only Close cuts short.
var background = context.Background()

// RoundTrip implements http.RoundTripper.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	m, err := encode(req)
	if err != nil {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, err
	}
	c, err := t.exchange(req.Context(), m, t.deadline(time.Since(t.epoch)))
	if err != nil {
		if m.stream != nil {
			_ = m.stream.Close()
		}
		return nil, err
	}
	return t.response(c, req), nil
}

// deadline is when an exchange that starts now must have ended.
func (t *Transport) deadline(now time.Duration) time.Time {
	if t.timeout <= 0 {
		return time.Time{}
	}
	return t.epoch.Add(now + t.timeout)
}

// exchange sends m and returns the connection on which the head of the answer
// has come; the caller reads the body and calls finish. A request that went out
// on a connection that had died while idle is sent once more, on a new one.
func (t *Transport) exchange(ctx context.Context, m *message, by time.Time) (*conn, error) {
	var err error
	c := t.idle(m, by)
	if c == nil {
		c, err = t.dial(ctx, m, by)
	}
	for err == nil {
		c.served++
		if t.perConnection > 0 && c.served >= t.perConnection && m.last != nil {
			c.last = true
		}
		if err = c.converse(ctx, m, by); err == nil {
			return c, nil
		}
		again := c.reused && c.silent && m.replay && died(err)
		t.drop(c)
		if !again {
			break
		}
		t.counts.retries.Add(1)
		c, err = t.dial(ctx, m, by)
	}
	switch {
	case ctx.Err() != nil:
		err = ctx.Err()
	case t.ctx.Err() != nil:
		err = errCut
	}
	return nil, err
}

// died says whether err is what writing to or reading from a connection gives
// that the other side has closed.
func died(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// idle returns an idle connection for m, or nil. For what can't be sent twice
// it makes sure that the connection is still alive.
func (t *Transport) idle(m *message, by time.Time) *conn {
	for {
		c := t.pool.get(m.addr)
		if c == nil || m.replay || c.endBy(by) == nil && alive(c.nc) {
			return c
		}
		t.drop(c)
	}
}

func (t *Transport) dial(ctx context.Context, m *message, by time.Time) (*conn, error) {
	nc, err := t.open(ctx, m.addr, by)
	if err != nil {
		return nil, err
	}
	c := &conn{nc: nc, addr: m.addr}
	c.in = reader{src: nc, epoch: t.epoch, lender: &t.wide}
	if buf, ok := t.narrow.Get().(*[narrowBuffer]byte); ok {
		c.in.buf = buf[:]
	} else {
		c.in.buf = new([narrowBuffer]byte)[:]
	}
	t.counts.connections.Add(1)
	if !t.pool.add(c) {
		c.close()
		return nil, errCut
	}
	return c, nil
}

// open makes a connection.
func (t *Transport) open(ctx context.Context, addr string, by time.Time) (net.Conn, error) {
	if t.connect != nil {
		return t.connect(addr, by)
	}
	if ctx.Done() == nil {
		ctx = t.ctx
	} else {
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(t.ctx, cancel)()
	}
	// Keep-alive probes cost four system calls and help nobody here. There is
	// no local address on purpose: binding to 0.0.0.0 first, as Dialer.DialTCP
	// and vegeta's default do, took 97 % of the CPU time under many dials.
	d := net.Dialer{Deadline: by, KeepAlive: -1, Control: t.control}
	return d.DialContext(ctx, "tcp", addr)
}

// finish ends an exchange: the connection becomes idle if it can.
func (t *Transport) finish(c *conn) {
	if c.unwatch() && c.reusable() {
		c.reused = true
		c.in.narrow()
		if t.pool.put(c) {
			return
		}
	}
	t.drop(c)
}

// drop closes a connection that is in use.
func (t *Transport) drop(c *conn) {
	c.unwatch()
	t.pool.remove(c)
	c.close()
	t.recycle(c)
}

// recycle keeps the buffer of a closed connection for the next.
func (t *Transport) recycle(c *conn) {
	c.in.narrow()
	if len(c.in.buf) == narrowBuffer {
		t.narrow.Put((*[narrowBuffer]byte)(c.in.buf))
	}
	c.in.buf = nil
}
