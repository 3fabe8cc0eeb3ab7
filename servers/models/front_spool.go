package models

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"

	"gatewaylab/servers/wire/http1"
)

// buffers are for copying.
var buffers = sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }}

// maxSpooled is how much of an answer is kept for a client that is slower than
// the instance; from then on the instance has to wait.
const maxSpooled = 1 << 30

var errSpool = errors.New("the front has no room")

// A frontBody is a request's body.
type frontBody struct {
	size   int64 // -1: the request has none, or its size is not known
	memory []byte
	file   *os.File // holds all of it when it is too large for memory; has no name

	stream  *http1.Reader // what the client sends, when it is passed on as it comes
	abandon func()        // ends the reading of stream
	drained atomic.Bool   // stream has been read to its end

	mu    sync.Mutex
	fault error // of the client, while it was passed on
}

// take takes a request's body in, or prepares to pass it on as it comes. CGI,
// and what is built on it, must have the length first; so a chunked body is
// taken in for them whatever the option says.
func (p *proxy) take(c *frontConn) (*frontBody, error) {
	if c.req.Framing == http1.NoBody {
		return &frontBody{size: -1}, nil
	}
	if c.req.Framing == http1.Counted && c.p.maxBody > 0 && c.req.Length > c.p.maxBody {
		return nil, &http1.Error{Status: 413, Why: "the body is larger than this server takes"}
	}
	if c.req.Continue {
		c.out.Invite()
		if err := c.flush(); err != nil {
			return nil, err
		}
	}
	if !p.requestBuffering && (c.req.Framing == http1.Counted || p.wire == wireHTTP) {
		b := &frontBody{size: c.req.Length, stream: c.in, abandon: c.stopReading}
		b.drained.Store(c.in.Ended()) // of a length of 0
		return b, nil
	}
	return takeIn(c.in, c.req.Length)
}

