package models

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"gatewaylab/servers/iface/asgi"
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
	// frameRoom is what the head of a frame may take before its payload.
	frameRoom = ws.MaxHeaderSize
)

// A socketConn is the connection under a WebSocket, of a server with a goroutine
// for each or of one with an event loop for all.
type socketConn interface {
	// The handshake's answer over HTTP, where it has one.
	asgi.Answer
	last()                          // it will be the connection's last
	refuse(status int, text string) // instead of the application's; the connection ends

	// opened is called when the handshake has succeeded. It returns what has
	// been read beyond it.
	opened() (early []byte)
	// readFrame reads, once. The client may be silent between frames, but not
	// stall within one. Where it was for too long, and where the server is
	// stopping, the error is a timeout.
	readFrame(p []byte, within bool) (int, error)
	writeFrame(p []byte) error // all of p
	stopping() bool
	show(busy bool)   // on the scoreboard
	bye(frame []byte) // the last one; the client is given a moment to see it

	hangUp() // ends the connection when the client has seen the answer
	cutOff() // resets it
	drop()   // closes it
}

// A socket is one WebSocket: the server's side of a websocket scope. It reads
// and writes where the application runs.
type socket struct {
	conn    socketConn
	scope   asgi.Scope
	key     string
	in      *wsutil.Reader
	early   []byte // was read with the request
	within  bool   // a frame or a message
	closed  bool   // the client has closed, and was answered
	phase   socketPhase
	buffers *sync.Pool // of *[]byte
	buffer  *[]byte    // what the last message is in, behind frameRoom
	end     asgi.WebSocketDisconnect

	message asgi.WebSocketReceive
}

// socketPhase is how far a WebSocket is.
type socketPhase uint8

const (
	socketNew    socketPhase = iota
	socketAsked              // websocket.connect was received
	socketDenied             // a response to the handshake was begun
	socketOpen               // websocket.accept was sent
	socketOver               // it is closed, or never was
)

// errGoingAway and errIdle end a WebSocket that nothing is wrong with.
var (
	errGoingAway = errors.New("the server is stopping")
	errIdle      = errors.New("idle for too long")
)

// serve calls the application, and sees to it that the connection is closed.
func (s *socket) serve(ctx context.Context, a asgi.App) error {
	err := a(ctx, &s.scope, s.receive, s.send)
	s.release()
	switch s.phase {
	case socketNew, socketAsked:
		if err == nil {
			err = errors.New("asgi: the application returned without an answer to the handshake")
		}
		s.conn.last()
		_ = answer(s.conn, 500, "500 internal server error: the application failed\n") // or nobody is there
		s.conn.hangUp()
		return err
	case socketOpen:
		code := ws.StatusNormalClosure
		if err != nil {
			code = ws.StatusInternalServerError
		}
		s.bye(code, "")
	case socketDenied: // not to its end
		s.conn.cutOff()
		return err
	case socketOver:
		if s.in == nil {
			s.conn.hangUp()
			return err
		}
	}
	s.conn.drop()
	return err
}

// open is for a handshake that succeeds.
func (s *socket) open() {
	s.phase = socketOpen
	s.early = s.conn.opened()
	s.in = &wsutil.Reader{
		Source: bufio.NewReaderSize(s, 1<<10), State: ws.StateServerSide, CheckUTF8: true, MaxMessageSize: maxMessage,
		OnIntermediate: s.control,
	}
}

func (s *socket) receive() (asgi.Event, error) {
	switch s.phase {
	case socketNew:
		s.phase = socketAsked
		return &asgi.WebSocketConnect{}, nil
	case socketAsked, socketDenied:
		return nil, errors.New("asgi: receive was called before the handshake was answered")
	case socketOpen:
		s.release()
		for {
			e, err := s.next()
			if err != nil {
				s.phase = socketOver
				s.close(err)
				return &s.end, nil
			}
			if e != nil {
				return e, nil
			}
		}
	default:
		if s.end.Code == 0 {
			s.end.Code = int(ws.StatusAbnormalClosure)
		}
		return &s.end, nil
	}
}

func (s *socket) send(e asgi.Event) error {
	if e == nil {
		return errors.New("asgi: nil was sent instead of an event")
	}
	if s.phase == socketOver {
		return asgi.ErrDisconnected
	}
	if s.phase != socketOpen {
		if accept, ok := e.(*asgi.WebSocketAccept); ok && s.phase == socketAsked {
			return s.accept(accept)
		}
		return s.deny(e)
	}
	switch e := e.(type) {
	case *asgi.WebSocketSend:
		if e.Text != nil {
			return s.post(ws.OpText, e.Text)
		}
		return s.post(ws.OpBinary, e.Bytes)
	case *asgi.WebSocketClose:
		code := ws.StatusCode(e.Code)
		if code == 0 {
			code = ws.StatusNormalClosure
		}
		s.end = asgi.WebSocketDisconnect{Code: int(code), Reason: e.Reason}
		s.bye(code, e.Reason)
		return nil
	}
	return fmt.Errorf("asgi: %s was sent in a WebSocket that is open", e.EventType())
}

