package process

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A meter is a counter of the kernel's (perf_event_open(2), task clock) for the
// CPU time of a program and of all that descends from it, the ended too. It is
// for a program that ignores SIGCHLD: what its children have used is discarded
// with them (POSIX has it so, Linux does since 2.6.9), and no reading of /proc
// or getrusage(2) ever shows it.
type meter struct{ fd int }

// openMeter makes a meter for what this thread starts from now on: it begins to
// count when that executes a program. It costs a fraction of a microsecond for
// each context switch of what is counted. A system may refuse it, to users
// (kernel.perf_event_paranoid above 2) or in a container.
func openMeter() (fd int, err error) {
	attr := unix.PerfEventAttr{
		Type:   unix.PERF_TYPE_SOFTWARE,
		Config: unix.PERF_COUNT_SW_TASK_CLOCK,
		Bits:   unix.PerfBitDisabled | unix.PerfBitInherit | unix.PerfBitEnableOnExec,
	}
	attr.Size = uint32(unsafe.Sizeof(attr))
	fd, err = unix.PerfEventOpen(&attr, 0, -1, -1, unix.PERF_FLAG_FD_CLOEXEC)
	if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) {
		// What users are refused first is the kernel's share in a counter that can
		// tell the two apart. This one can't, and counts both.
		attr.Bits |= unix.PerfBitExcludeKernel
		fd, err = unix.PerfEventOpen(&attr, 0, -1, -1, unix.PERF_FLAG_FD_CLOEXEC)
	}
	if err != nil {
		return -1, fmt.Errorf("perf_event_open: %w", err)
	}
	return fd, nil
}

// takeMeter gets a meter that is another process's descriptor.
func takeMeter(pid, theirs int) (*meter, error) {
	process, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil, fmt.Errorf("pidfd_open: %w", err)
	}
	defer unix.Close(process)
	fd, err := unix.PidfdGetfd(process, theirs, 0)
	if err != nil {
		return nil, fmt.Errorf("pidfd_getfd: %w", err)
	}
	return &meter{fd}, nil
}

func (m *meter) read() (time.Duration, error) {
	var b [8]byte
	if n, err := unix.Read(m.fd, b[:]); err != nil || n != len(b) {
		return 0, fmt.Errorf("read a counter of CPU time (%d bytes): %w", n, err)
	}
	return time.Duration(binary.NativeEndian.Uint64(b[:])), nil
}

func (m *meter) close() error { return unix.Close(m.fd) }
