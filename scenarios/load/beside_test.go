package load

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gatewaylab/servers/process/processtest"
)

// aside runs crowds beside a load of nearly nothing until enough says so of
// the hits so far, by crowd, and returns all hits.
func aside(t *testing.T, timeout time.Duration, enough func([][]Hit) bool, crowds ...Crowd) [][]Hit {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	quiet := newHello(t)
	hits := make([][]Hit, len(crowds))
	var mu sync.Mutex
	a := &Attack{
		Stages:   []Stage{{Shape: Users, UsersFrom: 1, Think: time.Hour, For: time.Hour}},
		Requests: []Request{{URL: quiet.URL}}, Timeout: timeout, Beside: crowds,
		Aside: func(crowd int, h *Hit) {
			mu.Lock()
			defer mu.Unlock()
			hits[crowd] = append(hits[crowd], *h)
		},
	}
	var watch sync.WaitGroup
	watch.Go(func() {
		defer cancel()
		for end := time.Now().Add(patient); time.Now().Before(end); time.Sleep(time.Millisecond) {
			mu.Lock()
			done := enough(hits)
			mu.Unlock()
			if done {
				return
			}
		}
		t.Error("what was waited for did not come")
	})
	o, err := a.Run(ctx, nil, func(*Hit) {})
	watch.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if o.Sent > 1 || o.Connections > 1 {
		t.Errorf("crowds count as load: %d sent, %d connections", o.Sent, o.Connections)
	}
	for _, of := range hits {
		seqs := make([]uint64, len(of))
		for i, h := range of {
			seqs[i] = h.Seq
			if h.Sent < h.Due || h.Latency < h.FirstByte || (h.FirstByte > 0) != (h.Code > 0) && h.Kind != KindTimeout {
				t.Errorf("times of %+v", h)
			}
			if h.Cut && (h.Kind != "" || h.Err != errCut.Error()) || !h.Cut && (h.Kind == "") != (h.Err == "") {
				t.Errorf("%+v", h)
			}
		}
		slices.Sort(seqs)
		for i, s := range seqs {
			if s != uint64(i) {
				t.Fatalf("hit %d of %d has number %d", i, len(seqs), s)
			}
		}
	}
	return hits
}

// reach is enough hits of the first crowd.
func reach(n int) func([][]Hit) bool {
	return func(hits [][]Hit) bool { return len(hits[0]) >= n }
}

// ended returns the hits that weren't cut, and how many were.
func ended(hits []Hit) (whole []Hit, cut int) {
	for _, h := range hits {
		if h.Cut {
			cut++
		} else {
			whole = append(whole, h)
		}
	}
	return whole, cut
}

// atLeast is the shortest time in which n bytes can come at a rate: what was
// missed is made up for, but no more than a beat, and a piece is rounded up.
func atLeast(n int, rate float64) time.Duration {
	p := pace{rate: rate}
	return time.Duration(float64(n-2*p.piece()) / rate * float64(time.Second))
}

func TestSlowSend(t *testing.T) {
	t.Parallel()
	const rate, size = 4000, 1600
	for name, chunked := range map[string]bool{"counted": false, "chunked": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			request := Request{Method: "POST", Size: size, Chunked: chunked}
			var conns, whole atomic.Int64
			began := time.Now()
			srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				var got []byte
				buf := make([]byte, size)
				for {
					n, err := r.Body.Read(buf)
					got = append(got, buf[:n]...)
					if most := rate*time.Since(began).Seconds()*1.5 + rate*2*beat.Seconds(); float64(len(got)) > most {
						t.Errorf("%d bytes are there when it should be at most %.0f", len(got), most)
					}
					if err == io.EOF {
						break
					}
					if err != nil {
						return // cut
					}
				}
				if !r.Close || !bytes.Equal(got, request.body()) || (r.ContentLength < 0) != chunked {
					t.Errorf("%d bytes came otherwise, length %d, close %v", len(got), r.ContentLength, r.Close)
				}
				whole.Add(1)
				_, _ = io.WriteString(w, "thanks")
			}))
			srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
				if s == http.StateNew {
					conns.Add(1)
				}
			}
			srv.Start()
			defer srv.Close()
			request.URL = srv.URL
			const each = 2
			hits := aside(t, patient, reach(3*each), Crowd{Kind: SlowSend, Clients: each, Rate: rate, Request: request})[0]
			done, cut := ended(hits)
			if cut > each || len(done) > int(whole.Load()) || int(conns.Load()) > len(hits) {
				t.Errorf("%d done, %d cut; the server saw %d whole on %d connections", len(done), cut, whole.Load(), conns.Load())
			}
			for _, h := range done {
				if h.Kind != "" || h.Code != 200 || h.Bytes != 6 || h.Reused || h.Due != h.Sent {
					t.Errorf("%+v", h)
				}
				if least := atLeast(size, rate); h.FirstByte < least || h.Latency > patient {
					t.Errorf("%d bytes at %v bytes/s took %v, want %v at least", size, rate, h.FirstByte, least)
				}
			}
		})
	}
}

