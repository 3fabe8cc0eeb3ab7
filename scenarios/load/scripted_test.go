package load

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// patient is how long a test waits for what must come.
const patient = 30 * time.Second

// A script says what a server does on one connection, once accepted.
type script func(t *testing.T, c net.Conn, in *bufio.Reader)

// scripted starts a raw TCP server whose n-th connection follows the n-th
// script, later ones the last. It returns the server's URL.
func scripted(t *testing.T, scripts ...script) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var conns sync.WaitGroup
	over, stop := context.WithCancel(context.Background())
	conns.Go(func() {
		for i := 0; ; i++ {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			s := scripts[min(i, len(scripts)-1)]
			conns.Go(func() {
				defer c.Close()
				defer context.AfterFunc(over, func() { _ = c.Close() })()
				s(t, c, bufio.NewReader(c))
			})
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		stop()
		conns.Wait()
	})
	return "http://" + ln.Addr().String() + "/"
}

// answer reads one request and writes the pieces, each with a write of its own.
func answer(pieces ...string) script {
	return func(t *testing.T, c net.Conn, in *bufio.Reader) {
		takeRequest(t, in)
		for _, p := range pieces {
			_, _ = io.WriteString(c, p)
			runtime.Gosched()
		}
	}
}

// thenHold follows s and keeps the connection until the client closes it.
func thenHold(s script) script {
	return func(t *testing.T, c net.Conn, in *bufio.Reader) {
		s(t, c, in)
		_, _ = io.Copy(io.Discard, in)
	}
}

// takeRequest reads a whole request and returns it, with its body read.
func takeRequest(t *testing.T, in *bufio.Reader) (*http.Request, string) {
	t.Helper()
	req, err := http.ReadRequest(in)
	if err != nil {
		return nil, "" // the client went away, or its test failed already
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		t.Errorf("read request body: %v", err)
	}
	return req, string(body)
}

// newTransport returns a transport that is closed at the end of the test.
func newTransport(t *testing.T, timeout time.Duration) *Transport {
	t.Helper()
	tr := NewTransport(timeout)
	t.Cleanup(func() {
		tr.Close()
		if n := tr.pool.size(); n != 0 {
			t.Errorf("%d connections are still open", n)
		}
	})
	return tr
}

// get does a GET and reads the body.
func get(t *testing.T, tr http.RoundTripper, url string) (*http.Response, string, error) {
	t.Helper()
	return do(t, tr, http.MethodGet, url, nil)
}

func do(t *testing.T, tr http.RoundTripper, method, url string, body io.Reader) (*http.Response, string, error) {
	t.Helper()
	req, err := http.NewRequest(method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := tr.RoundTrip(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp, string(b), err
}

// noneLeft fails if goroutines of this package or of vegeta are still there.
func noneLeft(t *testing.T) {
	t.Helper()
	buf := make([]byte, 1<<20)
	for end := time.Now().Add(patient); ; time.Sleep(time.Millisecond) {
		var left []string
		for _, g := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
			if strings.Contains(g, "load.(*run)") || strings.Contains(g, "load.(*conn)") ||
				strings.Contains(g, "load.(*Transport)") || strings.Contains(g, "load.(*clients)") || strings.Contains(g, "load.(*h2)") || strings.Contains(g, "load.(*webSockets)") || strings.Contains(g, "vegeta.(*Attacker)") {
				left = append(left, g)
			}
		}
		if len(left) == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("goroutines left:\n%s", strings.Join(left, "\n\n"))
		}
	}
}
