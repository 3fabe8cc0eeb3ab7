package reports

import "fmt"

// Requests on an event loop share one thread. What any of them computes, or
// blocks in, is time in which none of the others gets on, and cores that are
// left over are no help.

// holds is the time for which a request holds its thread: all the CPU time of
// the server that it causes, and what it blocks.
func (e *evidence) holds() float64 { return max(0, e.cpu) + e.block }

// sharedThreads names them.
func (e *evidence) sharedThreads() string {
	if e.threads == 1 {
		return "the one thread that all requests share"
	}
	return fmt.Sprintf("the %s that all requests share", count(e.threads, "thread"))
}

// holding says what holds a thread for how long.
func (e *evidence) holding() string {
	switch {
	case e.block > 0:
		return fmt.Sprintf("Each request holds its thread for %s%s", saidTime(e.holds()), e.onAverage())
	case e.works:
		return fmt.Sprintf("Each request burns %s of CPU", saidTime(e.cpu))
	}
	return fmt.Sprintf("Each request takes %s of CPU", saidTime(e.cpu))
}

// waitsForThread says for how long requests that come at random wait for the
// one thread: λE[S²]/2(1−ρ), Pollaczek and Khinchine's formula, S being the time
// for which a request holds it.
func (e *evidence) waitsForThread() string {
	held := e.holds()
	busy := e.rate * held
	if e.threads != 1 || !e.works && e.block == 0 || busy >= 1 {
		return ""
	}
	// The CPU time is taken as the same for each, which is least.
	square := e.block2 + 2*e.block*e.cpu + e.cpu*e.cpu
	wait := e.rate * square / (2 * (1 - busy))
	upTo := ""
	if e.longest > 2*held {
		upTo = fmt.Sprintf(", for up to %s at a time", saidTime(e.longest))
	}
	return fmt.Sprintf("Its one thread is held for %s of the time%s: requests that come at random wait for it for λE[S²]/2(1−ρ) = %s on average, those that ask for little too.",
		percent(busy), upTo, saidTime(wait))
}
