package models

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"gatewaylab/servers/app"
	"gatewaylab/servers/iface/asgi"
	"gatewaylab/servers/wire/http1"
)

// wantsSocket says whether a request is to make a WebSocket of its connection
// (RFC 6455 §4.2.1). One that isn't gets an answer over HTTP, which at /ws is
// that it ought to be.
func wantsSocket(r *http1.Request) bool {
	return r.Method == "GET" && r.Framing == http1.NoBody && http1.HasToken(r.Upgrade, "websocket")
}

// newSocket looks at a handshake, and returns nil if it has refused it.
func newSocket(conn socketConn, r *http1.Request, o *asgi.Origin, buffers *sync.Pool) *socket {
	key := r.Get("Sec-Websocket-Key")
	nonce, err := base64.StdEncoding.DecodeString(key)
	switch {
	case err != nil || len(nonce) != 16:
		conn.refuse(400, "Sec-WebSocket-Key is not 16 bytes in base64")
		return nil
	case r.Get("Sec-Websocket-Version") != "13": // RFC 6455 §4.4
		err := answer(conn, 426, "426 upgrade required: version 13 of WebSocket is spoken here\n",
			app.Field{Name: "Upgrade", Value: "websocket"}, app.Field{Name: "Sec-WebSocket-Version", Value: "13"})
		if err != nil {
			conn.drop()
			return nil
		}
		conn.hangUp()
		return nil
	}
	s := &socket{conn: conn, key: key, buffers: buffers}
	s.scope.SetWebSocket(r, o)
	s.scope.Headers = append([]app.Field(nil), s.scope.Headers...) // a long life, and the request's buffers go
	return s
}

// upgrade shakes hands and serves a WebSocket, to its end.
func (c *asyncConn) upgrade() {
	s := newSocket(&asyncSocket{c, (*asyncAnswer)(c)}, &c.request, &c.origin, &c.server.buffers)
	if s == nil {
		return
	}
	ctx := &asyncContext{conn: c} // what comes is frames, so only the end of the socket ends it
	err := s.serve(ctx, c.server.app)
	ctx.end()
	if err != nil && !errors.Is(err, asgi.ErrDisconnected) {
		c.server.env.Log.Printf("async: WebSocket %s: %v", s.scope.Path, err)
	}
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
	s.open()
	if _, err := s.Write(append(b, "\r\n"...)); err != nil {
		return fmt.Errorf("%w: %w", asgi.ErrDisconnected, err)
	}
	return nil
}

// deny answers the handshake with a response instead, piece by piece.
func (s *socket) deny(e asgi.Event) error {
	a := s.conn
	switch e := e.(type) {
	case *asgi.WebSocketClose:
		s.phase = socketOver
		a.last()
		return answer(a, 403, "403 forbidden: the application doesn't want this WebSocket\n")
	case *asgi.WebSocketResponseStart:
		if s.phase != socketAsked {
			break
		}
		s.phase = socketDenied
		a.last()
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

// answer answers with a short text.
func answer(a asgi.Answer, status int, text string, more ...app.Field) error {
	header := append([]app.Field{{Name: "Content-Type", Value: "text/plain; charset=utf-8"}}, more...)
	if err := a.Start(status, header); err != nil {
		return err
	}
	if _, err := a.Write([]byte(text)); err != nil {
		return err
	}
	return a.Finish()
}

// An asyncSocket is the connection under a WebSocket of async.
type asyncSocket struct {
	*asyncConn
	*asyncAnswer
}

func (c *asyncSocket) last() { c.asyncConn.response.Close() }

// opened lets go of what HTTP needed, as most WebSockets are idle.
func (c *asyncSocket) opened() []byte {
	conn := c.asyncConn
	early := bytes.Clone(conn.in.Buffered())
	conn.in, conn.request, conn.response, conn.exchange = nil, http1.Request{}, http1.Response{}, asgi.Exchange{}
	conn.upgraded = true
	conn.slot.drop() // the handshake is not one of the requests that are counted
	return early
}

func (c *asyncSocket) readFrame(p []byte, within bool) (int, error) {
	conn := c.asyncConn
	if conn.phase = readsBody; !within {
		conn.phase, conn.patience = readsNothing, newPatience(conn.server.timeout)
		return conn.await(p)
	}
	return conn.read(p)
}

func (c *asyncSocket) writeFrame(p []byte) error {
	_, err := c.asyncConn.write(p)
	return err
}

func (c *asyncSocket) stopping() bool { return c.asyncConn.server.leaving.Load() }

func (c *asyncSocket) show(busy bool) { c.asyncConn.slot.setBusy(busy) }

func (c *asyncSocket) bye(frame []byte) {
	conn := c.asyncConn
	if conn.SetDeadline(time.Now().Add(closePatience)) != nil {
		return
	}
	if _, err := conn.Conn.Write(frame); err != nil {
		return
	}
	// Closed with something unread, the connection would be reset, and the
	// client might never see why.
	if half, ok := conn.Conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		_, _ = io.Copy(io.Discard, conn.Conn)
	}
}
