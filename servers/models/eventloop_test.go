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
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func startLoop(t *testing.T, options ...string) *running {
	t.Helper()
	return startModel(t, "eventloop", "-", append([]string{"pool=0", "keepalive=30s", "timeout=30s", "connections=1000",
		"keepalive_requests=0", "read_buffer=16384", "write_buffer=65536", "backlog=128"}, options...)...)
}

// whole sends bytes and reads the connection to its end.
func (m *running) whole(t *testing.T, raw string) string {
	t.Helper()
	conn, err := net.Dial("tcp", m.addr)
	check(t, err)
	defer conn.Close()
	check(t, conn.SetDeadline(time.Now().Add(patience)))
	go func() { _, _ = io.WriteString(conn, raw) }() // the server may answer before it has all of it
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Errorf("%.60q: %v after %.200q", raw, err, answer)
	}
	return string(answer)
}

func TestLoopSpeaksHTTP(t *testing.T) {
	m := startLoop(t)
	const last = "GET /hello HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n"
	for _, c := range []struct {
		name, request string
		want          []string // parts of the answer, in their order
		not           string
	}{
		{"kept, then closed", "GET /hello HTTP/1.1\r\nHost: lab\r\n\r\n" + last,
			[]string{"HTTP/1.1 200 OK\r\n", "\r\nDate: ", "\r\nContent-Length: 6\r\n\r\nhello\n", "HTTP/1.1 200 OK\r\n", "\r\nConnection: close\r\n\r\nhello\n"}, "chunked"},
		{"HTTP/1.0 closes", "GET /hello HTTP/1.0\r\n\r\n", []string{"HTTP/1.0 200 OK\r\n", "\r\nConnection: close\r\n\r\nhello\n"}, ""},
		{"HTTP/1.0 kept", "GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /hello HTTP/1.0\r\n\r\n",
			[]string{"\r\nConnection: keep-alive\r\n\r\nhello\n", "HTTP/1.0 200 OK\r\n", "\r\nConnection: close\r\n\r\nhello\n"}, ""},
		{"HEAD", "HEAD /bytes?n=1000 HTTP/1.1\r\nHost: lab\r\n\r\n" + last, []string{"\r\nContent-Length: 1000\r\n\r\nHTTP/1.1 200 OK\r\n", "hello\n"}, "abcdef"},
		{"a stream", "GET /stream?chunks=2&every=1 HTTP/1.1\r\nHost: lab\r\n\r\n" + last,
			[]string{"\r\nTransfer-Encoding: chunked\r\n\r\nd\r\nchunk 1 of 2\n\r\nd\r\nchunk 2 of 2\n\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n", "hello\n"}, ""},
		{"a stream to HTTP/1.0", "GET /stream?chunks=2&every=1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", []string{"\r\nConnection: close\r\n\r\nchunk 1 of 2\nchunk 2 of 2\n"}, "chunked"},
		{"bodies", "POST /upload HTTP/1.1\r\nHost: lab\r\nContent-Length: 3\r\n\r\nabc" +
			"POST /upload HTTP/1.1\r\nHost: lab\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3;x=y\r\ncde\r\n0\r\nT: 1\r\n\r\n" + last,
			[]string{"bytes 3\n", "bytes 5\n", "hello\n"}, "100 Continue"},
		{"a body that didn't wait to be invited", "POST /upload HTTP/1.1\r\nHost: lab\r\nContent-Length: 3\r\nExpect: 100-continue\r\nConnection: close\r\n\r\nabc",
			[]string{"HTTP/1.1 200 OK\r\n", "bytes 3\n"}, ""},
		{"nobody wants the body that waits", "POST /hello HTTP/1.1\r\nHost: lab\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n",
			[]string{"HTTP/1.1 405 ", "\r\nConnection: close\r\n"}, "100 Continue"},
		{"a small body that nobody wants costs nothing", "POST /hello HTTP/1.1\r\nHost: lab\r\nContent-Length: 30000\r\n\r\n" + strings.Repeat("x", 30000) + last,
			[]string{"HTTP/1.1 405 ", "HTTP/1.1 200 OK", "hello\n"}, ""},
		{"a large one costs the connection, not the answer", "POST /hello HTTP/1.1\r\nHost: lab\r\nContent-Length: 4000000\r\n\r\n" + strings.Repeat("x", 4_000_000),
			[]string{"HTTP/1.1 405 ", "\r\nConnection: close\r\n", "use GET, HEAD"}, ""},
		{"a broken body", "POST /upload HTTP/1.1\r\nHost: lab\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" + last, []string{"HTTP/1.1 400 "}, "hello"},
		{"waiting in a pipeline", "GET /wait?ms=20 HTTP/1.1\r\nHost: lab\r\n\r\n" + last, []string{"waited 20 ms\n", "hello\n"}, ""},
		{"a large answer, then a small one", "GET /bytes?n=3000000 HTTP/1.1\r\nHost: lab\r\n\r\n" + last, []string{"\r\nContent-Length: 3000000\r\n", "89-\nHTTP/1.1 200 OK\r\n", "hello\n"}, ""},
		{"not HTTP", "\x16\x03\x01\x00\xa5", []string{"HTTP/1.1 400 "}, ""},
		{"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", []string{"HTTP/1.1 505 "}, ""},
		{"large head", "GET / HTTP/1.1\r\nHost: lab\r\nX: " + strings.Repeat("x", 70_000) + "\r\n\r\n" + last, []string{"HTTP/1.1 431 "}, "hello"},
		{"smuggled, CL.TE", "POST / HTTP/1.1\r\nHost: lab\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG" + last, []string{"HTTP/1.1 400 "}, "hello"},
		{"smuggled, lengths", "POST /hello HTTP/1.1\r\nHost: lab\r\nContent-Length: 0\r\nContent-Length: 82\r\n\r\n" + last, []string{"HTTP/1.1 400 "}, "hello"},
		{"smuggled, bare LF", "GET /hello HTTP/1.1\r\nHost: lab\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + last, []string{"HTTP/1.1 400 "}, "hello"},
		{"smuggled, folded", "GET / HTTP/1.1\r\nHost: lab\r\nX: y\r\n Content-Length: 82\r\n\r\n" + last, []string{"HTTP/1.1 400 "}, "hello"},
		{"smuggled, space before the colon", "GET / HTTP/1.1\r\nHost: lab\r\nContent-Length : 82\r\n\r\n" + last, []string{"HTTP/1.1 400 "}, "hello"},
	} {
		t.Run(c.name, func(t *testing.T) {
			rest := m.whole(t, c.request)
			for _, part := range c.want {
				_, after, found := strings.Cut(rest, part)
				if !found {
					t.Fatalf("%.400q lacks %q", rest, part)
				}
				rest = after
			}
			if rest = m.whole(t, c.request); c.not != "" && strings.Contains(rest, c.not) {
				t.Errorf("%.400q has %q", rest, c.not)
			}
		})
	}
}

// What comes byte by byte is no other request, and its neighbours don't notice.
func TestLoopReadsDropByDrop(t *testing.T) {
	m := startLoop(t)
	conn, r := m.send(t, "")
	for _, b := range []byte("POST /upload HTTP/1.1\r\nHost: lab\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" + rawGet("/hello")) {
		_, err := conn.Write([]byte{b})
		check(t, err)
	}
	for _, want := range []string{"bytes 3\n", "hello\n"} {
		resp, err := http.ReadResponse(r, nil)
		check(t, err)
		b, err := io.ReadAll(resp.Body)
		check(t, err)
		if !strings.HasPrefix(string(b), want) {
			t.Errorf("%q, want %q", b, want)
		}
	}
}

func TestLoopInvites(t *testing.T) {
	m := startLoop(t)
	conn, r := m.send(t, "POST /upload HTTP/1.1\r\nHost: lab\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
	line, err := r.ReadString('\n')
	check(t, err)
	if line != "HTTP/1.1 100 Continue\r\n" {
		t.Errorf("%q", line)
	}
	_, err = r.ReadString('\n')
	check(t, err)
	_, err = io.WriteString(conn, "abc")
	check(t, err)
	resp, err := http.ReadResponse(r, nil)
	check(t, err)
	if b, err := io.ReadAll(resp.Body); err != nil || !strings.HasPrefix(string(b), "bytes 3\n") {
		t.Errorf("%q, %v", b, err)
	}
}

// A client that sends or takes too little is gone after its time, whatever it
// keeps on sending; others are served meanwhile.
func TestLoopDropsTheSlow(t *testing.T) {
	m := startLoop(t, "timeout=400ms", "keepalive=600ms")
	drips := func(conn net.Conn, what string) {
		for i := 0; ; i++ {
			if _, err := conn.Write([]byte{what[i%len(what)]}); err != nil {
				return
			}
			time.Sleep(40 * time.Millisecond)
		}
	}
	const upload = "POST /upload HTTP/1.1\r\nHost: lab\r\n"
	var wg sync.WaitGroup
	for name, c := range map[string]struct {
		sent, drip string
		want       string // how the answer begins; "" = closed without one
	}{
		"nothing":                {"", "", ""},
		"half a head":            {"GET /he", "", "HTTP/1.1 408 "},
		"head drop by drop":      {"GET /hello HTTP/1.1\r\n", "X: a\r\n", "HTTP/1.1 408 "},
		"half a body":            {upload + "Content-Length: 1000\r\n\r\nabc", "", "HTTP/1.1 408 "},
		"body drop by drop":      {upload + "Content-Length: 100000\r\n\r\n", "x", "HTTP/1.1 408 "},
		"chunks drop by drop":    {upload + "Transfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n", "HTTP/1.1 408 "},
		"unwanted, drop by drop": {"POST /hello HTTP/1.1\r\nHost: lab\r\nContent-Length: 100000\r\n\r\n", "x", "HTTP/1.1 405 "},
		"idle after a request":   {"GET /hello HTTP/1.1\r\nHost: lab\r\n\r\n", "", "HTTP/1.1 200 "},
		"refused and still here": {"nonsense\r\n", "x", "HTTP/1.1 400 "},
	} {
		wg.Go(func() {
			conn, err := net.Dial("tcp", m.addr)
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(patience))
			if _, err := io.WriteString(conn, c.sent); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if c.drip != "" {
				go drips(conn, c.drip)
			}
			answer, err := io.ReadAll(conn)
			if isTimeout(err) || !strings.HasPrefix(string(answer), c.want) || c.want == "" && len(answer) > 0 {
				t.Errorf("%s: %.80q, %v; want %q", name, answer, err, c.want)
			}
		})
	}
	wg.Wait()
	eventually(t, "no slot left", func() bool { return len(m.board.Read().Slots) == 0 })
	if status, body := get(t, m.url("/hello")); status != 200 || body != "hello\n" {
		t.Errorf("afterwards: %d %q", status, body)
	}
}

// A client that takes nothing of its answer is reset, and until then costs no
// more than the buffers, however much it asks for.
func TestLoopResetsWhoTakesNothing(t *testing.T) {
	m := startLoop(t, "timeout=1s")
	before := m.resident(t)
	conn, _ := m.send(t, "")
	go func() { // answers of 400 MB in all, none of which is read
		_, _ = io.WriteString(conn, strings.Repeat("GET /bytes?n=4000000 HTTP/1.1\r\nHost: lab\r\n\r\n", 100))
	}()
	eventually(t, "it being served", func() bool { return m.board.Read().Busy() > 0 })
	most := 0
	eventually(t, "it being gone", func() bool {
		most = max(most, m.resident(t))
		return len(m.board.Read().Slots) == 0
	})
	if grown := most - before; grown > 64<<10 { // of 400 MB, and of that the race detector multiplies
		t.Errorf("grew by %d KiB", grown)
	}
	_, err := io.Copy(io.Discard, conn)
	if err == nil || isTimeout(err) {
		t.Errorf("%v; want the connection reset", err)
	}
}

// resident is the process's memory in KiB; 0 where that can't be known.
func (m *running) resident(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", m.cmd.Process.Pid))
	if errors.Is(err, os.ErrNotExist) {
		return 0
	}
	check(t, err)
	_, rest, _ := strings.Cut(string(b), "VmRSS:")
	n, err := strconv.Atoi(strings.Fields(rest + " 0")[0])
	check(t, err)
	return n
}

// Requests that come all at once are answered in order, also to a client that
// takes its time, and under a limit that ends the connection between two.
func TestLoopAnswersInOrder(t *testing.T) {
	m := startLoop(t, "keepalive_requests=400", "write_buffer=1024")
	var asks strings.Builder
	for i := range 500 {
		fmt.Fprintf(&asks, "GET /echo?%d HTTP/1.1\r\nHost: lab\r\n\r\n", i)
	}
	_, r := m.send(t, asks.String())
	for i := range 400 {
		resp, err := http.ReadResponse(r, nil)
		check(t, err)
		b, err := io.ReadAll(resp.Body)
		check(t, err)
		if !strings.Contains(string(b), fmt.Sprintf("\nquery %d\n", i)) || resp.Close != (i == 399) {
			t.Fatalf("answer %d, close %v: %q", i, resp.Close, b)
		}
		if i%100 == 0 {
			time.Sleep(10 * time.Millisecond)
		}
	}
	if rest, err := io.ReadAll(r); err != nil || len(rest) > 0 {
		t.Errorf("after the last: %q, %v", rest, err)
	}
}

// Waiting holds nobody up.
func TestLoopWaitsForManyAtOnce(t *testing.T) {
	const many = 400 // more than are kept for later
	m := startLoop(t)
	begun := time.Now()
	var wg sync.WaitGroup
	for range many {
		wg.Go(func() {
			if _, body := get(t, m.url("/wait?ms=300")); body != "waited 300 ms\n" {
				t.Errorf("%q", body)
			}
		})
	}
	wg.Wait()
	if took := time.Since(begun); took > many*300*time.Millisecond/4 {
		t.Errorf("%d waits of 300 ms took %v", many, took)
	}
}

// What blocks its thread blocks all, unless a pool takes it.
func TestLoopBlocks(t *testing.T) {
	for _, c := range []struct {
		pool   string
		target string
		blocks bool
	}{
		{"pool=0", "/block?ms=3000", true}, {"pool=0", "/cpu?units=8000", true},
		{"pool=1", "/block?ms=60000", false}, {"pool=2", "/cpu?units=100000", false},
	} {
		t.Run(c.pool+" "+c.target, func(t *testing.T) {
			m := startLoop(t, c.pool)
			_, other := m.send(t, rawGet(c.target))
			eventually(t, "the loop busy", func() bool { return m.board.Read().Busy() == 1 })
			if status, _ := get(t, m.url("/hello")); status != 200 {
				t.Errorf("/hello: %d", status)
			}
			if blocked := m.board.Read().Served > 1; blocked != c.blocks {
				t.Errorf("%s was over before /hello was answered: %v, want %v", c.target, blocked, c.blocks)
			}
			if !c.blocks {
				return // the model is killed in the middle
			}
			resp, err := http.ReadResponse(other, nil)
			check(t, err)
			_, err = io.Copy(io.Discard, resp.Body)
			check(t, err)
		})
	}
}

// A connection too many waits in the kernel's queue until one leaves.
func TestLoopLimitsConnections(t *testing.T) {
	m := startLoop(t, "connections=2")
	first, r := m.send(t, "GET /hello HTTP/1.1\r\nHost: lab\r\n\r\n")
	_, err := http.ReadResponse(r, nil)
	check(t, err)
	m.send(t, "GET /hello HTTP/1.1\r\nHost: lab\r\n\r\n")
	eventually(t, "two connections", func() bool { return len(m.board.Read().Slots) == 2 })
	_, third := m.send(t, rawGet("/hello"))
	answered := make(chan error, 1)
	go func() {
		_, err := http.ReadResponse(third, nil)
		answered <- err
	}()
	select {
	case err := <-answered:
		t.Fatalf("the third was answered beside the others (%v)", err)
	case <-time.After(200 * time.Millisecond):
	}
	check(t, first.Close())
	check(t, <-answered)
}

// A request whose client has gone is given up where it waits, and takes with it
// what it held.
func TestLoopGivesUpWhoHasGone(t *testing.T) {
	m := startLoop(t)
	for _, target := range []string{"/hang", "/wait?ms=600000", "/locked?wait=0&hold=60000", "/stream?every=60000"} {
		conn, _ := m.send(t, rawGet(target))
		eventually(t, target+" in progress", func() bool { return m.board.Read().Busy() == 1 })
		check(t, conn.Close())
		eventually(t, target+" given up", func() bool { return len(m.board.Read().Slots) == 0 })
		// At once: the end of the stream is there before the request is begun.
		conn, _ = m.send(t, rawGet(target))
		check(t, conn.Close())
		eventually(t, target+" given up at once", func() bool { return len(m.board.Read().Slots) == 0 })
	}
	if _, body := get(t, m.url("/locked?wait=0&hold=1")); !strings.Contains(body, "held 1 ms") {
		t.Errorf("the lock afterwards: %q", body)
	}
}

func TestLoopStops(t *testing.T) {
	t.Run("gracefully", func(t *testing.T) {
		m := startLoop(t)
		_, busy := m.send(t, "GET /wait?ms=700 HTTP/1.1\r\nHost: lab\r\n\r\n")
		idle, r := m.send(t, "GET /hello HTTP/1.1\r\nHost: lab\r\n\r\n")
		resp, err := http.ReadResponse(r, nil)
		check(t, err)
		_, err = io.Copy(io.Discard, resp.Body)
		check(t, err)
		eventually(t, "a request in progress", func() bool { return m.board.Read().Busy() == 1 })
		m.signal(t, sigterm)
		eventually(t, "the port closed", func() bool { return refusing(m.addr) })
		if _, err := io.ReadAll(idle); isTimeout(err) {
			t.Error("the idle connection is not closed")
		}
		resp, err = http.ReadResponse(busy, nil)
		check(t, err)
		b, err := io.ReadAll(resp.Body)
		if err != nil || string(b) != "waited 700 ms\n" || !resp.Close {
			t.Errorf("%q, %v, close %v", b, err, resp.Close)
		}
		check(t, m.wait(t))
	})
	for name, stop := range map[string]func(*testing.T, *running){
		"at once":       func(t *testing.T, m *running) { m.signal(t, syscall.SIGINT) },
		"when orphaned": func(t *testing.T, m *running) { check(t, m.lab.Close()) },
	} {
		t.Run(name+", even if the loop is blocked", func(t *testing.T) {
			m := startLoop(t)
			_, r := m.send(t, rawGet("/block?ms=60000"))
			eventually(t, "the loop blocked", func() bool { return m.board.Read().Busy() == 1 })
			stop(t, m)
			check(t, m.wait(t))
			if b, _ := io.ReadAll(r); len(b) > 0 {
				t.Errorf("answered %q", b)
			}
		})
	}
}

// Bodies of every size come through whole, in both directions, with buffers
// that are smaller.
func TestLoopMovesBodies(t *testing.T) {
	m := startLoop(t, "read_buffer=1024", "write_buffer=2048")
	for _, size := range []int{0, 1, 1023, 1024, 65537, 5 << 20} {
		body := bytes.Repeat([]byte("x"), size)
		for name, r := range map[string]io.Reader{"counted": bytes.NewReader(body), "chunked": io.MultiReader(bytes.NewReader(body))} {
			if _, answer := do(t, http.MethodPost, m.url("/upload"), r); !strings.HasPrefix(answer, fmt.Sprintf("bytes %d\n", size)) {
				t.Errorf("%d bytes, %s: %q", size, name, answer)
			}
		}
		_, down := get(t, m.url(fmt.Sprintf("/bytes?n=%d", size)))
		if len(down) != size {
			t.Errorf("%d bytes of %d", len(down), size)
		}
	}
}

// Rubbish of all kinds, whole and cut off, costs the connection it comes on and
// nothing else.
func TestLoopSurvivesRubbish(t *testing.T) {
	m := startLoop(t, "timeout=2s")
	seed := []string{
		"GET /hello HTTP/1.1\r\nHost: lab\r\n\r\n", "POST /upload HTTP/1.1\r\nHost: lab\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n\x81\x85abcdefghi",
	}
	var wg sync.WaitGroup
	for i := range 200 {
		raw := []byte(seed[i%len(seed)])
		raw[(i*7919)%len(raw)] ^= byte(1 + i%255)
		wg.Go(func() {
			conn, err := net.Dial("tcp", m.addr)
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(patience))
			_, _ = conn.Write(raw)
			if i%2 == 0 {
				_ = conn.(*net.TCPConn).CloseWrite()
			}
			if i%3 == 0 {
				return
			}
			_, err = bufio.NewReader(conn).ReadByte()
			if isTimeout(err) {
				t.Errorf("%q: neither an answer nor the end", raw)
			}
		})
	}
	wg.Wait()
	if status, _ := get(t, m.url("/hello")); status != 200 {
		t.Errorf("afterwards: %d", status)
	}
	eventually(t, "no slot left", func() bool { return len(m.board.Read().Slots) == 0 })
}
