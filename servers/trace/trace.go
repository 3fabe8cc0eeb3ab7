// Package trace sends one request through a running model and keeps every
// byte that crossed on the way, with the time at which it did. Nothing is
// reconstructed: between two programs stands a tap that copies and notes, a
// program started per request is started by a recorder that notes its
// environment, stdin and stdout, and an application that is called within a
// process is called through a recording middleware. What was recorded is then
// cut into fields, so that the fields of each stream, put side by side, are the
// stream again: a byte that no field names is an error of this package, and a
// test over every model looks for one.
//
// One request shows how things go, not how long they take: times are of one
// passage, through taps.
package trace

import (
	"encoding/hex"
	"encoding/json"
	"time"
)

// A Trace is one request's way through a chain and its answer's way back. All
// times are since Started.
type Trace struct {
	Model   string        `json:"model"`
	Started time.Time     `json:"started"`
	Request string        `json:"request"` // "GET /echo?x=1"
	Status  int           `json:"status"`  // of the answer; 0 where none came
	Problem string        `json:"problem,omitempty"`
	Total   time.Duration `json:"total_ns"`
	Hops    []Hop         `json:"hops"`
	// Idle are hops of the chain that this request didn't take: the other
	// instances behind a balancing front, or all but the first if the front
	// answered by itself.
	Idle  []string `json:"idle,omitempty"`
	Notes []string `json:"notes,omitempty"`
}

// A Kind is what a hop leads over.
type Kind string

// The kinds of hop.
const (
	Socket  Kind = "socket"  // a connection
	Process Kind = "process" // a program started for the request
	Call    Kind = "call"    // a function call within a process
)

// A Hop is the part of the way from one party to the next: one connection, one
// started program, or one call.
type Hop struct {
	From     string `json:"from"` // "client", "front", "cgi"
	To       string `json:"to"`
	Protocol string `json:"protocol"` // "HTTP", "FastCGI", "CGI", "WSGI"
	Kind     Kind   `json:"kind"`
	// Network and Address are where From connected to, Local from where; of a
	// Process, Address is the program; of a Call, nothing is set.
	Network string `json:"network,omitempty"`
	Address string `json:"address,omitempty"`
	Local   string `json:"local,omitempty"`
	PID     int    `json:"pid,omitempty"` // of To, where it is known
	// Reused says that the connection was there before the request.
	Reused bool   `json:"reused,omitempty"`
	Exit   string `json:"exit,omitempty"` // how the program ended, or what the call returned
	Timing Timing `json:"timing"`

	Streams  []Stream  `json:"streams"`
	Messages []Message `json:"messages"`
}

// Timing is when things happened on a hop. Absent ones could not be seen.
type Timing struct {
	Start time.Duration `json:"start_ns"` // From began to connect, To began to run
	// Connect is how long it took to have the connection; 0 for a reused one.
	Connect *time.Duration `json:"connect_ns,omitempty"`
	// Queue is how long the request, once its head was there, waited until To
	// did something that can be seen with it: called the application, started
	// the program, turned to the next hop. The listen queue is in it, and
	// reading and parsing.
	Queue *time.Duration `json:"queue_ns,omitempty"`
	// FirstByte is from Start to the first byte of the answer.
	FirstByte *time.Duration `json:"first_byte_ns,omitempty"`
	Total     time.Duration  `json:"total_ns"` // from Start to the last thing seen on the hop
}

// A Stream is all that went one way on a hop.
type Stream struct {
	Name    string  `json:"name"`    // "request", "response", "environment", "stdin", "stdout", "stderr", "input", "output"
	Forward bool    `json:"forward"` // from From to To
	Bytes   Bytes   `json:"hex"`
	Chunks  []Chunk `json:"chunks"`
	// Dropped is how many bytes were passed on but not kept: those past Limit.
	Dropped int64 `json:"dropped,omitempty"`
}

// Size is how many bytes went that way.
func (s *Stream) Size() int64 { return int64(len(s.Bytes)) + s.Dropped }

// A Chunk is what arrived at one time.
type Chunk struct {
	At     time.Duration `json:"at_ns"`
	Length int           `json:"length"`
}

// Bytes are written to JSON in hexadecimal, as they stand beside the fields.
type Bytes []byte

