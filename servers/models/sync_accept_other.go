//go:build unix && !linux

package models

import (
	"errors"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// pollTime is how long a worker may take to notice that it is to stop.
const pollTime = 50 * time.Millisecond

// prepareListener makes accept(2) on the listener return at once in all
// processes that share it: here a blocked one can't be given a timeout, and
// another worker may be faster after poll(2).
func prepareListener(listener *os.File, _ time.Duration) error {
	return onSocket(listener, "make accept non-blocking", func(fd int) error { return unix.SetNonblock(fd, true) })
}

// An acceptor accepts connections.
type acceptor struct {
	fd      int
	wake    unix.Timeval
	beat    time.Duration
	direct  int // 0
	leaving atomic.Bool
}

func newAcceptor(listener *os.File, wake time.Duration) (*acceptor, error) {
	a := &acceptor{wake: unix.NsecToTimeval(int64(wake)), beat: wake}
	err := onSocket(listener, "accept from the socket", func(fd int) error { a.fd = fd; return nil })
	return a, err
}

// next returns the next connection and who it is from; errNobody if none came
// for a while, errLeaving after stop.
func (a *acceptor) next() (int, netip.AddrPort, error) {
	var nobody netip.AddrPort
	watch := []unix.PollFd{{Fd: int32(a.fd), Events: unix.POLLIN}}
	for end := time.Now().Add(a.beat); time.Now().Before(end); {
		if a.leaving.Load() {
			return 0, nobody, errLeaving
		}
		n, err := unix.Poll(watch, int(pollTime/time.Millisecond))
		if n <= 0 || err != nil {
			continue
		}
		fd, peer, err := unix.Accept(a.fd)
		switch err {
		case nil:
			return fd, addressOf(peer), a.prepare(fd)
		case unix.EINTR, unix.EAGAIN, unix.ECONNABORTED:
		default:
			return 0, nobody, os.NewSyscallError("accept", err)
		}
	}
	return 0, nobody, errNobody
}

func (a *acceptor) prepare(fd int) error {
	unix.CloseOnExec(fd)
	err := errors.Join(
		unix.SetNonblock(fd, false),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &a.wake),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &a.wake),
		noDelay(fd),
	)
	if err != nil {
		unix.Close(fd)
	}
	return err
}

// wait waits for what the poller watches, and not for long, so that it notices
// stop.
func (a *acceptor) wait(p *poller, patience time.Duration) ([]readiness, error) {
	return p.wait(min(patience, pollTime))
}

// stop makes next return errLeaving.
func (a *acceptor) stop() { a.leaving.Store(true) }
