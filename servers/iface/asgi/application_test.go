package asgi

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"gatewaylab/servers/app"
	"gatewaylab/servers/wire/http1"
)

// A wire is an Answer that makes a response's bytes, as a server would.
type wire struct {
	http1.Response
	writes []int
}

func (w *wire) Flush() error {
	if err := w.Response.Flush(); err != nil {
		return err
	}
	w.writes = append(w.writes, len(w.Bytes()))
	return nil
}

func (w *wire) Finish() error {
	if err := w.Response.Finish(); err != nil {
		return err
	}
	w.writes = append(w.writes, len(w.Bytes()))
	return nil
}

// over serves a raw request through ASGI, with the checker between.
func over(t *testing.T, a App, raw string) (*http.Response, string, *wire) {
	t.Helper()
	in := http1.NewReader(strings.NewReader(raw), http1.DefaultLimits())
	var r http1.Request
	if err := in.ReadRequest(&r, 0); err != nil {
		t.Fatalf("%.60q: %v", raw, err)
	}
	w := &wire{}
	w.Date = "Mon, 02 Jan 2006 15:04:05 GMT"
	w.Reset(&r, true)
	x := Exchange{Body: in, Length: r.Length, Answer: w}
	x.Scope.SetHTTP(&r, &Origin{})
	if err := x.Serve(t.Context(), a); err != nil {
		t.Fatalf("%.60q: %v", raw, err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(w.Bytes())), &http.Request{Method: r.Method})
	if err != nil {
		t.Fatalf("%.60q: %v in %q", raw, err, w.Bytes())
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%.60q: %v", raw, err)
	}
	return resp, string(body), w
}

// direct is an app.Response that keeps what the application says itself.
type direct struct {
	status int
	header []app.Field
	body   bytes.Buffer
}

func (d *direct) Start(status int, header []app.Field) error {
	d.status, d.header = status, slices.Clone(header)
	return nil
}
func (d *direct) Write(p []byte) (int, error) { return d.body.Write(p) }
func (d *direct) Flush() error                { return nil }

// Through ASGI the application says what it says when it is called directly.
func TestApplication(t *testing.T) {
	big := strings.Repeat("0123456789", 10_000)
	a := Application(app.New())
	for _, tc := range []struct {
		method, target, fields, body string
	}{
		{"GET", "/hello", "", ""}, {"HEAD", "/hello", "", ""}, {"DELETE", "/hello", "", ""}, {"GET", "/", "", ""},
		{"GET", "/wait?ms=1", "", ""}, {"GET", "/block?ms=1", "", ""}, {"GET", "/cpu?units=1", "", ""}, {"GET", "/mixed?ms=1&units=1", "", ""}, {"GET", "/locked?wait=1&hold=1", "", ""},
		{"GET", "/echo?a=%20b", "X-Lab: one\r\nx-lab: two\r\nCookie: a\r\nCookie: b\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nAuthorization: x\r\nProxy: x\r\nTE: trailers\r\nX_A: 1\r\nX.A: 1\r\nX-Empty:\r\nContent-Type:\r\n", ""},
		{"POST", "/echo", "Content-Type: text/x\r\n", "abc"}, {"POST", "/upload", "", big}, {"PUT", "/hello", "", big}, {"POST", "/upload", "", ""},
		{"GET", "/stream?chunks=3&every=0", "", ""}, {"HEAD", "/stream", "", ""}, {"GET", "/bytes?n=100000", "", ""}, {"GET", "/bytes?n=0", "", ""}, {"HEAD", "/bytes", "", ""},
		{"GET", "/bytes?n=16384", "", ""}, {"GET", "/bytes?n=16385", "", ""}, {"GET", "/static/", "", ""}, {"GET", "/ws", "", ""}, {"GET", "/nowhere", "", ""}, {"GET", "/wait?ms=soon", "", ""}, {"GET", "/%0d%0aX:y", "", ""},
	} {
		for _, chunked := range []bool{false, true} {
			raw := tc.method + " " + tc.target + " HTTP/1.1\r\nHost: lab.test\r\n" + tc.fields
			switch {
			case tc.body == "" && chunked:
				raw += "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
			case chunked:
				raw += "Transfer-Encoding: chunked\r\n\r\n1\r\n" + tc.body[:1] + "\r\n" + hexadecimal(len(tc.body)-1) + "\r\n" + tc.body[1:] + "\r\n0\r\n\r\n"
			case tc.body != "":
				raw += "Content-Length: " + decimal(len(tc.body)) + "\r\n\r\n" + tc.body
			default:
				raw += "\r\n"
			}
			resp, body, _ := over(t, a, raw)
			path, query, _ := strings.Cut(tc.target, "?")
			var want direct
			header := []app.Field{{Name: "Host", Value: "lab.test"}, {Name: "X-Lab", Value: "one"}, {Name: "X-Lab", Value: "two"}, {Name: "Cookie", Value: "a"}, {Name: "Cookie", Value: "b"}, {Name: "X-Empty"}}
			switch {
			case tc.fields == "":
				header = header[:1]
			case tc.body != "":
				header = []app.Field{{Name: "Content-Type", Value: "text/x"}}
			}
			if path == "/%0d%0aX:y" {
				path = "/\r\nX:y"
			}
			err := app.New().Serve(&want, &app.Request{Method: tc.method, Path: path, Query: query, Header: header, Body: strings.NewReader(tc.body)})
			if err != nil {
				t.Fatal(err)
			}
			if tc.method == "HEAD" {
				want.body.Reset()
			}
			if resp.StatusCode != want.status || body != want.body.String() {
				t.Errorf("%s %s (chunked %v): %d %.300q, want %d %.300q", tc.method, tc.target, chunked, resp.StatusCode, body, want.status, want.body.String())
			}
			for _, f := range want.header {
				if resp.Header.Get(f.Name) != f.Value {
					t.Errorf("%s %s: %s is %q, want %q", tc.method, tc.target, f.Name, resp.Header.Get(f.Name), f.Value)
				}
			}
		}
	}
}

