package load

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	// respite is how long a client of a crowd waits after a failure, or after
	// an answer that came before the request was sent.
	respite = 200 * time.Millisecond
	// reopen is what Every 0 of idle clients means.
	reopen = time.Second
)

// clients are those of one crowd at work. They have connections of their own.
type clients struct {
	*Crowd
	run     *run
	index   int
	request *prepared
	seed    uint64
	t       *Transport
	hits    atomic.Uint64
}

// An exchange sends m and notes in f what came of it, but for the end of one
// that failed. Times count from the start of the attack, and now is one. It
// returns how long its client is to rest before the next.
type exchange func(m *message, f *flight, now time.Duration) (rest time.Duration)

// crowd runs the clients of one crowd until the load has had all its answers:
// were they gone before, what still waits because of them would be served.
func (r *run) crowd(index int) {
	c := &clients{
		Crowd: &r.attack.Beside[index], run: r, index: index,
		seed: r.attack.Seed ^ uint64(index+1)<<32, t: NewTransport(r.attack.Timeout),
	}
	c.t.epoch = r.began
	var err error
	if c.request, err = c.Request.prepare(); err != nil {
		panic("load: a crowd's request became impossible: " + err.Error()) // Check has prepared it
	}
	var all sync.WaitGroup
	switch c.Kind {
	case Periodic:
		all.Go(func() { c.periodic(&all) })
	case Idle:
		c.each(&all, c.idle)
	case SlowSend:
		c.each(&all, c.slowSend)
	case SlowRead:
		c.t.control = slowSocket
		c.each(&all, c.slowRead)
	}
	<-r.beside.Done()
	c.t.Close()
	all.Wait()
}

// each has every client do one exchange after the other.
func (c *clients) each(all *sync.WaitGroup, do exchange) {
	for range c.Clients {
		all.Go(func() {
			for c.run.beside.Err() == nil && pause(c.run.beside, c.once(c.flight(), do)) {
			}
		})
	}
}

// flight is the next one of the crowd.
func (c *clients) flight() *flight { return &flight{seq: c.hits.Add(1) - 1} }

// once does one exchange and reports it.
func (c *clients) once(f *flight, do exchange) (rest time.Duration) {
	now := time.Since(c.run.began)
	rest = do(c.request.message(c.seed, f.seq), f, now)
	if f.err != nil {
		f.done = time.Since(c.run.began)
		f.cut = c.run.beside.Err() != nil
		rest = max(rest, respite)
	}
	f.ended = true
	h := f.hit(now, nil)
	c.run.mu.Lock()
	defer c.run.mu.Unlock()
	if c.run.attack.Aside != nil {
		c.run.attack.Aside(c.index, &h)
	}
	return rest
}

// periodic sends the requests of all clients, each in a goroutine of its own.
func (c *clients) periodic(all *sync.WaitGroup) {
	for n := 0; ; n++ {
		round, client := time.Duration(n/c.Clients), time.Duration(n%c.Clients)
		due := c.Every*round + c.Every*client/time.Duration(c.Clients) //nolint:durationcheck // counts, not durations
		if !pause(c.run.beside, time.Until(c.run.began.Add(due))) {
			return
		}
		f := c.flight()
		f.due, f.promised = due, true
		all.Go(func() { c.once(f, c.call) })
	}
}

// call is an exchange over whatever connection is there.
func (c *clients) call(m *message, f *flight, now time.Duration) (rest time.Duration) {
	c.t.call(m, f, now)
	f.expire(now, c.run.attack.Timeout)
	return 0
}

// idle is the life of an idle connection.
func (c *clients) idle(m *message, f *flight, now time.Duration) (rest time.Duration) {
	rest = c.Every
	if rest == 0 {
		rest = reopen
	}
	var cn *conn
	if cn, f.err = c.t.exchange(background, m, c.t.deadline(now)); f.err != nil {
		return rest
	}
	defer c.t.drop(cn)
	cn.take(m, f)
	f.expire(now, c.run.attack.Timeout)
	if f.err == nil && kindOfCode(f.code) == "" && cn.reusable() {
		f.err = cn.sit()
		f.done = time.Since(c.run.began)
	}
	return rest
}

// sit waits until the server closes an idle connection, in order or with a
// word that nobody asked for, such as 408; or it is an error.
func (c *conn) sit() error {
	if err := c.nc.SetDeadline(time.Time{}); err != nil {
		return err
	}
	var one [1]byte
	if n, err := c.nc.Read(one[:]); n == 0 && !died(err) {
		return err
	}
	return nil
}
