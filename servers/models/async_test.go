package models_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"gatewaylab/servers/app"
	"gatewaylab/servers/process"
)

func startAsync(t *testing.T, options ...string) *running {
	t.Helper()
	return startModel(t, "async", os.Args[0], append([]string{"keepalive=60s", "timeout=30s", "backlog=128", "tls=off", "connections=0", "keepalive_requests=0"}, options...)...)
}

// ask sends a request on a kept connection and reads its answer.
func ask(t *testing.T, conn net.Conn, r *bufio.Reader, raw string) *http.Response {
	t.Helper()
	_, err := io.WriteString(conn, raw)
	check(t, err)
	resp, err := http.ReadResponse(r, nil)
	check(t, err)
	return resp
}

func TestAsyncKeepsConnectionsAndShowsThem(t *testing.T) {
	m := startAsync(t)
	conn, r := m.send(t, "")
	for i := range 3 {
		resp := ask(t, conn, r, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
		b, err := io.ReadAll(resp.Body)
		check(t, err)
		if string(b) != "hello\n" {
			t.Fatalf("answer %q", b)
		}
		eventually(t, "an idle slot", func() bool {
			st := m.board.Read()
			return len(st.Slots) == 1 && st.Busy() == 0 && st.Served == uint64(i+1) && st.Slots[0].PID == m.cmd.Process.Pid
		})
	}
	_, err := io.WriteString(conn, "GET /hang HTTP/1.1\r\nHost: a\r\n\r\n")
	check(t, err)
	eventually(t, "a busy slot", func() bool { return m.board.Read().Busy() == 1 })
	check(t, conn.Close()) // ends /hang
	eventually(t, "no slot", func() bool { return len(m.board.Read().Slots) == 0 })
}

func TestAsyncServesSideBySide(t *testing.T) {
	m := startAsync(t)
	const many = 50
	for range many {
		m.send(t, rawGet("/hang"))
	}
	eventually(t, "all in progress", func() bool { return m.board.Read().Busy() == many })
	if status, _ := get(t, m.url("/hello")); status != 200 {
		t.Errorf("status %d", status)
	}
}

func TestAsyncUnslotted(t *testing.T) {
	m := startAsync(t)
	for range process.BoardSlots {
		if m.board.Claim(1) == nil {
			t.Fatal("the board is full early")
		}
	}
	conn, _ := m.send(t, rawGet("/hang"))
	eventually(t, "one without a slot", func() bool { return m.board.Read().Unslotted == 1 })
	check(t, conn.Close())
	eventually(t, "none without a slot", func() bool { return m.board.Read().Unslotted == 0 })
}

func TestAsyncLimits(t *testing.T) {
	t.Parallel()
	m := startAsync(t, "timeout=200ms", "keepalive=200ms")
	for name, raw := range map[string]string{
		"slow head": "GET /hello HTTP/1.1\r\nHost:",
		"slow body": "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n123",
		"idle":      "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n",
		// The body of a request that doesn't want one is waited for, but not for long.
		"unwanted body": "GET /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n123",
		"endless head":  "GET /hello HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", 100<<10),
	} {
		_, r := m.send(t, raw)
		if _, err := io.ReadAll(r); isTimeout(err) {
			t.Errorf("%s: the connection is not closed", name)
		}
	}
	eventually(t, "no slot", func() bool { return len(m.board.Read().Slots) == 0 })
}

func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}

// One who sends a byte now and then is as bad as one who sends none.
func TestAsyncTrickle(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]string{
		"head": "GET /hello HTTP/1.1\r\nX: ",
		"body": "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n",
	} {
		m := startAsync(t, "timeout=300ms")
		conn, r := m.send(t, begin)
		over := make(chan struct{})
		go func() {
			defer close(over)
			_, _ = io.Copy(io.Discard, r)
		}()
		sent := 0
		for end := time.Now().Add(patience); ; sent++ {
			select {
			case <-over:
			case <-time.After(20 * time.Millisecond):
				if time.Now().After(end) {
					t.Fatalf("%s: still waited for after %d bytes", name, sent)
				}
				_, _ = io.WriteString(conn, "x") // the end comes in between
				continue
			}
			break
		}
		eventually(t, "no slot", func() bool { return len(m.board.Read().Slots) == 0 })
	}
}

// Who asks and takes nothing is not waited for longer than that.
func TestAsyncUnreadAnswer(t *testing.T) {
	t.Parallel()
	m := startAsync(t, "timeout=100ms")
	conn, _ := m.send(t, "")
	stuck := make(chan struct{})
	go func() { // until the connection is reset
		defer close(stuck)
		for err := error(nil); err == nil; {
			_, err = io.WriteString(conn, "GET /bytes?n=500 HTTP/1.1\r\nHost: a\r\n\r\n")
		}
	}()
	eventually(t, "some served, the client given up", func() bool {
		st := m.board.Read()
		return st.Served > 0 && len(st.Slots) == 0
	})
	check(t, conn.Close())
	<-stuck
}

