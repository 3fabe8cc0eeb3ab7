package process

import (
	"fmt"
	"os"
)

// A lockFile is a file that all processes of a group can open by its path, for
// flock(2). It has no name on disk: the path leads through this process's
// descriptors, and is gone with it.
type lockFile struct {
	path string
	file *os.File
}

func newLockFile() (*lockFile, error) {
	f, err := anonymousFile("lab-lock")
	if err != nil {
		return nil, err
	}
	return &lockFile{fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), f.Fd()), f}, nil
}

// Close makes the path useless. A process that has opened it keeps its lock.
func (l *lockFile) Close() error { return l.file.Close() }
