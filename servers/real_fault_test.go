//go:build unix

package servers_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"gatewaylab/servers"
)

// What a request that crashes its process costs under each real program.
var realFaults = map[string]struct {
	crash int  // status of its answer; 0 = its connection is closed
	hurts bool // another that is being served meanwhile
	dies  bool // the server, and nobody starts it again
	// The connection that crashed is closed before the socket on which the process
	// listens, so that the gateway can give it one more request, to be answered for
	// likewise: it had been sent.
	late bool
}{
	// The arbiter replaces the worker. Whoever shares it is hurt.
	"gunicorn":                         {},
	"gunicorn:class=gthread,workers=1": {hurts: true},
	"gunicorn:class=gevent,workers=1":  {hurts: true},
	"uwsgi-server":                     {},
	// One process is all there is.
	"werkzeug":  {hurts: true, dies: true},
	"uvicorn":   {hurts: true, dies: true},
	"hypercorn": {hurts: true, dies: true},
	"daphne":    {hurts: true, dies: true},
	"tornado":   {hurts: true, dies: true},
	// Apache, lighttpd and the gateways answer for what runs elsewhere.
	"apache":               {crash: http.StatusInternalServerError},
	"apache:mod=perl":      {},
	"apache:mod=wsgi":      {crash: http.StatusInternalServerError},
	"apache:mod=fcgid":     {crash: http.StatusInternalServerError},
	"lighttpd":             {crash: http.StatusInternalServerError},
	"lighttpd:mod=fastcgi": {crash: http.StatusInternalServerError, late: true},
	"nginx+fcgiwrap":       {crash: http.StatusBadGateway},
	"nginx+uwsgi-server":   {crash: http.StatusBadGateway},
	"nginx+gunicorn":       {crash: http.StatusBadGateway},
	"front+gunicorn":       {crash: http.StatusBadGateway},
	"front+uwsgi-server":   {crash: http.StatusBadGateway},
}

func TestCrashOfReal(t *testing.T) {
	t.Parallel()
	for spec, want := range realFaults {
		t.Run(spec, func(t *testing.T) {
			t.Parallel()
			needs(t, spec)
			inst := launch(t, spec)
			held, first := make(chan outcome, 1), make(chan struct{})
			every := time.Second
			if want.hurts {
				every = never
			}
			go func() { held <- streamed(t, inst, every, first) }()
			<-first
			if got := get(t.Context(), inst, "/crash"); got.status != want.crash {
				t.Errorf("the crash: %+v, want status %d", got, want.crash)
			}
			if got := <-held; (got.status != http.StatusOK) != want.hurts {
				t.Errorf("the request beside it: %+v, want it hurt: %v", got, want.hurts)
			}
			if want.dies {
				<-inst.Done()
				return
			}
			late := want.late
			for range 5 { // one for each worker, and the one that is late
				got := get(t.Context(), inst, "/hello")
				if late && got.status == want.crash {
					late = false
					continue
				}
				if got.status != http.StatusOK {
					t.Errorf("after the crash: %+v; the server: %v", got, inst.Err())
				}
			}
		})
	}
}

// A request that never ends costs its worker, where somebody watches over it,
// and the next one is served.
func TestHangOfReal(t *testing.T) {
	t.Parallel()
	for spec, status := range map[string]int{
		"uwsgi-server:workers=1,timeout=1s": 0, "nginx+uwsgi-server:workers=1,timeout=1s": http.StatusBadGateway,
		"nginx+gunicorn:workers=1,timeout=1s": http.StatusBadGateway,
	} {
		t.Run(spec, func(t *testing.T) {
			t.Parallel()
			needs(t, spec)
			inst := launch(t, spec)
			if got := get(t.Context(), inst, "/hang"); got.status != status {
				t.Errorf("the request that hung: %+v, want status %d", got, status)
			}
			if got := get(t.Context(), inst, "/hello"); got.status != http.StatusOK {
				t.Errorf("after it: %+v", got)
			}
		})
	}
}

