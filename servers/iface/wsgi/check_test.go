package wsgi_test

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"gatewaylab/servers/app"
	"gatewaylab/servers/iface/wsgi"
)

// broken is who breaks a rule: an application under the lab's handler, or a
// server around a good application. Either returns the error that came of it.
type broken struct {
	app    wsgi.App
	server func(wsgi.App) error
}

// good is an application that does everything.
func good(e *wsgi.Environ, start wsgi.StartResponse) (wsgi.Iterable, error) {
	if _, err := io.ReadAll(e.Input); err != nil {
		return nil, err
	}
	_, err := start("200 OK", header("Content-Length", "2"), nil)
	return wsgi.List([]byte("a"), nil, []byte("b")), err
}

// serve is a server that gets everything right but what change makes of the
// environ.
func serve(change func(*wsgi.Environ)) func(wsgi.App) error {
	return func(a wsgi.App) error {
		e := environ(io.Discard)
		change(e)
		body, err := a(e, taking)
		if err != nil {
			return err
		}
		for {
			if _, err = body.Next(); err != nil {
				break
			}
		}
		if err == io.EOF {
			err = nil
		}
		return errors.Join(err, body.Close())
	}
}

func drop(e *wsgi.Environ, name string) {
	for i, v := range e.Variables {
		if v.Name == name {
			e.Variables = append(e.Variables[:i], e.Variables[i+1:]...)
			return
		}
	}
}

func taking(string, []app.Field, error) (wsgi.Write, error) {
	return func([]byte) error { return nil }, nil
}

func started(status string, h []app.Field, blocks ...string) wsgi.App {
	return func(_ *wsgi.Environ, start wsgi.StartResponse) (wsgi.Iterable, error) {
		_, _ = start(status, h, nil) // what it is told it doesn't hear
		return yields(blocks...), nil
	}
}

// Each rule is broken by someone, and each way of breaking it that could be
// checked apart is.
func violators() map[string][]broken {
	unset := func(name string) broken {
		return broken{server: serve(func(e *wsgi.Environ) { drop(e, name) })}
	}
	set := func(name, value string) broken {
		return broken{server: serve(func(e *wsgi.Environ) { e.Set(name, value) })}
	}
	boom := errors.New("boom")
	m := map[string][]broken{
		wsgi.EnvironRequired: {unset("REQUEST_METHOD"), unset("SERVER_NAME"), unset("SERVER_PORT"), unset("SERVER_PROTOCOL"), set("REQUEST_METHOD", "")},
		wsgi.EnvironNames: {set("lab.name", "x"), set("", "x"), {server: serve(func(e *wsgi.Environ) {
			e.Variables = append(e.Variables, app.Field{Name: "HTTP_HOST", Value: "other"})
		})}},
		wsgi.EnvironContent:  {set("HTTP_CONTENT_TYPE", "a/b"), set("HTTP_CONTENT_LENGTH", "1")},
		wsgi.EnvironVersion:  {{server: serve(func(e *wsgi.Environ) { e.Version = [2]int{} })}},
		wsgi.EnvironScheme:   {{server: serve(func(e *wsgi.Environ) { e.URLScheme = "HTTP/1.1" })}},
		wsgi.EnvironPath:     {set("SCRIPT_NAME", "/"), set("SCRIPT_NAME", "x"), set("PATH_INFO", "x"), unset("PATH_INFO")},
		wsgi.EnvironLength:   {set("CONTENT_LENGTH", "-1"), set("CONTENT_LENGTH", "many")},
		wsgi.EnvironStreams:  {{server: serve(func(e *wsgi.Environ) { e.Input = nil })}, {server: serve(func(e *wsgi.Environ) { e.Errors = nil })}},
		wsgi.StartCallable:   {{server: func(a wsgi.App) error { _, err := a(environ(io.Discard), nil); return err }}},
		wsgi.InputEnds:       {{server: serve(func(e *wsgi.Environ) { e.Input = strings.NewReader("the next request") })}},
		wsgi.WriteReturned:   {{server: withStart(func(string, []app.Field, error) (wsgi.Write, error) { return nil, nil })}},
		wsgi.ReadAfterClose:  {{server: closesEarly}},
		wsgi.CloseCalled:     {{server: neverCloses}},
		wsgi.ExcInfoRaised:   {{app: lateError(boom), server: withStart(taking)}},
		wsgi.StatusForm:      {{app: started("200", header())}, {app: started("OK", header())}, {app: started("200 OK\n", header())}, {app: started("099 Low", header())}},
		wsgi.HeaderStatus:    {{app: started("200 OK", header("status", "200 OK"))}},
		wsgi.HeaderValue:     {{app: started("200 OK", header("X-A", "b\r\nX-B: c"))}, {app: started("200 OK", header("X-A", "b\n"))}},
		wsgi.HeaderHopByHop:  {{app: started("200 OK", header("Connection", "close"))}, {app: started("200 OK", header("transfer-encoding", "chunked"))}},
		wsgi.ContentType:     {{app: started("200 OK", nil)}},
		wsgi.ContentTypeNone: {{app: started("204 No Content", header())}, {app: started("304 Not Modified", header())}},
		wsgi.LengthForm:      {{app: started("200 OK", header("Content-Length", "x"))}, {app: started("200 OK", header("Content-Length", "1", "content-length", "1"))}},
		wsgi.LengthKept: {{app: started("200 OK", header("Content-Length", "1"), "ab")}, {app: started("200 OK", header("Content-Length", "3"), "ab")},
			{app: func(_ *wsgi.Environ, start wsgi.StartResponse) (wsgi.Iterable, error) {
				write, err := start("200 OK", header("Content-Length", "1"), nil)
				_ = write([]byte("ab"))
				return wsgi.List(), err
			}}},
		wsgi.StartOnce: {{app: func(_ *wsgi.Environ, start wsgi.StartResponse) (wsgi.Iterable, error) {
			_, err := start("200 OK", header(), nil)
			_, _ = start("200 OK", header(), nil)
			return wsgi.List([]byte("x")), err
		}}},
		wsgi.StartFirst: {{app: func(*wsgi.Environ, wsgi.StartResponse) (wsgi.Iterable, error) { return wsgi.List([]byte("x")), nil }},
			{app: func(*wsgi.Environ, wsgi.StartResponse) (wsgi.Iterable, error) { return wsgi.List(), nil }}},
		wsgi.ExcInfoPassed: {{app: lateError(boom)}, {app: func(_ *wsgi.Environ, start wsgi.StartResponse) (wsgi.Iterable, error) {
			_, err := start("200 OK", header(), nil)
			return &body{next: func(n int) ([]byte, error) {
				if n > 0 {
					_, _ = start("500 Oh", header(), boom)
				}
				return []byte("x"), nil
			}}, err
		}}},
		wsgi.IterableReturned: {{app: func(_ *wsgi.Environ, start wsgi.StartResponse) (wsgi.Iterable, error) {
			_, err := start("200 OK", header(), nil)
			return nil, err
		}}},
		wsgi.WriteInTime: {{app: func(_ *wsgi.Environ, start wsgi.StartResponse) (wsgi.Iterable, error) {
			write, err := start("200 OK", header(), nil)
			return &body{next: func(int) ([]byte, error) { _ = write([]byte("x")); return nil, io.EOF }}, err
		}}},
		wsgi.InputOpen:  {{app: before(func(e *wsgi.Environ) { _ = e.Input.(io.Closer).Close() })}},
		wsgi.ErrorsOpen: {{app: before(func(e *wsgi.Environ) { _ = e.Errors.(io.Closer).Close() })}},
		wsgi.ErrorsText: {{app: before(func(e *wsgi.Environ) { _, _ = e.Errors.Write([]byte{0xff}) })}},
	}
	for _, name := range []string{"", "X:", "X A", "X\n", "1X", "X-", "X_", "Ü"} {
		m[wsgi.HeaderName] = append(m[wsgi.HeaderName], broken{app: started("200 OK", header(name, "v"))})
	}
	return m
}

