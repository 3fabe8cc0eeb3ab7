package models

import (
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"gatewaylab/servers/process"
)

// Whatever comes in, a server that is as lenient as net/http's sees behind the
// front exactly the requests that the front has passed on and answered for: it
// finds no request in what was another's body, and none that has two readings.
func FuzzFront(f *testing.F) {
	for _, s := range []string{
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhelloGET /c HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nT: t\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /s HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length : 6\r\n\r\nGET /s HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET http://y/p?q HTTP/1.1\r\nHost: x\r\nConnection: Host, Content-Length\r\nContent-Length: 3\r\n\r\nabc",
		"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
		"HEAD / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx",
		"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		for _, mode := range []bool{true, false} {
			f.Add([]byte(s), mode)
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte, buffering bool) {
		behind := newLenient(t) // a new one each time: what an earlier one was still to see is not this one's
		got := throughFront(t, behind.front(t, buffering), raw)
		answered := strings.Count(got, "\r\nX-From: behind\r\n")
		if seen := behind.requests(); len(seen) < answered || len(seen) > answered+1 {
			// One more than were answered may have been cut off with its client.
			t.Fatalf("%q: the server behind has seen %q, and the client got %q", raw, seen, got)
		}
		if strings.Contains(got, "HTTP/1.1 101 ") {
			t.Fatalf("%q: switched protocols", raw)
		}
	})
}

// lenient is a server of net/http's kind that notes what it sees.
type lenient struct {
	addr string
	mu   sync.Mutex
	seen []string
}

func newLenient(t *testing.T) *lenient {
	t.Helper()
	l := &lenient{}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.addr = "tcp:" + ln.Addr().String()
	srv := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			l.mu.Lock()
			l.seen = append(l.seen, r.Method+" "+r.RequestURI)
			l.mu.Unlock()
			_, _ = io.Copy(io.Discard, r.Body) // what is wrong with it is the front's to say
			w.Header().Set("X-From", "behind")
			_, _ = io.WriteString(w, "ok")
		}),
		ErrorLog: log.New(writerFunc(func(p []byte) (int, error) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.seen = append(l.seen, "error: "+string(p), "", "") // fails whatever was answered
			return len(p), nil
		}), "", 0),
	}
	go func() { _ = srv.Serve(ln) }()
	t.Cleanup(func() { srv.Close() })
	return l
}

type writerFunc func([]byte) (int, error)

func (w writerFunc) Write(p []byte) (int, error) { return w(p) }

func (l *lenient) requests() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.seen...)
}

func (l *lenient) front(t *testing.T, buffering bool) *proxy {
	t.Helper()
	board, file, err := process.NewScoreboard()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { board.Close(); file.Close() })
	p, err := newProxy(&Env{Board: board, Log: log.New(io.Discard, "", 0)}, frontSettings{
		wire: wireHTTP, model: "fuzz", upstreams: []string{l.addr}, balance: "round-robin",
		requestBuffering: buffering, responseBuffering: buffering, keepalive: 4, queue: 10, maxHeader: 8 << 10, maxBody: 64 << 10,
		clientTimeout: time.Second, idle: time.Second, connectTimeout: 5 * time.Second, readTimeout: 5 * time.Second, send: 5 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.abort)
	return p
}

// throughFront sends bytes to a front, says that this was all, and returns
// what comes back.
func throughFront(t *testing.T, p *proxy, raw []byte) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	theirs, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		newFrontConn(p, theirs).serve()
	}()
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	go func() {
		_, _ = conn.Write(raw) // the front may not want all of it
		_ = conn.(*net.TCPConn).CloseWrite()
	}()
	b, err := io.ReadAll(conn)
	if os.IsTimeout(err) {
		t.Fatalf("%q: no end after %q", raw, b)
	}
	<-served
	return string(b)
}
