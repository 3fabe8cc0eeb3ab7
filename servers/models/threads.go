package models

import (
	"fmt"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"gatewaylab/servers/app"
	"gatewaylab/servers/iface/wsgi"
	"gatewaylab/servers/process"
	"gatewaylab/servers/trace/recorder"
)

// threadsWorker is the name under which labserver is a worker of threads.
const threadsWorker = "threads-worker"

// threads has worker processes with a fixed number of threads each, as
// gunicorn with gthread workers does, but without an interpreter's lock, which
// would let only one of a process's threads compute at a time. The process's
// main thread accepts and shows that it is alive; each of the others serves
// one request at a time and blocks in the kernel; one more watches the
// connections that are kept and idle, which hold no thread.
//
// What one request breaks is its process with all its threads. One that hangs
// is not noticed, because it is the process that has a heartbeat: the thread
// is lost until its worker goes.
func threads(env *Env) error {
	if err := runArbiter(env, threadsWorker, env.Options.Int("threads")); err != nil {
		return fmt.Errorf("threads: %w", err)
	}
	return nil
}

// threadWorker is the worker program.
func threadWorker(env *Env) error {
	runtime.LockOSThread()
	w, err := newWorker(env, max(1, env.Options.Int("threads")))
	if err != nil {
		return fmt.Errorf("%w: %w", process.ErrBoot, err)
	}
	p, err := newThreadPool(w)
	if err != nil {
		return fmt.Errorf("%w: %w", process.ErrBoot, err)
	}
	w.ready()
	defer w.release()
	p.start()
	err = w.run(p.take)
	p.leave()
	return err
}

const (
	// busyPatience is how long a worker whose threads are all busy leaves a
	// connection to others before it takes it into its own queue.
	busyPatience = 10 * time.Millisecond

	// pipelineLimit is how many requests that follow each other without a pause
	// are served before the thread is given to somebody else.
	pipelineLimit = 100
)

// A ticket is a connection that waits for a thread, or for its client.
type ticket struct {
	fd      int
	peer    netip.AddrPort
	fresh   bool // it has brought no request yet
	watched bool // the readiness queue knows it
}

// A threadPool is a worker's threads and the connections they have between them.
type threadPool struct {
	worker    *worker
	set       syncSetting
	most      int // connections
	queue     int // of them waiting for a thread, before no more are accepted
	keepalive time.Duration

	jobs    chan ticket  // has room for all connections
	held    atomic.Int64 // requests that are served or wait for a thread
	open    atomic.Int64 // connections
	room    chan struct{}
	parking *parking
	serving sync.WaitGroup
}

func newThreadPool(w *worker) (*threadPool, error) {
	o := w.env.Options
	p := &threadPool{
		worker: w, most: o.Int("connections"), queue: o.Int("queue"), keepalive: o.Duration("keepalive"),
		set:  syncSetting{app: recorder.WSGI(wsgi.Application(app.New())), listener: w.env.Listener, log: w.env.Log, keeps: true, multithread: true, multiprocess: true},
		room: make(chan struct{}, 1),
	}
	if err := o.Err(); err != nil {
		return nil, err
	}
	p.jobs = make(chan ticket, p.most)
	var err error
	p.parking, err = newParking(p)
	return p, err
}

func (p *threadPool) leaving() bool { return p.worker.accept.leaving.Load() }

func (p *threadPool) start() {
	go p.parking.watch()
	for _, slot := range p.worker.slots {
		p.serving.Go(func() { p.thread(slot) })
	}
}

// take takes a new connection, and returns when there may be another.
func (p *threadPool) take(fd int, peer netip.AddrPort) {
	p.open.Add(1)
	p.put(ticket{fd: fd, peer: peer, fresh: true})
	p.admit()
}

// put queues a connection for a thread. There is room for all there are.
func (p *threadPool) put(t ticket) {
	p.held.Add(1)
	p.worker.slots[0].Queue(1)
	p.jobs <- t
}

// admit waits until another connection can be accepted: at once while a thread
// is free for it; otherwise other workers are given the time to take it, and
// then it may wait here. The time is not begun again for each thread that
// becomes free and is taken at once by a kept connection: those would keep new
// ones out for as long as they have requests, where gthread has both stand in
// one line.
func (p *threadPool) admit() {
	patience := time.NewTimer(busyPatience)
	defer patience.Stop()
	for over := false; !p.leaving(); {
		if waiting := int(p.held.Load()) - len(p.worker.slots); p.open.Load() < int64(p.most) &&
			(waiting < 0 || over && waiting < p.queue) {
			return
		}
		select {
		case <-p.room:
		case <-patience.C:
			over = true
			patience.Reset(beatInterval(p.worker.timeout)) // from here on only to show that it lives
		}
		p.worker.slots[0].Beat()
	}
}

// vacated says that a thread or a connection's place has become free.
func (p *threadPool) vacated() {
	select {
	case p.room <- struct{}{}:
	default:
	}
}

// closed counts a connection less.
func (p *threadPool) closed() {
	p.open.Add(-1)
	p.vacated()
}

// thread is the life of one thread.
func (p *threadPool) thread(slot *process.Slot) {
	runtime.LockOSThread()
	conn := &syncConn{stall: p.worker.timeout, leaving: &p.worker.accept.leaving}
	server := newSyncServer(conn, p.set)
	for t := range p.jobs {
		p.worker.slots[0].Queue(-1)
		p.serve(server, slot, t)
		p.held.Add(-1)
		p.vacated()
	}
}

// serve serves a connection's request, and those that have come with it. A new
// connection whose client hasn't said anything yet holds no thread.
func (p *threadPool) serve(server *syncServer, slot *process.Slot, t ticket) {
	server.open(t.fd, t.peer)
	server.conn.ask = t.fresh && !t.watched
	for n := 1; ; n++ {
		now := slot.Busy()
		server.keeps = n < pipelineLimit
		switch end := server.serve(now); end {
		case unsaid:
			slot.Drop()
			p.parking.add(t, p.worker.timeout)
			return
		case silent:
			slot.Drop()
			p.closed()
			return
		default:
			slot.Idle()
			p.count()
			if end == served {
				p.closed()
				return
			}
		}
		t.fresh = false
		if len(server.in.Buffered()) == 0 {
			p.parking.add(t, p.keepalive)
			return
		}
	}
}

// count counts a request, and ends the accepting after the worker's last.
func (p *threadPool) count() {
	if p.worker.count() {
		go p.worker.accept.stop()
	}
}

// leave serves what has come, closes what is idle, and ends the threads.
func (p *threadPool) leave() {
	p.worker.accept.leaving.Store(true)
	p.parking.leave()
	for p.open.Load() > 0 {
		select {
		case <-p.room:
		case <-time.After(beatInterval(p.worker.timeout)):
		}
		p.worker.slots[0].Beat()
	}
	close(p.jobs)
	p.serving.Wait()
}
