package asgi

import (
	"maps"
	"strings"

	"gatewaylab/servers/app"
	"gatewaylab/servers/wire/http1"
)

// An Origin is what a server knows of a connection beside the requests on it.
type Origin struct {
	Client, Server Address
	TLS            bool
	Extensions     Extensions     // for WebSockets
	State          map[string]any // what the lifespan has left; copied for each scope
	Loop           *app.Loop
}

// SetHTTP makes the scope that of a request. Its strings are the request's;
// the slice of headers is used again by the next call.
func (s *Scope) SetHTTP(r *http1.Request, o *Origin) {
	s.set(r, o)
	s.Type, s.Method, s.Scheme = TypeHTTP, r.Method, "http"
	if o.TLS {
		s.Scheme = "https"
	}
}

// SetWebSocket makes the scope that of a WebSocket, given its handshake.
func (s *Scope) SetWebSocket(r *http1.Request, o *Origin) {
	s.set(r, o)
	s.Type, s.Scheme, s.Extensions = TypeWebSocket, "ws", o.Extensions
	if o.TLS {
		s.Scheme = "wss"
	}
	s.Subprotocols = Subprotocols(s.Headers)
}

func (s *Scope) set(r *http1.Request, o *Origin) {
	headers := s.Headers[:0]
	for i := range r.Fields {
		f := &r.Fields[i]
		if f.Name == "Host" { // the target's authority counts for more
			headers = append(headers, app.Field{Name: "host", Value: r.Host})
			continue
		}
		headers = append(headers, app.Field{Name: Lower(f.Name), Value: f.Value})
	}
	version := "1.1"
	if r.Minor == 0 {
		version = "1.0"
	}
	*s = Scope{
		ASGI:        ASGI{Version, VersionWWW},
		HTTPVersion: version,
		Path:        r.Path,
		RawPath:     rawPath(r.Target),
		QueryString: r.Query,
		Headers:     headers,
		Client:      o.Client,
		Server:      o.Server,
		Loop:        o.Loop,
	}
	if len(o.State) > 0 {
		s.State = maps.Clone(o.State)
	}
}

// rawPath is the path of a request's target, in either of its forms.
func rawPath(target string) string {
	if target[0] != '/' {
		_, target, _ = strings.Cut(target, "://")
		i := strings.IndexAny(target, "/?")
		if i < 0 || target[i] == '?' {
			return "/" // RFC 9110 §4.2.3
		}
		target = target[i:]
	}
	if i := strings.IndexByte(target, '?'); i >= 0 {
		return target[:i]
	}
	return target
}

// Subprotocols are what a handshake offers in Sec-WebSocket-Protocol.
func Subprotocols(headers []app.Field) []string {
	var offered []string
	for i := range headers {
		if headers[i].Name != "sec-websocket-protocol" {
			continue
		}
		for word := range strings.SplitSeq(headers[i].Value, ",") {
			if word = strings.Trim(word, " \t"); word != "" {
				offered = append(offered, word)
			}
		}
	}
	return offered
}
