package models_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func startFronts(t *testing.T, us []*upstream, given ...string) *running {
	t.Helper()
	return startModel(t, "front", "none", frontOptions(t, us, given...)...)
}

func several(t *testing.T, n int, answer func(*upstream, net.Conn, string, string) bool) []*upstream {
	us := make([]*upstream, n)
	for i := range us {
		us[i] = newUpstream(t, answer)
	}
	return us
}

func TestFrontBalances(t *testing.T) {
	t.Run("round-robin", func(t *testing.T) {
		us := several(t, 3, says(saysOK))
		m := startFronts(t, us, "balance=round-robin")
		for range 30 {
			get(t, m.url("/"))
		}
		for i, u := range us {
			if n := len(u.requests()); n != 10 {
				t.Errorf("instance %d got %d of 30 requests, want 10", i+1, n)
			}
		}
	})
	t.Run("random", func(t *testing.T) {
		us := several(t, 3, says(saysOK))
		m := startFronts(t, us, "balance=random")
		for range 60 {
			get(t, m.url("/"))
		}
		for i, u := range us { // the chance that one of them gets fewer is 1 in 10⁸
			if n := len(u.requests()); n == 0 {
				t.Errorf("instance %d got none of 60 requests", i+1)
			}
		}
	})
	t.Run("least-connections", func(t *testing.T) {
		wait := make(chan struct{})
		us := []*upstream{
			newUpstream(t, func(_ *upstream, conn net.Conn, _, _ string) bool { <-wait; return says(saysOK)(nil, conn, "", "") }),
			newUpstream(t, says(saysOK)),
		}
		m := startFronts(t, us, "balance=least-connections")
		var held sync.WaitGroup
		for len(us[0].requests()) == 0 { // one of the first two goes there, and stays
			before := len(us[0].requests()) + len(us[1].requests())
			held.Go(func() { get(t, m.url("/")) })
			eventually(t, "it has arrived", func() bool { return len(us[0].requests())+len(us[1].requests()) > before })
		}
		for range 20 {
			get(t, m.url("/"))
		}
		if n := len(us[0].requests()); n != 1 {
			t.Errorf("the busy instance got %d requests, want 1", n)
		}
		close(wait)
		held.Wait()
	})
}

// An instance that can't be reached costs no request while there is another.
func TestFrontGoesRoundTheDead(t *testing.T) {
	us := several(t, 2, says(saysOK))
	us[0].ln.Close()
	m := startFronts(t, us, "max_fails=2", "fail_timeout=20s")
	for n := range 10 {
		if status, body := get(t, m.url("/")); status != 200 || body != "ok" {
			t.Errorf("request %d: %d %q", n, status, body)
		}
	}
	if log := m.log.String(); strings.Count(log, "leaving it alone") != 1 {
		t.Errorf("the log doesn't say so once: %s", log)
	}
}

// Health checks find an instance that answers but doesn't work.
func TestFrontChecksHealth(t *testing.T) {
	broken := func(_ *upstream, conn net.Conn, head, _ string) bool {
		if strings.HasPrefix(head, "HEAD /hello ") {
			return says("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n")(nil, conn, "", "")
		}
		return says(saysOK)(nil, conn, "", "")
	}
	us := []*upstream{newUpstream(t, broken), newUpstream(t, says(saysOK))}
	m := startFronts(t, us, "check=20ms", "fail_timeout=20s")
	eventually(t, "it is left alone", func() bool { return strings.Contains(m.log.String(), "leaving it alone") })
	for range 6 {
		get(t, m.url("/x"))
	}
	for _, r := range us[0].requests() {
		if strings.Contains(r, " /x ") {
			t.Fatal("the broken instance got a client's request")
		}
	}
}

func TestFrontQueues(t *testing.T) {
	wait := make(chan struct{})
	u := newUpstream(t, func(_ *upstream, conn net.Conn, _, _ string) bool { <-wait; return says(saysOK)(nil, conn, "", "") })
	m := startFront(t, u, "per_instance=1", "queue=1")
	var all sync.WaitGroup
	defer all.Wait()
	for n := range 2 { // one is served, one waits
		all.Go(func() {
			if status, _ := get(t, m.url("/")); status != 200 {
				t.Errorf("status %d for one that was let in", status)
			}
		})
		eventually(t, "it is in", func() bool { return m.board.Read().Queued == n+1 })
	}
	got := converse(t, m, rawGet("/"))
	if !strings.HasPrefix(got, "HTTP/1.1 503 ") || !strings.Contains(got, "Retry-After: 1\r\n") {
		t.Errorf("one too many: answered %q", got)
	}
	if st := m.board.Read(); st.Rejected != 1 || len(u.requests()) != 1 {
		t.Errorf("%d rejected, %d at the instance; want 1 and 1", st.Rejected, len(u.requests()))
	}
	close(wait)
}

// A connection to an instance is used again, for as long as the instance keeps
// it.
func TestFrontKeepsConnections(t *testing.T) {
	var conns sync.Map
	counting := func(last int) func(*upstream, net.Conn, string, string) bool {
		return func(u *upstream, conn net.Conn, _, _ string) bool {
			conns.Store(conn, true)
			return says(saysOK)(nil, conn, "", "") && len(u.requests())%last != 0
		}
	}
	count := func() (n int) {
		conns.Range(func(any, any) bool { n++; return true })
		conns.Clear()
		return n
	}
	u := newUpstream(t, counting(1000))
	m := startFront(t, u)
	for range 10 {
		get(t, m.url("/"))
	}
	if n := count(); n != 1 {
		t.Errorf("%d connections for 10 requests, want 1", n)
	}
	m = startFront(t, u, "keepalive=0")
	for range 10 {
		get(t, m.url("/"))
	}
	if n := count(); n != 10 {
		t.Errorf("%d connections for 10 requests, want 10", n)
	}
	u = newUpstream(t, counting(2)) // closes after every second
	m = startFront(t, u)
	for n := range 20 {
		if status, body := get(t, m.url("/")); status != 200 || body != "ok" {
			t.Errorf("request %d: %d %q", n, status, body)
		}
		eventually(t, "the instance having closed the connection", func() bool { return u.hungUp() == (n+1)/2 })
	}
}

