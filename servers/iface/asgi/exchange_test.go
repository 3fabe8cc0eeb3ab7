package asgi

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"gatewaylab/servers/app"
	"gatewaylab/servers/wire/http1"
)

// A sink is an Answer that keeps what it is given, as lines.
type sink struct {
	lines []string
	fail  error // of every call
}

func (k *sink) note(line string) error {
	k.lines = append(k.lines, line)
	return k.fail
}

func (k *sink) Start(status int, header []app.Field) error {
	line := "start " + itoa(status)
	for _, f := range header {
		line += " " + f.Name + "=" + f.Value
	}
	return k.note(line)
}

func (k *sink) Write(p []byte) (int, error) { return len(p), k.note("write " + string(p)) }
func (k *sink) Flush() error                { return k.note("flush") }
func (k *sink) Finish() error               { return k.note("finish") }

func itoa(n int) string {
	return string(rune('0'+n/100)) + string(rune('0'+n/10%10)) + string(rune('0'+n%10))
}

func start(status int, headers ...app.Field) *HTTPResponseStart {
	return &HTTPResponseStart{Status: status, Headers: headers}
}

func last(body string) *HTTPResponseBody { return &HTTPResponseBody{Body: []byte(body)} }

func more(body string) *HTTPResponseBody {
	return &HTTPResponseBody{Body: []byte(body), MoreBody: true}
}

var errRaised = errors.New("raised")

// What an application does, and what the server makes of it.
func TestExchangeSends(t *testing.T) {
	const failed = "start 500 Content-Type=text/plain; charset=utf-8|write 500 internal server error: the application failed\n|finish"
	for name, tc := range map[string]struct {
		sent     []Event
		returns  error
		want     string // of the sink
		err      string // contained in that of the last Send, or else in that of Serve
		complete bool
	}{
		"small":          {sent: []Event{start(200, app.Field{Name: "content-type", Value: "a/b"}), last("x")}, want: "start 200 Content-Type=a/b|write x|finish", complete: true},
		"pieces":         {sent: []Event{start(200), more("a"), more(""), last("b")}, want: "start 200|write a|flush|flush|write b|finish", complete: true},
		"empty":          {sent: []Event{start(204), last("")}, want: "start 204|finish", complete: true},
		"framing":        {sent: []Event{start(200, app.Field{Name: "transfer-encoding", Value: "chunked"}, app.Field{Name: "x-a", Value: "1"}), last("")}, want: "start 200 X-A=1|finish", complete: true},
		"after the last": {sent: []Event{start(200), last("a"), more("b"), start(500)}, want: "start 200|write a|finish", complete: true},
		"raises late":    {sent: []Event{start(200), last("a")}, returns: errRaised, want: "start 200|write a|finish", err: "raised", complete: true},

		"nothing":             {want: failed, err: "without http.response.start", complete: true},
		"raises":              {returns: errRaised, want: failed, err: "raised", complete: true},
		"body first":          {sent: []Event{last("a")}, want: failed, err: "http.response.body was sent before http.response.start", complete: true},
		"bad status":          {sent: []Event{start(99)}, want: failed, err: "status 99", complete: true},
		"interim status":      {sent: []Event{start(100)}, want: failed, err: "status 100", complete: true},
		"foreign":             {sent: []Event{&WebSocketAccept{}}, want: failed, err: "websocket.accept was sent in an http scope", complete: true},
		"nil":                 {sent: []Event{nil}, want: failed, err: "nil was sent", complete: true},
		"start twice":         {sent: []Event{start(200), start(200)}, want: "start 200", err: "twice"},
		"no body":             {sent: []Event{start(200)}, want: "start 200", err: "without the last http.response.body"},
		"no last":             {sent: []Event{start(200), more("a")}, want: "start 200|write a|flush", err: "without the last http.response.body"},
		"raises midway":       {sent: []Event{start(200), more("a")}, returns: errRaised, want: "start 200|write a|flush", err: "raised"},
		"leaves with OSError": {returns: ErrDisconnected, err: "disconnected"},
	} {
		t.Run(name, func(t *testing.T) {
			k := &sink{}
			x := Exchange{Scope: Scope{Type: TypeHTTP}, Answer: k}
			err := x.Serve(t.Context(), func(_ context.Context, _ *Scope, _ Receive, send Send) error {
				for _, e := range tc.sent {
					if err := send(e); err != nil {
						return err
					}
				}
				return tc.returns
			})
			if got := strings.Join(k.lines, "|"); got != tc.want {
				t.Errorf("the server did\n%s\nwant\n%s", got, tc.want)
			}
			if tc.err == "" && err != nil || tc.err != "" && (err == nil || !strings.Contains(err.Error(), tc.err)) {
				t.Errorf("error %v, want one with %q", err, tc.err)
			}
			if x.Complete() != tc.complete {
				t.Errorf("complete: %v", x.Complete())
			}
		})
	}
}

