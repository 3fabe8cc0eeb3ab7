package process

import (
	"os"

	"golang.org/x/sys/unix"
)

// anonymousFile is memory with a file descriptor. A file on disk would do as
// well, but for its write-back: that write-protects the pages every few
// seconds and makes the server fault on its next store.
func anonymousFile(name string) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	return os.NewFile(uintptr(fd), name), nil
}
