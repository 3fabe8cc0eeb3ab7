package models

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"gatewaylab/servers/process"
	"gatewaylab/servers/wire"
)

// A keeper is a FastCGI worker that serves one request at a time and keeps any
// number of connections meanwhile. It waits for all of them and for new ones,
// and serves whichever has something to say: a gateway that keeps a connection
// and asks nothing holds nobody.
//
// What would be lost by it is that a request waits for its connection's worker
// while others have nothing to do. So a worker whose own request takes long
// gives the connections on which something comes away; see relay.
type keeper struct {
	conn      *gatewayConn // the one that is served
	responder responder
	poll      *poller
	relay     *relay
	listener  int
	listening bool
	ushered   bool          // new connections come out of the relay, too
	stays     bool          // the connection that is served is to be kept
	now       time.Time     // when the last wait or service ended
	shared    time.Time     // when one of many was given away last
	turns     atomic.Uint64 // waits that have ended
	answered  atomic.Uint64 // services of a connection, most of one request
	busy      atomic.Int64  // ns that they took

	mu      sync.Mutex
	kept    map[int]keptConn // by descriptor; without the one that is served
	serving bool
}

// A keptConn is a connection that waits for its gateway.
type keptConn struct {
	fd     int
	served bool // some request was, on it
	known  bool // the pollers watch it
	turn   uint64
	since  time.Time
}

// noListener is a descriptor that no poller reports.
const noListener = -1

const (
	// crowd is how many connections of one worker that are ready at the same
	// time are more than its share; it then gives one away each shareInterval.
	crowd         = 4
	shareInterval = 5 * time.Millisecond
)

func fastcgiWork(env *Env) error {
	workers, buffer := env.Options.Int("workers"), env.Options.Int("buffer")
	conn, call, err := newGatewayConn(env, cgiStatus)
	if err != nil {
		return fmt.Errorf("%w: %w", process.ErrBoot, err)
	}
	k := &keeper{conn: conn, kept: map[int]keptConn{}, listener: noListener, ushered: env.Options.Int("queue") > 0}
	k.responder = wire.NewFastCGIResponder(call.serve, wire.ServeOptions{MaxVars: buffer, Phase: conn.enter, MaxConns: workers, MaxReqs: workers, Stay: k.stay})
	if err := errors.Join(env.Options.Err(), k.prepare()); err != nil {
		return fmt.Errorf("%w: %w", process.ErrBoot, err)
	}
	conn.worker.ready()
	defer conn.worker.release()
	return k.run()
}

// prepare opens what the worker waits with.
func (k *keeper) prepare() (err error) {
	if !k.ushered {
		// Another worker may take the connection that this one is told of.
		if err := onSocket(k.conn.worker.env.Listener, "make accept non-blocking", func(fd int) error {
			k.listener = fd
			return unix.SetNonblock(fd, true)
		}); err != nil {
			return err
		}
	}
	if k.poll, err = newPoller(); err != nil {
		return err
	}
	if k.relay, err = newRelay(k); err != nil {
		return err
	}
	return k.poll.watchShared(relayTake)
}

// run serves until the worker is to leave.
func (k *keeper) run() error {
	w := k.conn.worker
	beat := beatInterval(w.timeout)
	swept := time.Now()
	for w.left.Load() != 0 && !w.accept.leaving.Load() {
		k.listen()
		if err := k.turn(beat); err != nil {
			return err
		}
		if k.now.Sub(swept) >= beat {
			swept = k.now
			k.sweep()
			if os.Getppid() != w.parent {
				return errAlone
			}
		}
	}
	return k.leave()
}

// listen takes new connections into account while there is room for them.
func (k *keeper) listen() {
	room := len(k.kept) < maxGateways // nobody else adds to them
	if room == k.listening || k.ushered {
		return
	}
	err := error(nil)
	if room {
		err = k.poll.watchShared(k.listener)
	} else {
		err = k.poll.forget(k.listener)
	}
	if err != nil {
		k.conn.worker.env.Log.Printf("watch the listener: %v", err)
		return
	}
	k.listening = room
}

