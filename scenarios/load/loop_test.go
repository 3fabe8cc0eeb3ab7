package load

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"gatewaylab/servers/process/processtest"
)

// ways are how users can be sent off: on loops, and, since they think for a
// moment, on goroutines.
func ways(n int, d time.Duration) map[string]Stage {
	return map[string]Stage{
		"loop":      {Shape: Users, UsersFrom: n, For: d},
		"goroutine": {Shape: Users, UsersFrom: n, Think: 1, For: d},
	}
}

// TestLoopsAndGoroutinesAgree: it shows in nothing but speed where a user lives.
func TestLoopsAndGoroutinesAgree(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
	big := strings.Repeat("0123456789", 100_000)
	for name, s := range map[string]script{
		"whole":              then(answer(ok), answer(ok)),
		"closed after it":    answer("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello"),
		"in pieces":          then(answer("HTTP/1.1 2", "00 OK\r\nContent-Len", "gth: 5\r\n\r\nhe", "llo"), answer(ok)),
		"chunked":            then(answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "5\r\nhello\r\n", "0\r\n\r\n"), answer(ok)),
		"until the end":      answer("HTTP/1.1 200 OK\r\n\r\n", "hello"),
		"interim":            then(answer("HTTP/1.1 103 Early Hints\r\n\r\n", ok), answer(ok)),
		"no content":         then(answer("HTTP/1.1 204 No Content\r\n\r\n"), answer(ok)),
		"large":              answer("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", big),
		"an error":           then(answer("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\nno"), answer(ok)),
		"cut off":            answer("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello"),
		"nothing":            func(t *testing.T, _ net.Conn, in *bufio.Reader) { takeRequest(t, in) },
		"malformed":          answer("SSH-2.0-OpenSSH\r\n"),
		"two lengths":        answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello"),
		"never":              thenHold(answer()),
		"never the end":      thenHold(answer("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello")),
		"more than it wants": then(answer(ok+"more"), answer(ok)),
	} {
		t.Run(name, func(t *testing.T) {
			seen := map[string]string{}
			for way, stage := range ways(1, time.Second) {
				seen[way] = firstHits(t, scripted(t, s), stage)
			}
			if seen["loop"] != seen["goroutine"] {
				t.Errorf("on a loop:\n%son a goroutine:\n%s", seen["loop"], seen["goroutine"])
			}
		})
	}
	t.Run("refused", func(t *testing.T) {
		url := "http://" + processtest.Address(t) + "/"
		seen := map[string]string{}
		for way, stage := range ways(1, time.Second) {
			seen[way] = firstHits(t, url, stage)
		}
		if seen["loop"] != seen["goroutine"] || !strings.Contains(seen["loop"], KindRefused) {
			t.Errorf("on a loop:\n%son a goroutine:\n%s", seen["loop"], seen["goroutine"])
		}
	})
}

