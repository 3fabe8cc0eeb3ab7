package models

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

// guardGrace is how long a guarded program may take to end once the lab is
// gone.
const guardGrace = 500 * time.Millisecond

// guard runs a program that knows nothing of the lab: it hands it the listener
// as descriptor 3, asks it to stop with the signal that the program
// understands, and ends it, with all that descends from it, when the lab is
// gone. It is a process more than the program needs, asleep all the time, and
// counts as part of it.
func guard(env *Env) error {
	o := env.Options
	folder, stop := o.String("folder"), o.String("stop")
	argv := make([]string, o.Int("args"))
	for i := range argv {
		argv[i] = o.String("arg" + strconv.Itoa(i))
	}
	if err := o.Err(); err != nil {
		return fmt.Errorf("guard: %w", err)
	}
	if len(argv) == 0 {
		return errors.New("guard: there is no program")
	}
	asks := map[string]syscall.Signal{"QUIT": syscall.SIGQUIT, "TERM": syscall.SIGTERM, "INT": syscall.SIGINT}[stop]
	if asks == 0 {
		return fmt.Errorf("guard: stop=%s: expected QUIT, TERM or INT", stop)
	}
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2, os.Interrupt)
	defer signal.Stop(signals)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.ExtraFiles = []*os.File{env.Listener}
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("guard: start %s: %w", argv[0], err)
	}
	env.Listener.Close() // the port must close when the program does
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	asked := false
	for {
		select {
		case err := <-ended:
			if err != nil && !asked {
				return fmt.Errorf("%s: %w", argv[0], err)
			}
			return nil
		case s := <-signals:
			if s == syscall.SIGTERM {
				s, asked = asks, true
			}
			_ = cmd.Process.Signal(s) // it may just have gone by itself
		case <-env.Orphaned:
			_ = cmd.Process.Signal(syscall.SIGTERM) // as above
			select {
			case <-ended:
			case <-time.After(guardGrace):
			}
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // what is left of its group, if anything
			return os.RemoveAll(folder)                         // the lab can't do it any more
		}
	}
}
