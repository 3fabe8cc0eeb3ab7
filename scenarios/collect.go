package scenarios

import (
	"sync"
	"time"

	"gatewaylab/scenarios/load"
)

// A collector turns hits into the trial's counts, histograms and series. Its
// memory does not grow with the number of hits. add is called by one
// goroutine, latest by another.
type collector struct {
	t        *Trial
	open     bool
	from, to time.Duration // the window, from the start of the attack
	length   time.Duration // of a slice
	before   int           // slices before the window; the first may be short, so that one begins with the window

	overlap time.Duration // Σ over hits of the part of their service time inside the window

	mu     sync.Mutex
	slices []Interval
	now    int        // the slice being filled
	hist   *Histogram // of response times in slice now
}

// maxSlices bounds the series of a long trial; 100 ms is the finest slice.
const (
	maxSlices = 300
	minSlice  = 100 * time.Millisecond
)

func newCollector(t *Trial, s *Scenario) *collector {
	total := s.Warmup + s.For
	length := max(minSlice, total/maxSlices)
	return &collector{
		t: t, open: s.Load.Kind == load.Open, from: s.Warmup, to: total,
		length: length, before: int((s.Warmup + length - 1) / length), hist: NewHistogram(),
	}
}

// index is the slice that a moment belongs to.
func (c *collector) index(at time.Duration) int {
	return int((at - c.from + time.Duration(c.before)*c.length) / c.length)
}

func (c *collector) add(h *load.Hit) {
	done := h.Done()
	c.overlap += max(0, min(done, c.to)-max(h.Sent, c.from))
	if !h.Cut && (c.open || done < c.to) {
		c.slice(h) // an open loop's late answers too
	}
	ended := !h.Cut && done >= c.from && done < c.to
	if ended {
		c.t.Ended++
		if h.Kind == "" {
			c.t.Succeeded++
		}
	}
	sent := h.Sent >= c.from && h.Sent < c.to
	mine := ended
	if c.open {
		sent = h.Due >= c.from && h.Due < c.to
		mine = sent && !h.Cut
	}
	if sent {
		c.t.Sent++
		if h.Cut {
			c.t.Cut++
		}
		if c.open {
			c.t.Lag.Observe(h.Sent - h.Due)
		}
	}
	if mine {
		c.count(h)
	}
}

func (c *collector) count(h *load.Hit) {
	t := c.t
	t.Bytes += h.Bytes
	if h.Code != 0 {
		t.Codes[h.Code]++
	}
	if h.Kind != "" {
		t.Failed++
		t.Errors[h.Kind]++
		return
	}
	t.Measured++
	t.Response.Observe(h.Response())
	t.Service.Observe(h.Latency)
	t.FirstByte.Observe(h.FirstByte)
}

// slice books the hit in the series. Hits come in order of completion but for
// races of microseconds, so one histogram, of the newest slice, is enough; a
// straggler counts in its slice and not in that slice's quantiles.
func (c *collector) slice(h *load.Hit) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := c.index(h.Done())
	for len(c.slices) <= i {
		if len(c.slices) > 0 {
			c.seal()
		}
		c.now = len(c.slices)
		end := time.Duration(len(c.slices)+1-c.before) * c.length
		c.slices = append(c.slices, Interval{At: end, Length: c.length, Busy: -1, Queued: -1})
	}
	s := &c.slices[i]
	if h.Kind != "" {
		s.Failed++
		return
	}
	s.Succeeded++
	if i == c.now {
		c.hist.Observe(h.Response())
	}
}

// seal computes the quantiles of the slice that is over.
func (c *collector) seal() {
	s := &c.slices[c.now]
	if s.P50 != 0 || c.hist.TotalCount() == 0 {
		return
	}
	s.P50, s.P99 = c.hist.Quantile(0.5), c.hist.Quantile(0.99)
	s.Max = time.Duration(c.hist.Max()) * time.Microsecond
	c.hist.Reset()
}

// latest returns what is known of the newest finished slice, and books the
// watcher's own readings into the slice of this moment.
func (c *collector) latest(at time.Duration, seen Interval) Interval {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := c.index(at); i < len(c.slices) {
		s := &c.slices[i]
		s.InFlight, s.Busy, s.Queued, s.CPU, s.Memory = seen.InFlight, seen.Busy, seen.Queued, seen.CPU, seen.Memory
	}
	var out Interval
	if n := len(c.slices); n > 1 {
		out = c.slices[n-2]
	}
	out.At = at - c.from
	out.InFlight, out.Busy, out.Queued, out.CPU, out.Memory = seen.InFlight, seen.Busy, seen.Queued, seen.CPU, seen.Memory
	return out
}

func (c *collector) finish() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.slices) > 0 {
		c.seal()
	}
	c.t.Series = c.slices
}

// inFlightSeconds is the time average of requests in flight that the hits'
// own times amount to: Σ service time within the window ÷ window, Little's
// X·R for a window of any shape.
func (c *collector) inFlightSeconds() float64 {
	return c.overlap.Seconds() / (c.to - c.from).Seconds()
}
