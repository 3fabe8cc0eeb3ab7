package load

import (
	"sync"
	"time"
)

// A Gauge shows an attack while it runs. One Gauge serves one Run; any
// goroutine may read it at any time, before, during and after.
type Gauge struct {
	mu       sync.Mutex
	began    time.Time
	last     time.Duration // when inFlight last changed
	inFlight int
	sent     uint64
	done     uint64
	area     time.Duration // ∫ inFlight dt up to last
	peak     int
	opened   func() uint64 // connections so far; nil before the start
}

// A Reading is the state of a Gauge at one moment.
type Reading struct {
	At       time.Duration // from the start of the attack; 0 before it
	InFlight int
	Sent     uint64
	Done     uint64        // ended, in whatever way
	Area     time.Duration // ∫ InFlight dt from the start until At: the hits' time in flight, summed
	Peak     int           // the most that were in flight at once

	Connections uint64 // opened so far
}

// Read returns a consistent snapshot.
func (g *Gauge) Read() Reading {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.began.IsZero() {
		g.advance(time.Since(g.began))
	}
	r := Reading{At: g.last, InFlight: g.inFlight, Sent: g.sent, Done: g.done, Area: g.area, Peak: g.peak}
	if g.opened != nil {
		r.Connections = g.opened()
	}
	return r
}

// MeanInFlight is the time average of hits in flight between two readings: the
// N of Little's law N = X·R. It counts heads, and knows nothing of the
// latencies that X·R is made of, so the two can disagree when one is wrong.
func (r Reading) MeanInFlight(earlier Reading) float64 {
	if r.At <= earlier.At {
		return 0
	}
	return float64(r.Area-earlier.Area) / float64(r.At-earlier.At)
}

// InFlight is how many hits are in flight now.
func (g *Gauge) InFlight() int { return g.Read().InFlight }

// Sent is how many hits have been sent so far.
func (g *Gauge) Sent() uint64 { return g.Read().Sent }

// Done is how many hits have ended so far.
func (g *Gauge) Done() uint64 { return g.Read().Done }

func (g *Gauge) start(began time.Time, opened func() uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.began, g.last, g.inFlight, g.sent, g.done, g.area = began, 0, 0, 0, 0, 0
	g.peak, g.opened = 0, opened
}

// add counts a hit that begins, and returns when that is and how many there
// were before it: numbers are in the order of sending.
func (g *Gauge) add() (now time.Duration, number uint64) {
	g.mu.Lock()
	now, number = time.Since(g.began), g.sent
	g.advance(now)
	g.inFlight++
	g.peak = max(g.peak, g.inFlight)
	g.sent++
	g.mu.Unlock()
	return now, number
}

func (g *Gauge) remove(now time.Duration) {
	g.mu.Lock()
	g.advance(now)
	g.inFlight--
	g.done++
	g.mu.Unlock()
}

// advance may be called with times that two goroutines took in the other
// order; the area of the overlap is then subtracted again, which is right.
func (g *Gauge) advance(now time.Duration) {
	g.area += time.Duration(g.inFlight) * (now - g.last)
	g.last = now
}
