package models

import (
	"fmt"
	"net"
	"net/http"
	"os"

	"gatewaylab/servers/app"
	"gatewaylab/servers/process"
)

// async serves every connection on a goroutine of its own in one process, as
// net/http does: a request that waits costs a few kilobytes and no worker, so
// as many as come are in progress side by side, on all cores. The connection
// is kept for the next request.
func async(env *Env) error {
	keepalive := env.Options.Duration("keepalive")
	timeout := env.Options.Duration("timeout")
	backlog := env.Options.Int("backlog")
	if err := env.Options.Err(); err != nil {
		return fmt.Errorf("async: %w", err)
	}
	if err := setBacklog(env.Listener, backlog); err != nil {
		return fmt.Errorf("async: %w", err)
	}
	env.Board.SetWorkers(0)
	a := app.New()
	f := &front{
		Server: http.Server{
			Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				serveApp(a, w, r, timeout)
			}),
			ReadHeaderTimeout: timeout,
			IdleTimeout:       keepalive,
			MaxHeaderBytes:    maxHead,
			ConnState:         showState,
		},
		wrap: func(ln net.Listener) net.Listener {
			return slotListener{ln, env.Board, os.Getpid()}
		},
	}
	return f.run(env)
}

// slotListener gives each connection a slot on the scoreboard.
type slotListener struct {
	net.Listener
	board *process.Scoreboard
	pid   int
}

func (l slotListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return c, nil // not shown on the board, but served
	}
	return &slotConn{TCPConn: tcp, board: l.board, slot: l.board.Claim(l.pid)}, nil
}

// A slotConn is a connection with its slot, nil when all were taken. The
// embedded type is the concrete one so that net/http still finds its ReadFrom.
type slotConn struct {
	*net.TCPConn
	board *process.Scoreboard
	slot  *process.Slot
	busy  bool
}

// showState keeps a connection's slot up to date. net/http calls it in turn
// for any one connection.
func showState(c net.Conn, state http.ConnState) {
	sc, ok := c.(*slotConn)
	if !ok {
		return
	}
	switch state {
	case http.StateActive:
		sc.setBusy(true)
	case http.StateIdle:
		sc.setBusy(false)
	case http.StateClosed, http.StateHijacked:
		sc.setBusy(false)
		sc.slot.Release()
	}
}

func (sc *slotConn) setBusy(busy bool) {
	if sc.busy == busy {
		return
	}
	sc.busy = busy
	switch {
	case sc.slot == nil && busy:
		sc.board.Unslotted(1)
	case sc.slot == nil:
		sc.board.Unslotted(-1)
	case busy:
		sc.slot.Busy()
	default:
		sc.slot.Idle()
	}
}
