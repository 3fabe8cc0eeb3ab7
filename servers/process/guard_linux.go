package process

import (
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// adopt makes this process the parent of descendants whose own parent dies, so
// that none gets lost.
func adopt() {
	_ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) // without it those in the session are found still
}

// tie has a child die with this process. The kernel watches the thread that
// has started it, so that must live as long.
func tie(attr *syscall.SysProcAttr) {
	runtime.LockOSThread()
	attr.Pdeathsig = syscall.SIGKILL
}

// nobody is a user and a group that own nothing, by the numbers that every
// Linux distribution has for them.
const nobody = 65534

// lower has a child run without root's identity, and with root's right to read
// and write all files: what the lab hands to it is root's.
func (g *Guarded) lower(attr *syscall.SysProcAttr) error {
	if !g.Unprivileged || os.Geteuid() != 0 {
		return nil
	}
	attr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	attr.AmbientCaps = []uintptr{unix.CAP_DAC_OVERRIDE}
	return nil
}

// lead takes a process, by its number, for the leader of a session.
func (t *tree) lead(pid int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if st, ok := readStat(pid); ok {
		t.sessions[pid] = st.start
	}
}
