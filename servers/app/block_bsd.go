//go:build darwin || freebsd || netbsd || openbsd || dragonfly

package app

import (
	"syscall"
	"time"
)

// holdThread keeps the calling thread in the kernel for a while, or until a
// signal comes.
func holdThread(d time.Duration) {
	t := syscall.NsecToTimeval((d + time.Microsecond - 1).Nanoseconds())
	_ = syscall.Select(0, nil, nil, nil, &t) // the clock says whether it was long enough
}
