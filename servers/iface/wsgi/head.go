package wsgi

import (
	"fmt"
	"strconv"
	"strings"

	"gatewaylab/servers/app"
)

// parseStatus takes a status string apart: three digits, a space, a phrase.
func parseStatus(status string) (code int, reason string, err error) {
	if len(status) < 4 || status[3] != ' ' || !digits(status[:3]) || status[0] == '0' {
		return 0, "", fmt.Errorf("wsgi: status %.60q: expected three digits from 100 on, a space and a phrase", status)
	}
	if at := control(status); at >= 0 {
		return 0, "", fmt.Errorf("wsgi: status %.60q: control byte %#02x", status, status[at])
	}
	code = int(status[0]-'0')*100 + int(status[1]-'0')*10 + int(status[2]-'0')
	return code, status[4:], nil
}

func digits(s string) bool {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return s != ""
}

// control finds a control byte, or returns -1.
func control(s string) int {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] == 0x7f {
			return i
		}
	}
	return -1
}

// checkHeader holds a header to what a server must not let through, and takes
// Content-Length out of it.
func checkHeader(header []app.Field) (length int64, kept []app.Field, err error) {
	length, kept = -1, header[:0]
	for _, f := range header {
		switch {
		case !tokens(f.Name):
			return 0, nil, fmt.Errorf("wsgi: %.60q is not a field name (RFC 9110 section 5.1)", f.Name)
		case control(f.Value) >= 0:
			return 0, nil, fmt.Errorf("wsgi: field %s: control byte %#02x in its value", f.Name, f.Value[control(f.Value)])
		case HopByHop(f.Name):
			return 0, nil, fmt.Errorf("wsgi: field %s is about the connection, which is the server's", f.Name)
		case strings.EqualFold(f.Name, "Content-Length"):
			n, err := strconv.ParseInt(f.Value, 10, 64)
			switch {
			case err != nil || !digits(f.Value):
				return 0, nil, fmt.Errorf("wsgi: content-length %.60q is not a number of bytes", f.Value)
			case length >= 0:
				return 0, nil, fmt.Errorf("wsgi: field Content-Length appears twice")
			}
			length = n
			continue
		}
		kept = append(kept, f)
	}
	return length, kept, nil
}

// tokens says whether s can be a field name (RFC 9110 section 5.6.2).
func tokens(s string) bool {
	for _, c := range []byte(s) {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0) {
			return false
		}
	}
	return s != ""
}

// HopByHop says whether PEP 3333 forbids applications to set the field: it is
// about one connection, not about the answer. The name may be in any case.
// (The list is RFC 2616's, section 13.5.1, as in wsgiref.)
func HopByHop(name string) bool {
	switch len(name) {
	case len("TE"):
		return strings.EqualFold(name, "TE")
	case len("Upgrade"):
		return strings.EqualFold(name, "Upgrade") || strings.EqualFold(name, "Trailer")
	case len("Trailers"):
		return strings.EqualFold(name, "Trailers")
	case len("Connection"):
		return strings.EqualFold(name, "Connection") || strings.EqualFold(name, "Keep-Alive")
	case len("Proxy-Connection"):
		return strings.EqualFold(name, "Proxy-Connection")
	case len("Transfer-Encoding"):
		return strings.EqualFold(name, "Transfer-Encoding")
	case len("Proxy-Authenticate"):
		return strings.EqualFold(name, "Proxy-Authenticate")
	case len("Proxy-Authorization"):
		return strings.EqualFold(name, "Proxy-Authorization")
	}
	return false
}
