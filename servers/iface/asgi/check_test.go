package asgi

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"gatewaylab/servers/app"
)

// Scopes with nothing wrong.

func httpScope() *Scope {
	return &Scope{
		Type: TypeHTTP, ASGI: ASGI{"3.0", "2.5"}, HTTPVersion: "1.1", Method: "GET", Scheme: "http", Path: "/a b", RawPath: "/a%20b", QueryString: "x=%20",
		Headers: []app.Field{{Name: "host", Value: "lab.test"}}, Client: Address{"127.0.0.1", 5000}, Server: Address{"127.0.0.1", 80},
	}
}

func socketScope() *Scope {
	s := httpScope()
	s.Type, s.Method, s.Scheme, s.Subprotocols = TypeWebSocket, "", "ws", []string{"chat"}
	s.Headers = append(s.Headers, app.Field{Name: "sec-websocket-protocol", Value: "chat"})
	return s
}

func lifespanScope() *Scope {
	return &Scope{Type: TypeLifespan, ASGI: ASGI{"3.0", "2.0"}, State: map[string]any{}}
}

// A step is to receive.
type step struct{}

func receiving() step { return step{} }

// does is an application that takes steps, and goes on whatever happens.
func does(steps ...any) App {
	return func(_ context.Context, _ *Scope, receive Receive, send Send) error {
		for _, s := range steps {
			switch s := s.(type) {
			case step:
				_, _ = receive()
			case error:
				return s
			case nil:
				_ = send(nil)
			case Event:
				_ = send(s)
			}
		}
		return nil
	}
}

// A script of a server: what it hands out, and what its send returns.
type server struct {
	events []Event
	fails  error // of receive, when there is nothing left to hand out
	sends  error // of send; ErrDisconnected only after the disconnect
	gone   bool
}

func (s *server) receive() (Event, error) {
	if len(s.events) == 0 {
		return nil, s.fails
	}
	e := s.events[0]
	s.events = s.events[1:]
	switch e.(type) {
	case *HTTPDisconnect, *WebSocketDisconnect:
		s.gone = true
	}
	return e, nil
}

func (s *server) send(Event) error {
	if s.sends == ErrDisconnected && !s.gone {
		return nil
	}
	return s.sends
}

func ok() Event { return &HTTPResponseStart{Status: 200} }

var (
	request, final       = &HTTPRequest{}, &HTTPResponseBody{}
	connect, accept      = &WebSocketConnect{}, &WebSocketAccept{}
	message, echo        = &WebSocketReceive{Text: []byte("a")}, &WebSocketSend{Text: []byte("a")}
	closed               = &WebSocketDisconnect{Code: 1005}
	startup, started1    = &LifespanStartup{}, &LifespanStartupComplete{}
	shutdown, shutDown   = &LifespanShutdown{}, &LifespanShutdownComplete{}
	disconnect           = &HTTPDisconnect{}
	denial, denialBody   = &WebSocketResponseStart{Status: 404}, &WebSocketResponseBody{}
	field                = func(name, value string) []app.Field { return []app.Field{{Name: name, Value: value}} }
	served, reached, all = []Event{request, disconnect}, []Event{connect, message, closed}, []Event{startup, shutdown}
)

