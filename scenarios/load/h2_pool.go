package load

import (
	"context"
	"net/http"
	"sync"
)

// An h2Pool decides over which connection a request goes: over the one used
// last that has room for another stream, else over a new one. Requests that
// come while a connection is being made wait for it, as long as there will be
// room for them.
type h2Pool struct {
	streams       int // under way on a connection; 0 = as many as the server allows
	perConnection int // streams altogether; 0 = no limit

	mu     sync.Mutex
	allows int                  // what the server last said; 0 = nothing yet
	spare  map[string][]*h2Conn // by address; those with room, the last used last
	open   map[*h2Conn]struct{}
	closed bool
}

// beforeSettings is how many streams net/http takes a server to allow that
// hasn't said yet. One that allows fewer refuses the others; see h2.attempt.
const beforeSettings = 100

// An h2Conn is a connection, perhaps still in the making.
type h2Conn struct {
	addr  string
	ready chan struct{} // closed when one of the next two is set
	cc    *http.ClientConn
	err   error

	// Under the pool's mu:
	up       bool // ready, without an error
	known    bool // what the server allows is
	inFlight int
	taken    int  // streams altogether
	full     bool // more so than we know: by the server's limit, or for good
	spare    bool // among the pool's spare ones
}

// take returns a connection that has room for one more stream, which it then
// has. opened: it was made for this.
func (c *h2) take(ctx context.Context, addr string) (hc *h2Conn, opened bool, err error) {
	for {
		if hc, opened = c.pool.find(addr); hc == nil {
			return nil, false, errCut
		}
		if opened {
			c.connect(ctx, hc)
		}
		select {
		case <-hc.ready:
		case <-ctx.Done():
			c.pool.release(hc, false)
			return nil, false, ctx.Err()
		}
		switch {
		case hc.err == nil && (hc.cc.Reserve() == nil || opened): // if the new one is unusable, the request's error says why
			return hc, opened, nil
		case hc.err == nil:
			c.pool.fill(hc)
		case opened, kindOf(hc.err) != KindTimeout, ctx.Err() != nil:
			c.pool.release(hc, false)
			return nil, false, hc.err
		}
		// Else the one who made the connection was out of time, and we aren't.
		c.pool.release(hc, false)
	}
}

// connect makes the connection.
func (c *h2) connect(ctx context.Context, hc *h2Conn) {
	hc.cc, hc.err = c.transport.NewClientConn(ctx, c.scheme, hc.addr)
	c.pool.connected(hc)
	close(hc.ready)
}

// find takes room on a connection. made: on a new one, which is to be
// connected. It returns nil if the pool is closed.
func (p *h2Pool) find(addr string) (hc *h2Conn, made bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, false
	}
	if stack := p.spare[addr]; len(stack) > 0 {
		hc = stack[len(stack)-1]
	} else {
		if p.open == nil {
			p.spare, p.open = make(map[string][]*h2Conn), make(map[*h2Conn]struct{})
		}
		hc, made = &h2Conn{addr: addr, ready: make(chan struct{})}, true
		p.open[hc] = struct{}{}
	}
	hc.inFlight++
	hc.taken++
	p.sort(hc)
	return hc, made
}

// sort puts a connection among the spare ones, or takes it out, as is right.
func (p *h2Pool) sort(hc *h2Conn) {
	if _, open := p.open[hc]; hc.spare == (open && p.room(hc)) {
		return
	}
	stack := p.spare[hc.addr]
	if hc.spare = !hc.spare; hc.spare {
		p.spare[hc.addr] = append(stack, hc)
		return
	}
	for i := len(stack) - 1; i >= 0; i-- { // nearly always the last
		if stack[i] == hc {
			copy(stack[i:], stack[i+1:])
			stack[len(stack)-1] = nil
			p.spare[hc.addr] = stack[:len(stack)-1]
			return
		}
	}
}

func (p *h2Pool) room(hc *h2Conn) bool {
	most := beforeSettings
	if p.allows > 0 {
		most = p.allows
	}
	switch {
	case hc.full, p.perConnection > 0 && hc.taken >= p.perConnection:
		return false
	case p.streams > 0 && hc.inFlight >= p.streams:
		return false
	}
	return hc.known || hc.inFlight < most
}

// knows says whether it is known how many streams a connection's server
// allows.
func (p *h2Pool) knows(hc *h2Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return hc.known
}

// answered notes that the server has sent something on a connection. What it
// allows comes before all else.
func (p *h2Pool) answered(hc *h2Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !hc.known {
		hc.known, p.allows = true, hc.cc.Available()+hc.cc.InFlight()
		p.sort(hc)
	}
}

// connected notes what became of a new connection.
func (p *h2Pool) connected(hc *h2Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case hc.err != nil:
		delete(p.open, hc)
	case p.closed:
		_ = hc.cc.Close()
		hc.cc, hc.err = nil, errCut
		delete(p.open, hc)
	default:
		hc.up = true
	}
	p.sort(hc)
}

// fill notes that a connection takes no more for now.
func (p *h2Pool) fill(hc *h2Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	hc.full = true
	p.sort(hc)
}

// release gives back what find took. served: a stream has ended, so that there
// may be room on a connection that had none.
func (p *h2Pool) release(hc *h2Conn, served bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	hc.inFlight--
	if served {
		hc.full = false
	} else {
		hc.taken--
	}
	last := p.perConnection > 0 && hc.taken >= p.perConnection
	if hc.up && (hc.cc.Err() != nil || hc.inFlight == 0 && (last || hc.full)) {
		// Over, worn out, or told to go: a server that allows no stream at all
		// has none to wait for.
		if _, open := p.open[hc]; open && hc.inFlight == 0 {
			_ = hc.cc.Close()
		}
		delete(p.open, hc)
	}
	p.sort(hc)
}

// close cuts every connection, and has no new ones made.
func (p *h2Pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for hc := range p.open {
		if hc.up {
			_ = hc.cc.Close()
		}
	}
	p.open, p.spare = nil, nil
}

// size is how many connections there are.
func (p *h2Pool) size() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.open)
}
