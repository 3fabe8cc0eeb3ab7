package models

import (
	"io"
	"net"
	"strings"
	"time"

	"gatewaylab/servers/app"
)

// tunnel makes of a client's connection and one to an instance a way for
// whatever the two say to each other, once the instance has agreed to switch
// protocols (RFC 9110 §7.8). It ends when either end does, or when the instance
// is silent for ReadTimeout.
func (c *frontConn) tunnel(in *inbound) error {
	defer in.done()
	head := []byte("HTTP/1.1 101 Switching Protocols\r\n")
	for _, f := range in.header {
		if !app.HopByHop(f.Name) && f.Name != "Server" && f.Name != "Via" && f.Name != "Content-Length" && !strings.HasPrefix(f.Name, "X-Accel-") {
			head = append(append(append(append(head, f.Name...), ": "...), f.Value...), "\r\n"...)
		}
	}
	c.out.Raw(append(head, "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"...)...)
	if err := c.flush(); err != nil {
		return err
	}
	c.mu.Lock()
	c.far = in.socket
	c.mu.Unlock()
	if c.p.leaving.Load() {
		c.leave()
	}
	_ = c.conn.SetDeadline(time.Time{}) // a closed connection tells by itself
	early := append(c.pushed, c.in.Buffered()...)
	over := make(chan struct{})
	go func() {
		defer close(over)
		if _, err := in.socket.Write(early); err == nil {
			passOn(in.socket, c.conn)
		}
		endWriting(in.socket)
	}()
	passOn(c.conn, in.rest)
	endWriting(c.conn)
	// What comes after one side has said all it had to say is of no use to a
	// WebSocket: both sides have closed it by then.
	_ = c.conn.SetReadDeadline(time.Now().Add(closePatience))
	<-over
	return errTunnelOver
}

// errTunnelOver has the connection closed: what it carried is over.
var errTunnelOver = &frontError{why: "the tunnel is over"}

func passOn(to io.Writer, from io.Reader) {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	_, _ = io.CopyBuffer(struct{ io.Writer }{to}, struct{ io.Reader }{from}, *buf) // either end may go at any time
}

func endWriting(conn net.Conn) {
	if half, ok := conn.(halfCloser); ok {
		_ = half.CloseWrite() // it may be gone
	}
}
