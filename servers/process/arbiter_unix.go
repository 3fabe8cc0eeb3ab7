//go:build unix

package process

import (
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"
)

// An Arbiter keeps a number of worker processes running, as gunicorn's does: a
// loop that waits for a signal, a worker's end or the clock, and then looks
// what is to be done. It never touches a request.
//
//	SIGTERM         stop: workers finish their request, within GracefulTimeout
//	SIGINT SIGQUIT  stop at once
//	SIGHUP          reload: start new workers, as many as at first, and when all are
//	                ready retire the old
//	SIGTTIN SIGTTOU one worker more, one less (never none)
//
// A worker owns the slots that it was given, Threads of them: worker number n
// has those from n × Threads on. It calls Slot.Take for each once it is ready
// and Slot.Beat for the first at least every Timeout/2, from the loop that
// serves, so that a request that hangs is noticed. It leaves on SIGTERM, after the request in hand,
// on SIGINT at once, and may leave of its own accord with status 0; exit
// status BootErrorExit before it was ready stops the arbiter.
type Arbiter struct {
	Workers         int
	Threads         int           // slots for each worker; 0 = one
	Timeout         time.Duration // silence after which a worker is killed and replaced; 0 = never
	GracefulTimeout time.Duration // for a worker that was asked to leave
	Inherited       *Inherited    // passed on to the workers under the same descriptors
	Command         func(slot int) *exec.Cmd
	Log             *log.Logger
}

// tick is the longest that the arbiter sleeps.
const tick = 100 * time.Millisecond

// Run returns when all workers are gone: nil after a signal to stop, ErrBoot
// when they can't start. If the lab disappears it kills them at once.
func (a *Arbiter) Run() error {
	signals := make(chan os.Signal, 64)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT,
		syscall.SIGHUP, syscall.SIGTTIN, syscall.SIGTTOU, syscall.SIGUSR1, syscall.SIGUSR2)
	defer signal.Stop(signals)
	clock := time.NewTicker(tick)
	if a.Timeout > 0 {
		clock.Reset(max(time.Millisecond, min(tick, a.Timeout/4)))
	}
	defer clock.Stop()

	s := &shift{
		Arbiter: a,
		each:    max(1, a.Threads),
		running: map[int]*os.Process{},
		gone:    make(chan end, BoardSlots),
	}
	s.roster = newRoster(a.Workers, BoardSlots/s.each, a.Timeout, a.GracefulTimeout)
	for !s.roster.done() {
		a.Inherited.Board.SetWorkers(s.roster.want * s.each)
		for _, o := range s.roster.pass(time.Now(), s.look) {
			s.obey(o)
		}
		select {
		case sig := <-signals:
			s.roster.signal(sig.(syscall.Signal))
		case e := <-s.gone:
			s.bury(e)
		case <-clock.C:
		case <-a.Inherited.Orphaned:
			for _, p := range s.running {
				_ = p.Kill() // it watches the lab too and may be gone
			}
			return errors.New("the lab is gone")
		}
	}
	return s.roster.err
}

// A shift is one Run: the roster and the processes it speaks of.
type shift struct {
	*Arbiter
	roster  *roster
	each    int // slots for each worker
	running map[int]*os.Process
	gone    chan end
}

// look looks at a worker's slots; any of them may hold a request.
func (s *shift) look(slot int) sighting {
	first := s.Inherited.Board.Slot(slot * s.each)
	seen := sighting{pid: first.PID(), beat: first.LastBeat()}
	for i := range s.each {
		seen.busy = seen.busy || s.Inherited.Board.Slot(slot*s.each+i).Holds()
	}
	return seen
}

// obey carries an order out.
func (s *shift) obey(o order) {
	if o.pid == 0 {
		s.start(o.slot)
		return
	}
	if o.signal != syscall.SIGTERM && o.signal != syscall.SIGINT {
		s.Log.Printf("worker %d (process %d): %s; sending %v", o.slot, o.pid, o.why, o.signal)
	}
	_ = s.running[o.pid].Signal(o.signal) // it may just have gone by itself
}

func (s *shift) start(slot int) {
	c := s.Command(slot)
	c.ExtraFiles = s.Inherited.Files
	if c.Stdout == nil {
		c.Stdout = os.Stdout
	}
	if c.Stderr == nil {
		c.Stderr = os.Stderr
	}
	if err := c.Start(); err != nil {
		s.Log.Printf("worker %d: %v", slot, err)
		s.roster.startFailed(err, time.Now())
		return
	}
	s.running[c.Process.Pid] = c.Process
	s.roster.started(slot, c.Process.Pid, time.Now())
	go func() {
		_ = c.Wait() // how it ended is in ProcessState
		s.gone <- endOf(c)
	}()
}

func endOf(c *exec.Cmd) end {
	e := end{pid: c.Process.Pid, code: c.ProcessState.ExitCode()}
	if ws, ok := c.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		e.signal = ws.Signal()
	}
	return e
}

// bury frees a dead worker's slot and counts it if it crashed.
func (s *shift) bury(e end) {
	s.roster.observe(s.look)
	w, v := s.roster.exited(e, time.Now())
	delete(s.running, e.pid)
	for i := range s.each {
		s.Inherited.Board.Slot(w.slot*s.each + i).Release()
	}
	if v != crashed {
		return
	}
	s.Inherited.Board.Slot(w.slot * s.each).Restarted()
	s.Inherited.Board.Restarted()
	how := fmt.Sprintf("exit status %d", e.code)
	if e.signal != 0 {
		how = "killed by " + e.signal.String()
	}
	s.Log.Printf("worker %d (process %d): %s; replacing it", w.slot, w.pid, how)
}