// takeIn reads a body to its end; length is -1 if it isn't known.
func takeIn(src io.Reader, length int64) (*frontBody, error) {
	b := &frontBody{}
	if length >= 0 && length <= bodyInMemory {
		b.size, b.memory = length, make([]byte, length)
		if _, err := io.ReadFull(src, b.memory); err != nil {
			return nil, err
		}
		return b, nil
	}
	head := make([]byte, bodyInMemory)
	n, err := io.ReadFull(src, head)
	b.size, b.memory = int64(n), head[:n]
	switch {
	case err == io.EOF || err == io.ErrUnexpectedEOF && ended(src):
		return b, nil
	case err != nil:
		return nil, err
	}
	if err := b.toFile(src); err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

// ended tells the end of a body from one that was cut off, for which io.ReadFull
// has the same error.
func ended(src io.Reader) bool {
	r, ok := src.(*http1.Reader)
	return !ok || r.Ended()
}

func (b *frontBody) toFile(rest io.Reader) error {
	f, err := nameless()
	if err != nil {
		return err
	}
	b.file = f
	if _, err := f.Write(b.memory); err != nil {
		return fmt.Errorf("%w for a large body: %w", errSpool, err)
	}
	b.memory = nil
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	for {
		n, err := rest.Read(*buf)
		if n > 0 {
			if _, werr := f.Write((*buf)[:n]); werr != nil {
				return fmt.Errorf("%w for a large body: %w", errSpool, werr)
			}
			b.size += int64(n)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// nameless makes a temporary file that is gone when it is closed.
func nameless() (*os.File, error) {
	f, err := os.CreateTemp("", "gatewaylab-front-")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errSpool, err)
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, fmt.Errorf("%w: %w", errSpool, err)
	}
	return f, nil
}

// taken says whether the client has nothing more to say.
func (b *frontBody) taken() bool { return b.stream == nil || b.drained.Load() }

// again says whether the body can be sent a second time.
func (b *frontBody) again() bool { return b.stream == nil }

// reader is the body from its start; nil if there is nothing to read.
func (b *frontBody) reader() io.Reader {
	switch {
	case b.stream != nil:
		return (*clientBody)(b)
	case b.file != nil:
		return io.NewSectionReader(b.file, 0, b.size)
	case len(b.memory) > 0:
		return &memoryReader{b.memory}
	}
	return nil
}

// memoryReader is bytes.Reader without what isn't needed.
type memoryReader struct{ left []byte }

func (m *memoryReader) Read(p []byte) (int, error) {
	if len(m.left) == 0 {
		return 0, io.EOF
	}
	n := copy(p, m.left)
	m.left = m.left[n:]
	return n, nil
}

// A clientBody is a body that is passed on as it comes; it remembers what was
// wrong with the client.
type clientBody frontBody

func (b *clientBody) Read(p []byte) (int, error) {
	n, err := b.stream.Read(p)
	if b.stream.Ended() { // before the instance gets the last of it, and can answer
		b.drained.Store(true)
	}
	if err != nil && err != io.EOF {
		b.mu.Lock()
		b.fault = err
		b.mu.Unlock()
	}
	return n, err
}

func (b *frontBody) clientFault() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.fault
}

// Close gives the room back.
func (b *frontBody) Close() {
	if b.file != nil {
		b.file.Close()
	}
}

// A responseSpool stands between an instance that gives an answer and a client
// that takes it, each in its own time: first in memory, then in a file without
// a name.
type responseSpool struct {
	mu     sync.Mutex
	change *sync.Cond
	memory []byte // not taken yet
	file   *os.File
	put    int64 // bytes of the file that were written
	got    int64 // and read
	err    error // how the filling ended; io.EOF = well
	taker  error // why nobody takes any more
	over   bool  // nobody does

	unhook func() bool
}

func newResponseSpool(ctx context.Context) *responseSpool {
	s := &responseSpool{}
	s.change = sync.NewCond(&s.mu)
	s.unhook = context.AfterFunc(ctx, func() { s.stop(ctx.Err()) })
	return s
}

// fill takes a body in to its end.
func (s *responseSpool) fill(body io.Reader) {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	for {
		n, err := body.Read(*buf)
		s.mu.Lock()
		if n > 0 && !s.over {
			if werr := s.keep((*buf)[:n]); werr != nil {
				err = werr
			}
		}
		if err != nil {
			s.err = err
		}
		s.change.Broadcast()
		for !s.over && s.err == nil && s.put-s.got+int64(len(s.memory)) > maxSpooled {
			s.change.Wait()
		}
		ends := s.over || s.err != nil
		s.mu.Unlock()
		if ends {
			return
		}
	}
}

// keep keeps a piece, in memory while there is little.
func (s *responseSpool) keep(p []byte) error {
	if s.file == nil && len(s.memory)+len(p) <= 4*bodyInMemory {
		s.memory = append(s.memory, p...)
		return nil
	}
	if s.file == nil {
		f, err := nameless()
		if err != nil {
			return err
		}
		s.file = f
	}
	if _, err := s.file.WriteAt(p, s.put); err != nil {
		return fmt.Errorf("%w for an answer: %w", errSpool, err)
	}
	s.put += int64(len(p))
	return nil
}

// whole says whether the body came to its proper end.
func (s *responseSpool) whole() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err == io.EOF
}

// Read takes from what has come, waiting for it if there is nothing.
func (s *responseSpool) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.over:
			return 0, fmt.Errorf("given up: %w", s.taker)
		case len(s.memory) > 0:
			n := copy(p, s.memory)
			s.memory = s.memory[:copy(s.memory, s.memory[n:])]
			s.change.Broadcast()
			return n, nil
		case s.got < s.put:
			n, err := s.file.ReadAt(p[:min(int64(len(p)), s.put-s.got)], s.got)
			if err == io.EOF && n > 0 {
				err = nil
			}
			if s.got += int64(n); s.got == s.put && err == nil {
				s.got, s.put = 0, 0 // the client has caught up: from here it is memory again
				err = s.file.Close()
				s.file = nil
			}
			s.change.Broadcast()
			return n, err
		case s.err != nil:
			return 0, s.err
		}
		s.change.Wait()
	}
}

// stop ends the taking.
func (s *responseSpool) stop(why error) {
	s.unhook()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return
	}
	s.over, s.taker = true, why
	if s.file != nil {
		s.file.Close()
		s.file = nil
	}
	s.change.Broadcast()
}
