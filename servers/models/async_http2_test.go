package models_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"gatewaylab/servers/process"
)

// http2Only is a client that speaks HTTP/2 and nothing else, which takes any
// certificate.
func http2Only(t *testing.T) *http.Client {
	t.Helper()
	p := new(http.Protocols)
	p.SetHTTP2(true)
	p.SetUnencryptedHTTP2(true)
	tr := &http.Transport{Protocols: p, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: patience}
}

func (m *running) secure(target string) string { return "https://" + m.addr + target }

// fetch does a request and returns the answer with its body read.
func fetch(t *testing.T, c *http.Client, method, url, body string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	check(t, err)
	resp, err := c.Do(req)
	check(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	check(t, err)
	return resp, string(b)
}

func TestAsyncSpeaksHTTP2(t *testing.T) {
	for name, tc := range map[string]struct{ option, scheme string }{
		"prior knowledge": {"tls=off", "http://"},
		"ALPN":            {"tls=on", "https://"},
	} {
		t.Run(name, func(t *testing.T) {
			m := startAsync(t, tc.option)
			c := http2Only(t)
			base := tc.scheme + m.addr
			for i := range 3 {
				resp, body := fetch(t, c, "GET", base+"/hello", "")
				if resp.ProtoMajor != 2 || body != "hello\n" {
					t.Fatalf("%s: %q", resp.Proto, body)
				}
				eventually(t, "one idle slot", func() bool {
					st := m.board.Read()
					return len(st.Slots) == 1 && st.Busy() == 0 && st.Served == uint64(i+1)
				})
			}
			if _, body := fetch(t, c, "POST", base+"/upload", strings.Repeat("x", 1<<20)); !strings.HasPrefix(body, "bytes 1048576\n") {
				t.Errorf("upload: %q", body)
			}
			if _, body := fetch(t, c, "GET", base+"/stream?chunks=3&every=1", ""); !strings.HasSuffix(body, "chunk 3 of 3\n") {
				t.Errorf("stream: %q", body)
			}
			resp, _ := fetch(t, c, "GET", base+"/ws", "")
			if resp.StatusCode != 426 || resp.Header["Upgrade"] != nil || resp.Header["Connection"] != nil {
				t.Errorf("/ws: %s, %v", resp.Status, resp.Header)
			}
			c.CloseIdleConnections()
			eventually(t, "no slot", func() bool { return len(m.board.Read().Slots) == 0 })
		})
	}
}

// Each request has a slot for itself, on however few connections they come.
func TestAsyncShowsEachStream(t *testing.T) {
	for name, full := range map[string]bool{"slots": false, "no slots left": true} {
		t.Run(name, func(t *testing.T) {
			m := startAsync(t)
			taken := 0
			for ; full && m.board.Claim(1) != nil; taken++ {
			}
			c := http2Only(t)
			fetch(t, c, "GET", m.url("/hello"), "") // the connection is there
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			const many = 8
			var all sync.WaitGroup
			defer all.Wait()
			for range many {
				all.Go(func() {
					req, err := http.NewRequestWithContext(ctx, "GET", m.url("/hang"), nil)
					if err == nil {
						var resp *http.Response
						if resp, err = c.Do(req); err == nil {
							resp.Body.Close()
						}
					}
					if ctx.Err() == nil {
						t.Errorf("/hang ended: %v", err)
					}
				})
			}
			eventually(t, "all in progress", func() bool {
				st := m.board.Read()
				return st.Busy() == many && (full || len(st.Slots) == many) && (!full || st.Unslotted == many)
			})
			cancel()
			eventually(t, "only the connection's slot", func() bool {
				st := m.board.Read()
				return st.Busy() == 0 && st.Unslotted == 0 && (full || len(st.Slots) == 1)
			})
			c.CloseIdleConnections()
			eventually(t, "no slot", func() bool { return len(m.board.Read().Slots) == min(taken, process.BoardSlots) })
		})
	}
}

// The slot of a connection that has gone belongs to whoever takes it next.
func TestAsyncStreamOutlivesConnection(t *testing.T) {
	t.Parallel()
	m := startAsync(t)
	c := http2Only(t)
	conns := make(chan net.Conn, 1)
	c.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		conns <- conn
		return conn, err
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		if resp, err := c.Get(m.url("/cpu?units=3000")); err == nil {
			resp.Body.Close()
		}
	}()
	eventually(t, "the request in progress", func() bool { return m.board.Read().Busy() == 1 })
	check(t, (<-conns).Close())
	<-gone
	if status, _ := get(t, m.url("/hello")); status != 200 {
		t.Errorf("status %d", status)
	}
	eventually(t, "no slot, two served", func() bool {
		st := m.board.Read()
		return len(st.Slots) == 0 && st.Served == 2
	})
}

