//go:build unix

package process

import (
	"time"

	"golang.org/x/sys/unix"
)

// SelfCPU is the CPU time this process has used, all threads together.
func SelfCPU() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t); err != nil {
		return 0
	}
	return time.Duration(t.Nano())
}
