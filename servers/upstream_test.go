//go:build unix

package servers_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gatewaylab/servers"
)

// An otherService is what a test has the application call. It does to each call
// what it was told last.
type otherService struct {
	net.Listener
	mu       sync.Mutex
	behave   func(net.Conn, *http.Request)
	accepted int
	calls    int
	last     *http.Request
	talking  sync.WaitGroup
}

func newOtherService(t *testing.T) *otherService {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &otherService{Listener: l}
	var conns []net.Conn
	s.talking.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.accepted++
			conns = append(conns, c)
			s.mu.Unlock()
			s.talking.Go(func() { s.talk(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		s.mu.Lock()
		for _, c := range conns {
			c.Close()
		}
		s.mu.Unlock()
		s.talking.Wait()
	})
	return s
}

func (s *otherService) talk(c net.Conn) {
	defer c.Close()
	in := bufio.NewReader(c)
	for {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		s.mu.Lock()
		s.calls++
		s.last = r
		behave := s.behave
		s.mu.Unlock()
		behave(c, r)
	}
}

func (s *otherService) set(behave func(net.Conn, *http.Request)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.behave = behave
}

func (s *otherService) seen() (accepted, calls int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accepted, s.calls
}

func says(text string) func(net.Conn, *http.Request) {
	return func(c net.Conn, _ *http.Request) { _, _ = io.WriteString(c, text) }
}

func hangsUp(c net.Conn, _ *http.Request) { c.Close() }

func resets(c net.Conn, _ *http.Request) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	c.Close()
}

const wellAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwell\n"

