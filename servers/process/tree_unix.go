//go:build unix && !linux

package process

import (
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/shirou/gopsutil/v4/process"
	"golang.org/x/sys/unix"
)

// A tree finds the processes of a group: those in the sessions of its leaders
// and those that were seen there before.
type tree struct {
	mu       sync.Mutex
	sessions map[int]bool
	members  map[int]int64 // process → when it was created
}

type stat struct {
	pid    int
	name   string
	zombie bool
	proc   *process.Process
}

func newTree() *tree {
	return &tree{sessions: map[int]bool{}, members: map[int]int64{}}
}

// follow adds leaders that have just been started and are not waited for yet.
func (t *tree) follow(leaders []*leader) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range leaders {
		t.sessions[l.cmd.Process.Pid] = true
	}
}

// scan returns the processes of the tree in ascending order of their numbers.
// There is no cheaper kind of scan here.
func (t *tree) scan(bool) ([]stat, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	pids, err := process.Pids()
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var found []stat
	members := make(map[int]int64, len(t.members))
	for _, n := range pids {
		session, err := unix.Getsid(int(n))
		_, before := t.members[int(n)]
		if !before && (err != nil || !t.sessions[session]) {
			continue
		}
		p, err := process.NewProcess(n)
		if err != nil {
			continue // gone
		}
		created, err := p.CreateTime()
		if err != nil || before && t.members[int(n)] != created {
			continue // gone, its number taken by another
		}
		name, _ := p.Name() // only for messages
		members[int(n)] = created
		found = append(found, stat{pid: int(n), name: name, zombie: isZombie(p), proc: p})
	}
	t.members = members
	return found, nil
}

func isZombie(p *process.Process) bool {
	states, err := p.Status()
	return err == nil && len(states) > 0 && states[0] == process.Zombie
}

// reap collects a zombie that fell to this process when its parent died.
func (t *tree) reap(st stat) {
	t.mu.Lock()
	defer t.mu.Unlock()
	parent, err := st.proc.Ppid()
	if err == nil && int(parent) == os.Getpid() && !t.sessions[st.pid] {
		_, _ = syscall.Wait4(st.pid, nil, syscall.WNOHANG, nil) // if this fails there is nothing to collect
	}
}

// measure adds up what this system tells of each process: neither reaped
// children nor proportional memory.
func (t *tree) measure(detail bool, watcher int) (Usage, error) {
	u := Usage{MemoryKind: "rss"}
	found, err := t.scan(true)
	if err != nil {
		return u, err
	}
	for _, p := range found {
		if p.zombie || p.pid == watcher {
			continue
		}
		u.Processes++
		if times, err := p.proc.Times(); err == nil {
			u.CPU += time.Duration((times.User + times.System) * float64(time.Second))
		}
		if memory, err := p.proc.MemoryInfo(); err == nil {
			u.Memory += int64(memory.RSS)
		}
		if threads, err := p.proc.NumThreads(); err == nil {
			u.Threads += int(threads)
		}
		if !detail {
			continue
		}
		if files, err := p.proc.NumFDs(); err == nil {
			u.Files += int(files)
		}
		if switches, err := p.proc.NumCtxSwitches(); err == nil {
			u.Voluntary += uint64(switches.Voluntary)
			u.Involuntary += uint64(switches.Involuntary)
		}
	}
	return u, nil
}