// In time that a test makes, the bytes come exactly when they should.
func TestDrip(t *testing.T) {
	for _, c := range []struct {
		rate  float64
		size  int
		piece int
		every time.Duration
	}{
		{1000, 500, 50, 50 * time.Millisecond},
		{100, 42, 5, 50 * time.Millisecond},
		{25, 10, 2, 80 * time.Millisecond},
		{10, 4, 1, 100 * time.Millisecond},
		{0.1, 3, 1, 10 * time.Second},
		{1e7, 1e6, 500_000, 50 * time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			client, server := net.Pipe()
			cn := &conn{nc: client, silent: true}
			s := &sipper{Conn: client, stall: time.Second, ctx: t.Context()}
			cn.in = reader{src: s, epoch: time.Now(), buf: make([]byte, narrowBuffer)}
			m := &message{last: append([]byte("head"), make([]byte, c.size)...)}
			began := time.Now()
			go func() {
				defer client.Close()
				if answered, err := cn.drip(s, &pace{rate: c.rate, next: began}, m, 4); answered || err != nil {
					t.Errorf("at %v bytes/s: %v, %v", c.rate, answered, err)
				}
			}()
			buf := make([]byte, 2*c.size)
			for got := -4; ; {
				n, err := server.Read(buf)
				if err == io.EOF {
					if got != c.size {
						t.Errorf("%d of %d bytes came", got, c.size)
					}
					break
				}
				got += n
				pieces := (got + c.piece - 1) / c.piece
				due := time.Duration(pieces) * c.every
				if last := got % c.piece; last > 0 {
					due -= time.Duration(c.piece-last) * c.every / time.Duration(c.piece)
				}
				if at := time.Since(began); (at-due).Abs() > time.Microsecond || n > max(4, c.piece) {
					t.Errorf("at %v bytes/s: %d bytes after %v, want that after %v", c.rate, got, at, due)
				}
			}
		})
	}
}

// replies is answer for requests that may be cut.
func replies(pieces ...string) script {
	return func(_ *testing.T, c net.Conn, in *bufio.Reader) {
		req, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		if _, err := io.Copy(io.Discard, req.Body); err != nil {
			return
		}
		for _, p := range pieces {
			_, _ = io.WriteString(c, p)
		}
	}
}

func TestSlowSendIsAnsweredEarly(t *testing.T) {
	t.Parallel()
	const never = 1 << 20 // bytes, which would take years
	closes := func(*testing.T, net.Conn, *bufio.Reader) {}
	head := func(s string) script {
		return func(_ *testing.T, c net.Conn, in *bufio.Reader) {
			if _, err := http.ReadRequest(in); err == nil {
				_, _ = io.WriteString(c, s)
			}
		}
	}
	for _, c := range []struct {
		name   string
		server script
		kind   string
		code   int
	}{
		{"refused", thenHold(head("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")), "status 413", 413},
		{"welcome", thenHold(head("HTTP/1.1 103 Early Hints\r\n\r\n" + ok)), "", 200},
		{"rubbish", thenHold(head("rubbish\r\n\r\n")), KindMalformed, 0},
		{"half a head", head("HTTP/1.1 200"), KindClosed, 0},
		{"nothing", head(""), KindClosed, 0},
		{"not even read", closes, "", 0}, // closed early or reset
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			hits := aside(t, patient, reach(2), Crowd{Kind: SlowSend, Clients: 1, Rate: 0.1,
				Request: Request{Method: "POST", URL: scripted(t, c.server), Size: never}})[0]
			done, _ := ended(hits)
			if most := int(time.Since(began)/respite) + 1; len(done) > most {
				t.Errorf("%d exchanges, want at most %d in that time", len(done), most)
			}
			for _, h := range done {
				either := c.code == 0 && (h.Kind == KindClosed || h.Kind == KindReset)
				if h.Code != c.code || h.Kind != c.kind && !either {
					t.Errorf("%+v", h)
				}
			}
		})
	}
}

