//go:build !linux

package process

import "os"

// Hold finds a TCP address for a program that must bind it itself. Others may
// take it until then: here no two sockets are bound to one address, whether or
// not they listen, so that held is closed already.
func Hold(addr string) (held *os.File, bound string, err error) {
	if held, bound, err = Listen(addr); err == nil {
		err = held.Close()
	}
	return held, bound, err
}
