package http1

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"gatewaylab/servers/app"
)

// gathered is how much of a body of unknown length is kept back: if that is
// all, its length is known in the end and need not be chunked.
const gathered = 16 << 10

// keptBuffer is how large a buffer Drop keeps for the next response.
const keptBuffer = 64 << 10

// ErrLength says that an application wrote more than the Content-Length that it
// promised, or less.
var ErrLength = errors.New("the body is not as long as its Content-Length")

// TimeFormat is the layout of a Date field (RFC 9110 §5.6.7).
const TimeFormat = "Mon, 02 Jan 2006 15:04:05 GMT"

// A Response turns an application's answer into the bytes of a response. It is
// an app.Response that sends nothing: what it has made is in Bytes, for its
// owner to send and to take off with Sent. Several responses may follow one
// another into one Response before the owner sends (pipelining).
type Response struct {
	// Date is the value of the Date field; "" has the clock read for each
	// response.
	Date string

	out  []byte
	hold int // out[hold:] is a head that can't be sent before its framing is decided; < 0: there is none

	head    bool // the request is HEAD
	minor   int
	keep    bool
	started bool
	upgrade bool // the client is told to ask for another protocol
	framing framing
	left    int64  // of a counted body; -1 before one is known to be
	body    []byte // gathered while the framing is undecided
}

type framing uint8

const (
	undecided framing = iota // the body so far is in body
	bodyless                 // HEAD, 204, 304: there is none
	byLength                 // Content-Length
	inChunks                 // Transfer-Encoding, to HTTP/1.1
	byClosing                // to HTTP/1.0
)

// Reset prepares for the response to r, nil for one that could not be read.
// Keep says whether the server would keep the connection. What earlier
// responses have left in Bytes stays.
func (w *Response) Reset(r *Request, keep bool) {
	w.head, w.minor, w.keep = false, 1, false
	if r != nil {
		w.head, w.minor, w.keep = r.Method == "HEAD", r.Minor, keep && r.KeepAlive
	}
	w.hold, w.started, w.upgrade = -1, false, false
	w.framing, w.left, w.body = undecided, -1, w.body[:0]
}

// Started says whether Start was called.
func (w *Response) Started() bool { return w.started }

// Keep says whether the connection can be kept after the response. It is final
// once the response is finished.
func (w *Response) Keep() bool { return w.keep }

// Close has the response say that the connection will be closed. It has no
// effect after Start.
func (w *Response) Close() { w.keep = w.keep && w.started }

// Bytes is what is ready to be sent.
func (w *Response) Bytes() []byte {
	if w.hold >= 0 {
		return w.out[:w.hold]
	}
	return w.out
}

// Sent takes n bytes off the front of Bytes.
func (w *Response) Sent(n int) {
	if n == len(w.out) {
		w.out = w.out[:0]
		return
	}
	w.out = w.out[:copy(w.out, w.out[n:])]
	if w.hold >= 0 {
		w.hold -= n
	}
}

// Drop forgets all that is in Bytes, or was to be.
func (w *Response) Drop() {
	w.out, w.body, w.hold = w.out[:0], w.body[:0], -1
	if cap(w.out) > keptBuffer {
		w.out = nil
	}
}

// Raw puts bytes among the responses: 100 Continue, or another protocol.
func (w *Response) Raw(b ...byte) { w.out = append(w.out, b...) }

// Invite tells the client to send the body it waits with, if nothing has been
// answered yet (RFC 9110 §10.1.1).
func (w *Response) Invite() {
	if !w.started {
		w.out = append(w.out, "HTTP/1.1 100 Continue\r\n\r\n"...)
	}
}

// Start takes the status and the fields. Those about the connection are the
// server's to set.
func (w *Response) Start(status int, header []app.Field) error {
	if w.started {
		return errors.New("the response has been started before")
	}
	w.started, w.hold = true, len(w.out)
	w.out = append(w.out, "HTTP/1."...)
	w.out = append(w.out, byte('0'+w.minor), ' ')
	w.out = strconv.AppendInt(w.out, int64(status), 10)
	w.out = append(append(append(w.out, ' '), Reason(status)...), "\r\n"...)
	dated := false
	for i := range header {
		f := &header[i]
		switch f.Name {
		case "Upgrade":
			w.upgrade = true
		case "Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding":
			continue
		case "Content-Length":
			n, err := parseLength(f.Value)
			if err != nil || w.left >= 0 {
				return fmt.Errorf("content-length %q is not a number of bytes, or not the first", f.Value)
			}
			w.left = n
			continue
		case "Date":
			dated = true
		}
		w.field(f.Name, f.Value)
	}
	if !dated {
		w.date()
	}
	switch {
	case w.head || status == 204 || status == 304 || status < 200:
		w.framing = bodyless
		w.endHead(status != 204 && status >= 200, w.left)
	case w.left >= 0:
		w.framing = byLength
		w.endHead(true, w.left)
	}
	return nil
}

func (w *Response) date() {
	w.out = append(w.out, "Date: "...)
	if w.Date != "" {
		w.out = append(w.out, w.Date...)
	} else {
		w.out = time.Now().UTC().AppendFormat(w.out, TimeFormat)
	}
	w.out = append(w.out, "\r\n"...)
}

func (w *Response) field(name, value string) {
	w.out = append(append(w.out, name...), ": "...)
	if strings.ContainsAny(value, "\r\n\x00") { // or a value could forge a field
		value = strings.NewReplacer("\r", " ", "\n", " ", "\x00", " ").Replace(value)
	}
	w.out = append(append(w.out, value...), "\r\n"...)
}

