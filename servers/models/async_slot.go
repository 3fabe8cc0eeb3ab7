package models

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"sync"

	"gatewaylab/servers/process"
)

// slotListener gives each connection a slot on the scoreboard.
type slotListener struct {
	net.Listener
	board *process.Scoreboard
	pid   int
	room  chan struct{} // full when no more may be accepted; nil: as many as come may
}

func (l slotListener) Accept() (net.Conn, error) {
	if l.room != nil {
		l.room <- struct{}{}
	}
	c, err := l.Listener.Accept()
	if err != nil {
		l.left()
		return nil, err
	}
	half, ok := c.(halfCloser)
	if !ok {
		c.Close()
		l.left()
		return nil, fmt.Errorf("connections of %s can't be half closed: give a TCP or a Unix socket", l.Addr().Network())
	}
	return &slotConn{halfCloser: half, listener: l, board: l.board, pid: l.pid, slot: l.board.Claim(l.pid)}, nil
}

// left makes room for another connection.
func (l slotListener) left() {
	if l.room != nil {
		<-l.room
	}
}

// A halfCloser is a TCP or a Unix connection: net/http says before it closes
// one that nothing more will come, if it can.
type halfCloser interface {
	net.Conn
	CloseWrite() error
}

// A slotConn is a connection with its slot, nil when all were taken.
type slotConn struct {
	halfCloser
	listener slotListener
	board    *process.Scoreboard
	pid      int
	slot     *process.Slot
	early    []byte // was read before net/http got it
	busy     bool

	mu      sync.Mutex // over what follows
	streams int        // HTTP/2 requests in progress
	taken   bool       // one of them has the connection's slot
	closed  bool
}

func (sc *slotConn) Read(p []byte) (int, error) {
	if len(sc.early) > 0 {
		n := copy(p, sc.early)
		sc.early = sc.early[n:]
		return n, nil
	}
	return sc.halfCloser.Read(p)
}

// slotOf finds the slotConn under a connection, nil if there is none.
func slotOf(c net.Conn) *slotConn {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	sc, _ := c.(*slotConn)
	return sc
}

// showState gives a connection's slot back when net/http has done with it. The
// requests on it show themselves: see beside.
func showState(c net.Conn, state http.ConnState) {
	if sc := slotOf(c); sc != nil && state == http.StateClosed {
		sc.release()
	}
}

// setBusy shows a request that is the only one of its connection.
func (sc *slotConn) setBusy(busy bool) {
	if sc.busy == busy {
		return
	}
	sc.busy = busy
	if busy {
		sc.begin(sc.slot)
	} else {
		sc.end(sc.slot)
	}
}

// drop makes the slot idle without counting a request.
func (sc *slotConn) drop() {
	if !sc.busy {
		return
	}
	sc.busy = false
	if sc.slot == nil {
		sc.board.Unslotted(-1)
	}
	sc.slot.Drop()
}

func (sc *slotConn) begin(slot *process.Slot) {
	if slot == nil {
		sc.board.Unslotted(1)
	}
	slot.Busy()
}

func (sc *slotConn) end(slot *process.Slot) {
	if slot == nil {
		sc.board.Unslotted(-1)
	}
	slot.Idle()
}

// release gives the connection's slot back once nothing uses it any more: the
// last requests of an HTTP/2 connection may outlive it.
func (sc *slotConn) release() {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	if sc.closed = true; sc.streams == 0 {
		sc.slot.Release()
	}
	sc.listener.left() // last: whoever comes in then needs a slot
}

type slotKey struct{}

func withSlot(ctx context.Context, c net.Conn) context.Context {
	if sc := slotOf(c); sc != nil {
		return context.WithValue(ctx, slotKey{}, sc)
	}
	return ctx
}

// beside serves one HTTP/2 request. A slot holds one request at a time, so
// the first on a connection has the connection's, and those that are in
// progress beside it have slots of their own for as long as they last.
func beside(r *http.Request, serve func()) {
	sc, ok := r.Context().Value(slotKey{}).(*slotConn)
	if !ok {
		serve()
		return
	}
	sc.mu.Lock()
	sc.streams++
	slot, own := sc.slot, !sc.taken
	sc.taken = true
	sc.mu.Unlock()
	if !own {
		slot = sc.board.Claim(sc.pid)
	}
	sc.begin(slot)
	defer func() {
		sc.end(slot)
		if !own {
			slot.Release()
		}
		sc.mu.Lock()
		defer sc.mu.Unlock()
		if own {
			sc.taken = false
		}
		if sc.streams--; sc.streams == 0 && sc.closed {
			sc.slot.Release()
		}
	}()
	serve()
}
