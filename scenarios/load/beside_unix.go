//go:build unix

package load

import "syscall"

// slowSocket makes a server that writes to the connection block when some
// 35 KB are on their way. A small receive buffer alone would not do it on
// loopback: its segments are of 64 KiB, for which the kernel makes the server's
// send buffer large enough to take 2 MB that nobody reads. So the client asks
// for segments of the size they have on an Ethernet; a kernel that refuses
// that before there is a connection, as BSDs do, is left alone.
func slowSocket(_, _ string, c syscall.RawConn) error {
	const buffer, segment = 2 << 10, 1460
	var err error
	if cerr := c.Control(func(fd uintptr) {
		err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, buffer)
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_MAXSEG, segment)
	}); cerr != nil {
		return cerr
	}
	return err
}
