package models

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"gatewaylab/servers/process"
)

// What an acceptor returns instead of a connection.
var (
	errLeaving = errors.New("asked to leave")
	errNobody  = errors.New("nobody has come")
)

// errAlone is what a worker ends with whose arbiter has died.
var errAlone = errors.New("the arbiter is gone")

// runArbiter is the life of a model whose work is done by worker processes,
// which it starts before there is anything to do, as gunicorn does: it holds
// the listener and looks after the workers, and never sees a request. Each
// worker is labserver as the named program, and has threads slots of the
// scoreboard.
func runArbiter(env *Env, program string, threads int) error {
	return runArbiterWith(env, program, threads, env.Inherited)
}

// runArbiterWith is that with what the workers are to inherit.
func runArbiterWith(env *Env, program string, threads int, inherited *process.Inherited) error {
	o := env.Options
	workers, backlog := o.Int("workers"), o.Int("backlog")
	timeout, graceful := o.Duration("timeout"), o.Duration("graceful_timeout")
	if err := o.Err(); err != nil {
		return err
	}
	if workers*threads > process.BoardSlots/2 {
		return fmt.Errorf("%d workers with %d threads each can hold more than %d requests, which is the most", workers, threads, process.BoardSlots/2)
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find the executable to start workers from: %w", err)
	}
	if err := setBacklog(env.Listener, backlog); err != nil {
		return err
	}
	if err := prepareListener(env.Listener, beatInterval(timeout)); err != nil {
		return err
	}
	arbiter := &process.Arbiter{
		Workers:         workers,
		Threads:         threads,
		Timeout:         timeout,
		GracefulTimeout: graceful,
		Inherited:       inherited,
		Log:             env.Log,
		Command: func(slot int) *exec.Cmd {
			args := []string{"--app", env.AppPath, program, "slot=" + strconv.Itoa(slot)}
			return exec.Command(self, append(args, o.Words()...)...)
		},
	}
	return arbiter.Run()
}

// yieldInterval is how often a thread that has work all the time gives way of
// its own accord. The Go runtime interrupts one that has not for 10 ms, takes
// its P away in whatever system call it is, and then looks every 20 µs for more
// to do. Giving way costs less: half as many switches for each request.
const yieldInterval = 8 * time.Millisecond

// beatInterval is how long a worker waits for the kernel before it shows that
// it is alive and looks around.
func beatInterval(timeout time.Duration) time.Duration {
	if timeout <= 0 {
		return time.Second
	}
	return min(time.Second, max(10*time.Millisecond, timeout/4))
}

// A worker is a process that accepts connections in a blocking system call on
// its main thread, one after another, and shows its arbiter that it does.
type worker struct {
	env     *Env
	slots   []*process.Slot // one for each request that it can hold; the first shows the heartbeat
	accept  *acceptor
	parent  int
	timeout time.Duration
	left    atomic.Int64   // requests until it leaves; < 0 = never
	yielded process.Moment // when it last gave way
	relayed *poller        // where connections come from, if not from the listener
}

// newWorker is for a worker of an arbiter, with threads slots. It must be
// called on the thread that will accept.
func newWorker(env *Env, threads int) (*worker, error) {
	o := env.Options
	slot, timeout := o.Int("slot"), o.Duration("timeout")
	requests, jitter := o.Int("max_requests"), o.Int("max_requests_jitter")
	if err := o.Err(); err != nil {
		return nil, err
	}
	if slot < 0 || (slot+1)*threads > process.BoardSlots {
		return nil, fmt.Errorf("option slot: %d is not within 0 and %d", slot, process.BoardSlots/threads-1)
	}
	w := &worker{env: env, parent: os.Getppid(), timeout: timeout}
	for i := range threads {
		w.slots = append(w.slots, env.Board.Slot(slot*threads+i))
	}
	w.left.Store(-1)
	if requests > 0 {
		w.left.Store(int64(requests + rand.IntN(jitter+1)))
	}
	return w, w.listen()
}

func (w *worker) listen() (err error) {
	w.accept, err = newAcceptor(w.env.Listener, beatInterval(w.timeout))
	return err
}

// ready takes the slots, and from then on signals and the lab's end.
func (w *worker) ready() {
	go func() {
		<-w.env.Orphaned
		os.Exit(1) // whatever the requests in hand are doing
	}()
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT,
		syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2)
	go w.heed(signals)
	for _, s := range w.slots {
		s.Take(os.Getpid())
	}
}

func (w *worker) release() {
	for _, s := range w.slots {
		s.Release()
	}
}

// heed turns signals into what they mean to a worker.
func (w *worker) heed(signals <-chan os.Signal) {
	for s := range signals {
		switch s {
		case syscall.SIGTERM:
			go w.accept.stop()
		case syscall.SIGINT, syscall.SIGQUIT:
			os.Exit(0)
		}
	}
}

// run hands each connection to take until the worker is to leave. The
// heartbeat comes from here, and for a worker of one thread from the waiting
// for clients; not from a thread of its own, which would go on beating
// whatever happens here.
func (w *worker) run(take func(fd int, peer netip.AddrPort)) error {
	for w.left.Load() != 0 {
		w.live()
		fd, peer, err := w.next()
		switch {
		case err == nil:
			take(fd, peer)
		case errors.Is(err, errLeaving):
			return nil
		case errors.Is(err, errNobody):
			if os.Getppid() != w.parent {
				return errAlone
			}
		default:
			w.failed(err)
		}
	}
	return nil
}

// live shows that the worker lives, and gives way when it is time to.
func (w *worker) live() {
	now := w.slots[0].Beat()
	if w.accept.direct == 0 && now.After(w.yielded) > yieldInterval {
		runtime.Gosched()
		w.yielded = now
	}
}

// failed reports that a connection could not be accepted.
func (w *worker) failed(err error) {
	w.env.Log.Printf("accept: %v", err)
	time.Sleep(100 * time.Millisecond) // out of files or memory: more of the same would not help
}

// count counts a request that was served, and says whether it was the last.
func (w *worker) count() (last bool) {
	for n := w.left.Load(); n > 0; n = w.left.Load() {
		if w.left.CompareAndSwap(n, n-1) {
			return n == 1
		}
	}
	return false
}