// What a service can do to its caller, and what the caller's client is told.
var behaviours = []struct {
	name   string
	behave func(net.Conn, *http.Request)
	target string
	status int
	body   string
}{
	{"well", says(wellAnswer), "/upstream?timeout=60000", 200, "upstream says well\n"},
	{"again", says(wellAnswer), "/upstream?timeout=60000", 200, "upstream says well\n"},
	{"in pieces", func(c net.Conn, _ *http.Request) {
		for piece := range strings.SplitSeq("HTTP/1.1 2|00 OK\r\ncontent-length:  5\r|\n\r\nwe|ll\n", "|") {
			_, _ = io.WriteString(c, piece)
			time.Sleep(5 * time.Millisecond)
		}
	}, "/upstream?timeout=60000", 200, "upstream says well\n"},
	{"empty", says("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), "/upstream?timeout=60000", 200, "upstream says "},
	{"large", says("HTTP/1.1 200 OK\r\nContent-Length: 65536\r\n\r\n" + strings.Repeat("x", 65535) + "\n"), "/upstream?timeout=60000", 200, "upstream says " + strings.Repeat("x", 65535) + "\n"},
	{"failing", says("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 7\r\n\r\nfailed\n"), "/upstream?timeout=60000", 502, "502 bad gateway: the upstream answered 503\n"},
	{"a gateway too", says("HTTP/1.1 504 Gateway Timeout\r\nContent-Length: 0\r\n\r\n"), "/upstream?timeout=60000", 502, "502 bad gateway: the upstream answered 504\n"},
	{"hanging up", hangsUp, "/upstream?timeout=60000", 502, "502 bad gateway: the upstream closed the connection in place of an answer\n"},
	{"resetting", resets, "/upstream?timeout=60000", 502, "502 bad gateway: the upstream closed the connection in place of an answer\n"},
	{"cut off", func(c net.Conn, _ *http.Request) { _, _ = io.WriteString(c, wellAnswer[:len(wellAnswer)-2]); c.Close() },
		"/upstream?timeout=60000", 502, "502 bad gateway: the upstream closed the connection in place of an answer\n"},
	{"without a length", says("HTTP/1.1 200 OK\r\n\r\nhm"), "/upstream?timeout=60000", 502, "502 bad gateway: the upstream answered what is no HTTP\n"},
	{"beyond bounds", says("HTTP/1.1 200 OK\r\nContent-Length: 65537\r\n\r\n"), "/upstream?timeout=60000", 502, "502 bad gateway: the upstream answered what is no HTTP\n"},
	{"no HTTP", says("220 lab ESMTP\r\n\r\n"), "/upstream?timeout=60000", 502, "502 bad gateway: the upstream answered what is no HTTP\n"},
	{"silent", func(net.Conn, *http.Request) {}, "/upstream?timeout=30", 504, "504 gateway timeout: no answer from the upstream within 30 ms\n"},
	{"well after all", says(wellAnswer), "/upstream?timeout=60000", 200, "upstream says well\n"},
	{"saying goodbye", func(c net.Conn, _ *http.Request) {
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nwell\n")
		c.Close()
	}, "/upstream?timeout=60000", 200, "upstream says well\n"},
	{"well at last", says(wellAnswer), "/upstream?timeout=60000", 200, "upstream says well\n"},
}

// A client of the other service is in all that runs an application; the real
// programs' are a few, and those on an event loop are theirs alone.
func TestUpstream(t *testing.T) {
	t.Parallel()
	var specs []string
	for _, m := range builtins() {
		specs = append(specs, m.Name)
	}
	specs = append(specs, "fastcgi:mpx=on", "gunicorn", "gunicorn:class=gevent", "gunicorn:class=eventlet", "uvicorn", "uvicorn:loop=asyncio", "tornado", "apache:app=c", "lighttpd:mod=fastcgi")
	for _, spec := range specs {
		t.Run(spec, func(t *testing.T) {
			t.Parallel()
			needs(t, spec)
			callsAnother(t, spec)
		})
	}
}

func callsAnother(t *testing.T, spec string) {
	other := newOtherService(t)
	inst := stopped(t, spec, launchAs(t, spec, servers.Launch{Environ: []string{"GATEWAYLAB_UPSTREAM=" + other.Addr().String()}}))
	for _, b := range behaviours {
		other.set(b.behave)
		for _, method := range []string{"GET", "HEAD"} {
			resp, body, err := ask(t.Context(), method, inst.URL()+b.target, nil)
			want := b.body
			if method == "HEAD" {
				want = ""
			}
			if err != nil || resp.StatusCode != b.status || body != want {
				t.Errorf("%s, %s: %v %.100q, %v; want %d %.100q", b.name, method, resp, body, err, b.status, want)
			}
		}
	}
	if r := other.last; r.Method != "GET" || r.URL.Path != "/" || r.Host != other.Addr().String() {
		t.Errorf("it was asked %s %s of %s", r.Method, r.URL, r.Host)
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	// Connections that were kept still serve; a new one can't be had.
	for {
		resp, body, err := ask(t.Context(), "GET", inst.URL()+"/upstream?timeout=60000", nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode == 502 && body == "502 bad gateway: the upstream can't be reached\n" {
			break
		}
		if resp.StatusCode != 200 && resp.StatusCode != 502 {
			t.Fatalf("after its end: %s %q", resp.Status, body)
		}
		other.set(hangsUp)
	}
}

// Connections are kept from call to call, where a process lives that long.
func TestUpstreamConnectionsAreKept(t *testing.T) {
	t.Parallel()
	for spec, most := range map[string]int{
		"serial": 1, "prefork:workers=2": 2, "threads:workers=1,threads=4": 4, "eventloop": 1, "async": 1, "cgi": 20,
	} {
		t.Run(spec, func(t *testing.T) {
			t.Parallel()
			other := newOtherService(t)
			other.set(says(wellAnswer))
			inst := stopped(t, spec, launchAs(t, spec, servers.Launch{Environ: []string{"GATEWAYLAB_UPSTREAM=" + other.Addr().String()}}))
			for range 20 {
				if resp, _, err := ask(t.Context(), "GET", inst.URL()+"/upstream?timeout=60000", nil); err != nil || resp.StatusCode != 200 {
					t.Fatal(resp, err)
				}
			}
			if accepted, calls := other.seen(); calls != 20 || accepted > most || spec == "cgi" && accepted < 20 {
				t.Errorf("%d calls on %d connections, want 20 on %d at most", calls, accepted, most)
			}
		})
	}
}

// Where one process has many requests, a call holds up none of the others; where
// a worker has one, it holds the worker.
func TestUpstreamCallHoldsWhatItShould(t *testing.T) {
	t.Parallel()
	for spec, holds := range map[string]bool{
		"serial": true, "prefork:workers=1": true, "threads:workers=1,threads=1": true, "eventloop": false, "async": false, "threads:workers=1,threads=2": false,
	} {
		t.Run(spec, func(t *testing.T) {
			t.Parallel()
			other := newOtherService(t)
			release := make(chan struct{})
			other.set(func(c net.Conn, _ *http.Request) {
				<-release
				_, _ = io.WriteString(c, wellAnswer)
			})
			inst := stopped(t, spec, launchAs(t, spec, servers.Launch{Environ: []string{"GATEWAYLAB_UPSTREAM=" + other.Addr().String()}}))
			called := make(chan outcome, 1)
			go func() { called <- get(t.Context(), inst, "/upstream?timeout=60000") }()
			eventually(t, "the call", func() bool { _, n := other.seen(); return n == 1 })
			beside, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			if holds {
				beside, cancel = context.WithTimeout(t.Context(), 300*time.Millisecond)
			}
			defer cancel()
			if got := get(beside, inst, "/hello"); holds != errors.Is(got.err, context.DeadlineExceeded) {
				t.Errorf("another request meanwhile: %+v", got)
			}
			close(release)
			if got := <-called; got.status != 200 {
				t.Errorf("the call: %+v", got)
			}
		})
	}
}

// On the loop a client that has gone takes its call along, and frees the socket.
func TestUpstreamCallOfAClientThatLeaves(t *testing.T) {
	t.Parallel()
	other := newOtherService(t)
	left := make(chan struct{}, 1)
	other.set(func(c net.Conn, _ *http.Request) {
		_, _ = c.Read(make([]byte, 1)) // its end
		left <- struct{}{}
	})
	inst := stopped(t, "eventloop", launchAs(t, "eventloop", servers.Launch{Environ: []string{"GATEWAYLAB_UPSTREAM=" + other.Addr().String()}}))
	ctx, leave := context.WithCancel(t.Context())
	go func() { _ = get(ctx, inst, "/upstream?timeout=60000") }()
	eventually(t, "the call", func() bool { _, n := other.seen(); return n == 1 })
	leave()
	<-left
	other.set(says(wellAnswer))
	if got := get(t.Context(), inst, "/upstream?timeout=60000"); got.status != 200 {
		t.Errorf("afterwards: %+v", got)
	}
}

// The lab's own service does what its settings say, is counted apart and goes
// with the server.
func TestBackingService(t *testing.T) {
	b, err := servers.NewBacking("upstream", []servers.Setting{{Key: "delay", Value: "20ms"}, {Key: "failures", Value: "100%"}})
	if err != nil {
		t.Fatal(err)
	}
	inst := launchAs(t, "async", servers.Launch{Services: []servers.Backing{b}, Seed: 1})
	s := inst.Services()
	if len(s) != 1 || s[0].String() != "20ms, failures 100%" || s[0].Wait() != 20*time.Millisecond {
		t.Fatalf("services %+v", s)
	}
	ours := s[0].PIDs()
	if len(ours) != 1 || slices.Contains(inst.PIDs(), ours[0]) {
		t.Errorf("processes of the service %v, of the model %v", ours, inst.PIDs())
	}
	begun := time.Now()
	if got := get(t.Context(), inst, "/upstream?timeout=60000"); got.status != 502 || time.Since(begun) < 20*time.Millisecond {
		t.Errorf("%+v after %s", got, time.Since(begun))
	}
	r, err := s[0].Read(t.Context())
	if err != nil || r.Counts.Calls != 1 || r.Counts.Failed != 1 || r.Counts.Worked != 20*time.Millisecond || r.Memory == 0 {
		t.Errorf("reading %+v, %v", r, err)
	}
	if err := syscall.Kill(ours[0], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "its end being seen", func() bool {
		_, err := s[0].Read(t.Context())
		return err != nil
	})
	if got := get(t.Context(), inst, "/upstream?timeout=60000"); got.status != 502 {
		t.Errorf("without the service: %+v", got)
	}
	if err := inst.Close(10 * time.Second); err != nil {
		t.Error(err)
	}
}

func TestBackingRefuses(t *testing.T) {
	for _, tc := range []struct{ service, key, value, want string }{
		{"upstrem", "delay", "1ms", "did you mean upstream?"},
		{"upstream", "delays", "1ms", "did you mean delay?"},
		{"upstream", "delay", "soon", "expected a time such as"},
		{"upstream", "rate", "fast", "expected a rate"},
	} {
		if _, err := servers.NewBacking(tc.service, []servers.Setting{{Key: tc.key, Value: tc.value}}); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s %s=%s: %v, want %q", tc.service, tc.key, tc.value, err, tc.want)
		}
	}
	b, err := servers.NewBacking("upstream", []servers.Setting{{Key: "delay", Value: "exp 50ms"}, {Key: "places", Value: "8"}, {Key: "rate", Value: "500/s"}})
	if err != nil || b.Limit() != 160 || b.Wait() != 50*time.Millisecond || b.Route() != "/upstream" {
		t.Errorf("%+v: limit %g, wait %s, %v", b, b.Limit(), b.Wait(), err)
	}
}
