package asgi

import "gatewaylab/servers/app"

// An Event is one of the types below, all of which are passed as pointers.
type Event interface {
	// EventType is the event's "type" key: "http.request".
	EventType() string
}

// Events of http scopes.
type (
	// HTTPRequest is received: a piece of the request's body.
	HTTPRequest struct {
		Body     []byte
		MoreBody bool // other pieces follow
	}
	// HTTPDisconnect is received once the client has gone or the response is
	// complete, and again by whoever asks again.
	HTTPDisconnect struct{}
	// HTTPResponseStart is sent first. It goes out with the first piece of the
	// body, until when the server may answer something else.
	HTTPResponseStart struct {
		Status   int
		Headers  []app.Field // names in lower case
		Trailers bool        // needs an extension that no server here has
	}
	// HTTPResponseBody is sent: a piece of the response's body.
	HTTPResponseBody struct {
		Body     []byte
		MoreBody bool // other pieces follow
	}
)

// Events of websocket scopes. A close code of 0 is None.
type (
	// WebSocketConnect is received first. The answer is a WebSocketAccept or a
	// WebSocketClose.
	WebSocketConnect struct{}
	// WebSocketAccept is sent: the handshake is to succeed.
	WebSocketAccept struct {
		Subprotocol string      // one of those the client offers; "" = None
		Headers     []app.Field // in addition to the server's; names in lower case
	}
	// WebSocketReceive is received: a message, of which one of the two is not
	// nil.
	WebSocketReceive struct {
		Bytes []byte
		Text  []byte // UTF-8
	}
	// WebSocketSend is sent: a message, of which one of the two is not nil.
	WebSocketSend struct {
		Bytes []byte
		Text  []byte // UTF-8
	}
	// WebSocketDisconnect is received once the connection is closed, whoever
	// closed it. Code is what the client gave, 1005 if it gave none, 1006 if
	// the connection broke.
	WebSocketDisconnect struct {
		Code   int
		Reason string
	}
	// WebSocketClose is sent. Instead of an accept it is a refusal, which the
	// client sees as status 403.
	WebSocketClose struct {
		Code   int // 0 = 1000
		Reason string
	}
	// WebSocketResponseStart is sent instead of an accept, where the server has
	// ExtensionDenial: the handshake is answered with this response.
	WebSocketResponseStart struct {
		Status  int
		Headers []app.Field
	}
	// WebSocketResponseBody is a piece of that response's body.
	WebSocketResponseBody struct {
		Body     []byte
		MoreBody bool
	}
)

// Events of lifespan scopes.
type (
	// LifespanStartup is received first: the server is about to take requests.
	LifespanStartup struct{}
	// LifespanStartupComplete is sent when the application is ready for them.
	LifespanStartupComplete struct{}
	// LifespanStartupFailed is sent if it can't be: the server gives up.
	LifespanStartupFailed struct{ Message string }
	// LifespanShutdown is received when the last request has been served.
	LifespanShutdown struct{}
	// LifespanShutdownComplete is sent when the application has cleaned up.
	LifespanShutdownComplete struct{}
	// LifespanShutdownFailed is sent if it couldn't.
	LifespanShutdownFailed struct{ Message string }
)

// EventType is "http.request".
func (*HTTPRequest) EventType() string { return "http.request" }

// EventType is "http.disconnect".
func (*HTTPDisconnect) EventType() string { return "http.disconnect" }

// EventType is "http.response.start".
func (*HTTPResponseStart) EventType() string { return "http.response.start" }

// EventType is "http.response.body".
func (*HTTPResponseBody) EventType() string { return "http.response.body" }

// EventType is "websocket.connect".
func (*WebSocketConnect) EventType() string { return "websocket.connect" }

// EventType is "websocket.accept".
func (*WebSocketAccept) EventType() string { return "websocket.accept" }

// EventType is "websocket.receive".
func (*WebSocketReceive) EventType() string { return "websocket.receive" }

// EventType is "websocket.send".
func (*WebSocketSend) EventType() string { return "websocket.send" }

// EventType is "websocket.disconnect".
func (*WebSocketDisconnect) EventType() string { return "websocket.disconnect" }

// EventType is "websocket.close".
func (*WebSocketClose) EventType() string { return "websocket.close" }

// EventType is "websocket.http.response.start".
func (*WebSocketResponseStart) EventType() string { return "websocket.http.response.start" }

// EventType is "websocket.http.response.body".
func (*WebSocketResponseBody) EventType() string { return "websocket.http.response.body" }

// EventType is "lifespan.startup".
func (*LifespanStartup) EventType() string { return "lifespan.startup" }

// EventType is "lifespan.startup.complete".
func (*LifespanStartupComplete) EventType() string { return "lifespan.startup.complete" }

// EventType is "lifespan.startup.failed".
func (*LifespanStartupFailed) EventType() string { return "lifespan.startup.failed" }

// EventType is "lifespan.shutdown".
func (*LifespanShutdown) EventType() string { return "lifespan.shutdown" }

// EventType is "lifespan.shutdown.complete".
func (*LifespanShutdownComplete) EventType() string { return "lifespan.shutdown.complete" }

// EventType is "lifespan.shutdown.failed".
func (*LifespanShutdownFailed) EventType() string { return "lifespan.shutdown.failed" }
