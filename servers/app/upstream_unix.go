//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package app

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A link is a connection to the upstream: a descriptor, which the runtime's
// poller knows if there is a file.
type link struct {
	fd     int
	file   *os.File
	inside time.Duration // the limit that a blocking one's system calls have
}

func (l *link) close() {
	if l.file != nil {
		_ = l.file.Close() // nothing is lost with it
		return
	}
	_ = syscall.Close(l.fd)
}

// onItsWay makes a call in the way in which the request may wait.
func (u *upstream) onItsWay(r *Request, call func(carrier) error) error {
	switch {
	case r.Loop != nil && r.Loop.Ready != nil:
		return call(onLoop{r.Loop})
	case r.Loop == nil && r.Gone != nil:
		return call(onPoller{})
	}
	var err error
	if gone := offload(r, func() { err = call(onThread{}) }); gone != nil {
		return gone
	}
	return err
}

// socket makes one and begins to connect it.
func socket(address string, block bool) (fd int, err error) {
	to, err := inet4(address)
	if err != nil {
		return -1, err
	}
	syscall.ForkLock.RLock()
	fd, err = syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return -1, err
	}
	// A request is a single small packet, which must not wait for another.
	_ = syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
	if err = syscall.SetNonblock(fd, !block); err == nil {
		if err = syscall.Connect(fd, to); err == syscall.EINPROGRESS && !block {
			return fd, nil
		}
	}
	if err != nil {
		_ = syscall.Close(fd)
		return -1, err
	}
	return fd, nil
}

func inet4(address string) (*syscall.SockaddrInet4, error) {
	host, port, ok := strings.Cut(address, ":")
	to := &syscall.SockaddrInet4{}
	parts := strings.Split(host, ".")
	var err error
	if to.Port, err = strconv.Atoi(port); err != nil || !ok || len(parts) != 4 || to.Port < 1 || to.Port > 65535 {
		return nil, errors.New("expected an IPv4 address and a port")
	}
	for i, p := range parts {
		n, err := strconv.Atoi(p)
		if err != nil || n < 0 || n > 255 {
			return nil, errors.New("expected an IPv4 address and a port")
		}
		to.Addr[i] = byte(n)
	}
	return to, nil
}

// connected says how an attempt to connect has ended.
func connected(fd int) error {
	n, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_ERROR)
	if err == nil && n != 0 {
		err = syscall.Errno(n)
	}
	return err
}

// onThread blocks the calling thread in the kernel, which knows the deadline.
type onThread struct{}

func (onThread) dial(address string, until time.Time) (*link, error) {
	// On loopback a connection is there at once or refused; a full listen queue
	// is waited for without a limit of ours.
	fd, err := socket(address, true)
	if err != nil {
		return nil, err
	}
	return &link{fd: fd}, nil
}

// limit has the link's system calls end at the deadline. Most calls have the
// same time from their beginning on, to which the limit is set once.
func (l *link) limit(until time.Time) error {
	left := time.Until(until)
	if left <= 0 {
		return os.ErrDeadlineExceeded
	}
	if exact := left.Round(limitGrain); l.inside == exact && exact > 0 {
		return nil
	}
	l.inside = max(left.Round(limitGrain), limitGrain)
	t := syscall.NsecToTimeval(l.inside.Nanoseconds())
	if err := syscall.SetsockoptTimeval(l.fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &t); err != nil {
		return err
	}
	return syscall.SetsockoptTimeval(l.fd, syscall.SOL_SOCKET, syscall.SO_SNDTIMEO, &t)
}

const limitGrain = 5 * time.Millisecond

func (onThread) write(l *link, p []byte, until time.Time) error {
	for len(p) > 0 {
		if err := l.limit(until); err != nil {
			return err
		}
		n, err := syscall.Write(l.fd, p)
		switch {
		case n > 0:
			p = p[n:]
		case err == syscall.EAGAIN:
			return os.ErrDeadlineExceeded
		case err != syscall.EINTR:
			return err
		}
	}
	return nil
}

func (onThread) read(l *link, p []byte, until time.Time) (int, error) {
	for {
		if err := l.limit(until); err != nil {
			return 0, err
		}
		n, err := syscall.Read(l.fd, p)
		switch err {
		case nil:
			return n, nil
		case syscall.EAGAIN:
			return 0, os.ErrDeadlineExceeded
		case syscall.EINTR:
		default:
			return 0, err
		}
	}
}

// onPoller suspends the calling goroutine, whose thread does something else.
type onPoller struct{}

func (onPoller) dial(address string, until time.Time) (*link, error) {
	fd, err := socket(address, false)
	if err != nil {
		return nil, err
	}
	// The runtime's poller takes a descriptor that doesn't block.
	l := &link{fd: fd, file: os.NewFile(uintptr(fd), "upstream")}
	if err = l.file.SetDeadline(until); err == nil {
		var raw syscall.RawConn
		if raw, err = l.file.SyscallConn(); err == nil {
			err = awaitConnection(raw)
		}
	}
	if err != nil {
		l.close()
		return nil, exceeded(err)
	}
	return l, nil
}

// awaitConnection waits until the socket can be written to, which is when it is
// connected or never will be.
func awaitConnection(raw syscall.RawConn) error {
	var failed error
	err := raw.Write(func(fd uintptr) bool {
		if failed = connected(int(fd)); failed != nil {
			return true
		}
		_, away := syscall.Getpeername(int(fd)) // not yet, if it has no other end
		return away == nil
	})
	if err == nil {
		err = failed
	}
	return err
}

func exceeded(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return os.ErrDeadlineExceeded
	}
	return err
}

func (onPoller) write(l *link, p []byte, until time.Time) error {
	err := l.file.SetDeadline(until)
	if err == nil {
		_, err = l.file.Write(p)
	}
	return exceeded(err)
}

func (onPoller) read(l *link, p []byte, _ time.Time) (int, error) {
	n, err := l.file.Read(p)
	return n, exceeded(err)
}

// onLoop suspends the request alone; the loop's poller wakes it.
type onLoop struct{ *Loop }

// ready waits until the socket can be read from, or written to.
func (o onLoop) ready(l *link, write bool, until time.Time) error {
	left := time.Until(until)
	if left <= 0 {
		return os.ErrDeadlineExceeded
	}
	return o.Ready(l.fd, write, left)
}

func (o onLoop) dial(address string, until time.Time) (*link, error) {
	fd, err := socket(address, false)
	if err != nil {
		return nil, err
	}
	l := &link{fd: fd}
	for {
		if err = connected(fd); err != nil {
			break
		}
		if _, away := syscall.Getpeername(fd); away == nil {
			return l, nil
		}
		if err = o.ready(l, true, until); err != nil {
			break
		}
	}
	l.close()
	return nil, err
}

func (o onLoop) write(l *link, p []byte, until time.Time) error {
	for len(p) > 0 {
		n, err := syscall.Write(l.fd, p)
		switch {
		case n > 0:
			p = p[n:]
		case err == syscall.EAGAIN:
			if err := o.ready(l, true, until); err != nil {
				return err
			}
		case err != syscall.EINTR:
			return err
		}
	}
	return nil
}

func (o onLoop) read(l *link, p []byte, until time.Time) (int, error) {
	// It has only just been asked: there can be nothing yet.
	for {
		if err := o.ready(l, false, until); err != nil {
			return 0, err
		}
		n, err := syscall.Read(l.fd, p)
		switch err {
		case nil:
			return n, nil
		case syscall.EAGAIN, syscall.EINTR:
		default:
			return 0, err
		}
	}
}
