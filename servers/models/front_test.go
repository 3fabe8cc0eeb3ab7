package models_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Nothing with two readings gets through the front: it is refused, the
// connection is closed, and the instance hears nothing of it, whatever follows.
func TestFrontSmugglesNothing(t *testing.T) {
	u := newUpstream(t, says(saysOK))
	m := startFront(t, u)
	const hidden = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
	for name, raw := range map[string]string{
		"length and coding":           "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden,
		"coding and length":           "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n1\r\nZ\r\n0\r\n\r\n" + hidden,
		"two lengths":                 "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 37\r\n\r\n" + hidden,
		"two equal lengths":           "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n" + hidden,
		"a list of lengths":           "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0, 37\r\n\r\n" + hidden,
		"a signed length":             "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +0\r\n\r\n" + hidden,
		"a length in hex":             "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0x0\r\n\r\n" + hidden,
		"an empty length":             "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: \r\n\r\n" + hidden,
		"space before the colon":      "POST / HTTP/1.1\r\nHost: x\r\nContent-Length : 37\r\n\r\n" + hidden,
		"a folded field":              "POST / HTTP/1.1\r\nHost: x\r\nX: a\r\n Content-Length: 37\r\n\r\n" + hidden,
		"a field before the first":    "POST / HTTP/1.1\r\n Content-Length: 37\r\nHost: x\r\n\r\n" + hidden,
		"bare LF after the line":      "POST / HTTP/1.1\nHost: x\r\n\r\n" + hidden,
		"bare LF after a field":       "POST / HTTP/1.1\r\nHost: x\nContent-Length: 37\r\n\r\n" + hidden,
		"bare LF at the end":          "POST / HTTP/1.1\r\nHost: x\r\n\n" + hidden,
		"bare CR":                     "POST / HTTP/1.1\r\nHost: x\rContent-Length: 37\r\n\r\n" + hidden,
		"NUL in a field":              "GET / HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n" + hidden,
		"coding that is not chunked":  "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + hidden,
		"chunked twice":               "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n" + hidden,
		"chunked, then identity":      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + hidden,
		"two codings":                 "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + hidden,
		"a coding with a tab":         "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n" + hidden,
		"a coding in HTTP/1.0":        "POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden,
		"a chunk size with a sign":    "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n-0\r\n\r\n" + hidden,
		"a chunk size too large":      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000000\r\n\r\n" + hidden,
		"a chunk size in 0x":          "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n" + hidden,
		"a chunk ended by LF":         "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\nZ\r\n0\r\n\r\n" + hidden,
		"a chunk longer than it says": "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nZZ\r\n0\r\n\r\n" + hidden,
		"an extension with LF":        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;a\nb\r\nZ\r\n0\r\n\r\n" + hidden,
		"no Host":                     "GET / HTTP/1.1\r\n\r\n" + hidden,
		"two Hosts":                   "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n" + hidden,
		"a tab in the request line":   "GET\t/ HTTP/1.1\r\nHost: x\r\n\r\n" + hidden,
		"a space in the target":       "GET /a b HTTP/1.1\r\nHost: x\r\n\r\n" + hidden,
		"HTTP/0.9":                    "GET /\r\n" + hidden,
		"HTTP/2's preface":            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + hidden,
		"CONNECT":                     "CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n" + hidden,
	} {
		got := converse(t, m, raw)
		if !strings.HasPrefix(got, "HTTP/1.1 4") && !strings.HasPrefix(got, "HTTP/1.1 5") || strings.Count(got, "\r\nDate: ") != 1 {
			t.Errorf("%s: answered %.120q, want one refusal", name, got)
		}
		if seen := u.requests(); len(seen) > 0 {
			t.Fatalf("%s: the instance got %q", name, seen)
		}
	}
}

