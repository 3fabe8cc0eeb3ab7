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
	// A supervised group has kept the sockets: whoever comes from now on must
	// not wait for a server that is to come no more. Those of upstreams stay
	// until their front has served what it had taken.
	err := g.closeListener()
	for _, p := range g.units {
		err = errors.Join(err, p.terminate())
	}
	err = errors.Join(err, g.letGo())
	var killed []string
	for _, p := range g.units {
		order, kerr := p.kill()
		err = errors.Join(err, kerr)
		killed = append(killed, order...)
	}
	if len(killed) > 0 {
		err = errors.Join(err, &KilledError{killed})
	}
	for _, p := range g.units {
		err = errors.Join(err, p.collect())
	}
	return errors.Join(err, g.control.Close(), g.log.Close(), g.lock.Close())
}

// closeListener closes the front's listener where the group has kept it.
func (g *Group) closeListener() error {
	g.mu.Lock() // no new life begins meanwhile
	defer g.mu.Unlock()
	front := g.units[0]
	if front.listener == nil {
		return nil
	}
	err := front.listener.Close()
	front.listener = nil
	return err
}

// collect waits until all leaders are reaped, and whoever waits for them has
// noticed.
func (p *unit) collect() (err error) {
	for _, l := range p.leaders() {
		select {
		case <-l.gone:
		case <-time.After(killTime):
			err = errors.Join(err, fmt.Errorf("process %d (%s) can't be reaped", l.cmd.Process.Pid, l.cmd.Path))
		}
	}
	select {
	case <-p.gone:
	case <-time.After(killTime): // it waits for a process that can't be reaped
	}
	return errors.Join(err, p.board.Close())
}

// terminate asks, and waits until nothing is left or patience is out.
func (p *unit) terminate() error {
	select {
	case <-p.stop.hurry:
		return nil // to be killed
	default:
	}
	orphans, leaders := true, p.leaders()
	for _, l := range leaders {
		select {
		case <-l.gone:
		default:
			orphans = false
		}
	}
	err := p.signal(syscall.SIGTERM)
	if orphans { // whoever would have passed the signal on is dead
		for _, pid := range p.pids() {
			_ = syscall.Kill(pid, syscall.SIGTERM) // it may have gone meanwhile
		}
	}
	for _, l := range leaders {
		select {
		case <-l.gone:
		case <-p.stop.hurry:
			return err
		}
	}
	for wait := time.Millisecond; len(p.pids()) > 0; wait = min(2*wait, 8*stopPoll) {
		select {
		case <-time.After(wait):
		case <-p.stop.hurry:
			return err
		}
	}
	return err
}

// kill kills until nothing is left: a process may fork between being seen and
// being killed. It names what it has killed.
func (p *unit) kill() (order []string, err error) {
	killed := map[int]string{}
	for end := time.Now().Add(killTime); ; time.Sleep(stopPoll) {
		left, err := p.tree.scan(true)
		if err != nil {
			return order, fmt.Errorf("look for processes left over: %w", err)
		}
		alive := false
		for _, st := range left {
			if st.zombie {
				p.tree.reap(st)
				continue
			}
			alive = true
			if _, again := killed[st.pid]; !again {
				killed[st.pid] = st.name
				order = append(order, fmt.Sprintf("%d (%s)", st.pid, st.name))
			}
			_ = syscall.Kill(st.pid, syscall.SIGKILL) // it may have gone meanwhile
		}
		switch {
		case !alive:
			return order, nil
		case time.Now().After(end):
			return order, fmt.Errorf("still there %v after SIGKILL: process %s", killTime, strings.Join(order, ", "))
		}
	}
}