func TestSlowSendIsToldToContinue(t *testing.T) {
	t.Parallel()
	var invited, whole atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		invited.Add(1)
		if b, err := io.ReadAll(r.Body); err == nil && len(b) == 50 { // net/http sends 100 Continue with the first read
			whole.Add(1)
		}
	}))
	defer srv.Close()
	hits := aside(t, patient, reach(1), Crowd{Kind: SlowSend, Clients: 1, Rate: 500, Request: Request{
		Method: "POST", URL: srv.URL, Size: 50, Header: http.Header{"Expect": {"100-continue"}},
	}})[0]
	if h := hits[0]; h.Code != 200 || h.Kind != "" || whole.Load() == 0 {
		t.Errorf("%d invited, %d whole, %+v", invited.Load(), whole.Load(), h)
	}
}

// The timeout doesn't hold for what is slow on purpose, but for a server that
// stands still.
func TestSlowClientsTimeOut(t *testing.T) {
	t.Parallel()
	const timeout = 2 * time.Second
	upload := Request{Method: "POST", Size: 3000}
	for _, c := range []struct {
		name   string
		kind   CrowdKind
		server script
		want   string
	}{
		{"takes all in time", SlowSend, replies(ok), ""},
		{"doesn't answer", SlowSend, thenHold(replies()), KindTimeout},
		{"answers half", SlowSend, thenHold(replies(ok[:len(ok)-1])), KindTimeout},
		{"gives all in time", SlowRead, replies("HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n" + strings.Repeat("x", 3000)), ""},
		{"gives nothing", SlowRead, thenHold(replies()), KindTimeout},
		{"gives half", SlowRead, thenHold(replies(ok[:len(ok)-1])), KindTimeout},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			crowd := Crowd{Kind: c.kind, Clients: 1, Rate: 1000, Request: upload}
			crowd.Request.URL = scripted(t, c.server)
			if h := aside(t, timeout, reach(1), crowd)[0][0]; h.Kind != c.want || h.Latency < timeout {
				t.Errorf("%+v", h)
			}
		})
	}
}

// A connection that takes no byte ends the write, one that takes few doesn't.
func TestSipperWritesAsLongAsSomeGoes(t *testing.T) {
	for name, takes := range map[string]int{"nothing": 0, "little": 10} {
		synctest.Test(t, func(t *testing.T) {
			client, server := net.Pipe()
			defer server.Close()
			s := &sipper{Conn: client, stall: time.Second, ctx: t.Context()}
			began := time.Now()
			go func() {
				defer client.Close()
				err := s.write(make([]byte, 10*takes+1))
				if stalled := errors.Is(err, os.ErrDeadlineExceeded); stalled != (takes == 0) {
					t.Errorf("%s taken: %v", name, err)
				}
				if took, want := time.Since(began), time.Duration(takes)*900*time.Millisecond; took < want || takes == 0 && took != time.Second {
					t.Errorf("%s taken: it ended after %v", name, took)
				}
			}()
			for buf := make([]byte, 10); takes > 0; {
				time.Sleep(900 * time.Millisecond)
				if _, err := server.Read(buf); err != nil {
					break
				}
			}
			synctest.Wait()
			time.Sleep(2 * time.Second)
		})
	}
}