// What can be read in one way is passed on in one way: with one length or one
// coding, one Host, and nothing about the connection or of what only a proxy
// may say.
func TestFrontPassesOn(t *testing.T) {
	u := newUpstream(t, says(saysOK))
	m := startFront(t, u)
	for raw, want := range map[string]string{
		"GET /a%20b?x=%00 HTTP/1.1\r\nHost: lab.test\r\nX-One: 1\r\nx-two: 2\r\nConnection: close, X-One\r\n\r\n": "GET /a%20b?x=%00 HTTP/1.1\r\nHost: lab.test\r\n" +
			"X-Two: 2\r\nX-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\nVia: 1.1 front\r\n\r\n",
		"GET http://lab.test/abs?q HTTP/1.1\r\nHost: other\r\nConnection: close\r\n\r\n": "GET /abs?q HTTP/1.1\r\nHost: lab.test\r\n" +
			"X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\nVia: 1.1 front\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 10.0.0.1\r\nForwarded: for=10.0.0.1\r\nX-Real-IP: 10.0.0.1\r\nX_Under: 1\r\nProxy: evil\r\nTE: trailers\r\nUpgrade: h2c\r\nVia: 1.1 me\r\nConnection: close\r\n\r\n": "GET / HTTP/1.1\r\nHost: x\r\n" +
			"X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\nVia: 1.1 front\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n3;ext=1\r\nabc\r\n0\r\nX-T: t\r\n\r\n": "POST / HTTP/1.1\r\nHost: x\r\n" +
			"X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\nVia: 1.1 front\r\nContent-Length: 3\r\n\r\nabc",
		"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi": "POST / HTTP/1.1\r\nHost: x\r\n" +
			"X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\nVia: 1.1 front\r\nContent-Length: 2\r\n\r\nhi",
	} {
		before := len(u.requests())
		got := converse(t, m, raw)
		if !strings.Contains(got, "HTTP/1.1 200 OK\r\n") || !strings.HasSuffix(got, "\r\n\r\nok") {
			t.Errorf("%q: answered %q", raw, got)
		}
		if seen := u.requests()[before:]; len(seen) != 1 || seen[0] != want {
			t.Errorf("%q: passed on as %q, want %q", raw, seen, want)
		}
	}
}

// What tells what the instance is stays behind the front.
func TestFrontHides(t *testing.T) {
	u := newUpstream(t, says("HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\nHTTP/1.1 200 Fine\r\nServer: secret/1\r\nX-Powered-By: secret\r\nVia: 1.1 secret\r\n"+
		"X-Accel-Redirect: /secret\r\nKeep-Alive: timeout=5\r\nConnection: keep-alive, X-Own\r\nX-Own: secret\r\nX-Shown: yes\r\nTransfer-Encoding: chunked\r\n\r\n2;secret\r\nok\r\n0\r\nX-Trailer: secret\r\n\r\n"))
	m := startFront(t, u)
	got := converse(t, m, rawGet("/"))
	if strings.Contains(got, "secret") || strings.Contains(got, "103") || !strings.Contains(got, "X-Shown: yes\r\n") {
		t.Errorf("answered %q", got)
	}
}

// An answer with two readings is none, and one that ends too soon is not taken
// for a whole one.
func TestFrontRefusesBadAnswers(t *testing.T) {
	for name, raw := range map[string]string{
		"nothing":               "",
		"not HTTP":              "hello\r\n\r\n",
		"length and coding":     "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"two lengths":           "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nokk",
		"an unknown coding":     "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok",
		"bare LF":               "HTTP/1.1 200 OK\nContent-Length: 2\r\n\r\nok",
		"a folded field":        "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nok",
		"a switch nobody wants": "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
		"interim for ever":      strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 40),
		"a head without end":    "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 100<<10),
		"half a head":           "HTTP/1.1 200 OK\r\nContent-Le",
		"less than it says":     "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nok",
	} {
		u := newUpstream(t, func(_ *upstream, conn net.Conn, _, _ string) bool {
			_, _ = io.WriteString(conn, raw)
			return false
		})
		m := startFront(t, u)
		if got := converse(t, m, rawGet("/")); !strings.HasPrefix(got, "HTTP/1.1 502 ") {
			t.Errorf("%s: answered %.80q, want 502", name, got)
		}
		if n := len(u.requests()); n != 1 {
			t.Errorf("%s: asked %d times", name, n)
		}
	}
	for name, raw := range map[string]string{
		"chunks that end too soon":   "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
		"chunks that are none":       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\nzz\r\n",
		"a long body cut off":        "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nok",
		"the same, to an old client": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
	} {
		u := newUpstream(t, func(_ *upstream, conn net.Conn, _, _ string) bool {
			_, _ = io.WriteString(conn, raw)
			return false
		})
		m := startFront(t, u)
		request := rawGet("/")
		if strings.Contains(name, "old") {
			request = "GET / HTTP/1.0\r\n\r\n"
		}
		conn, in := m.send(t, request)
		b, err := io.ReadAll(in)
		conn.Close()
		proper := err == nil && (strings.Contains(string(b), "\r\n0\r\n\r\n") || !strings.Contains(string(b), "chunked") && !strings.Contains(string(b), "Content-Length"))
		if !strings.HasPrefix(string(b), "HTTP/1.") || proper {
			t.Errorf("%s: answered %q, %v, which looks whole", name, b, err)
		}
	}
}