func decimal(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return decimal(n/10) + string(rune('0'+n%10))
}

func hexadecimal(n int) string {
	const digits = "0123456789abcdef"
	if n < 16 {
		return digits[n : n+1]
	}
	return hexadecimal(n/16) + digits[n%16:n%16+1]
}

// A small answer leaves in one piece, a stream as it comes.
func TestApplicationPieces(t *testing.T) {
	for target, want := range map[string]int{"/hello": 1, "/static/": 1, "/bytes?n=16384": 1, "/stream?chunks=3&every=0": 4, "/bytes?n=65536": 2} {
		_, _, w := over(t, Application(app.New()), "GET "+target+" HTTP/1.1\r\nHost: a\r\n\r\n")
		if len(w.writes) != want {
			t.Errorf("%s left in %d pieces, want %d", target, len(w.writes), want)
		}
	}
}

// What ends a request early is told to the server in ASGI's terms.
func TestApplicationGone(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, target := range []string{"/hang", "/wait?ms=60000", "/stream?every=60000"} {
		x := Exchange{Scope: Scope{Type: TypeHTTP, Method: "GET"}, Answer: &sink{}}
		x.Scope.Path, x.Scope.QueryString, _ = strings.Cut(target, "?")
		if err := x.Serve(ctx, Application(app.New())); !errors.Is(err, ErrDisconnected) || x.Complete() {
			t.Errorf("%s: %v", target, err)
		}
	}
	x := Exchange{Scope: Scope{Type: TypeHTTP, Method: "PUT", Path: "/upload"}, Answer: &sink{}, Body: io.LimitReader(neverEnding{}, 10), Length: 11}
	var fault *BodyError
	if err := x.Serve(t.Context(), Application(app.New())); !errors.As(err, &fault) || x.Started() {
		t.Errorf("a body that is cut off: %v, started %v", err, x.Started())
	}
	if err := Application(app.New())(ctx, &Scope{Type: "gopher"}, nil, nil); err == nil {
		t.Error("a scope that nobody knows was served")
	}
}

type neverEnding struct{}

func (neverEnding) Read(p []byte) (int, error) { return len(p), nil }