func TestSlowRead(t *testing.T) {
	t.Parallel()
	const rate, size = 40_000, 16_000
	for name, counted := range map[string]bool{"counted": true, "chunked": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var requests atomic.Int64
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if b, err := io.ReadAll(r.Body); err != nil || len(b) != 100_000 || !r.Close {
					t.Errorf("a body of %d bytes, close %v: %v", len(b), r.Close, err)
				}
				requests.Add(1)
				if counted {
					w.Header().Set("Content-Length", "16000")
				}
				_, _ = w.Write(make([]byte, size))
			}))
			defer srv.Close()
			hits := aside(t, patient, reach(6), Crowd{Kind: SlowRead, Clients: 3, Rate: rate,
				Request: Request{Method: "POST", URL: srv.URL, Size: 100_000}})[0]
			done, cut := ended(hits)
			if cut > 3 || len(done) > int(requests.Load()) {
				t.Errorf("%d done, %d cut, %d requests", len(done), cut, requests.Load())
			}
			for _, h := range done {
				if h.Kind != "" || h.Code != 200 || h.Bytes != size || h.Reused {
					t.Errorf("%+v", h)
				}
				if least := atLeast(size, rate); h.Latency-h.FirstByte < least {
					t.Errorf("%d bytes at %v bytes/s took %v, want %v at least", size, rate, h.Latency-h.FirstByte, least)
				}
			}
		})
	}
}

// A short answer costs a slow reader its time too, before it comes again.
func TestSlowReadOfLittle(t *testing.T) {
	t.Parallel()
	began := time.Now()
	hits := aside(t, patient, reach(3), Crowd{Kind: SlowRead, Clients: 1, Rate: 400, Request: Request{URL: scripted(t, answer(ok))}})[0]
	took := time.Since(began)
	// The last of those that ended may not have paid yet.
	done, _ := ended(hits)
	if least := atLeast((len(done)-1)*len(ok), 400) - time.Duration(len(done))*beat; took < least {
		t.Errorf("%d exchanges in %v, want %v at least", len(done), took, least)
	}
}

func TestSlowReadBlocksTheServer(t *testing.T) {
	t.Parallel()
	most := 100_000
	if runtime.GOOS != "linux" {
		most = 4 << 20
	}
	blocked := make(chan int, 1)
	url := scripted(t, func(t *testing.T, c net.Conn, in *bufio.Reader) {
		if req, _ := takeRequest(t, in); req == nil {
			return
		}
		rest := slices.Concat([]byte("HTTP/1.1 200 OK\r\nContent-Length: 8388608\r\n\r\n"), make([]byte, 8<<20))
		for all := len(rest); len(rest) > 0; {
			_ = c.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
			n, err := c.Write(rest)
			rest = rest[n:]
			if n == 0 && len(rest) < all && errors.Is(err, os.ErrDeadlineExceeded) {
				blocked <- all - len(rest)
				return
			}
		}
		t.Error("the server wrote 8 MB to a client that reads 1 KB in a second")
	})
	var n int
	hits := aside(t, patient, func([][]Hit) bool {
		select {
		case n = <-blocked:
			return true
		default:
			return false
		}
	}, Crowd{Kind: SlowRead, Clients: 1, Rate: 1000, Request: Request{URL: url}})[0]
	t.Logf("the server's write blocked after %d bytes", n)
	if n == 0 || n > most {
		t.Errorf("the server's write blocked after %d bytes, want at most %d", n, most)
	}
	if len(hits) != 1 || !hits[0].Cut && hits[0].Kind != KindClosed || hits[0].Bytes > 200_000 {
		t.Errorf("%+v", hits)
	}
}

// parlour counts connections and those that are idle.
type parlour struct {
	*httptest.Server
	mu             sync.Mutex
	state          map[net.Conn]http.ConnState
	opened, closed int
	requests       int
}

func newParlour(t *testing.T, idle time.Duration, h http.HandlerFunc) *parlour {
	p := &parlour{state: make(map[net.Conn]http.ConnState)}
	p.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.requests++
		p.mu.Unlock()
		h(w, r)
	}))
	p.Config.IdleTimeout = idle
	p.Config.ConnState = func(c net.Conn, s http.ConnState) {
		p.mu.Lock()
		defer p.mu.Unlock()
		switch s {
		case http.StateNew:
			p.opened++
		case http.StateClosed:
			p.closed++
			delete(p.state, c)
			return
		}
		p.state[c] = s
	}
	p.Start()
	t.Cleanup(p.Close)
	return p
}

