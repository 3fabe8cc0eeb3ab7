package models

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gatewaylab/servers/process"
)

// Kept connections that take each thread as soon as it is free don't keep new
// ones out for longer than others are given to take those.
func TestThreadsAdmitBesideKeptConnections(t *testing.T) {
	board, file, err := process.NewScoreboard()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	const turns = 100 // of the kept connection
	for queue, want := range map[int]time.Duration{
		10: busyPatience,
		0:  (turns + 1) * busyPatience / 4, // nothing may wait here: when a thread is free
	} {
		synctest.Test(t, func(t *testing.T) {
			p := &threadPool{
				worker: &worker{slots: []*process.Slot{board.Slot(0)}, accept: &acceptor{}, timeout: 30 * time.Second},
				most:   10, queue: queue, room: make(chan struct{}, 1),
			}
			p.held.Store(1)
			p.open.Store(1)
			var kept sync.WaitGroup
			kept.Go(func() {
				for range turns {
					time.Sleep(busyPatience / 4)
					p.vacated()
				}
				time.Sleep(busyPatience / 4)
				p.held.Store(0)
				p.vacated()
			})
			from := time.Now()
			p.admit()
			if waited := time.Since(from); waited != want {
				t.Errorf("with a queue of %d a new connection waited for %s, want %s", queue, waited, want)
			}
			kept.Wait()
		})
	}
}
