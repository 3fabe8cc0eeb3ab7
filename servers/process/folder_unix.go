//go:build unix

package process

import (
	"errors"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// claimName is the file in a private folder on which its owner has a lock.
const claimName = ".owner"

// unclaimedFor is how old a folder must be that nobody has claimed yet, to be
// taken for one that nobody will.
const unclaimedFor = time.Minute

// ClaimFolder marks a folder as in use until the returned file is closed, or
// this process is dead, however it died.
func ClaimFolder(folder string) (*os.File, error) {
	name := filepath.Join(folder, claimName)
	f, err := os.OpenFile(name+".new", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(os.NewSyscallError("flock", err), f.Close())
	}
	// It gets its name when it is locked: one that isn't has lost its owner.
	if err := os.Rename(name+".new", name); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// RemoveAbandoned removes the folders that match pattern (of filepath.Glob)
// and whose owner is dead. A process that was killed between making a folder
// and starting the program that would remove it leaves one behind.
func RemoveAbandoned(pattern string) {
	folders, _ := filepath.Glob(pattern) // a leftover costs little; nothing here is worth an error
	for _, folder := range folders {
		if abandoned(folder) {
			_ = os.RemoveAll(folder)
		}
	}
}

func abandoned(folder string) bool {
	f, err := os.OpenFile(filepath.Join(folder, claimName), os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		st, err := os.Stat(folder)
		return err == nil && time.Since(st.ModTime()) > unclaimedFor
	}
	if err != nil {
		return false // somebody else's
	}
	defer f.Close()
	return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil
}
