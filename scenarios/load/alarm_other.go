//go:build !linux

package load

import (
	"sync"
	"time"
)

// An alarm wakes one sleeper, as precisely as the runtime's timers do.
type alarm struct {
	once    sync.Once
	stopped chan struct{}
}

func newAlarm() (*alarm, error) { return &alarm{stopped: make(chan struct{})}, nil }

// sleep returns true after d, or false as soon as stop was called.
func (a *alarm) sleep(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-a.stopped:
		return false
	}
}

// stop ends the sleep under way and every later one.
func (a *alarm) stop() { a.once.Do(func() { close(a.stopped) }) }

// close gives the timer back; nobody may be asleep.
func (a *alarm) close() {}
