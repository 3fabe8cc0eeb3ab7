package load

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"gatewaylab/servers/process/processtest"
)

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"

// then follows one script after the other on one connection.
func then(scripts ...script) script {
	return func(t *testing.T, c net.Conn, in *bufio.Reader) {
		for _, s := range scripts {
			s(t, c, in)
		}
	}
}

func TestConnectionIsReusedOrNot(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		first string
		conns uint64
	}{
		"counted":     {ok, 1},
		"chunked":     {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nA: b\r\n\r\n", 1},
		"no content":  {"HTTP/1.1 204 No Content\r\n\r\n", 1},
		"close":       {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi", 2},
		"HTTP/1.0":    {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", 2},
		"extra bytes": {ok + "!", 2},
	} {
		t.Run(name, func(t *testing.T) {
			// The second answer on the connection and the first on another are
			// the same; the server never closes.
			tr := newTransport(t, patient)
			url := scripted(t, thenHold(then(answer(c.first), answer(ok))), thenHold(answer(ok)))
			for range 2 {
				if _, _, err := get(t, tr, url); err != nil {
					t.Fatal(err)
				}
			}
			if n := tr.Connections(); n != c.conns {
				t.Errorf("%d connections, want %d", n, c.conns)
			}
			if n := tr.Retries(); n != 0 {
				t.Errorf("%d retries", n)
			}
		})
	}
}

func TestUnreadBodyCostsTheConnection(t *testing.T) {
	tr := newTransport(t, patient)
	url := scripted(t, thenHold(answer("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhi")))
	req, _ := http.NewRequest("GET", url, nil)
	resp, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := resp.Body.Read(make([]byte, 1)); err != http.ErrBodyReadAfterClose {
		t.Errorf("read after close: %v", err)
	}
	if n := tr.pool.size(); n != 0 {
		t.Errorf("%d connections open", n)
	}
}

func TestRetry(t *testing.T) {
	t.Parallel()
	dies := func(*testing.T, net.Conn, *bufio.Reader) {}
	reads := func(t *testing.T, _ net.Conn, in *bufio.Reader) { takeRequest(t, in) }
	for _, c := range []struct {
		name, method string
		second       script // what the server does with the second request
		retries      uint64
		kind         string
	}{
		{"idle connection has died", "GET", dies, 1, ""},
		{"connection dies with the request", "GET", reads, 1, ""},
		{"twice is as good as once", "PUT", reads, 1, ""},
		{"a POST may have arrived", "POST", reads, 0, KindClosed},
		{"a byte has come", "GET", answer("H"), 0, KindClosed},
		{"rubbish has come", "GET", answer("rubbish\r\n\r\n"), 0, KindMalformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			tr := newTransport(t, patient)
			url := scripted(t, then(answer(ok), c.second), thenHold(answer(ok)))
			if _, _, err := get(t, tr, url); err != nil {
				t.Fatal(err)
			}
			_, _, err := do(t, tr, c.method, url, nil)
			if k := kindOf(err); k != c.kind {
				t.Errorf("kind %q, want %q: %v", k, c.kind, err)
			}
			if n := tr.Retries(); n != c.retries {
				t.Errorf("%d retries, want %d", n, c.retries)
			}
		})
	}
}

func TestNewConnectionIsNotRetried(t *testing.T) {
	tr := newTransport(t, patient)
	_, _, err := get(t, tr, scripted(t, answer()))
	if kindOf(err) != KindClosed || tr.Connections() != 1 {
		t.Errorf("%v, %d connections", err, tr.Connections())
	}
}

func TestPostAvoidsDeadConnections(t *testing.T) {
	tr := newTransport(t, patient)
	url := scripted(t, answer(ok), thenHold(answer(ok)))
	if _, _, err := get(t, tr, url); err != nil {
		t.Fatal(err)
	}
	var idle *conn
	for _, stack := range tr.pool.idle {
		idle = stack[0]
	}
	for end := time.Now().Add(patient); alive(idle.nc); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("a connection that the server closed seems alive")
		}
	}
	if _, _, err := do(t, tr, "POST", url, strings.NewReader("x")); err != nil {
		t.Error(err)
	}
}

func TestLastUsedConnectionIsUsedNext(t *testing.T) {
	var p pool
	a, b := &conn{addr: "x:1"}, &conn{addr: "x:1"}
	for _, c := range []*conn{a, b} {
		p.add(c)
		p.put(c)
	}
	if p.get("x:2") != nil || p.get("x:1") != b || p.get("x:1") != a || p.get("x:1") != nil {
		t.Error("not last in, first out")
	}
}

