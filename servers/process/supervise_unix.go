//go:build unix

package process

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Ready says that the commands have begun to serve. A death before that is a
// failure to start, which another try would not mend, and the end of a
// supervised group as of any other. After it, when a command of a supervised
// group exits by itself, whatever its status, what its part leaves behind is
// killed, and all commands of that part are started again after 100 ms, with the
// same listener, over and over; each time counts in Status.Restarts. The group
// gives up when a part's have died 50 times in a row without having taken a
// request, as its scoreboard tells.
//
// The error is that of a command that has died already.
func (g *Group) Ready() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ready = true
	return g.err
}

// tend waits for the end of each life of a part and begins the next, until
// there is none.
func (p *unit) tend() {
	defer close(p.gone)
	defer p.ending.Do(func() { close(p.done) })
	var served uint64
	for fruitless := 1; ; fruitless++ {
		<-p.life.over // no other goroutine begins lives
		if st := p.board.Read(); st.Served > served || st.Busy() > 0 {
			served, fruitless = st.Served, 1
		}
		if !p.revive(p.life, fruitless) {
			return
		}
	}
}

// revive clears up after a life and begins the next, if there is to be one.
func (p *unit) revive(l *life, fruitless int) bool {
	p.mu.Lock()
	asked, supervised := p.asked, p.launch.Supervise && p.ready
	p.mu.Unlock()
	switch {
	case asked && supervised:
		return false
	case !supervised:
		p.fail(l.err)
		return false
	case fruitless > maxFruitless:
		p.fail(fmt.Errorf("given up after %d starts in a row that served nothing: %w", maxFruitless, l.err))
		return false
	}
	p.log.say(fmt.Sprintf("%v; starting it again", l.err))
	if err := p.bury(l); err != nil {
		p.fail(errors.Join(l.err, err))
		return false
	}
	select {
	case <-p.stop.begun:
		return false
	case <-time.After(RestartPause):
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.asked {
		return false
	}
	if left, err := p.tree.scan(true); err == nil && len(left) == 0 {
		p.reaped.cpu = max(p.reaped.cpu, p.cpu) // with what orphans had used, whom others have reaped
	}
	p.board.Restarted()
	_ = p.begin() // a failure ends the new life at once
	return true
}

// fail keeps how the group came to its end; nil if it was asked to.
func (g *Group) fail(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err != nil && g.err == nil {
		g.err = fmt.Errorf("%w%s", err, lastWords(g.log.String()))
	}
}

// bury kills what a life has left, as systemd does with all of a service's
// control group (systemd.kill(5)), so that no worker of a dead arbiter serves on beside the new
// one's, and frees the slots. Before that it takes into account what they have used.
func (p *unit) bury(l *life) error {
	_, uerr := p.usage(false)
	if _, err := p.kill(); err != nil {
		return errors.Join(uerr, err)
	}
	p.board.Clear()
	for _, leader := range l.leaders {
		<-leader.gone
		if used, ok := leader.cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
			p.mu.Lock()
			p.reaped.voluntary += uint64(used.Nvcsw)
			p.reaped.involuntary += uint64(used.Nivcsw)
			p.mu.Unlock()
		}
	}
	return uerr
}

// again is a command that can be started when c has been, or will be.
func again(c *exec.Cmd) *exec.Cmd {
	fresh := &exec.Cmd{
		Path: c.Path, Args: c.Args, Env: c.Env, Dir: c.Dir,
		Stdin: c.Stdin, Stdout: c.Stdout, Stderr: c.Stderr, ExtraFiles: c.ExtraFiles,
		WaitDelay: c.WaitDelay, Err: c.Err,
	}
	if c.SysProcAttr != nil {
		attr := *c.SysProcAttr
		fresh.SysProcAttr = &attr
	}
	return fresh
}

// duplicate returns another descriptor of the same file; nil of nil.
func duplicate(f *os.File) (*os.File, error) {
	if f == nil {
		return nil, nil
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	var fd int
	var derr error
	if err := raw.Control(func(old uintptr) { fd, derr = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0) }); err != nil {
		return nil, err
	}
	if derr != nil {
		return nil, os.NewSyscallError("fcntl", derr)
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}