func TestFrontLimits(t *testing.T) {
	u := newUpstream(t, says(saysOK))
	m := startFront(t, u, "max_header=2000", "max_body=100", "client_timeout=300ms", "idle=300ms")
	for name, c := range map[string]struct{ raw, want string }{
		"a large head":         {"GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 3000) + "\r\n\r\n", "HTTP/1.1 431 "},
		"a long target":        {"GET /" + strings.Repeat("x", 3000) + " HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 41"},
		"a large body":         {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 101\r\n\r\n", "HTTP/1.1 413 "},
		"one that is awaited":  {"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 101\r\n\r\n", "HTTP/1.1 413 "},
		"a large chunked body": {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n" + strings.Repeat("x", 101) + "\r\n0\r\n\r\n", "HTTP/1.1 413 "},
		"half a head":          {"GET / HTTP/1.1\r\nHo", "HTTP/1.1 408 "},
		"half a body":          {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf", "HTTP/1.1 408 "},
		"no request":           {"", ""},
	} {
		if got := converse(t, m, c.raw); !strings.HasPrefix(got, c.want) || c.want == "" && got != "" {
			t.Errorf("%s: answered %.60q, want %s", name, got, c.want)
		}
	}
	if seen := u.requests(); len(seen) > 0 {
		t.Errorf("the instance got %q", seen)
	}
}

func TestFrontTimeouts(t *testing.T) {
	wait := make(chan struct{})
	u := newUpstream(t, func(*upstream, net.Conn, string, string) bool { <-wait; return false })
	defer close(wait)
	m := startFront(t, u, "read_timeout=200ms")
	if got := converse(t, m, rawGet("/")); !strings.HasPrefix(got, "HTTP/1.1 504 ") {
		t.Errorf("a silent instance: answered %.60q, want 504", got)
	}
	dead := newUpstream(t, says(saysOK))
	dead.ln.Close()
	m = startFront(t, dead)
	if got := converse(t, m, rawGet("/")); !strings.HasPrefix(got, "HTTP/1.1 502 ") {
		t.Errorf("no instance: answered %.60q, want 502", got)
	}
}

// A client that goes away takes its request with it.
func TestFrontClientGone(t *testing.T) {
	wait := make(chan struct{})
	u := newUpstream(t, func(_ *upstream, conn net.Conn, _, _ string) bool {
		var b [1]byte
		_, err := conn.Read(b[:]) // until the front hangs up
		if err == nil {
			t.Error("the instance got more than the request")
		}
		close(wait)
		return false
	})
	m := startFront(t, u)
	conn, _ := m.send(t, "GET /hang HTTP/1.1\r\nHost: x\r\n\r\n")
	eventually(t, "the request at the instance", func() bool { return len(u.requests()) == 1 })
	conn.Close()
	<-wait
	eventually(t, "nothing in the front", func() bool { return m.board.Read().Queued == 0 })
}

// Requests that follow one another on a connection without waiting are
// answered in their order, one of them static and one refused.
func TestFrontPipelines(t *testing.T) {
	u := newUpstream(t, func(_ *upstream, conn net.Conn, head, _ string) bool {
		time.Sleep(30 * time.Millisecond) // so long that the client is being watched
		path := strings.Fields(head)[1]
		_, err := fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(path), path)
		return err == nil
	})
	m := startFront(t, u, "static=on")
	conn, in := m.send(t, "GET /one HTTP/1.1\r\nHost: x\r\n\r\n")
	eventually(t, "the first at the instance", func() bool { return len(u.requests()) == 1 })
	time.Sleep(20 * time.Millisecond)
	_, err := io.WriteString(conn, "GET /two HTTP/1.1\r\nHost: x\r\n\r\nGET /static/about.txt HTTP/1.1\r\nHost: x\r\n\r\nGET /three HTTP/1.1\r\nHost: x\r\n\r\nGET /four HTTP/1.1\r\n\r\n")
	check(t, err)
	for _, want := range []string{"/one", "/two", "", "/three", "400"} {
		resp, err := http.ReadResponse(in, nil)
		check(t, err)
		b, err := io.ReadAll(resp.Body)
		check(t, err)
		switch {
		case want == "400" && resp.StatusCode == 400:
		case want == "" && resp.StatusCode == 200 && len(b) > 0 && !strings.HasPrefix(string(b), "/"):
		case want == string(b):
		default:
			t.Errorf("got %d %q, want %q", resp.StatusCode, b, want)
		}
	}
	if n := len(u.requests()); n != 3 {
		t.Errorf("%d requests at the instance, want 3", n)
	}
}
