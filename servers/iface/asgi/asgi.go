package asgi

import (
	"context"
	"errors"

	"gatewaylab/servers/app"
)

// An App is an application, or a middleware around one. It is called once for
// each scope, and returns when it has done with it. The context ends when the
// client has gone or the server gives the scope up. An error says that it
// failed, or that it can't do anything with scopes of that type.
type App func(ctx context.Context, s *Scope, receive Receive, send Send) error

// Receive waits for the next event and returns it. It never fails because of
// the client, whose going away is an event; an error says that a rule was
// broken.
type Receive func() (Event, error)

// Send hands an event to the server and returns when that has done with it:
// what belongs to a response is then with the kernel, or on its way there. The
// error is ErrDisconnected if nobody is left to take it.
type Send func(Event) error

// ErrDisconnected is what Send returns once the connection is closed: the
// "server-specific subclass of OSError". Applications may return it, which no
// server takes for a fault.
var ErrDisconnected = errors.New("asgi: the client has disconnected")

// The types of scopes.
const (
	TypeHTTP      = "http"
	TypeWebSocket = "websocket"
	TypeLifespan  = "lifespan"
)

// The versions of the specifications that this package implements.
const (
	Version         = "3.0"
	VersionWWW      = "2.5"
	VersionLifespan = "2.0"
)

// The extensions that servers of the lab may have, as Scope.Extensions has them.
const (
	// ExtensionDenial lets an application answer a WebSocket's handshake with
	// an HTTP response of its own (*WebSocketResponseStart, …Body).
	ExtensionDenial Extensions = 1 << iota
)

// Extensions are a set of extensions.
type Extensions uint

// Name is the key of a single extension in Python's scope["extensions"].
func (e Extensions) Name() string {
	if e == ExtensionDenial {
		return "websocket.http.response"
	}
	return ""
}

// A Scope says what an application is called for. It must not be changed, and
// not be kept when the application has returned.
type Scope struct {
	Type string // "http", "websocket" or "lifespan"
	ASGI ASGI

	// What follows is of http and websocket.

	HTTPVersion string // "1.0", "1.1" or "2"
	Method      string // "GET"; http only
	Scheme      string // "http", "https", "ws" or "wss"; "" = http or ws
	Path        string // percent-decoded, without query: "/a b"
	RawPath     string // as it came, without query: "/a%20b"; "" = not known
	QueryString string // as it came, without "?"
	RootPath    string // where the application is mounted; a prefix of Path, or ""

	// Headers are in the order in which they came, names in lower case,
	// repeated ones included.
	Headers []app.Field

	Client Address // the zero value where it isn't known
	Server Address

	Subprotocols []string // that the client offers; websocket only

	Extensions Extensions

	// State is what the application left in its lifespan's State: a copy for
	// each request, which the application may change. In the lifespan scope it
	// is empty and never nil if the server keeps it.
	State map[string]any

	// Loop is set where the application shares a thread with others, and is
	// how it waits there. It is no part of ASGI, in which Python's running
	// loop is always at hand.
	Loop *app.Loop
}

// ASGI is scope["asgi"].
type ASGI struct {
	Version     string // of ASGI: "3.0"
	SpecVersion string // of the scope's specification: "2.5"
}

// An Address is scope["client"] or scope["server"]: an IP address and a port,
// or, for the server's, the path of a Unix socket and no port.
type Address struct {
	Host string
	Port int // 0 = None
}
