package models

import (
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A parking is where connections are that wait for their clients: kept ones
// for the next request, new ones for the first. One thread watches them all,
// hands those that have something to say to the pool, and closes those that
// have nothing to say for too long.
type parking struct {
	pool *threadPool
	poll *poller

	mu     sync.Mutex
	parked map[int]parked // by descriptor
}

type parked struct {
	ticket
	until time.Time // zero = for ever
}

// sweepInterval is how often connections are looked for that have been idle
// for too long.
const sweepInterval = 200 * time.Millisecond

func newParking(p *threadPool) (*parking, error) {
	poll, err := newPoller()
	if err != nil {
		return nil, err
	}
	return &parking{pool: p, poll: poll, parked: map[int]parked{}}, nil
}

// add parks a connection; limit 0 is none.
func (p *parking) add(t ticket, limit time.Duration) {
	c := parked{ticket: t}
	known := t.watched
	c.watched = true
	if limit > 0 {
		c.until = time.Now().Add(limit)
	}
	p.mu.Lock()
	p.parked[t.fd] = c
	p.mu.Unlock()
	if err := p.poll.watchOnce(t.fd, known); err != nil {
		p.pool.worker.env.Log.Printf("watch a connection: %v", err)
		p.mu.Lock()
		delete(p.parked, t.fd)
		p.mu.Unlock()
		p.drop(t)
	}
}

// drop closes a connection that is not parked any more.
func (p *parking) drop(t ticket) {
	unix.Close(t.fd)
	p.pool.closed()
}

// watch is the life of the watching thread.
func (p *parking) watch() {
	runtime.LockOSThread()
	for last := time.Now(); ; {
		ready, err := p.poll.wait(sweepInterval)
		if err != nil {
			p.pool.worker.env.Log.Printf("wait for connections: %v", err)
			time.Sleep(sweepInterval)
		}
		for _, r := range ready {
			p.mu.Lock()
			c, ok := p.parked[r.fd]
			delete(p.parked, r.fd)
			p.mu.Unlock()
			if ok {
				p.pool.put(c.ticket)
			}
		}
		if now := time.Now(); now.Sub(last) >= sweepInterval {
			last = now
			p.sweep(now)
		}
	}
}

// sweep closes connections that have been idle for too long; once the worker
// is to leave, all that have been served.
func (p *parking) sweep(now time.Time) {
	leaving := p.pool.leaving()
	p.mu.Lock()
	var due []ticket
	for fd, c := range p.parked {
		if !c.until.IsZero() && now.After(c.until) || leaving && !c.fresh {
			due = append(due, c.ticket)
			delete(p.parked, fd)
		}
	}
	p.mu.Unlock()
	for _, t := range due {
		p.drop(t)
	}
}

// leave closes what is idle now, and gives new connections a last moment.
func (p *parking) leave() {
	now := time.Now()
	p.mu.Lock()
	for fd, c := range p.parked {
		if last := now.Add(silenceLimit); c.until.IsZero() || c.until.After(last) {
			c.until = last
			p.parked[fd] = c
		}
	}
	p.mu.Unlock()
	p.sweep(now)
}
