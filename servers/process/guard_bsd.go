//go:build unix && !linux

package process

import (
	"errors"
	"os"
	"syscall"
)

// Only Linux hands orphans to anyone but process 1; those in the session are
// found all the same.
func adopt() {}

// Only Linux has children die with their parent.
func tie(*syscall.SysProcAttr) {}

func (g *Guarded) lower(*syscall.SysProcAttr) error {
	if g.Unprivileged && os.Geteuid() == 0 {
		return errors.New("it refuses to serve as root; run the lab as another user")
	}
	return nil
}

// lead takes a process, by its number, for the leader of a session.
func (t *tree) lead(pid int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sessions[pid] = true
}
