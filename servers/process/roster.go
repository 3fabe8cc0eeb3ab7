//go:build unix

package process

import (
	"errors"
	"fmt"
	"syscall"
	"time"
)

// BootErrorExit is the exit status with which a worker says that it couldn't
// start and that another wouldn't either (gunicorn uses the same).
const BootErrorExit = 3

// ErrBoot is returned when a worker failed to start: a respawn would fail as
// well, and the next, and the next.
var ErrBoot = errors.New("worker failed to boot")

const (
	abortGrace  = time.Second           // between SIGABRT and SIGKILL of a hung worker
	quickGrace  = time.Second           // between SIGINT and SIGKILL
	quickDeath  = time.Second           // a worker that lives shorter is crash-looping
	firstDelay  = 50 * time.Millisecond // of a respawn, from the second quick death on
	longestStop = 24 * time.Hour        // "no limit"
	maxDelay    = 5 * time.Second       // of a respawn
)

// A roster is the arbiter's judgement, apart from the system: what it knows of
// its workers, and from that, on each pass, what is to be done. Time comes in
// as an argument. It is for one goroutine.
type roster struct {
	most     int           // workers there is room for, old and new
	meant    int           // workers that it was set up with
	timeout  time.Duration // 0 = a worker may be silent for ever
	graceful time.Duration

	want       int       // workers there should be
	generation int       // of workers started from now on
	workers    []*worker // oldest first

	reloadAgain bool      // a reload was asked for during a reload
	booted      bool      // some worker has been ready
	crashes     int       // quick deaths in a row
	notBefore   time.Time // of the next start

	stopping bool
	quick    bool
	err      error
}

type worker struct {
	slot, pid, generation int
	started               time.Time
	ready                 bool
	serving               bool           // held a request when last seen
	asked                 syscall.Signal // that it was told to leave with; 0 = it wasn't
	killAt                time.Time      // valid once asked or aborted
	aborted               bool
}

// An order is one thing to be done: start a worker in a slot, or send a signal
// to a worker.
type order struct {
	slot   int
	pid    int // 0 = start
	signal syscall.Signal
	why    string
}

// A sighting is what a slot of the scoreboard shows.
type sighting struct {
	pid  int
	beat time.Time
	busy bool
}

func newRoster(workers, most int, timeout, graceful time.Duration) *roster {
	return &roster{want: workers, meant: workers, most: most, timeout: timeout, graceful: graceful, generation: 1}
}

// signal takes a signal in; the next pass acts on it.
func (r *roster) signal(s syscall.Signal) {
	switch s {
	case syscall.SIGTERM:
		r.stopping = true
	case syscall.SIGINT, syscall.SIGQUIT:
		r.stopping, r.quick = true, true
	case syscall.SIGHUP:
		r.want = r.meant // gunicorn reads its configuration again
		if r.reloading() {
			r.reloadAgain = true
		} else {
			r.generation++
		}
	case syscall.SIGTTIN:
		r.want = min(r.want+1, max(1, r.most/2))
	case syscall.SIGTTOU:
		r.want = max(r.want-1, 1)
	}
}

// reloading says whether workers of an older generation are still serving.
func (r *roster) reloading() bool {
	for _, w := range r.workers {
		if w.generation < r.generation && w.asked == 0 {
			return true
		}
	}
	return false
}

// done says that the arbiter is to return err.
func (r *roster) done() bool { return r.stopping && len(r.workers) == 0 }

// observe notes which workers have become ready, those whose slot shows them,
// and which are serving.
func (r *roster) observe(look func(slot int) sighting) {
	for _, w := range r.workers {
		if seen := look(w.slot); seen.pid == w.pid {
			w.ready, r.booted = true, true
			w.serving = seen.busy
		}
	}
}

// pass is one round of the arbiter: hung workers are killed, superfluous ones
// retired, missing ones started.
func (r *roster) pass(now time.Time, look func(slot int) sighting) []order {
	r.observe(look)
	if r.stopping {
		return append(r.windUp(now), r.overdue(now)...)
	}
	orders := r.hung(now, look)
	orders = append(orders, r.retire(now)...)
	orders = append(orders, r.overdue(now)...)
	return append(orders, r.topUp(now)...)
}

// hung aborts workers that have not given a sign of life for longer than the
// timeout. SIGABRT first: it makes the worker print where it hangs.
func (r *roster) hung(now time.Time, look func(slot int) sighting) (orders []order) {
	if r.timeout <= 0 {
		return nil
	}
	for _, w := range r.workers {
		last := w.started
		if seen := look(w.slot); seen.beat.After(last) {
			last = seen.beat
		}
		if w.aborted || now.Sub(last) <= r.timeout {
			continue
		}
		w.aborted, w.killAt = true, now.Add(abortGrace)
		orders = append(orders, order{w.slot, w.pid, syscall.SIGABRT,
			fmt.Sprintf("no sign of life for more than %v", r.timeout)})
	}
	return orders
}