// MarshalJSON writes the bytes as a string of hexadecimal digits.
func (b Bytes) MarshalJSON() ([]byte, error) { return json.Marshal(hex.EncodeToString(b)) }

// UnmarshalJSON reads what MarshalJSON wrote.
func (b *Bytes) UnmarshalJSON(text []byte) error {
	var s string
	if err := json.Unmarshal(text, &s); err != nil {
		return err
	}
	raw, err := hex.DecodeString(s)
	*b = raw
	return err
}

// A Message is one unit of the hop's protocol: a head, a record, a body, a
// call, an event. Its fields cover its bytes without gap or overlap.
type Message struct {
	Stream string        `json:"stream"`
	What   string        `json:"what"` // "request head", "PARAMS record 1"
	Short  string        `json:"short"`
	At     time.Duration `json:"at_ns"`    // its first byte
	Until  time.Duration `json:"until_ns"` // its last
	Offset int           `json:"offset"`   // in the stream
	Length int           `json:"length"`
	Fields []Field       `json:"fields"`

	body bool // its one field may be divided where it came in pieces
}

// A Field is a named run of bytes, or a value without any, where no bytes
// crossed (an argument of a call).
type Field struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Offset int    `json:"offset"` // in the stream
	Length int    `json:"length"`
	Type   string `json:"type,omitempty"` // of a value that crossed in a call: "str", "bool"
	// Meaning says what the field is for, Source where its value came from,
	// Reference where that is written.
	Meaning   string  `json:"meaning,omitempty"`
	Source    string  `json:"source,omitempty"`
	Reference string  `json:"reference,omitempty"`
	Parts     []Field `json:"parts,omitempty"` // cover the field as fields cover a message

	role role
}

// A role is what a field is to those who look for the origin of another.
type role uint8

const (
	roleNone     role = iota
	roleVariable      // Name is a variable's, Value its value
	roleHeader        // Name is a header field's
	roleMethod
	roleTarget
	roleVersion
	roleStatus
	roleReason
)

// Stream finds a stream by name; nil if the hop has none of that name.
func (h *Hop) Stream(name string) *Stream {
	for i := range h.Streams {
		if h.Streams[i].Name == name {
			return &h.Streams[i]
		}
	}
	return nil
}

// Size is how many bytes crossed the hop each way.
func (h *Hop) Size() (forward, backward int64) {
	for i := range h.Streams {
		if h.Streams[i].Forward {
			forward += h.Streams[i].Size()
		} else {
			backward += h.Streams[i].Size()
		}
	}
	return forward, backward
}

// Raw is the bytes of a message.
func (h *Hop) Raw(m *Message) []byte { return h.Slice(m.Stream, m.Offset, m.Length) }

// Slice is a run of a stream's bytes.
func (h *Hop) Slice(stream string, offset, length int) []byte {
	s := h.Stream(stream)
	if s == nil || length == 0 {
		return nil
	}
	return s.Bytes[offset : offset+length]
}

// Uncovered lists what the fields of a hop don't name, as "stream, bytes from–to".
// It is empty but for a fault of this package.
func (h *Hop) Uncovered() []string {
	var gaps []string
	for i := range h.Streams {
		s := &h.Streams[i]
		at := 0
		for _, m := range h.Messages {
			if m.Stream != s.Name || m.Length == 0 {
				continue
			}
			gaps = append(gaps, uncovered(s.Name+", "+m.What, m.Fields, m.Offset, m.Length)...)
			if m.Offset != at {
				gaps = append(gaps, gap(s.Name, at, m.Offset))
			}
			at = m.Offset + m.Length
		}
		if at != len(s.Bytes) {
			gaps = append(gaps, gap(s.Name, at, len(s.Bytes)))
		}
	}
	return gaps
}

func uncovered(where string, fields []Field, at, length int) (gaps []string) {
	end := at + length
	for _, f := range fields {
		if f.Length == 0 {
			continue
		}
		if f.Offset != at {
			gaps = append(gaps, gap(where, at, f.Offset))
		}
		if len(f.Parts) > 0 {
			gaps = append(gaps, uncovered(where+", "+f.Name, f.Parts, f.Offset, f.Length)...)
		}
		at = f.Offset + f.Length
	}
	if at != end {
		gaps = append(gaps, gap(where, at, end))
	}
	return gaps
}
