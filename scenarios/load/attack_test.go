package load

import (
	"bufio"
	"context"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatewaylab/servers/process/processtest"
)

// attack runs a and returns its hits in the order in which they ended.
func attack(t *testing.T, a *Attack) ([]Hit, Outcome) {
	t.Helper()
	var hits []Hit
	o, err := a.Run(t.Context(), nil, func(h *Hit) { hits = append(hits, *h) })
	if err != nil {
		t.Fatal(err)
	}
	if o.Sent != uint64(len(hits)) {
		t.Errorf("%d sent, %d reported", o.Sent, len(hits))
	}
	seen := make(map[uint64]bool)
	for _, h := range hits {
		if seen[h.Seq] || h.Seq >= o.Sent {
			t.Fatalf("hit %d of %d: twice, or out of range", h.Seq, o.Sent)
		}
		seen[h.Seq] = true
	}
	return hits, o
}

// attackWhole is attack, and again where the machine was so late that a hit
// which was due went unsent: the generator's grace is short.
func attackWhole(t *testing.T, a *Attack) (hits []Hit) {
	t.Helper()
	for range 5 {
		var o Outcome
		if hits, o = attack(t, a); o.Unsent() == 0 {
			return hits
		}
	}
	t.Error("in each of five attacks hits went unsent")
	return hits
}

// hello serves 5 bytes and counts connections and requests. Nothing of vegeta
// may be seen in a request.
type hello struct {
	*httptest.Server
	conns, requests, now, peak atomic.Int64
}

func newHello(t *testing.T) *hello {
	h := new(hello)
	h.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.requests.Add(1)
		n := h.now.Add(1)
		defer h.now.Add(-1)
		for p := h.peak.Load(); n > p && !h.peak.CompareAndSwap(p, n); p = h.peak.Load() {
		}
		for name := range r.Header {
			if strings.HasPrefix(name, "X-") {
				t.Errorf("request carries %s", name)
			}
		}
		_, _ = io.WriteString(w, "hello")
	}))
	h.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			h.conns.Add(1)
		}
	}
	h.Start()
	t.Cleanup(h.Close)
	return h
}

// hanging serves nothing, ever.
func hanging(t *testing.T) string {
	return scripted(t, thenHold(answer()))
}

func TestOpenLoop(t *testing.T) {
	srv := newHello(t)
	hits, o := attack(t, &Attack{
		Stages:   arriving(500, 400*time.Millisecond),
		Requests: []Request{{URL: srv.URL + "/x"}},

		Timeout: patient,
	})
	if o.Due != 200 || o.Sent+o.Unsent() != o.Due || o.DueIn(100*time.Millisecond, 200*time.Millisecond) != 50 {
		t.Errorf("%d due, %d sent, %d unsent", o.Due, o.Sent, o.Unsent())
	}
	if o.Ended != 400*time.Millisecond || time.Since(o.Began) > time.Hour {
		t.Errorf("began %v, ended %v", o.Began, o.Ended)
	}
	if n := srv.requests.Load(); uint64(n) != o.Sent {
		t.Errorf("%d sent, the server saw %d", o.Sent, n)
	}
	if n := srv.conns.Load(); uint64(n) != o.Connections {
		t.Errorf("%d connections, the server saw %d", o.Connections, n)
	}
	var opened uint64
	noneLeft(t)
	for _, h := range hits {
		if want := time.Duration(h.Seq) * 2 * time.Millisecond; h.Due != want {
			t.Errorf("hit %d due %v, want %v", h.Seq, h.Due, want)
		}
		if h.Sent < h.Due || h.FirstByte <= 0 || h.FirstByte > h.Latency || h.Response() < h.Latency {
			t.Errorf("times of %+v", h)
		}
		if h.Kind != "" || h.Err != "" || h.Code != 200 || h.Bytes != 5 || h.Cut {
			t.Errorf("%+v", h)
		}
		if !h.Reused {
			opened++
		}
	}
	if opened != o.Connections {
		t.Errorf("%d hits on new connections, %d connections", opened, o.Connections)
	}
	slices.SortFunc(hits, func(a, b Hit) int { return int(a.Seq) - int(b.Seq) })
	if !slices.IsSortedFunc(hits, func(a, b Hit) int { return int(a.Sent - b.Sent) }) {
		t.Error("hits weren't sent in the order of their numbers")
	}
}

