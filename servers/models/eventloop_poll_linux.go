package models

import (
	"errors"
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

// A poller is epoll(7). Connections are watched edge-triggered, for both
// directions and once and for all, so that no system call is spent on changing
// what is watched: the loop remembers what is ready, and the kernel tells of
// changes only.
type poller struct {
	fd     int
	events [256]unix.EpollEvent
	ready  [256]readiness
}

func newPoller() (*poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	return &poller{fd: fd}, nil
}

func (p *poller) control(op, fd int, events uint32) error {
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(p.fd, op, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)}))
}

// add watches a connection until it is closed.
func (p *poller) add(fd int) error {
	return p.control(unix.EPOLL_CTL_ADD, fd, unix.EPOLLIN|unix.EPOLLOUT|unix.EPOLLRDHUP|unix.EPOLLET&0xffffffff)
}

// watch watches what is reported for as long as it can be read.
func (p *poller) watch(fd int) error { return p.control(unix.EPOLL_CTL_ADD, fd, unix.EPOLLIN) }

// watchShared watches what other processes watch too, each with a poller of its
// own: not all of those that wait are woken.
func (p *poller) watchShared(fd int) error {
	return p.control(unix.EPOLL_CTL_ADD, fd, unix.EPOLLIN|unix.EPOLLEXCLUSIVE)
}

// notice reports each time that something comes.
func (p *poller) notice(fd int) error {
	return p.control(unix.EPOLL_CTL_ADD, fd, unix.EPOLLIN|unix.EPOLLET&0xffffffff)
}

// watchOnce reports once that there is something to be read, or nothing any
// more. Known says that the descriptor was watched so before.
func (p *poller) watchOnce(fd int, known bool) error {
	op := unix.EPOLL_CTL_ADD
	if known {
		op = unix.EPOLL_CTL_MOD
	}
	return p.control(op, fd, unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLONESHOT)
}

// once reports once that the descriptor can be read from, or written to.
func (p *poller) once(fd int, write bool) error {
	events := uint32(unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLONESHOT)
	if write {
		events = unix.EPOLLOUT | unix.EPOLLONESHOT
	}
	err := p.control(unix.EPOLL_CTL_MOD, fd, events)
	if errors.Is(err, unix.ENOENT) { // a new one
		err = p.control(unix.EPOLL_CTL_ADD, fd, events)
	}
	return err
}

func (p *poller) forget(fd int) error { return p.control(unix.EPOLL_CTL_DEL, fd, 0) }

// wait returns what is ready, after patience at the latest (< 0 = when there is
// something). The slice is used again by the next call.
func (p *poller) wait(patience time.Duration) ([]readiness, error) {
	ms := -1
	if patience >= 0 { // rounded up: a timer that isn't due yet would only be looked at again
		ms = int(min((patience+time.Millisecond-1)/time.Millisecond, 1<<30))
	}
	n, err := unix.EpollWait(p.fd, p.events[:], ms)
	if err == unix.EINTR {
		return nil, nil
	}
	if err != nil {
		return nil, os.NewSyscallError("epoll_wait", err)
	}
	for i, e := range p.events[:n] {
		p.ready[i] = readiness{
			fd:  int(e.Fd),
			in:  e.Events&(unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0,
			out: e.Events&(unix.EPOLLOUT|unix.EPOLLHUP|unix.EPOLLERR) != 0,
			hup: e.Events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0,
		}
	}
	return p.ready[:n], nil
}

func acceptNonblocking(fd int) (int, unix.Sockaddr, error) {
	return unix.Accept4(fd, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
}
