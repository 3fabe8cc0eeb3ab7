//go:build unix

package process

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A Guarded is a program that knows nothing of the lab: it has no control
// pipe to watch and shows nothing on the scoreboard.
type Guarded struct {
	Argv []string
	// Stop is what SIGTERM becomes: the signal by which this program finishes
	// what it is serving and ends.
	Stop syscall.Signal
	// Stdin has the program find the listener as descriptor 0 as well, where
	// CGI's persistent relatives look for it (FastCGI 1.0 §2.2).
	Stdin bool
	// Blocking has accept(2) wait on the listener, for a program that takes "nothing
	// there" for the end.
	Blocking bool
	// Meter has what the program uses counted by the system, for one that lets what
	// its children have used be forgotten.
	Meter bool
	// Activate announces the listener as systemd does (sd_listen_fds(3)).
	Activate bool
	// Lock, if set, is the path of the lock's file in place of the group's, for
	// a program that can't reach that.
	Lock string
	// Unprivileged is for a program that refuses to serve as root: if this is
	// root, it is run as nobody who may read and write all the same.
	Unprivileged bool
	// Remove is a folder to be removed when the lab is gone, which otherwise
	// does it itself; "" = none.
	Remove string
}

// forwarded are the signals that servers are managed with.
var forwarded = []os.Signal{
	syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2,
	syscall.SIGTTIN, syscall.SIGTTOU, syscall.SIGWINCH,
}

// Guard runs a program with the inherited listener as descriptor 3 and returns
// its exit status, 128 more than the signal that ended it (as shells have it),
// with an error that says how it ended if it wasn't asked to. It hands signals
// on, and kills whatever descends from the program when that has ended, and at
// once when the lab is gone. It must be called on the main goroutine.
func Guard(in *Inherited, g Guarded) (status int, err error) {
	in.Board.Watch(os.Getpid())
	adopt()
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, forwarded...)
	child, err := g.start(in)
	if err != nil {
		return BootErrorExit, fmt.Errorf("start %s: %w", g.Argv[0], err)
	}
	ended := make(chan syscall.WaitStatus, 1)
	go func() { ended <- reapUntil(child) }()
	asked := false
	for {
		select {
		case s := <-signals:
			number, _ := s.(syscall.Signal)
			if number == syscall.SIGTERM {
				number = g.Stop
			}
			asked = asked || slices.Contains([]syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT, g.Stop}, number)
			_ = syscall.Kill(child, number) // it may have gone meanwhile
		case how := <-ended:
			err := killDescendants()
			if !asked {
				err = errors.Join(fmt.Errorf("%s %s", g.Argv[0], ending(how)), err)
			}
			if how.Signaled() {
				return 128 + int(how.Signal()), err
			}
			return how.ExitStatus(), err
		case <-in.Orphaned:
			// First, since labserver has little time left, and once more for
			// what the program has put there until its end.
			err := g.remove()
			return 1, errors.Join(err, killDescendants(), g.remove())
		}
	}
}

func (g *Guarded) remove() error {
	if g.Remove == "" {
		return nil
	}
	return os.RemoveAll(g.Remove)
}

func (g *Guarded) start(in *Inherited) (pid int, err error) {
	argv := g.Argv
	env := os.Environ()
	if g.Activate {
		// LISTEN_PID is a number that the program has only once it runs.
		env = append(env, "LISTEN_FDS=1")
		argv = append([]string{"/bin/sh", "-c", `LISTEN_PID=$$; export LISTEN_PID; exec "$@"`, "sh"}, argv...)
	}
	if g.Lock != "" {
		env = append(env, LockVariable+"="+g.Lock)
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	if cmd.Err != nil {
		return 0, cmd.Err
	}
	cmd.Env, cmd.Stdout, cmd.Stderr = env, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	if err := g.lower(cmd.SysProcAttr); err != nil {
		return 0, err
	}
	tie(cmd.SysProcAttr)
	if in.Listener != nil {
		cmd.ExtraFiles = []*os.File{in.Listener}
		if g.Stdin {
			cmd.Stdin = in.Listener
		}
	}
	if in.Listener != nil && g.Blocking {
		if err := setNonblocking(in.Listener, false); err != nil {
			return 0, err
		}
	}
	if g.Meter {
		fd, _ := openMeter() // Usage tells that it was refused
		in.Board.Metered(fd)
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	// All servers but those that block in accept set this themselves for a
	// socket they have made; some trust that an inherited one has it.
	if in.Listener != nil && !g.Blocking {
		err = setNonblocking(in.Listener, true)
	}
	return cmd.Process.Pid, err
}

// setNonblocking is for all descriptors of the listener, in whatever process.
func setNonblocking(f *os.File, on bool) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	if cerr := raw.Control(func(fd uintptr) { err = unix.SetNonblock(int(fd), on) }); cerr != nil {
		return cerr
	}
	return err
}

func ending(how syscall.WaitStatus) string {
	if how.Signaled() {
		return "was ended by " + how.Signal().String()
	}
	return fmt.Sprintf("exited with status %d", how.ExitStatus())
}

// reapUntil reaps children, adopted ones too, until the one that is named.
func reapUntil(child int) syscall.WaitStatus {
	for {
		var how syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &how, 0, nil)
		switch {
		case pid == child:
			return how
		case errors.Is(err, syscall.ECHILD):
			return 0 // not while there is the child
		}
	}
}

// killDescendants kills all that is in this process's session or descends from
// it, and reaps what it can.
func killDescendants() error {
	self := os.Getpid()
	t := newTree()
	t.lead(self)
	for end := time.Now().Add(killTime); ; time.Sleep(time.Millisecond) {
		left, err := t.scan(true)
		if err != nil {
			return err
		}
		alive := 0
		for _, p := range left {
			if p.pid == self {
				continue
			}
			if !p.zombie {
				alive++
				_ = syscall.Kill(p.pid, syscall.SIGKILL) // it may have gone meanwhile
			}
			_, _ = syscall.Wait4(p.pid, nil, syscall.WNOHANG, nil) // if it isn't ours, others reap it
		}
		switch {
		case alive == 0:
			return nil
		case time.Now().After(end):
			return fmt.Errorf("%d processes are still there %v after SIGKILL", alive, killTime)
		}
	}
}