func TestAsyncConnections(t *testing.T) {
	m := startAsync(t, "connections=2", "keepalive_requests=2")
	first, r := m.send(t, "")
	ask(t, first, r, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
	m.send(t, rawGet("/hang"))
	eventually(t, "a request that hangs", func() bool { return m.board.Read().Busy() == 1 })
	_, waiting := m.send(t, rawGet("/hello")) // connected by the kernel, and no more than that
	resp := ask(t, first, bufio.NewReader(first), "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
	if !resp.Close {
		t.Error("the connection's second request is not its last")
	}
	// Now there is room.
	if resp, err := http.ReadResponse(waiting, nil); err != nil || resp.StatusCode != 200 {
		t.Errorf("%v, %v", resp, err)
	}
	if n := len(m.board.Read().Slots); n > 2 {
		t.Errorf("%d connections", n)
	}
}

func TestAsyncUnwantedBody(t *testing.T) {
	m := startAsync(t)
	conn, r := m.send(t, "")
	small := "POST /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n12345"
	for range 2 { // drained: the connection goes on
		resp := ask(t, conn, r, small)
		_, err := io.Copy(io.Discard, resp.Body)
		check(t, err)
		if resp.StatusCode != 405 || resp.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("status %d, Allow %q", resp.StatusCode, resp.Header.Get("Allow"))
		}
	}
	// More than anyone would drain: answered and closed.
	resp := ask(t, conn, r, "GET /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n")
	if resp.StatusCode != 200 || !resp.Close {
		t.Errorf("status %d, close %v", resp.StatusCode, resp.Close)
	}
}

func TestAsyncStops(t *testing.T) {
	t.Parallel()
	t.Run("SIGTERM", func(t *testing.T) {
		t.Parallel()
		m := startAsync(t)
		_, r := m.send(t, rawGet("/stream?chunks=20&every=50"))
		line, err := r.ReadString('\n')
		check(t, err)
		idle, idleReader := m.send(t, "")
		ask(t, idle, idleReader, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
		m.signal(t, sigterm)
		rest, err := io.ReadAll(r)
		check(t, err)
		if !bytes.Contains(rest, []byte("chunk 20 of 20\n")) {
			t.Errorf("cut off: %q%q", line, rest)
		}
		check(t, m.wait(t))
	})
	for name, secure := range map[string]string{"SIGTERM, nothing said": "tls=off", "SIGTERM, no handshake": "tls=on"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := startAsync(t, secure, "timeout=1h")
			m.send(t, "")
			eventually(t, "a connection", func() bool { return len(m.board.Read().Slots) == 1 })
			m.signal(t, sigterm)
			check(t, m.wait(t))
		})
	}
	for name, stop := range map[string]func(*testing.T, *running){
		"SIGINT":   func(t *testing.T, m *running) { m.signal(t, os.Interrupt) },
		"orphaned": func(t *testing.T, m *running) { check(t, m.lab.Close()) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := startAsync(t)
			m.send(t, rawGet("/hang"))
			eventually(t, "a busy slot", func() bool { return m.board.Read().Busy() == 1 })
			begun := time.Now()
			stop(t, m)
			check(t, m.wait(t))
			if d := time.Since(begun); d > patience/2 {
				t.Errorf("took %s", d)
			}
		})
	}
	t.Run("crash", func(t *testing.T) {
		m := startAsync(t)
		m.send(t, rawGet("/crash"))
		err := m.wait(t)
		if want := fmt.Sprintf("exit status %d", app.CrashStatus); err == nil || err.Error() != want {
			t.Errorf("ended with %v, want %s", err, want)
		}
		if !strings.Contains(m.log.String(), "app: crash was asked for") {
			t.Error("nothing on stderr")
		}
	})
}

// The same request must be answered with the same bytes, whichever way it
// took to the application.
func TestModelsAgree(t *testing.T) {
	models := map[string]*running{
		"async": startAsync(t),
		"cgi":   startCGI(t, buildLabapp(t)),
	}
	head := "Host: lab.test\r\nUser-Agent: x\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nX-Two: 1\r\nx-two: 2\r\nCookie: a=1\r\nCookie: b=2\r\n" +
		"Authorization: Basic x\r\nProxy: y\r\nX_Under: 1\r\nX.Dot: 1\r\nTE: trailers\r\nX-Empty:\r\nX-Tab: a\tb\r\n"
	var requests []string
	for _, target := range []string{
		"/", "/hello", "/wait?ms=1", "/cpu?units=1", "/mixed?ms=1&units=1", "/locked?wait=1&hold=1", "/echo?a=b%20c&d", "/echo?", "/echo/x", "/stream?chunks=3&every=1ms",
		"/bytes?n=200000", "/bytes?n=0", "/static/", "/static/style.css", "/static/../hello", "/static/%2e%2e/hello", "/leak?mib=1", "/wait?ms=soon", "/ws", "//hello", "/%0d%0aX:y",
	} {
		for _, method := range []string{"GET", "HEAD", "DELETE"} {
			requests = append(requests, method+" "+target+" HTTP/1.1\r\n"+head+"\r\n")
		}
	}
	for _, body := range []string{"Content-Length: 0\r\n\r\n", "Content-Length: 4\r\nContent-Type: text/x\r\n\r\nbody",
		"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"} {
		requests = append(requests, "POST /upload HTTP/1.1\r\n"+head+body, "POST /echo HTTP/1.1\r\n"+head+body, "PUT /hello HTTP/1.1\r\n"+head+body)
	}
	for _, raw := range requests {
		line, _, _ := strings.Cut(raw, "\r\n")
		method, _, _ := strings.Cut(raw, " ")
		answers := map[string]string{}
		for name, m := range models {
			_, r := m.send(t, raw)
			resp, err := http.ReadResponse(r, &http.Request{Method: method})
			check(t, err)
			body, err := io.ReadAll(resp.Body)
			check(t, err)
			resp.Header.Del("Date")
			answers[name] = fmt.Sprintf("%d %d %v\n%s", resp.StatusCode, resp.ContentLength, resp.Header, body)
		}
		if answers["cgi"] != answers["async"] {
			t.Errorf("%s\nasync: %.600s\ncgi:   %.600s", line, answers["async"], answers["cgi"])
		}
	}
	models["cgi"].idle(t)
	if log := models["cgi"].log.String(); log != "" {
		t.Errorf("the CGI host complains:\n%s", log)
	}
}
