package trace

import (
	"fmt"
	"strconv"
	"strings"

	"gatewaylab/servers/wire"
)

// fcgiName is a record type's name without the prefix that all have.
func fcgiName(t wire.RecordType) string { return strings.TrimPrefix(t.String(), "FCGI_") }

// streamed says whether a record's content is a piece of a stream.
func streamed(t wire.RecordType) bool { return t >= wire.Params && t <= wire.Data }

// A fcgiStream is what the records of one type and request carry together: a
// stream is cut where its writer pleased (§3.3), names and header lines too.
type fcgiStream struct {
	kind     wire.RecordType
	bytes    []byte
	segments []segment
}

// A segment is the part of a carried stream that stands in one record.
type segment struct{ message, offset, length int }

// A fcgiDecoder walks along one way of a FastCGI connection.
type fcgiDecoder struct {
	b        []byte
	messages []Message
	open     map[uint32]*fcgiStream // by type and request id
	streams  []*fcgiStream
	seen     map[wire.RecordType]int
	active   map[uint16]bool // requests of which more records are to come
}

// decodeFastCGI cuts a way of a FastCGI connection into its records (§3.3).
func decodeFastCGI(b []byte) []Message {
	d := &fcgiDecoder{b: b, open: map[uint32]*fcgiStream{}, seen: map[wire.RecordType]int{}, active: map[uint16]bool{}}
	padding := map[int]Field{}
	for at := 0; at < len(b); {
		c := &cutter{b: b, at: at}
		pad := d.record(c)
		m := &d.messages[len(d.messages)-1]
		m.Offset, m.Length, m.Fields = at, c.at-at, c.fields
		if pad > 0 { // behind the content, whose fields come when the stream is whole
			padding[len(d.messages)-1] = m.Fields[len(m.Fields)-1]
			m.Fields = m.Fields[:len(m.Fields)-1]
		}
		at = c.at
	}
	for _, s := range d.streams {
		for i, part := range s.split(s.fields()) {
			m := &d.messages[s.segments[i].message]
			m.Fields = append(m.Fields, part...)
		}
	}
	for i, f := range padding {
		d.messages[i].Fields = append(d.messages[i].Fields, f)
	}
	return d.messages
}

// record cuts one record. Of a stream's content it only takes note; it returns
// how much padding it cut.
func (d *fcgiDecoder) record(c *cutter) (padding int) {
	r := c.rest()
	if len(r) < wire.RecordHeader || r[0] != 1 {
		c.unknown("a record header of 8 bytes that begins with version 1 (FastCGI §3.3)")
		d.messages = append(d.messages, Message{What: "no record", Short: "not understood"})
		return 0
	}
	head, err := wire.ParseHeader(r)
	if err != nil { // can't be: its length and version are right
		c.unknown(err.Error())
	}
	kind, id, length, pad := head.Type, head.ID, head.Content, head.Padding
	name := fcgiName(kind)
	whose, shared := d.request(kind, id, length)
	meaning := "FastCGI §3.3; numbers are big-endian. " + fcgiRecords[kind]
	if shared {
		meaning += ". Its request shares the connection with others that are under way"
	}
	c.row("record header", fmt.Sprintf("version 1, type %d %s, request %d, content %d, padding %d, reserved %d", kind, name, id, length, pad, r[7]), meaning, func(c *cutter) {
		c.cut(1, "version", "1", "of FastCGI; there is no other")
		c.cut(1, "type", strconv.Itoa(int(kind))+" "+name, fcgiRecords[kind])
		c.cut(2, "requestId", strconv.Itoa(int(id)), whose)
		c.cut(2, "contentLength", strconv.Itoa(length), "65535 at most; what is longer comes in several records")
		c.cut(1, "paddingLength", strconv.Itoa(pad), "bytes after the content that are to be skipped")
		c.cut(1, "reserved", strconv.Itoa(int(r[7])), "")
	})
	d.seen[kind]++
	m := Message{What: name + " record", Short: name}
	if n := d.seen[kind]; n > 1 {
		m.What += " " + strconv.Itoa(n)
	}
	content := c.rest()[:min(length, len(c.rest()))]
	key := uint32(kind)<<16 | uint32(id)
	switch {
	case streamed(kind) && len(content) > 0:
		s := d.open[key]
		if s == nil {
			s = &fcgiStream{kind: kind}
			d.open[key] = s
			d.streams = append(d.streams, s)
		}
		s.segments = append(s.segments, segment{len(d.messages), c.at, len(content)})
		s.bytes = append(s.bytes, content...)
		c.at += len(content)
	case streamed(kind) && length == 0:
		delete(d.open, key)
		m.What += ", empty"
		m.Short += " (end)"
		c.fields[len(c.fields)-1].Meaning = "an empty record ends the stream (FastCGI §3.3)"
	default:
		fcgiContent(c, kind, len(content))
		if kind == wire.EndRequest || kind == wire.BeginRequest {
			for k := range d.open {
				if uint16(k) == id {
					delete(d.open, k)
				}
			}
		}
	}
	d.messages = append(d.messages, m)
	if pad = min(pad, len(c.rest())); pad > 0 {
		c.cut(pad, "padding", number(pad, "byte"), "to a multiple of 8; its content means nothing")
	}
	return pad
}

