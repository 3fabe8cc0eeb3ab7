package load

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"gatewaylab/servers"
)

// A protoServer is net/http's server with HTTP/2, and counts its connections.
type protoServer struct {
	*httptest.Server
	mu     sync.Mutex
	opened int
	open   map[net.Conn]bool
}

func (s *protoServer) conns() (opened, open int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.opened, len(s.open)
}

func newProtoServer(t *testing.T, p Protocol, h http.HandlerFunc, limits *http.HTTP2Config) *protoServer {
	t.Helper()
	s := &protoServer{Server: httptest.NewUnstartedServer(h), open: make(map[net.Conn]bool)}
	s.Config.HTTP2 = limits
	s.Config.ConnState = func(c net.Conn, state http.ConnState) {
		s.mu.Lock()
		defer s.mu.Unlock()
		switch state {
		case http.StateNew:
			s.opened++
			s.open[c] = true
		case http.StateClosed, http.StateHijacked:
			delete(s.open, c)
		}
	}
	switch p {
	case H2:
		s.EnableHTTP2 = true
		s.StartTLS()
	default:
		s.Config.Protocols = new(http.Protocols)
		s.Config.Protocols.SetHTTP1(true)
		s.Config.Protocols.SetUnencryptedHTTP2(p == H2C)
		s.Start()
	}
	t.Cleanup(s.Close)
	return s
}

// eventually waits for a condition, however slow the machine.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patient); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", patient, what)
		}
	}
}

// A client sends hits of an attack one by one, outside of a run.
type client struct {
	t       *testing.T
	a       *Attack
	caller  caller
	epoch   time.Time
	request []*prepared
}

func newClient(t *testing.T, a *Attack) *client {
	t.Helper()
	if a.Timeout == 0 {
		a.Timeout = patient
	}
	requests, _, err := a.prepare()
	if err != nil {
		t.Fatal(err)
	}
	c := &client{t: t, a: a, request: requests}
	c.caller, c.epoch = a.newCaller()
	t.Cleanup(c.caller.Close)
	return c
}

// hit sends the n-th request, as hits of open stages are sent.
func (c *client) hit(n int) Hit {
	f := &flight{promised: true}
	return c.send(n, f)
}

func (c *client) send(n int, f *flight) Hit {
	now := time.Since(c.epoch)
	f.due = now
	c.caller.call(c.request[n].message(0, 0), f, now)
	f.ended = true
	return f.hit(now, nil)
}

// ok is hit for one that must succeed.
func (c *client) ok(n int) Hit {
	c.t.Helper()
	h := c.hit(n)
	if h.Kind != "" || h.Code != 200 || h.FirstByte <= 0 || h.Latency < h.FirstByte {
		c.t.Fatalf("%+v", h)
	}
	return h
}

// together sends n hits at the same time.
func (c *client) together(n int) []Hit {
	hits := make([]Hit, n)
	var all sync.WaitGroup
	for i := range hits {
		all.Go(func() { hits[i] = c.hit(0) })
	}
	all.Wait()
	return hits
}

// a model of the lab, with TLS where the protocol needs it.
func speaking(t *testing.T, spec string, p Protocol) (inst *servers.Instance, url string) {
	t.Helper()
	programs, err := servers.FindPrograms(t.Context(), os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	c, err := servers.Resolve(spec)
	if err != nil {
		t.Fatal(err)
	}
	inst, err = servers.Start(t.Context(), c, servers.Launch{Programs: programs, TLS: p == H2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := inst.Close(20 * time.Second); err != nil {
			t.Errorf("%s: %v", spec, err)
		}
	})
	eventually(t, "the request that showed it ready being over", func() bool {
		return inst.Status().Served > 0 && inst.Status().Busy() == 0
	})
	scheme, _ := p.scheme()
	return inst, scheme + "://" + inst.Addr()
}

func TestProtocolsAreChecked(t *testing.T) {
	for _, c := range []struct {
		protocol Protocol
		url      string
		want     string
	}{
		{"", "http://127.0.0.1:1/", ""},
		{HTTP1, "http://127.0.0.1:1/", ""},
		{H2C, "http://127.0.0.1:1/", ""},
		{H2, "https://127.0.0.1:1/", ""},
		{WebSocket, "ws://127.0.0.1:1/", ""},
		{HTTP1, "https://127.0.0.1:1/", "only http is"},
		{H2C, "https://127.0.0.1:1/", "only http is"},
		{H2, "http://127.0.0.1:1/", "only https is"},
		{WebSocket, "http://127.0.0.1:1/", "only ws is"},
		{"spdy", "http://127.0.0.1:1/", `protocol "spdy" is not known: expected http/1.1, h2c, h2 or websocket`},
	} {
		a := &Attack{Stages: arriving(1, time.Second), Requests: []Request{{URL: c.url}}, Timeout: time.Second, Protocol: c.protocol}
		switch err := a.Check(); {
		case c.want == "" && err != nil:
			t.Errorf("%s over %q: %v", c.url, c.protocol, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s over %q: %v, want something with %q", c.url, c.protocol, err, c.want)
		}
	}
}