// A body that stops coming ends its request and not those beside it.
func TestAsyncHTTP2Stall(t *testing.T) {
	t.Parallel()
	m := startAsync(t, "timeout=200ms")
	c := http2Only(t)
	beside := make(chan string, 1)
	resp, err := c.Get(m.url("/stream?chunks=20&every=50"))
	check(t, err)
	defer resp.Body.Close()
	go func() {
		b, _ := io.ReadAll(resp.Body)
		beside <- string(b)
	}()
	body, feed := io.Pipe()
	defer feed.Close()
	go func() { _, _ = io.WriteString(feed, "123") }()
	stalled, err := c.Post(m.url("/upload"), "text/plain", body)
	check(t, err)
	stalled.Body.Close()
	if stalled.StatusCode != http.StatusRequestTimeout {
		t.Errorf("stalled: %s", stalled.Status)
	}
	if b := <-beside; !strings.HasSuffix(b, "chunk 20 of 20\n") {
		t.Errorf("beside: %q", b)
	}
	if n := len(m.board.Read().Slots); n != 1 {
		t.Errorf("%d slots; the connection should have been kept", n)
	}
}

func TestAsyncTLS(t *testing.T) {
	m := startAsync(t, "tls=on")
	first := startAsync(t, "tls=on")
	keys := map[string]bool{}
	for _, addr := range []string{m.addr, first.addr} {
		for _, offered := range []string{"h2", "http/1.1", ""} {
			config := &tls.Config{InsecureSkipVerify: true}
			if offered != "" {
				config.NextProtos = []string{offered}
			}
			conn, err := tls.Dial("tcp", addr, config)
			check(t, err)
			state := conn.ConnectionState()
			check(t, conn.Close())
			if state.NegotiatedProtocol != offered {
				t.Errorf("offered %q, got %q", offered, state.NegotiatedProtocol)
			}
			leaf := state.PeerCertificates[0]
			keys[string(leaf.RawSubjectPublicKeyInfo)] = true
			for _, host := range []string{"localhost", "127.0.0.1", "::1"} {
				check(t, leaf.VerifyHostname(host))
			}
		}
	}
	if len(keys) != 2 {
		t.Errorf("%d keys on 2 servers", len(keys))
	}
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, Timeout: patience}
	defer c.CloseIdleConnections()
	for i := range 2 {
		resp, body := fetch(t, c, "GET", m.secure("/hello"), "")
		if resp.ProtoMajor != 1 || body != "hello\n" {
			t.Errorf("%s: %q", resp.Proto, body)
		}
		eventually(t, "an idle slot", func() bool {
			st := m.board.Read()
			return len(st.Slots) == 1 && st.Busy() == 0 && st.Served == uint64(i+1)
		})
	}
	_, r := m.send(t, rawGet("/hello"))
	if resp, err := http.ReadResponse(r, nil); err != nil || resp.StatusCode != 400 {
		t.Errorf("plain HTTP: %v, %v", resp, err)
	}
}

func TestAsyncHTTP2Limits(t *testing.T) {
	t.Parallel()
	m := startAsync(t, "keepalive=200ms", "timeout=200ms")
	const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	settings := "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
	for name, raw := range map[string]string{
		"slow preface": preface[:10],
		"idle":         preface + settings,
		"rubbish":      preface + "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
	} {
		_, r := m.send(t, raw)
		if _, err := io.Copy(io.Discard, r); isTimeout(err) {
			t.Errorf("%s: the connection is not closed", name)
		}
	}
	eventually(t, "no slot, nothing served", func() bool {
		st := m.board.Read()
		return len(st.Slots) == 0 && st.Served == 0
	})
}

func TestAsyncHTTP2Stops(t *testing.T) {
	t.Parallel()
	m := startAsync(t)
	c := http2Only(t)
	resp, err := c.Get(m.url("/stream?chunks=20&every=50"))
	check(t, err)
	defer resp.Body.Close()
	r := bufio.NewReader(resp.Body)
	line, err := r.ReadString('\n')
	check(t, err)
	m.signal(t, sigterm)
	rest, err := io.ReadAll(r)
	check(t, err)
	if !strings.HasSuffix(string(rest), "chunk 20 of 20\n") {
		t.Errorf("cut off: %q%q", line, rest)
	}
	begun := time.Now()
	check(t, m.wait(t))
	if d := time.Since(begun); d > patience/2 {
		t.Errorf("took %s", d)
	}
}
