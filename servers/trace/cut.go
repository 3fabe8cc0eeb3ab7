package trace

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A cutter cuts bytes into fields, from left to right, so that none can be
// left out or named twice.
type cutter struct {
	b      []byte
	at     int
	fields []Field
}

func (c *cutter) rest() []byte { return c.b[c.at:] }

func (c *cutter) done() bool { return c.at == len(c.b) }

// cut makes a field of the next n bytes, or of what there is of them.
func (c *cutter) cut(n int, name, value, meaning string) *Field {
	n = min(n, len(c.b)-c.at)
	c.fields = append(c.fields, Field{Name: name, Value: value, Offset: c.at, Length: n, Meaning: meaning})
	c.at += n
	return &c.fields[len(c.fields)-1]
}

// row makes one field of the fields that inner cuts.
func (c *cutter) row(name, value, meaning string, inner func(*cutter)) *Field {
	in := &cutter{b: c.b, at: c.at}
	inner(in)
	f := c.cut(in.at-c.at, name, value, meaning)
	f.Parts = in.fields
	return f
}

// unknown makes a field of all that is left, saying what was expected.
func (c *cutter) unknown(expected string) {
	if !c.done() {
		c.cut(len(c.b), "not understood", quote(c.rest()), "expected "+expected)
	}
}

// line is the next line with its end; ok says whether it has one.
func (c *cutter) line() (line []byte, ok bool) {
	i := bytes.IndexByte(c.rest(), '\n')
	if i < 0 {
		return c.rest(), false
	}
	return c.rest()[:i+1], true
}

// lineEnd shows the ends of lines.
var lineEnd = strings.NewReplacer("\r", `\r`, "\n", `\n`)

// shown is how many bytes a value shows at most; all are there beside it.
const shown = 200

// quote shows bytes as text: printable ASCII and UTF-8 as it is, the rest as Go
// would escape it, without the quotation marks.
func quote(b []byte) string {
	cutOff := ""
	if len(b) > shown {
		cut := shown
		for cut > shown-utf8.UTFMax && !utf8.RuneStart(b[cut]) {
			cut--
		}
		cutOff = fmt.Sprintf(" … and %d bytes more", len(b)-cut)
		b = b[:cut]
	}
	q := strconv.Quote(string(b))
	return strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`) + cutOff
}

// value is quote for a value of which nothing may be lost: it is compared with
// others.
func value(b []byte) string {
	q := strconv.Quote(string(b))
	return strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
}

// shift moves fields that were cut from a part of a stream to their place in
// it.
func shift(fields []Field, by int) {
	for i := range fields {
		fields[i].Offset += by
		shift(fields[i].Parts, by)
	}
}

// number words a number of things: "1 byte", "2 bytes".
func number(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}