// A script plays the server of a websocket or lifespan scope: it hands out
// events and keeps what comes back.
func script(t *testing.T, a App, s *Scope, in ...Event) (sent []Event, err error) {
	t.Helper()
	err = a(t.Context(), s, func() (Event, error) {
		if len(in) == 0 {
			return nil, io.ErrNoProgress
		}
		e := in[0]
		in = in[1:]
		return e, nil
	}, func(e Event) error {
		switch e := e.(type) { // it is borrowed
		case *WebSocketSend:
			c := *e
			sent = append(sent, &c)
		case *WebSocketResponseStart:
			c := *e
			c.Headers = slices.Clone(c.Headers)
			sent = append(sent, &c)
		case *WebSocketResponseBody:
			sent = append(sent, &WebSocketResponseBody{bytes.Clone(e.Body), e.MoreBody})
		default:
			sent = append(sent, e)
		}
		return nil
	})
	return sent, err
}

func names(events []Event) string {
	var all []string
	for _, e := range events {
		all = append(all, e.EventType())
	}
	return strings.Join(all, " ")
}

func TestApplicationWebSocket(t *testing.T) {
	sent, err := script(t, Application(app.New()), &Scope{Type: TypeWebSocket, Path: "/ws"},
		&WebSocketConnect{}, &WebSocketReceive{Text: []byte("hé")}, &WebSocketReceive{Bytes: []byte{}}, &WebSocketDisconnect{Code: 1001})
	if err != nil || names(sent) != "websocket.accept websocket.send websocket.send" {
		t.Fatalf("sent %s, %v", names(sent), err)
	}
	if text := sent[1].(*WebSocketSend); string(text.Text) != "hé" || text.Bytes != nil {
		t.Errorf("sent %+v", text)
	}
	if binary := sent[2].(*WebSocketSend); binary.Text != nil || binary.Bytes == nil {
		t.Errorf("sent %+v", binary)
	}
	// Elsewhere there is none.
	sent, err = script(t, Application(app.New()), &Scope{Type: TypeWebSocket, Path: "/hello"}, &WebSocketConnect{})
	if err != nil || names(sent) != "websocket.close" {
		t.Errorf("without the extension: sent %s, %v", names(sent), err)
	}
	sent, err = script(t, Application(app.New()), &Scope{Type: TypeWebSocket, Path: "/hello", Extensions: ExtensionDenial}, &WebSocketConnect{})
	if err != nil || names(sent) != "websocket.http.response.start websocket.http.response.body" {
		t.Fatalf("with the extension: sent %s, %v", names(sent), err)
	}
	if start, body := sent[0].(*WebSocketResponseStart), sent[1].(*WebSocketResponseBody); start.Status != 200 || string(body.Body) != "hello\n" || body.MoreBody {
		t.Errorf("with the extension: %+v, %+v", start, body)
	}
	// A client that is gone before it is greeted.
	if sent, err = script(t, Application(app.New()), &Scope{Type: TypeWebSocket, Path: "/ws"}, &WebSocketDisconnect{Code: 1006}); err != nil || len(sent) > 0 {
		t.Errorf("sent %s, %v", names(sent), err)
	}
}

func TestApplicationLifespan(t *testing.T) {
	var l Lifespan
	if err := l.Start(t.Context(), Application(app.New())); err != nil || !l.Supported() {
		t.Errorf("start: %v, supported %v", err, l.Supported())
	}
	if err := l.Stop(); err != nil {
		t.Error(err)
	}
}

// A request on the way through both sides costs two small pieces of memory:
// what the application makes of its answer.
func BenchmarkHello(b *testing.B) {
	const raw = "GET /hello HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n"
	var p http1.Parser
	var r http1.Request
	if _, err := p.Parse([]byte(raw), &r); err != nil {
		b.Fatal(err)
	}
	a := Application(app.New())
	w := &http1.Response{Date: "Mon, 02 Jan 2006 15:04:05 GMT"}
	x := Exchange{Answer: w}
	origin := &Origin{}
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		w.Reset(&r, true)
		x.Scope.SetHTTP(&r, origin)
		if err := x.Serve(ctx, a); err != nil {
			b.Fatal(err)
		}
		w.Sent(len(w.Bytes()))
	}
}
