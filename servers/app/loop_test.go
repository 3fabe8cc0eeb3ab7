//go:build unix

package app

import (
	"errors"
	"io"
	"iter"
	"testing"
	"time"
)

// A ring is an event loop as small as one can be: its tasks are coroutines, of
// which one runs at a time, all on the goroutine that calls run.
type ring struct {
	t      *testing.T
	events chan event
	tasks  int // that have not ended
}

// An event ends the wait of that number, or, with number 0, is the client
// going away.
type event struct {
	task *task
	wait int
}

type task struct {
	ring  *ring
	goOn  func() (struct{}, bool)
	yield func(struct{}) bool
	wait  int // counts up as a wait begins and as it ends
	gone  bool
	ended bool
}

func newRing(t *testing.T) *ring { return &ring{t: t, events: make(chan event, 100)} }

// serve has the application answer a request.
func (g *ring) serve(a *App, target string, pool bool, then func(*answer, error)) *task {
	k := &task{ring: g}
	g.tasks++
	k.goOn, _ = iter.Pull(func(yield func(struct{}) bool) {
		k.yield = yield
		r := request("GET", target, "")
		r.Loop = &Loop{Sleep: k.sleep, Await: k.await}
		if pool {
			r.Loop.Offload = k.offload
		}
		got := &answer{}
		then(got, a.Serve(got, r))
	})
	g.events <- event{task: k}
	return k
}

func (k *task) await(begin func(done func())) error {
	k.wait++
	e := event{k, k.wait}
	begin(func() { k.ring.events <- e })
	if !k.gone {
		k.yield(struct{}{})
	}
	k.wait++
	if k.gone {
		return ErrGone
	}
	return nil
}

func (k *task) sleep(d time.Duration) error {
	return k.await(func(done func()) { time.AfterFunc(d, done) })
}

func (k *task) offload(work func()) error {
	return k.await(func(done func()) {
		go func() {
			work()
			done()
		}()
	})
}

// run returns when all tasks have ended. From what it is told to, it has the
// client of a task go away.
func (g *ring) run(leaves ...*task) {
	for g.tasks > 0 {
		var e event
		select {
		case e = <-g.events:
		case <-time.After(time.Minute):
			g.t.Fatalf("%d tasks wait for nothing", g.tasks)
		}
		if !e.task.ended && (e.wait == 0 || e.wait == e.task.wait) {
			if _, more := e.task.goOn(); !more {
				e.task.ended = true
				g.tasks--
			}
		}
		if len(g.events) == 0 && len(leaves) > 0 { // all others wait
			leaves[0].gone = true
			g.events <- event{task: leaves[0]}
			leaves = leaves[1:]
		}
	}
}

// On one thread, whoever waits lets the others go on: this would never end
// otherwise, since the lock's holder sleeps while the others queue for it.
func TestLoopLock(t *testing.T) {
	for name, shared := range map[string]bool{"within a process": false, "between processes": true} {
		t.Run(name, func(t *testing.T) {
			a, other := New(), New()
			beside := make(chan error, 1)
			if shared {
				lockFile(t)
				go func() { // on a thread of its own, and of another process as the lock sees it
					beside <- other.Serve(&answer{}, request("GET", "/locked?wait=0&hold=30", ""))
				}()
			} else {
				beside <- nil
			}
			const many, hold = 4, 20 * time.Millisecond
			g := newRing(t)
			begun := time.Now()
			for range many {
				g.serve(a, "/locked?wait=1&hold=20", false, func(got *answer, err error) {
					if err != nil || got.body.String() != "waited 1 ms\nheld 20 ms\n" {
						t.Errorf("%q, %v", got.body.String(), err)
					}
				})
			}
			g.run()
			if took := time.Since(begun); took < many*hold {
				t.Errorf("%v for all, which needs %v one after the other", took, many*hold)
			}
			if err := <-beside; err != nil {
				t.Error(err)
			}
		})
	}
}

// Who has gone leaves the queue, wherever in it, and the lock to the others.
func TestLoopGone(t *testing.T) {
	for name, shared := range map[string]bool{"within a process": false, "between processes": true} {
		t.Run(name, func(t *testing.T) {
			a, other := New(), New()
			if shared {
				lockFile(t)
				if err := other.lock.take(&Request{}); err != nil {
					t.Fatal(err)
				}
			}
			g := newRing(t)
			var leaves []*task
			for _, target := range []string{"/locked?wait=0&hold=60000", "/locked?wait=0", "/hang", "/wait?ms=60000", "/stream?every=60000"} {
				leaves = append(leaves, g.serve(a, target, false, func(_ *answer, err error) {
					if !errors.Is(err, ErrGone) {
						t.Errorf("%s: %v, want ErrGone", target, err)
					}
				}))
			}
			leaves[0], leaves[1] = leaves[1], leaves[0] // first who queues, then who has it
			g.run(leaves...)
			if shared {
				other.lock.release()
			}
			for _, app := range []*App{a, other} {
				g.serve(app, "/locked?wait=0&hold=0", false, func(got *answer, err error) {
					if err != nil || got.status != 200 {
						t.Errorf("afterwards: %d, %v", got.status, err)
					}
				})
				g.run()
			}
		})
	}
}

// What waits doesn't hold the thread; what blocks or computes does, unless
// there is a pool.
func TestLoopThread(t *testing.T) {
	for target, holds := range map[string]bool{
		"/wait?ms=30": false, "/stream?chunks=2&every=30": false, "/locked?wait=30": false,
		"/block?ms=30": true, "/cpu?units=50": true,
	} {
		for _, pool := range []bool{false, true} {
			g := newRing(t)
			var order []string
			g.serve(New(), target, pool, func(got *answer, err error) {
				order = append(order, "slow")
				if err != nil || got.status != 200 {
					t.Errorf("%s: %d, %v", target, got.status, err)
				}
			})
			g.serve(New(), "/hello", pool, func(*answer, error) { order = append(order, "quick") })
			g.run()
			want := "quick"
			if holds && !pool {
				want = "slow"
			}
			if order[0] != want {
				t.Errorf("%s, pool %v: %v", target, pool, order)
			}
		}
	}
}

// A Loop's error ends the request, whatever it is.
func TestLoopFails(t *testing.T) {
	fails := func(func()) error { return io.ErrClosedPipe }
	for _, target := range []string{"/block", "/cpu", "/mixed?ms=0"} {
		r := request("GET", target, "")
		r.Loop = &Loop{Sleep: func(time.Duration) error { return nil }, Offload: fails}
		if err := New().Serve(&answer{}, r); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("%s: %v", target, err)
		}
	}
}

func TestBlockHoldsOn(t *testing.T) {
	gone := make(chan struct{})
	close(gone)
	r := request("GET", "/block?ms=20", "")
	r.Gone = func() <-chan struct{} { return gone } // which it can't see
	begun := time.Now()
	if err := New().Serve(&answer{}, r); err != nil {
		t.Error(err)
	}
	if took := time.Since(begun); took < 20*time.Millisecond {
		t.Errorf("blocked for %v", took)
	}
}
