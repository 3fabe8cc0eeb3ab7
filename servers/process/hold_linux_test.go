package process

import (
	"errors"
	"net"
	"syscall"
	"testing"
)

// A held address refuses connections, until and after somebody listens there.
func TestHold(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0", ":0"} {
		held, addr, err := Hold(address)
		if errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT) {
			continue // there is no IPv6
		}
		if err != nil {
			t.Fatal(err)
		}
		defer held.Close()
		dial := func() error {
			c, err := net.Dial("tcp", addr)
			if err == nil {
				c.Close()
			}
			return err
		}
		for range 2 {
			if err := dial(); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("nobody listens on %s: %v", addr, err)
			}
			l, err := net.Listen("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			if err := dial(); err != nil {
				t.Error(err)
			}
			if second, err := net.Listen("tcp", addr); err == nil {
				t.Errorf("two listen on %s", addr)
				second.Close()
			}
			l.Close()
		}
	}
}