// firstHits says what came of a user's first two requests. The stage is ended
// then: what is cut says nothing.
func firstHits(t *testing.T, url string, s Stage) string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s.For = time.Hour
	a := Attack{Stages: []Stage{s}, Requests: []Request{{URL: url}}, Timeout: 300 * time.Millisecond}
	var b strings.Builder
	var hits []Hit
	o, err := a.Run(ctx, nil, func(h *Hit) {
		if len(hits) < 2 && !h.Cut {
			hits = append(hits, *h)
			text := h.Err
			if i := strings.LastIndex(text, "->"); i >= 0 { // ports differ
				text = text[i:]
			}
			if i := strings.Index(text, ": "); i >= 0 && h.Kind != KindMalformed {
				text = text[i:]
			}
			fmt.Fprintf(&b, "%d %d %q %q reused %v, a first byte %v\n", h.Code, h.Bytes, h.Kind, text, h.Reused, h.FirstByte > 0)
		}
		if len(hits) == 2 {
			cancel()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if o.Sent == 0 {
		t.Error("nothing was sent")
	}
	return b.String()
}

// TestLoopIsForWhatDoesNotBlockIt: names, thinking and long requests have
// goroutines, and so has every other protocol.
func TestLoopIsForWhatDoesNotBlockIt(t *testing.T) {
	plain := Attack{Stages: looping(1, time.Second), Requests: []Request{{URL: "http://127.0.0.1:1/{uniform 1 9}"}}, Timeout: time.Second}
	for name, c := range map[string]struct {
		change func(*Attack)
		loops  bool
	}{
		"plain":  {func(*Attack) {}, runtime.GOOS == "linux"},
		"open":   {func(a *Attack) { a.Stages = arriving(10, time.Second) }, runtime.GOOS == "linux"},
		"a name": {func(a *Attack) { a.Requests = []Request{{URL: "http://localhost:1/"}} }, false},
		"thinking": {func(a *Attack) {
			a.Stages = []Stage{{Shape: Users, UsersFrom: 1, Think: time.Second, For: time.Second}}
		}, false},
		"a long body": {func(a *Attack) {
			a.Requests = []Request{{Method: "POST", URL: "http://127.0.0.1:1/", Size: inlineWrite}}
		}, false},
		"HTTP/2":        {func(a *Attack) { a.Protocol = H2C }, false},
		"one of two is": {func(a *Attack) { a.Requests = append(a.Requests[:1:1], Request{URL: "http://localhost:1/"}) }, false},
	} {
		a := plain
		c.change(&a)
		r, err := a.newRun(nil, func(*Hit) {})
		if err != nil {
			t.Fatal(err)
		}
		r.caller, r.began = a.newCaller()
		r.openLoops()
		if got := len(r.loops) > 0; got != c.loops {
			t.Errorf("%s: on a loop %v", name, got)
		}
		r.close()
	}
}

// TestLoopGoesOnBesideWhatHangs: of two users one waits for an answer that
// doesn't come, and the other is served all the time.
func TestLoopGoesOnBesideWhatHangs(t *testing.T) {
	free := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hangs" {
			<-free
		}
		_, _ = io.WriteString(w, "hello")
	}))
	defer srv.Close()
	defer close(free)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	a := Attack{
		Stages: looping(2, time.Hour), Timeout: time.Hour,
		Requests: []Request{{URL: srv.URL + "/", Weight: 20}, {URL: srv.URL + "/hangs"}},
	}
	var gauge Gauge
	var cut, served int
	_, err := a.Run(ctx, &gauge, func(h *Hit) {
		switch {
		case h.Cut:
			cut++
		case h.Kind != "":
			t.Errorf("%s: %s", h.Kind, h.Err)
		default:
			if served++; served == 5 { // then both hang, or go on
				time.AfterFunc(100*ms, cancel)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if served < 5 || cut == 0 || gauge.InFlight() != 0 {
		t.Errorf("%d served, %d cut, %d in flight at the end", served, cut, gauge.InFlight())
	}
}

// TestLoopKeepsTheSchedule: a loop sends what vegeta's dispatcher would.
func TestLoopKeepsTheSchedule(t *testing.T) {
	srv := newHello(t)
	name := strings.Replace(srv.URL, "127.0.0.1", "localhost", 1)
	type sent struct {
		due     time.Duration
		request int
	}
	seen := map[string][]sent{}
	for _, url := range []string{srv.URL, name} {
		a := Attack{
			Stages:   []Stage{{Shape: Constant, From: 500, Poisson: true, For: 200 * ms}, {Shape: Constant, From: 100, For: 100 * ms}},
			Requests: []Request{{URL: url}, {URL: url + "/?other", Weight: 2}}, Timeout: patient, Seed: 7,
		}
		hits := attackWhole(t, &a)
		slices.SortFunc(hits, func(x, y Hit) int { return int(x.Seq) - int(y.Seq) })
		for i, h := range hits {
			if h.Seq != uint64(i) || h.Sent < h.Due {
				t.Errorf("%s: hit %d: %+v", url, i, h)
			}
			seen[url] = append(seen[url], sent{h.Due, h.Request})
		}
	}
	if !slices.Equal(seen[srv.URL], seen[name]) {
		t.Errorf("on a loop %d hits:\n%v\nby vegeta %d:\n%v", len(seen[srv.URL]), seen[srv.URL], len(seen[name]), seen[name])
	}
}
