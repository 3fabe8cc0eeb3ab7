package models

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"gatewaylab/servers/app"
	"gatewaylab/servers/iface/asgi"
	"gatewaylab/servers/trace/recorder"
)

// async serves every connection on a goroutine of its own in one process: a
// request that waits costs a few kilobytes and no worker, so as many as come
// are in progress side by side, on all cores. The connection is kept for the
// next request. Over HTTP/2, which needs no asking on the plain port and is
// chosen by ALPN under TLS, requests of one connection are in progress side by
// side too. A connection to /ws may become a WebSocket. The application is
// called by ASGI's convention, on the goroutine, which it may block.
//
// HTTP/1 is read by the lab's own parser and not by net/http, which spends a
// second goroutine on each request in case the client should go away. Here one
// looks for that only while the application waits, and small answers take half
// the time. HTTP/2 is net/http's.
func async(env *Env) error {
	s := &asyncServer{
		env:       env,
		pid:       os.Getpid(),
		keepalive: env.Options.Duration("keepalive"),
		timeout:   env.Options.Duration("timeout"),
		requests:  env.Options.Int("keepalive_requests"),
		app:       recorder.ASGI(asgi.Application(app.New())),
	}
	if n := env.Options.Int("connections"); n > 0 {
		s.room = make(chan struct{}, n)
	}
	s.all = map[*asyncConn]struct{}{}
	backlog := env.Options.Int("backlog")
	secure := env.Options.String("tls") == "on"
	if err := env.Options.Err(); err != nil {
		return fmt.Errorf("async: %w", err)
	}
	if err := setBacklog(env.Listener, backlog); err != nil {
		return fmt.Errorf("async: %w", err)
	}
	if secure {
		var err error
		if s.tls, err = selfSigned(); err != nil {
			return fmt.Errorf("async: %w", err)
		}
	}
	env.Board.SetWorkers(0)
	var life asgi.Lifespan
	if err := life.Start(context.Background(), s.app); err != nil {
		return fmt.Errorf("async: %w", err)
	}
	defer life.Close()
	s.state = life.State()
	f := &front{
		Server: http.Server{
			Handler:           http.HandlerFunc(s.serveHTTP2),
			Protocols:         spoken(),
			ReadHeaderTimeout: s.timeout,
			IdleTimeout:       s.keepalive,
			MaxHeaderBytes:    maxHead,
			ConnState:         showState,
			ConnContext:       withSlot,
		},
		wrap:  s.listen,
		drain: s.drain,
		abort: s.cut,
	}
	f.RegisterOnShutdown(s.goAway)
	if err := f.run(env); err != nil {
		return err
	}
	if err := life.Stop(); err != nil {
		env.Log.Printf("async: %v", err)
	}
	return nil
}

func spoken() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP2(true)
	p.SetUnencryptedHTTP2(true)
	return p
}

// serveHTTP2 answers what net/http has read.
func (s *asyncServer) serveHTTP2(w http.ResponseWriter, r *http.Request) {
	origin := asgi.Origin{TLS: r.TLS != nil, State: s.state}
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		origin.Server = asgiAddress(local)
	}
	if sc, ok := r.Context().Value(slotKey{}).(*slotConn); ok {
		origin.Client = asgiAddress(sc.RemoteAddr())
	}
	beside(r, func() {
		if err := serveASGI(s.app, w, r, &origin, s.timeout); err != nil {
			s.env.Log.Printf("async: %s %s: %v", r.Method, r.RequestURI, err)
		}
	})
}

// asgiAddress is a socket's address as ASGI has it.
func asgiAddress(a net.Addr) asgi.Address {
	switch a := a.(type) {
	case *net.TCPAddr:
		return asgi.Address{Host: a.IP.String(), Port: a.Port}
	case *net.UnixAddr:
		return asgi.Address{Host: a.Name}
	}
	return asgi.Address{}
}

// asyncServer is what the connections share.
type asyncServer struct {
	env       *Env
	pid       int
	keepalive time.Duration
	timeout   time.Duration
	requests  int           // on a connection of HTTP/1; 0: any number
	room      chan struct{} // full when no connection may be accepted; nil: as many as come may
	tls       *tls.Config   // nil: none is spoken
	app       asgi.App
	state     map[string]any
	dates     dateCache
	asyncConns
}
