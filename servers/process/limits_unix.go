//go:build unix

package process

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// FileLimit is how many files this process may have open.
func FileLimit() (uint64, error) {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		return 0, fmt.Errorf("read the limit of open files: %w", err)
	}
	return uint64(l.Cur), nil
}

// RaiseFileLimit raises the limit of open files as far as the system lets
// this process and returns what it is then.
func RaiseFileLimit() (uint64, error) {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		return 0, fmt.Errorf("read the limit of open files: %w", err)
	}
	if l.Cur < l.Max {
		raised := l
		raised.Cur = l.Max
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &raised); err != nil {
			return uint64(l.Cur), fmt.Errorf("raise the limit of open files from %d to %d: %w", l.Cur, l.Max, err)
		}
	}
	return FileLimit()
}
