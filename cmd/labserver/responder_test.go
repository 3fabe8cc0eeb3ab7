package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gatewaylab/servers/app"
	"gatewaylab/servers/wire"
)

// responders are the models behind a gateway, and how their gateway asks.
var responders = map[string]struct {
	words  []string
	silent string // what a peer that is slow begins with
	client func(wire.Dial) gateway
}{
	"fastcgi": {[]string{"fastcgi", "reuse=on", "mpx=off", "requests=8", "buffer=65536"}, "\x01\x01\x00",
		func(d wire.Dial) gateway { return wire.NewFastCGI(d, wire.FastCGIOptions{Reuse: true}) }},
	"fastcgi shared": {[]string{"fastcgi", "reuse=on", "mpx=on", "requests=8", "buffer=65536"}, "\x01\x01\x00",
		func(d wire.Dial) gateway { return wire.NewFastCGI(d, wire.FastCGIOptions{Multiplex: true}) }},
	"scgi":  {[]string{"scgi", "buffer=65536"}, "24:CONTENT", func(d wire.Dial) gateway { return wire.NewSCGI(d) }},
	"uwsgi": {[]string{"uwsgi", "buffer=4096"}, "\x00\x10\x00\x00abc", func(d wire.Dial) gateway { return wire.NewUWSGI(d) }},
}

type gateway interface {
	Do(context.Context, []app.Field, io.Reader) (io.ReadCloser, error)
	Close()
}

// respond starts a responder and waits for its workers.
func respond(t *testing.T, name string, words ...string) (*server, gateway) {
	t.Helper()
	r := responders[name]
	all := append([]string{}, r.words...)
	all = append(all, "workers=2", "socket=tcp", "backlog=128", "queue=0", "timeout=30s", "graceful_timeout=30s", "max_requests=0", "max_requests_jitter=0")
	s := serve(t, append(all, words...)...)
	slots := 0
	for _, w := range append(all, words...) {
		if n, ok := strings.CutPrefix(w, "workers="); ok {
			slots, _ = strconv.Atoi(n)
		}
	}
	if strings.HasSuffix(name, "shared") {
		slots *= 8
	}
	until(t, "the workers are ready", func() bool { return len(s.Board().Read().Slots) == slots })
	g := r.client(s.dial)
	t.Cleanup(g.Close)
	return s, g
}

func (s *server) dial(ctx context.Context) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "tcp", s.addr)
}

func requestFor(target string) []app.Field {
	path, query, _ := strings.Cut(target, "?")
	return []app.Field{
		{Name: "REQUEST_METHOD", Value: "GET"}, {Name: "PATH_INFO", Value: path}, {Name: "SCRIPT_NAME"}, {Name: "QUERY_STRING", Value: query},
		{Name: "SERVER_NAME", Value: "lab.test"}, {Name: "SERVER_PORT", Value: "80"}, {Name: "SERVER_PROTOCOL", Value: "HTTP/1.1"},
	}
}

// asks sends a request and returns the CGI response as it is.
func asks(t *testing.T, g gateway, target, body string) (string, error) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	vars := requestFor(target)
	var r io.Reader
	if body != "" {
		vars[0].Value = "POST"
		vars = append(vars, app.Field{Name: "CONTENT_LENGTH", Value: strconv.Itoa(len(body))})
		r = strings.NewReader(body)
	}
	a, err := g.Do(ctx, vars, r)
	if err != nil {
		return "", err
	}
	defer a.Close()
	b, err := io.ReadAll(a)
	return string(b), err
}

// says asks for /hello and fails the test if that is not the answer.
func says(t *testing.T, g gateway, when string) {
	t.Helper()
	if got, err := asks(t, g, "/hello", ""); err != nil || !strings.HasPrefix(got, "Status: 200 OK\r\n") || !strings.HasSuffix(got, "\r\n\r\nhello\n") {
		t.Errorf("%s: %q, %v", when, got, err)
	}
}

func eachResponder(t *testing.T, test func(t *testing.T, name string)) {
	for name := range responders {
		t.Run(name, func(t *testing.T) { test(t, name) })
	}
}

