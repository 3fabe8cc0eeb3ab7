//go:build unix

package app

import (
	"bytes"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

func TestUpstreamHead(t *testing.T) {
	for text, want := range map[string]struct {
		status, length, size int
		keep                 bool
	}{
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\ndone\n":             {200, 5, 38, true},
		"HTTP/1.1 200 \r\ncontent-length:0\r\nX: :y\r\n\r\n":             {200, 0, 42, true},
		"HTTP/1.0 503 x\r\nContent-Length: 65536\r\n\r\n":                {503, 65536, 41, false},
		"HTTP/1.1 200\r\nConnection: Close\r\nContent-Length: 5\r\n\r\n": {200, 5, 54, false},
	} {
		h, n, err := upstreamHead([]byte(text))
		if err != nil || h.status != want.status || h.length != want.length || h.keep != want.keep || n != want.size {
			t.Errorf("%q: %+v, %d bytes, %v", text, h, n, err)
		}
	}
	for _, text := range []string{"", "H", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", "nonsense"} {
		if _, n, err := upstreamHead([]byte(text)); n != 0 || err != nil {
			t.Errorf("%q, which may go on: %d bytes, %v", text, n, err)
		}
	}
	for _, text := range []string{
		"\r\n\r\n", "220 lab\r\n\r\n", "HTTP/2.0 200 OK\r\nContent-Length: 5\r\n\r\n", "HTTP/1.1 2x0 OK\r\nContent-Length: 5\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n",
		"HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 65537\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "HTTP/1.1_200 OK\r\nContent-Length: 5\r\n\r\n",
	} {
		if h, n, err := upstreamHead([]byte(text)); err != errUpstreamMalformed {
			t.Errorf("%q is taken for %+v, %d bytes, %v", text, h, n, err)
		}
	}
}

// However an answer's head is cut, what is said of it is the same once it is
// whole, and nothing before.
func FuzzUpstreamHead(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\ndone\n"))
	f.Add([]byte("HTTP/1.0 503 x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 200 OK\r\nbad\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, n, err := upstreamHead(b)
		switch end := bytes.Index(b, []byte("\r\n\r\n")); {
		case end < 0 && (n != 0 || err != nil):
			t.Errorf("half a head: %d bytes, %v", n, err)
		case end >= 0 && err == nil && (n != end+4 || h.status < 200 || h.length < 0 || h.length > maxUpstreamBody):
			t.Errorf("%+v, %d bytes of %d", h, n, end+4)
		case err == nil && n > 0:
			again, m, err := upstreamHead(b[:n])
			if again != h || m != n || err != nil {
				t.Errorf("%+v and without what follows %+v, %v", h, again, err)
			}
			if _, m, err := upstreamHead(b[:n-1]); m != 0 || err != nil {
				t.Errorf("without its last byte: %d bytes, %v", m, err)
			}
		}
	})
}

func TestUpstreamAddress(t *testing.T) {
	if to, err := inet4("127.0.0.1:8080"); err != nil || to.Port != 8080 || to.Addr != [4]byte{127, 0, 0, 1} {
		t.Errorf("%+v, %v", to, err)
	}
	for _, text := range []string{"", "127.0.0.1", "127.0.0.1:", "127.0.0:80", "127.0.0.256:80", "localhost:80", "127.0.0.1:0", "127.0.0.1:65536", "[::1]:80", "127.0.0.1:80:80"} {
		if to, err := inet4(text); err == nil {
			t.Errorf("%q is taken for %+v", text, to)
		}
	}
}

// A loop that has no place for others' sockets has its pool make the call, or
// is held by it.
func TestUpstreamOnALoopWithoutReadiness(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.ReadFull(c, make([]byte, len("GET / HTTP/1.1\r\nHost: "+l.Addr().String()+"\r\n\r\n")))
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\ndone\n")
			c.Close()
		}
	}()
	t.Setenv(upstreamVariable, l.Addr().String())
	a := New()
	pooled := 0
	pool := func(work func()) error { pooled++; work(); return nil }
	for _, loop := range []*Loop{{}, {Offload: pool}, {Offload: func(func()) error { return ErrGone }}} {
		w := &taken{}
		err := a.Serve(w, &Request{Method: "GET", Path: "/upstream", Body: strings.NewReader(""), Loop: loop})
		if gone := loop.Offload != nil && pooled > 0 && w.status == 0; gone {
			if err != ErrGone {
				t.Errorf("a client that has gone: %v", err)
			}
			continue
		}
		if err != nil || w.status != 200 || w.String() != "upstream says done\n" {
			t.Errorf("%d %q, %v", w.status, w.String(), err)
		}
	}
	if pooled != 1 {
		t.Errorf("the pool was asked %d times", pooled)
	}
}

// The poller that the server lends is asked for nothing but what is needed, and
// its deadline is the call's.
func TestUpstreamDeadlineOnALoop(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Setenv(upstreamVariable, l.Addr().String())
	var asked []time.Duration
	ready := func(_ int, write bool, d time.Duration) error {
		if write { // it connects
			time.Sleep(time.Millisecond)
			return nil
		}
		asked = append(asked, d)
		return os.ErrDeadlineExceeded
	}
	w := &taken{}
	err = New().Serve(w, &Request{Method: "GET", Path: "/upstream", Query: "timeout=60000", Body: strings.NewReader(""), Loop: &Loop{Ready: ready}})
	if err != nil || w.status != 504 || w.String() != "504 gateway timeout: no answer from the upstream within 60000 ms\n" {
		t.Errorf("%d %q, %v", w.status, w.String(), err)
	}
	if len(asked) != 1 || asked[0] <= 0 || asked[0] > time.Minute {
		t.Errorf("waits of %v", asked)
	}
}

// taken keeps an answer.
type taken struct {
	strings.Builder
	status int
}

func (w *taken) Start(status int, _ []Field) error { w.status = status; return nil }
func (w *taken) Flush() error                      { return nil }