// retire asks workers to leave that are more than wanted, the oldest first,
// and once a reload's new workers are all ready, those of before.
func (r *roster) retire(now time.Time) (orders []order) {
	current, ready := 0, 0
	for _, w := range r.workers {
		if w.generation == r.generation && w.asked == 0 {
			current++
			if w.ready {
				ready++
			}
		}
	}
	for _, w := range r.workers {
		why := ""
		switch {
		case w.asked != 0:
			continue
		case w.generation < r.generation && ready >= r.want:
			why = "replaced by a reload"
		case w.generation == r.generation && current > r.want:
			current--
			why = "one more than wanted"
		default:
			continue
		}
		orders = append(orders, r.ask(w, syscall.SIGTERM, now.Add(r.graceful), why))
	}
	if r.reloadAgain && !r.reloading() {
		r.reloadAgain = false
		r.generation++
	}
	return orders
}

// windUp asks all workers to leave, a second time if it must now be quick.
func (r *roster) windUp(now time.Time) (orders []order) {
	s, limit := syscall.SIGTERM, r.graceful
	if r.quick {
		s, limit = syscall.SIGINT, quickGrace
	}
	for _, w := range r.workers {
		if w.asked != s && w.asked != syscall.SIGINT {
			orders = append(orders, r.ask(w, s, now.Add(limit), "stopping"))
		}
	}
	return orders
}

func (r *roster) ask(w *worker, s syscall.Signal, killAt time.Time, why string) order {
	w.asked = s
	if !w.aborted {
		w.killAt = killAt
	}
	return order{w.slot, w.pid, s, why}
}

// overdue kills workers that were asked to leave, or aborted, and did not go.
func (r *roster) overdue(now time.Time) (orders []order) {
	for _, w := range r.workers {
		if (w.asked != 0 || w.aborted) && !now.Before(w.killAt) {
			w.killAt = now.Add(longestStop) // nothing survives SIGKILL; once is enough
			orders = append(orders, order{w.slot, w.pid, syscall.SIGKILL, "did not leave when asked"})
		}
	}
	return orders
}

// topUp starts the workers that are missing, in the lowest free slots.
func (r *roster) topUp(now time.Time) (orders []order) {
	if now.Before(r.notBefore) {
		return nil
	}
	taken := map[int]bool{}
	current := 0
	for _, w := range r.workers {
		taken[w.slot] = true
		if w.generation == r.generation && w.asked == 0 {
			current++
		}
	}
	for slot := 0; current < r.want && slot < r.most; slot++ {
		if !taken[slot] {
			orders = append(orders, order{slot: slot})
			current++
		}
	}
	return orders
}

// started takes in that a start order was carried out.
func (r *roster) started(slot, pid int, now time.Time) {
	r.workers = append(r.workers, &worker{slot: slot, pid: pid, generation: r.generation, started: now})
}

// startFailed takes in that it couldn't be.
func (r *roster) startFailed(err error, now time.Time) {
	if !r.booted {
		r.halt(fmt.Errorf("%w: %w", ErrBoot, err))
		return
	}
	r.delay(now)
}

// An end is how a worker ended.
type end struct {
	pid    int
	code   int            // exit status, -1 if a signal killed it
	signal syscall.Signal // 0 if none did
}

// A verdict is what the arbiter makes of it.
type verdict int

const (
	left    verdict = iota // as it was asked to, or of its own accord (max_requests)
	crashed                // to be counted and replaced
	unfit                  // couldn't boot: everything stops
)

// exited takes in that one of the workers is gone.
func (r *roster) exited(e end, now time.Time) (w *worker, v verdict) {
	for i, known := range r.workers {
		if known.pid == e.pid {
			w = known
			r.workers = append(r.workers[:i], r.workers[i+1:]...)
			break
		}
	}
	switch {
	case !w.aborted && (w.asked != 0 || r.stopping):
		return w, left
	case e.code == BootErrorExit && !w.ready:
		r.halt(fmt.Errorf("%w: worker process %d exited with status %d before it was ready", ErrBoot, e.pid, e.code))
		return w, unfit
	case e.code == 0:
		return w, left
	}
	if now.Sub(w.started) < quickDeath && !w.serving {
		r.delay(now)
	} else { // a worker that a request has killed was fit, and so will be the next
		r.crashes = 0
	}
	return w, crashed
}

// delay puts the next start off, twice as long for each quick death in a row
// after the first.
func (r *roster) delay(now time.Time) {
	if r.crashes > 0 {
		r.notBefore = now.Add(min(maxDelay, firstDelay<<min(r.crashes-1, 10)))
	}
	r.crashes++
}

// halt stops everything quickly because of err.
func (r *roster) halt(err error) {
	r.stopping, r.quick = true, true
	if r.err == nil {
		r.err = err
	}
}
