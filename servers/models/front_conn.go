package models

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gatewaylab/servers/app"
	"gatewaylab/servers/wire/http1"
)

// watchAfter is how long a request may take before somebody looks whether its
// client is still there: most are answered sooner, and looking costs as much as
// they do.
const watchAfter = 10 * time.Millisecond

// long past, for deadlines that end a read at once.
var past = time.Unix(1, 0)

// A frontConn is a client's connection.
type frontConn struct {
	p    *proxy
	conn net.Conn
	in   *http1.Reader
	req  http1.Request
	body *frontBody
	out  http1.Response

	phase  readPhase
	pushed []byte // read while watching the client

	mu   sync.Mutex
	quit bool      // nobody shall read any more
	far  io.Closer // the other end of a tunnel

	busy atomic.Bool // between a request's first byte and the end of its answer
}

// A readPhase is what a client is waited for, and so for how long.
type readPhase uint8

const (
	idling  readPhase = iota // for a request: Idle, from the first byte on ClientTimeout for the whole head
	heading                  // the deadline is set
	bodying                  // ClientTimeout for each read
)

func newFrontConn(p *proxy, conn net.Conn) *frontConn {
	c := &frontConn{p: p, conn: conn}
	c.in = http1.NewReader(c, p.limits)
	return c
}

// leave ends the connection if it is between two requests, and soon if it has
// become a tunnel, of which nobody here can say when it is between two of
// anything.
func (c *frontConn) leave() {
	c.mu.Lock()
	far := c.far
	c.mu.Unlock()
	switch {
	case far != nil:
		time.AfterFunc(silenceLimit, func() { c.conn.Close(); far.Close() })
	case !c.busy.Load():
		_ = c.conn.SetReadDeadline(past) // a request that has just begun is answered for with 408
	}
}

var errQuit = errors.New("nobody wants the rest of the body")

// stopReading ends a read that another goroutine may be in, and all others.
func (c *frontConn) stopReading() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.quit = true
	_ = c.conn.SetReadDeadline(past) // a closed connection ends it too
}

// Read reads from the client, with the time limits of the phase.
func (c *frontConn) Read(b []byte) (int, error) {
	if len(c.pushed) > 0 {
		n := copy(b, c.pushed)
		c.pushed = c.pushed[n:]
		c.began()
		return n, nil
	}
	if c.phase == bodying {
		c.mu.Lock()
		quit := c.quit
		if !quit {
			_ = c.conn.SetReadDeadline(time.Now().Add(c.p.clientTimeout)) // a closed connection tells with the read
		}
		c.mu.Unlock()
		if quit {
			return 0, errQuit
		}
	}
	n, err := c.conn.Read(b)
	if n > 0 {
		c.began()
	}
	return n, err
}

// began notes that something of a request has come.
func (c *frontConn) began() {
	if c.phase == idling {
		c.phase = heading
		c.busy.Store(true)
		_ = c.conn.SetReadDeadline(time.Now().Add(c.p.clientTimeout))
	}
}

// serve serves one request after another.
func (c *frontConn) serve() {
	defer c.conn.Close()
	for {
		c.phase = idling
		_ = c.conn.SetReadDeadline(time.Now().Add(c.p.idle))
		c.busy.Store(false)
		if c.p.leaving.Load() {
			return
		}
		if len(c.in.Buffered()) > 0 {
			c.began()
		}
		if err := c.in.ReadRequest(&c.req, c.p.maxBody); err != nil {
			c.refuseHead(err)
			return
		}
		c.phase = bodying
		c.out.Reset(&c.req, !c.p.leaving.Load())
		if err := c.answer(); err != nil || !c.out.Keep() {
			switch {
			case err == nil:
				c.linger()
			case !errors.Is(err, errTunnelOver):
				reset(c.conn) // the client must not take what it got for the whole answer
			}
			return
		}
	}
}

// refuseHead answers for a request that could not be read.
func (c *frontConn) refuseHead(err error) {
	c.out.Reset(nil, false)
	var bad *http1.Error
	switch {
	case errors.As(err, &bad):
		_ = c.out.Refuse(bad.Status, bad.Why) // nothing has been started
	case isTimeout(err) && c.phase != idling:
		_ = c.out.Refuse(408, "the request stopped coming")
	default:
		return // the client is gone, or has never said anything
	}
	if c.flush() == nil {
		c.linger()
	}
}

// answer answers one request. The error says that the connection is of no use
// any more, and that the client must notice.
func (c *frontConn) answer() error {
	if c.p.isStatic(&c.req) {
		return c.answerStatic()
	}
	err := c.p.forward(c)
	var fault *frontError
	if errors.As(err, &fault) && !c.out.Started() {
		if fault.status == 0 {
			return err // nobody is there to be told
		}
		return c.refuse(fault)
	}
	return err
}

