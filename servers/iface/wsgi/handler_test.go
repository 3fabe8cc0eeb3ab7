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

func TestHandler(t *testing.T) {
	boom := errors.New("boom")
	for _, tc := range []struct {
		name   string
		method string
		app    func(e *wsgi.Environ, start wsgi.StartResponse, b *body) (wsgi.Iterable, error)
		want   []string
		err    error
		log    string
	}{
		{name: "a list of one has a length", app: func(_ *wsgi.Environ, start wsgi.StartResponse, _ *body) (wsgi.Iterable, error) {
			_, err := start("200 OK", header(), nil)
			return wsgi.List([]byte("hello")), err
		}, want: []string{"start 200 OK [Content-Type=text/plain] 5", "write hello", "flush"}},
		{name: "the head waits for the first block that isn't empty, and no block for the next",
			app: func(_ *wsgi.Environ, start wsgi.StartResponse, b *body) (wsgi.Iterable, error) {
				_, err := start("200 OK", header(), nil)
				*b = *yields("", "a", "", "b")
				return b, err
			}, want: []string{"start 200 OK [Content-Type=text/plain] -1", "write a", "flush", "write b", "flush"}},
		{name: "start_response may be called by the iterable", app: func(_ *wsgi.Environ, start wsgi.StartResponse, b *body) (wsgi.Iterable, error) {
			b.next = func(n int) ([]byte, error) {
				switch n {
				case 0:
					return nil, nil
				case 1:
					_, err := start("404 Not There", header(), nil)
					return []byte("no"), err
				}
				return nil, io.EOF
			}
			return b, nil
		}, want: []string{"start 404 Not There [Content-Type=text/plain] -1", "write no", "flush"}},
		{name: "nothing but a head", app: func(_ *wsgi.Environ, start wsgi.StartResponse, b *body) (wsgi.Iterable, error) {
			_, err := start("200 OK", header(), nil)
			*b = *yields("", "")
			return b, err
		}, want: []string{"start 200 OK [Content-Type=text/plain] 0", "flush"}},
		{name: "write, then the iterable", app: func(_ *wsgi.Environ, start wsgi.StartResponse, b *body) (wsgi.Iterable, error) {
			write, err := start("200 OK", header("Content-Length", "3"), nil)
			if err != nil {
				return nil, err
			}
			*b = *yields("c")
			return b, errors.Join(write(nil), write([]byte("a")), write([]byte("b")))
		}, want: []string{"start 200 OK [Content-Type=text/plain] 3", "write a", "flush", "write b", "flush", "write c", "flush"}},
		{name: "HEAD has no body and a length all the same", method: "HEAD", app: func(_ *wsgi.Environ, start wsgi.StartResponse, _ *body) (wsgi.Iterable, error) {
			_, err := start("200 OK", header("Content-Length", "5"), nil)
			return wsgi.List([]byte("hello")), err
		}, want: []string{"start 200 OK [Content-Type=text/plain] 5", "flush"}},
		{name: "204 has no body", app: func(_ *wsgi.Environ, start wsgi.StartResponse, _ *body) (wsgi.Iterable, error) {
			_, err := start("204 No Content", nil, nil)
			return wsgi.List(), err
		}, want: []string{"start 204 No Content [] -1", "flush"}},
		{name: "no iteration once the promised length is there", app: func(_ *wsgi.Environ, start wsgi.StartResponse, b *body) (wsgi.Iterable, error) {
			_, err := start("200 OK", header("Content-Length", "2"), nil)
			b.next = func(n int) ([]byte, error) {
				if n == 0 {
					return []byte("ab"), nil
				}
				return nil, boom
			}
			return b, err
		}, want: []string{"start 200 OK [Content-Type=text/plain] 2", "write ab", "flush"}},
		{name: "yielding too much is cut", app: func(_ *wsgi.Environ, start wsgi.StartResponse, b *body) (wsgi.Iterable, error) {
			_, err := start("200 OK", header("Content-Length", "2"), nil)
			*b = *yields("abc")
			return b, err
		}, want: []string{"start 200 OK [Content-Type=text/plain] 2", "write ab", "flush"}, log: "longer than"},
		{name: "writing too much is refused", app: func(_ *wsgi.Environ, start wsgi.StartResponse, b *body) (wsgi.Iterable, error) {
			write, err := start("200 OK", header("Content-Length", "2"), nil)
			_ = write([]byte("a"))
			_ = write([]byte("bc"))
			return b, err
		}, want: []string{"start 200 OK [Content-Type=text/plain] 2", "write a", "flush"}, err: wsgi.ErrTooLong, log: "longer than"},
		{name: "too little breaks the answer off", app: func(_ *wsgi.Environ, start wsgi.StartResponse, b *body) (wsgi.Iterable, error) {
			_, err := start("200 OK", header("Content-Length", "3"), nil)
			*b = *yields("a")
			return b, err
		}, want: []string{"start 200 OK [Content-Type=text/plain] 3", "write a", "flush"}, err: wsgi.ErrTooShort, log: "shorter than"},
		{name: "too little in a list of one is known in time", app: func(_ *wsgi.Environ, start wsgi.StartResponse, _ *body) (wsgi.Iterable, error) {
			_, err := start("200 OK", header("Content-Length", "3"), nil)
			return wsgi.List([]byte("a")), err
		}, want: failed, log: "shorter than"},
		{name: "a late failure is answered for", app: func(_ *wsgi.Environ, start wsgi.StartResponse, _ *body) (wsgi.Iterable, error) {
			if _, err := start("200 OK", header(), nil); err != nil {
				return nil, err
			}
			_, err := start("503 Sorry", header("Retry-After", "1"), boom)
			return wsgi.List([]byte("later")), err
		}, want: []string{"start 503 Sorry [Content-Type=text/plain Retry-After=1] 5", "write later", "flush"}},
		{name: "a bad head can be replaced", app: func(_ *wsgi.Environ, start wsgi.StartResponse, _ *body) (wsgi.Iterable, error) {
			_, bad := start("200 OK", header("Connection", "close"), nil)
			_, err := start("500 Oh", header(), bad)
			return wsgi.List([]byte("x")), err
		}, want: []string{"start 500 Oh [Content-Type=text/plain] 1", "write x", "flush"}},
		{name: "after the head exc_info is raised again", app: func(_ *wsgi.Environ, start wsgi.StartResponse, b *body) (wsgi.Iterable, error) {
			write, err := start("200 OK", header(), nil)
			if err == nil {
				err = write([]byte("a"))
			}
			_, _ = start("500 Oh", header(), boom)
			return b, err
		}, want: []string{"start 200 OK [Content-Type=text/plain] -1", "write a", "flush"}, err: boom, log: "boom"},
		{name: "a second start", app: func(_ *wsgi.Environ, start wsgi.StartResponse, b *body) (wsgi.Iterable, error) {
			_, err := start("200 OK", header(), nil)
			_, _ = start("200 OK", header(), nil)
			return b, err
		}, want: failed, log: "second time"},
		{name: "no start", app: func(_ *wsgi.Environ, _ wsgi.StartResponse, _ *body) (wsgi.Iterable, error) {
			return wsgi.List([]byte("a")), nil
		}, want: failed, log: "before start_response"},
		{name: "no start and no body", app: func(_ *wsgi.Environ, _ wsgi.StartResponse, _ *body) (wsgi.Iterable, error) {
			return wsgi.List(), nil
		}, want: failed, log: "before start_response"},
		{name: "no iterable", app: func(_ *wsgi.Environ, start wsgi.StartResponse, _ *body) (wsgi.Iterable, error) {
			_, err := start("200 OK", header(), nil)
			return nil, err
		}, want: failed, log: "no iterable"},
		{name: "writing from the iterable", app: func(_ *wsgi.Environ, start wsgi.StartResponse, b *body) (wsgi.Iterable, error) {
			write, err := start("200 OK", header(), nil)
			b.next = func(int) ([]byte, error) { _ = write([]byte("x")); return []byte("y"), nil }
			return b, err
		}, want: failed, log: "after the application had returned"},
		{name: "an error", app: func(*wsgi.Environ, wsgi.StartResponse, *body) (wsgi.Iterable, error) { return nil, boom }, want: failed, log: "boom"},
		{name: "an error to HEAD", method: "HEAD", app: func(*wsgi.Environ, wsgi.StartResponse, *body) (wsgi.Iterable, error) { return nil, boom },
			want: []string{failed[0], "flush"}, log: "boom"},
		{name: "an error of the iterable, after the head", app: func(_ *wsgi.Environ, start wsgi.StartResponse, b *body) (wsgi.Iterable, error) {
			_, err := start("200 OK", header(), nil)
			b.next = func(n int) ([]byte, error) {
				if n == 0 {
					return []byte("a"), nil
				}
				return nil, boom
			}
			return b, err
		}, want: []string{"start 200 OK [Content-Type=text/plain] -1", "write a", "flush"}, err: boom, log: "boom"},
		{name: "a panic", app: func(*wsgi.Environ, wsgi.StartResponse, *body) (wsgi.Iterable, error) { panic("oops") }, want: failed, log: "oops\ngoroutine"},
		{name: "a panic of the iterable", app: func(_ *wsgi.Environ, start wsgi.StartResponse, b *body) (wsgi.Iterable, error) {
			_, err := start("200 OK", header(), nil)
			b.next = func(int) ([]byte, error) { panic("oops") }
			return b, err
		}, want: failed, log: "oops"},
		{name: "the input's fault", app: func(*wsgi.Environ, wsgi.StartResponse, *body) (wsgi.Iterable, error) {
			return nil, &wsgi.FaultError{Status: 408, Why: "the body stopped coming"}
		}, want: []string{"start 408 Request Timeout [Content-Type=text/plain; charset=utf-8 X-Content-Type-Options=nosniff] 45",
			"write 408 request timeout: the body stopped coming\n", "flush"}},
		{name: "the client is gone", app: func(*wsgi.Environ, wsgi.StartResponse, *body) (wsgi.Iterable, error) {
			return nil, app.ErrGone
		}, err: app.ErrGone},
		{name: "a protocol to upgrade to", app: func(e *wsgi.Environ, start wsgi.StartResponse, _ *body) (wsgi.Iterable, error) {
			e.OfferUpgrade("websocket")
			_, err := start("426 Upgrade Required", header(), nil)
			return wsgi.List([]byte("no")), err
		}, want: []string{"start 426 Upgrade Required [Content-Type=text/plain Upgrade=websocket] 2", "write no", "flush"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var log bytes.Buffer
			e, p, b := environ(&log), &page{}, yields()
			if tc.method != "" {
				e.Set("REQUEST_METHOD", tc.method)
			}
			h := wsgi.NewHandler()
			returned := false
			err := h.Run(func(e *wsgi.Environ, start wsgi.StartResponse) (wsgi.Iterable, error) {
				body, err := tc.app(e, start, b)
				returned = body == wsgi.Iterable(b)
				return body, err
			}, e, p)
			if !errors.Is(err, tc.err) {
				t.Errorf("error %v, want %v", err, tc.err)
			}
			if !slices.Equal(p.events, tc.want) {
				t.Errorf("sent\n%q, want\n%q", p.events, tc.want)
			}
			if !strings.Contains(log.String(), tc.log) || tc.log == "" && log.Len() > 0 {
				t.Errorf("logged %.200q, want %q", log.String(), tc.log)
			}
			if returned && b.closed != 1 {
				t.Errorf("the iterable was closed %d times", b.closed)
			}
		})
	}
}

