package models

import (
	"fmt"
	"os"

	"gatewaylab/servers/process"
)

// serial is what a development server is: one process, one thread, one request
// at a time, and nobody who looks after it. Everybody else waits in the
// kernel's queue, behind a slow request or a slow client alike; a request that
// crashes is the end of the server, and one that hangs is the end of service.
func serial(env *Env) error {
	aloneAtWork()
	o := env.Options
	backlog, timeout := o.Int("backlog"), o.Duration("timeout")
	if err := o.Err(); err != nil {
		return fmt.Errorf("serial: %w", err)
	}
	if err := setBacklog(env.Listener, backlog); err != nil {
		return fmt.Errorf("serial: %w", err)
	}
	if err := prepareListener(env.Listener, beatInterval(timeout)); err != nil {
		return fmt.Errorf("serial: %w", err)
	}
	w := &worker{env: env, slots: []*process.Slot{env.Board.Slot(0)}, parent: os.Getppid(), timeout: timeout}
	w.left.Store(-1)
	if err := w.listen(); err != nil {
		return fmt.Errorf("serial: %w", err)
	}
	env.Board.SetWorkers(1)
	return serveAlone(w, false)
}
