package models

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"time"

	"gatewaylab/servers/process"
)

// preforkWorker is the name under which labserver is a worker of prefork.
const preforkWorker = "prefork-worker"

// prefork starts its workers before there is anything to do, as gunicorn with
// sync workers does: the master holds the listener and looks after the
// workers, and never sees a request; each worker accepts from the same
// listener and serves one request at a time. So there are never more requests
// in progress than workers, the rest wait in the kernel's queue, and what one
// request breaks is one worker.
func prefork(env *Env) error {
	o := env.Options
	workers, backlog := o.Int("workers"), o.Int("backlog")
	timeout, graceful := o.Duration("timeout"), o.Duration("graceful_timeout")
	if err := o.Err(); err != nil {
		return fmt.Errorf("prefork: %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("prefork: find the executable to start workers from: %w", err)
	}
	if err := setBacklog(env.Listener, backlog); err != nil {
		return fmt.Errorf("prefork: %w", err)
	}
	if err := prepareListener(env.Listener, beatInterval(timeout)); err != nil {
		return fmt.Errorf("prefork: %w", err)
	}
	arbiter := &process.Arbiter{
		Workers:         workers,
		Timeout:         timeout,
		GracefulTimeout: graceful,
		Inherited:       env.Inherited,
		Log:             env.Log,
		Command: func(slot int) *exec.Cmd {
			args := []string{"--app", env.AppPath, preforkWorker, "slot=" + strconv.Itoa(slot)}
			return exec.Command(self, append(args, o.Words()...)...)
		},
	}
	return arbiter.Run()
}

// beatInterval is how long a worker waits for the kernel before it shows that
// it is alive and looks around.
func beatInterval(timeout time.Duration) time.Duration {
	if timeout <= 0 {
		return time.Second
	}
	return min(time.Second, max(10*time.Millisecond, timeout/4))
}