// Whoever sends to nobody learns it, from the first failure on.
func TestExchangeDisconnected(t *testing.T) {
	k := &sink{fail: ErrDisconnected}
	x := Exchange{Scope: Scope{Type: TypeHTTP}, Answer: k}
	err := x.Serve(t.Context(), func(_ context.Context, _ *Scope, receive Receive, send Send) error {
		for range 2 {
			if err := send(start(200)); !errors.Is(err, ErrDisconnected) {
				t.Errorf("send returned %v", err)
			}
		}
		for range 2 {
			if e, err := receive(); err != nil || e.EventType() != "http.disconnect" {
				t.Errorf("received %v, %v", e, err)
			}
		}
		return nil
	})
	if !errors.Is(err, ErrDisconnected) || x.Complete() || len(k.lines) != 1 {
		t.Errorf("%v, complete %v, %q", err, x.Complete(), k.lines)
	}
}

// An answer that breaks its promise is the application's fault.
func TestExchangeAnswerRefuses(t *testing.T) {
	x := Exchange{Scope: Scope{Type: TypeHTTP}, Answer: &sink{fail: http1.ErrLength}}
	err := x.Serve(t.Context(), func(_ context.Context, _ *Scope, _ Receive, send Send) error { return send(start(200)) })
	if !errors.Is(err, http1.ErrLength) || errors.Is(err, ErrDisconnected) || x.Complete() {
		t.Errorf("%v, complete %v", err, x.Complete())
	}
}

func TestExchangeReceives(t *testing.T) {
	for name, tc := range map[string]struct {
		body   io.Reader
		length int64
		want   string // pieces; "+" where more follows
		err    error
	}{
		"none":                 {nil, 0, "", nil},
		"empty":                {strings.NewReader(""), 0, "", nil},
		"counted":              {strings.NewReader("abc"), 3, "abc", nil},
		"counted, in pieces":   {iotest.OneByteReader(strings.NewReader("abc")), 3, "a+b+c", nil},
		"unknown":              {strings.NewReader("abc"), -1, "abc+", nil},
		"unknown, in pieces":   {iotest.OneByteReader(strings.NewReader("ab")), -1, "a+b+", nil},
		"unknown, end at once": {iotest.DataErrReader(strings.NewReader("abc")), -1, "abc", nil},
		"cut off":              {strings.NewReader("ab"), 3, "ab+!", io.ErrUnexpectedEOF},
		"broken":               {io.MultiReader(strings.NewReader("ab"), iotest.ErrReader(errRaised)), -1, "ab+!", errRaised},
	} {
		t.Run(name, func(t *testing.T) {
			k := &sink{}
			x := Exchange{Scope: Scope{Type: TypeHTTP}, Answer: k, Body: tc.body, Length: tc.length}
			got := ""
			err := x.Serve(t.Context(), func(_ context.Context, _ *Scope, receive Receive, send Send) error {
				for {
					e, err := receive()
					if err != nil {
						return err
					}
					piece, ok := e.(*HTTPRequest)
					if !ok {
						got += "!"
						return nil
					}
					got += string(piece.Body)
					if !piece.MoreBody {
						break
					}
					got += "+"
				}
				if err := errors.Join(send(start(200)), send(last(""))); err != nil {
					return err
				}
				if e, err := receive(); err != nil || e.EventType() != "http.disconnect" { // the response is complete
					t.Errorf("then received %v, %v", e, err)
				}
				return nil
			})
			var fault *BodyError
			if got != tc.want || !errors.Is(err, tc.err) || (tc.err != nil) != errors.As(err, &fault) {
				t.Errorf("received %q, %v; want %q, %v", got, err, tc.want, tc.err)
			}
			if x.Complete() != (tc.err == nil) || x.Received() != (tc.err == nil) || x.Started() != (tc.err == nil) {
				t.Errorf("complete %v, received %v, started %v", x.Complete(), x.Received(), x.Started())
			}
		})
	}
}

