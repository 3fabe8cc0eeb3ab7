package models

import (
	"net/netip"
	"os"

	"golang.org/x/sys/unix"

	"gatewaylab/servers/iface/asgi"
)

// prepareLoopListener returns a duplicate of the listener that doesn't block.
// Connections inherit that small writes leave at once.
func prepareLoopListener(fd int) (int, error) {
	own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("fcntl", err)
	}
	if err := unix.SetNonblock(own, true); err != nil {
		return -1, os.NewSyscallError("fcntl", err)
	}
	return own, noDelay(own)
}

// socketAddress is an end of a connection as ASGI has it; of a Unix socket the path,
// which a client's end has none of.
func socketAddress(name unix.Sockaddr) asgi.Address {
	switch name := name.(type) {
	case *unix.SockaddrInet4:
		return asgi.Address{Host: netip.AddrFrom4(name.Addr).String(), Port: name.Port}
	case *unix.SockaddrInet6:
		return asgi.Address{Host: netip.AddrFrom16(name.Addr).Unmap().String(), Port: name.Port}
	case *unix.SockaddrUnix:
		return asgi.Address{Host: name.Name}
	}
	return asgi.Address{}
}

// loopPipe is what other threads wake the loop with.
func loopPipe() (ends [2]int, err error) {
	p := make([]int, 2)
	if err := unix.Pipe(p); err != nil {
		return ends, os.NewSyscallError("pipe", err)
	}
	for i, fd := range p {
		ends[i] = fd
		unix.CloseOnExec(fd)
		if err := unix.SetNonblock(fd, true); err != nil {
			return ends, os.NewSyscallError("fcntl", err)
		}
	}
	return ends, nil
}

func wakePipe(fd int) { _, _ = unix.Write(fd, []byte{0}) } // full, it wakes as well

func drainPipe(fd int) {
	var waste [64]byte
	for {
		if n, err := unix.Read(fd, waste[:]); n < len(waste) && err != unix.EINTR {
			return
		}
	}
}

func closeFD(fd int) { unix.Close(fd) }

// isTemporary says that a call would have had to wait.
func isTemporary(err error) bool { return err == unix.EAGAIN || err == unix.EINTR }

// isOneConnection says that accept failed for a connection that is gone.
func isOneConnection(err error) bool { return err == unix.ECONNABORTED || err == unix.EPROTO }
