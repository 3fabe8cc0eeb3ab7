package wsgi_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"gatewaylab/servers/app"
	"gatewaylab/servers/iface/wsgi"
)

func request(method, path, query, content string, more ...app.Field) *wsgi.Environ {
	e := environ(io.Discard)
	e.Set("REQUEST_METHOD", method)
	e.Set("PATH_INFO", path)
	e.Set("QUERY_STRING", query)
	if content != "" {
		e.Set("CONTENT_LENGTH", "7")
		e.Set("CONTENT_TYPE", "text/x-test")
		e.Input = strings.NewReader(content)
	}
	for _, f := range more {
		e.Set(f.Name, f.Value)
	}
	return e
}

// run runs the lab's application, with the checker between it and the handler.
func run(t *testing.T, e *wsgi.Environ) *page {
	t.Helper()
	p := &page{}
	if err := wsgi.NewHandler().Run(wsgi.Check(wsgi.Application(app.New())), e, p); err != nil {
		t.Errorf("%s: %v", e.Get("PATH_INFO"), err)
	}
	return p
}

func TestApplication(t *testing.T) {
	const text = "[Content-Type=text/plain; charset=utf-8] "
	for _, tc := range []struct {
		name string
		e    *wsgi.Environ
		want []string
	}{
		{"one block, in one go", request("GET", "/hello", "", ""), []string{"start 200 OK " + text + "6", "write hello\n", "flush"}},
		{"HEAD", request("HEAD", "/hello", "", ""), []string{"start 200 OK " + text + "6", "flush"}},
		{"a stream is written line by line", request("GET", "/stream", "chunks=2&every=0", ""),
			[]string{"start 200 OK " + text + "-1", "write chunk 1 of 2\n", "flush", "write chunk 2 of 2\n", "flush"}},
		{"a method that isn't allowed", request("PUT", "/hello", "", ""), []string{"start 405 Method Not Allowed [Content-Type=text/plain; charset=utf-8 Allow=GET, HEAD] 38",
			"write 405 method not allowed: use GET, HEAD\n", "flush"}},
		{"the Upgrade field is the server's", request("GET", "/ws", "", ""), []string{"start 426 Upgrade Required [Content-Type=text/plain; charset=utf-8 Upgrade=websocket] 69",
			"write 426 upgrade required: WebSocket is spoken here, where the server can\n", "flush"}},
	} {
		if p := run(t, tc.e); !slices.Equal(p.events, tc.want) {
			t.Errorf("%s: sent\n%q, want\n%q", tc.name, p.events, tc.want)
		}
	}
}

func TestApplicationSeesTheRequest(t *testing.T) {
	e := request("POST", "/echo", "a=1&b", "content", app.Field{Name: "HTTP_X_REQUEST_ID", Value: "x1"}, app.Field{Name: "SERVER_SOFTWARE", Value: "lab"})
	for _, want := range []string{"method POST\n", "path /echo\n", "query a=1&b\n", "header Content-Type: text/x-test\n", "header X-Request-Id: x1\n", "body 7\n"} {
		if p := run(t, e); !strings.Contains(p.body.String(), want) {
			t.Errorf("answered %q, without %q", p.body.String(), want)
		}
		e.Input = strings.NewReader("content")
	}
}

// A body without a length is read to its end where that can be known, and not
// at all where it can't.
func TestApplicationReadsWhatHasNoLength(t *testing.T) {
	for terminated, want := range map[bool]string{true: "bytes 7\n", false: "bytes 0\n"} {
		e := request("POST", "/upload", "", "")
		e.Input, e.InputTerminated = strings.NewReader("content"), terminated
		if p := run(t, e); !strings.HasPrefix(p.body.String(), want) {
			t.Errorf("input_terminated %v: answered %q", terminated, p.body.String())
		}
	}
}

func TestApplicationSendsMuch(t *testing.T) {
	p := run(t, request("GET", "/bytes", "n=100000", ""))
	if p.events[0] != "start 200 OK [Content-Type=application/octet-stream] 100000" || !bytes.Equal(p.body.Bytes()[:64], []byte(app.Pattern)) || p.body.Len() != 100000 {
		t.Errorf("sent %q and %d bytes", p.events[0], p.body.Len())
	}
}

func TestApplicationPassesTheInputsFaultOn(t *testing.T) {
	for _, tc := range []struct {
		fault error
		want  string
	}{
		{&wsgi.FaultError{Status: 408, Why: "slow"}, "start 408 "},
		{errors.New("broken"), "start 500 "},
	} {
		e := request("POST", "/upload", "", "content")
		e.Input = io.MultiReader(strings.NewReader("cont"), &failing{tc.fault})
		if p := run(t, e); !strings.HasPrefix(p.events[0], tc.want) {
			t.Errorf("%v: answered %q", tc.fault, p.events)
		}
	}
}

type failing struct{ err error }

func (f *failing) Read([]byte) (int, error) { return 0, f.err }

// The handler and the convention need no memory per request; the application
// takes three pieces for the fields and the text.
func TestAllocations(t *testing.T) {
	h, a, p := wsgi.NewHandler(), wsgi.Application(app.New()), nothing{}
	e := environ(io.Discard)
	n := testing.AllocsPerRun(100, func() {
		if err := h.Run(a, e, p); err != nil {
			t.Error(err)
		}
	})
	if n > 3 {
		t.Errorf("%v allocations for a request", n)
	}
}

func BenchmarkHandler(b *testing.B) {
	h, a, p := wsgi.NewHandler(), wsgi.Application(app.New()), nothing{}
	e := environ(io.Discard)
	b.ReportAllocs()
	for b.Loop() {
		_ = h.Run(a, e, p)
	}
}

type nothing struct{}

func (nothing) Start(int, string, []app.Field, int64) error { return nil }
func (nothing) Write(p []byte) (int, error)                 { return len(p), nil }
func (nothing) Flush() error                                { return nil }