// read returns how many connections are idle, and how many requests and
// connections there have been.
func (p *parlour) read() (idle, requests, opened, closed int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.state {
		if s == http.StateIdle {
			idle++
		}
	}
	return idle, p.requests, p.opened, p.closed
}

func sayHi(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hi") }

func TestIdle(t *testing.T) {
	t.Parallel()
	const k = 20
	var since time.Time
	p := newParlour(t, time.Hour, sayHi)
	// Every is short, so that one who left would be back.
	hits := aside(t, patient, func([][]Hit) bool {
		switch idle, _, _, _ := p.read(); {
		case idle < k:
			since = time.Time{}
		case since.IsZero():
			since = time.Now()
		}
		return !since.IsZero() && time.Since(since) > 200*time.Millisecond
	}, Crowd{Kind: Idle, Clients: k, Every: time.Millisecond, Request: Request{URL: p.URL}})[0]
	if _, requests, opened, _ := p.read(); requests != k || opened != k || len(hits) != k {
		t.Errorf("%d requests on %d connections, %d hits; want %d of each", requests, opened, len(hits), k)
	}
	for _, h := range hits {
		if !h.Cut || h.Code != 200 || h.Bytes != 2 || h.Latency < 200*time.Millisecond || h.FirstByte >= h.Latency {
			t.Errorf("%+v", h)
		}
	}
	for end := time.Now().Add(patient); ; time.Sleep(time.Millisecond) {
		if _, _, opened, closed := p.read(); closed == opened {
			break
		}
		if time.Now().After(end) {
			t.Fatal("connections are still open")
		}
	}
}

func TestIdleEnds(t *testing.T) {
	t.Parallel()
	closing := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		sayHi(w, r)
	}
	busy := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }
	const stay = 30 * time.Millisecond
	for _, c := range []struct {
		name string
		url  string
		code int
		kind string
		life time.Duration // at least
	}{
		{"keep-alive timeout", newParlour(t, stay, sayHi).URL, 200, "", stay / 2},
		{"not kept", newParlour(t, 0, closing).URL, 200, "", 0},
		{"told so", scripted(t, answer(ok, "HTTP/1.1 408 Request Timeout\r\n\r\n")), 200, "", 0},
		{"reset", scripted(t, func(t *testing.T, c net.Conn, in *bufio.Reader) {
			answer(ok)(t, c, in)
			_ = c.(*net.TCPConn).SetLinger(0)
		}), 200, "", 0},
		{"failed", newParlour(t, 0, busy).URL, 503, "status 503", 0},
		{"half an answer", scripted(t, answer("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi")), 200, KindClosed, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			const every = 20 * time.Millisecond
			hits := aside(t, patient, reach(3), Crowd{Kind: Idle, Clients: 1, Every: every, Request: Request{URL: c.url}})[0]
			done, _ := ended(hits)
			for i, h := range done {
				if h.Code != c.code || h.Kind != c.kind || h.Latency < c.life || h.Reused {
					// A reset may overtake the answer.
					if c.name != "reset" || h.Kind != KindReset {
						t.Errorf("%+v", h)
					}
				}
				rest := every
				if h.Kind == KindReset || h.Kind == KindClosed {
					rest = respite
				}
				if i+1 < len(hits) && hits[i+1].Sent < h.Done()+rest {
					t.Errorf("ended at %v and began anew at %v", h.Done(), hits[i+1].Sent)
				}
			}
		})
	}
}

func TestTimeoutOfIdleAndPeriodic(t *testing.T) {
	t.Parallel()
	const timeout = 30 * time.Millisecond
	url := hanging(t)
	for _, of := range aside(t, timeout, func(hits [][]Hit) bool { return len(hits[0]) > 0 && len(hits[1]) > 0 },
		Crowd{Kind: Idle, Clients: 1, Request: Request{URL: url}},
		Crowd{Kind: Periodic, Clients: 1, Every: timeout, Request: Request{URL: url}},
	) {
		if h := of[0]; h.Kind != KindTimeout || h.Latency < timeout || h.Code != 0 {
			t.Errorf("%+v", h)
		}
	}
}

