package trace

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"sync"
	"time"
)

// A clock counts from the start of the trace; before that, from when it was
// made.
type clock struct {
	mu   sync.Mutex
	zero time.Time
}

func (c *clock) start() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.zero = time.Now()
	return c.zero
}

func (c *clock) now() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Since(c.zero)
}

// at places another process's wall clock, in nanoseconds, on this one's scale.
func (c *clock) at(wall int64) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Duration(wall - c.zero.UnixNano())
}

// A tap stands between two parties of a chain: it takes the one's connections,
// makes one to the other for each, and passes on what comes, as it comes, half
// closes included. To both it is a connection like any other.
type tap struct {
	clock            *clock
	network, address string // of the party behind it
	listener         net.Listener
	running          sync.WaitGroup

	mu    sync.Mutex
	conns []*tapped
	err   error // why the party behind could not be reached, the first time
}

// A tapped connection is one that goes through a tap.
type tapped struct {
	near, far         net.Conn
	start             time.Time     // From's connection was there
	connect           time.Duration // until To's was
	local             string
	forward, backward recording
	closed            bool
}

// newTap puts a tap before an address. Its own is a Unix socket in dir where
// the party behind has one, so that what is recorded is what would have
// crossed anyhow.
func newTap(c *clock, dir, network, address string, number int) (*tap, error) {
	t := &tap{clock: c, network: network, address: address}
	here := "127.0.0.1:0"
	if network == "unix" {
		here = filepath.Join(dir, fmt.Sprintf("tap%d.sock", number))
	}
	l, err := net.Listen(network, here)
	if err != nil {
		return nil, fmt.Errorf("tap %s: %w", address, err)
	}
	t.listener = l
	t.running.Go(t.accept)
	return t, nil
}

func (t *tap) accept() {
	for {
		near, err := t.listener.Accept()
		if err != nil {
			return // it was closed
		}
		start := time.Now()
		far, err := net.Dial(t.network, t.address)
		if err != nil {
			t.mu.Lock()
			t.err = cmp.Or(t.err, err)
			t.mu.Unlock()
			near.Close()
			continue
		}
		c := &tapped{near: near, far: far, start: start, connect: time.Since(start), local: near.RemoteAddr().String()}
		t.mu.Lock()
		t.conns = append(t.conns, c)
		t.mu.Unlock()
		t.running.Go(func() { t.pass(c) })
	}
}

// pass passes bytes on both ways until both have said that they are done, or
// one is gone.
func (t *tap) pass(c *tapped) {
	var both sync.WaitGroup
	both.Go(func() { t.copy(c.far, c.near, &c.forward) })
	both.Go(func() { t.copy(c.near, c.far, &c.backward) })
	both.Wait()
	c.near.Close()
	c.far.Close()
	t.mu.Lock()
	c.closed = true
	t.mu.Unlock()
}

// copy notes a chunk before it passes it on, so that no answer is noted before
// its request.
func (t *tap) copy(to, from net.Conn, r *recording) {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		r.note(t.clock.now(), buf[:n])
		if n > 0 {
			if _, werr := to.Write(buf[:n]); werr != nil {
				from.Close() // so that the sender learns it too
				return
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			if half, ok := to.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
				return
			}
			to.Close()
			return
		case err != nil: // a reset is passed on as a close
			to.Close()
			from.Close()
			return
		}
	}
}

// forget drops what has crossed so far and the connections that are over:
// what is recorded from now on belongs to the request.
func (t *tap) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	var live []*tapped
	for _, c := range t.conns {
		if !c.closed {
			c.forward.forget()
			c.backward.forget()
			live = append(live, c)
		}
	}
	t.conns = live
}

// size is how much has crossed, for whoever waits for quiet.
func (t *tap) size() (n int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range t.conns {
		n += c.forward.size() + c.backward.size()
	}
	return n
}

// failure says why a connection could not be made.
func (t *tap) failure() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

// close ends all connections.
func (t *tap) close() {
	t.listener.Close()
	t.mu.Lock()
	for _, c := range t.conns {
		c.near.Close()
		c.far.Close()
	}
	t.mu.Unlock()
	t.running.Wait()
}
