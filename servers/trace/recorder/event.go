// Package recorder is the part of a trace that runs inside what is traced: as
// a middleware around an application that is called within a server's
// process, and as the program that a CGI host starts in place of the real one.
// It tells the tracer what it sees, event by event, over a Unix socket; the
// tracer is package trace.
//
// Without a tracer it is not there: a server asks Open once, when it builds its
// application, and gets nil.
package recorder

import (
	"encoding/json"
	"net"
	"os"
	"sync"
	"time"
)

// Variable names the environment variable in which a server finds the Unix
// socket of its tracer.
const Variable = "GATEWAYLAB_TRACE"

// What an Event can tell of.
const (
	ProgramStart  = "program start"  // Data is the environment block; Values holds "program" and "directory"
	ProgramInput  = "program input"  // Data was read from stdin for the program
	ProgramOutput = "program output" // Data was written by it to stdout
	ProgramError  = "program error"  // Data was written by it to stderr
	ProgramEnd    = "program end"    // Text says how

	Called   = "called"   // Values is the environ or the scope
	Returned = "returned" // Text says with what, Values the same by name
	Argument = "argument" // an event or a call the server gives the application: Text names it, Values and Data hold it
	Result   = "result"   // the same, the other way
)

// An Event is one thing that happened. What belongs together has the same
// Process and Call.
type Event struct {
	At        int64   `json:"at"` // wall clock, nanoseconds since 1970
	Process   int     `json:"process"`
	Call      int64   `json:"call"`
	Interface string  `json:"interface"` // "CGI", "WSGI", "ASGI"
	Kind      string  `json:"kind"`
	Text      string  `json:"text,omitempty"`
	Values    []Value `json:"values,omitempty"`
	Data      []byte  `json:"data,omitempty"`
	// Dropped is how many bytes were left out of Data: of each call or program
	// and kind of event, only the first Limit bytes are told.
	Dropped int `json:"dropped,omitempty"`
}

// Limit is how many bytes of each kind a recorder tells of one call.
const Limit = 4 << 20

// HeaderField is the Type of a Value that is a field of an answer's head.
const HeaderField = "header field"

// Begins says whether an event is a call's or a program's first. A tracer
// answers these with one byte, once it has taken note of them.
func (e *Event) Begins() bool { return e.Kind == Called || e.Kind == ProgramStart }

// A Value is a named value that crossed in a call: no bytes, but a thing of a
// type.
type Value struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	Value string `json:"value"`
}

// A Recorder tells a tracer what it sees. Its methods are safe for concurrent
// use; a tracer that has gone away is no longer told anything.
type Recorder struct {
	mu    sync.Mutex
	conn  net.Conn
	out   *json.Encoder
	calls int64
}

// Open returns a recorder if the environment names a tracer, and nil if not, or
// if that one doesn't answer.
func Open() *Recorder {
	path := os.Getenv(Variable)
	if path == "" {
		return nil
	}
	return dial(path)
}

func dial(path string) *Recorder {
	conn, err := net.Dial("unix", path)
	if err != nil {
		return nil
	}
	return &Recorder{conn: conn, out: json.NewEncoder(conn)}
}

// A call is one use of an interface.
type call struct {
	r        *Recorder
	number   int64
	protocol string
	told     map[string]int // bytes of each kind of event; under the recorder's lock
}

func (r *Recorder) begin(protocol string) *call {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls++
	return &call{r: r, number: r.calls, protocol: protocol, told: map[string]int{}}
}

// tell sends an event, with the time at which tell was called.
func (c *call) tell(e Event) {
	e.At = time.Now().UnixNano()
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	if c.r.out == nil {
		return
	}
	e.Process, e.Call, e.Interface = os.Getpid(), c.number, c.protocol
	if keep := Limit - c.told[e.Kind]; len(e.Data) > keep {
		e.Data, e.Dropped = e.Data[:keep], len(e.Data)-keep
	}
	c.told[e.Kind] += len(e.Data)
	err := c.r.out.Encode(e)
	if err == nil && e.Begins() {
		err = c.r.heard()
	}
	if err != nil {
		c.r.out = nil
		c.r.conn.Close()
	}
}

// heard waits for the tracer to say that it has taken note. What begins a call
// is known to it before the call goes on, so that no answer can reach the client
// before the tracer knows that there is more to wait for.
func (r *Recorder) heard() error {
	if err := r.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	_, err := r.conn.Read(make([]byte, 1))
	return err
}

// patience is how long a tracer may take to listen before it is taken for gone.
const patience = 5 * time.Second

// Close ends the telling.
func (r *Recorder) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.out = nil
	r.conn.Close()
}
