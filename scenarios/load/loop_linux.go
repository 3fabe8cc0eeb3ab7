package load

import (
	"io"
	"iter"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A loop is one thread that has many users' exchanges under way, as each of
// wrk's threads has: it waits in epoll for all their connections, and goes on
// with each user whose answer has come. A user runs on a coroutine (package
// iter), through the same code as one that has a goroutine; where that would
// block in the runtime's poller it switches back to the loop. What it saves is
// the scheduler: a goroutine that is made ready for each answer, and often a
// thread that is woken to run it, which cost more than the exchange.
//
// What takes long must not happen on a loop, since it would stop all of its
// users: see run.looped for the traffic that it is for.
type loop struct {
	transport *Transport // used here only
	epoll     int
	bell      int // an eventfd that ends the wait
	conns     map[int]*loopConn
	users     int // coroutines that have not ended
	current   *coroutine
	woken     []*loopConn // closed by others than their users
	open      *dispatcher // of the open stages; nil if there are none, or elsewhere
	tick      time.Duration
	coarse    bool // the kernel has no epoll_pwait2(2)
	events    [256]unix.EpollEvent

	mu     sync.Mutex
	posted []func() // to be done here
	last   bool     // no more users will come
}

// A coroutine is what a user runs on.
type coroutine struct {
	next  func() (struct{}, bool)
	yield func(struct{}) bool
}

func newLoop(t *Transport) (*loop, error) {
	l := &loop{conns: map[int]*loopConn{}, tick: min(50*time.Millisecond, max(time.Millisecond, t.timeout/16))}
	l.transport = t.beside(l.dial)
	var err error
	if l.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if l.bell, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		unix.Close(l.epoll)
		return nil, os.NewSyscallError("eventfd", err)
	}
	if err := unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, l.bell, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(l.bell)}); err != nil {
		l.close()
		return nil, os.NewSyscallError("epoll_ctl", err)
	}
	return l, nil
}

// close gives back what newLoop took; run must have returned.
func (l *loop) close() {
	unix.Close(l.epoll)
	unix.Close(l.bell)
}

// post has the loop do something, from any goroutine.
func (l *loop) post(f func()) {
	l.mu.Lock()
	l.posted = append(l.posted, f)
	l.mu.Unlock()
	one := [8]byte{1} // in any byte order more than 0
	_, _ = unix.Write(l.bell, one[:])
}

// spawn has a user live here, from any goroutine.
func (l *loop) spawn(live func()) { l.post(func() { l.start(live) }) }

// finish says that no more users will come.
func (l *loop) finish() { l.post(func() { l.last = true }) }

// cut ends all exchanges.
func (l *loop) cut() { l.post(l.transport.Close) }

func (l *loop) start(live func()) {
	co := &coroutine{}
	co.next, _ = iter.Pull(func(yield func(struct{}) bool) {
		co.yield = yield
		live()
	})
	l.users++
	l.resume(co)
}

// resume lets a user go on until it waits again or has ended.
func (l *loop) resume(co *coroutine) {
	l.current = co
	if _, waits := co.next(); !waits {
		l.users--
	}
	l.current = nil
}

// run is the loop's life: until there are no users and will be none.
func (l *loop) run() {
	swept := time.Now()
	for {
		l.takePosted()
		for len(l.woken) > 0 {
			c := l.woken[0]
			l.woken = l.woken[1:]
			c.wake(net.ErrClosed)
		}
		patience := l.tick
		if l.open != nil {
			if until := l.open.step(); until >= 0 {
				patience = min(patience, until)
			}
		}
		if l.last && l.users == 0 && (l.open == nil || l.open.over) {
			break
		}
		for i, e := range l.events[:l.wait(patience)] {
			if c := l.conns[int(e.Fd)]; c != nil {
				c.happened(e.Events)
			}
			if l.open != nil && (i+1)%dispatchBurst == 0 {
				l.open.step()
			}
		}
		if now := time.Now(); now.Sub(swept) >= l.tick {
			swept = now
			l.sweep(now)
		}
	}
	l.transport.CloseIdleConnections()
}

