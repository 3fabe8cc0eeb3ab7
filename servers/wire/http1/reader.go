package http1

import "io"

// readSize is how much is asked of the source at a time.
const readSize = 4 << 10

// A Reader reads requests from a source that blocks. It reads no body and no
// second request before it is asked to, but may have some of them buffered.
type Reader struct {
	src    io.Reader
	parser Parser
	buf    []byte
	at     int // buf[at:] has come and not been used
	body   Body
	err    error // of the body
}

// NewReader returns a reader with limits of its own.
func NewReader(src io.Reader, l Limits) *Reader {
	return &Reader{src: src, parser: Parser{limits: l}, buf: make([]byte, 0, readSize)}
}

// Reset makes the reader read from another source, with its buffers.
func (r *Reader) Reset(src io.Reader) {
	r.src, r.buf, r.at, r.body, r.err = src, r.buf[:0], 0, Body{}, nil
	r.parser.Reset()
}

// Buffered is what has come and was not part of what was read.
func (r *Reader) Buffered() []byte { return r.buf[r.at:] }

// ReadRequest reads a head; the body before it must have been read to its end.
// The error is an *Error for a request to be refused; io.EOF if the source
// ended before it began; io.ErrUnexpectedEOF if it ended within; else the
// source's. Body then reads the body, of at most limit bytes (≤ 0: any).
func (r *Reader) ReadRequest(req *Request, limit int64) error {
	for {
		n, err := r.parser.Parse(r.buf[r.at:], req)
		r.at += n
		if err != nil {
			return err
		}
		if n > 0 {
			r.body, r.err = req.Body(limit), nil
			return nil
		}
		if err := r.more(); err == io.EOF && r.at < len(r.buf) {
			return io.ErrUnexpectedEOF
		} else if err != nil {
			return err
		}
	}
}

// more reads once. The buffer grows with a head that needs it, which has its
// limit, and shrinks again.
func (r *Reader) more() error {
	switch {
	case r.at == len(r.buf):
		if cap(r.buf) > 4*readSize {
			r.buf = make([]byte, 0, readSize)
		}
		r.buf, r.at = r.buf[:0], 0
	case len(r.buf) == cap(r.buf):
		b := r.buf[:0]
		if r.at < cap(r.buf)/2 {
			b = make([]byte, 0, 2*cap(r.buf))
		}
		r.buf, r.at = append(b, r.buf[r.at:]...), 0
	}
	for range 100 {
		n, err := r.src.Read(r.buf[len(r.buf):cap(r.buf)])
		r.buf = r.buf[:len(r.buf)+n]
		if n > 0 {
			return nil // the error, if there is one, comes again
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

// Ended says whether the last request's body has been read to its end.
func (r *Reader) Ended() bool { return r.body.Ended() }

// Read reads the body of the last request and returns io.EOF behind it. The
// error is an *Error if the body is malformed or too large, and
// io.ErrUnexpectedEOF if it was cut off.
func (r *Reader) Read(p []byte) (int, error) {
	for len(p) > 0 && r.err == nil {
		if r.body.Ended() {
			return 0, io.EOF
		}
		if r.at == len(r.buf) {
			if err := r.more(); err == io.EOF {
				r.err = io.ErrUnexpectedEOF
			} else if err != nil {
				return 0, err // it may be one that passes
			}
			continue
		}
		// No more than fits, so that nothing has to be kept.
		data, n, err := r.body.Next(r.buf[r.at:min(len(r.buf), r.at+len(p))])
		r.at += n
		if len(data) > 0 {
			return copy(p, data), nil
		}
		r.err = err
	}
	return 0, r.err
}
