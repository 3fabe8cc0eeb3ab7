package trace

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// A Request is what the client sends. Its zero value is GET of "" as
// HTTP/1.1.
type Request struct {
	Method string // "" = GET, or POST with a body
	Target string // "/echo?x=1", as it is sent
	// Header has the caller's fields in order. One of the client's own
	// (Host, User-Agent, Accept, Content-Length) is replaced by a field of the
	// same name.
	Header []Header
	Body   []byte // nil = none
	// Timeout is how long to wait for the whole answer; 0 = for ever.
	Timeout time.Duration
	HTTP10  bool // speak HTTP/1.0, which ends the connection after the answer
}

// A Header is a header field of a Request. One without a value to be sent is
// marked Remove: the client then leaves its own field of the name out.
type Header struct {
	Name, Value string
	Remove      bool
}

// ParseHeader reads a header field as curl's --header does: "Name: value"; a
// "Name:" removes the client's own field; "Name;" sends one without a value.
func ParseHeader(text string) (Header, error) {
	if strings.ContainsAny(text, "\r\n\x00") {
		return Header{}, fmt.Errorf("header %q: line ends and NUL can't be in it", text)
	}
	name, val, ok := strings.Cut(text, ":")
	if !ok {
		name, ok = strings.CutSuffix(text, ";")
		if !ok {
			return Header{}, fmt.Errorf("header %q: expected \"Name: value\", \"Name:\" to leave one out or \"Name;\" for one without a value", text)
		}
		return Header{Name: name}, validName(name)
	}
	val = strings.Trim(val, " \t")
	return Header{Name: name, Value: val, Remove: val == ""}, validName(name)
}

func validName(name string) error {
	ok := name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	})
	if !ok {
		return fmt.Errorf("header name %q: letters, digits and - make one", name)
	}
	return nil
}

// Check refuses what no HTTP message can be made of.
func (r *Request) Check() error {
	if !strings.HasPrefix(r.Target, "/") {
		return fmt.Errorf("path %q: it must start with /", r.Target)
	}
	for _, c := range []byte(r.Target) {
		if c <= ' ' || c == 0x7f || c == '#' {
			return fmt.Errorf("path %q: %q can't stand in a request line; write it as %%%02X", r.Target, c, c)
		}
	}
	if r.Method != "" && validName(r.Method) != nil {
		return fmt.Errorf("method %q: letters make one", r.Method)
	}
	return nil
}

// method is what will be sent.
func (r *Request) method() string {
	switch {
	case r.Method != "":
		return r.Method
	case r.Body != nil:
		return http.MethodPost
	}
	return http.MethodGet
}

// String is the request in a few words.
func (r *Request) String() string { return r.method() + " " + r.Target }

// bytes writes the request for a server. The body goes in one piece, framed by
// Content-Length, or in one chunk if the caller's fields say "Transfer-Encoding:
// chunked".
func (r *Request) bytes(host string) ([]byte, error) {
	if err := r.Check(); err != nil {
		return nil, err
	}
	version := "HTTP/1.1"
	if r.HTTP10 {
		version = "HTTP/1.0"
	}
	own := []Header{{Name: "Host", Value: host}, {Name: "User-Agent", Value: "lab"}, {Name: "Accept", Value: "*/*"}}
	chunked := false
	for _, h := range r.Header {
		if strings.EqualFold(h.Name, "Transfer-Encoding") && !h.Remove {
			if !strings.EqualFold(h.Value, "chunked") {
				return nil, fmt.Errorf("header Transfer-Encoding: %s: the client can only send chunked", h.Value)
			}
			chunked = true
		}
	}
	if chunked && r.HTTP10 {
		return nil, errors.New("header Transfer-Encoding: HTTP/1.0 has no chunks")
	}
	if r.Body != nil && !chunked {
		own = append(own, Header{Name: "Content-Length", Value: fmt.Sprint(len(r.Body))})
	}
	own = slices.DeleteFunc(own, func(o Header) bool {
		return slices.ContainsFunc(r.Header, func(h Header) bool { return strings.EqualFold(h.Name, o.Name) })
	})
	b := fmt.Appendf(nil, "%s %s %s\r\n", r.method(), r.Target, version)
	for _, h := range slices.Concat(own, r.Header) {
		if !h.Remove {
			b = fmt.Appendf(b, "%s: %s\r\n", h.Name, h.Value)
		}
	}
	b = append(b, "\r\n"...)
	switch {
	case chunked && len(r.Body) > 0:
		b = fmt.Appendf(b, "%x\r\n%s\r\n0\r\n\r\n", len(r.Body), r.Body)
	case chunked:
		b = append(b, "0\r\n\r\n"...)
	default:
		b = append(b, r.Body...)
	}
	return b, nil
}
