package wire

import (
	"io"
	"sync"
)

// pipeLimit is how much of one request's stream is kept for a slow reader. A
// FastCGI connection has no way to hold back one of its requests and not the
// others: when one is at the limit, all wait for its reader. That, more than
// anything, is why hardly a gateway multiplexes.
const pipeLimit = 64 << 10

// A pipe carries one request's stream from the goroutine that reads a shared
// connection to the one that wants it.
type pipe struct {
	mu     sync.Mutex
	moved  *sync.Cond
	buf    []byte
	from   int   // what is before was read
	err    error // io.EOF after the end
	closed bool  // nobody reads any more
	fed    bool  // something has come
}

func newPipe() *pipe {
	p := &pipe{}
	p.moved = sync.NewCond(&p.mu)
	return p
}

// feed adds to the stream, and waits as long as there is too much in it.
func (p *pipe) feed(b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.buf)-p.from >= pipeLimit && !p.closed && p.err == nil {
		p.moved.Wait()
	}
	if p.closed || p.err != nil {
		return
	}
	if p.from > 0 && len(p.buf)+len(b) > cap(p.buf) {
		p.buf = p.buf[:copy(p.buf, p.buf[p.from:])]
		p.from = 0
	}
	p.buf = append(p.buf, b...)
	p.fed = true
	p.moved.Broadcast()
}

// end ends the stream with err, after what is in it. Only the first end counts.
func (p *pipe) end(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.err = err
	}
	p.moved.Broadcast()
}

// fail ends the stream with err at once.
func (p *pipe) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil || p.from < len(p.buf) {
		p.err = err
		p.buf, p.from = nil, 0
	}
	p.moved.Broadcast()
}

// close says that nobody reads any more.
func (p *pipe) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.buf, p.from = nil, 0
	p.moved.Broadcast()
}

// await returns when there is something to be read, or the stream's error.
func (p *pipe) await() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.from == len(p.buf) {
		if p.err != nil {
			return p.err
		}
		p.moved.Wait()
	}
	return nil
}

// touched says whether anything has ever come.
func (p *pipe) touched() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fed
}

func (p *pipe) Read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.from == len(p.buf) && len(b) > 0 {
		if p.err != nil {
			return 0, p.err
		}
		if p.closed {
			return 0, io.ErrClosedPipe
		}
		p.moved.Wait()
	}
	n := copy(b, p.buf[p.from:])
	if p.from += n; p.from == len(p.buf) {
		p.buf, p.from = p.buf[:0], 0
	}
	p.moved.Broadcast()
	return n, nil
}
