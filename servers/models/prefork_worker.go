package models

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"gatewaylab/servers/app"
	"gatewaylab/servers/iface"
	"gatewaylab/servers/process"
)

// What an acceptor returns instead of a connection.
var (
	errLeaving = errors.New("asked to leave")
	errNobody  = errors.New("nobody has come")
)

// A worker is a process that serves one request after another on one thread,
// which blocks in the kernel when there is nothing to do for it: waiting for a
// connection, for the client, and, unless the application brings other means,
// in the application.
type worker struct {
	env    *Env
	app    *app.App
	slot   *process.Slot
	accept *acceptor
	conn   *syncConn
	parent int
	left   int // requests until it leaves; < 0 = never
}

// syncWorker is the worker program.
func syncWorker(env *Env) error {
	// One thread does all the work, so a second P would only let the garbage
	// collector use a core that a sync worker doesn't have.
	runtime.GOMAXPROCS(1)
	runtime.LockOSThread()
	go func() {
		<-env.Orphaned
		os.Exit(1) // whatever the request in hand is doing
	}()
	w, err := newWorker(env)
	if err != nil {
		return fmt.Errorf("%w: %w", process.ErrBoot, err)
	}
	go w.heed()
	w.slot.Take(os.Getpid())
	defer w.slot.Release()
	return w.run()
}

func newWorker(env *Env) (*worker, error) {
	o := env.Options
	slot, timeout := o.Int("slot"), o.Duration("timeout")
	requests, jitter := o.Int("max_requests"), o.Int("max_requests_jitter")
	if err := o.Err(); err != nil {
		return nil, err
	}
	if slot < 0 || slot >= process.BoardSlots {
		return nil, fmt.Errorf("option slot: %d is not within 0 and %d", slot, process.BoardSlots-1)
	}
	left := -1
	if requests > 0 {
		left = requests + rand.IntN(jitter+1)
	}
	accept, err := newAcceptor(env.Listener, beatInterval(timeout))
	if err != nil {
		return nil, err
	}
	w := &worker{
		env:    env,
		app:    app.New(),
		slot:   env.Board.Slot(slot),
		accept: accept,
		parent: os.Getppid(),
		left:   left,
	}
	w.conn = newSyncConn(w.slot, timeout, &accept.leaving)
	return w, nil
}

// heed turns signals into what they mean to a worker.
func (w *worker) heed() {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT,
		syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2)
	for s := range signals {
		switch s {
		case syscall.SIGTERM:
			go w.accept.stop()
		case syscall.SIGINT, syscall.SIGQUIT:
			os.Exit(0)
		}
	}
}

// run is the worker's life. The heartbeat comes from here and from the waiting
// for clients, not from a thread of its own, which would go on beating while a
// request hangs.
func (w *worker) run() error {
	for w.left != 0 {
		w.slot.Beat()
		fd, err := w.accept.next()
		switch {
		case err == nil:
			w.serve(fd)
		case errors.Is(err, errLeaving):
			return nil
		case errors.Is(err, errNobody):
			if os.Getppid() != w.parent {
				return errors.New("the arbiter is gone")
			}
		default:
			w.env.Log.Printf("accept: %v", err)
			time.Sleep(100 * time.Millisecond) // out of files or memory: more of the same would not help
		}
	}
	return nil
}

// serve serves a connection's one request.
func (w *worker) serve(fd int) {
	w.slot.Busy()
	w.conn.open(fd)
	r, err := w.conn.readRequest()
	switch {
	case err == nil:
		w.answer(r)
	case errors.Is(err, errSilent):
		w.conn.close(false)
		w.slot.Drop()
		return
	default:
		_ = refuse(w.conn, nil, err) // a client that is gone needs no answer
		w.conn.close(true)
	}
	if w.left > 0 {
		w.left--
	}
	w.slot.Idle()
}

// answer has the application answer a request.
func (w *worker) answer(r *http.Request) {
	a := newAnswer(w.conn, r)
	body := newSyncBody(r, a)
	err := w.call(a, &app.Request{
		Method: r.Method,
		Path:   r.URL.Path,
		Query:  r.URL.RawQuery,
		Header: iface.Fields(r),
		Body:   body,
		Length: r.ContentLength,
	}, checkRequest(r))
	switch {
	case err == nil:
		err = a.finish()
	case !a.started:
		err = refuse(w.conn, r, err)
	}
	if err != nil {
		w.conn.reset() // the client must not take what it got for the whole answer
		return
	}
	w.conn.close(!body.ended || w.conn.in.Buffered() > 0)
}

// call calls the application; a panic costs the request, not the worker.
func (w *worker) call(a *syncAnswer, r *app.Request, fault error) (err error) {
	if fault != nil {
		return fault
	}
	defer func() {
		if p := recover(); p != nil {
			w.env.Log.Printf("panic: %v\n%s", p, debug.Stack())
			err = &requestError{http.StatusInternalServerError, "the application failed"}
		}
	}()
	return w.app.Serve(a, r)
}

// checkRequest refuses what http.ReadRequest lets through and net/http's
// server doesn't, and what can't be handed to an application.
func checkRequest(r *http.Request) error {
	switch {
	case r.ProtoMajor != 1:
		return &requestError{http.StatusHTTPVersionNotSupported, "only HTTP/1.0 and HTTP/1.1 are spoken here"}
	case r.ProtoAtLeast(1, 1) && r.Host == "":
		return &requestError{http.StatusBadRequest, "there is no Host field"}
	case !strings.HasPrefix(r.URL.Path, "/") || strings.IndexByte(r.URL.Path, 0) >= 0:
		return &requestError{http.StatusBadRequest, "the target must be a path"}
	case r.Header.Get("Expect") != "" && !expectsContinue(r):
		return &requestError{http.StatusExpectationFailed, "only 100-continue can be expected here"}
	}
	return nil
}
