package trace

import (
	"bytes"
)

// decodeEnvironment cuts an environment block: NAME=value strings, each ended
// by a NUL (execve(2)).
func decodeEnvironment(b []byte) []Message {
	if len(b) == 0 {
		return nil
	}
	c := &cutter{b: b}
	for !c.done() {
		word := c.rest()
		end := bytes.IndexByte(word, 0)
		if end < 0 {
			c.unknown("NAME=value and a NUL")
			break
		}
		name, val, ok := bytes.Cut(word[:end], []byte("="))
		if !ok {
			c.cut(end+1, "no variable", quote(word[:end]), "a string without =")
			continue
		}
		c.row(value(name), value(val), "", func(c *cutter) {
			c.cut(len(name), "name", value(name), "")
			c.cut(1, "separator", "=", "")
			c.cut(len(val), "value", value(val), "")
			c.cut(1, "end", `\x00`, "")
		}).role = roleVariable
	}
	return []Message{{What: "environment", Short: "environment of " + number(len(c.fields), "variable"), Length: len(b), Fields: c.fields}}
}

// decodeBody makes one message of bytes that have no form of their own.
func decodeBody(b []byte, what, meaning string) []Message {
	if len(b) == 0 {
		return nil
	}
	return []Message{{What: what, Short: what, Length: len(b), body: true,
		Fields: []Field{{Name: "body", Value: quote(b), Length: len(b), Meaning: meaning}}}}
}

// decodeCGI cuts a CGI response: header fields in lines that end in LF or
// CRLF, an empty line, the document (RFC 3875 §6). A program that answers with
// a status line speaks HTTP itself (§5), as some SCGI and uwsgi responders do.
func decodeCGI(b []byte) []Message {
	if len(b) == 0 {
		return nil
	}
	fields, head := cgiFields(b)
	if head == 0 || head == len(b) {
		return []Message{{What: cgiWhat(fields), Short: cgiShort(fields), Length: len(b), Fields: fields}}
	}
	last := len(fields) - 1
	return []Message{
		{What: cgiWhat(fields), Short: cgiShort(fields), Length: head, Fields: fields[:last]},
		{What: "document", Short: "document", Offset: head, Length: len(b) - head, Fields: fields[last:], body: true},
	}
}

// cgiFields is decodeCGI in one piece: the fields, and where the document
// begins.
func cgiFields(b []byte) ([]Field, int) {
	c := &cutter{b: b}
	if bytes.HasPrefix(b, []byte("HTTP/")) {
		statusLine(c)
	}
	headerFields(c, "the empty line ends the header; the document follows")
	head := c.at
	if !c.done() {
		c.cut(len(b), "document", quote(c.rest()), "goes to the client as the body")
	}
	return c.fields, head
}

// cgiWhat names a response header; without a Status field it means something
// all the same (§6.3.3).
func cgiWhat(fields []Field) string {
	if header(fields, "Status")+header(fields, "Location")+find(fields, roleStatus) == "" {
		return "response header; no Status, which means 200"
	}
	return "response header"
}

func cgiShort(fields []Field) string {
	if s := header(fields, "Status"); s != "" {
		return "Status: " + s
	}
	if s := find(fields, roleStatus); s != "" {
		return s + " " + find(fields, roleReason)
	}
	if s := header(fields, "Location"); s != "" {
		return "Location: " + s
	}
	n := 0
	for _, f := range fields {
		if f.role == roleHeader {
			n++
		}
	}
	return "header of " + number(n, "field")
}
