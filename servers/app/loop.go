package app

import "time"

// A Loop is what a server lends to a request that shares one thread with all
// the others, so that it can wait without holding that thread. Only the
// request may call it, and only from where Serve was called; each call
// suspends that request and no other. Where every request has a thread or a
// goroutine of its own there is none, and waiting is nothing but waiting.
type Loop struct {
	// Sleep returns after d, or ErrGone as soon as the client has gone.
	Sleep func(d time.Duration) error
	// Await calls begin, once and before it returns, and then waits until done
	// is called: by begin itself or by whom begin has told, from any thread.
	// It returns ErrGone as soon as the client has gone; done then does
	// nothing any more.
	Await func(begin func(done func())) error
	// Offload has a thread of the server's pool do what would hold this one,
	// and waits for its end. It is nil where there is no pool. It returns
	// ErrGone as soon as the client has gone; the work is then done later or
	// never, so it must touch nothing but what it leaves behind.
	Offload func(work func()) error
	// Ready returns when a socket of the request's own, which must not block,
	// can be read from, or written to, or has failed; after d it returns
	// os.ErrDeadlineExceeded. It returns ErrGone as soon as the client has gone.
	// One request at a time may wait for a socket. nil: the loop has no place
	// for others' sockets.
	Ready func(fd int, write bool, d time.Duration) error
}

// sleep waits, or returns ErrGone as soon as the client has gone.
func (a *App) sleep(r *Request, ms int) error {
	ms *= a.slow
	d := time.Duration(ms) * time.Millisecond
	switch {
	case r.Loop != nil:
		return r.Loop.Sleep(d)
	case r.Gone == nil:
		time.Sleep(d)
		return nil
	}
	gone := r.Gone()
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-gone:
		return ErrGone
	}
}

// await waits for done, as Loop.Await says, on whatever the request has.
func await(r *Request, begin func(done func())) error {
	if r.Loop != nil {
		return r.Loop.Await(begin)
	}
	ended := make(chan struct{})
	begin(func() { close(ended) })
	var gone <-chan struct{}
	if r.Gone != nil {
		select {
		case <-ended: // without a wait there is nothing to look for
			return nil
		default:
		}
		gone = r.Gone()
	}
	select {
	case <-ended:
		return nil
	case <-gone:
		return ErrGone
	}
}

// offload does work that holds a thread, on another one where there is a pool.
func offload(r *Request, work func()) error {
	if r.Loop == nil || r.Loop.Offload == nil {
		work()
		return nil
	}
	return r.Loop.Offload(work)
}

// block holds its thread, as a library does that was written for a thread for
// each request: the wait is in the kernel, so no scheduler can put another
// request in its place, and it doesn't end when the client goes away.
func (a *App) block(w Response, r *Request, v []int) error {
	ms := v[0]
	err := offload(r, func() {
		until := time.Now().Add(time.Duration(ms*a.slow) * time.Millisecond)
		for left := time.Until(until); left > 0; left = time.Until(until) {
			holdThread(left)
		}
	})
	if err != nil {
		return err
	}
	return text(w, 200, "blocked "+milliseconds(ms))
}
