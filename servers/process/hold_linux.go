package process

import (
	"errors"
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// Hold keeps a TCP address for a program that must bind it itself, and returns
// it, in which port 0 has become a real port. Until held is closed a connection
// to it is refused as long as nobody listens, the kernel gives its port to
// nobody who asks for any, and who asks for this one gets it if he sets
// SO_REUSEADDR, as servers do.
func Hold(addr string) (held *os.File, bound string, err error) {
	to, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		return nil, "", err
	}
	if to.IP == nil {
		to.IP = net.IPv6unspecified
	}
	// Nothing that has listened will do: a child that is being forked has it,
	// too, and goes on listening until it executes its program.
	fd, err := hold(to)
	if err != nil {
		return nil, "", fmt.Errorf("hold %s: %w", addr, err)
	}
	return os.NewFile(uintptr(fd), "address"), to.String(), nil
}

func hold(to *net.TCPAddr) (fd int, err error) {
	var family int
	var at unix.Sockaddr
	if a := to.AddrPort().Addr().Unmap(); a.Is4() {
		family, at = unix.AF_INET, &unix.SockaddrInet4{Port: to.Port, Addr: a.As4()}
	} else {
		family, at = unix.AF_INET6, &unix.SockaddrInet6{Port: to.Port, Addr: a.As16()}
	}
	if fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
		return -1, err
	}
	err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	if err == nil {
		err = unix.Bind(fd, at)
	}
	if err == nil {
		at, err = unix.Getsockname(fd)
	}
	if err != nil {
		return -1, errors.Join(err, unix.Close(fd))
	}
	switch at := at.(type) {
	case *unix.SockaddrInet4:
		to.Port = at.Port
	case *unix.SockaddrInet6:
		to.Port = at.Port
	}
	return fd, nil
}
