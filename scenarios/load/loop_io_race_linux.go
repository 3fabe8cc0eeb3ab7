//go:build linux && race

package load

import "syscall"

// read and write are those that the race detector knows of: what was done
// before a write happens before what follows the read of it, in tests in which
// the server is in the same process.

func read(fd int, p []byte) (int, error)  { return syscall.Read(fd, p) }
func write(fd int, p []byte) (int, error) { return syscall.Write(fd, p) }
