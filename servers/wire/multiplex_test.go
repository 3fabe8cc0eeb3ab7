package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"gatewaylab/servers/app"
)

func marked(v string) []app.Field { return []app.Field{{Name: "MARK", Value: v}} }

// gate is a handler that answers when it is let, or when it is given up.
type gate struct {
	inside chan struct{}
	open   chan struct{}
}

func newGate() *gate { return &gate{make(chan struct{}, 100), make(chan struct{})} }

func (g *gate) handle(x *Exchange) error {
	g.inside <- struct{}{}
	select {
	case <-g.open:
		return mark(x)
	case <-x.Gone:
		return ErrAborted
	case <-time.After(patience):
		return errors.New("nobody opens")
	}
}

func TestOverload(t *testing.T) {
	g := newGate()
	m := NewFastCGIMultiplexer(g.handle, MultiplexOptions{Requests: 2, MaxReqs: 100})
	c := NewFastCGI(serve(t, "unix", m.Serve).dial, FastCGIOptions{Multiplex: true})
	defer c.Close()
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			if got, err := ask(t, c.Do, marked("in"), nil); got != "in" || err != nil {
				t.Errorf("%q, %v", got, err)
			}
		})
		<-g.inside
	}
	if _, err := ask(t, c.Do, marked("out"), nil); !errors.Is(err, ErrOverloaded) {
		t.Errorf("one too many: %v", err)
	}
	close(g.open)
	all.Wait()
	if got, err := ask(t, c.Do, marked("again"), nil); got != "again" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// Requests wait for as many places as the responder says it has, and none is
// answered OVERLOADED.
func TestPlaces(t *testing.T) {
	m := NewFastCGIMultiplexer(mark, MultiplexOptions{Requests: 2})
	one := NewFastCGIResponder
	for name, c := range map[string]*FastCGI{
		"requests": NewFastCGI(serve(t, "unix", m.Serve).dial, FastCGIOptions{Multiplex: true}),
		"connections": NewFastCGI(func() *served {
			turn := make(chan struct{}, 2) // two workers, each with one connection
			return serve(t, "unix", func(conn net.Conn) error {
				turn <- struct{}{}
				defer func() { <-turn }()
				return orderly(one(mark, ServeOptions{MaxConns: 2, MaxReqs: 2}).Serve)(conn)
			})
		}().dial, FastCGIOptions{Reuse: true}),
	} {
		var all sync.WaitGroup
		for i := range 32 {
			all.Go(func() {
				for range 5 {
					want := fmt.Sprint(i)
					if got, err := ask(t, c.Do, marked(want), nil); got != want || err != nil {
						t.Errorf("%s: %q, %v", name, got, err)
					}
				}
			})
		}
		all.Wait()
		c.Close()
	}
}

// A multiplexer that is told to leave finishes what it has, and a gateway's
// next requests go elsewhere.
func TestShutdownFinishes(t *testing.T) {
	g := newGate()
	m := NewFastCGIMultiplexer(g.handle, MultiplexOptions{Requests: 8, Timeout: patience})
	next := NewFastCGIMultiplexer(mark, MultiplexOptions{Requests: 8, Timeout: patience})
	var mu sync.Mutex
	current := m
	s := serve(t, "tcp", func(c net.Conn) error {
		mu.Lock()
		serves := current
		mu.Unlock()
		return serves.Serve(c)
	})
	c := NewFastCGI(s.dial, FastCGIOptions{Multiplex: true, Shared: 1})
	defer c.Close()
	answered := make(chan string, 1)
	go func() {
		got, err := ask(t, c.Do, marked("old"), nil)
		answered <- fmt.Sprint(got, err)
	}()
	<-g.inside
	mu.Lock()
	current = next
	mu.Unlock()
	m.Shutdown()
	for limit := time.Now().Add(patience); time.Now().Before(limit); time.Sleep(time.Millisecond) {
		c.mu.Lock()
		told := len(c.shared) == 0
		c.mu.Unlock()
		if told {
			break
		}
	}
	if got, err := ask(t, c.Do, marked("new"), nil); got != "new" || err != nil {
		t.Errorf("while it leaves: %q, %v", got, err)
	}
	close(g.open)
	if got := <-answered; got != "old<nil>" {
		t.Errorf("what it had: %s", got)
	}
}

