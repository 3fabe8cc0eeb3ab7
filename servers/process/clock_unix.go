//go:build unix

package process

import (
	"time"

	"golang.org/x/sys/unix"
)

// epoch ties this process's clock to CLOCK_MONOTONIC, which all processes of
// the machine share and no correction of the wall clock moves: a wall clock
// set forward by a minute would make every worker look hung.
var epoch = newEpoch()

type machineEpoch struct {
	at   time.Time
	nano int64
}

func newEpoch() machineEpoch {
	var ts unix.Timespec
	at := time.Now()
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return machineEpoch{at, at.UnixNano()}
	}
	return machineEpoch{at, ts.Nano()}
}

// machineNow is the machine's monotonic clock in nanoseconds.
func machineNow() int64 { return epoch.nano + int64(time.Since(epoch.at)) }
