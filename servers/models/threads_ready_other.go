//go:build unix && !linux

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
	events [128]unix.Kevent_t
	ready  []int
}

func newReadiness() (*readiness, error) {
	fd, err := unix.Kqueue()
	if err != nil {
		return nil, os.NewSyscallError("kqueue", err)
	}
	unix.CloseOnExec(fd)
	return &readiness{fd: fd}, nil
}

// watch waits for a connection to become readable, or to be closed by its
// client.
func (r *readiness) watch(fd int, _ bool) error {
	var k unix.Kevent_t
	unix.SetKevent(&k, fd, unix.EVFILT_READ, unix.EV_ADD|unix.EV_ONESHOT)
	_, err := unix.Kevent(r.fd, []unix.Kevent_t{k}, nil, nil)
	return os.NewSyscallError("kevent", err)
}

// wait returns the readable ones, at the latest after limit. The slice is used
// again.
func (r *readiness) wait(limit time.Duration) ([]int, error) {
	timeout := unix.NsecToTimespec(int64(limit))
	n, err := unix.Kevent(r.fd, nil, r.events[:], &timeout)
	if err == unix.EINTR {
		return nil, nil
	}
	r.ready = r.ready[:0]
	for _, e := range r.events[:max(0, n)] {
		r.ready = append(r.ready, int(e.Ident))
	}
	return r.ready, os.NewSyscallError("kevent", err)
}
