package models

import (
	"fmt"
	"net/netip"
	"runtime"

	"gatewaylab/servers/app"
	"gatewaylab/servers/iface/wsgi"
	"gatewaylab/servers/process"
	"gatewaylab/servers/trace/recorder"
)

// preforkWorker is the name under which labserver is a worker of prefork.
const preforkWorker = "prefork-worker"

// prefork has worker processes that serve one request at a time each, as
// gunicorn with sync workers does: each accepts from the same listener. So
// there are never more requests in progress than workers, the rest wait in the
// kernel's queue, and what one request breaks is one worker.
func prefork(env *Env) error {
	if err := runArbiter(env, preforkWorker, 1); err != nil {
		return fmt.Errorf("prefork: %w", err)
	}
	return nil
}

// syncWorker is the worker program: one thread, which blocks in the kernel when
// there is nothing to do for it, waiting for a connection, for the client, and,
// unless the application brings other means, in the application.
func syncWorker(env *Env) error {
	aloneAtWork()
	w, err := newWorker(env, 1)
	if err != nil {
		return fmt.Errorf("%w: %w", process.ErrBoot, err)
	}
	return serveAlone(w, true)
}

// oneThread has one thread do all the work. There are two Ps: of a single one
// the runtime deprives the thread in every system call that takes longer than
// 20 µs, and returning from it then wakes others. The second is idle, but for
// the garbage collector now and then.
func oneThread() {
	runtime.GOMAXPROCS(2)
	runtime.LockOSThread()
}

// serveAlone serves on the calling thread, one request at a time, each on a
// connection of its own: one that was kept, idle, would hold the only slot.
func serveAlone(w *worker, multiprocess bool) error {
	slot := w.slots[0]
	conn := &syncConn{beats: slot, stall: w.timeout, leaving: &w.accept.leaving, direct: directTries}
	w.accept.direct = directTries
	server := newSyncServer(conn, syncSetting{
		app: recorder.WSGI(wsgi.Application(app.New())), listener: w.env.Listener, log: w.env.Log, multiprocess: multiprocess,
	})
	w.ready()
	defer w.release()
	return w.run(func(fd int, peer netip.AddrPort) {
		now := slot.Busy()
		server.open(fd, peer)
		if server.serve(now) == silent {
			slot.Drop()
			return
		}
		w.count()
		slot.Idle()
	})
}