func (l *loop) takePosted() {
	l.mu.Lock()
	posted := l.posted
	l.posted = nil
	l.mu.Unlock()
	for _, f := range posted {
		f()
	}
}

// wait waits for events and returns how many there are. Under load there is
// always one, and looking for it without telling the scheduler is cheaper.
func (l *loop) wait(patience time.Duration) int {
	first := unsafe.Pointer(&l.events[0])
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(l.epoll), uintptr(first), uintptr(len(l.events)), 0, 0, 0)
	if errno == 0 && n == 0 && patience > 0 {
		limit := unix.NsecToTimespec(int64(patience))
		errno = unix.ENOSYS
		if !l.coarse {
			n, _, errno = unix.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(l.epoll), uintptr(first), uintptr(len(l.events)), uintptr(unsafe.Pointer(&limit)), 0, 0)
		}
		if errno == unix.ENOSYS {
			l.coarse = true
			got, err := unix.EpollWait(l.epoll, l.events[:], int(patience/time.Millisecond))
			n, errno = uintptr(got), 0
			if err != nil { // interrupted
				n = 0
			}
		}
	}
	if errno != 0 { // interrupted
		return 0
	}
	for _, e := range l.events[:n] {
		if int(e.Fd) == l.bell {
			var count [8]byte
			_, _ = unix.Read(l.bell, count[:])
		}
	}
	return int(n)
}

// sweep ends the waits whose time is up.
func (l *loop) sweep(now time.Time) {
	for _, c := range l.conns {
		if c.waiting != nil && !c.deadline.IsZero() && now.After(c.deadline) {
			c.wake(os.ErrDeadlineExceeded)
		}
	}
}

// A loopConn is a connection of a loop's user: a net.Conn for its coroutine.
// Whether the kernel has something to be read is remembered, edge by edge, so
// that an exchange is a write, a share in a wait, and a read.
type loopConn struct {
	loop     *loop
	fd       int
	remote   *net.TCPAddr
	waiting  *coroutine
	err      error // that the wait has ended with
	in, out  bool  // can be read, can be written
	ended    bool  // the other side has closed
	closed   bool
	deadline time.Time
}

// dial connects, as Transport.dial does, for the user that is running.
func (l *loop) dial(addr string, by time.Time) (net.Conn, error) {
	remote, err := net.ResolveTCPAddr("tcp", addr) // a literal: nobody is asked
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: err}
	}
	c := &loopConn{loop: l, fd: -1, remote: remote, deadline: by}
	if err := c.connect(); err != nil {
		_ = c.Close()
		return nil, c.failed("dial", err)
	}
	return c, nil
}

func (c *loopConn) connect() (err error) {
	family, to := unix.AF_INET6, unix.Sockaddr(&unix.SockaddrInet6{Port: c.remote.Port, Addr: [16]byte(c.remote.IP.To16())})
	if four := c.remote.IP.To4(); four != nil {
		family, to = unix.AF_INET, &unix.SockaddrInet4{Port: c.remote.Port, Addr: [4]byte(four)}
	}
	if c.fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0); err != nil {
		return os.NewSyscallError("socket", err)
	}
	if err := unix.SetsockoptInt(c.fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return os.NewSyscallError("setsockopt", err)
	}
	if err := unix.Connect(c.fd, to); err != nil && err != unix.EINPROGRESS {
		return os.NewSyscallError("connect", err)
	}
	c.loop.conns[c.fd] = c
	if err := unix.EpollCtl(c.loop.epoll, unix.EPOLL_CTL_ADD, c.fd, &unix.EpollEvent{
		Events: unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET&0xffffffff, Fd: int32(c.fd),
	}); err != nil {
		return os.NewSyscallError("epoll_ctl", err)
	}
	for !c.out {
		if err := c.await(); err != nil {
			return err
		}
	}
	switch failed, err := unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_ERROR); {
	case err != nil:
		return os.NewSyscallError("getsockopt", err)
	case failed != 0:
		return os.NewSyscallError("connect", syscall.Errno(failed))
	}
	return nil
}