func TestResponders(t *testing.T) {
	eachResponder(t, func(t *testing.T, name string) {
		s, g := respond(t, name)
		for range 5 {
			says(t, g, "a request")
		}
		body := strings.Repeat("0123456789", 200_000)
		if got, err := asks(t, g, "/upload", body); err != nil || !strings.Contains(got, "bytes 2000000\n") {
			t.Errorf("upload: %q, %v", got, err)
		}
		if got, err := asks(t, g, "/bytes?n=3000000", ""); err != nil || len(got) < 3_000_000 {
			t.Errorf("bytes: %d, %v", len(got), err)
		}
		if got, err := asks(t, g, "/stream?chunks=3&every=1", ""); err != nil || !strings.HasSuffix(got, "chunk 3 of 3\n") {
			t.Errorf("stream: %q, %v", got, err)
		}
		if got, err := asks(t, g, "/hello", body); err == nil && !strings.Contains(got, "405 method not allowed") {
			t.Errorf("a body that nobody reads: %q", got)
		}
		says(t, g, "after them")
		until(t, "ten requests served and nothing busy", func() bool {
			st := s.Board().Read()
			return st.Served >= 10 && st.Busy() == 0
		})
		if got, err := asks(t, g, "/crash", ""); err == nil && got != "" {
			t.Errorf("the crash was survived: %q", got)
		}
		until(t, "the worker is replaced", func() bool { return s.Board().Read().Restarts == 1 })
		says(t, g, "after a crash")
	})
}

func TestResponderTellsWhoSpeaksHTTP(t *testing.T) {
	eachResponder(t, func(t *testing.T, name string) {
		s, g := respond(t, name)
		c, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: lab\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(c)
		if err != nil || !strings.HasPrefix(string(b), "HTTP/1.0 400 ") || !strings.Contains(string(b), "this is HTTP, sent to a ") {
			t.Errorf("%q, %v", b, err)
		}
		until(t, "the log says so", func() bool { return strings.Contains(s.Log(), "this is HTTP, sent to a ") })
		if name == "uwsgi" && !strings.Contains(s.Log(), "21573") {
			t.Errorf("log: %s", s.Log())
		}
		says(t, g, "afterwards")
	})
}

func TestUWSGIBuffer(t *testing.T) {
	_, g := respond(t, "uwsgi", "buffer=500")
	if got, err := asks(t, g, "/hello?"+strings.Repeat("x", 500), ""); err != nil || !strings.HasPrefix(got, "Status: 431 ") || !strings.Contains(got, "the buffer has 500") {
		t.Errorf("%q, %v", got, err)
	}
	says(t, g, "afterwards")
}

// Peers that are slow or silent hold every worker, but no longer than timeout;
// silent ones that speak FastCGI hold none.
func TestSlowGatewayHoldsResponderOnlyForTimeout(t *testing.T) {
	t.Parallel()
	eachResponder(t, func(t *testing.T, name string) {
		if strings.HasSuffix(name, "shared") {
			return // where a connection holds no worker; its time limits are looked at in package wire
		}
		t.Parallel()
		s, g := respond(t, name, "workers=1", "timeout=2s")
		for _, begin := range []string{"", responders[name].silent} {
			c, err := net.Dial("tcp", s.addr)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(c, begin); err != nil {
				t.Fatal(err)
			}
			if begin != "" || name != "fastcgi" {
				until(t, "it holds the worker", func() bool { return s.Board().Read().Busy() == 1 })
			}
			over := make(chan struct{})
			var drip sync.WaitGroup
			drip.Go(func() { // a byte now and then is no request either
				for begin != "" {
					select {
					case <-over:
						return
					case <-time.After(50 * time.Millisecond):
						if _, err := io.WriteString(c, "0"); err != nil {
							return
						}
					}
				}
			})
			says(t, g, fmt.Sprintf("behind a peer that sent %q", begin))
			close(over)
			drip.Wait()
			c.Close()
		}
		if n := s.Board().Read().Restarts; n != 0 {
			t.Errorf("%d restarts: waiting for a peer was taken for hanging", n)
		}
	})
}

