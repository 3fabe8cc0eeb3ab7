package models

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"gatewaylab/servers/app"
	"gatewaylab/servers/iface"
	"gatewaylab/servers/process"
)

// Why a child was killed.
var (
	errTimeout    = errors.New("timed out")
	errClientGone = errors.New("the client has gone away")
	errStopping   = errors.New("the server is stopping")
	errRubbish    = errors.New("its answer is malformed")
)

// A cgiChild is one run of the program, with whatever it starts: all of them
// are one process group.
type cgiChild struct {
	pid     int
	request *http.Request // for the log
	out     *os.File
	stderr  *complaints
	ended   chan struct{} // closed when the child has been reaped and counted

	mu     sync.Mutex
	reaped bool
	cause  error // why it was killed, nil if it wasn't

	exited atomic.Bool

	// Valid once ended is closed.
	status syscall.WaitStatus
	used   time.Duration // of processor time
}

// start starts the program for a request that has a place, which the child
// gives back when it ends. It does by hand what os/exec would do with a pipe
// in the poller and a goroutine for each stream: a tenth of what starting a
// small program costs.
func (h *cgiHost) start(r *http.Request, vars []app.Field, body *spooled) (c *cgiChild, err error) {
	if !h.register() {
		<-h.places
		return nil, errStopping
	}
	defer func() {
		if err != nil {
			<-h.places
			h.running.Done()
		}
	}()
	c = &cgiChild{request: r, ended: make(chan struct{})}
	if err := c.exec(h, append(iface.Environ(vars), h.fixed...), body); err != nil {
		return nil, fmt.Errorf("start a child: %w", err)
	}
	h.mu.Lock()
	h.live[c] = struct{}{}
	closed := h.closed
	h.mu.Unlock()
	if closed {
		c.kill(errStopping)
	}
	go h.attend(c, claim(h.env.Board, c.pid)) // it is shown before it can have answered
	return c, nil
}

// exec forks and executes the program. The child's ends of the pipes are
// closed here in any case; ours only if it fails.
func (c *cgiChild) exec(h *cgiHost, env []string, body *spooled) error {
	stdin, feed, err := body.stdin(h.null)
	if err != nil {
		return err
	}
	out, childOut, err := pipe()
	if err != nil {
		return errors.Join(fmt.Errorf("make a pipe for its output: %w", err), feed.Close())
	}
	defer syscall.Close(childOut) //nolint:errcheck // nothing was written through it here
	complain, childErr, err := pipe()
	if err != nil {
		return errors.Join(fmt.Errorf("make a pipe for its complaints: %w", err), syscall.Close(out), feed.Close())
	}
	defer syscall.Close(childErr) //nolint:errcheck // nor through this one
	c.pid, err = syscall.ForkExec(h.program, []string{h.program}, &syscall.ProcAttr{
		Dir:   filepath.Dir(h.program), // RFC 3875 §7.2
		Env:   env,
		Files: []uintptr{stdin.Fd(), uintptr(childOut), uintptr(childErr)},
		Sys:   childAttributes(),
	})
	if err != nil {
		return errors.Join(&os.PathError{Op: "fork/exec", Path: h.program, Err: err}, syscall.Close(out), syscall.Close(complain), feed.Close())
	}
	c.out = os.NewFile(uintptr(out), "a child's output") // doesn't block: goes into the poller
	c.stderr = newComplaints(complain)
	feed.begin()
	return nil
}

// attend sees a child to its end, which may be long after its answer's. Its
// place is taken until then.
func (h *cgiHost) attend(c *cgiChild, slot *process.Slot) {
	defer h.running.Done()
	overdue := time.AfterFunc(h.timeout, func() { c.kill(errTimeout) })
	c.reap()
	overdue.Stop()
	h.env.Board.Child(c.used)
	unclaim(h.env.Board, slot)
	h.mu.Lock()
	delete(h.live, c)
	h.mu.Unlock()
	<-h.places
	said := c.stderr.finish()
	if said != "" || c.status != 0 && c.killedFor() != errClientGone {
		h.env.Log.Printf("cgi: child %d, %s: %s%s", c.pid, requestLine(c.request), c.end(), said)
	}
	close(c.ended)
}

// reap waits for the child's end, kills what it has started and left in its
// group, and collects its status.
func (c *cgiChild) reap() {
	awaitExit(c.pid)
	c.mu.Lock()
	if leavesZombie {
		killGroup(c.pid) // while the zombie keeps the number from being used again
		c.reaped = true
	}
	c.mu.Unlock()
	c.exited.Store(true)
	_ = c.out.SetReadDeadline(time.Unix(1, 0)) // wakes childOutput; fails if nobody reads any more
	var used syscall.Rusage
	for {
		if _, err := syscall.Wait4(c.pid, &c.status, 0, &used); err != syscall.EINTR {
			break
		}
	}
	c.used = time.Duration(used.Utime.Nano() + used.Stime.Nano())
	c.mu.Lock()
	if !c.reaped {
		killGroup(c.pid)
		c.reaped = true
	}
	c.mu.Unlock()
}

// kill ends the child and all its group, unless it has ended by itself. The
// first cause is kept.
func (c *cgiChild) kill(cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reaped || c.cause != nil {
		return
	}
	c.cause = cause
	killGroup(c.pid)
}

func (c *cgiChild) killedFor() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cause
}

// finish waits for the child's end, which it hastens after a grace.
func (c *cgiChild) finish(grace time.Duration) {
	select {
	case <-c.ended:
		return
	case <-time.After(grace):
	}
	c.kill(errRubbish)
	<-c.ended
}

// diedBySignal says whether an ended child was killed, by whomever.
func (c *cgiChild) diedBySignal() bool {
	return c.status.Signaled()
}

// end words how an ended child ended.
func (c *cgiChild) end() string {
	if cause := c.killedFor(); cause != nil {
		return "killed: " + cause.Error()
	}
	switch {
	case c.status.Signaled():
		return "signal: " + c.status.Signal().String()
	case c.status.Exited():
		return fmt.Sprintf("exit status %d", c.status.ExitStatus())
	}
	return fmt.Sprintf("wait status %#x", int(c.status))
}

// childOutput reads a child's stdout. Once the child has ended, so have all
// writers that count, and what is in the pipe is all: a process that escaped
// from the group and holds the other end doesn't keep the request waiting.
type childOutput struct{ *cgiChild }

func (o childOutput) Read(p []byte) (int, error) {
	n, err := o.out.Read(p)
	if n > 0 || err == nil || err == io.EOF || !o.exited.Load() || !errors.Is(err, os.ErrDeadlineExceeded) {
		return n, err
	}
	raw, err := o.out.SyscallConn()
	if err != nil {
		return 0, err
	}
	// The deadline, which was set to wake the reader, is in force for good, so
	// the rest is read past it. The descriptor doesn't block.
	rerr := raw.Control(func(fd uintptr) { n, err = syscall.Read(int(fd), p) })
	switch {
	case rerr != nil:
		return 0, rerr
	case err == nil && n > 0:
		return n, nil
	case err == nil || errors.Is(err, syscall.EAGAIN):
		return 0, io.EOF
	}
	return 0, os.NewSyscallError("read", err)
}
