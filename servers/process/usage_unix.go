//go:build unix

package process

import (
	"fmt"
	"time"
)

// Usage measures the whole tree, everything in it. For the two ends of a
// trial: reading proportional memory and the threads' context switches costs
// some tenths of a millisecond for each process.
func (g *Group) Usage() (Usage, error) { return g.usage(true) }

// Sample measures what is cheap: CPU, processes, threads, and resident instead
// of proportional memory. For ten times a second during a trial.
func (g *Group) Sample() (Usage, error) { return g.usage(false) }

func (g *Group) usage(detail bool) (Usage, error) {
	var all Usage
	for i, p := range g.units {
		u, err := p.usage(detail)
		if err != nil {
			return Usage{}, fmt.Errorf("measure processes: %w", err)
		}
		if i == 0 || u.MemoryKind == "rss" {
			all.MemoryKind = u.MemoryKind // one that can't tell makes the sum a sum of both kinds
		}
		all.CPU += u.CPU
		if i == 0 && len(g.units) > 1 {
			all.Front = u.CPU
		}
		all.Partial = all.Partial || u.Partial
		all.Memory += u.Memory
		all.Processes += u.Processes
		all.Threads += u.Threads
		all.Files += u.Files
		all.Voluntary += u.Voluntary
		all.Involuntary += u.Involuntary
	}
	return all, nil
}

func (p *unit) usage(detail bool) (Usage, error) {
	p.mu.Lock()
	gone := p.reaped // before the live are read: a leader that goes in between must not count twice
	p.mu.Unlock()
	u, err := p.tree.measure(detail, p.board.watcher())
	if err != nil {
		return Usage{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	metered, whole := p.metered()
	u.CPU = max(u.CPU+gone.cpu, metered)
	u.Partial = !whole
	u.Voluntary += gone.voluntary
	u.Involuntary += gone.involuntary
	// What one reading missed of a dying process is there in the next.
	p.cpu = max(p.cpu, u.CPU)
	u.CPU = p.cpu
	return u, nil
}

// metered is what the meters of this life and of those before have counted, 0
// if there is none; whole is false if there should be one. It is called under
// the group's lock.
func (p *unit) metered() (counted time.Duration, whole bool) {
	watcher, fd := p.board.meter()
	switch {
	case fd < 0:
		return 0, false
	case fd == 0 && p.meter == nil:
		return p.reaped.metered, true
	case p.meter == nil:
		m, err := takeMeter(watcher, fd)
		if err != nil {
			return 0, false // it is gone, or may not be looked into
		}
		p.meter = m
	}
	counted, err := p.meter.read()
	return p.reaped.metered + counted, err == nil
}

// settle closes the meter of a life that is over and keeps what it has counted.
// It is called under the group's lock.
func (p *unit) settle() {
	if p.meter == nil {
		return
	}
	p.reaped.metered, _ = p.metered() // on an error what was counted before
	_ = p.meter.close()
	p.meter = nil
}
