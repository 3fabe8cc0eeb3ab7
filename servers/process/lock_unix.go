//go:build unix && !linux

package process

import (
	"errors"
	"os"
)

// A lockFile is a file that all processes of a group can open by its path, for
// flock(2): an empty one in the folder for temporary files.
type lockFile struct{ path string }

func newLockFile() (*lockFile, error) {
	f, err := os.CreateTemp("", "lab-lock-")
	if err != nil {
		return nil, err
	}
	return &lockFile{f.Name()}, f.Close()
}

// Close removes the file. A process that has opened it keeps its lock.
func (l *lockFile) Close() error {
	if err := os.Remove(l.path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
