package process

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
)

// Listen binds a TCP listener to be passed to Start and returns it with its
// address, in which port 0 has become a real port. Connections queue from now
// on, before anything has been started to accept them.
//
// The socket is plain TCP. Go's default on Linux, Multipath TCP, is not what
// the servers that are compared here listen on, and an MPTCP listener ignores
// SO_RCVTIMEO, with which a worker that blocks in accept(2) is woken.
func Listen(addr string) (*os.File, string, error) { return listen("tcp", addr) }

// ListenUnix is Listen for a Unix socket at a path, which must be short: the
// kernel takes 104 to 108 bytes. The file there is the caller's to remove.
func ListenUnix(path string) (*os.File, error) {
	f, _, err := listen("unix", path)
	return f, err
}

func listen(network, addr string) (*os.File, string, error) {
	var config net.ListenConfig
	config.SetMultipathTCP(false)
	l, err := config.Listen(context.Background(), network, addr)
	if err != nil {
		return nil, "", err
	}
	if u, ok := l.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false)
	}
	f, err := l.(interface{ File() (*os.File, error) }).File()
	// The file is a duplicate: closing the original leaves the socket open.
	if err := errors.Join(err, l.Close()); err != nil {
		if f != nil {
			f.Close()
		}
		return nil, "", fmt.Errorf("listen on %s: %w", addr, err)
	}
	// A process that opens a non-blocking descriptor has its poller watch it, and
	// wakes for each connection, an arbiter or a guard that only passes it on too.
	// Servers that poll make it non-blocking themselves.
	if err := setNonblocking(f, false); err != nil {
		f.Close()
		return nil, "", fmt.Errorf("listen on %s: %w", addr, err)
	}
	return f, l.Addr().String(), nil
}