func TestTimeout(t *testing.T) {
	for name, s := range map[string]script{
		"no answer":    thenHold(answer()),
		"half a head":  thenHold(answer("HTTP/1.1 200 OK\r\nContent-")),
		"half a body":  thenHold(answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel")),
		"only interim": thenHold(answer("HTTP/1.1 100 Continue\r\n\r\n")),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := get(t, newTransport(t, 50*time.Millisecond), scripted(t, s))
			if kindOf(err) != KindTimeout {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestContext(t *testing.T) {
	for name, s := range map[string]script{
		"no answer":   thenHold(answer()),
		"half a body": thenHold(answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel")),
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			tr := newTransport(t, patient)
			req, _ := http.NewRequestWithContext(ctx, "GET", scripted(t, then(func(*testing.T, net.Conn, *bufio.Reader) {
				time.AfterFunc(20*time.Millisecond, cancel)
			}, s)), nil)
			resp, err := tr.RoundTrip(req)
			if err == nil {
				_, err = io.ReadAll(resp.Body)
			}
			if !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
			if n := tr.pool.size(); n != 0 {
				t.Errorf("%d connections open", n)
			}
		})
	}
}

func TestCloseCutsWhatIsUnderWay(t *testing.T) {
	tr := newTransport(t, patient)
	url := scripted(t, func(t *testing.T, _ net.Conn, in *bufio.Reader) {
		takeRequest(t, in)
		tr.Close()
		_, _ = io.Copy(io.Discard, in)
	})
	for range 2 { // the second finds it closed
		if _, _, err := get(t, tr, url); !errors.Is(err, errCut) {
			t.Errorf("got %v", err)
		}
	}
	if n := tr.Connections(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

func TestAnswerBeforeTheRequestIsSent(t *testing.T) {
	t.Parallel()
	body := strings.Repeat("x", 32<<20) // more than socket buffers hold
	for name, stream := range map[string]io.Reader{
		"counted": strings.NewReader(body),
		"chunked": struct{ io.Reader }{strings.NewReader(body)},
	} {
		t.Run(name, func(t *testing.T) {
			tr := newTransport(t, patient)
			hold := make(chan struct{})
			defer close(hold)
			url := scripted(t, func(_ *testing.T, c net.Conn, in *bufio.Reader) {
				if _, err := http.ReadRequest(in); err == nil { // the body stays unread
					_, _ = io.WriteString(c, "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
				}
				<-hold
			})
			resp, got, err := do(t, tr, "POST", url, stream)
			if err != nil || resp.StatusCode != 413 || got != "no" {
				t.Errorf("%v %q", err, got)
			}
			if n := tr.pool.size(); n != 0 {
				t.Errorf("%d connections kept", n)
			}
		})
	}
}

func TestAnswerAndCloseWithoutReading(t *testing.T) {
	tr := newTransport(t, patient)
	url := scripted(t, func(_ *testing.T, c net.Conn, in *bufio.Reader) {
		if _, err := http.ReadRequest(in); err == nil {
			_, _ = io.WriteString(c, "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy")
			_ = c.(*net.TCPConn).CloseWrite()
		}
		_, _ = io.Copy(io.Discard, in)
	})
	resp, got, err := do(t, tr, "POST", url, strings.NewReader(strings.Repeat("x", 4<<20)))
	if err != nil || resp.StatusCode != 503 || got != "busy" {
		t.Errorf("%v %q", err, got)
	}
}

func TestKinds(t *testing.T) {
	t.Run(KindRefused, func(t *testing.T) {
		_, _, err := get(t, newTransport(t, patient), "http://"+processtest.Address(t))
		if kindOf(err) != KindRefused {
			t.Error(err)
		}
	})
	t.Run(KindReset, func(t *testing.T) {
		_, _, err := get(t, newTransport(t, patient), scripted(t, func(t *testing.T, c net.Conn, in *bufio.Reader) {
			takeRequest(t, in)
			_ = c.(*net.TCPConn).SetLinger(0)
		}))
		if kindOf(err) != KindReset {
			t.Error(err)
		}
	})
	for err, want := range kinds() {
		if k := kindOf(err); k != want {
			t.Errorf("%v is %q, want %q", err, k, want)
		}
	}
	for code, want := range map[int]string{101: "status 101", 200: "", 302: "", 399: "", 400: "status 400", 503: "status 503"} {
		if k := kindOfCode(code); k != want {
			t.Errorf("%d is %q, want %q", code, k, want)
		}
	}
}

func TestNoProxy(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://192.0.2.1:9")
	t.Setenv("http_proxy", "http://192.0.2.1:9")
	if _, _, err := get(t, newTransport(t, patient), scripted(t, answer(ok))); err != nil {
		t.Error(err)
	}
}

func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		_, _ = w.Write(b)
	}))
	defer srv.Close()
	tr := newTransport(t, patient)
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			body := strings.Repeat(string(rune('a'+i)), 1+i*3000)
			for range 20 {
				_, got, err := do(t, tr, "POST", srv.URL, strings.NewReader(body))
				if err != nil || got != body {
					t.Errorf("%v, %d bytes of %d", err, len(got), len(body))
				}
			}
		})
	}
	all.Wait()
	if n := tr.Connections(); n > 20 {
		t.Errorf("%d connections for 20 clients", n)
	}
	tr.CloseIdleConnections()
	if n := tr.pool.size(); n != 0 {
		t.Errorf("%d connections open", n)
	}
	if _, _, err := get(t, tr, srv.URL); err != nil {
		t.Errorf("after closing the idle ones: %v", err)
	}
}