func TestPeriodic(t *testing.T) {
	t.Parallel()
	const k, every, n = 4, 40 * time.Millisecond, 12
	for name, unanswered := range map[string]bool{"answered": false, "unanswered": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var arrived atomic.Int64
			over := make(chan struct{})
			srv := newParlour(t, time.Hour, func(w http.ResponseWriter, r *http.Request) {
				arrived.Add(1)
				if unanswered {
					select {
					case <-r.Context().Done():
					case <-over:
					}
				}
				sayHi(w, r)
			})
			defer close(over)
			hits := aside(t, time.Minute, func(hits [][]Hit) bool { return arrived.Load() >= n },
				Crowd{Kind: Periodic, Clients: k, Every: every, Request: Request{URL: srv.URL}})[0]
			if len(hits) < n || int(arrived.Load()) > len(hits) {
				t.Errorf("%d arrived, %d were reported", arrived.Load(), len(hits))
			}
			for _, h := range hits {
				if want := time.Duration(h.Seq) * every / k; h.Due != want {
					t.Errorf("hit %d was due at %v, want %v", h.Seq, h.Due, want)
				}
				if h.Cut != unanswered && !h.Cut || h.Kind != "" {
					t.Errorf("%+v", h)
				}
			}
		})
	}
}

// all are crowds of each kind.
func all(url string) []Crowd {
	return []Crowd{
		{Kind: SlowSend, Clients: 3, Rate: 1000, Request: Request{Method: "POST", URL: url, Size: 100}},
		{Kind: SlowRead, Clients: 3, Rate: 1000, Request: Request{URL: url}},
		{Kind: Idle, Clients: 3, Every: 5 * time.Millisecond, Request: Request{URL: url}},
		{Kind: Periodic, Clients: 3, Every: 30 * time.Millisecond, Request: Request{URL: url + "?n={uniform 1 9}"}},
	}
}

// Crowds begin with the attack and are cut when it has been sent, whatever they
// wait for.
func TestCrowdsAreCut(t *testing.T) {
	endless := func(t *testing.T, c net.Conn, in *bufio.Reader) {
		replies("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", strings.Repeat("x", 1_000_000))(t, c, in)
		_, _ = io.Copy(io.Discard, in)
	}
	crowds := make([]int, 4) // hits of each
	for name, server := range map[string]script{
		"silent": thenHold(replies()), "endless": endless, "answering": thenHold(replies(ok)), "closing": replies(ok), "dead": nil,
	} {
		for _, last := range []string{"open", "closed", "cancelled"} {
			t.Run(name+", "+last, func(t *testing.T) {
				url := "http://" + processtest.Address(t) + "/"
				if server != nil {
					url = scripted(t, server)
				}
				srv := newHello(t)
				stages := looping(2, 150*time.Millisecond)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				switch last {
				case "open":
					stages = arriving(100, 150*time.Millisecond)
				case "cancelled":
					stages = looping(2, time.Hour)
					time.AfterFunc(150*time.Millisecond, cancel)
				}
				both, running := 0, true
				a := &Attack{Stages: stages, Requests: []Request{{URL: srv.URL}}, Timeout: patient, Beside: all(url)}
				a.Aside = func(crowd int, h *Hit) {
					both++ // the race detector sees whether each is called at the same time
					crowds[crowd]++
					if !running {
						t.Errorf("reported after the end: %+v", h)
					}
				}
				began := time.Now()
				o, err := a.Run(ctx, nil, func(*Hit) { both++ })
				running = false
				if err != nil || o.Sent == 0 {
					t.Errorf("%v, %d sent", err, o.Sent)
				}
				if took := time.Since(began); took >= patient {
					t.Errorf("it took %v", took)
				}
				noneLeft(t)
			})
		}
	}
	for i, n := range crowds { // a busy machine may start some too late for one load, but not for all
		if n == 0 {
			t.Errorf("%s did nothing", all("")[i].Kind)
		}
	}
}

