//go:build !unix

package load

import "syscall"

// slowSocket leaves the socket as it is: a server that writes to it blocks only
// when it has written more than the buffers of both sides hold.
func slowSocket(string, string, syscall.RawConn) error { return nil }
