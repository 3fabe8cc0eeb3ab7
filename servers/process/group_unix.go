//go:build unix

package process

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A Group is trees of running processes: the started commands, which are their
// leaders, and everything that descends from them. All methods are safe for
// concurrent use.
type Group struct {
	launch  Launch
	units   []*unit  // the front first
	control *os.File // the only write end of the control pipe
	log     *tail
	lock    *lockFile
	theirs  passed
	done    chan struct{} // closed when the first part has come to its end
	ending  sync.Once     // closes done

	mu    sync.Mutex
	ready bool  // deaths from now on are for the supervisor, if there is one
	err   error // how the first leader to exit by itself did so
	asked bool  // Stop has been called

	stop stopping
}

// A unit is a Part that runs.
type unit struct {
	*Group
	Part
	board     *Scoreboard
	boardFile *os.File
	listener  *os.File
	tree      *tree
	gone      chan struct{} // closed by tend when it returns

	// Under the group's lock.
	life   *life
	reaped reaped        // by exited leaders and by all they had reaped
	meter  *meter        // of this life; nil = there is none, or nobody has asked yet
	cpu    time.Duration // most that has been seen
}

// A life is one run of a part's commands: without supervision it has but one.
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
	metered                time.Duration // what the meters had counted
	voluntary, involuntary uint64        // context switches, only of lives that were followed by another
}

// passed is what the children of all parts inherit. A group that can be started
// again keeps it, and the parts' listeners and boards too: connections wait in
// the kernel's queue while nobody is there to accept them.
type passed struct {
	control *os.File
	log     *os.File // the write end
}

// letGo closes the ends that belong to the children.
func (g *Group) letGo() error {
	files := []**os.File{&g.theirs.control, &g.theirs.log}
	for _, p := range g.units {
		files = append(files, &p.listener, &p.boardFile)
	}
	var errs []error
	for _, f := range files {
		if *f != nil {
			errs = append(errs, (*f).Close())
			*f = nil
		}
	}
	return errors.Join(errs...)
}

// Start starts the commands. It returns as soon as they run, which is before
// they serve: a request sent at once waits in the listener's queue.
func Start(l Launch) (*Group, error) {
	for _, p := range l.parts() {
		if len(p.Commands) == 0 {
			return nil, errors.New("start processes: there is no command")
		}
	}
	g := &Group{launch: l, done: make(chan struct{})}
	g.stop.begun, g.stop.hurry, g.stop.over = make(chan struct{}), make(chan struct{}), make(chan struct{})
	if err := g.connect(); err != nil {
		return nil, fmt.Errorf("start %s: %w", l.Commands[0].Path, err)
	}
	go g.log.follow()
	var err error
	for _, p := range g.units {
		if err == nil {
			err = p.begin()
		} else {
			p.life = unlived()
		}
	}
	if !l.Supervise {
		// The lab keeps no end that belongs to the children.
		err = errors.Join(err, g.letGo())
	}
	for _, p := range g.units {
		go p.tend()
	}
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
	for _, p := range g.launch.parts() {
		board, boardFile, err := NewScoreboard()
		if err != nil {
			return err
		}
		made = append(made, board, boardFile)
		listener, err := duplicate(p.Listener)
		if err != nil {
			return fmt.Errorf("listener: %w", err)
		}
		if listener != nil {
			made = append(made, listener)
		}
		g.units = append(g.units, &unit{
			Group: g, Part: p, board: board, boardFile: boardFile, listener: listener,
			tree: newTree(), gone: make(chan struct{}),
		})
	}
	g.control, g.lock, g.log = w, lock, log
	g.theirs = passed{r, logEnd}
	return nil
}

// begin starts all commands of a part. On an error those that it could start
// are part of it, to be stopped with it.
func (p *unit) begin() error {
	l := &life{over: make(chan struct{})}
	err := withCores(p.launch.Cores, func() error {
		for _, c := range p.Commands {
			if p.launch.Supervise {
				c = again(c)
			}
			if err := p.start(c); err != nil {
				return fmt.Errorf("start %s: %w", c.Path, err)
			}
			l.leaders = append(l.leaders, &leader{cmd: c, gone: make(chan struct{})})
		}
		return nil
	})
	p.tree.follow(l.leaders)
	p.life = l
	for _, leader := range l.leaders {
		go p.wait(l, leader)
	}
	if err != nil {
		l.end(err)
	}
	return err
}

func (p *unit) start(c *exec.Cmd) error {
	theirs := []*os.File{p.listener, p.theirs.control, p.boardFile}
	c.ExtraFiles = append(theirs, c.ExtraFiles...)
	c.Env = append(append(c.Environ(), p.launch.Environ...), LockVariable+"="+p.lock.path)
	if c.Stdout == nil {
		c.Stdout = p.theirs.log
	}
	if c.Stderr == nil {
		c.Stderr = p.theirs.log
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
func (p *unit) wait(l *life, leader *leader) {
	c := leader.cmd
	err := c.Wait()
	p.log.settle()
	p.mu.Lock()
	p.settle()
	if st := c.ProcessState; st != nil {
		p.reaped.cpu += st.UserTime() + st.SystemTime()
	}
	var died error
	if !p.asked {
		how := "exit status 0"
		if err != nil {
			how = err.Error()
		}
		died = fmt.Errorf("%s (process %d): %s", c.Path, c.Process.Pid, how)
	}
	p.mu.Unlock()
	close(leader.gone)
	l.end(died)
}

// unlived is the life of commands that were never started.
func unlived() *life {
	l := &life{over: make(chan struct{})}
	l.end(nil)
	return l
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

// Board is the scoreboard of the front, or of all there is. Once the group has
// stopped it shows what it showed last.
func (g *Group) Board() *Scoreboard { return g.units[0].board }

// Upstream is the scoreboard of the launch's upstream i.
func (g *Group) Upstream(i int) *Scoreboard { return g.units[1+i].board }

// PIDs are the live processes of all trees, in ascending order.
func (g *Group) PIDs() []int {
	var pids []int
	for _, p := range g.units {
		pids = append(pids, p.pids()...)
	}
	slices.Sort(pids)
	return pids
}

func (p *unit) pids() (pids []int) {
	found, err := p.tree.scan(true)
	if err != nil {
		return nil
	}
	for _, st := range found {
		if !st.zombie {
			pids = append(pids, st.pid)
		}
	}
	return pids
}

// leaders are the commands of the present life, or of the last.
func (p *unit) leaders() []*leader {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.life.leaders
}

// Signal sends a signal to each command that still runs; not to what they
// have started, which is theirs to manage.
func (g *Group) Signal(s os.Signal) error {
	var errs []error
	for _, p := range g.units {
		errs = append(errs, p.signal(s))
	}
	return errors.Join(errs...)
}

func (p *unit) signal(s os.Signal) error {
	var errs []error
	for _, l := range p.leaders() {
		if err := l.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
			errs = append(errs, fmt.Errorf("signal %v to process %d: %w", s, l.cmd.Process.Pid, err))
		}
	}
	return errors.Join(errs...)
}