func before(do func(*wsgi.Environ)) wsgi.App {
	return func(e *wsgi.Environ, start wsgi.StartResponse) (wsgi.Iterable, error) {
		do(e)
		return good(e, start)
	}
}

// lateError fails after its head has left, and doesn't listen.
func lateError(exc error) wsgi.App {
	return func(_ *wsgi.Environ, start wsgi.StartResponse) (wsgi.Iterable, error) {
		write, err := start("200 OK", header(), nil)
		if err == nil {
			err = write([]byte("x"))
		}
		_, _ = start("500 Oh", header(), exc)
		return wsgi.List(), err
	}
}

func withStart(start wsgi.StartResponse) func(wsgi.App) error {
	return func(a wsgi.App) error {
		_, err := a(environ(io.Discard), start)
		return err
	}
}

func closesEarly(a wsgi.App) error {
	body, err := a(environ(io.Discard), taking)
	if err != nil {
		return err
	}
	_ = body.Close()
	_, err = body.Next()
	return err
}

// neverCloses returns what was written to the server's log about it.
func neverCloses(a wsgi.App) error {
	var log lockedBuffer
	func() {
		body, err := a(environ(&log), taking)
		if err == nil {
			_, _ = body.Next()
		}
	}()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		runtime.GC()
		if s := log.String(); s != "" {
			return errors.New(s)
		}
	}
	return nil
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestCheck(t *testing.T) {
	all := violators()
	for _, rule := range wsgi.Rules() {
		t.Run(rule.Name, func(t *testing.T) {
			if len(all[rule.Name]) == 0 {
				t.Fatal("nobody breaks it here")
			}
			for i, b := range all[rule.Name] {
				if err := b.run(); err == nil || !strings.Contains(err.Error(), "the "+string(rule.By)+" breaks the rule "+rule.Name+":") {
					t.Errorf("violator %d: %v", i, err)
				}
			}
		})
		delete(all, rule.Name)
	}
	for name := range all {
		t.Errorf("there is no rule %s", name)
	}
}

// run returns the violation, or what there was instead.
func (b broken) run() error {
	if b.app == nil {
		b.app = good
	}
	if b.server != nil {
		return b.server(wsgi.Check(b.app))
	}
	var log bytes.Buffer
	err := wsgi.NewHandler().Run(wsgi.Check(b.app), environ(&log), &page{})
	return errors.Join(err, errors.New(log.String()))
}

func TestCheckHasNothingAgainstTheGood(t *testing.T) {
	if err := serve(func(*wsgi.Environ) {})(wsgi.Check(good)); err != nil {
		t.Error(err)
	}
	var log bytes.Buffer
	p := &page{}
	if err := wsgi.NewHandler().Run(wsgi.Check(good), environ(&log), p); err != nil || log.Len() > 0 || p.body.String() != "ab" {
		t.Errorf("error %v, log %q, body %q", err, log.String(), p.body.String())
	}
}

func TestCheckWarns(t *testing.T) {
	var log bytes.Buffer
	e := environ(&log)
	drop(e, "QUERY_STRING")
	e.Set("REQUEST_METHOD", "BREW")
	if err := wsgi.NewHandler().Run(wsgi.Check(good), e, &page{}); err != nil {
		t.Error(err)
	}
	for _, want := range []string{"QUERY_STRING", "BREW"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("logged %q, without %s", log.String(), want)
		}
	}
}
