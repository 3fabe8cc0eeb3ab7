package models

import (
	"errors"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"gatewaylab/servers/process"
)

// A relay is how kept connections go from one worker to another: a socket pair
// that all workers of an arbiter have, through which descriptors are passed
// (SCM_RIGHTS, unix(7)). What was put in at one end waits there, in order, for
// the first worker that has nothing to do, just as new connections wait at the
// listener. So no request waits for a worker that is busy while another is not.
//
// A connection is given away when something has come on it that its worker,
// which is in the middle of a request, has not read yet. That is looked for by
// a thread of its own, which costs nothing while nobody asks anything, and
// while requests are short two system calls in each restInterval.
type relay struct {
	keeper *keeper
	poll   *poller       // what comes on connections that are kept
	awake  atomic.Bool   // the thread looks on
	alarm  chan struct{} // wakes it
	watch  []unix.PollFd

	answered uint64 // the keeper's figures when their mean was taken last
	busy     int64
}

// The descriptors under which a worker has them: those after the lab's own.
const (
	relayGive = process.ScoreboardFD + 1
	relayTake = process.ScoreboardFD + 2
)

const (
	// restInterval is how long a request takes at least that is a long one.
	restInterval = 5 * time.Millisecond
	// quietLimit is after how long without a request nobody looks on any more.
	quietLimit = 100 * time.Millisecond
)

// newRelayEnds makes a socket pair, for the arbiter to hand on.
func newRelayEnds() (ends []*os.File, err error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return nil, os.NewSyscallError("socketpair", err)
	}
	for _, fd := range pair {
		unix.CloseOnExec(fd)
		err = errors.Join(err, unix.SetNonblock(fd, true))
		ends = append(ends, os.NewFile(uintptr(fd), "relay"))
	}
	if err != nil {
		closeAll(ends)
		return nil, os.NewSyscallError("fcntl", err)
	}
	return ends, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// newRelay takes over what the arbiter has handed on.
func newRelay(k *keeper) (*relay, error) {
	r := &relay{keeper: k, alarm: make(chan struct{}, 1)}
	unix.CloseOnExec(relayGive)
	unix.CloseOnExec(relayTake)
	var err error
	if r.poll, err = newPoller(); err != nil {
		return nil, err
	}
	go r.look()
	return r, nil
}

// What is said of a connection in the relay.
const (
	unserved = iota
	wasServed
	ushered // it is new, and counted as waiting
)

// receive takes a connection that another worker has given away, or this one,
// or that an usher has let in.
func receive(board *process.Scoreboard) (keptConn, bool) {
	var said [1]byte
	var rights [64]byte
	_, n, _, _, err := unix.Recvmsg(relayTake, said[:], rights[:], 0)
	if err != nil || n == 0 {
		return keptConn{}, false // somebody else was faster
	}
	if said[0] == ushered {
		board.Queue(-1)
	}
	messages, err := unix.ParseSocketControlMessage(rights[:n])
	if err != nil || len(messages) != 1 {
		return keptConn{}, false
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return keptConn{}, false
	}
	unix.CloseOnExec(fds[0])
	return keptConn{fd: fds[0], served: said[0] == wasServed}, true
}

// give gives a connection away. If there is no room for it, it stays. The
// keeper is locked.
func (r *relay) give(c keptConn) {
	said := []byte{unserved}
	if c.served {
		said[0] = wasServed
	}
	if err := unix.Sendmsg(relayGive, said, unix.UnixRights(c.fd), nil, 0); err != nil {
		return
	}
	_ = r.keeper.forget(c.fd) // it was watched
	delete(r.keeper.kept, c.fd)
	unix.Close(c.fd)
}

// giveOne gives one connection away, if it is kept.
func (r *relay) giveOne(fd int) {
	r.keeper.mu.Lock()
	defer r.keeper.mu.Unlock()
	if c, ok := r.keeper.kept[fd]; ok {
		r.give(c)
	}
}

// giveAll gives all connections away.
func (r *relay) giveAll() {
	r.keeper.mu.Lock()
	defer r.keeper.mu.Unlock()
	for _, c := range r.keeper.kept {
		r.give(c)
	}
}

// giveReady gives those away on which something has come, if the worker is in
// the middle of a request.
func (r *relay) giveReady() {
	k := r.keeper
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.serving {
		return
	}
	r.watch = r.watch[:0]
	for fd := range k.kept {
		r.watch = append(r.watch, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
	}
	if n, err := unix.Poll(r.watch, 0); n <= 0 || err != nil {
		return
	}
	for _, w := range r.watch {
		if w.Revents&unix.POLLIN != 0 {
			r.give(k.kept[int(w.Fd)])
		}
	}
}

func (r *relay) serving() bool {
	r.keeper.mu.Lock()
	defer r.keeper.mu.Unlock()
	return r.keeper.serving
}

// wake has the thread look on, if it doesn't.
func (r *relay) wake() {
	if !r.awake.Load() {
		r.awake.Store(true)
		select {
		case r.alarm <- struct{}{}:
		default:
		}
	}
}

// look is the life of the thread that looks on.
func (r *relay) look() {
	long := false // requests are
	for range r.alarm {
		for quiet := time.Duration(0); quiet < quietLimit; {
			before, began := r.keeper.answered.Load(), time.Now()
			if long {
				long = r.lookLong()
			} else {
				long = r.lookShort()
			}
			if r.keeper.answered.Load() == before && !r.serving() {
				quiet += time.Since(began)
			} else {
				quiet = 0
			}
		}
		r.awake.Store(false)
		if r.serving() { // since the last look
			r.wake()
		}
	}
}

// lookShort rests, and says whether the worker was in the middle of the same
// turn all the time.
func (r *relay) lookShort() (long bool) {
	turn := r.keeper.turns.Load()
	time.Sleep(restInterval)
	if r.keeper.turns.Load() != turn || !r.serving() {
		return false
	}
	r.giveReady()
	r.answered, r.busy = r.keeper.answered.Load(), r.keeper.busy.Load()
	return true
}

// lookLong waits until something comes, and gives it away if the worker is
// busy. It says whether requests are long still.
func (r *relay) lookLong() (long bool) {
	ready, err := r.poll.wait(quietLimit)
	if err != nil {
		time.Sleep(restInterval)
	}
	if r.giveReady(); len(ready) > 0 && !r.serving() {
		// The worker has been told too and may have taken another first.
		time.Sleep(restInterval)
		r.giveReady()
	}
	const several = 8
	answered, busy := r.keeper.answered.Load(), r.keeper.busy.Load()
	n := answered - r.answered
	if n < several {
		return true
	}
	mean := time.Duration(busy-r.busy) / time.Duration(n)
	r.answered, r.busy = answered, busy
	return mean >= restInterval
}