// turn waits, and serves each connection that is ready once.
func (k *keeper) turn(patience time.Duration) error {
	w := k.conn.worker
	ready, err := w.accept.wait(k.poll, patience)
	if err != nil {
		return fmt.Errorf("wait for gateways: %w", err)
	}
	k.now = time.Now()
	turn := k.turns.Add(1)
	w.live()
	if len(ready) > crowd && k.now.Sub(k.shared) > shareInterval {
		k.shared = k.now
		k.relay.giveOne(ready[len(ready)-1].fd)
	}
	for _, r := range ready {
		switch r.fd {
		case k.listener:
			k.accept()
		case relayTake:
			if c, ok := receive(k.conn.worker.env.Board); ok {
				k.fresh(c)
			}
		default:
			if c, ok := k.pick(r.fd, turn); ok {
				k.serve(c)
			}
		}
		if w.left.Load() == 0 {
			return nil
		}
	}
	return nil
}

// accept takes a new connection.
func (k *keeper) accept() {
	fd, _, err := k.conn.worker.accept.next()
	switch {
	case err == nil:
		k.fresh(keptConn{fd: fd})
	case errors.Is(err, errNobody), errors.Is(err, errLeaving):
	default:
		k.conn.worker.failed(err)
	}
}

// fresh serves a connection that is the worker's from now on, if its gateway
// has asked something already.
func (k *keeper) fresh(c keptConn) {
	k.mu.Lock()
	k.serving = true
	k.mu.Unlock()
	k.conn.fd = c.fd
	if k.conn.Ready() {
		k.serve(c)
		return
	}
	k.keep(c)
}

// pick takes a connection that is ready out of those that are kept. It may have
// been given away since, and its descriptor be another connection's.
func (k *keeper) pick(fd int, turn uint64) (keptConn, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	c, ok := k.kept[fd]
	if !ok || c.turn == turn {
		return c, false
	}
	delete(k.kept, fd)
	k.serving = true
	return c, true
}

// serve serves a connection until nothing more has come on it.
func (k *keeper) serve(c keptConn) {
	k.relay.wake()
	g := k.conn
	g.open(c.fd, netip.AddrPort{})
	g.served, g.phase, g.held, k.stays = c.served, wire.Waiting, false, false
	unread, err := k.responder.Serve(g)
	now := time.Now()
	k.busy.Add(int64(now.Sub(k.now)))
	k.answered.Add(1)
	k.now = now
	if k.stays {
		c.served = true
		k.keep(c)
		return
	}
	g.settle(unread, err)
	k.mu.Lock()
	k.serving = false
	k.mu.Unlock()
}

// stay is asked whether to wait for the next request: not on the spot.
func (k *keeper) stay() bool {
	k.stays = !k.conn.leaving.Load()
	return false
}

// keep has a connection wait for its gateway.
func (k *keeper) keep(c keptConn) {
	c.turn, c.since = k.turns.Load(), k.now
	if !c.known {
		c.known = true
		if err := errors.Join(k.poll.watch(c.fd), k.relay.poll.notice(c.fd)); err != nil {
			k.conn.worker.env.Log.Printf("keep a connection: %v", err)
			unix.Close(c.fd)
			return
		}
	}
	k.mu.Lock()
	k.serving = false
	k.kept[c.fd] = c
	k.mu.Unlock()
}

// forget has the pollers forget a connection, which somebody else may have open.
func (k *keeper) forget(fd int) error {
	return errors.Join(k.poll.forget(fd), k.relay.poll.forget(fd))
}

// sweep closes connections on which nothing has come for too long.
func (k *keeper) sweep() {
	if k.conn.stall <= 0 {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for fd, c := range k.kept {
		if k.now.Sub(c.since) > k.conn.stall {
			delete(k.kept, fd)
			unix.Close(fd)
		}
	}
}

// leave serves what has come. After its last request the worker leaves its
// connections to the others; told to leave, for all may be, it closes them.
func (k *keeper) leave() error {
	if k.conn.worker.left.Load() == 0 {
		k.relay.giveAll()
	} else if err := k.turn(0); err != nil {
		return err
	}
	for k.ushered && k.conn.worker.left.Load() != 0 {
		c, ok := receive(k.conn.worker.env.Board)
		if !ok {
			break
		}
		k.fresh(c)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for fd := range k.kept {
		unix.Close(fd)
	}
	clear(k.kept)
	return nil
}
