package load

import "time"

// grace is how long after the end of an open loop a hit that was due before
// the end may still be sent. It covers the generator's own wake-up time; a
// generator or server that is further behind than this has unsent hits.
const grace = 100 * time.Millisecond

// An openPacer makes vegeta's dispatcher keep a schedule. vegeta calls Pace
// once for each hit, in order and from one goroutine, and hands the hit to a
// worker when Pace returns. Pace does the waiting itself: vegeta's time.Sleep
// wakes up to a millisecond late and can't be interrupted.
type openPacer struct {
	due     schedule
	until   time.Duration                     // hits due from here on aren't sent
	elapsed func() time.Duration              // since the attack began
	sleep   func(time.Duration) bool          // false: interrupted, the attack is over
	promise func(seq uint64, d time.Duration) // told of each hit before it is handed on

	last time.Duration
}

// Pace implements vegeta.Pacer.
func (p *openPacer) Pace(_ time.Duration, hit uint64) (time.Duration, bool) {
	due := p.due(hit, p.last)
	now := p.elapsed()
	if due >= p.until || now >= p.until+grace {
		return 0, true
	}
	p.last = due
	if now < due && !p.sleep(due-now) {
		return 0, true
	}
	p.promise(hit, due)
	return 0, false
}

// Rate implements vegeta.Pacer; vegeta doesn't call it.
func (p *openPacer) Rate(time.Duration) float64 { return 0 }

// A closedPacer lets every worker send as soon as it is free, until the end.
type closedPacer struct{ until time.Duration }

// Pace implements vegeta.Pacer.
func (p closedPacer) Pace(elapsed time.Duration, _ uint64) (time.Duration, bool) {
	return 0, elapsed >= p.until
}

// Rate implements vegeta.Pacer; vegeta doesn't call it.
func (p closedPacer) Rate(time.Duration) float64 { return 0 }
