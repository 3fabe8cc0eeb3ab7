package models

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// An httpConn is a connection to an instance that speaks HTTP.
type httpConn struct {
	net.Conn
	in   *bufio.Reader
	used time.Time // when it was last given back; zero = never
}

// staleAge is how long a connection must have been idle for its end without an
// answer to mean that the instance had closed it before it saw the request.
// One that has just been used and ends like that has died of the request, which
// must not kill the next one too.
const staleAge = 500 * time.Millisecond

func (c *httpConn) mayBeStale() bool { return !c.used.IsZero() && time.Since(c.used) > staleAge }

// idleConns are connections kept for the next request, the one that was used
// last to be used first.
type idleConns struct {
	max int

	mu     sync.Mutex
	conns  []*httpConn
	closed bool
}

func (i *idleConns) take() *httpConn {
	i.mu.Lock()
	defer i.mu.Unlock()
	n := len(i.conns)
	if n == 0 {
		return nil
	}
	c := i.conns[n-1]
	i.conns = i.conns[:n-1]
	return c
}

func (i *idleConns) put(c *httpConn) {
	c.used = time.Now()
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.closed || len(i.conns) >= i.max {
		c.Close()
		return
	}
	i.conns = append(i.conns, c)
}

func (i *idleConns) close() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.closed = true
	for _, c := range i.conns {
		c.Close()
	}
	i.conns = nil
}

// reach returns a connection, one that is idle if there is any that still
// lives.
func (b *back) reach(ctx context.Context) (*httpConn, error) {
	for c := b.idle.take(); c != nil; c = b.idle.take() {
		if c.in.Buffered() == 0 && stillOpen(c.Conn.(*timedConn).Conn) {
			return c, nil
		}
		c.Close() // the instance has closed it, or said what nobody asked for
	}
	conn, err := b.connect(ctx)
	if err != nil {
		return nil, err
	}
	return &httpConn{Conn: conn, in: bufio.NewReaderSize(conn, maxAnswerLine)}, nil
}

// stillOpen says whether an idle connection is open and silent: a byte that
// nobody asked for is as bad as its end.
func stillOpen(conn net.Conn) bool {
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return true
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return false
	}
	var peek error
	err = raw.Read(func(fd uintptr) bool {
		var one [1]byte
		_, _, peek = syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK)
		return true // don't wait
	})
	return err == nil && (peek == syscall.EAGAIN || peek == syscall.EINTR)
}

// exchangeHTTP asks over HTTP/1.1. A kept connection that the instance closes
// just when the request is on its way costs a second try, if the request may
// be made twice (RFC 9110 §9.2.2): so do those of an instance that dies of
// another's request and takes all its connections along.
func (b *back) exchangeHTTP(ctx context.Context, out *outbound) (*inbound, error) {
	for {
		c, err := b.reach(ctx)
		if err != nil {
			return nil, err
		}
		kept, again := !c.used.IsZero(), c.mayBeStale()
		in, err := b.try(ctx, c, out)
		if err == nil {
			return in, nil
		}
		var stale *staleError
		if errors.As(err, &stale) {
			again = again || kept && stale.unread
		}
		if stale == nil || !again || !idempotent(out.req.Method) || !out.body.again() || ctx.Err() != nil {
			return nil, err
		}
	}
}

// A staleError is a connection that ended before anything of the answer came.
type staleError struct {
	error
	unread bool // the request had not been read, so nothing has died of it
}

func (e *staleError) Unwrap() error { return e.error }

func idempotent(method string) bool {
	switch method {
	case "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE":
		return true
	}
	return false
}

