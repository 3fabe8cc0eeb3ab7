package wire

import (
	"encoding/binary"
	"fmt"
	"io"
	"strconv"
)

// Sizes of FastCGI (section 3.3).
const (
	RecordHeader = 8     // bytes of a record's header
	MaxContent   = 65535 // bytes of a record's content
)

// RecordType is a FastCGI record's type (section 8).
type RecordType uint8

// The record types.
const (
	BeginRequest    RecordType = 1
	AbortRequest    RecordType = 2
	EndRequest      RecordType = 3
	Params          RecordType = 4
	Stdin           RecordType = 5
	Stdout          RecordType = 6
	Stderr          RecordType = 7
	Data            RecordType = 8
	GetValues       RecordType = 9
	GetValuesResult RecordType = 10
	UnknownType     RecordType = 11
)

// String is the specification's name.
func (t RecordType) String() string {
	names := [...]string{"", "FCGI_BEGIN_REQUEST", "FCGI_ABORT_REQUEST", "FCGI_END_REQUEST", "FCGI_PARAMS", "FCGI_STDIN", "FCGI_STDOUT",
		"FCGI_STDERR", "FCGI_DATA", "FCGI_GET_VALUES", "FCGI_GET_VALUES_RESULT", "FCGI_UNKNOWN_TYPE"}
	if t > 0 && int(t) < len(names) {
		return names[t]
	}
	return "type " + strconv.Itoa(int(t))
}

// Role is what a gateway asks an application to be (section 6.1).
type Role uint16

// The roles.
const (
	RoleResponder  Role = 1
	RoleAuthorizer Role = 2
	RoleFilter     Role = 3
)

// String is the specification's name.
func (r Role) String() string {
	switch r {
	case RoleResponder:
		return "FCGI_RESPONDER"
	case RoleAuthorizer:
		return "FCGI_AUTHORIZER"
	case RoleFilter:
		return "FCGI_FILTER"
	}
	return "role " + strconv.Itoa(int(r))
}

// ProtocolStatus is how a request ended, as far as the protocol is concerned
// (section 5.5).
type ProtocolStatus uint8

// The protocol statuses.
const (
	RequestComplete ProtocolStatus = 0
	CantMultiplex   ProtocolStatus = 1
	Overloaded      ProtocolStatus = 2
	UnknownRole     ProtocolStatus = 3
)

// String is the specification's name.
func (s ProtocolStatus) String() string {
	names := [...]string{"FCGI_REQUEST_COMPLETE", "FCGI_CANT_MPX_CONN", "FCGI_OVERLOADED", "FCGI_UNKNOWN_ROLE"}
	if int(s) < len(names) {
		return names[s]
	}
	return "status " + strconv.Itoa(int(s))
}

// The variables that a gateway may ask for by GET_VALUES (section 4.1).
const (
	MaxConns  = "FCGI_MAX_CONNS"
	MaxReqs   = "FCGI_MAX_REQS"
	MpxsConns = "FCGI_MPXS_CONNS"
)

// A Header is the first eight bytes of a record.
type Header struct {
	Type    RecordType
	ID      uint16 // of the request; 0: the record is about the connection
	Content int    // bytes that follow, 0 to MaxContent
	Padding int    // bytes after those, 0 to 255, which mean nothing
}

// Append appends the header.
func (h Header) Append(b []byte) []byte {
	return append(b, 1, byte(h.Type), byte(h.ID>>8), byte(h.ID), byte(h.Content>>8), byte(h.Content), byte(h.Padding), 0)
}

// ParseHeader reads a header from the first RecordHeader bytes of b, which it
// must have. Version 1 is the only one there is.
func ParseHeader(b []byte) (Header, error) {
	_ = b[RecordHeader-1]
	if b[0] != 1 {
		return Header{}, foreign("FastCGI", b, fmt.Sprintf("a record of version %d; the only one there is has 1", b[0]))
	}
	return Header{
		Type:    RecordType(b[1]),
		ID:      binary.BigEndian.Uint16(b[2:]),
		Content: int(binary.BigEndian.Uint16(b[4:])),
		Padding: int(b[6]),
	}, nil
}

// padding fills a record up to a multiple of eight, as section 3.3 recommends.
func padding(content int) int { return -content & 7 }

const zeros = "\x00\x00\x00\x00\x00\x00\x00"

// AppendRecord appends a record with its padding; the content must not be
// longer than MaxContent.
func AppendRecord(b []byte, t RecordType, id uint16, content []byte) []byte {
	pad := padding(len(content))
	b = Header{t, id, len(content), pad}.Append(b)
	b = append(b, content...)
	return append(b, zeros[:pad]...)
}

