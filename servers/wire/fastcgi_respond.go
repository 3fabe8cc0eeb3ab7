package wire

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// A FastCGIResponder serves connections on which requests come one after
// another, on the caller's thread. It serves one connection at a time; its
// memory is used for the next again. A request that begins while another is in
// progress is answered CANT_MPX_CONN.
type FastCGIResponder struct {
	handler Handler
	o       ServeOptions
	conn    io.ReadWriter
	in      *bufio.Reader
	scratch []byte // of answers to management records

	id     uint16 // of the request in progress, 0 = none
	keep   bool
	params []byte
	left   int  // of the STDIN record in hand
	pad    int  // and after it
	ended  bool // STDIN has
	turned bool // a request was, because of ServeOptions.Full
	abort  error
	x      Exchange
	out    Output
	errs   errorStream
}

// NewFastCGIResponder returns a responder.
func NewFastCGIResponder(h Handler, o ServeOptions) *FastCGIResponder {
	if o.MaxVars == 0 {
		o.MaxVars = 64 << 10
	}
	r := &FastCGIResponder{handler: h, o: o, in: bufio.NewReaderSize(nil, 8<<10)}
	r.errs.out = &r.out
	r.out.look = r.look
	return r
}

// Serve serves the requests of a connection until the gateway doesn't want it
// any more, or ServeOptions.Stay says so. It returns io.EOF if there was no
// request at all, a *ProtocolError if what came is not FastCGI (somebody who
// speaks HTTP has then been told in HTTP), nil if every answer was given whole,
// and what failed otherwise. For unread see PacketResponder.Serve.
//
// A connection that has a method Ready() bool, which says whether a Read would
// return at once, is looked at between two pieces of an answer, so that a
// request that the gateway has given up ends there.
func (r *FastCGIResponder) Serve(conn io.ReadWriter) (unread bool, err error) {
	r.conn = conn
	r.in.Reset(conn)
	defer func() { r.in.Reset(nil); r.conn = nil }()
	r.id, r.turned = 0, false
	served := false
	for {
		r.o.phase(Waiting)
		if served && r.in.Buffered() == 0 && r.o.Stay != nil && !r.o.Stay() {
			return false, nil
		}
		if _, err := r.in.Peek(1); err != nil {
			if served && err == io.EOF {
				err = nil
			}
			return false, err // io.EOF as it is
		}
		r.o.phase(Reading)
		found, err := r.next()
		if err != nil {
			r.complain(err)
			return true, err
		}
		if !found {
			if r.turned {
				return true, nil
			}
			continue
		}
		served = true
		r.o.phase(Serving)
		if err := r.serve(); err != nil {
			return r.in.Buffered() > 0, err
		}
		if !r.keep {
			return !r.ended || r.in.Buffered() > 0, nil
		}
	}
}

// complain tells the peer what was wrong with what he sent, if he can be told.
func (r *FastCGIResponder) complain(err error) {
	var bad *ProtocolError
	if !errors.As(err, &bad) {
		return
	}
	bad.explain(r.conn)
	if bad.Oversize && r.id != 0 {
		r.out.reset(r.conn, true, r.id)
		bad.answer(&r.out)
		_ = r.out.end(End{AppStatus: 1}) // he may be gone
	}
}

// next reads one record while no request is in progress, and if it begins one,
// the whole PARAMS stream. It returns whether there is a request to be served.
func (r *FastCGIResponder) next() (found bool, err error) {
	h, err := r.header()
	if err != nil {
		return false, err
	}
	if h.Type != BeginRequest || h.ID == 0 {
		return false, r.aside(h)
	}
	if ok, err := r.begin(h); !ok || err != nil {
		return false, err
	}
	r.id = h.ID
	r.params = r.params[:0]
	for {
		h, err := r.header()
		if err != nil {
			return false, err
		}
		switch {
		case h.ID == r.id && h.Type == Params && h.Content == 0:
			if err := r.skip(h.Padding); err != nil {
				return false, err
			}
			if r.x.Vars, err = ParseParams(r.params, r.x.Vars[:0]); err != nil {
				return false, err
			}
			return true, nil
		case h.ID == r.id && h.Type == Params:
			if err := r.more(h); err != nil {
				return false, err
			}
		case h.ID == r.id && h.Type == AbortRequest:
			return false, r.finish(h)
		default:
			if err := r.aside(h); err != nil {
				return false, err
			}
		}
	}
}