// request says whose a record is, and takes note of which requests are under
// way: a connection on which there are several is shared.
func (d *fcgiDecoder) request(kind wire.RecordType, id uint16, length int) (meaning string, shared bool) {
	if id == 0 {
		return "0: about the connection, and none of its requests", false
	}
	shared = len(d.active) > 1 || len(d.active) == 1 && !d.active[id]
	d.active[id] = true
	switch {
	case kind == wire.EndRequest, kind == wire.AbortRequest, kind == wire.Stdin && length == 0:
		delete(d.active, id) // its last on this way
	}
	if shared {
		return "whose record this is: other requests are in the middle of theirs on this connection, which they share (multiplexing)", true
	}
	return "whose record this is; the number is the gateway's choice, and free again after END_REQUEST", false
}

// fcgiRecords say what a record is for.
var fcgiRecords = map[wire.RecordType]string{
	wire.BeginRequest:    "The gateway begins a request and gives it a number",
	wire.AbortRequest:    "The gateway gives the request up: its client has gone",
	wire.EndRequest:      "The application has done with the request; by this its answer is known to be whole",
	wire.Params:          "The CGI variables, which are a stream that an empty record ends",
	wire.Stdin:           "The request's body, which an empty record ends, however long it is",
	wire.Stdout:          "The answer, as a CGI program would print it",
	wire.Stderr:          "What the application has to say to the gateway's log, between pieces of the answer",
	wire.Data:            "A file for an application that is a filter",
	wire.GetValues:       "The gateway asks how much it may ask of the application at a time",
	wire.GetValuesResult: "The application says how much it may be asked at a time",
	wire.UnknownType:     "The application doesn't know such records",
}

// fcgiValues are what GET_VALUES asks for (§4.1).
var fcgiValues = map[string]string{
	wire.MaxConns:  "how many connections the application takes at a time",
	wire.MaxReqs:   "how many requests the application takes at a time",
	wire.MpxsConns: "1: several requests may share a connection, their records mixed; 0: one after another",
}

func fcgiStatus(s wire.ProtocolStatus) string {
	switch s {
	case wire.CantMultiplex:
		return "the application takes one request at a time on a connection, and has one; the gateway may ask again on another"
	case wire.Overloaded:
		return "the application takes no more requests now; the client is answered 503"
	case wire.UnknownRole:
		return "the application doesn't play the role that it was asked to"
	}
	return "the request was answered as far as the protocol is concerned; whether with 200 or 500 stands in STDOUT"
}

