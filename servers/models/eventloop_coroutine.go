package models

import (
	"iter"
	"os"
	"sync/atomic"
	"time"

	"gatewaylab/servers/app"
)

// A coroutine is a stack for a request to run on. The switch between it and
// the loop is a call of next and a call of yield (package iter), which stay on
// the same thread. It serves one request after another.
type coroutine struct {
	next  func() (struct{}, bool)
	stop  func() // lets go of the stack, when it serves none
	yield func(struct{}) bool
	x     *loopExchange // whose request it runs; nil when that has ended
}

func newCoroutine() *coroutine {
	co := &coroutine{}
	co.next, co.stop = iter.Pull(func(yield func(struct{}) bool) {
		co.yield = yield
		for {
			co.x.result = co.x.run()
			co.x = nil
			if !yield(struct{}{}) {
				return
			}
		}
	})
	return co
}

// What a request waits for.
type waiting uint8

const (
	forNothing waiting = iota // it runs, or isn't there
	forTime
	forDone  // what it has begun
	forInput // from the client
	forFrame // of a WebSocket, which may not come for long
	forRoom  // in the kernel's buffer for what is to be sent
)

// start has the request run until it waits or ends.
func (x *loopExchange) start() {
	l := x.loop
	x.body = x.req.Body(0)
	x.bodyErr, x.invites, x.unread = nil, x.req.Continue, false
	x.resp.Reset(&x.req, !l.leaving && (l.requests == 0 || x.conn.served+1 < l.requests))
	x.resp.Date = l.date
	if last := len(l.stacks) - 1; last >= 0 {
		x.co = l.stacks[last]
		l.stacks = l.stacks[:last]
	} else {
		x.co = newCoroutine()
	}
	x.co.x = x
	x.goOn()
}

// goOn switches to the request's coroutine and comes back when it waits again
// or has ended.
func (x *loopExchange) goOn() {
	co := x.co
	co.next()
	if co.x != nil {
		return
	}
	x.co = nil
	l := x.loop
	if len(l.stacks) < unusedKept {
		l.stacks = append(l.stacks, co)
	} else {
		co.stop()
	}
	x.conn.completed(x.result)
}

// resume ends the wait of the request. It must not be called by a request.
func (x *loopExchange) resume(err error) {
	c := x.conn
	x.woken, x.waiting = err, forNothing
	x.goOn()
	if c.state != serving && c.state != gone {
		c.advance()
	}
}

// suspend waits for what the loop will see, or for the client to go away.
func (x *loopExchange) suspend(what waiting) error {
	c, l := x.conn, x.loop
	if !c.flush() { // what was made before, for others of the connection's requests too
		return app.ErrGone
	}
	if (what == forTime || what == forDone) && c.left() {
		return app.ErrGone
	}
	l.tick()
	switch {
	case what == forInput || what == forRoom || len(x.resp.Bytes()) > 0:
		c.awaits(true)
	case what == forFrame:
		l.set(&c.deadline, l.keepalive)
	}
	x.waiting = what
	x.co.yield(struct{}{})
	x.await, x.alarm.when = nil, 0
	err := x.woken
	x.woken = nil
	if c.state == gone {
		return app.ErrGone
	}
	c.awaits(false)
	c.deadline.when = 0
	return err
}

// ready takes what the kernel says while the request has the connection.
func (x *loopExchange) ready(r readiness) {
	c := x.conn
	if r.out && !c.flush() {
		x.resume(app.ErrGone)
		return
	}
	switch x.waiting {
	case forInput, forFrame:
		if r.in {
			x.resume(nil)
		} else if x.waiting == forFrame && c.since > 0 && len(x.resp.Bytes()) == 0 {
			c.awaits(false)
			x.loop.set(&c.deadline, x.loop.keepalive)
		}
	case forRoom:
		if !c.crowded() {
			x.resume(nil)
		}
	case forTime, forDone:
		if len(x.resp.Bytes()) == 0 {
			c.awaits(false)
		}
		if r.hup && c.left() {
			x.resume(app.ErrGone)
		}
	case forNothing: // can't be: the loop runs, so the request doesn't
	}
}

// stalled is called when the client was waited for too long.
func (x *loopExchange) stalled() {
	if (x.waiting == forInput || x.waiting == forFrame) && len(x.resp.Bytes()) == 0 {
		x.resume(os.ErrDeadlineExceeded)
		return
	}
	x.conn.reset()
	x.resume(app.ErrGone)
}

// leave is called when the server is to stop. A WebSocket is closed when it has
// sent back what it is at.
func (x *loopExchange) leave() {
	if x.waiting == forFrame {
		x.resume(os.ErrDeadlineExceeded)
	}
}

func (x *loopExchange) sleep(d time.Duration) error {
	if x.conn.state == gone {
		return app.ErrGone
	}
	if d <= 0 {
		return nil
	}
	l := x.loop
	l.tick()
	l.set(&x.alarm, d)
	return x.suspend(forTime)
}

// An awaited is something that a request waits for, and whose end any thread
// may tell.
type awaited struct {
	x     *loopExchange
	state atomic.Int32
}

const (
	isBegun int32 = iota
	isWaitedFor
	isDone
)

func (x *loopExchange) awaitDone(begin func(done func())) error {
	w := &awaited{x: x}
	begin(w.done)
	if x.conn.state == gone {
		return app.ErrGone
	}
	x.await = w
	if !w.state.CompareAndSwap(isBegun, isWaitedFor) {
		return nil
	}
	return x.suspend(forDone)
}

func (w *awaited) done() {
	if w.state.Swap(isDone) == isWaitedFor {
		x := w.x
		x.loop.post(func() {
			if x.await == w {
				x.resume(nil)
			}
		})
	}
}

// awaitReady waits for a socket of the request's own, in the loop's poller. It
// is watched for this once: whoever closes it need not tell, and no change can
// be missed in between.
func (x *loopExchange) awaitReady(fd int, write bool, d time.Duration) error {
	l := x.loop
	if x.conn.state == gone {
		return app.ErrGone
	}
	if err := l.poll.once(fd, write); err != nil {
		return err
	}
	l.guests[fd] = x
	l.tick()
	l.set(&x.alarm, d)
	err := x.suspend(forDone)
	if l.guests[fd] == x { // it was not what has ended the wait
		delete(l.guests, fd)
		if err == nil {
			err = os.ErrDeadlineExceeded
		}
	}
	return err
}

func (x *loopExchange) offload(work func()) error {
	return x.awaitDone(func(done func()) {
		x.loop.pool.do(func() {
			work()
			done()
		})
	})
}
