package app

import (
	"syscall"
	"time"
)

// holdThread keeps the calling thread in the kernel for a while, or until a
// signal comes.
func holdThread(d time.Duration) {
	t := syscall.NsecToTimespec(d.Nanoseconds())
	_ = syscall.Nanosleep(&t, nil) // the clock says whether it was long enough
}
