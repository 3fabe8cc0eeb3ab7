package models

import (
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"

	"gatewaylab/servers/app"
	"gatewaylab/servers/iface/asgi"
	"gatewaylab/servers/wire/http1"
)

// wantsSocket says whether a request is to make a WebSocket of its connection
// (RFC 6455 §4.2.1). One that isn't gets an answer over HTTP, which at /ws is
// that it ought to be.
func (c *asyncConn) wantsSocket() bool {
	r := &c.request
	return r.Method == "GET" && r.Framing == http1.NoBody && http1.HasToken(r.Upgrade, "websocket")
}

// upgrade shakes hands and serves a WebSocket, to its end.
func (c *asyncConn) upgrade() {
	key := c.request.Get("Sec-Websocket-Key")
	nonce, err := base64.StdEncoding.DecodeString(key)
	switch {
	case err != nil || len(nonce) != 16:
		c.refuse(400, "Sec-WebSocket-Key is not 16 bytes in base64")
		return
	case c.request.Get("Sec-Websocket-Version") != "13":
		c.wantsVersion()
		return
	}
	s := &socket{conn: c, key: key}
	s.scope.SetWebSocket(&c.request, &c.origin)
	s.scope.Headers = append([]app.Field(nil), s.scope.Headers...) // a long life, and the request's buffers go
	ctx := &asyncContext{conn: c}                                  // what comes is frames, so only the end of the socket ends it
	err = s.serve(ctx)
	ctx.end()
	if err != nil && !errors.Is(err, asgi.ErrDisconnected) {
		c.server.env.Log.Printf("async: WebSocket %s: %v", s.scope.Path, err)
	}
}

// wantsVersion tells a client which version it should speak (RFC 6455 §4.4).
func (c *asyncConn) wantsVersion() {
	const text = "426 upgrade required: version 13 of WebSocket is spoken here\n"
	err := c.response.Start(426, []app.Field{
		{Name: "Content-Type", Value: "text/plain; charset=utf-8"}, {Name: "Upgrade", Value: "websocket"},
		{Name: "Sec-WebSocket-Version", Value: "13"},
	})
	if err == nil {
		_, err = c.response.Write([]byte(text))
	}
	if err == nil {
		err = (*asyncAnswer)(c).Finish()
	}
	if err != nil {
		c.drop()
		return
	}
	c.hangUp()
}

// accept completes the handshake.
func (s *socket) accept(e *asgi.WebSocketAccept) error {
	sum := sha1.Sum([]byte(s.key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	b := []byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
		base64.StdEncoding.EncodeToString(sum[:]) + "\r\n")
	if e.Subprotocol != "" {
		b = fmt.Appendf(b, "Sec-WebSocket-Protocol: %s\r\n", e.Subprotocol)
	}
	for _, f := range e.Headers {
		b = fmt.Appendf(b, "%s: %s\r\n", asgi.Canonical(f.Name), f.Value)
	}
	s.begin()
	if _, err := s.Write(append(b, "\r\n"...)); err != nil {
		return fmt.Errorf("%w: %w", asgi.ErrDisconnected, err)
	}
	return nil
}

// deny answers the handshake with a response instead, piece by piece.
func (s *socket) deny(e asgi.Event) error {
	a := (*asyncAnswer)(s.conn)
	switch e := e.(type) {
	case *asgi.WebSocketClose:
		s.phase = socketOver
		a.response.Close()
		return s.conn.answer(403, "403 forbidden: the application doesn't want this WebSocket\n")
	case *asgi.WebSocketResponseStart:
		if s.phase != socketAsked {
			break
		}
		s.phase = socketDenied
		a.response.Close()
		fields := make([]app.Field, 0, len(e.Headers))
		for _, f := range e.Headers {
			fields = append(fields, app.Field{Name: asgi.Canonical(f.Name), Value: f.Value})
		}
		return a.Start(e.Status, fields)
	case *asgi.WebSocketResponseBody:
		if s.phase != socketDenied {
			break
		}
		if _, err := a.Write(e.Body); err != nil {
			return err
		}
		if e.MoreBody {
			return a.Flush()
		}
		s.phase = socketOver
		return a.Finish()
	}
	return fmt.Errorf("asgi: %s was sent when the handshake was to be answered", e.EventType())
}

// answer sends a short text.
func (c *asyncConn) answer(status int, text string) error {
	a := (*asyncAnswer)(c)
	if err := a.Start(status, []app.Field{{Name: "Content-Type", Value: "text/plain; charset=utf-8"}}); err != nil {
		return err
	}
	if _, err := a.Write([]byte(text)); err != nil {
		return err
	}
	return a.Finish()
}
