package trace

import (
	"bytes"
	"fmt"
	"strconv"

	"gatewaylab/servers/wire"
)

// decodeSCGI cuts an SCGI request: the variables in a netstring, then the body.
func decodeSCGI(b []byte) []Message {
	if len(b) == 0 {
		return nil
	}
	c := &cutter{b: b}
	n, read, err := wire.ParseNetstringLength(b)
	digits := b[:max(read-1, 0)]
	if err != nil || read == 0 || n > len(b)-read {
		c.unknown("a netstring: length in decimal, colon, variables, comma (SCGI)")
		return []Message{{What: "request", Short: "not understood", Length: len(b), Fields: c.fields}}
	}
	c.row("netstring length", number(n, "byte"), "how long the variables are together, names, values and NULs; in decimal digits, up to a colon (a netstring). With it a server knows how much to read before it looks at any", func(c *cutter) {
		c.cut(len(digits), "digits", string(digits), "")
		c.cut(1, "colon", ":", "")
	})
	for end := c.at + n; c.at < end; {
		name, rest, one := bytes.Cut(b[c.at:end], []byte{0})
		val, _, two := bytes.Cut(rest, []byte{0})
		if !one || !two {
			c.cut(end-c.at, "not understood", quote(b[c.at:end]), "expected a name and a value, each ended by a NUL")
			break
		}
		c.row(value(name), value(val), "", func(c *cutter) {
			c.cut(len(name), "name", value(name), "")
			c.cut(1, "end", `\x00`, "ends the name")
			c.cut(len(val), "value", value(val), "")
			c.cut(1, "end", `\x00`, "ends the value; so neither can hold a NUL")
		}).role = roleVariable
	}
	if !c.done() {
		c.cut(1, "comma", value(c.rest()[:1]), "ends the netstring; a request whose length was wrong is noticed here")
	}
	return withBody(b, c, "variables", number(variableCount(c.fields), "variable"))
}

// decodeUWSGI cuts a uwsgi request: a packet of variables, then the body.
func decodeUWSGI(b []byte) []Message {
	if len(b) == 0 {
		return nil
	}
	c := &cutter{b: b}
	if len(b) < wire.UWSGIHeaderLen {
		c.unknown("a packet header of 4 bytes")
		return []Message{{What: "request", Short: "not understood", Length: len(b), Fields: c.fields}}
	}
	head := wire.ParseUWSGIHeader(b)
	size := head.Size
	c.row("packet header", fmt.Sprintf("modifier1 %d, datasize %d, modifier2 %d", head.Modifier1, size, head.Modifier2), "whom the packet is for (modifier1 0: an application of WSGI), and how long its variables are together, little-endian; with that a server knows how much to read before it looks at any", func(c *cutter) {
		c.cut(1, "modifier1", strconv.Itoa(int(b[0])), modifier(b[0]))
		c.cut(2, "datasize", strconv.Itoa(size), "bytes of variables; little-endian, the low byte first. Two bytes: 65535 at most, and most servers take 4096")
		c.cut(1, "modifier2", strconv.Itoa(int(b[3])), "means something only to some kinds of modifier1")
	})
	for end := min(c.at+size, len(b)); c.at < end; {
		name, val, _, err := wire.ParseUWSGIPair(b[c.at:end])
		if err != nil {
			c.cut(end-c.at, "not understood", quote(b[c.at:end]), "expected two strings, each behind its length in two bytes")
			break
		}
		c.row(value(name), value(val), "", func(c *cutter) {
			c.cut(2, "name length", strconv.Itoa(len(name)), "little-endian")
			c.cut(len(name), "name", value(name), "")
			c.cut(2, "value length", strconv.Itoa(len(val)), "little-endian; nothing has to be searched for an end")
			c.cut(len(val), "value", value(val), "")
		}).role = roleVariable
	}
	return withBody(b, c, "uwsgi packet", number(variableCount(c.fields), "variable"))
}

// modifier says whom a uwsgi packet is for.
func modifier(m byte) string {
	switch {
	case m == 0:
		return "0: a request in the variables of WSGI, for the application"
	case 'A' <= m && m <= 'Z':
		return "for some other plugin of uWSGI; or this is the first letter of a request in HTTP, which was sent to the wrong port"
	}
	return "for some other plugin of uWSGI than that of WSGI"
}

func variableCount(fields []Field) (n int) {
	for _, f := range fields {
		if f.role == roleVariable {
			n++
		}
	}
	return n
}

// withBody makes a message of what was cut and one of the body behind it.
func withBody(b []byte, c *cutter, what, short string) []Message {
	messages := []Message{{What: what, Short: short, Length: c.at, Fields: c.fields}}
	if n := len(b) - c.at; n > 0 {
		messages = append(messages, Message{What: "request body", Short: "body", Offset: c.at, Length: n, body: true,
			Fields: []Field{{Name: "body", Value: quote(c.rest()), Offset: c.at, Length: n, Meaning: "as it came from the client, without framing: CONTENT_LENGTH says where it ends. The connection carries this one request, and its end is the answer's"}}})
	}
	return messages
}
