package load

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// webSockets is the caller for WebSocket. A hit sends the request's body as
// one binary message and reads its echo, on a connection that is free, or else
// on a new one, whose making is then part of the hit. A user of a closed loop
// keeps its connection for as long as it is there, so that k users have k
// connections open, however long they think. The method and how the body is
// sent mean nothing here, and a URL in which something is drawn is drawn once
// for each connection.
//
// An echo that is what was sent has the code 200: there is no status for a
// message, and that is what readers of raw hits take for success. A handshake
// that the server refuses has the status it was refused with. The first byte
// is that of the echo.
//
// The library is gobwas/ws, which reads and writes when it is told to, with
// the deadlines of the connection, and keeps no goroutine and no timer.
type webSockets struct {
	epoch         time.Time
	timeout       time.Duration
	perConnection int
	ctx           context.Context // ends when the caller is closed
	cancel        context.CancelFunc
	messages      sync.Pool // of *bytes.Buffer, to encode messages in
	blocks        sync.Pool // of *[bodyBuffer]byte, to read echoes into

	connections atomic.Uint64
	retries     atomic.Uint64

	mu     sync.Mutex
	free   map[*prepared][]*webSocket // the last used is used next
	open   map[*webSocket]struct{}
	closed bool
}

// defaultMessage is what hits without a body send.
const defaultMessage = "hello"

// goodbyes is how long a server may take to answer a close.
const goodbyes = time.Second

