package process

import (
	"os"
	"strconv"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// A tree finds the processes of a group: those in the sessions of its leaders,
// their children, and those that were seen there before.
//
// Reading every /proc/PID/stat of a machine costs about 10 µs each, too dear
// for ten times a second beside a measurement. So a process once seen to be
// foreign is not read again while its number stays in use: it can't become
// ours, a session is only ever inherited or left. A full scan, which trusts
// nothing, is made where completeness matters more than time.
type tree struct {
	mu       sync.Mutex
	sessions map[int]uint64 // session → start of the leader whose number it is
	members  map[int]uint64 // process → its start
	foreign  map[int]bool
	names    []byte // directory buffer
}

// A stat is a process as /proc/PID/stat shows it.
type stat struct {
	pid, parent, session int
	name                 string
	zombie               bool
	start                uint64 // clock ticks since boot
	childTicks           uint64 // user and system time of reaped children
	threads              int
	resident             int64 // bytes
}

func newTree() *tree {
	return &tree{
		sessions: map[int]uint64{},
		members:  map[int]uint64{},
		names:    make([]byte, 32<<10),
	}
}

// follow adds leaders that have just been started and are not waited for yet.
func (t *tree) follow(leaders []*leader) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range leaders {
		// It isn't reaped yet, so it is there, if only as a zombie.
		if st, ok := readStat(l.cmd.Process.Pid); ok {
			t.sessions[st.pid] = st.start
		}
	}
	t.foreign = map[int]bool{} // they may have been seen before they were known
}

// scan returns the processes of the tree, zombies too, in ascending order of
// their numbers.
func (t *tree) scan(full bool) ([]stat, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	pids, err := t.list()
	if err != nil {
		return nil, err
	}
	var found []stat
	members := make(map[int]uint64, len(t.members))
	foreign := make(map[int]bool, len(pids))
	for _, pid := range pids {
		if !full && t.foreign[pid] {
			foreign[pid] = true
			continue
		}
		st, ok := readStat(pid)
		switch {
		case !ok:
		case t.ours(st) || members[st.parent] != 0:
			members[pid] = st.start
			found = append(found, st)
		default:
			foreign[pid] = true
		}
	}
	t.members, t.foreign = members, foreign
	return found, nil
}

// ours says whether a process belongs to the tree. A session's number is free
// for reuse once the session is empty; a new process of that number ends it.
func (t *tree) ours(st stat) bool {
	if start, ok := t.sessions[st.pid]; ok && start != st.start {
		delete(t.sessions, st.pid)
	}
	_, inSession := t.sessions[st.session]
	return inSession || t.members[st.pid] == st.start
}

// list returns the numbers of all processes.
func (t *tree) list() ([]int, error) {
	dir, err := unix.Open("/proc", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("open /proc", err)
	}
	defer unix.Close(dir)
	var pids []int
	for {
		n, err := unix.ReadDirent(dir, t.names)
		if err != nil {
			return nil, os.NewSyscallError("read /proc", err)
		}
		if n <= 0 {
			return pids, nil
		}
		for rest := t.names[:n]; len(rest) > 0; {
			var names []string
			var used int
			used, _, names = unix.ParseDirent(rest, 64, nil)
			rest = rest[used:]
			for _, name := range names {
				if pid, err := strconv.Atoi(name); err == nil {
					pids = append(pids, pid)
				}
			}
		}
	}
}

// reap collects a zombie whose parent died first and which fell to this
// process, as everything does to process 1 of a container. Leaders are left to
// those who wait for them.
func (t *tree) reap(st stat) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, leader := t.sessions[st.pid]; !leader && st.parent == os.Getpid() {
		_, _ = syscall.Wait4(st.pid, nil, syscall.WNOHANG, nil) // if this fails there is nothing to collect
	}
}