// next waits for a frame and answers it, or returns the message that begins
// with it.
func (s *socket) next() (asgi.Event, error) {
	head, err := s.in.NextFrame()
	if err != nil {
		switch {
		case !isTimeout(err) || s.within:
		case s.conn.stopping():
			err = errGoingAway
		default:
			err = errIdle
		}
		return nil, err
	}
	s.within = true
	defer func() { s.within = false }()
	if head.OpCode.IsControl() {
		return nil, s.control(head, s.in)
	}
	s.conn.show(true)
	return s.read(head)
}

// control answers a control frame.
func (s *socket) control(head ws.Header, payload io.Reader) error {
	s.closed = head.OpCode == ws.OpClose
	return wsutil.ControlFrameHandler(s, ws.StateServerSide)(head, payload)
}

// read reads a message.
func (s *socket) read(head ws.Header) (asgi.Event, error) {
	buffer, ok := s.buffers.Get().(*[]byte)
	if !ok {
		buffer = new([]byte)
		*buffer = make([]byte, 4<<10)
	}
	s.buffer = buffer
	b := *buffer
	n := frameRoom
	for {
		if n == len(b) { // grows with what has come, not with what was announced
			b = append(b, make([]byte, len(b))...)
			*buffer = b
		}
		k, err := s.in.Read(b[n:])
		n += k
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	s.message = asgi.WebSocketReceive{}
	if head.OpCode == ws.OpText {
		s.message.Text = b[frameRoom:n]
	} else {
		s.message.Bytes = b[frameRoom:n]
	}
	return &s.message, nil
}

// release takes back the last message, with which the application is done.
func (s *socket) release() {
	if s.buffer != nil {
		s.buffers.Put(s.buffer)
		s.buffer = nil
	}
	if s.phase == socketOpen || s.in != nil {
		s.conn.show(false)
	}
}

// post sends a message in one frame and one write. The last message received
// has room for the frame's head before it, and an echo is just that message.
func (s *socket) post(op ws.OpCode, p []byte) error {
	head := ws.Header{Fin: true, OpCode: op, Length: int64(len(p))}
	size := ws.HeaderSize(head)
	var frame []byte
	if s.buffer != nil && len(p) > 0 && &(*s.buffer)[frameRoom] == &p[0] {
		frame = (*s.buffer)[frameRoom-size : frameRoom+len(p)]
	} else {
		frame = make([]byte, size+len(p))
		copy(frame[size:], p)
	}
	if err := ws.WriteHeader(&slice{frame[:size]}, head); err != nil {
		return err
	}
	if _, err := s.Write(frame); err != nil {
		return fmt.Errorf("%w: %w", asgi.ErrDisconnected, err)
	}
	return nil
}

// A slice is filled by what is written to it.
type slice struct{ left []byte }

func (s *slice) Write(p []byte) (int, error) {
	n := copy(s.left, p)
	s.left = s.left[n:]
	return n, nil
}

// Read reads from the client, who may be silent between frames, but not stall
// within a message.
func (s *socket) Read(p []byte) (int, error) {
	if len(s.early) > 0 {
		n := copy(p, s.early)
		s.early = s.early[n:]
		return n, nil
	}
	return s.conn.readFrame(p, s.within)
}

// Write writes to the client, who may not stall.
func (s *socket) Write(p []byte) (int, error) {
	if err := s.conn.writeFrame(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// close ends a WebSocket for a reason that the client or the server has.
func (s *socket) close(why error) {
	var closed wsutil.ClosedError
	var protocol ws.ProtocolError
	code := ws.StatusAbnormalClosure
	switch {
	case errors.As(why, &closed):
		s.end = asgi.WebSocketDisconnect{Code: int(closed.Code), Reason: closed.Reason}
		return
	case s.closed: // with a frame that was none
		s.end.Code = int(ws.StatusProtocolError)
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
		s.end = asgi.WebSocketDisconnect{Code: int(code)}
		return
	}
	s.end = asgi.WebSocketDisconnect{Code: int(code), Reason: why.Error()}
	s.bye(code, why.Error())
}

// bye tells the client why the WebSocket ends.
func (s *socket) bye(code ws.StatusCode, why string) {
	s.phase = socketOver
	frame, err := ws.CompileFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(code, why)))
	if err == nil { // of course
		s.conn.bye(frame)
	}
}
