package wire

import (
	"errors"
	"io"
	"sync"

	"gatewaylab/servers/app"
)

// A Handler answers one request. An error means that the answer is not whole,
// and whoever waits for it must not take it for whole. What it is given is its
// own until it returns.
type Handler func(x *Exchange) error

// An Exchange is one request and its answer.
type Exchange struct {
	Vars []app.Field // CGI variables, in the order in which they came
	// Body ends where the request's body ends. FastCGI ends it by itself;
	// otherwise, and by CGI's rules always, CONTENT_LENGTH says how long it is.
	Body io.Reader
	// Out takes the answer: a CGI response header and a document (RFC 3875
	// section 6), or to a gateway that takes it, an HTTP status line instead of
	// the Status field.
	Out *Output
	// Errors takes text for the gateway's log; nil where the protocol has no
	// place for it.
	Errors io.Writer
	// Gone is closed when the gateway has given the request up; nil where
	// nobody is there to notice while the handler runs.
	Gone <-chan struct{}
}

// Phase is what a responder's connection is doing, which decides how long it
// may take.
type Phase int

// The phases.
const (
	Waiting Phase = iota // for a request, of which nothing has come
	Reading              // a request's variables
	Serving              // the handler runs, and may read the body
)

// ServeOptions are what the two kinds of responder have in common.
type ServeOptions struct {
	// MaxVars is how many bytes a request's variables may have as they come;
	// 0 = 64 KiB, for uwsgi UWSGIBuffer.
	MaxVars int
	// Phase, if not nil, is told of each change.
	Phase func(Phase)
	// Stay, if not nil, is asked whether to wait for another request on a
	// connection that the gateway wants to keep and on which nothing has come
	// yet. It may take its time to see.
	Stay func() bool
	// Full has each connection's first request answered OVERLOADED, unseen,
	// after which Serve returns. It is FastCGI's.
	Full bool
	// MaxConns and MaxReqs are what GET_VALUES is answered: how many
	// connections and requests the whole application, of which this may be one
	// process, takes at a time. 0 = 1.
	MaxConns, MaxReqs int
}

func (o *ServeOptions) phase(p Phase) {
	if o.Phase != nil {
		o.Phase(p)
	}
}

// ErrAborted is what a handler that reads the body or writes gets when the
// gateway has given up the request.
var ErrAborted = errors.New("the gateway has given up the request")

// outputSize is how much of an answer is gathered before it is sent.
const outputSize = 16 << 10

// An Output takes the answer to one request. Nothing leaves before Flush, the
// handler's return, or a full buffer.
type Output struct {
	w    io.Writer
	lock *sync.Mutex // over w, where others write to it too; else nil
	// look, if not nil, is called before anything but the first piece is
	// sent, to see whether it is still wanted.
	look func() error

	record bool // FastCGI: what is sent is a STDOUT record
	id     uint16
	buf    []byte // gathered; with record, after room for the header
	sent   bool
	err    error // sticky
}

func (o *Output) reset(w io.Writer, record bool, id uint16) {
	if o.buf == nil {
		o.buf = make([]byte, 0, RecordHeader+outputSize+64) // and what ends a FastCGI answer
	}
	o.w, o.record, o.id, o.sent, o.err = w, record, id, false, nil
	o.clear()
}

func (o *Output) clear() {
	o.buf = o.buf[:o.room()]
}

// room is what the buffer has before the content.
func (o *Output) room() int {
	if o.record {
		return RecordHeader
	}
	return 0
}

// Sent says whether anything has left.
func (o *Output) Sent() bool { return o.sent }

// Write gathers.
func (o *Output) Write(p []byte) (n int, err error) {
	for n < len(p) {
		if o.err != nil {
			return n, o.err
		}
		free := o.room() + outputSize - len(o.buf)
		if free == 0 {
			if err := o.Flush(); err != nil {
				return n, err
			}
			continue
		}
		take := min(free, len(p)-n)
		o.buf = append(o.buf, p[n:n+take]...)
		n += take
	}
	return n, o.err
}

// Flush sends what was gathered.
func (o *Output) Flush() error {
	if o.err != nil || len(o.buf) == o.room() {
		return o.err
	}
	if o.sent && o.look != nil {
		if o.err = o.look(); o.err != nil {
			return o.err
		}
	}
	o.seal()
	return o.send()
}

// seal makes a record of what was gathered, unless that is nothing.
func (o *Output) seal() {
	content := len(o.buf) - RecordHeader
	if !o.record || content == 0 {
		return
	}
	pad := padding(content)
	Header{Stdout, o.id, content, pad}.Append(o.buf[:0])
	o.buf = append(o.buf, zeros[:pad]...)
}

func (o *Output) send() error {
	if o.lock != nil {
		o.lock.Lock()
		defer o.lock.Unlock()
	}
	o.sent = true
	_, o.err = o.w.Write(o.buf)
	o.clear()
	return o.err
}

// end sends the rest, and with FastCGI the records that end a request, all in
// one piece. An error that was met before is not met again.
func (o *Output) end(e End) error {
	if o.err != nil {
		return o.err
	}
	if o.record {
		if len(o.buf) == RecordHeader {
			o.buf = o.buf[:0]
		} else {
			o.seal()
		}
		o.buf = Header{Type: Stdout, ID: o.id}.Append(o.buf)
		o.buf = Header{Type: EndRequest, ID: o.id, Content: 8}.Append(o.buf)
		o.buf = e.Append(o.buf)
	}
	if len(o.buf) == 0 {
		return nil
	}
	return o.send()
}

// errorStream writes to a FastCGI request's STDERR.
type errorStream struct {
	out     *Output
	scratch []byte
}

func (s *errorStream) Write(p []byte) (int, error) {
	if s.out.err != nil {
		return 0, s.out.err
	}
	s.scratch = AppendStream(s.scratch[:0], Stderr, s.out.id, p)
	if s.out.lock != nil {
		s.out.lock.Lock()
		defer s.out.lock.Unlock()
	}
	if _, err := s.out.w.Write(s.scratch); err != nil {
		s.out.err = err
		return 0, err
	}
	return len(p), nil
}
