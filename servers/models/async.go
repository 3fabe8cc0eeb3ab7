package models

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"

	"gatewaylab/servers/app"
)

// async serves every connection on a goroutine of its own in one process, as
// net/http does: a request that waits costs a few kilobytes and no worker, so
// as many as come are in progress side by side, on all cores. The connection
// is kept for the next request. Over HTTP/2, which needs no asking on the
// plain port and is chosen by ALPN under TLS, requests of one connection are
// in progress side by side too. A connection to /ws may become a WebSocket.
func async(env *Env) error {
	keepalive := env.Options.Duration("keepalive")
	timeout := env.Options.Duration("timeout")
	backlog := env.Options.Int("backlog")
	secure := env.Options.String("tls") == "on"
	if err := env.Options.Err(); err != nil {
		return fmt.Errorf("async: %w", err)
	}
	if err := setBacklog(env.Listener, backlog); err != nil {
		return fmt.Errorf("async: %w", err)
	}
	var config *tls.Config
	if secure {
		var err error
		if config, err = selfSigned(); err != nil {
			return fmt.Errorf("async: %w", err)
		}
	}
	env.Board.SetWorkers(0)
	a := app.New()
	sockets := &sockets{idle: keepalive, stall: timeout}
	f := &front{
		Server: http.Server{
			Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch {
				case r.ProtoMajor == 2:
					beside(r, func() { serveApp(a, w, r, timeout) })
				case wantsSocket(r):
					sockets.serve(w, r)
				default:
					serveApp(a, w, r, timeout)
				}
			}),
			Protocols:         spoken(),
			ReadHeaderTimeout: timeout,
			IdleTimeout:       keepalive,
			MaxHeaderBytes:    maxHead,
			ConnState:         showState,
			ConnContext:       withSlot,
		},
		wrap: func(ln net.Listener) net.Listener {
			ln = slotListener{ln, env.Board, os.Getpid()}
			if secure {
				ln = tls.NewListener(ln, config)
			}
			return ln
		},
		drain: sockets.drain,
		abort: sockets.cut,
	}
	f.RegisterOnShutdown(sockets.goAway)
	return f.run(env)
}

func spoken() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(true)
	p.SetHTTP2(true)
	p.SetUnencryptedHTTP2(true)
	return p
}