func TestCheckApplication(t *testing.T) {
	recv := receiving()
	denying := socketScope()
	denying.Extensions = ExtensionDenial
	cases := []struct {
		rule  Rule // "" = nothing is wrong
		scope *Scope
		in    []Event
		app   App
	}{
		{"", httpScope(), served, does(recv, ok(), &HTTPResponseBody{MoreBody: true}, final, recv)},
		{"", httpScope(), served, does(ok(), final)},
		{"", httpScope(), served, does(errRaised)},
		{"", httpScope(), served, does(recv, recv)},
		{"", socketScope(), reached, does(recv, accept, recv, echo, recv)},
		{"", socketScope(), reached, does(recv, &WebSocketAccept{Subprotocol: "chat", Headers: field("x-a", "1")}, &WebSocketClose{Code: 3000, Reason: "bye"})},
		{"", socketScope(), reached, does(recv, &WebSocketClose{})},
		{"", socketScope(), reached, does(recv, accept)},
		{"", denying, reached, does(recv, denial, &WebSocketResponseBody{MoreBody: true}, denialBody)},
		{"", lifespanScope(), all, does(recv, started1, recv, shutDown)},
		{"", lifespanScope(), all, does(recv, started1)},
		{"", lifespanScope(), all, does(recv, &LifespanStartupFailed{Message: "no"})},
		{"", lifespanScope(), all, does(recv, errRaised)},

		{SendProtocol, httpScope(), served, does(nil)},
		{SendProtocol, httpScope(), served, does(accept)},
		{SendProtocol, httpScope(), served, does(request)},
		{SendProtocol, socketScope(), reached, does(recv, ok())},
		{SendProtocol, socketScope(), reached, does(recv, connect)},
		{SendProtocol, socketScope(), reached, does(recv, nil)},
		{SendProtocol, lifespanScope(), all, does(recv, startup)},
		{SendProtocol, lifespanScope(), all, does(recv, nil)},
		{StartFirst, httpScope(), served, does(final)},
		{StartFirst, httpScope(), served, does(ok(), ok(), final)},
		{StartStatus, httpScope(), served, does(&HTTPResponseStart{})},
		{StartStatus, httpScope(), served, does(&HTTPResponseStart{Status: 101})},
		{StartStatus, httpScope(), served, does(&HTTPResponseStart{Status: 600})},
		{StartStatus, denying, reached, does(recv, &WebSocketResponseStart{Status: 101})},
		{StartHeaders, httpScope(), served, does(&HTTPResponseStart{Status: 200, Headers: field("Content-Type", "a")})},
		{StartHeaders, httpScope(), served, does(&HTTPResponseStart{Status: 200, Headers: field(":status", "200")})},
		{StartHeaders, httpScope(), served, does(&HTTPResponseStart{Status: 200, Headers: field("", "a")})},
		{StartHeaders, httpScope(), served, does(&HTTPResponseStart{Status: 200, Headers: field("a b", "a")})},
		{StartHeaders, httpScope(), served, does(&HTTPResponseStart{Status: 200, Headers: field("a", "a\r\nb: c")})},
		{StartHeaders, denying, reached, does(recv, &WebSocketResponseStart{Status: 404, Headers: field("A", "a")})},
		{StartTrailers, httpScope(), served, does(&HTTPResponseStart{Status: 200, Trailers: true})},
		{BodyLast, httpScope(), served, does(ok(), final, final)},
		{BodyLast, httpScope(), served, does(ok(), final, ok())},
		{BodyComplete, httpScope(), served, does()},
		{BodyComplete, httpScope(), served, does(ok())},
		{BodyComplete, httpScope(), served, does(ok(), &HTTPResponseBody{MoreBody: true})},
		{BodyLength, httpScope(), served, does(&HTTPResponseStart{Status: 200, Headers: field("content-length", "two")})},
		{BodyLength, httpScope(), served, does(&HTTPResponseStart{Status: 200, Headers: append(field("content-length", "2"), field("content-length", "2")...)})},
		{BodyLength, httpScope(), served, does(&HTTPResponseStart{Status: 200, Headers: field("content-length", "2")}, last("a"))},
		{BodyLength, httpScope(), served, does(&HTTPResponseStart{Status: 200, Headers: field("content-length", "2")}, more("ab"), last("c"))},
		{"", httpScope(), served, does(&HTTPResponseStart{Status: 200, Headers: field("content-length", "2")}, more("a"), last("b"))},
		{"", httpScope(), served, does(&HTTPResponseStart{Status: 304, Headers: field("content-length", "2")}, final)},
		{ConnectReceived, socketScope(), reached, does(accept)},
		{HandshakeAnswer, socketScope(), reached, does(recv, recv)},
		{HandshakeAnswer, socketScope(), reached, does(recv, echo)},
		{HandshakeAnswer, socketScope(), reached, does(recv)},
		{AcceptOnce, socketScope(), reached, does(recv, accept, accept)},
		{AcceptProtocol, socketScope(), reached, does(recv, &WebSocketAccept{Subprotocol: "other"})},
		{AcceptHeaders, socketScope(), reached, does(recv, &WebSocketAccept{Headers: field("sec-websocket-protocol", "chat")})},
		{AcceptHeaders, socketScope(), reached, does(recv, &WebSocketAccept{Headers: field("X-A", "1")})},
		{DenialExtension, socketScope(), reached, does(recv, denial)},
		{DenialOrder, denying, reached, does(recv, denialBody)},
		{DenialOrder, denying, reached, does(recv, denial, denial)},
		{DenialOrder, denying, reached, does(recv, accept, denial)},
		{DenialOrder, denying, reached, does(recv, denial, accept)},
		{DenialOrder, denying, reached, does(recv, denial, echo)},
		{DenialOrder, denying, reached, does(recv, denial, &WebSocketClose{})},
		{DenialOrder, denying, reached, does(recv, denial)},
		{SendKind, socketScope(), reached, does(recv, accept, &WebSocketSend{})},
		{SendKind, socketScope(), reached, does(recv, accept, &WebSocketSend{Bytes: []byte{}, Text: []byte{}})},
		{SendText, socketScope(), reached, does(recv, accept, &WebSocketSend{Text: []byte("\xff")})},
		{CloseCode, socketScope(), reached, does(recv, accept, &WebSocketClose{Code: 1005})},
		{CloseCode, socketScope(), reached, does(recv, accept, &WebSocketClose{Code: 999})},
		{CloseCode, socketScope(), reached, does(recv, accept, &WebSocketClose{Reason: strings.Repeat("a", 124)})},
		{CloseCode, socketScope(), reached, does(recv, accept, &WebSocketClose{Reason: "\xff"})},
		{CloseLast, socketScope(), reached, does(recv, accept, &WebSocketClose{}, echo)},
		{CloseLast, socketScope(), reached, does(recv, &WebSocketClose{}, accept)},
		{CloseLast, denying, reached, does(recv, denial, denialBody, denialBody)},
		{LifespanAnswer, lifespanScope(), all, does(started1)},
		{LifespanAnswer, lifespanScope(), all, does(recv, shutDown)},
		{LifespanAnswer, lifespanScope(), all, does(recv, recv)},
		{LifespanAnswer, lifespanScope(), all, does(recv)},
		{LifespanAnswer, lifespanScope(), all, does(recv, started1, started1)},
		{LifespanAnswer, lifespanScope(), all, does(recv, started1, recv)},
		{LifespanAnswer, lifespanScope(), all, does(recv, started1, recv, shutDown, recv)},
		{LifespanAnswer, lifespanScope(), all, does(recv, &LifespanStartupFailed{}, recv)},
		{NothingOnceOver, httpScope(), served, nil},
		{OneCallAtATime, httpScope(), served, nil},
	}
	_, rules := Rules()
	missing := map[Rule]bool{}
	for _, r := range rules {
		missing[r] = true
	}
	for _, tc := range cases {
		delete(missing, tc.rule)
		if tc.app == nil {
			continue // tests of their own
		}
		s := &server{events: slices.Clone(tc.in), fails: errors.New("nothing comes")}
		blames(t, Check(tc.app)(t.Context(), tc.scope, s.receive, s.send), tc.rule, "application")
	}
	if len(missing) > 0 {
		t.Errorf("no application breaks %v", slices.Collect(maps.Keys(missing)))
	}
}