// begin reads a BEGIN_REQUEST and answers for a role that isn't played here.
func (r *FastCGIResponder) begin(h Header) (ok bool, err error) {
	b, err := r.readBegin(h)
	switch {
	case err != nil:
		return false, err
	case b.Role != RoleResponder:
		return false, r.refuse(h.ID, UnknownRole)
	case r.o.Full:
		r.turned = true
		return false, r.refuse(h.ID, Overloaded)
	}
	r.keep = b.KeepConn
	return true, nil
}

func (r *FastCGIResponder) readBegin(h Header) (Begin, error) {
	var content [8]byte
	if h.Content != len(content) {
		return Begin{}, &ProtocolError{Protocol: "FastCGI", Why: fmt.Sprintf("%v with %d bytes; it has 8", h.Type, h.Content)}
	}
	if _, err := io.ReadFull(r.in, content[:]); err != nil {
		return Begin{}, early("FastCGI", "a record", err)
	}
	if err := r.skip(h.Padding); err != nil {
		return Begin{}, err
	}
	return ParseBegin(content[:])
}

// finish ends a request that was aborted before it was complete.
func (r *FastCGIResponder) finish(h Header) error {
	if err := r.skip(h.Content + h.Padding); err != nil {
		return err
	}
	id := r.id
	r.id = 0
	return r.refuse(id, RequestComplete)
}

// refuse answers a request that the application doesn't see.
func (r *FastCGIResponder) refuse(id uint16, s ProtocolStatus) error {
	r.scratch = AppendRecord(r.scratch[:0], EndRequest, id, End{Status: s}.Append(nil))
	return r.write()
}

// more adds a record to the PARAMS stream.
func (r *FastCGIResponder) more(h Header) error {
	have := len(r.params)
	if have+h.Content > r.o.MaxVars {
		return &ProtocolError{Protocol: "FastCGI", Oversize: true, Why: fmt.Sprintf("more than %d bytes of PARAMS", r.o.MaxVars)}
	}
	if need := have + h.Content; cap(r.params) < need {
		r.params = append(make([]byte, 0, max(need, 4<<10)), r.params...)
	}
	r.params = r.params[:have+h.Content]
	if _, err := io.ReadFull(r.in, r.params[have:]); err != nil {
		return early("FastCGI", "a record", err)
	}
	return r.skip(h.Padding)
}

// header reads a record's header.
func (r *FastCGIResponder) header() (Header, error) {
	b, err := r.in.Peek(RecordHeader)
	if err != nil {
		if len(b) >= 4 && b[0] != 1 { // HTTP's shortest request is shorter
			_, perr := ParseHeader(append(b[:len(b):len(b)], zeros...)[:RecordHeader])
			return Header{}, perr
		}
		return Header{}, early("FastCGI", "a record's header", err)
	}
	h, err := ParseHeader(b)
	if err == nil {
		_, err = r.in.Discard(RecordHeader)
	}
	return h, err
}

func (r *FastCGIResponder) skip(n int) error {
	if n == 0 {
		return nil
	}
	if _, err := r.in.Discard(n); err != nil {
		return early("FastCGI", "a record", err)
	}
	return nil
}

func (r *FastCGIResponder) write() error {
	_, err := r.conn.Write(r.scratch)
	return err
}

// aside deals with a record that is not of the request in progress. Those of
// requests that are over are ignored (section 3.3).
func (r *FastCGIResponder) aside(h Header) error {
	switch {
	case h.ID == 0 && h.Type == GetValues:
		content, err := r.values(h)
		if err != nil {
			return err
		}
		r.scratch = AppendRecord(r.scratch[:0], GetValuesResult, 0, content)
		return r.write()
	case h.ID == 0:
		if err := r.skip(h.Content + h.Padding); err != nil {
			return err
		}
		var content [8]byte
		r.scratch = AppendRecord(r.scratch[:0], UnknownType, 0, AppendUnknown(content[:0], h.Type))
		return r.write()
	case h.Type == BeginRequest && h.ID == r.id:
		return &ProtocolError{Protocol: "FastCGI", Why: fmt.Sprintf("request %d begins while it is in progress", h.ID)}
	case h.Type == BeginRequest:
		if _, err := r.readBegin(h); err != nil {
			return err
		}
		return r.refuse(h.ID, CantMultiplex)
	}
	return r.skip(h.Content + h.Padding)
}

// maxValues is how long a GET_VALUES may be: there are three names.
const maxValues = 1 << 10

// values reads a GET_VALUES and returns the content of the answer.
func (r *FastCGIResponder) values(h Header) ([]byte, error) {
	if h.Content > maxValues {
		return nil, &ProtocolError{Protocol: "FastCGI", Why: fmt.Sprintf("%v of %d bytes; at most %d are taken", h.Type, h.Content, maxValues)}
	}
	asked := make([]byte, h.Content)
	if _, err := io.ReadFull(r.in, asked); err != nil {
		return nil, early("FastCGI", "a record", err)
	}
	if err := r.skip(h.Padding); err != nil {
		return nil, err
	}
	return answerValues(asked, &r.o, false)
}