// With the body received there is nothing to wait for but the client's going
// away.
func TestExchangeWaitsForTheClient(t *testing.T) {
	for _, loop := range []bool{false, true} {
		ctx, leave := context.WithCancel(t.Context())
		x := Exchange{Scope: Scope{Type: TypeHTTP}, Answer: &sink{}}
		if loop {
			x.Scope.Loop = &app.Loop{Await: func(begin func(func())) error { begin(func() {}); return app.ErrGone }}
		}
		err := x.Serve(ctx, func(_ context.Context, _ *Scope, receive Receive, send Send) error {
			if _, err := receive(); err != nil {
				return err
			}
			leave()
			if e, err := receive(); err != nil || e.EventType() != "http.disconnect" {
				t.Errorf("received %v, %v", e, err)
			}
			return send(start(200))
		})
		if !errors.Is(err, ErrDisconnected) {
			t.Errorf("loop %v: %v", loop, err)
		}
	}
}

func TestExchangeIsOver(t *testing.T) {
	x := Exchange{Scope: Scope{Type: TypeHTTP}, Answer: &sink{}}
	var late Send
	var later Receive
	_ = x.Serve(t.Context(), func(_ context.Context, _ *Scope, receive Receive, send Send) error {
		late, later = send, receive
		return errors.Join(send(start(200)), send(last("")))
	})
	if err := late(start(200)); err == nil {
		t.Error("an event was taken from an application that has returned")
	}
	if _, err := later(); err == nil {
		t.Error("an event was given to an application that has returned")
	}
}