// blames holds an error against the rule that should have been broken.
func blames(t *testing.T, err error, rule Rule, who string) {
	t.Helper()
	var f *RuleError
	errors.As(err, &f)
	switch {
	case rule == "" && f != nil:
		t.Errorf("nothing is wrong, but %v", f)
	case rule != "" && (f == nil || f.Rule != rule || f.By != who):
		t.Errorf("error %v, want one of %s by the %s", err, rule, who)
	case f != nil && !strings.Contains(err.Error(), "the "+who+" broke "+string(rule)+": "):
		t.Errorf("the error doesn't say it: %v", err)
	}
}

func TestCheckNothingOnceOver(t *testing.T) {
	var late Send
	var later Receive
	s := &server{events: slices.Clone(served)}
	blames(t, Check(func(_ context.Context, _ *Scope, receive Receive, send Send) error {
		late, later = send, receive
		return errors.Join(send(ok()), send(final))
	})(t.Context(), httpScope(), s.receive, s.send), "", "")
	blames(t, late(ok()), NothingOnceOver, "application")
	_, err := later()
	blames(t, err, NothingOnceOver, "application")
}

func TestCheckOneCallAtATime(t *testing.T) {
	inside, leave := make(chan struct{}), make(chan struct{})
	err := Check(func(_ context.Context, _ *Scope, receive Receive, send Send) error {
		first := make(chan error, 1)
		go func() {
			_, err := receive()
			first <- err
		}()
		<-inside
		blames(t, send(ok()), OneCallAtATime, "application")
		close(leave)
		blames(t, <-first, OneCallAtATime, "application")
		return nil
	})(t.Context(), httpScope(), func() (Event, error) {
		close(inside)
		<-leave
		return request, nil
	}, func(Event) error { return nil })
	blames(t, err, OneCallAtATime, "application")
}

