package asgi

// Lower is a field's name in lower case, as ASGI wants it, given the canonical
// form that the rest of the lab uses. Names that most messages have cost no
// memory.
func Lower(name string) string {
	switch name {
	case "Accept":
		return "accept"
	case "Accept-Encoding":
		return "accept-encoding"
	case "Accept-Language":
		return "accept-language"
	case "Allow":
		return "allow"
	case "Cache-Control":
		return "cache-control"
	case "Connection":
		return "connection"
	case "Content-Length":
		return "content-length"
	case "Content-Type":
		return "content-type"
	case "Cookie":
		return "cookie"
	case "Host":
		return "host"
	case "Referer":
		return "referer"
	case "Transfer-Encoding":
		return "transfer-encoding"
	case "Upgrade":
		return "upgrade"
	case "User-Agent":
		return "user-agent"
	}
	for i := range len(name) {
		if 'A' <= name[i] && name[i] <= 'Z' {
			return convert(name, false)
		}
	}
	return name
}

// Canonical is a field's name as the rest of the lab writes it (X-Request-Id),
// given ASGI's.
func Canonical(name string) string {
	switch name {
	case "accept":
		return "Accept"
	case "accept-encoding":
		return "Accept-Encoding"
	case "accept-language":
		return "Accept-Language"
	case "allow":
		return "Allow"
	case "cache-control":
		return "Cache-Control"
	case "connection":
		return "Connection"
	case "content-length":
		return "Content-Length"
	case "content-type":
		return "Content-Type"
	case "cookie":
		return "Cookie"
	case "host":
		return "Host"
	case "referer":
		return "Referer"
	case "transfer-encoding":
		return "Transfer-Encoding"
	case "upgrade":
		return "Upgrade"
	case "user-agent":
		return "User-Agent"
	}
	return convert(name, true)
}

// convert writes a name in lower case, or, as titles are, with a capital at
// each word's beginning.
func convert(name string, title bool) string {
	b := []byte(name)
	begins := title
	for i, c := range b {
		switch {
		case begins && 'a' <= c && c <= 'z':
			b[i] = c - ('a' - 'A')
		case !begins && 'A' <= c && c <= 'Z':
			b[i] = c + ('a' - 'A')
		}
		begins = title && c == '-'
	}
	return string(b)
}
