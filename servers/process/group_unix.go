//go:build unix

package process

import (
	"errors"
	"fmt"
	"io"
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
	launch  Launch
	board   *Scoreboard
	control *os.File // the only write end of the control pipe
	log     *tail
	theirs  passed
	tree    *tree
	lock    *lockFile
	done    chan struct{} // closed by tend when it returns

	mu     sync.Mutex
	life   *life
	ready  bool          // deaths from now on are for the supervisor, if there is one
	err    error         // how the first leader to exit by itself did so
	asked  bool          // Stop has been called
	reaped reaped        // by exited leaders and by all they had reaped
	cpu    time.Duration // most that Usage has seen

	stop stopping
}

// A life is one run of the commands: without supervision a group has but one.
type life struct {
	leaders []*leader
	over    chan struct{} // closed when the first of them has exited
	ending  sync.Once     // closes over
	err     error         // how it did so, valid after over; nil if Stop had asked
}

// A leader is one started command.
type leader struct {
	cmd  *exec.Cmd
	gone chan struct{} // closed once it is reaped
}

// reaped is what processes had used that are no more.
type reaped struct {
	cpu                    time.Duration
	voluntary, involuntary uint64 // context switches, only of lives that were followed by another
}

// passed is what the children inherit. A group that can be started again keeps
// it, and so keeps the socket listening: connections wait in the kernel's queue
// while nobody is there to accept them.
type passed struct {
	listener, control, board *os.File
	log                      *os.File // the write end
}

func (p *passed) close() error {
	var errs []error
	for _, f := range []*os.File{p.listener, p.control, p.board, p.log} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	*p = passed{}
	return errors.Join(errs...)
}

// Start starts the commands. It returns as soon as they run, which is before
// they serve: a request sent at once waits in the listener's queue.
func Start(l Launch) (*Group, error) {
	if len(l.Commands) == 0 {
		return nil, errors.New("start processes: there is no command")
	}
	g := &Group{launch: l, done: make(chan struct{})}
	g.stop.begun, g.stop.hurry, g.stop.over = make(chan struct{}), make(chan struct{}), make(chan struct{})
	if err := g.connect(); err != nil {
		return nil, fmt.Errorf("start %s: %w", l.Commands[0].Path, err)
	}
	go g.log.follow()
	err := g.begin()
	if !l.Supervise {
		// The lab keeps no end that belongs to the children.
		err = errors.Join(err, g.theirs.close())
	}
	go g.tend()
	if err != nil {
		return nil, errors.Join(err, g.Stop(0))
	}
	return g, nil
}

// connect makes what joins the lab and its children.
func (g *Group) connect() (err error) {
	var made []io.Closer
	defer func() {
		if err != nil {
			for _, c := range made {
				err = errors.Join(err, c.Close())
			}
		}
	}()
	board, boardFile, err := NewScoreboard()
	if err != nil {
		return err
	}
	made = append(made, board, boardFile)
	r, w, err := os.Pipe() // both ends close on exec: no child keeps the write end
	if err != nil {
		return fmt.Errorf("control pipe: %w", err)
	}
	made = append(made, r, w)
	lock, err := newLockFile()
	if err != nil {
		return fmt.Errorf("lock file: %w", err)
	}
	made = append(made, lock)
	log, logEnd, err := newTail(g.launch.Log)
	if err != nil {
		return fmt.Errorf("log pipe: %w", err)
	}
	made = append(made, log, logEnd)
	listener, err := duplicate(g.launch.Listener)
	if err != nil {
		return fmt.Errorf("listener: %w", err)
	}
	g.board, g.control, g.lock, g.log = board, w, lock, log
	g.theirs = passed{listener, r, boardFile, logEnd}
	return nil
}

// begin starts all commands. On an error those that it could start are part of
// the group, to be stopped with it.
func (g *Group) begin() error {
	l := &life{over: make(chan struct{})}
	err := withCores(g.launch.Cores, func() error {
		for _, c := range g.launch.Commands {
			if g.launch.Supervise {
				c = again(c)
			}
			if err := g.start(c); err != nil {
				return fmt.Errorf("start %s: %w", c.Path, err)
			}
			l.leaders = append(l.leaders, &leader{cmd: c, gone: make(chan struct{})})
		}
		return nil
	})
	if g.tree == nil {
		g.tree = newTree()
	}
	g.tree.follow(l.leaders)
	g.life = l
	for _, leader := range l.leaders {
		go g.wait(l, leader)
	}
	if err != nil {
		l.end(err)
	}
	return err
}

func (g *Group) start(c *exec.Cmd) error {
	theirs := []*os.File{g.theirs.listener, g.theirs.control, g.theirs.board}
	c.ExtraFiles = append(theirs, c.ExtraFiles...)
	c.Env = append(c.Environ(), LockVariable+"="+g.lock.path)
	if c.Stdout == nil {
		c.Stdout = g.theirs.log
	}
	if c.Stderr == nil {
		c.Stderr = g.theirs.log
	}
	if c.SysProcAttr == nil {
		c.SysProcAttr = &syscall.SysProcAttr{}
	}
	// The session marks the tree: a descendant may change its process group
	// and lose its parent, and still be found.
	c.SysProcAttr.Setsid = true
	return c.Start()
}

// wait reaps a leader and keeps how it ended.
func (g *Group) wait(l *life, leader *leader) {
	c := leader.cmd
	err := c.Wait()
	g.log.settle()
	g.mu.Lock()
	if st := c.ProcessState; st != nil {
		g.reaped.cpu += st.UserTime() + st.SystemTime()
	}
	var died error
	if !g.asked {
		how := "exit status 0"
		if err != nil {
			how = err.Error()
		}
		died = fmt.Errorf("%s (process %d): %s", c.Path, c.Process.Pid, how)
	}
	g.mu.Unlock()
	close(leader.gone)
	l.end(died)
}

// end ends a life, if it hasn't ended before.
func (l *life) end(err error) {
	l.ending.Do(func() {
		l.err = err
		close(l.over)
	})
}

// lastWords is the end of a log, fit for an error message.
func lastWords(log string) string {
	lines := strings.Split(strings.TrimRight(log, "\n"), "\n")
	if len(lines) == 1 && lines[0] == "" {
		return "; it printed nothing"
	}
	return "; its log ends:\n\t" + strings.Join(lines[max(0, len(lines)-8):], "\n\t")
}

// Done is closed when any of the commands has exited and won't be started
// again.
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

// leaders are the commands of the present life, or of the last.
func (g *Group) leaders() []*leader {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.life.leaders
}

// Signal sends a signal to each command that still runs; not to what they
// have started, which is theirs to manage.
func (g *Group) Signal(s os.Signal) error {
	var errs []error
	for _, l := range g.leaders() {
		if err := l.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
			errs = append(errs, fmt.Errorf("signal %v to process %d: %w", s, l.cmd.Process.Pid, err))
		}
	}
	return errors.Join(errs...)
}
