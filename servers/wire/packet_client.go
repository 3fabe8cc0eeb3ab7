package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"gatewaylab/servers/app"
)

// SCGI is the gateway's end of SCGI: each request has a connection of its own.
// It is safe for concurrent use.
type SCGI struct{ packetClient }

// UWSGI is the gateway's end of uwsgi: each request has a connection of its
// own. It is safe for concurrent use.
type UWSGI struct{ packetClient }

// NewSCGI returns a client that connects by dial.
func NewSCGI(dial Dial) *SCGI { return &SCGI{packetClient{"SCGI", dial, AppendSCGI}} }

// NewUWSGI returns a client that connects by dial.
func NewUWSGI(dial Dial) *UWSGI { return &UWSGI{packetClient{"uwsgi", dial, AppendUWSGI}} }

type packetClient struct {
	protocol string
	dial     Dial
	append   func([]byte, []app.Field) ([]byte, error)
}

// Do sends a request and returns what the responder answers: a CGI response
// header and a document. An HTTP status line, with which most uwsgi and many
// SCGI responders begin, has become a Status field. Body is nil where there is
// none; else CONTENT_LENGTH must be among the variables, and so much is sent.
// When ctx ends, so does the connection, and the answer's Read fails. After
// Close nothing more is read from body, but a Read of it may be in progress.
//
// The error is a *ProtocolError with Oversize if the variables are more than
// the protocol can carry. A *net.OpError of dial comes as it is.
func (c *packetClient) Do(ctx context.Context, vars []app.Field, body io.Reader) (io.ReadCloser, error) {
	length, err := size(c.protocol, vars, body)
	switch {
	case err != nil:
		return nil, err
	case length < 0:
		return nil, &ProtocolError{Protocol: c.protocol, Why: "a body without a CONTENT_LENGTH"}
	}
	buf := buffers.Get().(*buffer)
	defer buffers.Put(buf)
	head, err := c.append(buf[:0], vars)
	if err != nil {
		return nil, err
	}
	conn, err := c.dial(ctx)
	if err != nil {
		return nil, err
	}
	a := &packetAnswer{protocol: c.protocol, ctx: ctx, conn: conn}
	a.release = context.AfterFunc(ctx, func() { _ = conn.SetDeadline(past) }) // it may have ended
	if _, err := conn.Write(head); err != nil {
		err = fmt.Errorf("%s: send the request: %w", c.protocol, a.cause(err))
		_ = a.Close() // err says more
		return nil, err
	}
	if length > 0 {
		a.sending = &stream{body: body, left: length}
		go a.sending.pump(a.send, func(error) { _ = conn.SetDeadline(past) }) // it may have ended
	}
	return a, nil
}

// Close is there for what has connections to close when nobody asks any more;
// here is none.
func (c *packetClient) Close() {}

// A packetAnswer is the answer to one request, which ends with the connection.
type packetAnswer struct {
	protocol string
	ctx      context.Context
	release  func() bool
	conn     net.Conn
	sending  *stream

	start  [len(statusField) + 16]byte // how the answer begins, until that was read
	begun  bool
	unread []byte
	end    error
}

func (a *packetAnswer) send(piece []byte, last bool) error {
	if last {
		return nil
	}
	_, err := a.conn.Write(piece[RecordHeader:])
	return err
}

// cause is what stands behind an error of the connection.
func (a *packetAnswer) cause(err error) error {
	if fault := a.sending.fault(); fault != nil {
		return fault
	}
	if a.ctx.Err() != nil {
		return context.Cause(a.ctx)
	}
	return err
}

const (
	statusLine  = "HTTP/1.1 "
	statusField = "Status: "
)

func (a *packetAnswer) Read(p []byte) (int, error) {
	if !a.begun {
		a.begun = true
		a.begin()
	}
	if len(a.unread) > 0 {
		n := copy(p, a.unread)
		a.unread = a.unread[n:]
		return n, nil
	}
	if a.end != nil {
		return 0, a.end
	}
	n, err := a.conn.Read(p)
	if err != nil {
		a.fail(err)
		if n == 0 {
			return 0, a.end
		}
	}
	return n, nil
}

func (a *packetAnswer) fail(err error) {
	if a.end = err; err != io.EOF {
		a.end = fmt.Errorf("%s: read the answer: %w", a.protocol, a.cause(err))
	} else if fault := a.sending.fault(); fault != nil {
		a.end = fault
	}
}

// begin reads as much as tells an HTTP status line from a header field, and
// makes the one the other.
func (a *packetAnswer) begin() {
	in := a.start[:]
	got := 0
	for a.end == nil && got < len(statusLine) && likeStatusLine(in[:got]) {
		n, err := a.conn.Read(in[got:])
		got += n
		if err != nil {
			a.fail(err)
		}
	}
	a.unread = in[:got]
	if got >= len(statusLine) && likeStatusLine(in[:len(statusLine)]) {
		a.unread = append(append(make([]byte, 0, len(statusField)+got), statusField...), in[len(statusLine):got]...)
	}
}

// likeStatusLine says whether what begins with b may be one; of a digit any
// will do.
func likeStatusLine(b []byte) bool {
	for i, c := range b {
		if c != statusLine[i] && (statusLine[i] != '1' || c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// Close ends the connection.
func (a *packetAnswer) Close() error {
	a.sending.halt() // what is being sent ends with the connection
	a.release()
	err := a.conn.Close()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
