package models

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
)

// maxHead limits a request's line and header together.
const maxHead = 64 << 10

// A front is a net/http server and the ways in which its model ends. The
// functions may be nil.
type front struct {
	http.Server
	wrap  func(net.Listener) net.Listener
	drain func() // returns when nothing is left that outlives its handler
	abort func() // ends at once what is being served
}

// run serves the listener until the model is told to stop: by SIGTERM, then
// what has arrived is still served; by SIGINT (also while that goes on) or
// the lab's end, then nothing is.
func (f *front) run(env *Env) error {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
	defer signal.Stop(signals)
	ln, err := net.FileListener(env.Listener)
	if err != nil {
		return fmt.Errorf("listen on the inherited socket: %w", err)
	}
	env.Listener.Close() // ln is a duplicate, and the port must close when it does
	if f.wrap != nil {
		ln = f.wrap(ln)
	}
	f.ErrorLog = env.Log
	failed := make(chan error, 1)
	go func() { failed <- f.Serve(ln) }()
	var drained chan struct{} // set once a graceful stop is under way
	for {
		select {
		case err := <-failed:
			if !errors.Is(err, http.ErrServerClosed) {
				f.quick()
				return fmt.Errorf("serve: %w", err)
			}
		case s := <-signals:
			if s != syscall.SIGTERM {
				f.quick()
				return nil
			}
			if drained == nil {
				drained = make(chan struct{})
				go f.graceful(drained)
			}
		case <-env.Orphaned:
			f.quick()
			return nil
		case <-drained:
			return nil
		}
	}
}

func (f *front) graceful(done chan<- struct{}) {
	_ = f.Shutdown(context.Background()) // fails only when its context ends, and this one doesn't
	if f.drain != nil {
		f.drain()
	}
	close(done)
}

func (f *front) quick() {
	_ = f.Close() // what it could report is of connections that are given up
	if f.abort != nil {
		f.abort()
	}
}
