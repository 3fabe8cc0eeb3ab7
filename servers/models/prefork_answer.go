package models

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"gatewaylab/servers/app"
)

// answerBuffer is how much of a response is gathered before it is sent. What
// fits is sent with its head in one system call, with an exact length.
const answerBuffer = 16 << 10

// framing is how the client will know where the body ends.
type framing int

const (
	undecided framing = iota // the body so far is in the buffer
	bodyless                 // HEAD, 204, 304: there is none
	counted                  // Content-Length
	chunked                  // Transfer-Encoding, to HTTP/1.1
	byClosing                // to HTTP/1.0
)

// A syncAnswer is app.Response over a blocking socket.
type syncAnswer struct {
	conn    *syncConn
	head    bool // the request is HEAD
	http11  bool
	started bool
	sent    bool // some of it has left
	upgrade bool // the client is told to ask for another protocol
	status  int
	framing framing
	left    int64  // of a counted body
	top     []byte // status line and fields, until they are sent
	body    []byte // gathered and not sent
}

func newAnswer(c *syncConn, r *http.Request) *syncAnswer {
	a := &syncAnswer{conn: c, http11: true}
	if r != nil {
		a.head, a.http11 = r.Method == http.MethodHead, r.ProtoAtLeast(1, 1)
	}
	return a
}

// Start takes the status and the fields. Those that are about the connection
// are the server's to set.
func (a *syncAnswer) Start(status int, header []app.Field) error {
	if a.started {
		return errors.New("the response has been started before")
	}
	a.started, a.status = true, status
	a.left = -1
	a.top = append(make([]byte, 0, 512), "HTTP/1.1 "...)
	if !a.http11 {
		a.top[7] = '0'
	}
	a.top = strconv.AppendInt(a.top, int64(status), 10)
	a.top = append(append(a.top, ' '), http.StatusText(status)...)
	a.top = append(a.top, "\r\n"...)
	dated := false
	for _, f := range header {
		switch {
		case f.Name == "Upgrade":
			a.upgrade = true
		case app.HopByHop(f.Name):
			continue
		case f.Name == "Content-Length":
			n, err := strconv.ParseInt(f.Value, 10, 64)
			if err != nil || n < 0 {
				return fmt.Errorf("content-length %q is not a number of bytes", f.Value)
			}
			a.left = n
			continue
		case f.Name == "Date":
			dated = true
		}
		a.field(f.Name, f.Value)
	}
	if !dated {
		a.top = append(a.top, "Date: "...)
		a.top = time.Now().UTC().AppendFormat(a.top, http.TimeFormat)
		a.top = append(a.top, "\r\n"...)
	}
	switch {
	case a.head, status == http.StatusNoContent, status == http.StatusNotModified:
		a.framing = bodyless
		a.endTop(status != http.StatusNoContent && a.left >= 0, a.left)
	case a.left >= 0:
		a.framing = counted
		a.endTop(true, a.left)
	}
	return nil
}

var oneLine = strings.NewReplacer("\r", " ", "\n", " ")

func (a *syncAnswer) field(name, value string) {
	a.top = append(append(a.top, name...), ": "...)
	a.top = append(append(a.top, oneLine.Replace(value)...), "\r\n"...)
}

// endTop writes the fields that say how the message ends.
func (a *syncAnswer) endTop(withLength bool, length int64) {
	if withLength {
		a.top = append(a.top, "Content-Length: "...)
		a.top = append(strconv.AppendInt(a.top, length, 10), "\r\n"...)
	}
	if a.framing == chunked {
		a.top = append(a.top, "Transfer-Encoding: chunked\r\n"...)
	}
	if a.upgrade { // RFC 9110 section 7.8
		a.top = append(a.top, "Connection: close, Upgrade\r\n\r\n"...)
		return
	}
	a.top = append(a.top, "Connection: close\r\n\r\n"...)
}

// Write gathers, and sends when the buffer is full.
func (a *syncAnswer) Write(p []byte) (int, error) {
	switch {
	case !a.started:
		return 0, errors.New("write before the response was started")
	case a.framing == bodyless:
		return len(p), nil
	case a.framing == counted && int64(len(p)) > a.left:
		return 0, http.ErrContentLength
	case a.framing == counted:
		a.left -= int64(len(p))
	}
	if len(a.body)+len(p) > answerBuffer {
		if err := a.Flush(); err != nil {
			return 0, err
		}
		if len(p) > answerBuffer { // no use in gathering: it fills a packet by itself
			return len(p), a.send(p, false)
		}
	}
	a.body = append(a.body, p...)
	return len(p), nil
}

// Flush sends what has been gathered. From then on a body of unknown length is
// chunked, or ends with the connection.
func (a *syncAnswer) Flush() error {
	if a.framing == undecided {
		a.framing = byClosing
		if a.http11 {
			a.framing = chunked
		}
		a.endTop(false, 0)
	}
	err := a.send(a.body, false)
	a.body = a.body[:0]
	return err
}

// finish sends the rest. By now the whole of a short body is known, and so is
// its length.
func (a *syncAnswer) finish() error {
	switch {
	case !a.started:
		return errors.New("the application gave no answer")
	case a.framing == counted && a.left > 0:
		return fmt.Errorf("%d bytes of the promised length are missing", a.left)
	case a.framing == undecided:
		a.framing = counted
		a.endTop(true, int64(len(a.body)))
	}
	return a.send(a.body, true)
}

// send sends the head, if it is still there, and data in one system call.
func (a *syncAnswer) send(data []byte, last bool) error {
	out := a.top
	a.top = nil
	if a.framing == chunked && len(data) > 0 {
		out = append(strconv.AppendInt(out, int64(len(data)), 16), "\r\n"...)
		out = append(append(out, data...), "\r\n"...)
	} else if len(out) > 0 {
		out = append(out, data...)
	} else {
		out = data
	}
	if a.framing == chunked && last {
		out = append(out, "0\r\n\r\n"...)
	}
	if len(out) == 0 {
		return nil
	}
	a.sent = true
	_, err := a.conn.Write(out)
	return err
}

// A requestError is a request that is answered by the server itself.
type requestError struct {
	status int
	why    string
}

func (e *requestError) Error() string { return e.why }

// refuse answers a request that the application can't, r being nil if it
// could not even be read.
func refuse(c *syncConn, r *http.Request, err error) error {
	fault := &requestError{http.StatusBadRequest, "the request is malformed"}
	if !errors.As(err, &fault) && r != nil {
		return err // the client is gone, or the application gave up
	}
	a := newAnswer(c, r)
	text := fmt.Sprintf("%d %s: %s\n", fault.status, strings.ToLower(http.StatusText(fault.status)), fault.why)
	if err := a.Start(fault.status, []app.Field{
		{Name: "Content-Type", Value: "text/plain; charset=utf-8"},
		{Name: "X-Content-Type-Options", Value: "nosniff"},
	}); err != nil {
		return err
	}
	if _, err := io.WriteString(a, text); err != nil {
		return err
	}
	return a.finish()
}