// happened takes what the kernel tells.
func (c *loopConn) happened(events uint32) {
	if events&unix.EPOLLOUT != 0 {
		c.out = true
	}
	if events&(unix.EPOLLERR|unix.EPOLLHUP) != 0 {
		c.in, c.out, c.ended = true, true, true
	}
	if events&unix.EPOLLRDHUP != 0 {
		c.ended = true
	}
	if events&(unix.EPOLLIN|unix.EPOLLRDHUP) != 0 {
		c.in = true
	}
	c.wake(nil)
}

// wake ends the user's wait, if it waits.
func (c *loopConn) wake(err error) {
	if co := c.waiting; co != nil {
		c.waiting, c.err = nil, err
		c.loop.resume(co)
	}
}

// await waits for the kernel to tell something.
func (c *loopConn) await() error {
	co := c.loop.current
	c.waiting = co
	co.yield(struct{}{})
	return c.err
}

func (c *loopConn) failed(op string, err error) error {
	return &net.OpError{Op: op, Net: "tcp", Addr: c.remote, Err: err}
}

// Read implements net.Conn.
func (c *loopConn) Read(p []byte) (int, error) {
	for len(p) > 0 {
		if c.closed {
			return 0, c.failed("read", net.ErrClosed)
		}
		if !c.in {
			if err := c.await(); err != nil {
				return 0, c.failed("read", err)
			}
			continue
		}
		n, err := read(c.fd, p)
		switch {
		case err == unix.EAGAIN:
			c.in = false
		case err == unix.EINTR:
		case err != nil:
			return 0, c.failed("read", os.NewSyscallError("read", err))
		case n == 0:
			return 0, io.EOF
		default:
			c.in = c.ended || n == len(p) // else all has been read, and more will be told
			return n, nil
		}
	}
	return 0, nil
}

// Write implements net.Conn.
func (c *loopConn) Write(p []byte) (written int, err error) {
	for written < len(p) {
		if c.closed {
			return written, c.failed("write", net.ErrClosed)
		}
		if !c.out {
			if err := c.await(); err != nil {
				return written, c.failed("write", err)
			}
			continue
		}
		n, err := write(c.fd, p[written:])
		switch {
		case err == unix.EAGAIN:
			c.out = false
		case err == unix.EINTR:
		case err != nil:
			return written, c.failed("write", os.NewSyscallError("write", err))
		default:
			written += n
		}
	}
	return written, nil
}

// Close implements net.Conn. A user that waits on it goes on soon.
func (c *loopConn) Close() error {
	if c.closed {
		return net.ErrClosed
	}
	c.closed = true
	if c.fd >= 0 {
		delete(c.loop.conns, c.fd)
		unix.Close(c.fd)
	}
	if c.waiting != nil {
		c.loop.woken = append(c.loop.woken, c)
	}
	return nil
}

// alive is what alive asks: whether the connection is open and silent.
func (c *loopConn) alive() bool {
	var one [1]byte
	_, _, err := unix.Recvfrom(c.fd, one[:], unix.MSG_PEEK)
	return err == unix.EAGAIN || err == unix.EINTR
}

// The rest of net.Conn.
func (c *loopConn) LocalAddr() net.Addr                { return nil }
func (c *loopConn) RemoteAddr() net.Addr               { return c.remote }
func (c *loopConn) SetDeadline(t time.Time) error      { c.deadline = t; return nil }
func (c *loopConn) SetReadDeadline(t time.Time) error  { return c.SetDeadline(t) }
func (c *loopConn) SetWriteDeadline(t time.Time) error { return c.SetDeadline(t) }
