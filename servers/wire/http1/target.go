package http1

import "strings"

// splitTarget takes the target apart (RFC 9112 §3.2): a path, or an absolute
// URI of http or https, whose authority then stands for the Host field. What
// CONNECT and "OPTIONS *" ask for is nothing an application could be asked.
func (r *Request) splitTarget() (authority string, err error) {
	rest := r.Target
	if rest[0] != '/' {
		scheme, after, found := strings.Cut(rest, "://")
		if !found || !equalFold(scheme, "http") && !equalFold(scheme, "https") || r.Method == "CONNECT" {
			return "", errTarget()
		}
		end := strings.IndexAny(after, "/?")
		if end < 0 {
			end = len(after)
		}
		authority, rest = after[:end], after[end:]
		if authority == "" || !validHost(authority) {
			return "", errTarget()
		}
	} else if r.Method == "CONNECT" {
		return "", errTarget()
	}
	path, query, _ := strings.Cut(rest, "?")
	if path == "" {
		path = "/" // RFC 9110 §4.2.3
	}
	r.Query = query
	var ok bool
	if r.Path, ok = unescape(path); !ok {
		return "", refuse(400, "the path has a % that no byte follows, or a NUL byte")
	}
	return authority, nil
}

// validHost says whether s is a host and perhaps a port. There is no user name
// in it: "@" is not among the bytes.
func validHost(s string) bool {
	for i := range len(s) {
		if !isHost(s[i]) {
			return false
		}
	}
	port := ""
	if strings.HasPrefix(s, "[") {
		host, after, found := strings.Cut(s, "]")
		if !found || strings.Contains(host[1:], "[") || after != "" && after[0] != ':' {
			return false
		}
		port = strings.TrimPrefix(after, ":")
	} else {
		var host string
		host, port, _ = strings.Cut(s, ":")
		if strings.ContainsAny(host, "[]") {
			return false
		}
	}
	for i := range len(port) {
		if port[i] < '0' || port[i] > '9' {
			return false
		}
	}
	return true
}

func errTarget() *Error { return refuse(400, "the target must be a path") }

// unescape decodes %XX. A NUL byte is refused: no CGI variable can hold one.
func unescape(path string) (string, bool) {
	i := strings.IndexByte(path, '%')
	if i < 0 {
		return path, true
	}
	b := append(make([]byte, 0, len(path)), path[:i]...)
	for ; i < len(path); i++ {
		c := path[i]
		if c == '%' {
			if len(path)-i < 3 {
				return "", false
			}
			high, ok1 := unhex(path[i+1])
			low, ok2 := unhex(path[i+2])
			if c = high<<4 | low; !ok1 || !ok2 || c == 0 {
				return "", false
			}
			i += 2
		}
		b = append(b, c)
	}
	return string(b), true
}