func newWebSockets(a *Attack) *webSockets {
	c := &webSockets{
		epoch: time.Now(), timeout: a.Timeout, perConnection: a.PerConnection,
		free: make(map[*prepared][]*webSocket), open: make(map[*webSocket]struct{}),
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// Connections implements caller.
func (c *webSockets) Connections() uint64 { return c.connections.Load() }

// Retries implements caller.
func (c *webSockets) Retries() uint64 { return c.retries.Load() }

// Close implements caller. Nobody says goodbye.
func (c *webSockets) Close() {
	c.cancel()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for s := range c.open {
		_ = s.nc.Close()
		delete(c.open, s)
	}
}

// call implements caller.
func (c *webSockets) call(m *message, f *flight, now time.Duration) {
	by := c.epoch.Add(now + c.timeout)
	s := c.take(m, f)
	f.reused = s != nil
	for again := true; ; again = false {
		if s == nil {
			again = false
			if s, f.err = c.connect(m, f, by); s == nil {
				break
			}
		}
		if f.err = c.echo(s, m, f, by); f.err == nil {
			c.keep(s, f)
			return
		}
		c.drop(s)
		if !again || !s.endedIdle(f.err) {
			break
		}
		// The connection had ended while nobody used it. A message that is
		// only sent back can be sent twice.
		c.retries.Add(1)
		s, f.reused = nil, false
	}
	f.done = time.Since(c.epoch)
	if f.err != nil && c.ctx.Err() != nil {
		f.err, f.cut = errCut, true
	}
}

// take returns a connection that is there, or nil.
func (c *webSockets) take(m *message, f *flight) *webSocket {
	if s := f.socket; s != nil {
		if f.socket = nil; s.of == m.of {
			return s
		}
		c.put(s)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	stack := c.free[m.of]
	if len(stack) == 0 {
		return nil
	}
	s := stack[len(stack)-1]
	stack[len(stack)-1] = nil
	c.free[m.of] = stack[:len(stack)-1]
	return s
}

// keep ends a hit: the connection is free, or its user's, or has served for
// long enough.
func (c *webSockets) keep(s *webSocket, f *flight) {
	s.served++
	switch {
	case c.perConnection > 0 && s.served >= c.perConnection:
		c.leave(s)
	case f.promised:
		c.put(s)
	default:
		f.socket = s
	}
}

func (c *webSockets) put(s *webSocket) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.free[s.of] = append(c.free[s.of], s)
}

// drop closes a connection.
func (c *webSockets) drop(s *webSocket) {
	_ = s.nc.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, s)
}

// leave closes a connection with the handshake for it (RFC 6455 section 7):
// the server answers, and is the one to close the connection under it.
func (c *webSockets) leave(s *webSocket) {
	defer c.drop(s)
	if err := s.nc.SetDeadline(time.Now().Add(goodbyes)); err != nil {
		return
	}
	if err := c.send(s, ws.OpClose, ws.NewCloseFrameBody(ws.StatusNormalClosure, "")); err != nil {
		return
	}
	for {
		if _, err := s.in.NextFrame(); err != nil {
			return
		}
		if err := s.in.Discard(); err != nil {
			return
		}
	}
}

// leave is for a user of a closed loop who goes.
func (r *run) leave(f *flight) {
	if c, ok := r.caller.(*webSockets); ok && f.socket != nil {
		c.leave(f.socket)
		f.socket = nil
	}
}

// connect makes a WebSocket. It returns nil and no error if the server refused,
// and what it answered is in f.
func (c *webSockets) connect(m *message, f *flight, by time.Time) (*webSocket, error) {
	d := net.Dialer{Deadline: by, KeepAlive: -1} // as in Transport.dial
	nc, err := d.DialContext(c.ctx, "tcp", m.addr)
	if err != nil {
		return nil, err
	}
	s := &webSocket{nc: nc, of: m.of, epoch: c.epoch}
	s.in = wsutil.Reader{Source: bufio.NewReaderSize(s, 1<<10), State: ws.StateClientSide}
	s.in.OnIntermediate = wsutil.ControlFrameHandler(nc, ws.StateClientSide)
	c.connections.Add(1)
	c.mu.Lock()
	c.open[s] = struct{}{}
	closed := c.closed
	c.mu.Unlock()
	if closed {
		c.drop(s)
		return nil, errCut
	}
	if err = endBy(nc, &s.until, by); err == nil {
		err = s.shakeHands(m, f)
	}
	if err != nil || f.code != 0 {
		c.drop(s)
		return nil, err
	}
	return s, nil
}

// A webSocket is one connection.
type webSocket struct {
	nc     net.Conn
	of     *prepared // for whose hits it was made
	epoch  time.Time
	in     wsutil.Reader
	early  []byte // came with the answer to the handshake
	until  time.Time
	at     time.Duration // when the last bytes came
	served int
	silent bool // nothing of the echo has come
}

// Read notes when something came.
func (s *webSocket) Read(p []byte) (int, error) {
	if len(s.early) > 0 {
		n := copy(p, s.early)
		s.early = s.early[n:]
		return n, nil
	}
	n, err := s.nc.Read(p)
	if n > 0 {
		s.at = time.Since(s.epoch)
	}
	return n, err
}

// Write makes a webSocket what the handshake is done over.
func (s *webSocket) Write(p []byte) (int, error) { return s.nc.Write(p) }

// shakeHands asks for a WebSocket (RFC 6455 section 4.1).
func (s *webSocket) shakeHands(m *message, f *flight) error {
	header := maps.Clone(m.req.Header)
	for name := range header {
		switch {
		case name == "Host", name == "Connection", name == "Upgrade", strings.HasPrefix(name, "Sec-Websocket-"):
			delete(header, name)
		}
	}
	dialer := ws.Dialer{
		Host: m.req.Host, Header: ws.HandshakeHeaderHTTP(header),
		OnStatusError: func(status int, reason []byte, _ io.Reader) {
			f.code, f.firstByte = status, s.at
			f.status = fmt.Sprintf("%d %s", status, reason)
		},
	}
	early, _, err := dialer.Upgrade(s, m.url)
	if early != nil {
		b, _ := early.Peek(early.Buffered()) // what is buffered can't fail
		s.early = bytes.Clone(b)
		ws.PutReader(early)
	}
	var ne net.Error
	switch {
	case err == nil, f.code != 0:
		return nil
	case errors.As(err, &ne), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return err
	}
	return malformed("handshake: %v", err)
}

// echo sends a hit's message and reads what comes back.
func (c *webSockets) echo(s *webSocket, m *message, f *flight, by time.Time) error {
	message := m.of.body
	if len(message) == 0 {
		message = []byte(defaultMessage)
	}
	s.silent = true
	if err := endBy(s.nc, &s.until, by); err != nil {
		return err
	}
	// The servers read a message to its end before they send any of it back,
	// so writing it to its end first can't have both sides wait.
	if err := c.send(s, ws.OpBinary, message); err != nil {
		return err
	}
	block, ok := c.blocks.Get().(*[bodyBuffer]byte)
	if !ok {
		block = new([bodyBuffer]byte)
	}
	defer c.blocks.Put(block)
	if err := s.receive(message, f, block[:]); err != nil {
		return sortWebSocket(err)
	}
	f.code, f.done = http.StatusOK, s.at
	return nil
}

// send sends a frame, masked anew (RFC 6455 section 5.3), in one write.
func (c *webSockets) send(s *webSocket, op ws.OpCode, payload []byte) error {
	b, ok := c.messages.Get().(*bytes.Buffer)
	if !ok {
		b = new(bytes.Buffer)
	}
	defer c.messages.Put(b)
	b.Reset()
	head := ws.Header{Fin: true, OpCode: op, Masked: true, Mask: ws.NewMask(), Length: int64(len(payload))}
	if err := ws.WriteHeader(b, head); err != nil {
		return err
	}
	from := b.Len()
	b.Write(payload)
	ws.Cipher(b.Bytes()[from:], head.Mask, 0)
	_, err := s.nc.Write(b.Bytes())
	return err
}

// receive reads a message and compares it with what was sent.
func (s *webSocket) receive(sent []byte, f *flight, block []byte) error {
	s.in.MaxMessageSize = int64(max(len(sent), ws.MaxControlFramePayloadSize))
	for {
		head, err := s.in.NextFrame()
		if err != nil {
			return err
		}
		if head.OpCode.IsControl() {
			if err := s.in.OnIntermediate(head, &s.in); err != nil {
				return err
			}
			continue
		}
		s.silent, f.firstByte = false, s.at
		if head.OpCode != ws.OpBinary {
			return malformed("the echo of a binary message is one of opcode %#x", head.OpCode)
		}
		f.bytes, err = same(&s.in, sent, block)
		return err
	}
}

// same reads a message, which ought to be the one that was sent.
func same(in io.Reader, sent, block []byte) (n int64, err error) {
	for {
		k, err := in.Read(block)
		got := block[:k]
		if len(got) > len(sent) || !bytes.Equal(got, sent[:len(got)]) {
			return n, malformed("the echo is not what was sent, in the %d bytes from %d on", k, n)
		}
		sent = sent[k:]
		n += int64(k)
		switch {
		case err == io.EOF && len(sent) > 0:
			return n, malformed("the echo ends after %d of %d bytes", n, n+int64(len(sent)))
		case err == io.EOF:
			return n, nil
		case err != nil:
			return n, err
		}
	}
}

// endedIdle says whether a hit failed of a connection that had ended before it.
func (s *webSocket) endedIdle(err error) bool {
	return s.silent && (died(err) || errors.Is(err, errGoingAway))
}

// sortWebSocket gives errors of the library kinds.
func sortWebSocket(err error) error {
	var protocol ws.ProtocolError
	var closed wsutil.ClosedError
	switch {
	case errors.As(err, &closed):
		return fmt.Errorf("%w: %w", errGoingAway, err)
	case errors.As(err, &protocol), errors.Is(err, ws.ErrHeaderLengthMSB), errors.Is(err, ws.ErrHeaderLengthUnexpected),
		errors.Is(err, wsutil.ErrMessageTooLarge):
		return malformed("%v", err)
	}
	return err
}
