//go:build unix

package recorder

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"gatewaylab/servers/app"
	"gatewaylab/servers/iface/asgi"
)

// A recorded application sees the events that come and sends its own, and all
// of them are told.
func TestASGI(t *testing.T) {
	path, told := listen(t)
	t.Setenv(Variable, path)
	r := Open()
	gone := errors.New("it failed")
	application := r.asgi(func(_ context.Context, _ *asgi.Scope, receive asgi.Receive, send asgi.Send) error {
		e, err := receive()
		if err != nil {
			return err
		}
		body := e.(*asgi.HTTPRequest).Body
		return errors.Join(send(&asgi.HTTPResponseStart{Status: 201, Headers: []app.Field{{Name: "content-type", Value: "text/plain"}}}),
			send(&asgi.HTTPResponseBody{Body: append([]byte("got "), body...)}), gone)
	})
	scope := &asgi.Scope{
		Type: asgi.TypeHTTP, ASGI: asgi.ASGI{Version: "3.0", SpecVersion: "2.5"}, HTTPVersion: "1.1", Method: "POST", Path: "/a b", RawPath: "/a%20b",
		QueryString: "x", Headers: []app.Field{{Name: "host", Value: "h"}}, Client: asgi.Address{Host: "::1", Port: 7},
	}
	var sent []string
	err := application(t.Context(), scope, func() (asgi.Event, error) { return &asgi.HTTPRequest{Body: []byte("hello")}, nil },
		func(e asgi.Event) error {
			sent = append(sent, e.EventType())
			return nil
		})
	lifespan := errors.New("not told")
	lerr := r.asgi(func(context.Context, *asgi.Scope, asgi.Receive, asgi.Send) error { return lifespan })(t.Context(), &asgi.Scope{Type: asgi.TypeLifespan}, nil, nil)
	r.Close()
	if !errors.Is(err, gone) || !slices.Equal(sent, []string{"http.response.start", "http.response.body"}) || !errors.Is(lerr, lifespan) {
		t.Errorf("%v, %v; sent %q", err, lerr, sent)
	}
	events := told()
	want := []string{"called: application(scope, receive, send)", "argument: receive: http.request hello", "result: send: http.response.start",
		"result: send: http.response.body got hello", "returned: an error: it failed"}
	if got := texts(events); !slices.Equal(got, want) {
		t.Errorf("told\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, want := range []Value{{"raw_path", "bytes", "/a%20b"}, {"header host", "bytes", "h"}, {"client", "[host, port]", `["::1", 7]`}, {"server", "[host, port]", "None"}} {
		if !slices.Contains(events[0].Values, want) {
			t.Errorf("the scope lacks %+v: %+v", want, events[0].Values)
		}
	}
	for i, want := range map[int][]Value{
		1: {{"more_body", "bool", "false"}},
		2: {{"status", "int", "201"}, {"content-type", HeaderField, "text/plain"}, {"trailers", "bool", "false"}},
	} {
		if !slices.Equal(events[i].Values, want) {
			t.Errorf("event %d: %+v, want %+v", i, events[i].Values, want)
		}
	}
}
