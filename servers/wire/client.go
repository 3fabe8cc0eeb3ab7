package wire

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"

	"gatewaylab/servers/app"
)

// A Dial makes a connection to the responder.
type Dial func(ctx context.Context) (net.Conn, error)

// A stream is a request's body on its way to the responder. It is sent by a
// goroutine of its own, since a responder may answer before it has taken all.
type stream struct {
	body io.Reader
	left int64 // to be sent; < 0 = until the body ends

	stopped atomic.Bool // nothing more is to be read or sent

	mu   sync.Mutex // over what follows, held while something is sent
	done bool       // all has been sent
	err  error      // of the body
}

// errShortBody says that the body has ended before its CONTENT_LENGTH.
var errShortBody = errors.New("the request's body is shorter than its CONTENT_LENGTH")

// pump sends the body with send, until it ends, fails, or stop is called. The
// body's own error is kept; failed is told of it.
func (s *stream) pump(send func(piece []byte, last bool) error, failed func(error)) {
	buf := buffers.Get().(*buffer)
	defer buffers.Put(buf)
	room := buf[RecordHeader : RecordHeader+pieceSize]
	for s.left != 0 && !s.stopped.Load() {
		space := room
		if s.left > 0 {
			space = room[:min(int64(len(room)), s.left)]
		}
		n, err := s.body.Read(space)
		if s.left > 0 {
			s.left -= int64(n)
			if err == io.EOF && s.left > 0 {
				err = errShortBody
			}
		}
		if n > 0 && !s.pass(buf[:RecordHeader+n], send) {
			return
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			s.mu.Lock()
			s.err = err
			s.mu.Unlock()
			failed(err)
			return
		}
	}
	if s.pass(buf[:RecordHeader], send) {
		s.mu.Lock()
		s.done = true
		s.mu.Unlock()
	}
}

// pass sends a piece. Whether it matters if that fails, the answer tells: a
// responder may not want the body.
func (s *stream) pass(piece []byte, send func([]byte, bool) error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.stopped.Load() && send(piece, len(piece) == RecordHeader) == nil
}

// halt stops the sending. It returns false if a piece is being sent just now,
// and will go on being sent.
func (s *stream) halt() bool {
	if s == nil {
		return true
	}
	s.stopped.Store(true)
	if !s.mu.TryLock() {
		return false
	}
	s.mu.Unlock()
	return true
}

// sent says whether the whole body was, or there is none.
func (s *stream) sent() bool {
	if s == nil {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.done
}

// fault is the body's error.
func (s *stream) fault() error {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// pieceSize is how much of a body is sent in one piece.
const pieceSize = 32 << 10

// buffer is a piece with a record around it.
type buffer [RecordHeader + pieceSize + 8]byte

// buffers are shared by all clients: what is in them is overwritten.
var buffers = sync.Pool{New: func() any { return new(buffer) }}

// size is how much of the body is to be sent.
func size(protocol string, vars []app.Field, body io.Reader) (int64, error) {
	n, err := contentLength(protocol, vars)
	if err != nil || body == nil {
		return 0, err
	}
	if _, ok := lookup(vars, "CONTENT_LENGTH"); !ok {
		return -1, nil
	}
	return n, nil
}

// stale says whether err shows that the responder had closed the connection
// without reading what was sent: it can be sent again. (A responder that has
// read it and died ends the connection in order.)
func stale(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)
}
