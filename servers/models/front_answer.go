package models

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/textproto"
	"strconv"
	"strings"

	"gatewaylab/servers/app"
	"gatewaylab/servers/wire/http1"
)

// Limits of an instance's answer: one that exceeds them is broken.
const (
	maxAnswerLine  = 16 << 10
	maxAnswerHead  = 64 << 10
	maxAnswerCount = 256
	maxInterim     = 16 // answers of 1xx before the one that counts
)

var errNoAnswer = errors.New("nothing of an answer came")

// An answerHead is an answer over HTTP/1.x.
type answerHead struct {
	status int
	minor  int
	header []app.Field
	keep   bool  // the connection can be used again once the body has been read
	length int64 // of the body; -1 = chunked, or up to the end of the connection
	body   io.Reader
	ended  func() bool // the body has been read to its end
}

// readAnswer reads the head of an answer (RFC 9112). It is as strict as the
// front is with clients: an answer with two readings is none. Interim answers
// are dropped: the front has invited the client itself, and what else they
// say is nothing but a hint.
func readAnswer(r *bufio.Reader, out *outbound) (*answerHead, error) {
	for range maxInterim {
		a, err := readAnswerHead(r)
		if err != nil {
			return nil, err
		}
		switch {
		case a.status == 101 && !out.socket:
			return nil, errors.New("the answer is 101 Switching Protocols, which nobody asked for")
		case a.status == 101:
			return a, nil
		case a.status >= 200:
			return a, a.frame(r, out.req.Method)
		}
	}
	return nil, fmt.Errorf("more than %d interim answers", maxInterim)
}

func readAnswerHead(r *bufio.Reader) (*answerHead, error) {
	a := &answerHead{}
	read := 0
	for n := 0; ; n++ {
		line, err := answerLine(r)
		if err != nil {
			if n == 0 && len(line) == 0 {
				return nil, fmt.Errorf("%w: %w", errNoAnswer, err)
			}
			return nil, fmt.Errorf("the answer's head: %w", unexpectedEnd(err))
		}
		if read += len(line) + 2; read > maxAnswerHead || n > maxAnswerCount {
			return nil, fmt.Errorf("the answer's head has more than %d bytes or %d fields", maxAnswerHead, maxAnswerCount)
		}
		switch {
		case n == 0:
			err = a.statusLine(line)
		case line == "":
			return a, nil
		default:
			err = a.field(line)
		}
		if err != nil {
			return nil, fmt.Errorf("the answer's head, line %d: %w", n+1, err)
		}
	}
}

func unexpectedEnd(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// answerLine reads a line that ends in CRLF, without that.
func answerLine(r *bufio.Reader) (string, error) {
	raw, err := r.ReadSlice('\n')
	switch {
	case err == bufio.ErrBufferFull:
		return "", fmt.Errorf("a line is longer than %d bytes", maxAnswerLine)
	case err != nil:
		return string(raw), err
	case len(raw) < 2 || raw[len(raw)-2] != '\r':
		return "", errors.New("a line ends in a bare LF")
	}
	return string(raw[:len(raw)-2]), nil
}

// statusLine takes "HTTP/1.1 200 OK"; the phrase may be missing.
func (a *answerHead) statusLine(line string) error {
	version, rest, _ := strings.Cut(line, " ")
	code, _, _ := strings.Cut(rest, " ")
	n, err := strconv.ParseUint(code, 10, 16)
	if (version != "HTTP/1.1" && version != "HTTP/1.0") || err != nil || len(code) != 3 || n < 100 || n > 599 {
		return fmt.Errorf("%.60q is no status line of HTTP/1.x", line)
	}
	a.status, a.minor = int(n), int(version[7]-'0')
	return nil
}

func (a *answerHead) field(line string) error {
	name, value, ok := strings.Cut(line, ":")
	if !ok || name == "" || strings.ContainsFunc(name, notToken) {
		return fmt.Errorf("%.60q is no header field", line)
	}
	value = strings.Trim(value, " \t")
	for _, c := range []byte(value) {
		if c < ' ' && c != '\t' || c == 0x7f {
			return fmt.Errorf("field %s: control byte %#02x in its value", name, c)
		}
	}
	a.header = append(a.header, app.Field{Name: textproto.CanonicalMIMEHeaderKey(name), Value: value})
	return nil
}

func notToken(r rune) bool {
	return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("!#$%&'*+-.^_`|~", r))
}

// frame decides how the body ends (RFC 9112 §6.3).
func (a *answerHead) frame(r *bufio.Reader, method string) error {
	lengths, codings := 0, 0
	var length, coding string
	closing, keeping := false, false
	for _, f := range a.header {
		switch f.Name {
		case "Content-Length":
			lengths++
			length = f.Value
		case "Transfer-Encoding":
			codings++
			coding = f.Value
		case "Connection":
			closing = closing || http1.HasToken(f.Value, "close")
			keeping = keeping || http1.HasToken(f.Value, "keep-alive")
		}
	}
	a.keep = !closing && (a.minor > 0 || keeping)
	a.length, a.body, a.ended = -1, noBytes{}, func() bool { return true }
	switch {
	case lengths > 1 || codings > 1 || lengths > 0 && codings > 0:
		return errors.New("the answer says in two ways where it ends")
	case codings > 0 && (a.minor == 0 || !strings.EqualFold(coding, "chunked")):
		return fmt.Errorf("the answer's transfer coding %.40q is not known", coding)
	case lengths > 0:
		n, err := strconv.ParseUint(length, 10, 63)
		if err != nil {
			return fmt.Errorf("the answer's Content-Length %.40q is no number of bytes", length)
		}
		a.length = int64(n)
	}
	switch {
	case method == "HEAD", a.status == 204, a.status == 304:
	case codings > 0:
		body := (&http1.Request{Framing: http1.Chunked, Length: -1}).Body(0)
		c := &chunkedAnswer{r: r, body: body}
		a.body, a.ended = c, c.body.Ended
	case lengths > 0:
		c := &countedAnswer{r: r, left: a.length}
		a.body, a.ended = c, func() bool { return c.left == 0 }
	default:
		a.body, a.ended, a.keep = r, func() bool { return false }, false
	}
	return nil
}

type noBytes struct{}

func (noBytes) Read([]byte) (int, error) { return 0, io.EOF }

// A countedAnswer is a body of known length. io.LimitReader would take a
// connection that ends too soon for the body's end.
type countedAnswer struct {
	r    io.Reader
	left int64
}

func (c *countedAnswer) Read(p []byte) (int, error) {
	if c.left == 0 {
		return 0, io.EOF
	}
	n, err := c.r.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	if c.left > 0 {
		err = unexpectedEnd(err)
	} else if err == io.EOF {
		err = nil
	}
	return n, err
}

// A chunkedAnswer is a body in chunks.
type chunkedAnswer struct {
	r    *bufio.Reader
	body http1.Body
}

func (c *chunkedAnswer) Read(p []byte) (int, error) {
	for len(p) > 0 {
		if c.body.Ended() {
			return 0, io.EOF
		}
		if c.r.Buffered() == 0 {
			if _, err := c.r.Peek(1); err != nil {
				return 0, unexpectedEnd(err)
			}
		}
		in, _ := c.r.Peek(min(c.r.Buffered(), len(p))) // it is there
		data, n, err := c.body.Next(in)
		got := copy(p, data)
		_, _ = c.r.Discard(n) // it was there
		if err != nil {
			return got, fmt.Errorf("the answer: %w", errors.New(err.Error())) // not the client's fault
		}
		if got > 0 {
			return got, nil
		}
	}
	return 0, nil
}
