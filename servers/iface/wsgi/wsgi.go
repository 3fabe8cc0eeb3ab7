package wsgi

import (
	"io"

	"gatewaylab/servers/app"
)

// An App is an application, or a middleware around one. It calls start with
// the head of its answer, at the latest before the iterable yields its first
// non-empty block, and returns the body. An error is Python's exception: the
// server answers 500, or breaks the answer off if its head has left. The
// iterable is closed by the server in any case; with an error there may be
// none.
type App func(e *Environ, start StartResponse) (Iterable, error)

// StartResponse takes the head of the answer: status is "404 Not Found", header
// has no hop-by-hop fields, which are the server's. Nothing is sent yet.
//
// With an error as exc (exc_info in PEP 3333) it replaces an earlier call, so
// that what failed late can still be answered for; but if the head has been
// sent, it returns exc, and the application returns that. A second call
// without exc is an error.
//
// The header belongs to the server from now on.
type StartResponse func(status string, header []app.Field, exc error) (Write, error)

// Write sends a block of the body at once, for applications that can't be
// iterated over. All that is written goes before what the iterable yields; the
// iterable itself must not write. The block is the caller's again afterwards.
type Write func(block []byte) error

// An Iterable is the body of an answer in blocks, each of which is sent before
// the next is asked for. A block may be empty, which lets a middleware say that
// it has nothing yet, and is valid until Next or Close is called.
type Iterable interface {
	// Next returns the next block, or nil and io.EOF after the last, or what
	// has failed.
	Next() ([]byte, error)
	// Close is called once, when the request is over, however it has ended.
	Close() error
}

// Sized is an iterable that knows how many blocks it yields. If it is one, the
// server knows the body's length without being told.
type Sized interface {
	Iterable
	Len() int
}

// Blocks is the simplest iterable: a list.
type Blocks struct {
	list [][]byte
	next int
}

// List makes an iterable of blocks.
func List(blocks ...[]byte) *Blocks { return &Blocks{list: blocks} }

// Next returns the next block.
func (b *Blocks) Next() ([]byte, error) {
	if b.next == len(b.list) {
		return nil, io.EOF
	}
	b.next++
	return b.list[b.next-1], nil
}

// Len is the number of blocks.
func (b *Blocks) Len() int { return len(b.list) }

// Close does nothing.
func (b *Blocks) Close() error { return nil }

// An Environ is what an application is told of a request and of its server.
// It is the application's until the request is over, and may be changed.
type Environ struct {
	// Variables are the CGI variables, each name once, in no order.
	// REQUEST_METHOD, SERVER_NAME, SERVER_PORT and SERVER_PROTOCOL are never
	// empty. Without a CONTENT_LENGTH, or with an empty one, there is no body,
	// unless InputTerminated says that its length shows at its end.
	Variables []app.Field

	Version   [2]int    // wsgi.version: 1, 0
	URLScheme string    // wsgi.url_scheme: "http" or "https"
	Input     io.Reader // wsgi.input: the body, and io.EOF at its end. readline and iteration are bufio's
	Errors    io.Writer // wsgi.errors: text for the server's log; nothing is buffered, so there is no flush

	Multithread  bool // wsgi.multithread: another thread of this process may call the application meanwhile
	Multiprocess bool // wsgi.multiprocess: another process may
	RunOnce      bool // wsgi.run_once: this process serves one request in its life

	// InputTerminated (wsgi.input_terminated, an extension that several servers
	// have) says that Input ends where the body ends, so that a chunked one,
	// which has no CONTENT_LENGTH, can be read.
	InputTerminated bool
	// OfferUpgrade (gatewaylab.offer_upgrade) has the server name a protocol in
	// the Upgrade field that an answer of 426 must have (RFC 9110 section
	// 15.5.22), and that PEP 3333 doesn't let an application set. Nil where the
	// server can't.
	OfferUpgrade func(protocol string)
	// Gone (gatewaylab.gone) is closed when nobody waits for the answer any more,
	// where the server can tell while the application runs; else nil.
	Gone <-chan struct{}
	// Extensions are other keys with a dot in them, of servers and middleware.
	Extensions map[string]any
}

// Get returns a variable, "" if it is not set.
func (e *Environ) Get(name string) string {
	v, _ := e.Lookup(name)
	return v
}

// Lookup returns a variable and whether it is set.
func (e *Environ) Lookup(name string) (string, bool) {
	for i := range e.Variables {
		if e.Variables[i].Name == name {
			return e.Variables[i].Value, true
		}
	}
	return "", false
}

// Set sets a variable.
func (e *Environ) Set(name, value string) {
	for i := range e.Variables {
		if e.Variables[i].Name == name {
			e.Variables[i].Value = value
			return
		}
	}
	e.Variables = append(e.Variables, app.Field{Name: name, Value: value})
}

// A FaultError is an error that says what the client is to be answered: the body of
// its request stopped coming (408), is malformed (400) or too large (413). A
// server's Input returns it, the application passes it on, and the Handler
// answers it if nothing has been sent.
type FaultError struct {
	Status int
	Why    string // a sentence's worth, for the client
}

func (f *FaultError) Error() string { return f.Why }
