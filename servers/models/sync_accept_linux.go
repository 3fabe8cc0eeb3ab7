package models

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// prepareListener makes accept(2) on the listener, in all processes that share
// it, block, but no longer than wake. Connections inherit the timeouts, and
// that small writes leave at once, which saves setting them on each.
func prepareListener(listener *os.File, wake time.Duration) error {
	return onSocket(listener, "set the timeouts", func(fd int) error {
		return errors.Join(unix.SetNonblock(fd, false), setTimeouts(fd, wake), noDelay(fd))
	})
}

func setTimeouts(fd int, wake time.Duration) error {
	tv := unix.NsecToTimeval(int64(wake))
	return errors.Join(
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &tv),
	)
}

// An acceptor accepts connections by blocking in accept(2), in which all
// workers stand in one queue: the kernel wakes one for each connection. (All
// workers in poll(2) before a non-blocking accept are all woken.)
type acceptor struct {
	fd      int
	wake    time.Duration       // that a connection doesn't inherit; 0 = it does
	thread  atomic.Int64        // that accepts, or did last
	from    unix.RawSockaddrAny // here, because what accept(2) is given the address of would be allocated each time
	direct  int                 // how often accept is tried as a direct call; only of one thread
	tries   int                 // that are left
	waiting atomic.Bool
	leaving atomic.Bool
}

// newAcceptor must be called on the thread that will accept, if that is to be
// one and the same.
func newAcceptor(listener *os.File, wake time.Duration) (*acceptor, error) {
	a := &acceptor{}
	a.thread.Store(int64(unix.Gettid()))
	err := onSocket(listener, "accept from the socket", func(fd int) error {
		a.fd = fd
		if isUnix(fd) { // whose connections are made by the client
			a.wake = wake
		}
		return nil
	})
	return a, err
}

// next returns the next connection and who it is from; errNobody if none came
// for a while, errLeaving after stop.
func (a *acceptor) next() (int, netip.AddrPort, error) {
	var nobody netip.AddrPort
	a.waiting.Store(true)
	defer a.waiting.Store(false)
	if a.direct > 0 { // and its goroutine not bound to a thread
		a.thread.Store(int64(unix.Gettid()))
	}
	for !a.leaving.Load() {
		fd, err := a.accept4()
		switch err {
		case 0:
			a.tries = a.direct
			if a.wake > 0 {
				if err := setTimeouts(fd, a.wake); err != nil {
					unix.Close(fd)
					return 0, nobody, os.NewSyscallError("setsockopt", err)
				}
			}
			return fd, a.peer(), nil
		case unix.EINTR, unix.ECONNABORTED:
		case unix.EAGAIN:
			return 0, nobody, errNobody
		default:
			return 0, nobody, os.NewSyscallError("accept", err)
		}
	}
	return 0, nobody, errLeaving
}

// accept4 is unix.Accept4 without its allocations, and without the system call
// with which that asks what protocol the socket speaks.
func (a *acceptor) accept4() (int, unix.Errno) {
	size := uint32(unix.SizeofSockaddrAny)
	if a.tries > 0 {
		a.tries--
		return directAccept(a.fd, &a.from, &size)
	}
	fd, _, err := unix.Syscall6(unix.SYS_ACCEPT4, uintptr(a.fd), uintptr(unsafe.Pointer(&a.from)), uintptr(unsafe.Pointer(&size)), unix.SOCK_CLOEXEC, 0, 0)
	return int(fd), err
}

// peer is who the last connection is from; the zero value for a Unix socket.
func (a *acceptor) peer() netip.AddrPort {
	switch a.from.Addr.Family {
	case unix.AF_INET:
		in := (*unix.RawSockaddrInet4)(unsafe.Pointer(&a.from))
		return netip.AddrPortFrom(netip.AddrFrom4(in.Addr), ntohs(in.Port))
	case unix.AF_INET6:
		in := (*unix.RawSockaddrInet6)(unsafe.Pointer(&a.from))
		return netip.AddrPortFrom(netip.AddrFrom16(in.Addr).Unmap(), ntohs(in.Port))
	}
	return netip.AddrPort{}
}

// wait waits for what the poller watches, so that stop ends it.
func (a *acceptor) wait(p *poller, patience time.Duration) ([]readiness, error) {
	a.waiting.Store(true)
	defer a.waiting.Store(false)
	if a.leaving.Load() {
		patience = 0
	}
	return p.wait(patience)
}

// ntohs reads a port in network byte order.
func ntohs(port uint16) uint16 {
	var b [2]byte
	binary.NativeEndian.PutUint16(b[:], port)
	return binary.BigEndian.Uint16(b[:])
}

// stop makes next return errLeaving. A signal to the waiting thread ends a
// blocked accept, which with a timeout set is not restarted (signal(7)). It
// may come just before the call and be lost, hence the repetition. SIGURG is
// the signal that the Go runtime itself interrupts threads with.
func (a *acceptor) stop() {
	a.leaving.Store(true)
	for pid := os.Getpid(); ; time.Sleep(2 * time.Millisecond) {
		if a.waiting.Load() {
			_ = unix.Tgkill(pid, int(a.thread.Load()), unix.SIGURG) // at worst the timeout does it
		}
	}
}
