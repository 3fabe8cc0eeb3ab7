package models

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A readiness says which of many connections can be read. Each watch is good
// for one answer.
type readiness struct {
	fd     int
	events [128]unix.EpollEvent
	ready  []int
}

func newReadiness() (*readiness, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	return &readiness{fd: fd}, os.NewSyscallError("epoll_create1", err)
}

// watch waits for a connection to become readable, or to be closed by its
// client. Known says that it was watched before.
func (r *readiness) watch(fd int, known bool) error {
	op := unix.EPOLL_CTL_ADD
	if known {
		op = unix.EPOLL_CTL_MOD
	}
	err := unix.EpollCtl(r.fd, op, fd, &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLONESHOT, Fd: int32(fd)})
	return os.NewSyscallError("epoll_ctl", err)
}

// wait returns the readable ones, at the latest after limit. The slice is used
// again.
func (r *readiness) wait(limit time.Duration) ([]int, error) {
	n, err := unix.EpollWait(r.fd, r.events[:], int(limit/time.Millisecond))
	if err == unix.EINTR {
		return nil, nil
	}
	r.ready = r.ready[:0]
	for _, e := range r.events[:max(0, n)] {
		r.ready = append(r.ready, int(e.Fd))
	}
	return r.ready, os.NewSyscallError("epoll_wait", err)
}
