package asgi

import (
	"net"
	"slices"
	"strings"

	"gatewaylab/servers/app"
)

// checkScope judges a scope by itself.
func checkScope(s *Scope) *RuleError {
	switch s.Type {
	case TypeHTTP, TypeWebSocket:
	case TypeLifespan:
		return checkLifespanScope(s)
	default:
		return byServer(ScopeType, "%q", s.Type)
	}
	for _, check := range []func(*Scope) *RuleError{
		checkVersions, checkTarget, checkRequestHeaders, checkAddresses, checkSubprotocols,
	} {
		if f := check(s); f != nil {
			return f
		}
	}
	return nil
}

func checkLifespanScope(s *Scope) *RuleError {
	if s.ASGI.Version != Version || !slices.Contains([]string{"", "1.0", "2.0"}, s.ASGI.SpecVersion) {
		return byServer(ScopeASGI, "%+v", s.ASGI)
	}
	if s.HTTPVersion != "" || s.Method != "" || s.Scheme != "" || s.Path != "" || s.RawPath != "" || s.QueryString != "" || s.RootPath != "" ||
		len(s.Headers) > 0 || s.Client != (Address{}) || s.Server != (Address{}) || len(s.Subprotocols) > 0 || s.Extensions != 0 {
		return byServer(ScopeLifespan, "%+v", *s)
	}
	return nil
}

func checkVersions(s *Scope) *RuleError {
	socket := s.Type == TypeWebSocket
	schemes := []string{"", "http", "https"}
	if socket {
		schemes = []string{"", "ws", "wss"}
	}
	switch {
	case s.ASGI.Version != Version || !slices.Contains([]string{"", "2.0", "2.1", "2.2", "2.3", "2.4", "2.5"}, s.ASGI.SpecVersion):
		return byServer(ScopeASGI, "%+v", s.ASGI)
	case !slices.Contains([]string{"1.0", "1.1", "2"}, s.HTTPVersion) && !(socket && s.HTTPVersion == ""), socket && s.HTTPVersion == "1.0":
		return byServer(ScopeHTTPVersion, "%q", s.HTTPVersion)
	case socket && s.Method != "", !socket && (!isToken(s.Method) || s.Method != strings.ToUpper(s.Method)):
		return byServer(ScopeMethod, "%q", s.Method)
	case !slices.Contains(schemes, s.Scheme):
		return byServer(ScopeScheme, "%q", s.Scheme)
	case !socket && s.Extensions&ExtensionDenial != 0:
		return byServer(ScopeExtensions, "an http scope has %s", ExtensionDenial.Name())
	}
	return nil
}

func checkTarget(s *Scope) *RuleError {
	if !strings.HasPrefix(s.Path, "/") {
		return byServer(ScopePath, "%q does not begin with a slash", s.Path)
	}
	if s.RawPath != "" {
		if i := strings.IndexFunc(s.RawPath, func(r rune) bool { return r <= ' ' || r == '?' || r == '#' || r == 0x7f }); i >= 0 {
			return byServer(ScopeRawPath, "%q", s.RawPath)
		}
		if decoded, ok := unescape(s.RawPath); !ok || decoded != s.Path {
			return byServer(ScopePath, "%q is not what %q decodes to", s.Path, s.RawPath)
		}
	}
	if strings.ContainsFunc(s.QueryString, func(r rune) bool { return r <= ' ' || r == '#' || r == 0x7f }) {
		return byServer(ScopeQuery, "%q is not percent-encoded", s.QueryString)
	}
	root := s.RootPath
	if root != "" && (root[0] != '/' || strings.HasSuffix(root, "/") || !strings.HasPrefix(s.Path+"/", root+"/")) {
		return byServer(ScopeRootPath, "%q is not where %q begins", root, s.Path)
	}
	return nil
}

// unescape decodes %XX.
func unescape(s string) (string, bool) {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b = append(b, s[i])
			continue
		}
		const digits = "0123456789abcdef0123456789ABCDEF"
		if len(s)-i < 3 {
			return "", false
		}
		high, low := strings.IndexByte(digits, s[i+1]), strings.IndexByte(digits, s[i+2])
		if high < 0 || low < 0 {
			return "", false
		}
		b = append(b, byte(high&15<<4|low&15))
		i += 2
	}
	return string(b), true
}

func checkRequestHeaders(s *Scope) *RuleError {
	if why := badHeaders(s.Headers); why != "" {
		return byServer(ScopeHeaders, "%s", why)
	}
	return nil
}

// badHeaders says what is wrong with header fields, "" if nothing is.
func badHeaders(headers []app.Field) string {
	for _, f := range headers {
		switch {
		case strings.HasPrefix(f.Name, ":"):
			return f.Name + " is a pseudo header"
		case !isToken(f.Name):
			return "a name has bytes that can't be in it: " + f.Name
		case f.Name != strings.ToLower(f.Name):
			return f.Name + " is not in lower case"
		case strings.ContainsAny(f.Value, "\r\n\x00"):
			return "the value of " + f.Name + " has a line's end or a NUL byte"
		}
	}
	return ""
}

// isToken says whether s is a token of RFC 9110 §5.6.2.
func isToken(s string) bool {
	for _, c := range []byte(s) {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0) {
			return false
		}
	}
	return s != ""
}

func checkAddresses(s *Scope) *RuleError {
	c := s.Client
	if c != (Address{}) && (net.ParseIP(c.Host) == nil || c.Port < 1 || c.Port > 65535) {
		return byServer(ScopeAddress, "client %+v is not an IP address and a port", c)
	}
	if a := s.Server; a != (Address{}) && (a.Host == "" || a.Port < 0 || a.Port > 65535) {
		return byServer(ScopeAddress, "server %+v is neither an address and a port nor a path", a)
	}
	return nil
}

func checkSubprotocols(s *Scope) *RuleError {
	if s.Type != TypeWebSocket && len(s.Subprotocols) > 0 {
		return byServer(ScopeSubprotocols, "an http scope has some")
	}
	if offered := Subprotocols(s.Headers); !slices.Equal(s.Subprotocols, offered) && s.Type == TypeWebSocket {
		return byServer(ScopeSubprotocols, "%q, but the client offers %q", s.Subprotocols, offered)
	}
	return nil
}