// Under supervision a server that has died is started again, and those who come
// meanwhile wait for it.
func TestCrashOfRealUnderSupervision(t *testing.T) {
	t.Parallel()
	for _, spec := range []string{"uvicorn", "werkzeug"} {
		t.Run(spec, func(t *testing.T) {
			t.Parallel()
			needs(t, spec)
			inst := supervised(t, spec)
			for range 2 {
				if got := get(t.Context(), inst, "/crash"); got.status != 0 {
					t.Errorf("the crash: %+v", got)
				}
				if got := get(t.Context(), inst, "/hello"); got.status != http.StatusOK {
					t.Errorf("after the crash: %+v", got)
				}
			}
			if err := inst.Err(); err != nil {
				t.Errorf("ended: %v", err)
			}
		})
	}
}

// What real programs say to clients that come with another protocol than
// HTTP/1.1.
func TestProtocolsOfReal(t *testing.T) {
	t.Parallel()
	for _, spec := range []string{
		"gunicorn", "uwsgi-server", "werkzeug", "uvicorn", "uvicorn:http=h11", "hypercorn", "daphne", "tornado", "nginx", "apache", "lighttpd",
	} {
		t.Run(spec, func(t *testing.T) {
			t.Parallel()
			needs(t, spec)
			inst := start(t, spec)
			t.Run("HTTP/2", func(t *testing.T) {
				if speaks(t, spec, "2") {
					meetsHTTP2(t, inst, true)
					return
				}
				said := toStranger(t, inst, preface+"\x00\x00\x00\x04\x00\x00\x00\x00\x00")
				if said >= 200 && said < 400 {
					t.Errorf("answered %d to a protocol that it doesn't speak", said)
				}
			})
			t.Run("WebSocket", func(t *testing.T) {
				if speaks(t, spec, "WebSocket") {
					meetsWebSocket(t, inst, true)
					return
				}
				if spec == "nginx" {
					return // runs no application that would say so
				}
				said := toStranger(t, inst, "GET /ws HTTP/1.1\r\nHost: lab.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
					"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
				if said != http.StatusUpgradeRequired {
					t.Errorf("answered %d, want 426 as the application has it", said)
				}
			})
			t.Run("TLS on a plain port", func(t *testing.T) {
				// A ClientHello's first bytes, and the end of a line for those who wait for one.
				if said := toStranger(t, inst, "\x16\x03\x01\x00\x10\x01\x00\x00\x0c\x03\x03\n\r\n\r\n"); said >= 200 && said < 400 {
					t.Errorf("answered %d to TLS", said)
				}
			})
			if err := inst.Verify(t.Context()); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

func speaks(t *testing.T, spec, protocol string) bool {
	t.Helper()
	c, err := servers.Resolve(spec)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(" "+c.Model.HTTP+",", " "+protocol+",")
}

// toStranger sends something and no more, and returns the status of what is
// answered, 0 if the connection is closed without.
func toStranger(t *testing.T, inst *servers.Instance, sent string) (status int) {
	t.Helper()
	conn := connect(t, inst)
	_, _ = io.WriteString(conn, sent) // it may close before it has read all
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.CloseWrite()
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		t.Errorf("%.20q: no answer and no close", sent)
		return 0
	case err != nil:
		return 0
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

// never is when the second piece of an answer comes that is to be cut off.
const never = 30 * time.Second

// streamed takes an answer in two pieces, and says when it has the first.
func streamed(t *testing.T, inst *servers.Instance, every time.Duration, first chan<- struct{}) outcome {
	begun := sync.OnceFunc(func() { close(first) })
	defer begun()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("%s/stream?chunks=2&every=%d", inst.URL(), every.Milliseconds()), nil)
	if err != nil {
		return outcome{err: err}
	}
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		return outcome{err: err}
	}
	defer resp.Body.Close()
	r := bufio.NewReader(resp.Body)
	if _, err := r.ReadString('\n'); err != nil {
		return outcome{err: err}
	}
	begun()
	rest, err := io.ReadAll(r)
	if err != nil || string(rest) != "chunk 2 of 2\n" {
		return outcome{body: string(rest), err: err}
	}
	return outcome{status: resp.StatusCode}
}