func TestResponderFinishesWhatItServes(t *testing.T) {
	t.Parallel()
	eachResponder(t, func(t *testing.T, name string) {
		t.Parallel()
		s, g := respond(t, name)
		says(t, g, "at first")
		until(t, "nothing busy", func() bool { return s.Board().Read().Busy() == 0 })
		done := make(chan string, 1)
		go func() {
			got, err := asks(t, g, "/wait?ms=3000", "")
			done <- fmt.Sprint(got, err)
		}()
		until(t, "a worker has the request", func() bool { return s.Board().Read().Busy() == 1 })
		if err := s.Stop(30 * time.Second); err != nil {
			t.Error(err)
		}
		if got := <-done; !strings.Contains(got, "waited 3000 ms\n<nil>") {
			t.Errorf("the request in hand: %s", got)
		}
	})
}

func TestRespondersReloadUnderLoad(t *testing.T) {
	eachResponder(t, func(t *testing.T, name string) {
		s, g := respond(t, name, "max_requests=50", "max_requests_jitter=20")
		over := make(chan struct{})
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				for len(over) == 0 {
					select {
					case <-over:
						return
					default:
						says(t, g, "under load")
					}
				}
			})
		}
		for range 3 {
			old := map[int]bool{}
			for _, slot := range s.Board().Read().Slots {
				old[slot.PID] = true
			}
			s.send(t, syscall.SIGHUP)
			until(t, "the old workers are replaced", func() bool {
				for _, slot := range s.Board().Read().Slots {
					if old[slot.PID] {
						return false
					}
				}
				return true
			})
		}
		close(over)
		all.Wait()
		if n := s.Board().Read().Restarts; n != 0 {
			t.Errorf("%d restarts: leaving was counted as crashing", n)
		}
	})
}

// A kept connection on which nothing is asked holds no worker.
func TestKeptConnectionHoldsNoWorker(t *testing.T) {
	s, g := respond(t, "fastcgi", "workers=1")
	says(t, g, "the first gateway")
	other := wire.NewFastCGI(s.dial, wire.FastCGIOptions{Reuse: true})
	defer other.Close()
	for i := range 5 {
		says(t, other, fmt.Sprint("the other gateway, ", i))
		says(t, g, fmt.Sprint("the first gateway, ", i))
	}
}

// gateways are several, each with a connection that it keeps.
func gateways(t *testing.T, s *server, n int) (all []gateway) {
	for i := range n {
		g := wire.NewFastCGI(s.dial, wire.FastCGIOptions{Reuse: true})
		t.Cleanup(g.Close)
		all = append(all, g)
		says(t, g, fmt.Sprint("gateway ", i))
	}
	return all
}

// A request waits for no worker that is busy while another is not, whichever
// worker has its connection; whether the busy one comes back or not.
func TestKeptConnectionGoesToWhoIsFree(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"/wait?ms=20000", "/hang"} {
		t.Run(target, func(t *testing.T) {
			t.Parallel()
			s, _ := respond(t, "fastcgi", "workers=2")
			all := gateways(t, s, 8)
			ended := make(chan struct{})
			go func() {
				_, _ = asks(t, all[0], target, "") // it is cut off by the server's end
				close(ended)
			}()
			until(t, "it is served", func() bool { return s.Board().Read().Busy() == 1 })
			for i, g := range all[1:] {
				says(t, g, fmt.Sprint("beside it, gateway ", i+1))
			}
			select {
			case <-ended:
				t.Error("the others had to wait for its end")
			default:
			}
			if err := s.Stop(100 * time.Millisecond); err == nil {
				t.Error("the worker that is busy has left by itself")
			}
			<-ended
		})
	}
}

// Kept connections whose worker has served its last request are the others'.
func TestKeptConnectionOutlivesItsWorker(t *testing.T) {
	s, _ := respond(t, "fastcgi", "workers=2", "max_requests=3")
	all := gateways(t, s, 4)
	for range 10 {
		for i, g := range all {
			says(t, g, fmt.Sprint("gateway ", i))
		}
	}
	if n := s.Board().Read().Restarts; n != 0 {
		t.Errorf("%d restarts: leaving was counted as crashing", n)
	}
}

