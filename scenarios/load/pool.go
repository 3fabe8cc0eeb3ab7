package load

import "sync"

// A pool knows every open connection, and which of them are idle.
type pool struct {
	mu     sync.Mutex
	idle   map[string][]*conn // by address; the last used is used next
	open   map[*conn]struct{}
	closed bool
}

// get returns the idle connection that was used last, or nil. The warmest one
// is the least likely to have died, and what a low rate needs stays few.
func (p *pool) get(addr string) *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	stack := p.idle[addr]
	if len(stack) == 0 {
		return nil
	}
	c := stack[len(stack)-1]
	stack[len(stack)-1] = nil
	p.idle[addr] = stack[:len(stack)-1]
	return c
}

// put takes back a connection. False: the pool is closed.
func (p *pool) put(c *conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.idle[c.addr] = append(p.idle[c.addr], c)
	return true
}

// add takes charge of a new connection. False: the pool is closed.
func (p *pool) add(c *conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	if p.open == nil {
		p.idle, p.open = make(map[string][]*conn), make(map[*conn]struct{})
	}
	p.open[c] = struct{}{}
	return true
}

// remove forgets a connection that is in use.
func (p *pool) remove(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, c)
}

// takeIdle returns all idle connections and forgets them.
func (p *pool) takeIdle() (all []*conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for addr, stack := range p.idle {
		for _, c := range stack {
			delete(p.open, c)
		}
		all = append(all, stack...)
		delete(p.idle, addr)
	}
	return all
}

// cut closes every connection, whatever it is doing, and takes no new ones.
// Who uses one notices, and removes it.
func (p *pool) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for c := range p.open {
		_ = c.nc.Close()
	}
}

// size returns how many connections are open.
func (p *pool) size() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.open)
}
