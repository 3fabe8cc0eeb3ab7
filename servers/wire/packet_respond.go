package wire

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// A PacketResponder serves connections that bring one request each: SCGI and
// uwsgi. It serves one at a time; its memory is used for the next again.
type PacketResponder struct {
	protocol string
	handler  Handler
	o        ServeOptions
	in       *bufio.Reader
	block    []byte
	body     io.LimitedReader
	x        Exchange
	out      Output
}

// NewSCGIResponder returns a responder for SCGI.
func NewSCGIResponder(h Handler, o ServeOptions) *PacketResponder {
	if o.MaxVars == 0 {
		o.MaxVars = MaxSCGI
	}
	return newPacketResponder("SCGI", h, o)
}

// NewUWSGIResponder returns a responder for uwsgi, whose buffer is o.MaxVars.
func NewUWSGIResponder(h Handler, o ServeOptions) *PacketResponder {
	if o.MaxVars == 0 {
		o.MaxVars = UWSGIBuffer
	}
	o.MaxVars = min(o.MaxVars, MaxUWSGI)
	return newPacketResponder("uwsgi", h, o)
}

func newPacketResponder(protocol string, h Handler, o ServeOptions) *PacketResponder {
	return &PacketResponder{protocol: protocol, handler: h, o: o, in: bufio.NewReaderSize(nil, 8<<10)}
}

// Serve serves a connection's one request. It returns io.EOF if none came, a
// *ProtocolError if what came is none (somebody who speaks HTTP has then been
// told in HTTP, a request that is too large has been answered with 431), and
// what failed otherwise; the answer is whole only if the error is nil. The
// connection stays the caller's to close, and unread says that the peer may be
// sending still: closed at once, the kernel would answer with a reset, and that
// takes the answer away before the peer has read it.
func (r *PacketResponder) Serve(conn io.ReadWriter) (unread bool, err error) {
	r.in.Reset(conn)
	defer r.in.Reset(nil)
	r.out.reset(conn, false, 0)
	r.o.phase(Waiting)
	if _, err := r.in.Peek(1); err != nil {
		return false, err // io.EOF as it is
	}
	r.o.phase(Reading)
	length, err := r.head()
	if err != nil {
		var bad *ProtocolError
		if errors.As(err, &bad) {
			bad.explain(conn)
			bad.answer(conn)
		}
		return true, err
	}
	r.o.phase(Serving)
	r.body = io.LimitedReader{R: r.in, N: length}
	r.x = Exchange{Vars: r.x.Vars, Body: &r.body, Out: &r.out}
	if err = r.handler(&r.x); err == nil {
		err = r.out.end(End{})
	}
	return r.body.N > 0 || r.in.Buffered() > 0, err
}

// head reads the variables and returns the body's length.
func (r *PacketResponder) head() (int64, error) {
	read := r.readUWSGI
	if r.protocol == "SCGI" {
		read = r.readSCGI
	}
	if err := read(); err != nil {
		return 0, err
	}
	return contentLength(r.protocol, r.x.Vars)
}

func (r *PacketResponder) readUWSGI() error {
	head, err := r.in.Peek(UWSGIHeaderLen)
	if err != nil {
		return early(r.protocol, "a packet's header", err)
	}
	h := ParseUWSGIHeader(head)
	if err := h.check(head, r.o.MaxVars); err != nil {
		return err
	}
	_, _ = r.in.Discard(UWSGIHeaderLen) // it was peeked at
	if err := r.fill(h.Size); err != nil {
		return err
	}
	r.x.Vars, err = ParseUWSGIVars(r.block, r.x.Vars[:0])
	return err
}

func (r *PacketResponder) readSCGI() error {
	var size int
	for n := 1; ; n++ {
		head, err := r.in.Peek(max(n, min(r.in.Buffered(), maxDigits+2)))
		if err != nil {
			return early(r.protocol, "a netstring's length", err)
		}
		length, read, err := ParseNetstringLength(head)
		if err != nil {
			// A few bytes more tell what it is instead, if they come.
			if more, _ := r.in.Peek(4); len(more) == 4 {
				if _, _, better := ParseNetstringLength(more); better != nil {
					err = better
				}
			}
			return err
		}
		if n = len(head); read > 0 {
			size = length
			_, _ = r.in.Discard(read) // it was peeked at
			break
		}
	}
	if size > r.o.MaxVars {
		return &ProtocolError{Protocol: r.protocol, Oversize: true, Why: "a netstring of " + strconv.Itoa(size) + " bytes; at most " + strconv.Itoa(r.o.MaxVars) + " are taken"}
	}
	if err := r.fill(size + 1); err != nil {
		return err
	}
	if r.block[size] != ',' {
		return &ProtocolError{Protocol: r.protocol, Why: fmt.Sprintf("the netstring of %d bytes is followed by %q and not by a comma", size, r.block[size:])}
	}
	vars, err := ParseSCGIVars(r.block[:size], r.x.Vars[:0])
	r.x.Vars = vars
	return err
}

// fill reads the block of variables. It is no larger than MaxVars.
func (r *PacketResponder) fill(size int) error {
	if cap(r.block) < size {
		r.block = make([]byte, size)
	}
	r.block = r.block[:size]
	if _, err := io.ReadFull(r.in, r.block); err != nil {
		return early(r.protocol, "the variables", err)
	}
	return nil
}
