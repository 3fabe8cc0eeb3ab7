package models

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// The WebSocket library is gobwas/ws, of the well-kept ones the one that
// leaves reading and writing to its user, over plain buffers and with plain
// deadlines. coder/websocket takes a context for each call, and ends the
// connection with it; gorilla/websocket keeps two buffers for each connection
// and has had no release since 2024.

const (
	// maxMessage is the most that one message may hold.
	maxMessage = 1 << 20
	// closePatience is how long a client may take to answer a close.
	closePatience = time.Second
)

// wantsSocket says whether a request is to make a WebSocket of its connection
// (RFC 6455 section 4.2.1). One that isn't gets the application's answer,
// which is that it ought to be.
func wantsSocket(r *http.Request) bool {
	return r.URL.Path == "/ws" && r.Method == http.MethodGet && r.ProtoAtLeast(1, 1) &&
		hasToken(r.Header["Upgrade"], "websocket") && hasToken(r.Header["Connection"], "upgrade")
}

func hasToken(values []string, token string) bool {
	for _, v := range values {
		for word := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.TrimSpace(word), token) {
				return true
			}
		}
	}
	return false
}

// sockets are the WebSockets of a server, each of which sends back every
// message as it came.
type sockets struct {
	idle  time.Duration // for which one may be silent between messages
	stall time.Duration // for which its client may stall in the middle of one

	open    sync.WaitGroup
	mu      sync.Mutex
	all     map[*socket]struct{} // nil: that of one upgrading
	leaving bool
	buffers sync.Pool // of *[]byte
}

// serve makes a WebSocket of a request's connection. It is served on a
// goroutine of its own, so that what net/http has for the connection can go.
func (ss *sockets) serve(w http.ResponseWriter, r *http.Request) {
	if !ss.enter() {
		w.Header().Set("Connection", "close")
		http.Error(w, "503 service unavailable: the server is stopping", http.StatusServiceUnavailable)
		return
	}
	conn, rw, _, err := ws.HTTPUpgrader{Timeout: ss.stall}.Upgrade(r, w)
	if conn == nil { // net/http has answered
		ss.open.Done()
		return
	}
	sc := slotOf(conn)
	if err != nil { // refused, with an answer, or the client is gone
		conn.Close()
		if sc != nil {
			sc.release()
		}
		ss.open.Done()
		return
	}
	s := &socket{all: ss, conn: conn, slot: sc}
	if n := rw.Reader.Buffered(); n > 0 {
		early, _ := rw.Reader.Peek(n) // what is buffered can't fail
		s.early = append(s.early, early...)
	}
	go s.serve()
}

// enter counts one more, unless the server is stopping.
func (ss *sockets) enter() bool {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if !ss.leaving {
		ss.open.Add(1)
	}
	return !ss.leaving
}

// goAway has all of them closed, each when it has sent back what it is at.
func (ss *sockets) goAway() {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ss.leaving = true
	for s := range ss.all {
		if s.waiting {
			_ = s.conn.SetReadDeadline(time.Now()) // wakes it; if that fails, the connection is gone
		}
	}
}

// drain returns when none is left.
func (ss *sockets) drain() {
	ss.goAway()
	ss.open.Wait()
}

// cut ends all at once.
func (ss *sockets) cut() {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ss.leaving = true
	for s := range ss.all {
		_ = s.conn.Close()
	}
}

// A socket is one WebSocket. Only its own goroutine reads and writes.
type socket struct {
	all     *sockets
	conn    net.Conn
	slot    *slotConn // nil where the connection has none
	early   []byte    // was read with the request
	waiting bool      // for the next message; under all.mu
	within  bool      // a frame or a message
	closed  bool      // the client has closed, and was answered
}

func (s *socket) serve() {
	defer s.leave()
	s.all.mu.Lock()
	if s.all.all == nil {
		s.all.all = make(map[*socket]struct{})
	}
	s.all.all[s] = struct{}{}
	s.all.mu.Unlock()
	in := &wsutil.Reader{
		Source: bufio.NewReaderSize(s, 1<<10), State: ws.StateServerSide, CheckUTF8: true, MaxMessageSize: maxMessage,
		OnIntermediate: s.control,
	}
	var err error
	for err == nil {
		err = s.next(in)
	}
	s.close(err)
}

func (s *socket) leave() {
	_ = s.conn.Close()
	if s.slot != nil {
		s.slot.release()
	}
	s.all.mu.Lock()
	delete(s.all.all, s)
	s.all.mu.Unlock()
	s.all.open.Done()
}

// errGoingAway and errIdle end a WebSocket that nothing is wrong with.
var (
	errGoingAway = errors.New("the server is stopping")
	errIdle      = errors.New("idle for too long")
)