// A frontError is a request that the front answers itself.
type frontError struct {
	status int // 0: the client is gone
	why    string
	cause  error
	wait   bool // it may come again later
}

func (e *frontError) Error() string { return e.why }
func (e *frontError) Unwrap() error { return e.cause }

// refuse answers for a request that can't be passed on. The connection is kept
// if the request has been read to its end.
func (c *frontConn) refuse(f *frontError) error {
	if !c.in.Ended() {
		c.out.Close()
	}
	text := refusalText(f.status, f.why)
	header := []app.Field{
		{Name: "Content-Type", Value: "text/plain; charset=utf-8"},
		{Name: "X-Content-Type-Options", Value: "nosniff"},
		{Name: "Content-Length", Value: itoa(int64(len(text)))},
	}
	if f.wait {
		header = append(header, app.Field{Name: "Retry-After", Value: "1"})
	}
	if err := c.out.Start(f.status, header); err != nil {
		return err
	}
	if _, err := io.WriteString(&c.out, text); err != nil {
		return err
	}
	return c.finish()
}

func refusalText(status int, why string) string {
	return itoa(int64(status)) + " " + strings.ToLower(http1.Reason(status)) + ": " + why + "\n"
}

// finish ends the answer and sends what is left of it.
func (c *frontConn) finish() error {
	if err := c.out.Finish(); err != nil {
		return err
	}
	return c.flush()
}

// flush sends what is ready.
func (c *frontConn) flush() error {
	b := c.out.Bytes()
	if len(b) == 0 {
		return nil
	}
	_ = c.conn.SetWriteDeadline(time.Now().Add(c.p.clientTimeout)) // a closed connection tells with the write
	n, err := c.conn.Write(b)
	c.out.Sent(n)
	return err
}

// linger keeps a connection for a client that still sends what nobody will
// read: closed at once, the kernel would answer with a reset, and that takes
// the response away before the client has read it.
func (c *frontConn) linger() {
	half, ok := c.conn.(halfCloser)
	if !ok || c.in.Ended() && len(c.in.Buffered()) == 0 || half.CloseWrite() != nil {
		return
	}
	_ = c.conn.SetReadDeadline(time.Now().Add(lingerLimit))
	_, _ = io.Copy(io.Discard, c.conn) // it ends with the client or with patience
}

// reset ends a connection so that its other end notices that it has not got
// everything.
func reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // else it is an orderly close
	}
	conn.Close()
}

// watch calls gone if the client goes away, until stop is called. It must not
// be called while something is read from the client.
func (c *frontConn) watch(gone func()) (stop func()) {
	if !c.in.Ended() || len(c.in.Buffered()) > 0 || len(c.pushed) > 0 {
		return func() {}
	}
	w := &clientWatch{c: c, gone: gone, over: make(chan struct{})}
	w.timer = time.AfterFunc(watchAfter, w.look)
	return w.stop
}

// A clientWatch reads from a client from whom nothing is expected.
type clientWatch struct {
	c     *frontConn
	gone  func()
	timer *time.Timer
	over  chan struct{}

	mu      sync.Mutex
	stopped bool
}

func (w *clientWatch) look() {
	defer close(w.over)
	w.mu.Lock()
	if w.stopped {
		w.mu.Unlock()
		return
	}
	_ = w.c.conn.SetReadDeadline(time.Time{})
	w.mu.Unlock()
	var b [1]byte
	switch n, err := w.c.conn.Read(b[:]); {
	case n > 0:
		w.c.pushed = b[:n] // it has sent the next request already
	case !errors.Is(err, os.ErrDeadlineExceeded):
		w.gone()
	}
}

func (w *clientWatch) stop() {
	if w.timer.Stop() {
		return
	}
	w.mu.Lock()
	w.stopped = true
	_ = w.c.conn.SetReadDeadline(past)
	w.mu.Unlock()
	<-w.over
}

// isStatic says whether a request is for a file that is answered for here.
func (p *proxy) isStatic(r *http1.Request) bool {
	return p.static && strings.HasPrefix(r.Path, "/static/")
}

// answerStatic answers with a file.
func (c *frontConn) answerStatic() error {
	err := c.p.app.Serve(&c.out, &app.Request{
		Method: c.req.Method, Path: c.req.Path, Query: c.req.Query, Header: c.req.Fields, Body: c.in, Length: c.req.Length,
	})
	if err != nil {
		return err
	}
	return c.finish()
}
