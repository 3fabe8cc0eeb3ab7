package models

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"gatewaylab/servers/app"
	"gatewaylab/servers/wire/http1"
)

// The protocols that instances speak, as the lab's table of models has them.
const (
	wireHTTP    = "HTTP"
	wireFastCGI = "FastCGI"
	wireSCGI    = "SCGI"
	wireUWSGI   = "uwsgi"
)

// A back is one instance of the model, as the front sees it.
type back struct {
	p                *proxy
	number           int
	network, address string

	active atomic.Int64  // requests that it has, or that wait for it
	places chan struct{} // one for each that it may have at a time; nil = as many as come

	// exchange sends a request and returns the head of the answer.
	exchange func(context.Context, *outbound) (*inbound, error)
	idle     *idleConns // of HTTP
	gateway  gateway    // of the others

	fails atomic.Int64 // connections in a row that could not be made
	until atomic.Int64 // Unix nanoseconds up to which it is left alone
}

func newBack(p *proxy, number int, network, address string) (*back, error) {
	b := &back{p: p, number: number, network: network, address: address}
	if p.perInstance > 0 {
		b.places = make(chan struct{}, p.perInstance)
	}
	if p.wire == wireHTTP {
		b.idle = &idleConns{max: p.keepalive}
		b.exchange = b.exchangeHTTP
		return b, nil
	}
	var err error
	if b.gateway, err = newGateway(p, b.connect); err != nil {
		return nil, err
	}
	b.exchange = b.exchangeCGI
	return b, nil
}

// A connectError is a connection that could not be made: the request has not
// left, so another instance may have it.
type connectError struct{ error }

func (e *connectError) Unwrap() error { return e.error }

// backlogPause is how long the front waits before it tries a full listen queue
// again: a Unix socket doesn't wait by itself, as TCP does.
const backlogPause = 5 * time.Millisecond

// connect makes a connection, in ConnectTimeout.
func (b *back) connect(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, b.p.connectTimeout)
	defer cancel()
	var dialer net.Dialer
	for {
		conn, err := dialer.DialContext(ctx, b.network, b.address)
		if err == nil {
			return &timedConn{Conn: conn, read: b.p.readTimeout, write: b.p.send}, nil
		}
		if errors.Is(err, syscall.EAGAIN) && ctx.Err() == nil {
			select {
			case <-time.After(backlogPause):
				continue
			case <-ctx.Done():
			}
		}
		return nil, &connectError{fmt.Errorf("connect to instance %d: %w", b.number+1, err)}
	}
}

// A timedConn gives every read and every write its time, until somebody sets a
// deadline that is to hold.
type timedConn struct {
	net.Conn
	read, write time.Duration

	mu    sync.Mutex
	fixed bool
}

func (c *timedConn) Read(p []byte) (int, error) {
	c.mu.Lock()
	if !c.fixed {
		_ = c.Conn.SetReadDeadline(time.Now().Add(c.read)) // a closed connection tells with the read
	}
	c.mu.Unlock()
	return c.Conn.Read(p)
}

func (c *timedConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	if !c.fixed {
		_ = c.Conn.SetWriteDeadline(time.Now().Add(c.write)) // a closed connection tells with the write
	}
	c.mu.Unlock()
	return c.Conn.Write(p)
}

// SetDeadline has a deadline hold; the zero time lets go of it.
func (c *timedConn) SetDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fixed = !t.IsZero()
	return c.Conn.SetDeadline(t)
}

// NetConn is the connection itself.
func (c *timedConn) NetConn() net.Conn { return c.Conn }

// CloseWrite says that nothing more will come.
func (c *timedConn) CloseWrite() error {
	half, ok := c.Conn.(halfCloser)
	if !ok {
		return nil
	}
	return half.CloseWrite()
}

// failed notes a connection that could not be made. After several in a row the
// instance is left alone for a while.
func (b *back) failed() {
	if n := b.fails.Add(1); b.p.maxFails > 0 && n >= int64(b.p.maxFails) {
		if b.until.Swap(time.Now().Add(b.p.failTimeout).UnixNano()) == 0 {
			b.p.env.Log.Printf("front: instance %d of %s can't be reached %d times in a row; leaving it alone for %v", b.number+1, b.p.model, n, b.p.failTimeout)
		}
	}
}

// works notes that the instance has answered.
func (b *back) works() {
	if b.fails.Load() != 0 {
		b.fails.Store(0)
	}
	if b.until.Load() != 0 && b.until.Swap(0) != 0 {
		b.p.env.Log.Printf("front: instance %d of %s answers again", b.number+1, b.p.model)
	}
}

func (b *back) healthy(now time.Time) bool {
	until := b.until.Load()
	return until == 0 || now.UnixNano() >= until
}

// backs are all instances and how the work is shared out among them.
type backs struct {
	balance string
	all     []*back
	next    atomic.Uint64 // whose turn it is
}

func newBacks(s frontSettings, all []*back) *backs { return &backs{balance: s.balance, all: all} }

// choose picks the instance for a request among those that work and were not
// tried for it yet; if there are none, among those that may work.
//
// Random and round-robin look at nothing else. Least-connections takes the one
// with the fewest requests in progress, and of several such the one whose turn
// it is. There is one listener to choose if all instances share it.
func (bs *backs) choose(tried map[*back]bool) *back {
	if len(bs.all) == 1 {
		return bs.all[0]
	}
	now := time.Now()
	fit := make([]*back, 0, len(bs.all))
	for _, b := range bs.all {
		if !tried[b] && b.healthy(now) {
			fit = append(fit, b)
		}
	}
	if len(fit) == 0 {
		for _, b := range bs.all {
			if !tried[b] {
				fit = append(fit, b)
			}
		}
	}
	switch bs.balance {
	case "random":
		return fit[rand.IntN(len(fit))]
	case "least-connections":
		first := int(bs.next.Add(1) % uint64(len(fit)))
		least := fit[first]
		for i := range fit {
			if b := fit[(first+i)%len(fit)]; b.active.Load() < least.active.Load() {
				least = b
			}
		}
		return least
	}
	return fit[(bs.next.Add(1)-1)%uint64(len(fit))]
}

// watch asks each instance every now and then whether it works, so that one
// that doesn't is known before a client's request finds out.
func (bs *backs) watch(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		var asked sync.WaitGroup
		for _, b := range bs.all {
			asked.Go(func() { b.check(ctx, every) })
		}
		asked.Wait()
	}
}

// check asks for /hello. Any answer but a server error will do.
func (b *back) check(ctx context.Context, patience time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, max(patience, time.Second))
	defer cancel()
	in, err := b.exchange(ctx, &outbound{
		req:  &http1.Request{Method: "HEAD", Target: "/hello", Path: "/hello", Host: "health.check", Minor: 1},
		path: "/hello", fields: []app.Field{}, body: &frontBody{size: -1}, remote: "127.0.0.1:0", local: "127.0.0.1:80",
	})
	if err == nil {
		in.done()
		if in.status < 500 {
			b.works()
			return
		}
	}
	if ctx.Err() == nil || errors.Is(ctx.Err(), context.DeadlineExceeded) {
		b.fails.Store(int64(b.p.maxFails)) // one is enough: it was asked for nothing but this
		b.failed()
	}
}

// close closes what is idle.
func (bs *backs) close() {
	for _, b := range bs.all {
		if b.idle != nil {
			b.idle.close()
		}
		if b.gateway != nil {
			b.gateway.Close()
		}
	}
}
