package app

import (
	"os"
	"slices"
	"sync"
)

// lockVariable names the environment variable in which the server's processes
// find the path of their lock's file. (The lab sets it, as process.LockVariable;
// that package is too much to link into a CGI program.)
const lockVariable = "GATEWAYLAB_LOCK"

// A lock is what only one request at a time can have, among all processes of a
// server: as if they shared a database's row, or a file.
type lock struct {
	mu    sync.Mutex
	taken bool      // someone in this process has, or waits for, the file's lock
	queue []*waiter // for that, in the order in which they came
	file  *os.File  // opened by the first who needs it; whose turn it is may use it
}

type waiter struct {
	turn bool // it is his
	done func()
}

// take waits for the lock, or returns ErrGone as soon as the client has gone.
// Whoever waits for another request of this process holds no thread.
func (l *lock) take(r *Request) error {
	if err := l.wait(r); err != nil {
		return err
	}
	if l.file == nil {
		path := os.Getenv(lockVariable)
		if path == "" {
			return nil
		}
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			l.pass()
			return err
		}
		l.file = f
	}
	if r.Loop == nil && r.Gone == nil {
		return l.took(flock(l.file))
	}
	if free, err := tryFlock(l.file); free || err != nil {
		return l.took(err)
	}
	taken := make(chan error, 1)
	gone := await(r, func(done func()) {
		go func() {
			taken <- flock(l.file)
			done()
		}()
	})
	if gone == nil {
		return l.took(<-taken)
	}
	go func() { // nothing ends a wait for a file's lock but the lock
		if l.took(<-taken) == nil {
			l.release()
		}
	}()
	return gone
}

// wait returns when it is the request's turn.
func (l *lock) wait(r *Request) error {
	w := &waiter{}
	err := await(r, func(done func()) {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.taken {
			w.done = done
			l.queue = append(l.queue, w)
			return
		}
		l.taken, w.turn = true, true
		done()
	})
	if err != nil {
		l.leave(w)
	}
	return err
}

// leave is for whoever has given up, perhaps in the very moment in which the
// turn was his.
func (l *lock) leave(w *waiter) {
	l.mu.Lock()
	turn := w.turn
	if i := slices.Index(l.queue, w); i >= 0 {
		l.queue = slices.Delete(l.queue, i, i+1)
	}
	l.mu.Unlock()
	if turn {
		l.pass()
	}
}

// pass gives the turn to the next.
func (l *lock) pass() {
	l.mu.Lock()
	var next *waiter
	if l.taken = len(l.queue) > 0; l.taken {
		next, l.queue = l.queue[0], l.queue[1:]
		next.turn = true
	}
	l.mu.Unlock()
	if next != nil {
		next.done()
	}
}

// took passes the turn on if the lock could not be had.
func (l *lock) took(err error) error {
	if err != nil {
		l.pass()
	}
	return err
}

func (l *lock) release() {
	if l.file != nil {
		unflock(l.file)
	}
	l.pass()
}

func (a *App) locked(w Response, r *Request, v []int) error {
	wait, hold := v[0], v[1]
	if err := a.sleep(r, wait); err != nil {
		return err
	}
	switch err := a.lock.take(r); err {
	case nil:
	case ErrGone:
		return err
	default:
		return text(w, 500, "500 internal server error: the lock: "+err.Error()+"\n")
	}
	err := a.sleep(r, hold)
	a.lock.release()
	if err != nil {
		return err
	}
	return text(w, 200, waited(wait)+"held "+milliseconds(hold))
}
