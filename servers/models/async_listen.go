package models

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"gatewaylab/servers/wire/http1"
)

// asyncConns are the connections of a server that net/http doesn't have.
type asyncConns struct {
	open    sync.WaitGroup
	leaving atomic.Bool
	mu      sync.Mutex
	all     map[*asyncConn]struct{}
	buffers sync.Pool // of *[]byte, for messages of WebSockets
}

// enter counts one more, unless all are to be closed.
func (cs *asyncConns) enter(c *asyncConn) bool {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.all == nil {
		return false
	}
	cs.all[c] = struct{}{}
	cs.open.Add(1)
	return true
}

func (cs *asyncConns) leave(c *asyncConn) {
	cs.mu.Lock()
	delete(cs.all, c)
	cs.mu.Unlock()
	cs.open.Done()
}

// goAway has all of them closed, each when it has finished what it is at.
func (cs *asyncConns) goAway() {
	cs.leaving.Store(true)
	cs.mu.Lock()
	defer cs.mu.Unlock()
	for c := range cs.all {
		c.mu.Lock()
		if c.waiting {
			_ = c.SetReadDeadline(c.wakeBy()) // if that fails, the connection is gone
		}
		c.mu.Unlock()
	}
}

// drain returns when none is left.
func (cs *asyncConns) drain() {
	cs.goAway()
	cs.open.Wait()
}

// cut ends all at once.
func (cs *asyncConns) cut() {
	cs.leaving.Store(true)
	cs.mu.Lock()
	defer cs.mu.Unlock()
	for c := range cs.all {
		_ = c.Conn.Close()
	}
	cs.all = nil
}

// listen serves the listener's connections and returns one that net/http may
// serve: it has those on which HTTP/2 is spoken.
func (s *asyncServer) listen(ln net.Listener) net.Listener {
	l := &http2Listener{
		Listener: slotListener{ln, s.env.Board, s.pid, s.room},
		conns:    make(chan net.Conn), failed: make(chan error, 1), closed: make(chan struct{}),
	}
	go s.accept(l)
	return l
}

// An http2Listener accepts what others have accepted before.
type http2Listener struct {
	net.Listener
	conns  chan net.Conn
	failed chan error
	once   sync.Once
	closed chan struct{}
}

func (l *http2Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case err := <-l.failed:
		return nil, err
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *http2Listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// give hands a connection to net/http, or closes it if that has ended.
func (l *http2Listener) give(c net.Conn, sc *slotConn) {
	select {
	case l.conns <- c:
	case <-l.closed:
		c.Close()
		sc.release()
	}
}

// accept serves connections until the listener is closed.
func (s *asyncServer) accept(l *http2Listener) {
	pause := time.Duration(0)
	for {
		conn, err := l.Listener.Accept()
		var temporary interface{ Temporary() bool }
		switch {
		case err == nil:
			pause = 0
			c := newAsyncConn(s, conn)
			if !s.enter(c) {
				c.drop()
				return
			}
			go c.serve(l)
		case errors.Is(err, net.ErrClosed):
			return
		case errors.As(err, &temporary) && temporary.Temporary(): // no descriptor left, or a client that has gone already
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			s.env.Log.Printf("async: accept: %v; once more in %v", err, pause)
			time.Sleep(pause)
		default:
			l.failed <- err
			return
		}
	}
}

// A dateCache writes the value of a Date field once a second.
type dateCache struct{ last atomic.Pointer[date] }

type date struct {
	second int64
	text   string
}

func (d *dateCache) at(t time.Time) string {
	last := d.last.Load()
	if now := t.Unix(); last == nil || last.second != now {
		last = &date{now, t.UTC().Format(http1.TimeFormat)}
		d.last.Store(last)
	}
	return last.text
}