func TestCrowdsSurviveARestart(t *testing.T) {
	t.Parallel()
	addr := processtest.Address(t)
	crowds := all("http://" + addr + "/")
	var srv *httptest.Server
	var answered [4]atomic.Int64
	serve := func() error {
		ln, err := net.Listen("tcp", addr)
		if err != nil {
			return err
		}
		for i := range answered {
			answered[i].Store(0)
		}
		srv = &httptest.Server{Listener: ln, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.Copy(io.Discard, r.Body); err == nil {
				answered[slices.IndexFunc(crowds, func(c Crowd) bool { return string(c.Kind) == r.URL.Path[1:] })].Add(1)
			}
			sayHi(w, r)
		})}}
		srv.Start()
		return nil
	}
	for i := range crowds {
		crowds[i].Request.URL = "http://" + addr + "/" + string(crowds[i].Kind)
	}
	if err := serve(); err != nil {
		t.Fatal(err)
	}
	defer func() { srv.Close() }()
	served := func() bool {
		for i := range answered {
			if answered[i].Load() == 0 {
				return false
			}
		}
		return true
	}
	refused := func(hits []Hit) bool {
		return slices.ContainsFunc(hits, func(h Hit) bool { return h.Kind == KindRefused })
	}
	up, again := true, false
	aside(t, patient, func(hits [][]Hit) bool {
		switch {
		case up && served():
			if again {
				return true
			}
			up = false
			srv.CloseClientConnections()
			srv.Close()
		case !up && !slices.ContainsFunc(hits, func(of []Hit) bool { return !refused(of) }):
			again = serve() == nil // a child that is being forked may still have the old listener
			up = again
		}
		return false
	}, crowds...)
}

func TestCrowdCheck(t *testing.T) {
	t.Parallel()
	url := "http://127.0.0.1:1/"
	for _, c := range []struct {
		crowd  Crowd
		reason string
	}{
		{Crowd{Kind: SlowSend, Clients: 1, Rate: 1, Request: Request{Method: "POST", URL: url, Size: 1}}, ""},
		{Crowd{Kind: SlowRead, Clients: 1, Rate: 0.5, Request: Request{URL: url}}, ""},
		{Crowd{Kind: Idle, Clients: 1, Request: Request{URL: url}}, ""},
		{Crowd{Kind: Periodic, Clients: 1, Every: 1, Request: Request{URL: url}}, ""},

		{Crowd{Kind: SlowSend, Clients: 1, Rate: 1, Request: Request{URL: url}}, "without a body"},
		{Crowd{Kind: SlowSend, Clients: 1, Request: Request{URL: url, Size: 1}}, "at 0 bytes/s"},
		{Crowd{Kind: SlowRead, Clients: 1, Rate: -1, Request: Request{URL: url}}, "at -1 bytes/s"},
		{Crowd{Kind: SlowRead, Clients: 1, Rate: math.NaN(), Request: Request{URL: url}}, "at NaN bytes/s"},
		{Crowd{Kind: SlowRead, Clients: 1, Rate: math.Inf(1), Request: Request{URL: url}}, "at +Inf bytes/s"},
		{Crowd{Kind: SlowRead, Rate: 1, Request: Request{URL: url}}, "0 clients"},
		{Crowd{Kind: Idle, Clients: 1, Every: -1, Request: Request{URL: url}}, "idle every -1ns"},
		{Crowd{Kind: Periodic, Clients: 1, Request: Request{URL: url}}, "periodic every 0s"},
		{Crowd{Kind: Idle, Clients: 1, Request: Request{URL: "/"}}, "no host"},
		{Crowd{Kind: Idle, Clients: 1, Request: Request{URL: url, Size: -1}}, "-1 bytes"},
		{Crowd{Kind: "rude", Clients: 1, Request: Request{URL: url}}, `"rude"`},
	} {
		a := Attack{Stages: looping(1, 1), Requests: []Request{{URL: url}}, Timeout: 1, Beside: []Crowd{c.crowd}}
		switch err := a.Check(); {
		case c.reason == "" && err != nil:
			t.Errorf("%+v: %v", c.crowd, err)
		case c.reason != "" && (err == nil || !strings.Contains(err.Error(), c.reason)):
			t.Errorf("got %v, want something with %q", err, c.reason)
		}
	}
	// Requests that aren't answered add up to the timeout.
	p := Crowd{Kind: Periodic, Clients: 3, Every: time.Second}
	if n := p.atOnce(10 * time.Second); n != 33 {
		t.Errorf("%d at once", n)
	}
	if n := (&Crowd{Kind: Idle, Clients: 3}).atOnce(time.Hour); n != 3 {
		t.Errorf("%d at once", n)
	}
}
