package app

import (
	"os"
	"strconv"
)

// lockVariable names the environment variable in which the server's processes
// find the path of their lock's file. (The lab sets it, as process.LockVariable;
// that package is too much to link into a CGI program.)
const lockVariable = "GATEWAYLAB_LOCK"

// A lock is what only one request at a time can have, among all processes of a
// server: as if they shared a database's row, or a file.
type lock struct {
	turn chan struct{} // full while someone in this process has, or waits for, the file's lock
	file *os.File      // opened by the first who needs it; whose turn it is may use it
}

func newLock() lock { return lock{turn: make(chan struct{}, 1)} }

// take waits for the lock, or returns ErrGone as soon as gone is closed (nil:
// the server can't tell). Whoever waits for another request of this process
// holds no thread.
func (l *lock) take(gone <-chan struct{}) error {
	select {
	case l.turn <- struct{}{}:
	case <-gone:
		return ErrGone
	}
	if l.file == nil {
		path := os.Getenv(lockVariable)
		if path == "" {
			return nil
		}
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			<-l.turn
			return err
		}
		l.file = f
	}
	if gone == nil {
		return l.took(flock(l.file))
	}
	if free, err := tryFlock(l.file); free || err != nil {
		return l.took(err)
	}
	taken := make(chan error, 1)
	go func() { taken <- flock(l.file) }()
	select {
	case err := <-taken:
		return l.took(err)
	case <-gone:
		go func() { // nothing ends a wait for a file's lock but the lock
			if l.took(<-taken) == nil {
				l.release()
			}
		}()
		return ErrGone
	}
}

// took passes the turn on if the lock could not be had.
func (l *lock) took(err error) error {
	if err != nil {
		<-l.turn
	}
	return err
}

func (l *lock) release() {
	if l.file != nil {
		unflock(l.file)
	}
	<-l.turn
}

func (a *App) locked(w Response, r *Request, v []int) error {
	wait, hold := v[0], v[1]
	if err := sleep(r, wait); err != nil {
		return err
	}
	switch err := a.lock.take(r.Gone); err {
	case nil:
	case ErrGone:
		return err
	default:
		return text(w, 500, "500 internal server error: the lock: "+err.Error()+"\n")
	}
	err := sleep(r, hold)
	a.lock.release()
	if err != nil {
		return err
	}
	return text(w, 200, waited(wait)+"held "+strconv.Itoa(hold)+" ms\n")
}