// A request that hangs in a worker with others beside it is given up in time,
// and costs the others nothing.
func TestSharedWorkerGivesUpWhatHangs(t *testing.T) {
	t.Parallel()
	s, g := respond(t, "fastcgi shared", "workers=1", "timeout=3s")
	hung := make(chan string, 1)
	go func() {
		got, err := asks(t, g, "/hang", "")
		hung <- fmt.Sprint(got, err)
	}()
	until(t, "it hangs", func() bool { return s.Board().Read().Busy() == 1 })
	says(t, g, "beside it")
	if got := <-hung; !strings.HasPrefix(got, "Status: 504 ") {
		t.Errorf("the request that hangs: %s", got)
	}
	if n := s.Board().Read().Restarts; n != 0 {
		t.Errorf("%d restarts", n)
	}
}

// Who comes when as many wait as may is told so at once, and counted; those who
// wait are served.
func TestResponderQueueHasALimit(t *testing.T) {
	eachResponder(t, func(t *testing.T, name string) {
		if strings.HasSuffix(name, "shared") {
			return // whose limit is requests
		}
		s, g := respond(t, name, "workers=1", "queue=2")
		if f, ok := g.(*wire.FastCGI); ok { // a gateway that keeps connections lets requests wait itself
			f.Close()
			g = wire.NewFastCGI(s.dial, wire.FastCGIOptions{})
			t.Cleanup(g.Close)
		}
		for round := range 3 {
			ctx, release := context.WithCancel(t.Context())
			held := make(chan error, 1)
			go func() {
				a, err := g.Do(ctx, requestFor("/stream?chunks=100000&every=5"), nil)
				if err == nil {
					_, _ = io.Copy(io.Discard, a) // until the client goes
					err = a.Close()
				}
				held <- err
			}()
			until(t, "the worker is held", func() bool { st := s.Board().Read(); return st.Busy() == 1 && st.Queued == 0 })
			var waiting sync.WaitGroup
			for range 2 {
				waiting.Go(func() { says(t, g, "one that has waited") })
			}
			until(t, "two wait", func() bool { return s.Board().Read().Queued == 2 })
			got, err := asks(t, g, "/hello", "")
			if name == "fastcgi" && !errors.Is(err, wire.ErrOverloaded) || name != "fastcgi" && (err != nil || !strings.Contains(got, "503 Service Unavailable\r\n")) {
				t.Errorf("one too many: %q, %v", got, err)
			}
			if st := s.Board().Read(); st.Rejected != uint64(round+1) || st.Queued != 2 {
				t.Errorf("%d rejected, %d queued", st.Rejected, st.Queued)
			}
			release()
			<-held
			waiting.Wait()
			until(t, "nothing under way", func() bool { st := s.Board().Read(); return st.Busy() == 0 && st.Queued == 0 })
		}
		if st := s.Board().Read(); st.Restarts != 0 {
			t.Errorf("%d restarts", st.Restarts)
		}
	})
}

// With a limited queue, too, a request comes to no harm when workers come and
// go, and whoever has been let in is served before the end.
func TestResponderWithUsherComesAndGoes(t *testing.T) {
	t.Parallel()
	eachResponder(t, func(t *testing.T, name string) {
		if strings.HasSuffix(name, "shared") {
			return
		}
		t.Parallel()
		s, g := respond(t, name, "queue=64", "max_requests=20")
		for range 100 {
			says(t, g, "one after another")
		}
		if got, err := asks(t, g, "/crash", ""); err == nil && got != "" {
			t.Errorf("the crash was survived: %q", got)
		}
		until(t, "the worker is replaced", func() bool { return s.Board().Read().Restarts == 1 })
		says(t, g, "after a crash")
		s.send(t, syscall.SIGHUP)
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for range 20 {
					says(t, g, "meanwhile")
				}
			})
		}
		all.Wait()
		done := make(chan string, 1)
		until(t, "nothing busy", func() bool { return s.Board().Read().Busy() == 0 })
		go func() {
			got, err := asks(t, g, "/wait?ms=3000", "")
			done <- fmt.Sprint(got, err)
		}()
		until(t, "a worker has the request", func() bool { return s.Board().Read().Busy() == 1 })
		if err := s.Stop(30 * time.Second); err != nil {
			t.Error(err)
		}
		if got := <-done; !strings.Contains(got, "waited 3000 ms\n<nil>") {
			t.Errorf("the request in hand: %s", got)
		}
	})
}