// try sends a request on one connection and reads the head of the answer.
func (b *back) try(ctx context.Context, c *httpConn, out *outbound) (*inbound, error) {
	unhook := context.AfterFunc(ctx, func() { c.Close() })
	sent := b.send(c, out)
	giveUp := func() {
		c.Close()
		if !out.body.taken() {
			out.body.abandon()
		}
		<-sent.over
	}
	answer, err := readAnswer(c.in, out)
	if err != nil {
		unhook()
		giveUp()
		if errors.Is(err, errNoAnswer) && !isTimeout(err) {
			// A socket that is closed with bytes unread resets its connection, and
			// one that is closed already refuses to be written to. Of a request
			// with a body the head may have been read even so.
			unread := out.body.size <= 0 && (errors.Is(err, syscall.ECONNRESET) || errors.Is(sent.err, syscall.EPIPE))
			return nil, &staleError{fmt.Errorf("instance %d: %w", b.number+1, errors.Join(err, sent.err)), unread}
		}
		return nil, fmt.Errorf("instance %d: %w", b.number+1, err)
	}
	in := &inbound{status: answer.status, header: answer.header, length: answer.length, body: answer.body}
	in.done = func() {
		alive := unhook()
		if alive && answer.keep && answer.ended() && out.body.taken() && sent.well() {
			b.idle.put(c)
			return
		}
		giveUp()
	}
	if answer.status == 101 {
		in.socket, in.rest = c.Conn, c.in
		in.done = func() { unhook(); c.Close() }
	}
	return in, nil
}

// A sending is the sending of a request, which may go on beside the reading of
// its answer.
type sending struct {
	over chan struct{} // closed at its end
	err  error         // valid after over
}

// well says whether all has been sent. What answers before it has taken all
// that was on its way to it may never take it.
func (s *sending) well() bool {
	select {
	case <-s.over:
		return s.err == nil
	default:
	}
	select {
	case <-s.over:
		return s.err == nil
	case <-time.After(10 * time.Millisecond):
		return false
	}
}

// send sends a request. What fits into the sockets' buffers is sent here and
// now; a larger body is sent beside the reading of the answer, for an instance
// may answer before it has taken everything.
func (b *back) send(c *httpConn, out *outbound) *sending {
	s := &sending{over: make(chan struct{})}
	head := b.head(make([]byte, 0, 512+len(out.body.memory)), out)
	body := out.body.reader()
	if body == nil || out.body.memory != nil {
		_, s.err = c.Write(append(head, out.body.memory...))
		close(s.over)
		return s
	}
	go func() {
		defer close(s.over)
		if _, s.err = c.Write(head); s.err == nil {
			s.err = sendBody(c, body, out.body.size)
		}
		if out.body.clientFault() != nil {
			c.Close() // it waits for what will never come
		}
	}()
	return s
}

// sendBody sends a body of size bytes, or in chunks if that is not known.
func sendBody(c io.Writer, body io.Reader, size int64) error {
	chunked := size < 0
	if !chunked {
		body = io.LimitReader(body, size) // which doesn't read on to see the end
	}
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	const room = 16 // for a chunk's size before it, and for two bytes behind
	for {
		n, err := body.Read((*buf)[room : len(*buf)-2])
		if n > 0 {
			piece := (*buf)[room : room+n]
			if chunked {
				line := append(strconv.AppendInt(make([]byte, 0, room), int64(n), 16), "\r\n"...)
				from := room - len(line)
				copy((*buf)[from:], line)
				piece = append((*buf)[from:room+n], "\r\n"...)
			}
			if _, werr := c.Write(piece); werr != nil {
				return werr
			}
		}
		if err == io.EOF {
			if chunked {
				_, err = io.WriteString(c, "0\r\n\r\n")
				return err
			}
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// head writes the head of the request as the instance gets it.
func (b *back) head(h []byte, out *outbound) []byte {
	field := func(name, value string) {
		h = append(append(append(append(h, name...), ": "...), value...), "\r\n"...)
	}
	h = append(append(append(append(h, out.req.Method...), ' '), out.path...), " HTTP/1.1\r\n"...)
	host := out.req.Host
	if host == "" {
		host = out.local // HTTP/1.0 needs none, and 1.1 does
	}
	field("Host", host)
	for _, f := range out.fields {
		field(f.Name, f.Value)
	}
	client, _, err := net.SplitHostPort(out.remote)
	if err == nil {
		field("X-Forwarded-For", client)
		field("X-Forwarded-Proto", "http")
	}
	field("Via", out.req.Proto()[len("HTTP/"):]+" front") // RFC 9110 §7.6.3
	switch {
	case out.body.size >= 0:
		field("Content-Length", itoa(out.body.size))
	case out.body.stream != nil:
		field("Transfer-Encoding", "chunked")
	}
	switch {
	case out.socket:
		field("Connection", "Upgrade")
		field("Upgrade", "websocket")
	case b.idle.max == 0:
		field("Connection", "close")
	}
	return append(h, "\r\n"...)
}
