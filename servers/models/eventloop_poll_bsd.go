//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package models

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A readiness is what the kernel says of one descriptor.
type readiness struct {
	fd      int
	in, out bool
	hup     bool // the other side has closed, half or whole
}

// A poller is kqueue(2). Connections are watched with EV_CLEAR, for both
// directions and once and for all, so that no system call is spent on changing
// what is watched: the loop remembers what is ready, and the kernel tells of
// changes only.
type poller struct {
	fd     int
	events [256]unix.Kevent_t
	ready  [256]readiness
}

func newPoller() (*poller, error) {
	fd, err := unix.Kqueue()
	if err != nil {
		return nil, os.NewSyscallError("kqueue", err)
	}
	unix.CloseOnExec(fd)
	return &poller{fd: fd}, nil
}

func (p *poller) change(fd, flags int, filters ...int) error {
	changes := make([]unix.Kevent_t, len(filters))
	for i, f := range filters {
		unix.SetKevent(&changes[i], fd, f, flags)
	}
	_, err := unix.Kevent(p.fd, changes, nil, nil)
	return os.NewSyscallError("kevent", err)
}

// add watches a connection until it is closed.
func (p *poller) add(fd int) error {
	return p.change(fd, unix.EV_ADD|unix.EV_CLEAR, unix.EVFILT_READ, unix.EVFILT_WRITE)
}

// watch watches what is reported for as long as it can be read.
func (p *poller) watch(fd int) error { return p.change(fd, unix.EV_ADD, unix.EVFILT_READ) }

// watchShared watches what other processes watch too, each with a poller of its
// own. Here all of those that wait are woken.
func (p *poller) watchShared(fd int) error { return p.watch(fd) }

// notice reports each time that something comes.
func (p *poller) notice(fd int) error {
	return p.change(fd, unix.EV_ADD|unix.EV_CLEAR, unix.EVFILT_READ)
}

// watchOnce reports once that there is something to be read, or nothing any
// more.
func (p *poller) watchOnce(fd int, _ bool) error {
	return p.change(fd, unix.EV_ADD|unix.EV_ONESHOT, unix.EVFILT_READ)
}

// once reports once that the descriptor can be read from, or written to.
func (p *poller) once(fd int, write bool) error {
	filter := unix.EVFILT_READ
	if write {
		filter = unix.EVFILT_WRITE
	}
	return p.change(fd, unix.EV_ADD|unix.EV_ONESHOT, filter)
}

func (p *poller) forget(fd int) error { return p.change(fd, unix.EV_DELETE, unix.EVFILT_READ) }

// wait returns what is ready, after patience at the latest (< 0 = when there is
// something). The slice is used again by the next call.
func (p *poller) wait(patience time.Duration) ([]readiness, error) {
	var limit *unix.Timespec
	if patience >= 0 {
		t := unix.NsecToTimespec(patience.Nanoseconds())
		limit = &t
	}
	n, err := unix.Kevent(p.fd, nil, p.events[:], limit)
	if err == unix.EINTR {
		return nil, nil
	}
	if err != nil {
		return nil, os.NewSyscallError("kevent", err)
	}
	for i := range p.events[:n] {
		e := &p.events[i]
		in := e.Filter == unix.EVFILT_READ
		p.ready[i] = readiness{fd: int(e.Ident), in: in, out: !in, hup: e.Flags&unix.EV_EOF != 0}
	}
	return p.ready[:n], nil
}

func acceptNonblocking(fd int) (int, unix.Sockaddr, error) {
	c, from, err := unix.Accept(fd)
	if err != nil {
		return -1, nil, err
	}
	unix.CloseOnExec(c)
	if err := unix.SetNonblock(c, true); err != nil {
		unix.Close(c)
		return -1, nil, err
	}
	return c, from, nil
}
