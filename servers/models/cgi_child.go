package models

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"gatewaylab/servers/app"
	"gatewaylab/servers/iface"
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
	cmd    *exec.Cmd
	line   string // of the request, for the log
	out    *os.File
	stderr *headWriter
	ended  chan struct{} // closed when the child has been reaped and counted

	mu     sync.Mutex
	reaped bool
	cause  error // why it was killed, nil if it wasn't

	exited atomic.Bool
}

// start starts the program for a request that has a place, which the child
// gives back when it ends.
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
	out, childOut, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make a pipe for a child's output: %w", err)
	}
	defer childOut.Close()
	c = &cgiChild{line: requestLine(r), out: out, stderr: &headWriter{}, ended: make(chan struct{})}
	c.cmd = &exec.Cmd{
		Path:        h.program,
		Args:        []string{h.program},
		Dir:         filepath.Dir(h.program), // RFC 3875 §7.2
		Env:         append(iface.Environ(vars), h.fixed...),
		Stdout:      childOut,
		Stderr:      c.stderr,
		SysProcAttr: childAttributes(),
		// For what a child leaves behind outside its group, which may hold
		// stderr open for ever.
		WaitDelay: 200 * time.Millisecond,
	}
	if c.cmd.Stdin, err = body.reader(); err == nil {
		err = c.cmd.Start()
	}
	if err != nil {
		out.Close()
		return nil, fmt.Errorf("start a child: %w", err)
	}
	h.mu.Lock()
	h.live[c] = struct{}{}
	closed := h.closed
	h.mu.Unlock()
	if closed {
		c.kill(errStopping)
	}
	go h.attend(c)
	return c, nil
}

// attend sees a child to its end, which may be long after its answer's. Its
// place is taken until then.
func (h *cgiHost) attend(c *cgiChild) {
	defer h.running.Done()
	slot := claim(h.env.Board, c.cmd.Process.Pid)
	overdue := time.AfterFunc(h.timeout, func() { c.kill(errTimeout) })
	c.reap()
	overdue.Stop()
	state := c.cmd.ProcessState
	h.env.Board.Child(state.UserTime() + state.SystemTime())
	unclaim(h.env.Board, slot)
	h.mu.Lock()
	delete(h.live, c)
	h.mu.Unlock()
	<-h.places
	if c.stderr.Len() > 0 || !state.Success() && c.killedFor() != errClientGone {
		h.env.Log.Printf("cgi: child %d, %s: %s%s", state.Pid(), c.line, c.end(), c.stderr)
	}
	close(c.ended)
}

// reap waits for the child's end, kills what it has started and left in its
// group, and collects its status.
func (c *cgiChild) reap() {
	awaitExit(c.cmd.Process.Pid)
	c.mu.Lock()
	if leavesZombie {
		killGroup(c.cmd.Process.Pid) // while the zombie keeps the number from being used again
		c.reaped = true
	}
	c.mu.Unlock()
	c.exited.Store(true)
	_ = c.out.SetReadDeadline(time.Unix(1, 0)) // wakes childOutput; fails if nobody reads any more
	_ = c.cmd.Wait()                           // the status is in ProcessState; the rest is about pipes
	c.mu.Lock()
	if !c.reaped {
		killGroup(c.cmd.Process.Pid)
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
	killGroup(c.cmd.Process.Pid)
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
	st, ok := c.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && st.Signaled()
}

// end words how an ended child ended.
func (c *cgiChild) end() string {
	if cause := c.killedFor(); cause != nil {
		return "killed: " + cause.Error()
	}
	return c.cmd.ProcessState.String()
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

// A headWriter keeps the first few kilobytes of what a child says on stderr
// and drops the rest: the first complaint is the one that explains.
type headWriter struct {
	text    []byte
	dropped int
}

const stderrKept = 8 << 10

func (w *headWriter) Write(p []byte) (int, error) {
	keep := min(len(p), stderrKept-len(w.text))
	w.text = append(w.text, p[:keep]...)
	w.dropped += len(p) - keep
	return len(p), nil
}

func (w *headWriter) Len() int { return len(w.text) }

// String quotes the text, so that it stays on one line of the log.
func (w *headWriter) String() string {
	switch {
	case len(w.text) == 0:
		return ""
	case w.dropped > 0:
		return fmt.Sprintf("; stderr: %q and %d bytes more", w.text, w.dropped)
	}
	return fmt.Sprintf("; stderr: %q", w.text)
}
