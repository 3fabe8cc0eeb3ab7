package asgi

import (
	"slices"
	"unicode/utf8"

	"gatewaylab/servers/app"
)

// webSocketRules are those of a websocket scope.
type webSocketRules struct {
	scope        *Scope
	connected    bool // websocket.connect was received
	accepted     bool
	denying      bool // a response to the handshake was begun
	over         bool // closed by the application, or denied
	disconnected bool
}

// answered says whether the handshake was.
func (w *webSocketRules) answered() bool { return w.accepted || w.denying || w.over }

func (w *webSocketRules) receives() *RuleError {
	if w.connected && !w.answered() && !w.disconnected {
		return byApplication(HandshakeAnswer, "receive was called before websocket.connect was answered")
	}
	return nil
}

func (w *webSocketRules) received(e Event) *RuleError {
	_, closing := e.(*WebSocketDisconnect)
	if w.disconnected && !closing {
		return byServer(SocketClosedLast, "%s came after websocket.disconnect", e.EventType())
	}
	switch e := e.(type) {
	case *WebSocketConnect:
		if w.connected {
			return byServer(ConnectFirst, "websocket.connect came twice")
		}
		w.connected = true
	case *WebSocketReceive:
		return w.message(e)
	case *WebSocketDisconnect:
		if !mayBeReceived(e.Code) || !utf8.ValidString(e.Reason) {
			return byServer(DisconnectCode, "%d %q", e.Code, e.Reason)
		}
		if !w.connected {
			return byServer(ConnectFirst, "websocket.disconnect came before websocket.connect")
		}
		w.disconnected = true
	default:
		return byServer(ReceiveProtocol, "%s came in a websocket scope", e.EventType())
	}
	return nil
}

func (w *webSocketRules) message(e *WebSocketReceive) *RuleError {
	switch {
	case !w.connected:
		return byServer(ConnectFirst, "websocket.receive came before websocket.connect")
	case !w.accepted:
		return byServer(MessageAccepted, "websocket.receive came without websocket.accept")
	case (e.Bytes == nil) == (e.Text == nil):
		return byServer(MessageKind, "bytes are nil: %v, text is nil: %v", e.Bytes == nil, e.Text == nil)
	case !utf8.Valid(e.Text):
		return byServer(MessageText, "%.60q is not UTF-8", e.Text)
	}
	return nil
}

func (w *webSocketRules) sends(e Event) *RuleError {
	if e == nil {
		return byApplication(SendProtocol, "nil was sent instead of an event")
	}
	switch e.(type) {
	case *WebSocketAccept, *WebSocketSend, *WebSocketClose, *WebSocketResponseStart, *WebSocketResponseBody:
	default:
		return byApplication(SendProtocol, "%s was sent in a websocket scope", e.EventType())
	}
	switch {
	case !w.connected:
		return byApplication(ConnectReceived, "%s was sent before websocket.connect was received", e.EventType())
	case w.over:
		return byApplication(CloseLast, "%s was sent after the end", e.EventType())
	case w.disconnected:
		return nil // the server says so
	}
	switch e := e.(type) {
	case *WebSocketAccept:
		return w.accept(e)
	case *WebSocketSend:
		return w.send(e)
	case *WebSocketClose:
		return w.close(e)
	case *WebSocketResponseStart:
		return w.deny(e.Status, e.Headers)
	default:
		if !w.denying {
			return byApplication(DenialOrder, "%s was sent without its start", e.EventType())
		}
		return nil
	}
}

func (w *webSocketRules) accept(e *WebSocketAccept) *RuleError {
	switch {
	case w.denying:
		return byApplication(DenialOrder, "websocket.accept was sent amid a response")
	case w.accepted:
		return byApplication(AcceptOnce, "websocket.accept was sent twice")
	case e.Subprotocol != "" && !slices.Contains(w.scope.Subprotocols, e.Subprotocol):
		return byApplication(AcceptProtocol, "%q, but the client offers %q", e.Subprotocol, w.scope.Subprotocols)
	}
	if why := badHeaders(e.Headers); why != "" {
		return byApplication(AcceptHeaders, "%s", why)
	}
	if slices.ContainsFunc(e.Headers, func(f app.Field) bool { return f.Name == "sec-websocket-protocol" }) {
		return byApplication(AcceptHeaders, "sec-websocket-protocol is said with Subprotocol")
	}
	return nil
}

func (w *webSocketRules) send(e *WebSocketSend) *RuleError {
	switch {
	case w.denying:
		return byApplication(DenialOrder, "websocket.send was sent amid a response")
	case !w.accepted:
		return byApplication(HandshakeAnswer, "websocket.send was sent before websocket.accept")
	case (e.Bytes == nil) == (e.Text == nil):
		return byApplication(SendKind, "bytes are nil: %v, text is nil: %v", e.Bytes == nil, e.Text == nil)
	case !utf8.Valid(e.Text):
		return byApplication(SendText, "%.60q is not UTF-8", e.Text)
	}
	return nil
}

func (w *webSocketRules) close(e *WebSocketClose) *RuleError {
	switch {
	case w.denying:
		return byApplication(DenialOrder, "websocket.close was sent amid a response")
	case e.Code != 0 && !mayBeSent(e.Code), len(e.Reason) > 123, !utf8.ValidString(e.Reason):
		return byApplication(CloseCode, "%d %.130q", e.Code, e.Reason)
	}
	return nil
}

func (w *webSocketRules) deny(status int, headers []app.Field) *RuleError {
	switch {
	case w.scope.Extensions&ExtensionDenial == 0:
		return byApplication(DenialExtension, "this server has no %s", ExtensionDenial.Name())
	case w.accepted || w.denying:
		return byApplication(DenialOrder, "websocket.http.response.start was sent after the answer to the handshake")
	case status < 200 || status > 599:
		return byApplication(StartStatus, "%d", status)
	}
	if why := badHeaders(headers); why != "" {
		return byApplication(StartHeaders, "%s", why)
	}
	return nil
}

func (w *webSocketRules) sent(e Event) {
	switch e := e.(type) {
	case *WebSocketAccept:
		w.accepted = true
	case *WebSocketClose:
		w.over = true
	case *WebSocketResponseStart:
		w.denying = true
	case *WebSocketResponseBody:
		w.over = !e.MoreBody
	}
}

func (w *webSocketRules) left() { w.disconnected = true }

func (w *webSocketRules) gone() bool { return w.disconnected }

func (w *webSocketRules) returned(err error) *RuleError {
	switch {
	case err != nil || w.disconnected || !w.connected:
	case !w.answered():
		return byApplication(HandshakeAnswer, "it returned without an answer to websocket.connect")
	case w.denying && !w.over:
		return byApplication(DenialOrder, "it returned without the last websocket.http.response.body")
	}
	return nil
}

// mayBeSent says whether a close frame may have the code (RFC 6455 §7.4).
func mayBeSent(code int) bool {
	return 1000 <= code && code <= 1003 || 1007 <= code && code <= 1014 || 3000 <= code && code <= 4999
}

// mayBeReceived adds those that stand for a frame that wasn't there.
func mayBeReceived(code int) bool {
	return mayBeSent(code) || code == 1005 || code == 1006
}