// fcgiContent cuts the content of a record that is no part of a stream (§4,
// §5).
func fcgiContent(c *cutter, kind wire.RecordType, length int) {
	content := c.rest()[:length]
	switch {
	case kind == wire.BeginRequest && length == 8:
		b, err := wire.ParseBegin(content)
		if err != nil {
			c.cut(length, "not understood", quote(content), err.Error())
			return
		}
		c.cut(2, "role", fmt.Sprintf("%d %s", b.Role, strings.TrimPrefix(b.Role.String(), "FCGI_")), "what the application is to be (FastCGI §5.1): a RESPONDER answers the request, as a CGI program does")
		c.cut(1, "flags", strconv.Itoa(int(content[2]))+map[bool]string{true: " KEEP_CONN", false: ""}[b.KeepConn], "KEEP_CONN: the application leaves the connection open after the answer, for the gateway's next request; without it, closes it")
		c.cut(5, "reserved", value(content[3:]), "")
	case kind == wire.EndRequest && length == 8:
		e, err := wire.ParseEnd(content)
		if err != nil {
			c.cut(length, "not understood", quote(content), err.Error())
			return
		}
		c.cut(4, "appStatus", strconv.FormatUint(uint64(e.AppStatus), 10), "what a CGI program would have exited with (FastCGI §5.5)")
		c.cut(1, "protocolStatus", fmt.Sprintf("%d %s", e.Status, strings.TrimPrefix(e.Status.String(), "FCGI_")), fcgiStatus(e.Status))
		c.cut(3, "reserved", value(content[5:]), "")
	case kind == wire.UnknownType && length == 8:
		c.cut(1, "type", strconv.Itoa(int(content[0])), "the record type that is not known here (FastCGI §4.2)")
		c.cut(7, "reserved", value(content[1:]), "")
	case kind == wire.GetValues || kind == wire.GetValuesResult:
		in := &cutter{b: content}
		fcgiPairs(in, roleNone)
		shift(in.fields, c.at)
		c.fields = append(c.fields, in.fields...)
		c.at += length
	case length > 0:
		c.cut(length, "content", quote(content), "")
	}
}

// fcgiPairs cuts name-value pairs (§3.4): lengths of one byte up to 127, of
// four with the top bit set above.
func fcgiPairs(c *cutter, r role) {
	for !c.done() {
		b := c.rest()
		name, val, rest, err := wire.ParsePair(b)
		if err != nil {
			c.unknown("a pair: two lengths, name, value (FastCGI §3.4)")
			return
		}
		lengths := len(b) - len(rest) - len(name) - len(val)
		first := 1
		if b[0] >= 0x80 {
			first = 4
		}
		meaning := ""
		if r == roleNone {
			meaning = fcgiValues[string(name)]
		}
		c.row(value(name), value(val), meaning, func(c *cutter) {
			c.cut(first, "name length", strconv.Itoa(len(name)), "one byte up to 127, else four with the top bit set")
			c.cut(lengths-first, "value length", strconv.Itoa(len(val)), "the same; both lengths stand before name and value")
			c.cut(len(name), "name", value(name), "")
			c.cut(len(val), "value", value(val), "")
		}).role = r
	}
}

// fields cuts what a stream's records carry together.
func (s *fcgiStream) fields() []Field {
	switch s.kind {
	case wire.Params:
		c := &cutter{b: s.bytes}
		fcgiPairs(c, roleVariable)
		return c.fields
	case wire.Stdout:
		fields, _ := cgiFields(s.bytes)
		return fields
	}
	meaning := map[wire.RecordType]string{wire.Stdin: "the request's body", wire.Stderr: "for the gateway's log", wire.Data: "a filter's file"}[s.kind]
	return []Field{{Name: strings.ToLower(fcgiName(s.kind)), Value: quote(s.bytes), Length: len(s.bytes), Meaning: meaning}}
}

// split deals fields of the carried stream out to the records it stands in, and
// cuts those that a record's end cuts.
func (s *fcgiStream) split(fields []Field) [][]Field {
	out := make([][]Field, len(s.segments))
	begin := 0
	for i, g := range s.segments {
		out[i] = within(fields, begin, begin+g.length, g.offset-begin)
		begin += g.length
	}
	return out
}

// within is the parts of fields that stand between two offsets, shifted.
func within(fields []Field, from, to, by int) (out []Field) {
	for _, f := range fields {
		begin, end := max(f.Offset, from), min(f.Offset+f.Length, to)
		if begin >= end {
			continue
		}
		if begin > f.Offset || end < f.Offset+f.Length {
			f.Value = fmt.Sprintf("%s (bytes %d–%d of %d)", f.Value, begin-f.Offset, end-f.Offset-1, f.Length)
			if begin > f.Offset {
				f.Name, f.role = f.Name+", going on", roleNone
			}
		}
		f.Parts = within(f.Parts, from, to, by)
		f.Offset, f.Length = begin+by, end-begin
		out = append(out, f)
	}
	return out
}
