package asgi

import "fmt"

// A Rule is the name of one rule of the specifications.
type Rule string

// Rules that a server keeps with the scope.
const (
	ScopeType         Rule = "scope-type"         // type is http, websocket or lifespan
	ScopeASGI         Rule = "scope-asgi"         // asgi["version"] is 3.0, asgi["spec_version"] one that there is
	ScopeHTTPVersion  Rule = "scope-http-version" // http_version is 1.0, 1.1 or 2; a WebSocket's not 1.0
	ScopeMethod       Rule = "scope-method"       // method is a token in upper case; only http has one
	ScopeScheme       Rule = "scope-scheme"       // scheme fits the type
	ScopePath         Rule = "scope-path"         // path is raw_path with the escapes decoded
	ScopeRawPath      Rule = "scope-raw-path"     // raw_path is as it came, without query
	ScopeQuery        Rule = "scope-query-string" // query_string is percent-encoded
	ScopeRootPath     Rule = "scope-root-path"    // root_path is where path begins
	ScopeHeaders      Rule = "scope-headers"      // header names are in lower case, none is a pseudo header
	ScopeAddress      Rule = "scope-address"      // client and server are an address and a port, or a Unix socket's path
	ScopeSubprotocols Rule = "scope-subprotocols" // subprotocols are what the client offers; only websocket has any
	ScopeExtensions   Rule = "scope-extensions"   // extensions are of the scope's protocol
	ScopeLifespan     Rule = "scope-lifespan"     // a lifespan scope has nothing but asgi and state
	ScopeState        Rule = "scope-state"        // state is a copy of the lifespan's
)

// Rules that a server keeps with what it hands out, and with what it answers.
const (
	ReceiveProtocol   Rule = "receive-protocol"           // events are of the scope's protocol, and for applications to receive
	RequestLast       Rule = "http-request-last"          // after more_body = False comes no http.request
	DisconnectLast    Rule = "http-disconnect-last"       // after http.disconnect comes nothing else
	ConnectFirst      Rule = "websocket-connect-first"    // the first event is websocket.connect, and there is one
	MessageAccepted   Rule = "websocket-receive-accepted" // no message comes before websocket.accept
	MessageKind       Rule = "websocket-receive-kind"     // exactly one of bytes and text is not None
	MessageText       Rule = "websocket-receive-text"     // text is Unicode
	DisconnectCode    Rule = "websocket-disconnect-code"  // the code is one of RFC 6455's; 1005 where there was none
	SocketClosedLast  Rule = "websocket-disconnect-last"  // after websocket.disconnect comes nothing else
	StartupFirst      Rule = "lifespan-startup-once"      // lifespan.startup comes once
	ShutdownStarted   Rule = "lifespan-shutdown-started"  // lifespan.shutdown comes after lifespan.startup.complete
	SendDisconnected  Rule = "send-disconnected"          // after the disconnect send() raises an OSError
	SendGoodEvent     Rule = "send-good-event"            // send() takes an event that keeps the rules, or raises an OSError
	ReceiveNeverFails Rule = "receive-never-fails"        // receive() returns an event
)

// Rules that an application keeps.
const (
	SendProtocol    Rule = "send-protocol"              // events are of the scope's protocol, and for applications to send
	StartFirst      Rule = "http-response-start-first"  // http.response.start comes before the body, and once
	StartStatus     Rule = "http-response-status"       // status is an HTTP status code, and final
	StartHeaders    Rule = "http-response-headers"      // header names are in lower case, none is a pseudo header
	StartTrailers   Rule = "http-response-trailers"     // trailers need the extension
	BodyLast        Rule = "http-response-body-last"    // after more_body = False comes nothing
	BodyComplete    Rule = "http-response-complete"     // whoever returns has sent more_body = False
	BodyLength      Rule = "http-response-length"       // the body is as long as content-length says
	HandshakeAnswer Rule = "websocket-answer"           // websocket.connect is answered, before anything else is sent or received
	AcceptOnce      Rule = "websocket-accept-once"      // with one websocket.accept
	AcceptProtocol  Rule = "websocket-accept-protocol"  // which chooses of the subprotocols that were offered
	AcceptHeaders   Rule = "websocket-accept-headers"   // and has no header sec-websocket-protocol
	DenialExtension Rule = "websocket-denial-extension" // or with a response, which needs the extension
	DenialOrder     Rule = "websocket-denial-order"     // has a start and then a body, and nothing beside
	SendKind        Rule = "websocket-send-kind"        // exactly one of bytes and text is not None
	SendText        Rule = "websocket-send-text"        // text is Unicode
	CloseCode       Rule = "websocket-close-code"       // the code is one that may be sent, the reason at most 123 bytes
	CloseLast       Rule = "websocket-close-last"       // after websocket.close comes nothing
	LifespanAnswer  Rule = "lifespan-answer"            // startup and shutdown are answered, each in its words and before receive()
	NothingOnceOver Rule = "nothing-once-over"          // whoever has returned neither sends nor receives
	OneCallAtATime  Rule = "one-call-at-a-time"         // of receive and send; the lab's own rule
	ConnectReceived Rule = "websocket-connect-received" // whoever answers has received websocket.connect
)

// Rules lists all, those for servers first.
func Rules() (server, application []Rule) {
	return []Rule{
			ScopeType, ScopeASGI, ScopeHTTPVersion, ScopeMethod, ScopeScheme, ScopePath, ScopeRawPath, ScopeQuery, ScopeRootPath,
			ScopeHeaders, ScopeAddress, ScopeSubprotocols, ScopeExtensions, ScopeLifespan, ScopeState,
			ReceiveProtocol, RequestLast, DisconnectLast, ConnectFirst, MessageAccepted, MessageKind, MessageText,
			DisconnectCode, SocketClosedLast, StartupFirst, ShutdownStarted, SendDisconnected, SendGoodEvent, ReceiveNeverFails,
		}, []Rule{
			SendProtocol, StartFirst, StartStatus, StartHeaders, StartTrailers, BodyLast, BodyComplete, BodyLength,
			ConnectReceived, HandshakeAnswer, AcceptOnce, AcceptProtocol, AcceptHeaders, DenialExtension, DenialOrder,
			SendKind, SendText, CloseCode, CloseLast, LifespanAnswer, NothingOnceOver, OneCallAtATime,
		}
}

// A RuleError is a rule that was broken.
type RuleError struct {
	Rule   Rule
	By     string // "application" or "server"
	Detail string
}

func (f *RuleError) Error() string {
	return "asgi: the " + f.By + " broke " + string(f.Rule) + ": " + f.Detail
}

func byServer(r Rule, format string, args ...any) *RuleError {
	return &RuleError{r, "server", fmt.Sprintf(format, args...)}
}

func byApplication(r Rule, format string, args ...any) *RuleError {
	return &RuleError{r, "application", fmt.Sprintf(format, args...)}
}
