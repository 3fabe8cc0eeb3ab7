package models

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"gatewaylab/servers/process"
	"gatewaylab/servers/wire"
)

// An usher is how a responder's queue has a limit. Workers that accept by
// themselves leave who waits to the kernel, which turns nobody away before its
// backlog is full, and then not in the protocol's words. So with a limit there
// is one at the door, in the arbiter's process: it accepts all connections,
// puts those that may wait into the relay, from which whichever worker is free
// takes the next, and tells the others at once that there are too many.
//
// Requests on connections that a gateway keeps are behind the door already.
type usher struct {
	env    *Env
	wake   time.Duration
	give   int // the relay's end
	queue  int
	turned chan struct{} // a place for each connection that is being turned away
	refuse func(io.ReadWriter)
}

// maxTurned is how many connections are told so at a time; more are closed.
const maxTurned = 256

// runResponder is the life of the arbiter over workers that serve one request
// at a time, with ends of a relay if they are to have one, and an usher if the
// queue has a limit.
func runResponder(env *Env, program string, relayed bool, refuse func(io.ReadWriter)) error {
	queue, timeout := env.Options.Int("queue"), env.Options.Duration("timeout")
	if err := env.Options.Err(); err != nil {
		return err
	}
	if !relayed && queue == 0 {
		return runArbiter(env, program, 1)
	}
	ends, err := newRelayEnds()
	if err != nil {
		return err
	}
	defer closeAll(ends)
	inherited := *env.Inherited
	inherited.Files = slices.Concat(inherited.Files, ends)
	if queue > 0 {
		u := &usher{env: env, wake: beatInterval(timeout), give: int(ends[0].Fd()), queue: queue, turned: make(chan struct{}, maxTurned), refuse: refuse}
		// What is accepted before has none of the timeouts.
		if err := errors.Join(prepareListener(env.Listener, u.wake), unix.SetNonblock(u.give, true)); err != nil {
			return err
		}
		go u.run()
	}
	return runArbiterWith(env, program, 1, &inherited)
}

// run stands at the door until the arbiter is told to stop.
func (u *usher) run() {
	runtime.LockOSThread()
	a, err := newAcceptor(u.env.Listener, u.wake)
	if err != nil {
		u.env.Log.Printf("usher: %v", err)
		return
	}
	leave := make(chan os.Signal, 1)
	signal.Notify(leave, syscall.SIGTERM)
	go func() {
		<-leave
		a.stop()
	}()
	for {
		fd, _, err := a.next()
		switch {
		case err == nil:
			u.admit(fd)
		case errors.Is(err, errLeaving):
			return
		case errors.Is(err, errNobody):
		default:
			u.env.Log.Printf("accept: %v", err)
			time.Sleep(100 * time.Millisecond) // as in worker.failed
		}
	}
}

// admit has a connection wait if it may. A worker that is about to take one, or
// to have done with one, is in doubt counted as free.
func (u *usher) admit(fd int) {
	board := u.env.Board
	if waiting := board.Waiting(); waiting < u.queue || waiting < u.queue+free(board.Read()) {
		board.Queue(1)
		err := unix.Sendmsg(u.give, []byte{ushered}, unix.UnixRights(fd), nil, 0)
		if err == nil {
			unix.Close(fd) // it is in the relay
			return
		}
		board.Queue(-1)
		if err != unix.EAGAIN {
			u.env.Log.Printf("usher: %v", err)
		}
	}
	board.Rejected()
	select {
	case u.turned <- struct{}{}:
		go func() {
			u.turnAway(fd)
			<-u.turned
		}()
	default:
		unix.Close(fd)
	}
}

// free is how many workers hold no request.
func free(st process.Status) (n int) {
	for _, s := range st.Slots {
		if !s.Busy {
			n++
		}
	}
	return n
}

// turnAway tells a gateway that it is one too many.
func (u *usher) turnAway(fd int) {
	file := os.NewFile(uintptr(fd), "connection")
	conn, err := net.FileConn(file)
	file.Close() // conn has its own
	if err != nil {
		u.env.Log.Printf("turn a connection away: %v", err)
		return
	}
	defer conn.Close()
	if conn.SetDeadline(time.Now().Add(lingerLimit)) != nil {
		return
	}
	u.refuse(conn)
	if half, ok := conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		_, _ = io.Copy(io.Discard, conn) // closed at once, the answer could be lost
	}
}

// What each protocol says to one too many. Whom it doesn't reach, nobody tells.

func refuseFastCGI(conn io.ReadWriter) {
	never := func(*wire.Exchange) error { return nil }
	_, _ = wire.NewFastCGIResponder(never, wire.ServeOptions{Full: true}).Serve(conn)
}

func refuseSCGI(conn io.ReadWriter) {
	_, _ = wire.NewSCGIResponder(unavailable(cgiStatus), wire.ServeOptions{}).Serve(conn)
}

func refuseUWSGI(conn io.ReadWriter) {
	_, _ = wire.NewUWSGIResponder(unavailable(httpStatus), wire.ServeOptions{MaxVars: wire.MaxUWSGI}).Serve(conn)
}

// unavailable answers 503.
func unavailable(status string) wire.Handler {
	const text = "503 service unavailable: too many requests wait for a worker\n"
	return func(x *wire.Exchange) error {
		_, err := fmt.Fprintf(x.Out, "%s503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n"+
			"Retry-After: 1\r\nContent-Length: %d\r\n\r\n%s", status, len(text), text)
		return err
	}
}

// behindUsher has a worker take its connections from the relay, if the queue
// has a limit.
func (w *worker) behindUsher() error {
	if w.env.Options.Int("queue") == 0 {
		return nil
	}
	unix.CloseOnExec(relayGive)
	unix.CloseOnExec(relayTake)
	p, err := newPoller()
	if err != nil {
		return err
	}
	w.relayed = p
	return p.watchShared(relayTake)
}

// next returns the next connection, as acceptor.next does. A worker that is to
// leave takes those that have been let in before.
func (w *worker) next() (int, netip.AddrPort, error) {
	var nobody netip.AddrPort
	if w.relayed == nil {
		return w.accept.next()
	}
	leaving := w.accept.leaving.Load()
	if !leaving {
		if _, err := w.accept.wait(w.relayed, beatInterval(w.timeout)); err != nil {
			return 0, nobody, fmt.Errorf("wait for the usher: %w", err)
		}
	}
	c, ok := receive(w.env.Board)
	switch {
	case ok:
		return c.fd, nobody, nil
	case leaving:
		return 0, nobody, errLeaving
	}
	return 0, nobody, errNobody
}
