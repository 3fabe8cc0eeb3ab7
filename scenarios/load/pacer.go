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
	due     *arrivals
	until   time.Duration                                // hits due from here on aren't sent
	elapsed func() time.Duration                         // since the attack began
	sleep   func(time.Duration) bool                     // false: interrupted, the attack is over
	promise func(seq uint64, d time.Duration, stage int) // told of each hit before it is handed on
}

// Pace implements vegeta.Pacer.
func (p *openPacer) Pace(_ time.Duration, hit uint64) (time.Duration, bool) {
	due, stage, ok := p.due.next()
	now := p.elapsed()
	if !ok || due >= p.until || now >= p.until+grace {
		return 0, true
	}
	if now < due && !p.sleep(due-now) {
		return 0, true
	}
	p.promise(hit, due, stage)
	return 0, false
}

// Rate implements vegeta.Pacer; vegeta doesn't call it.
func (p *openPacer) Rate(time.Duration) float64 { return 0 }