// next waits for a frame and answers it, a message with all of its frames.
func (s *socket) next(in *wsutil.Reader) error {
	if err := s.await(); err != nil {
		return err
	}
	head, err := in.NextFrame()
	if leaving := s.awaited(); err != nil {
		if isTimeout(err) && leaving {
			return errGoingAway
		} else if isTimeout(err) {
			return errIdle
		}
		return err
	}
	s.within = true
	defer func() { s.within = false }()
	if head.OpCode.IsControl() {
		return s.control(head, in)
	}
	if s.slot != nil {
		s.slot.begin(s.slot.slot)
		defer s.slot.end(s.slot.slot)
	}
	return s.echo(in, head)
}

// control answers a control frame.
func (s *socket) control(head ws.Header, payload io.Reader) error {
	s.closed = head.OpCode == ws.OpClose
	return wsutil.ControlFrameHandler(s, ws.StateServerSide)(head, payload)
}

// await sets the limit for the next frame, unless none is wanted any more.
func (s *socket) await() error {
	s.all.mu.Lock()
	defer s.all.mu.Unlock()
	if s.all.leaving {
		return errGoingAway
	}
	s.waiting = true
	return s.conn.SetReadDeadline(time.Now().Add(s.all.idle))
}

func (s *socket) awaited() (leaving bool) {
	s.all.mu.Lock()
	defer s.all.mu.Unlock()
	s.waiting = false
	return s.all.leaving
}

// echo reads a message and sends it back in one frame and one write.
func (s *socket) echo(in *wsutil.Reader, head ws.Header) error {
	buffer, ok := s.all.buffers.Get().(*[]byte)
	if !ok {
		buffer = new([]byte)
		*buffer = make([]byte, 4<<10)
	}
	defer s.all.buffers.Put(buffer)
	const room = ws.MaxHeaderSize // for the head, which is known last
	b := *buffer
	n := room
	for {
		if n == len(b) { // grows with what has come, not with what was announced
			b = append(b, make([]byte, len(b))...)
			*buffer = b
		}
		k, err := in.Read(b[n:])
		n += k
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	answer := ws.Header{Fin: true, OpCode: head.OpCode, Length: int64(n - room)}
	from := room - ws.HeaderSize(answer)
	if err := ws.WriteHeader(&slice{b[from:room]}, answer); err != nil {
		return err
	}
	_, err := s.Write(b[from:n])
	return err
}

// A slice is filled by what is written to it.
type slice struct{ left []byte }

func (s *slice) Write(p []byte) (int, error) {
	n := copy(s.left, p)
	s.left = s.left[n:]
	return n, nil
}

// Read reads from the client, who may not stall within a message.
func (s *socket) Read(p []byte) (int, error) {
	if len(s.early) > 0 {
		n := copy(p, s.early)
		s.early = s.early[n:]
		return n, nil
	}
	if s.within {
		if err := s.conn.SetReadDeadline(time.Now().Add(s.all.stall)); err != nil {
			return 0, err
		}
	}
	return s.conn.Read(p)
}

// Write writes to the client, who may not stall.
func (s *socket) Write(p []byte) (int, error) {
	if err := s.conn.SetWriteDeadline(time.Now().Add(s.all.stall)); err != nil {
		return 0, err
	}
	return s.conn.Write(p)
}

// close tells the client why the WebSocket ends, if it doesn't know, and waits
// a moment for its answer.
func (s *socket) close(why error) {
	var protocol ws.ProtocolError
	code := ws.StatusCode(0)
	switch {
	case s.closed:
		return
	case why == errGoingAway:
		code = ws.StatusGoingAway
	case why == errIdle:
		code = ws.StatusNormalClosure
	case errors.Is(why, wsutil.ErrMessageTooLarge):
		code = ws.StatusMessageTooBig
	case errors.Is(why, wsutil.ErrInvalidUTF8):
		code = ws.StatusInvalidFramePayloadData
	case errors.As(why, &protocol), errors.Is(why, ws.ErrHeaderLengthMSB), errors.Is(why, ws.ErrHeaderLengthUnexpected):
		code = ws.StatusProtocolError
	case isTimeout(why):
		code, why = ws.StatusPolicyViolation, errors.New("the message stopped coming")
	default: // the client is gone
		return
	}
	frame, err := ws.CompileFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(code, why.Error())))
	if err != nil || s.conn.SetDeadline(time.Now().Add(closePatience)) != nil {
		return
	}
	if _, err := s.conn.Write(frame); err != nil {
		return
	}
	// Closed with something unread, the connection would be reset, and the
	// client might never see why.
	if half, ok := s.conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		_, _ = io.Copy(io.Discard, s.conn)
	}
}