func TestMultiplexerTimeLimits(t *testing.T) {
	g := newGate()
	m := NewFastCGIMultiplexer(g.handle, MultiplexOptions{Requests: 8, Timeout: 200 * time.Millisecond})
	s := serve(t, "unix", m.Serve)
	c := NewFastCGI(s.dial, FastCGIOptions{Multiplex: true})
	defer c.Close()
	if got, err := ask(t, c.Do, marked("x"), nil); err != nil || !strings.HasPrefix(got, "Status: 504 ") {
		t.Errorf("a request that hangs: %q, %v", got, err)
	}
	for name, sent := range map[string]string{
		"says nothing":          "",
		"begins a record":       "\x01\x01",
		"begins a request":      beginRecord(1, RoleResponder, true),
		"is slow with its body": strings.TrimSuffix(aRequest(1, true, "a", ""), record(Stdin, 1, "")),
		"is idle afterwards":    record(GetValues, 0, ""),
	} {
		conn, err := s.dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, sent); err != nil {
			t.Error(err)
		}
		if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Error(err)
		}
		if _, err := io.Copy(io.Discard, conn); err != nil {
			t.Errorf("a gateway that %s: %v; the connection should have been closed", name, err)
		}
		conn.Close()
	}
	if len(m.places) != 0 {
		t.Errorf("%d places are still taken", len(m.places))
	}
}

// A kept connection that the responder has closed meanwhile costs no request.
func TestClosedKeptConnection(t *testing.T) {
	for _, network := range []string{"unix", "tcp"} {
		stay := false
		s := serve(t, network, func(c net.Conn) error {
			return orderly(NewFastCGIResponder(mark, ServeOptions{Stay: func() bool { return stay }}).Serve)(c)
		})
		c := NewFastCGI(s.dial, FastCGIOptions{Reuse: true})
		for i := range 50 {
			if got, err := ask(t, c.Do, marked("a"), nil); got != "a" || err != nil {
				t.Errorf("%s, request %d: %q, %v", network, i, got, err)
			}
		}
		c.Close()
	}
}

// An answer that is broken off is never taken for whole, and costs the others
// on its connection nothing.
func TestBrokenOff(t *testing.T) {
	h := func(x *Exchange) error {
		if v, _ := lookup(x.Vars, "MARK"); v != "broken" {
			return mark(x)
		}
		_, err := io.WriteString(x.Out, "some of it")
		return errors.Join(err, x.Out.Flush(), errors.New("broken"))
	}
	m := NewFastCGIMultiplexer(h, MultiplexOptions{Requests: 8, Timeout: patience})
	c := NewFastCGI(serve(t, "unix", m.Serve).dial, FastCGIOptions{Multiplex: true})
	defer c.Close()
	if got, err := ask(t, c.Do, marked("broken"), nil); got != "some of it" || !errors.Is(err, ErrCutOff) {
		t.Errorf("%q, %v", got, err)
	}
	for name, do := range gateways(t, "unix", h) {
		got, err := ask(t, do, marked("broken"), nil)
		if (name == "SCGI" || name == "uwsgi") && err == nil {
			continue // only a Content-Length tells there, or a reset, which is the server's to send
		}
		if err == nil {
			t.Errorf("%s: %q looks whole", name, got)
		}
	}
}

// One slow reader among those that share a connection keeps a bounded amount
// of memory.
func TestPipeIsBounded(t *testing.T) {
	p := newPipe()
	fed := make(chan int, 1000)
	go func() {
		for i := range 100 {
			p.feed(make([]byte, 16<<10))
			fed <- i
		}
		p.end(io.EOF)
	}()
	for len(fed) < pipeLimit/(16<<10) {
		time.Sleep(time.Millisecond)
	}
	p.mu.Lock()
	if n := len(p.buf); n > pipeLimit+16<<10 {
		t.Errorf("%d bytes are kept", n)
	}
	p.mu.Unlock()
	var all bytes.Buffer
	if n, err := all.ReadFrom(p); n != 100*16<<10 || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
}
