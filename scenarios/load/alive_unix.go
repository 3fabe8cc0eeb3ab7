//go:build unix

package load

import (
	"net"
	"syscall"
)

// alive says whether an idle connection is still open and silent: a byte that
// nobody asked for is as bad as an end of file.
func alive(nc net.Conn) bool {
	if c, ok := nc.(interface{ alive() bool }); ok {
		return c.alive()
	}
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return true
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return false
	}
	var peek error
	err = raw.Read(func(fd uintptr) bool {
		var one [1]byte
		_, _, peek = syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK)
		return true // don't wait
	})
	return err == nil && (peek == syscall.EAGAIN || peek == syscall.EWOULDBLOCK || peek == syscall.EINTR)
}
