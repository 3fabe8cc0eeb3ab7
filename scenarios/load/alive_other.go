//go:build !unix

package load

import "net"

// alive can't be told here without reading.
func alive(net.Conn) bool { return true }
