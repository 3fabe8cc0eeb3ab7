package models

import (
	"context"
	"sync"
	"time"
)

// A loopContext ends with its request. Work in a pool may look at it.
type loopContext struct {
	mu   sync.Mutex
	done chan struct{} // nil until it is asked for
	err  error
}

// Deadline is never.
func (c *loopContext) Deadline() (time.Time, bool) { return time.Time{}, false }

// Value has none.
func (c *loopContext) Value(any) any { return nil }

// Err says why Done is closed.
func (c *loopContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Done is closed when the client has gone or the request is over.
func (c *loopContext) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done = make(chan struct{})
		if c.err != nil {
			close(c.done)
		}
	}
	return c.done
}

func (c *loopContext) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = context.Canceled
		if c.done != nil {
			close(c.done)
		}
	}
}
