package models_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// An upstream is an instance of a model in the test's hands: it answers each
// request on each connection with what the test says, and keeps what it got.
type upstream struct {
	ln     net.Listener
	answer func(u *upstream, conn net.Conn, head, body string) (keep bool)

	mu   sync.Mutex
	got  []string // heads and bodies
	shut int      // connections that it has closed
	wg   sync.WaitGroup
}

// newUpstream starts one on a Unix socket.
func newUpstream(t *testing.T, answer func(u *upstream, conn net.Conn, head, body string) bool) *upstream {
	t.Helper()
	ln, err := net.Listen("unix", filepath.Join(t.TempDir(), "u"))
	check(t, err)
	u := &upstream{ln: ln, answer: answer}
	u.wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			u.wg.Go(func() { u.serve(conn) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		u.wg.Wait()
	})
	return u
}

// says answers every request with the same bytes and keeps the connection.
func says(raw string) func(*upstream, net.Conn, string, string) bool {
	return func(_ *upstream, conn net.Conn, _, _ string) bool {
		_, err := io.WriteString(conn, raw)
		return err == nil
	}
}

const saysOK = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"

// serve reads requests in the plainest way there is: a head up to an empty
// line, then as many bytes as its Content-Length says, or chunks as they are.
func (u *upstream) serve(conn net.Conn) {
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	in := bufio.NewReader(conn)
	for {
		var head strings.Builder
		for !strings.HasSuffix(head.String(), "\r\n\r\n") {
			line, err := in.ReadString('\n')
			head.WriteString(line)
			if err != nil {
				u.mu.Lock()
				if head.Len() > 0 {
					u.got = append(u.got, head.String())
				}
				u.mu.Unlock()
				return
			}
		}
		body, err := plainBody(in, head.String())
		u.mu.Lock()
		u.got = append(u.got, head.String()+body)
		u.mu.Unlock()
		if err != nil || !u.answer(u, conn, head.String(), body) {
			conn.Close()
			u.mu.Lock()
			u.shut++
			u.mu.Unlock()
			return
		}
	}
}

func plainBody(in *bufio.Reader, head string) (string, error) {
	if _, rest, ok := strings.Cut(head, "\r\nContent-Length: "); ok {
		var n int
		if _, err := fmt.Sscan(rest, &n); err != nil {
			return "", err
		}
		b := make([]byte, n)
		got, err := io.ReadFull(in, b)
		return string(b[:got]), err
	}
	if !strings.Contains(head, "\r\nTransfer-Encoding: chunked\r\n") {
		return "", nil
	}
	var b strings.Builder
	for !strings.HasSuffix(b.String(), "\r\n0\r\n\r\n") && b.String() != "0\r\n\r\n" {
		c, err := in.ReadByte()
		if err != nil {
			return b.String(), err
		}
		b.WriteByte(c)
	}
	return b.String(), nil
}

func (u *upstream) requests() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return append([]string(nil), u.got...)
}

func (u *upstream) hungUp() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.shut
}

// frontOptions are the front's options, their defaults for tests replaced by
// those given.
func frontOptions(t *testing.T, upstreams []*upstream, given ...string) []string {
	set := map[string]string{
		"wire": "HTTP", "model": "fake", "script": "", "folder": t.TempDir(), "instances": fmt.Sprint(len(upstreams)), "balance": "round-robin",
		"request_buffering": "on", "response_buffering": "on", "keepalive": "32", "static": "off", "per_instance": "0", "queue": "1024",
		"max_header": "65536", "max_body": "1000000", "client_timeout": "20s", "idle": "20s", "connect_timeout": "5s", "read_timeout": "20s",
		"send_timeout": "20s", "max_fails": "3", "fail_timeout": "1s", "check": "0s", "backlog": "128", "upstreams": fmt.Sprint(len(upstreams)),
	}
	for i, u := range upstreams {
		set[fmt.Sprintf("upstream%d", i)] = "unix:" + u.ln.Addr().String()
	}
	for _, g := range given {
		k, v, _ := strings.Cut(g, "=")
		set[k] = v
	}
	words := make([]string, 0, len(set))
	for k, v := range set {
		words = append(words, k+"="+v)
	}
	return words
}

func startFront(t *testing.T, u *upstream, given ...string) *running {
	t.Helper()
	return startModel(t, "front", "none", frontOptions(t, []*upstream{u}, given...)...)
}

// converse sends bytes and returns all that comes until the end.
func converse(t *testing.T, m *running, raw string) string {
	t.Helper()
	conn, in := m.send(t, raw)
	defer conn.Close()
	b, _ := io.ReadAll(in) // a reset ends it too
	return string(b)
}
