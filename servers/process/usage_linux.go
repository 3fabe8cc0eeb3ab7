package process

import (
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// clockTick is the unit of times in /proc/PID/stat: USER_HZ is 100 on every
// architecture that Go runs on.
const clockTick = time.Second / 100

// measure adds up the tree. A process that is reaped between the reading of its
// parent and its own would be counted nowhere: then it starts again, but not for
// ever, since under CGI something always has just gone. Of a watcher only the
// children it has reaped count.
func (t *tree) measure(detail bool, watcher int) (Usage, error) {
	var u Usage
	for range 3 {
		found, err := t.scan(false)
		if err != nil {
			return Usage{}, err
		}
		var whole bool
		if u, whole = sum(found, watcher); whole {
			if detail {
				u.add(found, watcher)
			}
			return u, nil
		}
	}
	return u, nil
}

// sum is what is cheap to know of each process. Parents' reaped children have been
// read with the scan, before the live processes' clocks: the other order could
// count a child twice.
func sum(found []stat, watcher int) (u Usage, whole bool) {
	u.MemoryKind = "rss"
	whole = true
	for _, p := range found {
		if p.pid == watcher {
			u.CPU += time.Duration(p.childTicks) * clockTick
			continue
		}
		cpu, ok := cpuTime(p.pid)
		whole = whole && ok
		u.CPU += cpu + time.Duration(p.childTicks)*clockTick
		u.Memory += p.resident
		if !p.zombie {
			u.Processes++
			u.Threads += p.threads
		}
	}
	return u, whole
}

// cpuTime reads a process's CPU-time clock, which counts in nanoseconds all its
// threads, those that have ended too (clock_getcpuclockid(3)).
func cpuTime(pid int) (time.Duration, bool) {
	const schedClock = 2 // CPUCLOCK_SCHED
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|schedClock), &ts); err != nil {
		return 0, false
	}
	return time.Duration(ts.Nano()), true
}

// add completes a sample with what is dear to know.
func (u *Usage) add(found []stat, watcher int) {
	var pss int64
	proportional := true
	for _, p := range found {
		if p.zombie || p.pid == watcher {
			continue
		}
		dir := "/proc/" + strconv.Itoa(p.pid)
		own, ok := proportionalSize(p.pid, dir)
		pss += own
		proportional = proportional && ok
		u.Files += openFiles(dir + "/fd")
		u.switches(dir + "/task")
	}
	if proportional && pss > 0 {
		u.Memory, u.MemoryKind = pss, "pss"
	}
}

// proportionalSize is a process's PSS in bytes. One that has just ended, be it
// reaped yet or not, has none; ok is false if the system doesn't tell.
func proportionalSize(pid int, dir string) (size int64, ok bool) {
	var buf [2048]byte
	b, ok := readProc(buf[:], dir+"/smaps_rollup")
	if !ok || len(b) == 0 {
		st, alive := readStat(pid)
		return 0, !alive || st.zombie
	}
	kib, _ := field(b, "Pss")
	return int64(kib) << 10, true
}

// openFiles counts descriptors: since Linux 6.2 the directory's size tells,
// before that they must be listed.
func openFiles(dir string) int {
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err == nil && st.Size > 0 {
		return int(st.Size)
	}
	names, _ := os.ReadDir(dir) // gone or not ours: none to count
	return len(names)
}

// switches adds the context switches of a process's threads.
func (u *Usage) switches(dir string) {
	tasks, _ := os.ReadDir(dir) // gone: none to count
	var buf [4096]byte
	for _, t := range tasks {
		b, _ := readProc(buf[:], dir+"/"+t.Name()+"/status")
		voluntary, _ := field(b, "voluntary_ctxt_switches")
		involuntary, _ := field(b, "nonvoluntary_ctxt_switches")
		u.Voluntary += voluntary
		u.Involuntary += involuntary
	}
}
