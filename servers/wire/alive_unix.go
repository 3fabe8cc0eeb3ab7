//go:build unix

package wire

import (
	"net"
	"syscall"
)

// raw is the connection to look at.
func raw(conn net.Conn) syscall.RawConn {
	if around, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = around.NetConn()
	}
	if sc, ok := conn.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			return raw
		}
	}
	return nil
}

// wasReset says, of a connection that has come to its end, whether the peer had
// closed it before it could have read what was written last: TCP says so with a
// reset, but to a reader whom the end has reached first no more.
func wasReset(conn net.Conn) bool {
	raw := raw(conn)
	if raw == nil {
		return false
	}
	pending := 0
	err := raw.Control(func(fd uintptr) {
		pending, _ = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_ERROR) // 0 if it can't be asked
	})
	return err == nil && pending != 0
}

// alive says whether an idle connection is still open and silent: a byte that
// nobody asked for is as bad as an end of file. Of a connection around another
// that has a method NetConn, as tls.Conn does, the inner one is looked at.
func alive(conn net.Conn) bool {
	raw := raw(conn)
	if raw == nil {
		return true
	}
	var peek error
	err := raw.Read(func(fd uintptr) bool {
		var one [1]byte
		_, _, peek = syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK)
		return true // don't wait
	})
	return err == nil && (peek == syscall.EAGAIN || peek == syscall.EWOULDBLOCK || peek == syscall.EINTR)
}
