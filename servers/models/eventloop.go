package models

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"gatewaylab/servers/app"
	"gatewaylab/servers/iface/asgi"
	"gatewaylab/servers/trace/recorder"
	"gatewaylab/servers/wire/http1"
)

// eventloop serves all connections on one thread, as Node.js, asyncio and
// nginx's workers do: it asks the kernel which sockets are ready (epoll(7),
// kqueue(2)), does for each what can be done without waiting, and asks again.
// A request is a coroutine on that thread. One that waits is suspended, and
// costs some kilobytes; one that computes, or blocks in a call that knows
// nothing of the loop, stops all others for as long as that takes, unless
// there is a pool to hand such work to.
func eventloop(env *Env) error {
	o := env.Options
	l := &loop{
		env:       env,
		app:       recorder.ASGI(asgi.Application(app.New())),
		pid:       os.Getpid(),
		keepalive: o.Duration("keepalive"),
		timeout:   o.Duration("timeout"),
		limit:     o.Int("connections"),
		requests:  o.Int("keepalive_requests"),
		readSize:  o.Int("read_buffer"),
		writeSize: o.Int("write_buffer"),
		guests:    map[int]*loopExchange{},
	}
	backlog, threads := o.Int("backlog"), o.Int("pool")
	if err := o.Err(); err != nil {
		return fmt.Errorf("eventloop: %w", err)
	}
	// With one P the application's code has one thread, whatever the runtime
	// does with those that are in the kernel. A pool's threads are to compute
	// beside the loop, so they get some too.
	runtime.GOMAXPROCS(1 + min(threads, runtime.NumCPU()))
	runtime.LockOSThread()
	if err := l.listen(backlog); err != nil {
		return fmt.Errorf("eventloop: %w", err)
	}
	if threads > 0 {
		l.pool = newPool(threads)
	}
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
	go l.heed(signals)
	env.Board.SetWorkers(0)
	if err := l.lifespan.Start(context.Background(), l.app); err != nil {
		return fmt.Errorf("eventloop: %w", err)
	}
	if err := l.run(); err != nil {
		return fmt.Errorf("eventloop: %w", err)
	}
	if err := l.lifespan.Stop(); err != nil {
		return fmt.Errorf("eventloop: %w", err)
	}
	return nil
}

// A loop is the whole server. All of it but post belongs to its thread.
type loop struct {
	env      *Env
	app      asgi.App
	lifespan asgi.Lifespan
	server   asgi.Address
	pool     *pool
	pid      int

	keepalive, timeout  time.Duration
	limit, requests     int
	readSize, writeSize int

	poll     *poller
	listener int // < 0: closed
	paused   bool
	resumes  timer // accepts again

	now    time.Duration // since begun, read once a round
	begun  time.Time
	second int64
	date   string // of this second
	timers timers

	conns   []*loopConn           // by descriptor
	guests  map[int]*loopExchange // by the descriptor of their own that they wait for
	open    int
	turns   []*loopConn // have more to do than was their turn
	leaving bool

	exchanges []*loopExchange // unused
	stacks    []*coroutine    // unused

	posted   []func() // under mu
	spare    []func()
	mu       sync.Mutex
	sleeping atomic.Bool // in the poller, or about to be
	wake     [2]int      // a pipe

	waste   [16 << 10]byte // what nobody reads
	buffers sync.Pool      // of *[]byte: the messages of WebSockets
}

func (l *loop) listen(backlog int) error {
	if err := setBacklog(l.env.Listener, backlog); err != nil {
		return err
	}
	if err := onSocket(l.env.Listener, "prepare", func(fd int) (err error) {
		l.listener, err = prepareLoopListener(fd)
		return err
	}); err != nil {
		return err
	}
	if name, err := unix.Getsockname(l.listener); err == nil {
		l.server = socketAddress(name)
	}
	l.env.Listener.Close() // l.listener is a duplicate, and the port must close when it does
	var err error
	if l.wake, err = loopPipe(); err != nil {
		return err
	}
	if l.poll, err = newPoller(); err != nil {
		return err
	}
	l.resumes.fire = func() { l.pause(false) }
	l.begun = time.Now()
	l.tick()
	if err := l.poll.watch(l.listener); err != nil {
		return err
	}
	return l.poll.watch(l.wake[0])
}

// heed is on a thread of its own, since the loop's may be busy for long: a
// stop at once must not wait for it.
func (l *loop) heed(signals <-chan os.Signal) {
	for {
		select {
		case s := <-signals:
			if s != syscall.SIGTERM {
				os.Exit(0)
			}
			l.post(l.leave)
		case <-l.env.Orphaned:
			os.Exit(0)
		}
	}
}

