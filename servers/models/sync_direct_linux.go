package models

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The direct calls are system calls that the Go runtime isn't told of. Once one
// that it is told of has taken 10 ms, which it does in a worker that waits for
// its turn on a busy machine too, the runtime's monitor looks every 20 µs after
// the next ones, in each worker, and that costs a third of what the serving does.
//
// Only a process that does everything on one thread may make them: whoever waits
// in one keeps its P. After 10 ms the monitor takes it for one that computes, and
// interrupts it with a signal; so does a garbage collection that waits for it, at
// once. A socket with a timeout then returns EINTR, and the caller passes through
// code where the others get their turn. Who has waited as long as directTries
// interruptions goes on in a call that the runtime knows, so that a worker that
// has nothing to do costs nothing.
const directTries = 2

// aloneAtWork prepares a process for them. With one P, giving way to nobody
// costs nothing; with a second, or a goroutine that is bound to its thread,
// another thread is woken for it each time.
func aloneAtWork() { runtime.GOMAXPROCS(1) }

func directAccept(listener int, from *unix.RawSockaddrAny, size *uint32) (int, unix.Errno) {
	fd, _, err := unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(listener), uintptr(unsafe.Pointer(from)), uintptr(unsafe.Pointer(size)), unix.SOCK_CLOEXEC, 0, 0)
	return int(fd), err
}

func directRead(fd int, p []byte) (int, error) { return directTransfer(unix.SYS_READ, fd, p) }

func directWrite(fd int, p []byte) (int, error) { return directTransfer(unix.SYS_WRITE, fd, p) }

func directTransfer(call uintptr, fd int, p []byte) (int, error) {
	n, _, err := unix.RawSyscall(call, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	if err != 0 {
		return -1, err
	}
	return int(n), nil
}

// directClose is for connections, whose close doesn't wait for what is still
// to be sent.
func directClose(fd int) { _, _, _ = unix.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0) }
