package models

import (
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

// awaitExit waits for a child to end without reaping it.
func awaitExit(pid int) {
	for unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
	}
}
