package process

import (
	"fmt"
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// Cores are the CPUs that this process may use.
func Cores() []int {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil
	}
	cores := make([]int, 0, set.Count())
	for i := 0; len(cores) < set.Count(); i++ {
		if set.IsSet(i) {
			cores = append(cores, i)
		}
	}
	return cores
}

// OnCores pins this process, with all its present threads, to the given CPUs.
// Threads and processes started later inherit it.
func OnCores(cores []int) error {
	set, err := cpuSet(cores)
	if err != nil {
		return err
	}
	// Threads may be born while the list is read, of unpinned parents: go on
	// until a whole round finds no new one.
	pinned := map[int]bool{}
	for again := true; again; {
		again = false
		tasks, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return fmt.Errorf("pin to CPUs %v: %w", cores, err)
		}
		for _, t := range tasks {
			tid, err := strconv.Atoi(t.Name())
			if err != nil || pinned[tid] {
				continue
			}
			if err := unix.SchedSetaffinity(tid, set); err != nil && err != unix.ESRCH {
				return fmt.Errorf("pin thread %d to CPUs %v: %w", tid, cores, err)
			}
			pinned[tid], again = true, true
		}
	}
	return nil
}

// withCores runs f, in which processes are started, on a thread that is
// pinned to the given CPUs: a child inherits the affinity of the thread that
// forked it.
func withCores(cores []int, f func() error) error {
	if cores == nil {
		return f()
	}
	set, err := cpuSet(cores)
	if err != nil {
		return err
	}
	runtime.LockOSThread()
	var before unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		runtime.UnlockOSThread()
		return os.NewSyscallError("sched_getaffinity", err)
	}
	if err := unix.SchedSetaffinity(0, set); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("pin to CPUs %v: %w; this process may use %v", cores, err, Cores())
	}
	ferr := f()
	if err := unix.SchedSetaffinity(0, &before); err == nil {
		runtime.UnlockOSThread() // else the thread stays locked and ends with its goroutine
	}
	return ferr
}

func cpuSet(cores []int) (*unix.CPUSet, error) {
	if len(cores) == 0 {
		return nil, fmt.Errorf("pin to CPUs: the list is empty")
	}
	var set unix.CPUSet
	for _, c := range cores {
		set.Set(c)
		if c < 0 || !set.IsSet(c) {
			return nil, fmt.Errorf("pin to CPU %d: there is no such CPU; this process may use %v", c, Cores())
		}
	}
	return &set, nil
}
