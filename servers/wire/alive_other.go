//go:build !unix

package wire

import "net"

// alive can't look without reading here; whoever writes to a connection that
// is closed will see.
func alive(net.Conn) bool { return true }

// wasReset can't tell.
func wasReset(net.Conn) bool { return false }
