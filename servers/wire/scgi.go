package wire

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"gatewaylab/servers/app"
)

// MaxSCGI is how many bytes of variables an SCGI request may have. The
// protocol sets no limit, but a netstring's reader has to have one.
const MaxSCGI = 64 << 10

// maxDigits are the digits of a netstring's length: more don't fit any limit.
const maxDigits = 9

// AppendSCGI appends a request's netstring: CONTENT_LENGTH first, 0 if it is
// not among the variables; SCGI=1; then the others in their order. It fails on
// what the protocol can't carry: a NUL byte, an empty name, a name that occurs
// twice, unless it is that of a header field.
func AppendSCGI(b []byte, vars []app.Field) ([]byte, error) {
	if err := checkSCGI(vars); err != nil {
		return b, err
	}
	length, _ := lookup(vars, "CONTENT_LENGTH")
	if length == "" {
		length = "0"
	}
	size := len("CONTENT_LENGTH") + len(length) + len("SCGI") + len("1") + 4
	for i := range vars {
		if !fixedSCGI(vars[i].Name) {
			size += len(vars[i].Name) + len(vars[i].Value) + 2
		}
	}
	b = append(strconv.AppendInt(b, int64(size), 10), ':')
	b = appendSCGIVar(b, "CONTENT_LENGTH", length)
	b = appendSCGIVar(b, "SCGI", "1")
	for i := range vars {
		if !fixedSCGI(vars[i].Name) {
			b = appendSCGIVar(b, vars[i].Name, vars[i].Value)
		}
	}
	return append(b, ','), nil
}

func fixedSCGI(name string) bool { return name == "CONTENT_LENGTH" || name == "SCGI" }

func appendSCGIVar(b []byte, name, value string) []byte {
	b = append(append(b, name...), 0)
	return append(append(b, value...), 0)
}

// checkSCGI finds variables that can't be carried.
func checkSCGI(vars []app.Field) error {
	if len(vars) > maxVarCount {
		return tooMany("SCGI")
	}
	for i := range vars {
		name := vars[i].Name
		if name == "" {
			return &ProtocolError{Protocol: "SCGI", Why: "a variable without a name"}
		}
		for j := range i {
			if vars[j].Name == name && !strings.HasPrefix(name, "HTTP_") {
				return &ProtocolError{Protocol: "SCGI", Why: fmt.Sprintf("variable %.60q occurs twice", name)}
			}
		}
		if nul(name) || nul(vars[i].Value) {
			return &ProtocolError{Protocol: "SCGI", Why: fmt.Sprintf("variable %.60q has a NUL byte, with which SCGI ends a value", name)}
		}
	}
	return nil
}

func nul(s string) bool {
	for i := range len(s) {
		if s[i] == 0 {
			return true
		}
	}
	return false
}

// ParseNetstringLength reads the length with which a netstring begins, up to
// and including the colon. No bytes of head read means that more are needed;
// it needs no more than eleven.
func ParseNetstringLength(head []byte) (n, read int, err error) {
	for i, c := range head {
		switch {
		case c == ':' && i > 0:
			return n, i + 1, nil
		case c < '0' || c > '9' || i > 0 && head[0] == '0':
			return 0, 0, foreign("SCGI", head, "a request that begins with "+quoted(head)+" and not with a netstring's length")
		case i == maxDigits:
			return 0, 0, &ProtocolError{Protocol: "SCGI", Oversize: true, Why: fmt.Sprintf("a netstring's length of more than %d digits", maxDigits)}
		}
		n = 10*n + int(c-'0')
	}
	return 0, 0, nil
}

// ParseSCGIVars reads the content of a request's netstring and appends its
// variables to vars. They share one copy of it. It holds them to the
// protocol's rules: CONTENT_LENGTH first, a number; SCGI=1; no name twice. Of
// the last the names of header fields (HTTP_…) are excepted: nginx passes a
// repeated field on as often as it came.
func ParseSCGIVars(block []byte, vars []app.Field) ([]app.Field, error) {
	if len(block) > 0 && block[len(block)-1] != 0 {
		return vars, &ProtocolError{Protocol: "SCGI", Why: "the netstring does not end with a NUL byte"}
	}
	first := len(vars)
	text := string(block)
	for at := 0; at < len(block); {
		mid := bytes.IndexByte(block[at:], 0) + at
		end := bytes.IndexByte(block[mid+1:], 0) + mid + 1
		switch {
		case end == mid:
			return vars, &ProtocolError{Protocol: "SCGI", Why: fmt.Sprintf("variable %.60q has no value", text[at:mid])}
		case len(vars)-first == maxVarCount:
			return vars, tooMany("SCGI")
		}
		vars = append(vars, app.Field{Name: text[at:mid], Value: text[mid+1 : end]})
		at = end + 1
	}
	got := vars[first:]
	if err := checkSCGI(got); err != nil {
		return vars, err
	}
	if len(got) == 0 || got[0].Name != "CONTENT_LENGTH" {
		return vars, &ProtocolError{Protocol: "SCGI", Why: "CONTENT_LENGTH is not the first variable"}
	}
	if _, err := contentLength("SCGI", got[:1]); err != nil {
		return vars, err
	}
	if v, _ := lookup(got, "SCGI"); v != "1" {
		return vars, &ProtocolError{Protocol: "SCGI", Why: fmt.Sprintf("variable SCGI is %.20q, not \"1\"", v)}
	}
	return vars, nil
}
