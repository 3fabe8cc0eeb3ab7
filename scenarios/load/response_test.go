package load

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"
)

// good are whole responses, byte for byte, and what must be read out of them.
var good = []struct {
	name, wire string
	toHEAD     bool
	code       int
	body       string
	close      bool   // the connection isn't used again
	rest       string // what stays unread
}{
	{name: "counted", wire: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", code: 200, body: "hello"},
	{name: "empty", wire: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", code: 200},
	{name: "no reason", wire: "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nhi", code: 200, body: "hi"},
	{name: "empty reason", wire: "HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nhi", code: 200, body: "hi"},
	{name: "any case", wire: "HTTP/1.1 200 OK\r\ncONTENT-lENGTH:2\r\n\r\nhi", code: 200, body: "hi"},
	{name: "bare line feeds", wire: "HTTP/1.1 200 OK\nContent-Length: 2\n\nhi", code: 200, body: "hi"},
	{name: "same length twice", wire: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi", code: 200, body: "hi"},
	{name: "folded line", wire: "HTTP/1.1 200 OK\r\nX: a \r\n\t b\r\nContent-Length:\r\n 2\r\n\r\nhi", code: 200, body: "hi"},
	{name: "pipelined rest", wire: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1", code: 200, body: "hi", rest: "HTTP/1.1"},
	{name: "until close", wire: "HTTP/1.1 200 OK\r\n\r\nall of it", code: 200, body: "all of it"},
	{name: "connection close", wire: "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi", code: 200, body: "hi", close: true},
	{name: "close in a list", wire: "HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 2\r\n\r\nhi", code: 200, body: "hi", close: true},
	{name: "HTTP/1.0", wire: "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", code: 200, body: "hi", close: true},
	{name: "HTTP/1.0 keep-alive", wire: "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\nhi", code: 200, body: "hi"},
	{name: "HTTP/1.0 keep-alive and close", wire: "HTTP/1.0 200 OK\r\nConnection: close, keep-alive\r\nContent-Length: 2\r\n\r\nhi", code: 200, body: "hi", close: true},
	{name: "HTTP/1.0 is never chunked", wire: "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", code: 200, body: "0\r\n\r\n", close: true},
	{name: "100 first", wire: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", code: 200, body: "hi"},
	{name: "103 twice", wire: "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 103 Early Hints\r\nContent-Length: 9\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", code: 204},
	{name: "101 ends HTTP", wire: "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nbytes", code: 101, close: true, rest: "bytes"},
	{name: "204 with a length", wire: "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", code: 204},
	{name: "304 with a length", wire: "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", code: 304},
	{name: "304 chunked", wire: "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", code: 304},
	{name: "HEAD with a length", toHEAD: true, wire: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", code: 200},
	{name: "HEAD chunked", toHEAD: true, wire: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", code: 200},
	{name: "HEAD without a length", toHEAD: true, wire: "HTTP/1.1 200 OK\r\n\r\n", code: 200},
	{name: "chunked", wire: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", code: 200, body: "hello"},
	{name: "chunked, nothing", wire: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", code: 200},
	{name: "chunk extensions", wire: "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n3;a=b\r\nhel\r\n02 ; c=\"d\"\r\nlo\r\n000;e\r\n\r\n", code: 200, body: "hello"},
	{name: "trailers", wire: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Sum\r\n\r\nA\r\n0123456789\r\n0\r\nSum: 45\r\nB: c\r\n\r\n", code: 200, body: "0123456789"},
	{name: "chunked beats a length", wire: "HTTP/1.1 200 OK\r\nContent-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", code: 200, body: "hi", close: true},
	{name: "larger than the buffer", wire: "HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + big, code: 200, body: big},
	{name: "chunk larger than the buffer", wire: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n493e0\r\n" + big + "\r\n0\r\n\r\n", code: 200, body: big},
	{name: "head larger than the buffer", wire: "HTTP/1.1 200 OK\r\nX: " + big[:50_000] + "\r\nContent-Length: 2\r\n\r\nhi", code: 200, body: "hi"},
}

var big = strings.Repeat("0123456789", 30_000)

// bad are responses that must be refused, and a part of the reason.
var bad = []struct{ name, wire, reason string }{
	{"nothing", "", "EOF"},
	{"half a status line", "HTTP/1.1 2", "unexpected EOF"},
	{"half a head", "HTTP/1.1 200 OK\r\nContent-Le", "unexpected EOF"},
	{"half a line end", "HTTP/1.1 200 OK\r\n\r", "unexpected EOF"},
	{"another protocol", "SSH-2.0-OpenSSH_9.6\r\n", `starts with "SSH-2`},
	{"TLS", "\x15\x03\x01\x00\x02\x02\x16", "starts with"},
	{"empty line first", "\r\nHTTP/1.1 200 OK\r\n\r\n", "malformed"},
	{"HTTP/2", "HTTP/2.0 200 OK\r\n\r\n", "status line"},
	{"HTTP/1.10", "HTTP/1.10 200 OK\r\n\r\n", "status line"},
	{"no code", "HTTP/1.1 OK\r\n\r\n", "status line"},
	{"short code", "HTTP/1.1 20 OK\r\n\r\n", "status line"},
	{"long code", "HTTP/1.1 2000 OK\r\n\r\n", "status line"},
	{"code 0xx", "HTTP/1.1 099 OK\r\n\r\n", "status line"},
	{"no colon", "HTTP/1.1 200 OK\r\nnonsense\r\n\r\n", "header line"},
	{"no name", "HTTP/1.1 200 OK\r\n: x\r\n\r\n", "header line"},
	{"space in name", "HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nhi", "header name"},
	{"NUL in value", "HTTP/1.1 200 OK\r\nA: b\x00c\r\n\r\n", "header value"},
	{"bare CR in value", "HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n", "header value"},
	{"length no number", "HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\n", "Content-Length"},
	{"length negative", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "Content-Length"},
	{"length signed", "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\nx", "Content-Length"},
	{"length empty", "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n", "Content-Length"},
	{"length too long", "HTTP/1.1 200 OK\r\nContent-Length: 9999999999999999999\r\n\r\n", "Content-Length"},
	{"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi!", "two lengths"},
	{"unknown coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "transfer coding"},
	{"coding twice", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "transfer coding"},
	{"body cut short", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", "unexpected EOF"},
	{"chunk cut short", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", "unexpected EOF"},
	{"no last chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n", "unexpected EOF"},
	{"no end of trailers", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n", "unexpected EOF"},
	{"chunk without size", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n", "chunk size"},
	{"chunk size no number", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "chunk size"},
	{"chunk size with 0x", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x2\r\nhi\r\n", "chunk size"},
	{"chunk size and words", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2 hi\r\nhi\r\n", "chunk size"},
	{"chunk size too large", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000000\r\n", "chunk size"},
	{"chunk line with bare LF", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\nhi\r\n", "bare LF"},
	{"chunk longer than its size", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi!\r\n0\r\n\r\n", "longer than its size"},
	{"chunk line too long", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;" + big[:5000] + "\r\n", "longer than 4096"},
	{"bad trailer", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nnonsense\r\n\r\n", "header line"},
	{"head too long", "HTTP/1.1 200 OK\r\nX: " + big + "\r\n\r\n", "head longer than 64 KiB"},
	{"endless 1xx", strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 100), "interim"},
}

// readWire reads one response the way an exchange does.
func readWire(src io.Reader, toHEAD bool) (c *conn, body []byte, err error) {
	c = &conn{in: reader{src: src, epoch: time.Now(), buf: make([]byte, narrowBuffer), lender: new(sync.Pool)}}
	if err := c.receive(toHEAD); err != nil {
		return c, nil, err
	}
	for {
		p, err := c.body.next()
		body = append(body, p...)
		if err == io.EOF {
			return c, body, nil
		}
		if err != nil {
			return c, body, err
		}
	}
}

// sources deliver the same bytes in different pieces.
var sources = map[string]func(string) io.Reader{
	"at once":      func(s string) io.Reader { return strings.NewReader(s) },
	"byte by byte": func(s string) io.Reader { return iotest.OneByteReader(strings.NewReader(s)) },
	"halves":       func(s string) io.Reader { return iotest.HalfReader(strings.NewReader(s)) },
	"data and EOF": func(s string) io.Reader { return iotest.DataErrReader(strings.NewReader(s)) },
}

func TestGoodResponses(t *testing.T) {
	t.Parallel()
	for _, g := range good {
		for how, source := range sources {
			t.Run(g.name+" "+how, func(t *testing.T) {
				src := source(g.wire)
				c, body, err := readWire(src, g.toHEAD)
				if err != nil {
					t.Fatal(err)
				}
				if c.head.code != g.code || string(body) != g.body {
					t.Errorf("got %d %q, want %d %q", c.head.code, clip(body), g.code, clip([]byte(g.body)))
				}
				if c.head.close != g.close {
					t.Errorf("close is %v, want %v", c.head.close, g.close)
				}
				left, _ := io.ReadAll(src)
				if rest := string(c.in.buf[c.in.r:c.in.w]) + string(left); rest != g.rest {
					t.Errorf("left unread %q, want %q", rest, g.rest)
				}
			})
		}
	}
}

func TestBadResponses(t *testing.T) {
	t.Parallel()
	for _, b := range bad {
		for how, source := range sources {
			t.Run(b.name+" "+how, func(t *testing.T) {
				c, body, err := readWire(source(b.wire), false)
				if err == nil {
					t.Fatalf("accepted as %d %q", c.head.code, clip(body))
				}
				if !strings.Contains(err.Error(), b.reason) {
					t.Errorf("got %q, which doesn't contain %q", err, b.reason)
				}
				want := KindMalformed
				if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
					want = KindClosed
				}
				if k := kindOf(err); k != want {
					t.Errorf("kind %q, want %q", k, want)
				}
				if len(err.Error()) > 250 {
					t.Errorf("the error is %d bytes long", len(err.Error()))
				}
			})
		}
	}
}

func TestHeaderMap(t *testing.T) {
	h, err := parseHead([]byte("HTTP/1.1 200 OK\r\nset-cookie: a=b\r\nSet-Cookie:c=d\t\r\nX-Folded: one\r\n  two\r\n\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	got := h.header()
	if c := got["Set-Cookie"]; len(c) != 2 || c[0] != "a=b" || c[1] != "c=d" {
		t.Errorf("Set-Cookie is %q", c)
	}
	if f := got.Get("X-Folded"); f != "one two" {
		t.Errorf("X-Folded is %q", f)
	}
}

func TestFirstByteIsOfTheFinalHead(t *testing.T) {
	pr, pw := io.Pipe()
	defer pr.Close()
	go func() {
		_, _ = io.WriteString(pw, "HTTP/1.1 103 Early Hints\r\n\r\n")
		time.Sleep(20 * time.Millisecond)
		_, _ = io.WriteString(pw, "HTTP/1.1 200 OK\r\nContent-")
		time.Sleep(20 * time.Millisecond)
		_, _ = io.WriteString(pw, "Length: 2\r\n\r\nhi")
		_ = pw.Close()
	}()
	c, _, err := readWire(pr, false)
	if err != nil {
		t.Fatal(err)
	}
	if c.first < 20*time.Millisecond || c.in.at-c.first < 20*time.Millisecond {
		t.Errorf("first byte at %v, last at %v: want 20 ms before the first and 20 ms between them", c.first, c.in.at)
	}
}

// FuzzResponse checks that no response makes the parser hang, panic or read
// past the end, and that where net/http accepts one too, both read the same.
func FuzzResponse(f *testing.F) {
	for _, g := range good {
		f.Add([]byte(clip([]byte(g.wire))), g.toHEAD)
		if len(g.wire) < 1000 {
			f.Add([]byte(g.wire), g.toHEAD)
		}
	}
	for _, b := range bad {
		if len(b.wire) < 1000 {
			f.Add([]byte(b.wire), false)
		}
	}
	f.Fuzz(func(t *testing.T, wire []byte, toHEAD bool) {
		c, body, err := readWire(bytes.NewReader(wire), toHEAD)
		if len(body) > len(wire) {
			t.Fatalf("%d bytes of body from %d", len(body), len(wire))
		}
		_, again, err2 := readWire(iotest.OneByteReader(bytes.NewReader(wire)), toHEAD)
		if (err == nil) != (err2 == nil) || err == nil && !bytes.Equal(body, again) {
			t.Fatalf("at once: %q, %v; byte by byte: %q, %v", body, err, again, err2)
		}
		code, theirs, theirErr := readStandard(wire, toHEAD)
		if err != nil || theirErr != nil {
			return
		}
		if c.head.code != code || !bytes.Equal(body, theirs) {
			t.Fatalf("read %d %q, net/http %d %q", c.head.code, body, code, theirs)
		}
	})
}

// readStandard reads a response as net/http does, skipping interim ones.
func readStandard(wire []byte, toHEAD bool) (int, []byte, error) {
	method := http.MethodGet
	if toHEAD {
		method = http.MethodHead
	}
	in := bufio.NewReader(bytes.NewReader(wire))
	for {
		resp, err := http.ReadResponse(in, &http.Request{Method: method})
		if err != nil {
			return 0, nil, err
		}
		if resp.StatusCode >= 100 && resp.StatusCode < 200 && resp.StatusCode != 101 {
			continue
		}
		body, err := io.ReadAll(resp.Body)
		return resp.StatusCode, body, err
	}
}
