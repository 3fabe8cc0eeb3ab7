//go:build unix

package process

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"time"
)

// stopping is the state of a group's end.
type stopping struct {
	start   sync.Once
	begun   chan struct{} // closed when Stop is called first
	quicken sync.Once
	hurry   chan struct{} // closed when a caller's grace has run out
	over    chan struct{} // closed when nothing is left
	err     error         // valid after over
}

// Stop asks the commands to terminate (SIGTERM), gives them grace to do so,
// kills whatever is left of the tree, reaps it and lets go of the control pipe. The
// error tells what had to be killed and what was left over. Stop may be called
// often and from several goroutines: all wait for the one end, and the shortest
// grace counts.
func (g *Group) Stop(grace time.Duration) error {
	g.stop.start.Do(func() {
		g.mu.Lock()
		g.asked = true
		g.mu.Unlock()
		close(g.stop.begun)
		go func() {
			g.stop.err = g.end()
			close(g.stop.over)
		}()
	})
	patience := time.NewTimer(grace)
	defer patience.Stop()
	select {
	case <-g.stop.over:
	case <-patience.C:
		g.stop.quicken.Do(func() { close(g.stop.hurry) })
		<-g.stop.over
	}
	return g.stop.err
}

func (g *Group) end() error {
	// A supervised group has kept the socket: whoever comes from now on must
	// not wait for a server that is to come no more.
	err := errors.Join(g.theirs.close(), g.terminate())
	killed, kerr := g.kill()
	if kerr == nil && len(killed) > 0 {
		kerr = fmt.Errorf("did not stop when asked and had to be killed: process %s", strings.Join(killed, ", "))
	}
	err = errors.Join(err, kerr)
	for _, l := range g.leaders() {
		select {
		case <-l.gone:
		case <-time.After(killTime):
			err = errors.Join(err, fmt.Errorf("process %d (%s) can't be reaped", l.cmd.Process.Pid, l.cmd.Path))
		}
	}
	select {
	case <-g.done:
	case <-time.After(killTime): // it waits for a process that can't be reaped
	}
	return errors.Join(err, g.control.Close(), g.log.Close(), g.board.Close(), g.lock.Close())
}

// terminate asks, and waits until nothing is left or patience is out.
func (g *Group) terminate() error {
	orphans, leaders := true, g.leaders()
	for _, l := range leaders {
		select {
		case <-l.gone:
		default:
			orphans = false
		}
	}
	err := g.Signal(syscall.SIGTERM)
	if orphans { // whoever would have passed the signal on is dead
		for _, pid := range g.PIDs() {
			_ = syscall.Kill(pid, syscall.SIGTERM) // it may have gone meanwhile
		}
	}
	for _, l := range leaders {
		select {
		case <-l.gone:
		case <-g.stop.hurry:
			return err
		}
	}
	for wait := time.Millisecond; len(g.PIDs()) > 0; wait = min(2*wait, 8*stopPoll) {
		select {
		case <-time.After(wait):
		case <-g.stop.hurry:
			return err
		}
	}
	return err
}

// kill kills until nothing is left: a process may fork between being seen and
// being killed. It names what it has killed.
func (g *Group) kill() (order []string, err error) {
	killed := map[int]string{}
	for end := time.Now().Add(killTime); ; time.Sleep(stopPoll) {
		left, err := g.tree.scan(true)
		if err != nil {
			return order, fmt.Errorf("look for processes left over: %w", err)
		}
		alive := false
		for _, p := range left {
			if p.zombie {
				g.tree.reap(p)
				continue
			}
			alive = true
			if _, again := killed[p.pid]; !again {
				killed[p.pid] = p.name
				order = append(order, fmt.Sprintf("%d (%s)", p.pid, p.name))
			}
			_ = syscall.Kill(p.pid, syscall.SIGKILL) // it may have gone meanwhile
		}
		switch {
		case !alive:
			return order, nil
		case time.Now().After(end):
			return order, fmt.Errorf("still there %v after SIGKILL: process %s", killTime, strings.Join(order, ", "))
		}
	}
}