// An instance that dies takes its connections along, of which the front has
// used some a moment ago. A request on one of them that it can't have read is
// made again; one that it has read may be what it died of, and isn't, nor is
// one that must not be made twice.
func TestFrontAsksAgain(t *testing.T) {
	for _, tc := range []struct {
		name, method string
		read         bool
		status       int
	}{
		{"unread", "GET", false, 200},
		{"read", "GET", true, 502},
		{"not to be made twice", "POST", false, 502},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.name == "unread" && runtime.GOOS != "linux" {
				t.Skip("other systems don't tell of a Unix socket's unread bytes")
			}
			var dying sync.Once
			u := newUpstream(t, func(_ *upstream, conn net.Conn, _, _ string) bool {
				says(saysOK)(nil, conn, "", "")
				stay := true
				dying.Do(func() {
					stay = false
					eventually(t, "the next request", func() bool { return waiting(t, conn) > 0 })
					if tc.read {
						_, err := conn.Read(make([]byte, 4096))
						check(t, err)
					}
				})
				return stay
			})
			m := startFront(t, u)
			if status, _ := get(t, m.url("/")); status != 200 {
				t.Fatalf("the first request: %d", status)
			}
			answer := converse(t, m, tc.method+" / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
			if want := fmt.Sprintf("HTTP/1.1 %d ", tc.status); !strings.HasPrefix(answer, want) {
				t.Errorf("%q, want %s", answer, want)
			}
		})
	}
}

// waiting returns how many bytes wait to be read, 64 at the most.
func waiting(t *testing.T, conn net.Conn) (n int) {
	raw, err := conn.(syscall.Conn).SyscallConn()
	check(t, err)
	check(t, raw.Read(func(fd uintptr) bool {
		n, _, _ = syscall.Recvfrom(int(fd), make([]byte, 64), syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		return true
	}))
	return n
}

// A body that comes slowly is nothing the instance hears of until all is
// there, and an answer that is taken slowly doesn't hold it.
func TestFrontBuffers(t *testing.T) {
	const large = 8 << 20
	given := make(chan struct{})
	u := newUpstream(t, func(_ *upstream, conn net.Conn, _, _ string) bool {
		_, err := fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", large, strings.Repeat("x", large))
		if err == nil {
			close(given)
		}
		return false
	})
	m := startFront(t, u)
	conn, in := m.send(t, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")
	for n := range 10 {
		_, err := io.WriteString(conn, strings.Repeat("b", 10000))
		check(t, err)
		if n < 9 && len(u.requests()) > 0 {
			t.Fatal("the instance heard of half a request")
		}
	}
	<-given // and nothing has been read here
	resp, err := http.ReadResponse(in, nil)
	check(t, err)
	if n, err := io.Copy(io.Discard, resp.Body); err != nil || n != large {
		t.Errorf("got %d bytes, %v", n, err)
	}
	if got := u.requests()[0]; !strings.HasSuffix(got, strings.Repeat("b", 100000)) {
		t.Errorf("the instance got %d bytes", len(got))
	}
}

// Without buffering everything goes through as it comes.
func TestFrontPassesThrough(t *testing.T) {
	u := newUpstream(t, func(_ *upstream, conn net.Conn, _, _ string) bool { return says(saysOK)(nil, conn, "", "") })
	m := startFront(t, u, "request_buffering=off", "response_buffering=off")
	conn, in := m.send(t, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
	_, err := io.WriteString(conn, "6\r\nsecond\r\n0\r\n\r\nGET /next HTTP/1.1\r\nHost: x\r\n\r\n")
	check(t, err)
	for range 2 {
		resp, err := http.ReadResponse(in, nil)
		check(t, err)
		if b, err := io.ReadAll(resp.Body); err != nil || string(b) != "ok" {
			t.Errorf("got %q, %v", b, err)
		}
	}
	if got := u.requests()[0]; !strings.Contains(got, "Transfer-Encoding: chunked\r\n\r\n") || !strings.HasSuffix(got, "\r\n0\r\n\r\n") {
		t.Errorf("the instance got %q", got)
	}
}

// An instance that answers before it has heard all is believed, and the
// connection ends, since nobody reads the rest.
func TestFrontEarlyAnswer(t *testing.T) {
	for _, buffering := range []string{"on", "off"} {
		ln, err := net.Listen("unix", t.TempDir()+"/u")
		check(t, err)
		go func() {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			in := bufio.NewReader(conn)
			for line := "x"; line != "\r\n"; {
				if line, err = in.ReadString('\n'); err != nil {
					break
				}
			}
			_, _ = io.WriteString(conn, "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")
			time.Sleep(50 * time.Millisecond)
			conn.Close()
		}()
		m := startFronts(t, []*upstream{{ln: ln}}, "request_buffering="+buffering)
		conn, in := m.send(t, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n")
		_, _ = io.WriteString(conn, strings.Repeat("b", 500000)) // it may not want them
		if buffering == "on" {
			_, _ = io.WriteString(conn, strings.Repeat("b", 400000))
		}
		resp, err := http.ReadResponse(in, nil)
		check(t, err)
		if b, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != 403 || string(b) != "no" {
			t.Errorf("buffering %s: got %d %q, %v", buffering, resp.StatusCode, b, err)
		}
		ln.Close()
	}
}
