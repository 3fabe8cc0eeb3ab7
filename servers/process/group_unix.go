//go:build unix

package process

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A Group is a tree of running processes: the started commands, which are its
// leaders, and everything that descends from them. All methods are safe for
// concurrent use.
type Group struct {
	board   *Scoreboard
	control *os.File // the only write end of the control pipe
	log     *tail
	leaders []*leader
	tree    *tree
	done    chan struct{}
	died    sync.Once // closes done

	mu     sync.Mutex
	err    error         // how the first leader to exit by itself did so
	asked  bool          // Stop has been called
	reaped time.Duration // CPU time of exited leaders and of all they had reaped
	cpu    time.Duration // most that Usage has seen

	stop stopping
}

// A leader is one started command.
type leader struct {
	cmd  *exec.Cmd
	gone chan struct{} // closed once it is reaped
}

// Start starts the commands. It returns as soon as they run, which is before
// they serve: a request sent at once waits in the listener's queue.
func Start(l Launch) (*Group, error) {
	if len(l.Commands) == 0 {
		return nil, errors.New("start processes: there is no command")
	}
	g := &Group{done: make(chan struct{})}
	g.stop.hurry, g.stop.over = make(chan struct{}), make(chan struct{})
	theirs, logEnd, err := g.connect(l)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", l.Commands[0].Path, err)
	}
	err = withCores(l.Cores, func() error {
		for _, c := range l.Commands {
			if err := g.start(c, theirs, logEnd); err != nil {
				return fmt.Errorf("start %s: %w", c.Path, err)
			}
		}
		return nil
	})
	// The lab keeps no end that belongs to the children.
	err = errors.Join(err, theirs[1].Close(), theirs[2].Close(), logEnd.Close())
	g.tree = newTree(g.leaders)
	for _, l := range g.leaders {
		go g.wait(l)
	}
	go g.log.follow()
	if err != nil {
		return nil, errors.Join(err, g.Stop(0))
	}
	return g, nil
}

// connect makes what joins the lab and its children. It returns the files to
// pass, in the order of their descriptors, and the write end of the log.
func (g *Group) connect(l Launch) (theirs []*os.File, logEnd *os.File, err error) {
	board, boardFile, err := NewScoreboard()
	if err != nil {
		return nil, nil, err
	}
	r, w, err := os.Pipe() // both ends close on exec: no child keeps the write end
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("control pipe: %w", err), board.Close(), boardFile.Close())
	}
	log, logEnd, err := newTail(l.Log)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("log pipe: %w", err), board.Close(), boardFile.Close(), r.Close(), w.Close())
	}
	g.board, g.control, g.log = board, w, log
	return []*os.File{l.Listener, r, boardFile}, logEnd, nil
}

func (g *Group) start(c *exec.Cmd, theirs []*os.File, logEnd *os.File) error {
	c.ExtraFiles = append(theirs[:len(theirs):len(theirs)], c.ExtraFiles...)
	if c.Stdout == nil {
		c.Stdout = logEnd
	}
	if c.Stderr == nil {
		c.Stderr = logEnd
	}
	if c.SysProcAttr == nil {
		c.SysProcAttr = &syscall.SysProcAttr{}
	}
	// The session marks the tree: a descendant may change its process group
	// and lose its parent, and still be found.
	c.SysProcAttr.Setsid = true
	if err := c.Start(); err != nil {
		return err
	}
	g.leaders = append(g.leaders, &leader{cmd: c, gone: make(chan struct{})})
	return nil
}

// wait reaps a leader and keeps how it ended.
func (g *Group) wait(l *leader) {
	err := l.cmd.Wait()
	g.log.settle()
	g.mu.Lock()
	if st := l.cmd.ProcessState; st != nil {
		g.reaped += st.UserTime() + st.SystemTime()
	}
	if g.err == nil && !g.asked {
		how := "exit status 0"
		if err != nil {
			how = err.Error()
		}
		g.err = fmt.Errorf("%s (process %d): %s%s", l.cmd.Path, l.cmd.Process.Pid, how, lastWords(g.log.String()))
	}
	g.mu.Unlock()
	close(l.gone)
	g.died.Do(func() { close(g.done) })
}

// lastWords is the end of a log, fit for an error message.
func lastWords(log string) string {
	lines := strings.Split(strings.TrimRight(log, "\n"), "\n")
	if len(lines) == 1 && lines[0] == "" {
		return "; it printed nothing"
	}
	return "; its log ends:\n\t" + strings.Join(lines[max(0, len(lines)-8):], "\n\t")
}

// Done is closed when any of the commands has exited.
func (g *Group) Done() <-chan struct{} { return g.done }

// Err says how the first command to exit by itself did so, with the last lines
// of the log. It is nil while all run, and when they exited because Stop asked.
func (g *Group) Err() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.err
}

// Log is the last 16 KiB of what the processes printed.
func (g *Group) Log() string { return g.log.String() }

// Board is the group's scoreboard. Once the group has stopped it shows what it
// showed last.
func (g *Group) Board() *Scoreboard { return g.board }

// PIDs are the live processes of the tree, in ascending order.
func (g *Group) PIDs() []int {
	found, err := g.tree.scan(true)
	if err != nil {
		return nil
	}
	pids := make([]int, 0, len(found))
	for _, p := range found {
		if !p.zombie {
			pids = append(pids, p.pid)
		}
	}
	return pids
}

// Signal sends a signal to each command that still runs; not to what they
// have started, which is theirs to manage.
func (g *Group) Signal(s os.Signal) error {
	var errs []error
	for _, l := range g.leaders {
		if err := l.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
			errs = append(errs, fmt.Errorf("signal %v to process %d: %w", s, l.cmd.Process.Pid, err))
		}
	}
	return errors.Join(errs...)
}