var failed = []string{"start 500 Internal Server Error [Content-Type=text/plain; charset=utf-8 X-Content-Type-Options=nosniff] 50",
	"write 500 internal server error: the application failed\n", "flush"}

// The client may go at any moment: then iteration stops, the iterable is
// closed, and the error is the sink's.
func TestHandlerWhoseClientGoes(t *testing.T) {
	for at := 1; at <= 5; at++ {
		var log bytes.Buffer
		b := yields("a", "b", "c")
		err := wsgi.NewHandler().Run(func(_ *wsgi.Environ, start wsgi.StartResponse) (wsgi.Iterable, error) {
			write, err := start("200 OK", header(), nil)
			_ = write([]byte("x")) // an error that is dropped
			return b, err
		}, environ(&log), &page{breaks: at})
		if !errors.Is(err, errGone) || b.closed != 1 || log.Len() > 0 {
			t.Errorf("gone at call %d: error %v, closed %d times, logged %q", at, err, b.closed, log.String())
		}
		if most := max(0, at-3); b.n > most {
			t.Errorf("gone at call %d: %d blocks were asked for", at, b.n)
		}
	}
}

func TestHandlerRefusesHeads(t *testing.T) {
	for name, head := range map[string]struct {
		status string
		field  app.Field
	}{
		"status without a phrase":    {"200", app.Field{Name: "X-A", Value: "b"}},
		"status without digits":      {"OK", app.Field{Name: "X-A", Value: "b"}},
		"status with a line end":     {"200 OK\r\nX-B: c", app.Field{Name: "X-A", Value: "b"}},
		"name with a colon":          {"200 OK", app.Field{Name: "X-A:", Value: "b"}},
		"no name":                    {"200 OK", app.Field{Name: "", Value: "b"}},
		"value with a line end":      {"200 OK", app.Field{Name: "X-A", Value: "b\r\nX-B: c"}},
		"length that is no number":   {"200 OK", app.Field{Name: "Content-Length", Value: "+1"}},
		"length that is too large":   {"200 OK", app.Field{Name: "content-length", Value: "9999999999999999999"}},
		"hop-by-hop":                 {"200 OK", app.Field{Name: "Keep-Alive", Value: "timeout=1"}},
		"hop-by-hop, in lower case":  {"200 OK", app.Field{Name: "transfer-encoding", Value: "chunked"}},
		"hop-by-hop, authentication": {"200 OK", app.Field{Name: "Proxy-Authenticate", Value: "Basic"}},
		"hop-by-hop, upgrade":        {"200 OK", app.Field{Name: "upgrade", Value: "websocket"}},
		"hop-by-hop, trailers":       {"200 OK", app.Field{Name: "TE", Value: "trailers"}},
	} {
		var told error
		p := &page{}
		err := wsgi.NewHandler().Run(func(_ *wsgi.Environ, start wsgi.StartResponse) (wsgi.Iterable, error) {
			_, told = start(head.status, []app.Field{head.field}, nil)
			return wsgi.List([]byte("x")), nil // as if nothing had happened
		}, environ(io.Discard), p)
		if told == nil || err != nil || !slices.Equal(p.events, failed) {
			t.Errorf("%s: start_response returned %v, Run %v, sent %q", name, told, err, p.events)
		}
	}
	_ = wsgi.NewHandler().Run(func(_ *wsgi.Environ, start wsgi.StartResponse) (wsgi.Iterable, error) {
		if _, err := start("200 OK", header("Content-Length", "1", "Content-Length", "1"), nil); err == nil {
			t.Error("two lengths were taken")
		}
		return wsgi.List(), nil
	}, environ(io.Discard), &page{})
}