func TestUnsentIsCounted(t *testing.T) {
	// Every hit hangs until the timeout and three may be under way at once: of
	// thirty, three are sent.
	hits, o := attack(t, &Attack{
		Stages:   arriving(100, 300*time.Millisecond),
		Requests: []Request{{URL: hanging(t)}},

		Timeout:     time.Second,
		MaxInFlight: 3,
	})
	if o.Due != 30 || len(hits) > 3 || o.Unsent() != o.Due-o.Sent {
		t.Errorf("%d due, %d sent, %d unsent", o.Due, len(hits), o.Unsent())
	}
	noneLeft(t)
	for _, h := range hits {
		if h.Kind != KindTimeout || h.Cut {
			t.Errorf("%+v", h)
		}
	}
	if n := o.UnsentIn(100*time.Millisecond, 200*time.Millisecond); n != 10 {
		t.Errorf("%d unsent of the ten due from 100 to 200 ms", n)
	}
	if n := o.UnsentIn(0, time.Hour); n != o.Unsent() {
		t.Errorf("%d unsent in all, or %d", n, o.Unsent())
	}
}

func TestClosedLoop(t *testing.T) {
	// Every client's first request waits until all have come: that needs
	// exactly as many in flight.
	const clients = 8
	var all sync.WaitGroup
	all.Add(clients)
	var conns atomic.Int64
	url := scripted(t, func(t *testing.T, c net.Conn, in *bufio.Reader) {
		conns.Add(1)
		takeRequest(t, in)
		all.Done()
		all.Wait()
		for {
			_, _ = io.WriteString(c, ok)
			if req, _ := takeRequest(t, in); req == nil {
				return
			}
		}
	})
	var live Gauge
	var hits, cut, fresh, done int
	a := &Attack{
		Stages:   looping(clients, 300*time.Millisecond),
		Requests: []Request{{URL: url}},

		Timeout: patient,
	}
	o, err := a.Run(t.Context(), &live, func(h *Hit) {
		hits++
		switch {
		case h.Due != h.Sent:
			t.Errorf("hit %d due %v, sent %v", h.Seq, h.Due, h.Sent)
		case h.Cut:
			cut++
		case h.Kind != "":
			t.Errorf("%+v", h)
		default:
			done++
		}
		if !h.Reused && !h.Cut {
			fresh++
		}
		if n := live.InFlight(); n > clients {
			t.Errorf("%d in flight", n)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	noneLeft(t)
	if o.Due != o.Sent || int(o.Sent) != hits || o.Unsent() != 0 || o.Connections != clients || conns.Load() != clients {
		t.Errorf("%+v; %d hits, %d connections", o, hits, conns.Load())
	}
	if cut > 2*clients || fresh > clients || done < clients {
		t.Errorf("%d done, %d cut, %d on new connections", done, cut, fresh)
	}
	r := live.Read()
	if r.InFlight != 0 || r.Done != r.Sent || r.Sent != o.Sent || r.Peak != clients {
		t.Errorf("%+v", r)
	}
}

func TestClosedLoopIsCut(t *testing.T) {
	began := time.Now()
	hits, o := attack(t, &Attack{
		Stages:   looping(5, 100*time.Millisecond),
		Requests: []Request{{URL: hanging(t)}},

		Timeout: time.Hour,
	})
	if time.Since(began) > patient {
		t.Error("it waited for the timeout")
	}
	if o.Sent < 5 || o.Sent > 10 {
		t.Errorf("%d sent", o.Sent)
	}
	noneLeft(t)
	for _, h := range hits {
		if !h.Cut || h.Kind != "" || h.Code != 0 {
			t.Errorf("%+v", h)
		}
	}
}

func TestCancel(t *testing.T) {
	for name, l := range map[string][]Stage{
		"open":        arriving(200, time.Hour),
		"open, slow":  arriving(0.001, time.Hour), // asleep until the next hit is due
		"open, stuck": arriving(1000, time.Hour),  // no worker is free
		"closed":      looping(4, time.Hour),
		"thinking":    {{Shape: Users, UsersFrom: 4, Think: time.Hour, For: time.Hour}},
		"mixed":       append(looping(4, 10*time.Millisecond), arriving(200, time.Hour)...),
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			a := &Attack{Stages: l, Requests: []Request{{URL: hanging(t)}}, Timeout: time.Hour, MaxInFlight: 20}
			var live Gauge
			var cancelled time.Time
			go func() {
				for live.InFlight() == 0 {
					time.Sleep(time.Millisecond)
				}
				time.Sleep(50 * time.Millisecond)
				cancelled = time.Now()
				cancel()
			}()
			o, err := a.Run(ctx, &live, func(h *Hit) {
				if !h.Cut {
					t.Errorf("%+v", h)
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			if d := time.Since(cancelled); d > patient {
				t.Errorf("it took %v to end", d)
			}
			if o.Sent == 0 || o.Ended == 0 || o.Ended >= time.Minute || o.Sent+o.Unsent() < o.Due {
				t.Errorf("%+v", o)
			}
			noneLeft(t)
		})
	}
}

func TestCancelledBeforeItBegan(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	a := &Attack{Stages: looping(2, time.Hour), Requests: []Request{{URL: hanging(t)}}, Timeout: time.Hour}
	if _, err := a.Run(ctx, nil, func(*Hit) {}); err != nil {
		t.Error(err)
	}
	noneLeft(t)
}

func TestNothingIsShared(t *testing.T) {
	one, two := newHello(t), newHello(t)
	var both sync.WaitGroup
	for _, srv := range []*hello{one, two} {
		a := Attack{Stages: looping(3, 300*time.Millisecond), Requests: []Request{{URL: srv.URL}}, Timeout: patient}
		both.Go(func() {
			for run := int64(1); run <= 2; run++ { // the second run connects anew
				o, err := a.Run(t.Context(), nil, func(h *Hit) {
					if h.Kind != "" {
						t.Errorf("%+v", h)
					}
				})
				if err != nil || o.Connections == 0 || o.Connections > 3 {
					t.Errorf("%v, %d connections", err, o.Connections)
				}
			}
		})
	}
	both.Wait()
	noneLeft(t)
	for _, srv := range []*hello{one, two} {
		if n := srv.conns.Load(); n < 2 || n > 6 || srv.peak.Load() > 3 {
			t.Errorf("%d connections, at most %d requests at once", n, srv.peak.Load())
		}
	}
}

func TestWhatHitsSay(t *testing.T) {
	t.Parallel()
	refused := processtest.Address(t)
	reply := func(s string) string { return scripted(t, answer(s)) }
	for _, c := range []struct {
		name, url, method string
		want              Hit
	}{
		{"success", reply(ok), "", Hit{Code: 200, Bytes: 2}},
		{"HEAD", reply("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"), "HEAD", Hit{Code: 200}},
		{"redirect", reply("HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/\r\nContent-Length: 0\r\n\r\n"), "", Hit{Code: 302}},
		{"bad redirect", reply("HTTP/1.1 307 X\r\nLocation: ://\r\nContent-Length: 3\r\n\r\nabc"), "POST", Hit{Code: 307, Bytes: 3}},
		{"overload", reply("HTTP/1.1 503 Too Busy\r\nContent-Length: 4\r\n\r\nbusy"), "", Hit{Code: 503, Bytes: 4, Kind: "status 503", Err: "503 Too Busy"}},
		{"no reason", reply("HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n"), "", Hit{Code: 404, Kind: "status 404", Err: "404"}},
		{"half a body", reply("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"), "", Hit{Code: 200, Bytes: 4, Kind: KindClosed, Err: "unexpected EOF"}},
		{"refused", "http://" + refused, "", Hit{Kind: KindRefused}},
		{"malformed", reply("rubbish rubbish\r\n\r\n"), "", Hit{Kind: KindMalformed}},
		{"timeout", hanging(t), "", Hit{Kind: KindTimeout}},
	} {
		t.Run(c.name, func(t *testing.T) {
			timeout := patient
			if c.want.Kind == KindTimeout {
				timeout = 20 * time.Millisecond
			}
			hits := attackWhole(t, &Attack{
				Stages:   arriving(1, time.Millisecond),
				Requests: []Request{{URL: c.url, Method: c.method}},

				Timeout: timeout,
			})
			if len(hits) != 1 {
				t.Fatalf("%d hits", len(hits))
			}
			h := hits[0]
			if h.Code != c.want.Code || h.Bytes != c.want.Bytes || h.Kind != c.want.Kind || (h.Err == "") != (h.Kind == "") {
				t.Errorf("got %+v, want %+v", h, c.want)
			}
			if c.want.Err != "" && h.Err != c.want.Err {
				t.Errorf("error %q, want %q", h.Err, c.want.Err)
			}
			if (h.FirstByte > 0) != (h.Code > 0) || h.Latency <= 0 || h.Done() != h.Sent+h.Latency {
				t.Errorf("times of %+v", h)
			}
		})
	}
}

func TestRequestBodyIsSentByEveryHit(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]int{"short": 5, "long": 100_000} {
		t.Run(name, func(t *testing.T) {
			var bad atomic.Int64
			srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				b, err := io.ReadAll(r.Body)
				if err != nil || len(b) != size || r.Header.Get("Content-Type") != "text/x" || r.Host != "example.test" {
					bad.Add(1)
				}
			}))
			defer srv.Close()
			header := http.Header{"Content-Type": {"text/x"}, "Host": {"example.test"}}
			_, o := attack(t, &Attack{
				Stages:   arriving(100, 200*time.Millisecond),
				Requests: []Request{{Method: "POST", URL: srv.URL, Header: header, Body: make([]byte, size)}},

				Timeout: patient,
			})
			if n := bad.Load(); n != 0 || o.Sent == 0 {
				t.Errorf("%d of %d requests arrived otherwise", n, o.Sent)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	good := Attack{Stages: arriving(1, 1), Requests: []Request{{URL: "http://127.0.0.1:1/"}}, Timeout: 1}
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		change func(*Attack)
		reason string
	}{
		{func(a *Attack) { a.Stages[0].From = 0 }, "rate is 0 per second"},
		{func(a *Attack) { a.Stages[0].From = math.NaN() }, "rate is NaN"},
		{func(a *Attack) { a.Stages[0].From = math.Inf(1) }, "rate is +Inf"},
		{func(a *Attack) { a.Stages = looping(0, 1) }, "0 users"},
		{func(a *Attack) { a.Stages[0].Shape = "half" }, `shape "half"`},
		{func(a *Attack) { a.Stages[0].For = 0 }, "constant for 0s"},
		{func(a *Attack) { a.Timeout = 0 }, "timeout 0s"},
		{func(a *Attack) { a.MaxInFlight = -1 }, "-1 in flight"},
		{func(a *Attack) { a.Requests[0].URL = "https://127.0.0.1/" }, "only http"},
		{func(a *Attack) { a.Requests[0].URL = "/path" }, "no host"},
		{func(a *Attack) { a.Requests[0].URL = "http://[::1" }, "request: "},
		{func(a *Attack) { a.Requests[0].Method = "A B" }, "method"},
		{func(a *Attack) { a.Requests[0].Header = http.Header{"A": {"\n"}} }, "header"},
	} {
		a := good
		a.Stages, a.Requests = slices.Clone(good.Stages), slices.Clone(good.Requests)
		c.change(&a)
		if _, err := a.Run(t.Context(), nil, nil); err == nil || !strings.Contains(err.Error(), c.reason) {
			t.Errorf("got %v, want something with %q", err, c.reason)
		}
	}
	if limit, known := fileLimit(); known && limit < math.MaxInt32 {
		a := good
		a.MaxInFlight = int(limit)
		if err := a.Check(); err == nil || !strings.Contains(err.Error(), "ulimit -n") {
			t.Errorf("got %v", err)
		}
	}
	if n := DefaultInFlight(); n <= 0 || n > 10_000 {
		t.Errorf("default %d", n)
	}
}

// An answer that comes after the timeout is a timeout, although the connection's
// deadline may be later by up to an eighth of it.
func TestLateAnswerIsATimeout(t *testing.T) {
	t.Parallel()
	const timeout = 400 * time.Millisecond
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(timeout + timeout/16)
		_, _ = io.WriteString(w, "late")
	}))
	t.Cleanup(srv.Close)
	hits := attackWhole(t, &Attack{
		Stages: arriving(20, 500*time.Millisecond), Requests: []Request{{URL: srv.URL}}, Timeout: timeout,
	})
	if len(hits) != 10 {
		t.Errorf("%d hits, want 10", len(hits))
	}
	for _, h := range hits {
		if h.Kind != KindTimeout || h.Code != 0 || h.Latency < timeout {
			t.Errorf("hit %d after %s: %q, status %d; want a timeout", h.Seq, h.Latency, h.Kind, h.Code)
		}
	}
}
