package models

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// setBacklog sets how many connections the kernel queues for the listener
// before they are accepted. listen(2) may be called again on a socket that
// listens already; the kernel's own limit (net.core.somaxconn) applies.
func setBacklog(listener *os.File, n int) error {
	return onSocket(listener, "set the backlog", func(fd int) error { return unix.Listen(fd, n) })
}

// noDelay has small writes leave at once. On a Unix socket they do anyway, and
// the option is refused.
func noDelay(fd int) error {
	if isUnix(fd) {
		return nil
	}
	return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
}

func isUnix(fd int) bool {
	name, err := unix.Getsockname(fd)
	_, is := name.(*unix.SockaddrUnix)
	return err == nil && is
}

// onSocket runs f on the file's descriptor and leaves its blocking mode, which
// other processes share, as it is (File.Fd would change it).
func onSocket(file *os.File, what string, f func(fd int) error) error {
	raw, err := file.SyscallConn()
	if err != nil {
		return fmt.Errorf("%s of %s: %w", what, file.Name(), err)
	}
	var ferr error
	if err := raw.Control(func(fd uintptr) { ferr = f(int(fd)) }); err != nil {
		return fmt.Errorf("%s of %s: %w", what, file.Name(), err)
	}
	if ferr != nil {
		return fmt.Errorf("%s of %s: %w", what, file.Name(), ferr)
	}
	return nil
}