// A polite application: it takes what comes, and does what is right.
func polite(_ context.Context, s *Scope, receive Receive, send Send) error {
	for {
		e, err := receive()
		if err != nil {
			return err
		}
		switch e := e.(type) {
		case *HTTPRequest:
			if !e.MoreBody {
				if err := send(ok()); err != nil {
					return err
				}
				if err := send(&HTTPResponseBody{MoreBody: true}); err != nil {
					return err
				}
			}
		case *HTTPDisconnect:
			_ = send(final)
			if _, err := receive(); err != nil {
				return err
			}
			return nil
		case *WebSocketConnect:
			err = send(accept)
		case *WebSocketReceive:
			err = send(echo)
		case *WebSocketDisconnect:
			_ = send(echo)
			if _, err := receive(); err != nil {
				return err
			}
			return nil
		case *LifespanStartup:
			err = send(started1)
		case *LifespanShutdown:
			return send(shutDown)
		}
		if err != nil {
			return err
		}
	}
}

func TestCheckServer(t *testing.T) {
	changed := func(s *Scope, change func(*Scope)) *Scope {
		change(s)
		return s
	}
	scope := func(change func(*Scope)) *Scope { return changed(httpScope(), change) }
	socket := func(change func(*Scope)) *Scope { return changed(socketScope(), change) }
	life := func(change func(*Scope)) *Scope { return changed(lifespanScope(), change) }
	denied := socket(func(s *Scope) { s.Extensions = ExtensionDenial })
	gone := ErrDisconnected
	cases := []struct {
		rule  Rule
		scope *Scope
		in    []Event
		sends error
	}{
		{"", httpScope(), []Event{&HTTPRequest{MoreBody: true}, disconnect, disconnect}, gone},
		{"", socketScope(), []Event{connect, closed, closed}, gone},
		{"", lifespanScope(), all, nil},
		{"", scope(func(s *Scope) { s.Scheme, s.RawPath, s.Client, s.Server = "", "", Address{}, Address{Host: "/run/lab"} }), []Event{disconnect, disconnect}, gone},
		{"", scope(func(s *Scope) { s.RootPath, s.Path, s.RawPath = "/shop", "/shop", "" }), []Event{disconnect, disconnect}, gone},
		{"", socket(func(s *Scope) { s.HTTPVersion, s.Scheme, s.ASGI.SpecVersion = "", "", "" }), []Event{connect, closed, closed}, gone},

		{ScopeType, scope(func(s *Scope) { s.Type = "gopher" }), nil, nil},
		{ScopeASGI, scope(func(s *Scope) { s.ASGI.Version = "2.0" }), nil, nil},
		{ScopeASGI, scope(func(s *Scope) { s.ASGI.SpecVersion = "9.0" }), nil, nil},
		{ScopeASGI, life(func(s *Scope) { s.ASGI.SpecVersion = "2.5" }), nil, nil},
		{ScopeHTTPVersion, scope(func(s *Scope) { s.HTTPVersion = "HTTP/1.1" }), nil, nil},
		{ScopeHTTPVersion, scope(func(s *Scope) { s.HTTPVersion = "" }), nil, nil},
		{ScopeHTTPVersion, socket(func(s *Scope) { s.HTTPVersion = "1.0" }), nil, nil},
		{ScopeMethod, scope(func(s *Scope) { s.Method = "get" }), nil, nil},
		{ScopeMethod, scope(func(s *Scope) { s.Method = "" }), nil, nil},
		{ScopeMethod, socket(func(s *Scope) { s.Method = "GET" }), nil, nil},
		{ScopeScheme, scope(func(s *Scope) { s.Scheme = "ws" }), nil, nil},
		{ScopeScheme, socket(func(s *Scope) { s.Scheme = "http" }), nil, nil},
		{ScopePath, scope(func(s *Scope) { s.Path = "/a%20b" }), nil, nil},
		{ScopePath, scope(func(s *Scope) { s.Path, s.RawPath = "a", "a" }), nil, nil},
		{ScopePath, scope(func(s *Scope) { s.Path, s.RawPath = "/%2", "/%2" }), nil, nil},
		{ScopePath, scope(func(s *Scope) { s.Path, s.RawPath = "/%xy", "/%xy" }), nil, nil},
		{ScopeRawPath, scope(func(s *Scope) { s.RawPath = "/a%20b?x=%20" }), nil, nil},
		{ScopeRawPath, scope(func(s *Scope) { s.RawPath = "/a b" }), nil, nil},
		{ScopeQuery, scope(func(s *Scope) { s.QueryString = "x= " }), nil, nil},
		{ScopeRootPath, scope(func(s *Scope) { s.RootPath = "/shop" }), nil, nil},
		{ScopeRootPath, scope(func(s *Scope) { s.RootPath = "/" }), nil, nil},
		{ScopeHeaders, scope(func(s *Scope) { s.Headers = field("Host", "a") }), nil, nil},
		{ScopeHeaders, scope(func(s *Scope) { s.Headers = field(":authority", "a") }), nil, nil},
		{ScopeHeaders, socket(func(s *Scope) { s.Headers[0].Value = "a\nb" }), nil, nil},
		{ScopeAddress, scope(func(s *Scope) { s.Client.Host = "localhost" }), nil, nil},
		{ScopeAddress, scope(func(s *Scope) { s.Client.Port = 0 }), nil, nil},
		{ScopeAddress, scope(func(s *Scope) { s.Server.Port = 70000 }), nil, nil},
		{ScopeSubprotocols, scope(func(s *Scope) { s.Subprotocols = []string{"chat"} }), nil, nil},
		{ScopeSubprotocols, socket(func(s *Scope) { s.Subprotocols = nil }), nil, nil},
		{ScopeExtensions, scope(func(s *Scope) { s.Extensions = ExtensionDenial }), nil, nil},
		{ScopeLifespan, life(func(s *Scope) { s.Path = "/" }), nil, nil},
		{ScopeState, life(func(s *Scope) { s.State["a"] = 1 }), nil, nil},

		{ReceiveProtocol, httpScope(), []Event{connect}, nil},
		{ReceiveProtocol, httpScope(), []Event{final}, nil},
		{ReceiveProtocol, socketScope(), []Event{request}, nil},
		{ReceiveProtocol, lifespanScope(), []Event{request}, nil},
		{RequestLast, httpScope(), []Event{request, request}, nil},
		{DisconnectLast, httpScope(), []Event{disconnect, request}, gone},
		{ConnectFirst, socketScope(), []Event{message}, nil},
		{ConnectFirst, socketScope(), []Event{closed}, nil},
		{ConnectFirst, socketScope(), []Event{connect, connect}, nil},
		{MessageAccepted, denied, []Event{connect, message}, nil},
		{MessageKind, socketScope(), []Event{connect, &WebSocketReceive{}}, nil},
		{MessageKind, socketScope(), []Event{connect, &WebSocketReceive{Text: []byte{}, Bytes: []byte{}}}, nil},
		{MessageText, socketScope(), []Event{connect, &WebSocketReceive{Text: []byte("\xff")}}, nil},
		{DisconnectCode, socketScope(), []Event{connect, &WebSocketDisconnect{}}, nil},
		{DisconnectCode, socketScope(), []Event{connect, &WebSocketDisconnect{Code: 1000, Reason: "\xff"}}, nil},
		{SocketClosedLast, socketScope(), []Event{connect, closed, message}, gone},
		{StartupFirst, lifespanScope(), []Event{startup, startup}, nil},
		{ShutdownStarted, lifespanScope(), []Event{shutdown}, nil},
		{SendDisconnected, httpScope(), []Event{disconnect}, nil},
		{SendDisconnected, httpScope(), []Event{disconnect}, errRaised},
		{SendDisconnected, socketScope(), []Event{connect, closed}, nil},
		{SendGoodEvent, httpScope(), []Event{request}, errRaised},
		{SendGoodEvent, socketScope(), []Event{connect}, errRaised},
		{SendGoodEvent, lifespanScope(), []Event{startup}, errRaised},
		{ReceiveNeverFails, httpScope(), nil, nil},
		{ReceiveNeverFails, lifespanScope(), []Event{nil}, nil},
	}
	rules, _ := Rules()
	missing := map[Rule]bool{}
	for _, r := range rules {
		missing[r] = true
	}
	for _, tc := range cases {
		delete(missing, tc.rule)
		s := &server{events: slices.Clone(tc.in), sends: tc.sends, fails: errors.New("no event")}
		a := App(polite)
		if tc.scope == denied {
			a = does(receiving(), denial, receiving())
		}
		blames(t, Check(a)(t.Context(), tc.scope, s.receive, s.send), tc.rule, "server")
	}
	if len(missing) > 0 {
		t.Errorf("no server breaks %v", slices.Collect(maps.Keys(missing)))
	}
}

