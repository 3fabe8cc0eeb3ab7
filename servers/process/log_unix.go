//go:build unix

package process

import (
	"bytes"
	"io"
	"os"
	"sync"
	"syscall"
)

// A tail keeps the end of what comes out of a pipe.
type tail struct {
	pipe *os.File
	raw  syscall.RawConn
	also io.Writer // gets all of it too; may be nil

	mu  sync.Mutex
	buf []byte // grows to 2×logSize, then loses its older half
	cut bool
}

// newTail returns a tail and the pipe's write end.
func newTail(also io.Writer) (*tail, *os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	raw, err := r.SyscallConn()
	if err != nil {
		r.Close()
		w.Close()
		return nil, nil, err
	}
	return &tail{pipe: r, raw: raw, also: also}, w, nil
}

// follow reads until every write end is closed, or the tail is.
func (t *tail) follow() {
	// Read returns when drain says the pipe has ended, or fails when it is
	// closed here: either way there is nothing left to do.
	_ = t.raw.Read(func(fd uintptr) bool { return t.drain(int(fd)) })
}

// settle takes in what has been written so far, so that the last words of a
// process that has just exited are not missed.
func (t *tail) settle() {
	_ = t.raw.Control(func(fd uintptr) { t.drain(int(fd)) }) // a closed pipe has nothing to add
}

// drain reads what is there and says whether that was the end.
func (t *tail) drain(fd int) (ended bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var chunk [4096]byte
	for {
		n, err := syscall.Read(fd, chunk[:])
		switch {
		case n > 0:
			t.add(chunk[:n])
		case err == syscall.EINTR:
		case err == syscall.EAGAIN:
			return false
		default:
			return true
		}
	}
}

// say adds a line of the lab's own.
func (t *tail) say(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.add([]byte("lab: " + line + "\n"))
}

func (t *tail) add(p []byte) {
	if t.also != nil {
		_, _ = t.also.Write(p) // the log is kept here whatever becomes of the copy
	}
	t.buf = append(t.buf, p...)
	if len(t.buf) > 2*logSize {
		n := copy(t.buf, t.buf[len(t.buf)-logSize:])
		t.buf, t.cut = t.buf[:n], true
	}
}

// String is the kept text, from the start of a line.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.buf
	cut := t.cut
	if len(b) > logSize {
		b, cut = b[len(b)-logSize:], true
	}
	if i := bytes.IndexByte(b, '\n'); cut && i >= 0 {
		b = b[i+1:]
	}
	return string(b)
}

func (t *tail) Close() error { return t.pipe.Close() }
