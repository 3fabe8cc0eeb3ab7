package load

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
)

// A head is what the start of a response says about the rest (RFC 9112
// sections 4, 6 and 9).
type head struct {
	code    int
	minor   int    // of HTTP/1.x
	status  []byte // "200 OK", in place
	fields  []byte // the field lines, in place, each with its line end
	length  int64  // Content-Length; −1 if none
	chunked bool
	close   bool // the connection can't be used again
}

// parseHead parses a whole head, through its empty line. The result refers to
// b. Lines may end with a bare LF, as RFC 9112 section 2.2 allows.
func parseHead(b []byte) (h head, err error) {
	line, rest := cutLine(b)
	if err := h.parseStatusLine(line); err != nil {
		return h, err
	}
	h.fields = rest
	h.length = -1
	var codings int
	var persist, faulty bool
	err = eachField(rest, func(name, value []byte) error {
		switch {
		case len(name) == 14 && equalFold(name, "content-length"):
			return h.setLength(value)
		case len(name) == 17 && equalFold(name, "transfer-encoding"):
			codings++
			if h.minor == 0 {
				// HTTP/1.0 has no transfer codings: RFC 9112 section 6.1 calls
				// the framing faulty. Read to the end, then close.
				faulty = true
				return nil
			}
			if codings > 1 || !equalFold(value, "chunked") {
				return malformed("transfer coding %q is not supported, only chunked is", clip(value))
			}
			h.chunked = true
		case len(name) == 10 && equalFold(name, "connection"):
			persist = h.setConnection(value) || persist
		}
		return nil
	})
	if err != nil {
		return h, err
	}
	if h.chunked && h.length >= 0 {
		// Chunked wins, and the connection can't be trusted afterwards (RFC
		// 9112 section 6.3).
		h.length, faulty = -1, true
	}
	h.close = h.close || faulty || h.minor == 0 && !persist
	return h, nil
}

func (h *head) parseStatusLine(line []byte) error {
	// HTTP/1.1 200 OK; the reason, and even the space before it, may be absent.
	const version = "HTTP/1."
	if len(line) < len("HTTP/1.1 200") || string(line[:len(version)]) != version ||
		!isDigit(line[7]) || line[8] != ' ' {
		return malformed("status line %q", clip(line))
	}
	h.minor = int(line[7] - '0')
	code := line[9:12]
	if code[0] < '1' || !isDigit(code[0]) || !isDigit(code[1]) || !isDigit(code[2]) || len(line) > 12 && line[12] != ' ' {
		return malformed("status line %q", clip(line))
	}
	h.code = int(code[0]-'0')*100 + int(code[1]-'0')*10 + int(code[2]-'0')
	h.status = line[9:]
	return nil
}

func (h *head) setLength(value []byte) error {
	// 18 digits are what surely fits.
	if len(value) == 0 || len(value) > 18 {
		return malformed("Content-Length %q", clip(value))
	}
	var n int64
	for _, c := range value {
		if !isDigit(c) {
			return malformed("Content-Length %q", clip(value))
		}
		n = n*10 + int64(c-'0')
	}
	if h.length >= 0 && h.length != n {
		return malformed("two lengths, %d and %d", h.length, n)
	}
	h.length = n
	return nil
}

// setConnection notes "close" and reports whether "keep-alive" is there.
func (h *head) setConnection(value []byte) (persist bool) {
	for len(value) > 0 {
		var option []byte
		option, value, _ = bytes.Cut(value, []byte{','})
		option = bytes.Trim(option, " \t")
		h.close = h.close || equalFold(option, "close")
		persist = persist || equalFold(option, "keep-alive")
	}
	return persist
}

// bodyless says that no body follows, whatever the fields say (RFC 9110
// section 6.4.1). 101 ends HTTP on the connection.
func (h *head) bodyless(toHEAD bool) bool {
	return toHEAD || h.code < 200 || h.code == http.StatusNoContent || h.code == http.StatusNotModified
}

// header copies the fields into a map.
func (h *head) header() http.Header {
	m := make(http.Header, bytes.Count(h.fields, []byte{'\n'}))
	_ = eachField(h.fields, func(name, value []byte) error { // parsed once already
		k := http.CanonicalHeaderKey(string(name))
		m[k] = append(m[k], string(value))
		return nil
	})
	return m
}

// eachField calls f for each field line of b, which ends with an empty line.
func eachField(b []byte, f func(name, value []byte) error) error {
	for {
		line, rest := cutLine(b)
		if len(line) == 0 {
			return nil
		}
		for len(rest) > 0 && (rest[0] == ' ' || rest[0] == '\t') {
			var more []byte
			more, rest = cutLine(rest)
			line = unfold(line, more)
		}
		b = rest
		colon := bytes.IndexByte(line, ':')
		if colon <= 0 {
			return malformed("header line %q", clip(line))
		}
		for _, c := range line[:colon] {
			if !isToken(c) {
				return malformed("header name %q", clip(line[:colon]))
			}
		}
		value := bytes.Trim(line[colon+1:], " \t")
		if bytes.IndexByte(value, 0) >= 0 || bytes.IndexByte(value, '\r') >= 0 {
			return malformed("header value %q", clip(value))
		}
		if err := f(line[:colon], value); err != nil {
			return err
		}
	}
}

// unfold joins a field line and its continuation (obs-fold) by one space, as
// RFC 9112 section 5.2 wants.
func unfold(line, more []byte) []byte {
	return bytes.Join([][]byte{bytes.TrimRight(line, " \t"), bytes.TrimLeft(more, " \t")}, []byte{' '})
}

// cutLine returns the first line without its end, and what follows.
func cutLine(b []byte) (line, rest []byte) {
	i := bytes.IndexByte(b, '\n')
	if i < 0 {
		return b, nil
	}
	line, rest = b[:i], b[i+1:]
	if i > 0 && line[i-1] == '\r' {
		line = line[:i-1]
	}
	return line, rest
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// isToken says whether c may stand in a header name (RFC 9110 section 5.6.2).
func isToken(c byte) bool {
	return 'a' <= c|0x20 && c|0x20 <= 'z' || isDigit(c) || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

// equalFold is for ASCII; lower must be in lower case.
func equalFold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i := range b {
		c := b[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// clip keeps error texts short, however long the offending bytes are.
func clip(b []byte) string {
	const most = 60
	if len(b) <= most {
		return string(b)
	}
	return string(b[:most]) + "… (" + strconv.Itoa(len(b)) + " bytes)"
}