// run goes round and round until the loop has been told to stop and nothing is
// left to be served.
func (l *loop) run() error {
	for !l.leaving || l.open > 0 {
		ready, err := l.await()
		if err != nil {
			return err
		}
		l.tick()
		for i := range ready {
			l.handle(ready[i])
		}
		l.runPosted()
		l.expire()
		turns := l.turns
		l.turns = nil
		for _, c := range turns {
			c.queued = false
			c.advance()
		}
	}
	return nil
}

// await asks the kernel what is ready. It waits only if there is nothing else
// to do.
func (l *loop) await() ([]readiness, error) {
	l.sleeping.Store(true)
	defer l.sleeping.Store(false)
	l.mu.Lock()
	busy := len(l.posted) > 0
	l.mu.Unlock()
	patience := l.untilTimer()
	if busy || len(l.turns) > 0 {
		patience = 0
	}
	return l.poll.wait(patience)
}

// tick reads the clock.
func (l *loop) tick() {
	now := time.Now()
	l.now = now.Sub(l.begun)
	if s := now.Unix(); s != l.second {
		l.second, l.date = s, now.UTC().Format(http1.TimeFormat)
	}
}

func (l *loop) handle(r readiness) {
	switch r.fd {
	case l.listener:
		l.accept()
	case l.wake[0]:
		drainPipe(l.wake[0])
	default:
		if r.fd < len(l.conns) && l.conns[r.fd] != nil {
			l.conns[r.fd].ready(r)
		} else if x := l.guests[r.fd]; x != nil {
			delete(l.guests, r.fd)
			x.resume(nil)
		}
	}
}

// post has the loop call f, soon. Any thread may call it.
func (l *loop) post(f func()) {
	l.mu.Lock()
	l.posted = append(l.posted, f)
	l.mu.Unlock()
	if l.sleeping.CompareAndSwap(true, false) {
		wakePipe(l.wake[1])
	}
}

func (l *loop) runPosted() {
	l.mu.Lock()
	posted := l.posted
	l.posted = l.spare
	l.mu.Unlock()
	for i, f := range posted {
		posted[i] = nil
		f()
	}
	l.spare = posted[:0]
}

const (
	acceptsAtATime = 64
	acceptPause    = 100 * time.Millisecond
)

func (l *loop) accept() {
	for range acceptsAtATime {
		if l.open >= l.limit {
			l.pause(true) // until one leaves; the kernel's queue holds what comes
			return
		}
		fd, from, err := acceptNonblocking(l.listener)
		switch {
		case err == nil:
			l.adopt(fd, socketAddress(from))
		case isTemporary(err):
			return
		case isOneConnection(err):
		default:
			l.env.Log.Printf("accept: %v", err)
			l.pause(true) // out of files or memory: more of the same would not help
			l.set(&l.resumes, acceptPause)
			return
		}
	}
}

// pause has the listener looked at no more, or again.
func (l *loop) pause(yes bool) {
	if l.listener < 0 || l.paused == yes {
		return
	}
	var err error
	if yes {
		err = l.poll.forget(l.listener)
	} else {
		err = l.poll.watch(l.listener)
	}
	if err != nil {
		l.env.Log.Printf("listener: %v", err)
		return
	}
	l.paused = yes
}

func (l *loop) adopt(fd int, client asgi.Address) {
	c := &loopConn{loop: l, fd: fd, slot: l.env.Board.Claim(l.pid), client: client, writable: true}
	c.deadline.fire = c.timedOut
	if err := l.poll.add(fd); err != nil {
		l.env.Log.Printf("connection: %v", err)
		closeFD(fd)
		c.slot.Release()
		return
	}
	for len(l.conns) <= fd {
		l.conns = append(l.conns, nil)
	}
	l.conns[fd] = c
	l.open++
	l.set(&c.deadline, l.timeout)
}

// silence is how long a server that is to leave waits for the first request of
// a connection that is new.
const silence = time.Second

// leave stops gracefully: what has arrived is still served, what is idle is
// closed.
func (l *loop) leave() {
	if l.leaving {
		return
	}
	for before := -1; before != l.open; { // they have connected before the stop
		before = l.open
		l.accept()
	}
	closeFD(l.listener)
	l.listener, l.leaving = -1, true
	for _, c := range l.conns {
		if c != nil {
			c.leave()
		}
	}
}

// A pool is threads that do what would hold the loop's.
type pool struct {
	mu   sync.Mutex
	some sync.Cond
	work []func()
}

func newPool(threads int) *pool {
	p := &pool{}
	p.some.L = &p.mu
	for range threads {
		go p.serve()
	}
	return p
}

func (p *pool) serve() {
	runtime.LockOSThread()
	for {
		p.mu.Lock()
		for len(p.work) == 0 {
			p.some.Wait()
		}
		w := p.work[0]
		p.work[0] = nil
		p.work = p.work[1:]
		p.mu.Unlock()
		w()
	}
}

func (p *pool) do(w func()) {
	p.mu.Lock()
	p.work = append(p.work, w)
	p.mu.Unlock()
	p.some.Signal()
}
