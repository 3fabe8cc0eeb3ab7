package models

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// childAttributes puts a child into a process group of its own, and has the
// kernel kill it should labserver be killed. (That signal is sent when the
// thread that forked ends. The runtime keeps its threads, but for goroutines
// that end locked to one, and labserver has none of those here.)
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// leavesZombie says that awaitExit leaves the child to be reaped.
const leavesZombie = true

// awaitExit waits for a child to end without reaping it. The descriptor of a
// process can be polled (pidfd_open(2)), so that no thread has to block for
// each child; where the kernel has none, one does.
func awaitExit(pid int) {
	options := unix.WEXITED | unix.WNOWAIT
	if fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK); err == nil {
		f := os.NewFile(uintptr(fd), "a child")
		defer f.Close()
		if raw, err := f.SyscallConn(); err == nil {
			ended := false
			err := raw.Read(func(uintptr) bool {
				var p unix.PollFd
				p.Fd, p.Events = int32(fd), unix.POLLIN
				n, _ := unix.Poll([]unix.PollFd{p}, 0) // interrupted, it is asked again
				ended = n > 0
				return ended
			})
			if err == nil && ended {
				return
			}
		}
	}
	for unix.Waitid(unix.P_PID, pid, nil, options, nil) == unix.EINTR {
	}
}

// pipe makes a pipe of which the reading end doesn't block; both close on exec.
func pipe() (r, w int, err error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return 0, 0, os.NewSyscallError("pipe", err)
	}
	if err := unix.SetNonblock(fds[0], true); err != nil {
		return 0, 0, errors.Join(os.NewSyscallError("fcntl", err), unix.Close(fds[0]), unix.Close(fds[1]))
	}
	return fds[0], fds[1], nil
}
