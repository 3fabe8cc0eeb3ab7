package dashboard

import (
	"sync"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"gatewaylab/scenarios"
)

// batch is what happened since the last one, in order.
type batch []any // scenarios events; trialFigures instead of TrialDone

// ended says that no more batches will come.
type ended struct{}

// stopSeen says that the run was asked to stop by someone else.
type stopSeen struct{}

// sampleLimit is how many samples a batch holds before a new one replaces the
// last. A run sends one or two per frame; a flood must not fill the memory.
const sampleLimit = 32

// A feed stands between a run that must not wait and a terminal that may.
type feed struct {
	closed chan struct{} // closed when the run's events are

	mu      sync.Mutex
	pending batch
	samples int
}

func newFeed() *feed { return &feed{closed: make(chan struct{})} }

// drain receives every event until there are no more.
func (f *feed) drain(events <-chan scenarios.Event) {
	defer close(f.closed)
	for e := range events {
		f.add(e)
	}
}

func (f *feed) add(e scenarios.Event) {
	var item any = e
	_, isSample := e.(scenarios.Sample)
	if done, ok := e.(scenarios.TrialDone); ok {
		item = finish(done)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if isSample {
		if last := len(f.pending) - 1; f.samples >= sampleLimit && last >= 0 {
			if _, ok := f.pending[last].(scenarios.Sample); ok {
				f.pending[last] = item
				return
			}
		}
		f.samples++
	}
	f.pending = append(f.pending, item)
}

func (f *feed) take() batch {
	f.mu.Lock()
	defer f.mu.Unlock()
	b := f.pending
	f.pending, f.samples = nil, 0
	return b
}

// pump sends one batch per frame, and ended after the last. It returns early
// when over is closed.
func (f *feed) pump(send func(tea.Msg), frame time.Duration, over <-chan struct{}) {
	tick := time.NewTicker(frame)
	defer tick.Stop()
	for {
		select {
		case <-over:
			return
		case <-f.closed:
			send(f.take())
			send(ended{})
			return
		case <-tick.C:
			if b := f.take(); len(b) > 0 {
				send(b)
			}
		}
	}
}
