package wire

import (
	"errors"
	"io"
)

// serve has the handler answer a request, on a goroutine of its own.
func (r *sharedRequest) serve(x Exchange) {
	var out Output
	out.lock = &r.conn.out.Mutex
	out.reset(r.conn.out, true, r.id)
	x.Out, x.Errors = &out, &errorStream{out: &out}
	err := r.conn.m.handler(&x)
	r.stdin.close()
	end := End{}
	if err != nil {
		end.AppStatus = cutOff
		if errors.Is(r.reason(), ErrTimeout) && !out.sent {
			out.clear()
			answerText(&out, "504 Gateway Timeout", "504 gateway timeout: it took too long\n")
			end.AppStatus = 0
		}
	}
	r.forget(true)
	r.leave()        // before the gateway knows that there is a place
	_ = out.end(end) // if it fails, the connection has ended
}

// answer answers a request that the handler doesn't see.
func (r *sharedRequest) answer(with func(io.Writer)) {
	var out Output
	out.lock = &r.conn.out.Mutex
	out.reset(r.conn.out, true, r.id)
	with(&out)
	_ = out.Flush() // if it fails, the connection has ended
}

// finish ends a request that the handler doesn't see, if it doesn't.
func (r *sharedRequest) finish(e End) {
	if r.forget(false) {
		r.leave()
		_ = r.conn.say(EndRequest, r.id, e.Append(nil)) // if it fails, the connection has ended
	}
}

// forget takes the request off its connection, provided that the handler was
// called or that it was not: from the moment in which its end is sent, its
// number may begin another.
func (r *sharedRequest) forget(called bool) bool {
	c := r.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.requests[r.id] != r || r.called != called {
		return false
	}
	delete(c.requests, r.id)
	return true
}

// leave gives the request's place up.
func (r *sharedRequest) leave() {
	if r.clock != nil {
		r.clock.Stop()
	}
	if r.done != nil {
		r.done()
	}
	<-r.conn.m.places
	r.conn.wake()
}

// abort tells the handler that nobody waits for it any more.
func (r *sharedRequest) abort(cause error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cause != nil {
		return
	}
	r.cause = cause
	close(r.gone)
	r.stdin.fail(cause)
}

func (r *sharedRequest) reason() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.cause
}

// overdue aborts a request for which time is up.
func (r *sharedRequest) overdue() {
	r.abort(ErrTimeout)
	r.finish(End{AppStatus: 1})
}
