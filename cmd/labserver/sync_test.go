package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// syncModels are the models whose requests hold a thread each, with one thread.
func syncModels() map[string]func(testing.TB, ...string) *server {
	return map[string]func(testing.TB, ...string) *server{
		"prefork": func(tb testing.TB, words ...string) *server { return prefork(tb, 1, words...) },
		"threads": func(tb testing.TB, words ...string) *server { return threads(tb, 1, 1, words...) },
		"serial": func(tb testing.TB, words ...string) *server {
			tb.Helper()
			s := serve(tb, append([]string{"serial", "backlog=128", "timeout=30s"}, words...)...)
			until(tb, "it is ready", func() bool { return len(s.Board().Read().Slots) == 1 })
			return s
		},
	}
}

func eachSyncModel(t *testing.T, words []string, test func(*testing.T, *server)) {
	t.Helper()
	for name, start := range syncModels() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, words...)
			test(t, s)
			if st := s.Board().Read(); st.Restarts != 0 {
				t.Errorf("%d restarts", st.Restarts)
			}
		})
	}
}

// drip sends text byte by byte, for as long as the server reads it.
func drip(t *testing.T, addr, begin, text string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if _, err := io.WriteString(c, begin); err != nil {
		t.Fatal(err)
	}
	go func() {
		for i := range len(text) {
			time.Sleep(20 * time.Millisecond)
			if _, err := io.WriteString(c, text[i:i+1]); err != nil {
				return // the server has closed
			}
		}
	}()
	return c
}

// Each byte comes well within the timeout, and the whole never does: that
// doesn't hold a thread either. The answer is read while the client goes on.
func TestDrippingClientIsGivenUp(t *testing.T) {
	t.Parallel()
	const long = 3000 // bytes: a minute
	eachSyncModel(t, []string{"timeout=2s"}, func(t *testing.T, s *server) {
		for _, c := range []struct{ what, begin, rest string }{
			{"a head", "GET /hello HTTP/1.1\r\nHost: lab\r\nX: ", strings.Repeat("x", long)},
			{"a body", fmt.Sprintf("POST /upload HTTP/1.1\r\nHost: lab\r\nContent-Length: %d\r\n\r\n", long), strings.Repeat("x", long)},
			{"a body of which much came at first", "POST /upload HTTP/1.1\r\nHost: lab\r\nContent-Length: 100000\r\n\r\n" + strings.Repeat("x", 50_000), strings.Repeat("x", long)},
			{"a chunked body", "POST /upload HTTP/1.1\r\nHost: lab\r\nTransfer-Encoding: chunked\r\n\r\n", strings.Repeat("1\r\nx\r\n", long/6)},
		} {
			conn := drip(t, s.addr, c.begin, c.rest)
			status, err := bufio.NewReader(conn).ReadString('\n')
			if err != nil || !strings.HasPrefix(status, "HTTP/1.1 408 ") {
				t.Errorf("%s that drips: %q, %v", c.what, status, err)
			}
			if err := get(s.addr, "/hello"); err != nil {
				t.Errorf("after %s that drips: %v", c.what, err)
			}
		}
	})
}

// A client that doesn't read its answer is given up when the kernel's buffers
// are full.
func TestClientThatDoesNotReadIsGivenUp(t *testing.T) {
	t.Parallel()
	eachSyncModel(t, []string{"timeout=2s"}, func(t *testing.T, s *server) {
		c, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := io.WriteString(c, "GET /bytes?n=64000000 HTTP/1.1\r\nHost: lab\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		until(t, "it holds the thread", func() bool { return s.Board().Read().Busy() == 1 })
		if err := get(s.addr, "/hello"); err != nil {
			t.Error(err)
		}
		if n, err := io.Copy(io.Discard, c); err == nil && n >= 64000000 {
			t.Errorf("it got all %d bytes: it was not given up", n)
		}
	})
}

// What two programs could read in two ways is refused, whichever model reads it.
func TestSyncModelsRefuseWhatHasTwoReadings(t *testing.T) {
	const smuggled = "GET /hello HTTP/1.1\r\nHost: lab\r\n\r\n"
	eachSyncModel(t, nil, func(t *testing.T, s *server) {
		for what, request := range map[string]string{
			"both lengths":           "POST /upload HTTP/1.1\r\nHost: lab\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled,
			"two lengths":            "POST /upload HTTP/1.1\r\nHost: lab\r\nContent-Length: 0\r\nContent-Length: 36\r\n\r\n" + smuggled,
			"two equal lengths":      "POST /upload HTTP/1.1\r\nHost: lab\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n" + smuggled,
			"a list of lengths":      "POST /upload HTTP/1.1\r\nHost: lab\r\nContent-Length: 0, 0\r\n\r\n" + smuggled,
			"a signed length":        "POST /upload HTTP/1.1\r\nHost: lab\r\nContent-Length: +0\r\n\r\n" + smuggled,
			"bare LF":                "GET /hello HTTP/1.1\nHost: lab\n\n" + smuggled,
			"a folded line":          "GET /hello HTTP/1.1\r\nHost: lab\r\nX: a\r\n b\r\n\r\n" + smuggled,
			"space before the colon": "POST /upload HTTP/1.1\r\nHost: lab\r\nTransfer-Encoding : chunked\r\n\r\n" + smuggled,
			"two hosts":              "GET /hello HTTP/1.1\r\nHost: lab\r\nHost: other\r\n\r\n" + smuggled,
			"a coding twice":         "POST /upload HTTP/1.1\r\nHost: lab\r\nTransfer-Encoding: chunked, chunked\r\n\r\n" + smuggled,
			"a NUL byte":             "GET /hello HTTP/1.1\r\nHost: lab\r\nX: a\x00b\r\n\r\n" + smuggled,
		} {
			answer := exchange(t, s.addr, request)
			if !strings.HasPrefix(answer, "HTTP/1.1 400 ") || strings.Contains(answer, "hello\n") || strings.Count(answer, "HTTP/1.1") != 1 {
				t.Errorf("%s: answered %.300q", what, answer)
			}
		}
		if err := get(s.addr, "/hello"); err != nil {
			t.Error(err)
		}
	})
}
