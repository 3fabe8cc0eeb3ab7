package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// exchange sends bytes and reads the connection to its end.
func exchange(t *testing.T, addr, request string) string {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.WriteString(c, request) }() // the server may answer before it has all of it
	answer, err := io.ReadAll(c)
	if err != nil {
		t.Errorf("%.40q: %v after %q", request, err, answer)
	}
	return string(answer)
}

func TestPreforkSpeaksHTTP(t *testing.T) {
	s := prefork(t, 2)
	for _, c := range []struct {
		name, request string
		want          []string // parts of the answer
		not           string
	}{
		{"one answer, exact length", "GET /hello HTTP/1.1\r\nHost: lab\r\nConnection: keep-alive\r\n\r\n",
			[]string{"HTTP/1.1 200 OK\r\n", "\r\nDate: ", "\r\nContent-Length: ", "\r\nConnection: close\r\n\r\n"}, "chunked"},
		{"HTTP/1.0", "GET /hello HTTP/1.0\r\n\r\n", []string{"HTTP/1.0 200 OK\r\n", "\r\nContent-Length: "}, ""},
		{"HEAD", "HEAD /bytes?n=1000 HTTP/1.1\r\nHost: lab\r\n\r\n", []string{"\r\nContent-Length: 1000\r\n", "\r\n\r\n"}, "abcdef"},
		{"stream to HTTP/1.1", "GET /stream?chunks=2&every=1 HTTP/1.1\r\nHost: lab\r\n\r\n",
			[]string{"\r\nTransfer-Encoding: chunked\r\n", "\r\n\r\nd\r\nchunk 1 of 2\n\r\nd\r\nchunk 2 of 2\n\r\n0\r\n\r\n"}, "Content-Length"},
		{"stream to HTTP/1.0", "GET /stream?chunks=2&every=1 HTTP/1.0\r\n\r\n", []string{"\r\n\r\nchunk 1 of 2\nchunk 2 of 2\n"}, "chunked"},
		{"body with a length", "POST /upload HTTP/1.1\r\nHost: lab\r\nContent-Length: 3\r\n\r\nabc", []string{"bytes 3\n"}, "100 Continue"},
		{"chunked body", "POST /upload HTTP/1.1\r\nHost: lab\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", []string{"bytes 3\n"}, ""},
		{"invited body", "POST /upload HTTP/1.1\r\nHost: lab\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc",
			[]string{"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n", "bytes 3\n"}, ""},
		{"body nobody wants isn't invited", "POST /hello HTTP/1.1\r\nHost: lab\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc",
			[]string{"HTTP/1.1 405 "}, "100 Continue"},
		{"body nobody reads doesn't cost the answer", "POST /hello HTTP/1.1\r\nHost: lab\r\nContent-Length: 4000000\r\n\r\n" + strings.Repeat("x", 4_000_000),
			[]string{"HTTP/1.1 405 ", "use GET, HEAD"}, ""},
		{"second request is left alone", strings.Repeat("GET /hello HTTP/1.1\r\nHost: lab\r\n\r\n", 2), []string{"200 OK"}, "hello\nHTTP"},
		{"broken body", "POST /upload HTTP/1.1\r\nHost: lab\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", []string{"HTTP/1.1 400 "}, ""},
		{"malformed", "nonsense\r\n\r\n", []string{"HTTP/1.1 400 "}, ""},
		{"no host", "GET / HTTP/1.1\r\n\r\n", []string{"HTTP/1.1 400 "}, ""},
		{"no path", "OPTIONS * HTTP/1.1\r\nHost: lab\r\n\r\n", []string{"HTTP/1.1 400 "}, ""},
		{"other version", "GET / HTTP/2.0\r\nHost: lab\r\n\r\n", []string{"HTTP/1.1 505 "}, ""},
		{"other expectation", "GET / HTTP/1.1\r\nHost: lab\r\nExpect: much\r\n\r\n", []string{"HTTP/1.1 417 "}, ""},
		{"head too large", "GET / HTTP/1.1\r\nHost: lab\r\nX: " + strings.Repeat("x", 70_000) + "\r\n\r\n", []string{"HTTP/1.1 431 "}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			answer := exchange(t, s.addr, c.request)
			for _, part := range c.want {
				if !strings.Contains(answer, part) {
					t.Errorf("answer %.400q lacks %q", answer, part)
				}
			}
			if c.not != "" && strings.Contains(answer, c.not) {
				t.Errorf("answer %.400q has %q", answer, c.not)
			}
		})
	}
	if st := s.Board().Read(); st.Restarts != 0 {
		t.Errorf("%d restarts", st.Restarts)
	}
}

func TestPreforkSendsLargeBodies(t *testing.T) {
	s := prefork(t, 1)
	const size = 5_000_000
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "GET /bytes?n=%d HTTP/1.1\r\nHost: lab\r\n\r\n", size)
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, resp.Body); n != size || err != nil || resp.ContentLength != size {
		t.Errorf("%d bytes of %d announced, %v", n, resp.ContentLength, err)
	}
}

// A connection that brings no request is no request.
func TestPreforkDoesNotCountEmptyConnections(t *testing.T) {
	s := prefork(t, 1)
	for range 3 {
		c, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	if err := get(s.addr, "/hello"); err != nil {
		t.Fatal(err)
	}
	until(t, "the request is over", func() bool { return s.Board().Read().Busy() == 0 })
	if n := s.Board().Read().Served; n != 1 {
		t.Errorf("%d requests served, want 1", n)
	}
}