// AppendStream appends content in as many records as it takes, none if it is
// empty. An empty record, which ends the stream, is the caller's to append.
func AppendStream(b []byte, t RecordType, id uint16, content []byte) []byte {
	for len(content) > 0 {
		n := min(len(content), MaxContent)
		b = AppendRecord(b, t, id, content[:n])
		content = content[n:]
	}
	return b
}

// ParseRecord takes the first record off b. The error is
// io.ErrUnexpectedEOF if b ends before the record.
func ParseRecord(b []byte) (h Header, content, rest []byte, err error) {
	if len(b) < RecordHeader {
		if len(b) > 0 && b[0] != 1 {
			return h, nil, b, foreign("FastCGI", b, fmt.Sprintf("a record of version %d; the only one there is has 1", b[0]))
		}
		return h, nil, b, io.ErrUnexpectedEOF
	}
	if h, err = ParseHeader(b); err != nil {
		return h, nil, b, err
	}
	end := RecordHeader + h.Content
	if len(b) < end+h.Padding {
		return h, nil, b, io.ErrUnexpectedEOF
	}
	return h, b[RecordHeader:end], b[end+h.Padding:], nil
}

// A Begin is the content of BEGIN_REQUEST (section 5.1).
type Begin struct {
	Role Role
	// KeepConn asks the responder to leave the connection open afterwards.
	KeepConn bool
}

// Append appends the eight bytes of the content.
func (r Begin) Append(b []byte) []byte {
	flags := byte(0)
	if r.KeepConn {
		flags = 1
	}
	return append(b, byte(r.Role>>8), byte(r.Role), flags, 0, 0, 0, 0, 0)
}

// ParseBegin reads the content of BEGIN_REQUEST. Flags that nobody has defined
// are ignored, as they must be.
func ParseBegin(content []byte) (Begin, error) {
	if len(content) != 8 {
		return Begin{}, contentError(BeginRequest, content)
	}
	return Begin{Role(binary.BigEndian.Uint16(content)), content[2]&1 != 0}, nil
}

// An End is the content of END_REQUEST (section 5.5).
type End struct {
	// AppStatus is the application's, what a CGI program would exit with.
	AppStatus uint32
	Status    ProtocolStatus
}

// Append appends the eight bytes of the content.
func (e End) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, e.AppStatus)
	return append(b, byte(e.Status), 0, 0, 0)
}

// ParseEnd reads the content of END_REQUEST.
func ParseEnd(content []byte) (End, error) {
	if len(content) != 8 {
		return End{}, contentError(EndRequest, content)
	}
	return End{binary.BigEndian.Uint32(content), ProtocolStatus(content[4])}, nil
}

// AppendUnknown appends the content of UNKNOWN_TYPE, which says that a
// management record of type t was not understood (section 4.2).
func AppendUnknown(b []byte, t RecordType) []byte { return append(b, byte(t), 0, 0, 0, 0, 0, 0, 0) }

// ParseUnknown reads the content of UNKNOWN_TYPE.
func ParseUnknown(content []byte) (RecordType, error) {
	if len(content) != 8 {
		return 0, contentError(UnknownType, content)
	}
	return RecordType(content[0]), nil
}

func contentError(t RecordType, content []byte) error {
	return &ProtocolError{Protocol: "FastCGI", Why: fmt.Sprintf("%v with %d bytes; it has 8", t, len(content))}
}

// AppendPair appends a name and a value with their lengths, each of one byte
// up to 127, else of four with the top bit set (section 3.4). Neither can be
// longer than 2³¹−1 bytes.
func AppendPair(b []byte, name, value string) []byte {
	b = appendLength(b, len(name))
	b = appendLength(b, len(value))
	b = append(b, name...)
	return append(b, value...)
}

func appendLength(b []byte, n int) []byte {
	if n < 1<<7 {
		return append(b, byte(n))
	}
	return binary.BigEndian.AppendUint32(b, uint32(n)|1<<31)
}

// ParsePair takes the first pair off b, without copying it. The error is
// io.ErrUnexpectedEOF if b ends before the pair.
func ParsePair(b []byte) (name, value, rest []byte, err error) {
	n, at, ok := parseLength(b, 0)
	if !ok {
		return nil, nil, b, io.ErrUnexpectedEOF
	}
	v, at, ok := parseLength(b, at)
	if !ok || uint64(len(b)-at) < uint64(n)+uint64(v) {
		return nil, nil, b, io.ErrUnexpectedEOF
	}
	mid, end := at+int(n), at+int(n)+int(v)
	return b[at:mid:mid], b[mid:end:end], b[end:], nil
}

func parseLength(b []byte, at int) (n uint32, next int, ok bool) {
	switch {
	case at >= len(b):
		return 0, at, false
	case b[at] < 1<<7:
		return uint32(b[at]), at + 1, true
	case at+4 > len(b):
		return 0, at, false
	}
	return binary.BigEndian.Uint32(b[at:]) &^ (1 << 31), at + 4, true
}
