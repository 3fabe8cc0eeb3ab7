package wire

import (
	"encoding/binary"
	"fmt"
	"io"

	"gatewaylab/servers/app"
)

// Sizes of uwsgi.
const (
	UWSGIHeaderLen = 4     // bytes of a packet's header
	MaxUWSGI       = 65535 // bytes of a packet's variables: their number has 16 bits
	UWSGIBuffer    = 4096  // of which a uWSGI server takes so many unless told otherwise (its option buffer-size)
)

// A UWSGIHeader is the first four bytes of a uwsgi packet. Of the modifiers 0
// and 0 mean a request for a WSGI application, with CGI variables.
type UWSGIHeader struct {
	Modifier1 uint8
	Size      int // bytes of the variables that follow; little-endian on the wire
	Modifier2 uint8
}

// Append appends the header.
func (h UWSGIHeader) Append(b []byte) []byte {
	return append(b, h.Modifier1, byte(h.Size), byte(h.Size>>8), h.Modifier2)
}

// ParseUWSGIHeader reads a header from the first UWSGIHeaderLen bytes of b,
// which it must have. Any four bytes are one.
func ParseUWSGIHeader(b []byte) UWSGIHeader {
	_ = b[UWSGIHeaderLen-1]
	return UWSGIHeader{b[0], int(binary.LittleEndian.Uint16(b[1:])), b[3]}
}

// AppendUWSGI appends a packet with the variables. It fails if they take more
// than MaxUWSGI bytes.
func AppendUWSGI(b []byte, vars []app.Field) ([]byte, error) {
	start := len(b)
	b = UWSGIHeader{}.Append(b)
	for i := range vars {
		name, value := vars[i].Name, vars[i].Value
		if len(name)+len(value) > MaxUWSGI {
			return b[:start], uwsgiTooLarge(vars)
		}
		b = binary.LittleEndian.AppendUint16(b, uint16(len(name)))
		b = append(b, name...)
		b = binary.LittleEndian.AppendUint16(b, uint16(len(value)))
		b = append(b, value...)
	}
	size := len(b) - start - UWSGIHeaderLen
	if size > MaxUWSGI {
		return b[:start], uwsgiTooLarge(vars)
	}
	binary.LittleEndian.PutUint16(b[start+1:], uint16(size))
	return b, nil
}

func uwsgiTooLarge(vars []app.Field) error {
	size := 0
	for i := range vars {
		size += 4 + len(vars[i].Name) + len(vars[i].Value)
	}
	return &ProtocolError{Protocol: "uwsgi", Oversize: true,
		Why: fmt.Sprintf("the variables take %d bytes, and a packet's size is a number of 16 bits: it has at most %d", size, MaxUWSGI)}
}

// ParseUWSGIPair takes the first variable off b, without copying it. The error
// is io.ErrUnexpectedEOF if b ends before it does.
func ParseUWSGIPair(b []byte) (name, value, rest []byte, err error) {
	if name, rest, err = uwsgiString(b); err == nil {
		if value, rest, err = uwsgiString(rest); err == nil {
			return name, value, rest, nil
		}
	}
	return nil, nil, b, err
}

func uwsgiString(b []byte) (s, rest []byte, err error) {
	if len(b) < 2 {
		return nil, b, io.ErrUnexpectedEOF
	}
	end := 2 + int(binary.LittleEndian.Uint16(b))
	if len(b) < end {
		return nil, b, io.ErrUnexpectedEOF
	}
	return b[2:end:end], b[end:], nil
}

// ParseUWSGIVars reads the variables of a packet and appends them to vars.
// They share one copy of it.
func ParseUWSGIVars(block []byte, vars []app.Field) ([]app.Field, error) {
	text := string(block)
	for rest := block; len(rest) > 0; {
		name, value, after, err := ParseUWSGIPair(rest)
		switch {
		case err != nil:
			return vars, &ProtocolError{Protocol: "uwsgi", Why: "the packet ends in the middle of a variable"}
		case len(name) == 0:
			return vars, &ProtocolError{Protocol: "uwsgi", Why: "a variable without a name"}
		case len(vars) == maxVarCount:
			return vars, tooMany("uwsgi")
		}
		end := len(text) - len(after)
		from := end - len(value) - 2
		vars = append(vars, app.Field{Name: text[from-len(name) : from], Value: text[from+2 : end]})
		rest = after
	}
	return vars, nil
}

// check holds a header, whose bytes are b, to what a responder takes.
func (h UWSGIHeader) check(b []byte, buffer int) error {
	switch {
	case spoken(b) == "HTTP":
		return foreign("uwsgi", b, fmt.Sprintf("invalid request block size: %d, which is %q of %q read as a little-endian number (the buffer has %d)",
			h.Size, b[1:3], b[:4], buffer))
	case spoken(b) != "", h.Modifier1 != 0 || h.Modifier2 != 0:
		return foreign("uwsgi", b, fmt.Sprintf("modifiers %d and %d; only 0 and 0 are served here, WSGI requests", h.Modifier1, h.Modifier2))
	case h.Size > buffer:
		return &ProtocolError{Protocol: "uwsgi", Oversize: true,
			Why: fmt.Sprintf("invalid request block size: %d bytes of variables, and the buffer has %d; start the responder with a larger buffer, at most %d",
				h.Size, buffer, MaxUWSGI)}
	}
	return nil
}