// A request's state is neither the lifespan's nor missing what that left.
func TestCheckState(t *testing.T) {
	a := Check(polite)
	shared := lifespanScope()
	s := &server{events: slices.Clone(all)}
	blames(t, a(t.Context(), shared, s.receive, s.send), "", "")
	one := httpScope()
	one.State = map[string]any{}
	s = &server{events: []Event{disconnect, disconnect}, sends: ErrDisconnected}
	blames(t, a(t.Context(), one, s.receive, s.send), "", "")
	one.State = shared.State
	blames(t, a(t.Context(), one, s.receive, s.send), ScopeState, "server")
}

// The package's own servers keep the rules with the lab's application, whose
// rules the checker watches in turn: see over for HTTP.
func TestCheckOurs(t *testing.T) {
	a := Check(Application(app.New()))
	for _, raw := range []string{
		"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", "HEAD /hello HTTP/1.0\r\n\r\n", "GET http://a.test/static/?x HTTP/1.1\r\nHost: b\r\n\r\n",
		"POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "PUT /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
		"GET /stream?chunks=3&every=0 HTTP/1.1\r\nHost: a\r\n\r\n", "GET /bytes?n=100000 HTTP/1.1\r\nHost: a\r\n\r\n", "GET /%ff%20 HTTP/1.1\r\nHost: a\r\n\r\n", "GET /ws HTTP/1.1\r\nHost: a\r\n\r\n",
		"HEAD /stream HTTP/1.1\r\nHost: a\r\n\r\n", "HEAD /bytes HTTP/1.1\r\nHost: a\r\n\r\n", "DELETE /leak HTTP/1.1\r\nHost: a\r\n\r\n",
	} {
		over(t, a, raw)
	}
	var l Lifespan
	if err := errors.Join(l.Start(t.Context(), a), l.Stop()); err != nil {
		t.Error(err)
	}
	for _, path := range []string{"/ws", "/hello", "/stream?chunks=2&every=0"} {
		s := socketScope()
		s.Extensions, s.RawPath = ExtensionDenial, ""
		s.Path, s.QueryString, _ = strings.Cut(path, "?")
		if _, err := script(t, a, s, connect, message, closed); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	gone := &server{events: []Event{&HTTPRequest{MoreBody: true}, disconnect}, sends: ErrDisconnected}
	upload := httpScope()
	upload.Method, upload.Path, upload.RawPath = "PUT", "/upload", ""
	blames(t, a(t.Context(), upload, gone.receive, gone.send), "", "")
}