func TestScope(t *testing.T) {
	origin := Origin{Client: Address{"127.0.0.1", 5000}, Server: Address{"127.0.0.1", 80}, Extensions: ExtensionDenial, State: map[string]any{"pool": 1}}
	for raw, want := range map[string]Scope{
		"GET /a%20b/%c3%a9?x=%20&y HTTP/1.1\r\nHost: lab.test\r\nX-One: 1\r\nx-ONE: 2\r\nCookie: a\r\nACCEPT: */*\r\n\r\n": {
			HTTPVersion: "1.1", Method: "GET", Path: "/a b/é", RawPath: "/a%20b/%c3%a9", QueryString: "x=%20&y",
			Headers: []app.Field{{Name: "host", Value: "lab.test"}, {Name: "x-one", Value: "1"}, {Name: "x-one", Value: "2"}, {Name: "cookie", Value: "a"}, {Name: "accept", Value: "*/*"}},
		},
		"PUT http://other.test HTTP/1.1\r\nHost: lab.test\r\n\r\n":     {HTTPVersion: "1.1", Method: "PUT", Path: "/", RawPath: "/", Headers: []app.Field{{Name: "host", Value: "other.test"}}},
		"GET http://other.test?q HTTP/1.1\r\nHost: lab.test\r\n\r\n":   {HTTPVersion: "1.1", Method: "GET", Path: "/", RawPath: "/", QueryString: "q", Headers: []app.Field{{Name: "host", Value: "other.test"}}},
		"GET http://other.test/b?q HTTP/1.1\r\nHost: lab.test\r\n\r\n": {HTTPVersion: "1.1", Method: "GET", Path: "/b", RawPath: "/b", QueryString: "q", Headers: []app.Field{{Name: "host", Value: "other.test"}}},
		"GET /%ff? HTTP/1.0\r\n\r\n":                                   {HTTPVersion: "1.0", Method: "GET", Path: "/\xff", RawPath: "/%ff"},
		"GET /ws HTTP/1.1\r\nHost: a\r\nSec-WebSocket-Protocol: chat, v2\r\nSec-WebSocket-Protocol:  ,v3\r\n\r\n": {HTTPVersion: "1.1", Method: "GET", Path: "/ws", RawPath: "/ws", Subprotocols: []string{"chat", "v2", "v3"},
			Headers: []app.Field{{Name: "host", Value: "a"}, {Name: "sec-websocket-protocol", Value: "chat, v2"}, {Name: "sec-websocket-protocol", Value: ",v3"}}},
	} {
		var r http1.Request
		var p http1.Parser
		if n, err := p.Parse([]byte(raw), &r); n != len(raw) || err != nil {
			t.Fatalf("%q: %d, %v", raw, n, err)
		}
		var s Scope
		for _, secure := range []bool{false, true} {
			for _, socket := range []bool{false, true} {
				origin.TLS = secure
				want := want
				want.Type, want.Scheme, want.ASGI = TypeHTTP, "http", ASGI{"3.0", "2.5"}
				want.Client, want.Server = origin.Client, origin.Server
				if socket {
					want.Type, want.Scheme, want.Method, want.Extensions = TypeWebSocket, "ws", "", ExtensionDenial
					s.SetWebSocket(&r, &origin)
				} else {
					want.Subprotocols = nil
					s.SetHTTP(&r, &origin)
				}
				if secure {
					want.Scheme += "s"
				}
				same(t, raw, s, want)
				if s.State["pool"] != 1 {
					t.Errorf("state %v", s.State)
				}
				if s.State["pool"] = 2; origin.State["pool"] != 1 {
					t.Error("the state is no copy")
				}
			}
		}
	}
}

func same(t *testing.T, what string, got, want Scope) {
	t.Helper()
	if got.Type != want.Type || got.ASGI != want.ASGI || got.HTTPVersion != want.HTTPVersion || got.Method != want.Method || got.Scheme != want.Scheme ||
		got.Path != want.Path || got.RawPath != want.RawPath || got.QueryString != want.QueryString || got.RootPath != want.RootPath ||
		!slices.Equal(got.Headers, want.Headers) || got.Client != want.Client || got.Server != want.Server ||
		!slices.Equal(got.Subprotocols, want.Subprotocols) || got.Extensions != want.Extensions {
		t.Errorf("%q:\n got %+v\nwant %+v", what, got, want)
	}
}

func TestNames(t *testing.T) {
	for canonical, lower := range map[string]string{
		"Accept": "accept", "Accept-Encoding": "accept-encoding", "Accept-Language": "accept-language", "Allow": "allow", "Cache-Control": "cache-control",
		"Connection": "connection", "Content-Length": "content-length", "Content-Type": "content-type", "Cookie": "cookie", "Host": "host", "Referer": "referer",
		"Transfer-Encoding": "transfer-encoding", "Upgrade": "upgrade", "User-Agent": "user-agent", "X-Request-Id": "x-request-id", "Www-Authenticate": "www-authenticate", "X--Y_z": "x--y_z",
	} {
		if got := Lower(canonical); got != lower {
			t.Errorf("Lower(%q) = %q", canonical, got)
		}
		if got := Canonical(lower); got != canonical {
			t.Errorf("Canonical(%q) = %q", lower, got)
		}
		if got := Lower(lower); got != lower {
			t.Errorf("Lower(%q) = %q", lower, got)
		}
	}
}