// answerValues answers the variables that are asked for and known; the others
// are left out (section 4.1).
func answerValues(asked []byte, o *ServeOptions, multiplexes bool) ([]byte, error) {
	known := map[string]string{MaxConns: itoa(max(o.MaxConns, 1)), MaxReqs: itoa(max(o.MaxReqs, 1)), MpxsConns: "0"}
	if multiplexes {
		known[MpxsConns] = "1"
	}
	var content []byte
	for len(asked) > 0 {
		name, _, rest, err := ParsePair(asked)
		if err != nil {
			return nil, &ProtocolError{Protocol: "FastCGI", Why: "GET_VALUES ends in the middle of a pair"}
		}
		if v, ok := known[string(name)]; ok {
			content = AppendPair(content, string(name), v)
			delete(known, string(name)) // once is enough
		}
		asked = rest
	}
	return content, nil
}

// serve has the handler answer the request in progress.
func (r *FastCGIResponder) serve() error {
	r.left, r.pad, r.ended, r.abort = 0, 0, false, nil
	r.out.reset(r.conn, true, r.id)
	if err := r.peekEnd(); err != nil {
		return err
	}
	r.x = Exchange{Vars: r.x.Vars, Body: (*syncStdin)(r), Out: &r.out, Errors: &r.errs}
	err := r.handler(&r.x)
	if errors.Is(r.abort, ErrAborted) && (r.out.err == nil || errors.Is(r.out.err, ErrAborted)) {
		// The gateway knows; the connection is as good as before.
		r.out.err = nil
		r.out.clear()
		err = r.out.end(End{AppStatus: 1})
	} else if err == nil {
		err = r.out.end(End{})
	}
	if err != nil {
		return err
	}
	r.id = 0
	return r.skip(r.left + r.pad)
}

// peekEnd takes the end of STDIN if it has come together with the variables, as
// it does where there is no body: the application may not look for it.
func (r *FastCGIResponder) peekEnd() error {
	if r.in.Buffered() < RecordHeader {
		return nil
	}
	b, _ := r.in.Peek(RecordHeader) // it is there
	if h, err := ParseHeader(b); err == nil && h == (Header{Stdin, r.id, 0, 0}) {
		return r.stdin()
	}
	return nil
}

// syncStdin reads the STDIN stream of the request in progress.
type syncStdin FastCGIResponder

// Read returns the content of STDIN records, and deals with what comes between
// them.
func (s *syncStdin) Read(p []byte) (int, error) {
	r := (*FastCGIResponder)(s)
	for r.left == 0 {
		switch {
		case r.abort != nil:
			return 0, r.abort
		case r.ended:
			return 0, io.EOF
		}
		if r.abort = r.stdin(); r.abort != nil {
			return 0, r.abort
		}
	}
	n, err := r.in.Read(p[:min(len(p), r.left)])
	r.left -= n
	if err != nil {
		r.abort = early("FastCGI", "STDIN", err)
	} else if r.left == 0 {
		r.abort = r.skip(r.pad)
		r.pad = 0
	}
	if n == 0 && len(p) > 0 {
		return 0, r.abort
	}
	return n, nil
}

// stdin reads a record while a request is in progress.
func (r *FastCGIResponder) stdin() error {
	h, err := r.header()
	switch {
	case err != nil:
		return err
	case h.ID == r.id && h.Type == Stdin && !r.ended:
		if h.Content == 0 {
			r.ended = true
			return r.skip(h.Padding)
		}
		r.left, r.pad = h.Content, h.Padding
		return nil
	case h.ID == r.id && h.Type == AbortRequest:
		if err := r.skip(h.Content + h.Padding); err != nil {
			return err
		}
		return ErrAborted
	}
	return r.aside(h)
}

// look sees, without waiting, whether the gateway has given up. As long as
// there may be something left of STDIN nothing can be seen.
func (r *FastCGIResponder) look() error {
	ready, ok := r.conn.(interface{ Ready() bool })
	for ok && r.ended && r.abort == nil {
		switch n := r.in.Buffered(); {
		case n >= RecordHeader:
			r.abort = r.stdin()
		case !ready.Ready():
			return nil
		default:
			if _, err := r.in.Peek(n + 1); err != nil {
				r.abort = early("FastCGI", "a request", err)
			}
		}
	}
	if !r.ended {
		return nil
	}
	return r.abort
}