// endHead writes the fields that say how the message ends, and the head's end.
func (w *Response) endHead(withLength bool, length int64) {
	if withLength && length >= 0 {
		w.out = append(w.out, "Content-Length: "...)
		w.out = append(strconv.AppendInt(w.out, length, 10), "\r\n"...)
	}
	if w.framing == inChunks {
		w.out = append(w.out, "Transfer-Encoding: chunked\r\n"...)
	}
	w.keep = w.keep && w.framing != byClosing
	switch {
	case w.upgrade && w.keep: // RFC 9110 §7.8
		w.out = append(w.out, "Connection: Upgrade\r\n"...)
	case w.upgrade:
		w.out = append(w.out, "Connection: close, Upgrade\r\n"...)
	case !w.keep:
		w.out = append(w.out, "Connection: close\r\n"...)
	case w.minor == 0:
		w.out = append(w.out, "Connection: keep-alive\r\n"...)
	}
	w.out = append(w.out, "\r\n"...)
	w.hold = -1
}

// Write adds to the body.
func (w *Response) Write(p []byte) (int, error) {
	switch {
	case !w.started:
		return 0, errors.New("write before the response was started")
	case w.framing == bodyless:
	case w.framing == undecided && len(w.body)+len(p) <= gathered:
		w.body = append(w.body, p...)
	case w.framing == undecided:
		w.decide()
		w.chunk(p)
	case w.framing == byLength && int64(len(p)) > w.left:
		return 0, ErrLength
	case w.framing == byLength:
		w.left -= int64(len(p))
		w.out = append(w.out, p...)
	default:
		w.chunk(p)
	}
	return len(p), nil
}

func (w *Response) chunk(p []byte) {
	if w.framing != inChunks {
		w.out = append(w.out, p...)
		return
	}
	if len(p) > 0 { // an empty chunk would be the last
		w.out = append(strconv.AppendInt(w.out, int64(len(p)), 16), "\r\n"...)
		w.out = append(append(w.out, p...), "\r\n"...)
	}
}

// decide ends the head of a body whose length is not known: it is chunked, or
// ends with the connection.
func (w *Response) decide() {
	w.framing = byClosing
	if w.minor > 0 {
		w.framing = inChunks
	}
	w.endHead(false, 0)
	w.chunk(w.body)
	w.body = w.body[:0]
}

// Flush has Bytes hold all that was written.
func (w *Response) Flush() error {
	if w.started && w.framing == undecided {
		w.decide()
	}
	return nil
}

// Finish ends the response. If it returns an error, the client must not take
// what it got for the whole: the connection has to be reset.
func (w *Response) Finish() error {
	switch {
	case !w.started:
		return errors.New("the application gave no answer")
	case w.framing == byLength && w.left > 0:
		return ErrLength
	case w.framing == undecided:
		w.framing = byLength
		w.endHead(true, int64(len(w.body)))
		w.out = append(w.out, w.body...)
		w.body = w.body[:0]
	case w.framing == inChunks:
		w.out = append(w.out, "0\r\n\r\n"...)
	}
	return nil
}

// Refuse answers a request that the application can't, with a line of text.
// The connection is to be closed.
func (w *Response) Refuse(status int, why string) error {
	w.keep = false
	text := strconv.Itoa(status) + " " + strings.ToLower(Reason(status)) + ": " + why + "\n"
	if err := w.Start(status, []app.Field{
		{Name: "Content-Type", Value: "text/plain; charset=utf-8"},
		{Name: "X-Content-Type-Options", Value: "nosniff"},
		{Name: "Content-Length", Value: strconv.Itoa(len(text))},
	}); err != nil {
		return err
	}
	if _, err := w.Write([]byte(text)); err != nil {
		return err
	}
	return w.Finish()
}

// Reason is the phrase that goes with a status code (RFC 9110 §15, RFC 6585);
// "" for one that it doesn't know.
func Reason(status int) string {
	switch status {
	case 100:
		return "Continue"
	case 101:
		return "Switching Protocols"
	case 200:
		return "OK"
	case 201:
		return "Created"
	case 202:
		return "Accepted"
	case 204:
		return "No Content"
	case 206:
		return "Partial Content"
	case 301:
		return "Moved Permanently"
	case 302:
		return "Found"
	case 303:
		return "See Other"
	case 304:
		return "Not Modified"
	case 307:
		return "Temporary Redirect"
	case 308:
		return "Permanent Redirect"
	}
	return errorReason(status)
}

func errorReason(status int) string {
	switch status {
	case 400:
		return "Bad Request"
	case 401:
		return "Unauthorized"
	case 403:
		return "Forbidden"
	case 404:
		return "Not Found"
	case 405:
		return "Method Not Allowed"
	case 408:
		return "Request Timeout"
	case 411:
		return "Length Required"
	case 413:
		return "Content Too Large"
	case 414:
		return "URI Too Long"
	case 417:
		return "Expectation Failed"
	case 426:
		return "Upgrade Required"
	case 429:
		return "Too Many Requests"
	case 431:
		return "Request Header Fields Too Large"
	case 500:
		return "Internal Server Error"
	case 501:
		return "Not Implemented"
	case 502:
		return "Bad Gateway"
	case 503:
		return "Service Unavailable"
	case 504:
		return "Gateway Timeout"
	case 505:
		return "HTTP Version Not Supported"
	}
	return ""
}
