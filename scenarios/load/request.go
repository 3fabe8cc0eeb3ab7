package load

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"

	"golang.org/x/net/http/httpguts"
)

const userAgent = "gatewaylab"

// A message is a request made ready for the wire.
type message struct {
	addr   string        // host:port to connect to
	wire   []byte        // the head, and the body unless it is a stream
	stream io.ReadCloser // what follows wire; nil if nothing does
	length int64         // of stream; −1: unknown, sent in chunks
	last   []byte        // wire, with the word that the connection ends with it; nil if encoded for a RoundTripper
	toHEAD bool
	gaps   bool          // the pauses in the answer are wanted
	of     *prepared     // what it was made of, for other protocols than HTTP/1.1; nil if encoded for a RoundTripper
	req    *http.Request // with everything but the body; nil as of is
	url    *url.URL
	replay bool // may be sent once more when it is unsure whether it arrived
}

// encode makes a message of a request. The body is read and closed here if it
// is short and its length known; otherwise it becomes the stream.
func encode(req *http.Request) (*message, error) {
	m := &message{toHEAD: req.Method == http.MethodHead}
	if err := m.setAddr(req.URL, HTTP1); err != nil {
		return nil, err
	}
	length := bodyLength(req)
	head, err := encodeHead(req, length)
	if err != nil {
		return nil, err
	}
	m.wire = head
	switch {
	case length == 0:
		if req.Body != nil {
			err = req.Body.Close()
		}
	case length > 0 && length+int64(len(head)) <= inlineWrite:
		m.wire, err = appendBody(head, req.Body, length)
	default:
		m.stream, m.length = req.Body, length
	}
	m.replay = m.stream == nil && Idempotent(req.Method)
	return m, err
}

// Idempotent says whether sending a request twice is meant to have the effect
// of sending it once (RFC 9110 section 9.2.2).
func Idempotent(method string) bool {
	switch method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	return false
}

func (m *message) setAddr(u *url.URL, p Protocol) error {
	if u == nil || u.Host == "" {
		return errors.New("request has no host: give a URL like http://127.0.0.1:8080/")
	}
	scheme, port := p.scheme()
	if u.Scheme != scheme {
		return fmt.Errorf("scheme %q of %q is not supported: only %s is", u.Scheme, u.Redacted(), scheme)
	}
	if u.Port() != "" {
		port = u.Port()
	}
	m.addr = net.JoinHostPort(u.Hostname(), port)
	return nil
}

// bodyLength is the length of a request's body, −1 if only its end will tell.
func bodyLength(req *http.Request) int64 {
	switch {
	case req.Body == nil || req.Body == http.NoBody:
		return 0
	case req.ContentLength == 0 || req.ContentLength < 0:
		return -1
	}
	return req.ContentLength
}

// encodeHead writes the request line and the fields.
func encodeHead(req *http.Request, length int64) ([]byte, error) {
	method, host := req.Method, req.Host
	if method == "" {
		method = http.MethodGet
	}
	if host == "" {
		host = req.URL.Host
	}
	if !httpguts.ValidHeaderFieldName(method) { // both are tokens
		return nil, fmt.Errorf("method %q is not a word", method)
	}
	if !httpguts.ValidHostHeader(host) {
		return nil, fmt.Errorf("host %q can't stand in a Host field", host)
	}
	for name, values := range req.Header {
		for _, v := range values {
			if !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(v) {
				return nil, fmt.Errorf("header %q: %q can't be sent: control characters, or a name that is no word", name, v)
			}
		}
	}
	var b bytes.Buffer
	b.WriteString(method + " " + req.URL.RequestURI() + " HTTP/1.1\r\nHost: " + host + "\r\n")
	if _, given := req.Header["User-Agent"]; !given {
		b.WriteString("User-Agent: " + userAgent + "\r\n")
	}
	if req.Close {
		b.WriteString("Connection: close\r\n")
	}
	switch {
	case length > 0 || length == 0 && expectsBody(method):
		b.WriteString("Content-Length: " + strconv.FormatInt(length, 10) + "\r\n")
	case length < 0:
		b.WriteString("Transfer-Encoding: chunked\r\n")
	}
	if err := req.Header.WriteSubset(&b, map[string]bool{ // these are ours
		"Host": true, "Content-Length": true, "Transfer-Encoding": true, "Trailer": true, "Connection": req.Close,
	}); err != nil {
		return nil, err
	}
	b.WriteString("\r\n")
	return b.Bytes(), nil
}

// expectsBody says whether servers want to be told that there is no body.
func expectsBody(method string) bool {
	return method == http.MethodPost || method == http.MethodPut || method == http.MethodPatch
}

func appendBody(head []byte, body io.ReadCloser, length int64) ([]byte, error) {
	defer body.Close()
	wire := append(head, make([]byte, length)...)
	if n, err := io.ReadFull(body, wire[len(head):]); err != nil {
		return nil, fmt.Errorf("read request body: %d of %d bytes: %w", n, length, err)
	}
	return wire, noMore(body, length)
}

func noMore(body io.Reader, length int64) error {
	var one [1]byte
	if n, _ := io.ReadFull(body, one[:]); n > 0 {
		return fmt.Errorf("request body is longer than its Content-Length of %d", length)
	}
	return nil
}

// copyStream sends the stream, each piece as soon as it is there.
func (m *message) copyStream(w io.Writer) error {
	if m.length < 0 {
		return m.copyChunks(w)
	}
	// Hide w's ReadFrom: errors of the two sides must stay apart.
	n, err := io.Copy(struct{ io.Writer }{w}, io.LimitReader(m.stream, m.length))
	if err != nil {
		return err
	}
	if n < m.length {
		return fmt.Errorf("read request body: %d of %d bytes: %w", n, m.length, io.ErrUnexpectedEOF)
	}
	return noMore(m.stream, m.length)
}

func (m *message) copyChunks(w io.Writer) error {
	const sizeRoom = len("8000\r\n")
	buf := make([]byte, sizeRoom+32<<10+len("\r\n"))
	for {
		n, err := m.stream.Read(buf[sizeRoom : len(buf)-2])
		if n > 0 {
			size := strconv.FormatInt(int64(n), 16) + "\r\n"
			start := sizeRoom - len(size)
			copy(buf[start:], size)
			copy(buf[sizeRoom+n:], "\r\n")
			if _, err := w.Write(buf[start : sizeRoom+n+2]); err != nil {
				return err
			}
		}
		if err == io.EOF {
			_, err := io.WriteString(w, "0\r\n\r\n")
			return err
		}
		if err != nil {
			return fmt.Errorf("read request body: %w", err)
		}
	}
}
