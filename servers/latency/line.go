package latency

import (
	"container/heap"
	"math/rand/v2"
	"time"
)

// A line decides what becomes of each call when it comes. Since the time that
// a call takes is drawn at once, so is when its place will be free again: the
// queue of c servers that serve first come first served is the heap of the c
// times at which they are free (Kiefer and Wolfowitz 1955), and a rate is the
// time before which no other call begins. Nobody has to wait in anything.
type line struct {
	config Config
	rng    *rand.Rand
	gap    time.Duration // between two calls that begin, at least
	next   time.Duration // when the rate lets another one begin
	free   times         // when each place is
	// waits are when those that wait in line will begin; first come, first
	// served, so they are in order.
	waits []time.Duration
}

// times is a heap of moments, the earliest first.
type times []time.Duration

func (t times) Len() int           { return len(t) }
func (t times) Less(i, j int) bool { return t[i] < t[j] }
func (t times) Swap(i, j int)      { t[i], t[j] = t[j], t[i] }

// Push and Pop are for package heap.
func (t *times) Push(x any) { *t = append(*t, x.(time.Duration)) }

// Pop takes the last.
func (t *times) Pop() any {
	last := len(*t) - 1
	v := (*t)[last]
	*t = (*t)[:last]
	return v
}

func newLine(c Config) *line {
	l := &line{config: c, rng: rand.New(rand.NewPCG(c.Seed, 0x6c6174656e6379))}
	if c.Rate > 0 {
		l.gap = time.Duration(float64(time.Second) / c.Rate)
	}
	l.free = make(times, c.Places)
	return l
}

// What becomes of a call.
type outcome uint8

const (
	answered outcome = iota
	failed           // 503, after its delay
	closed           // no answer, after its delay
	refused          // 503 at once: the line is full
)

// A fate is when a call came, begins and ends, on the server's clock, and how.
type fate struct {
	came, begins, ends time.Duration
	outcome            outcome
}

// Foresee tells what would become of calls to such a service, which are told to
// it in the order in which they come: when each begins and ends, on the
// callers' clock, and whether the answer is a good one.
func Foresee(c Config) func(now time.Duration) (begins, ends time.Duration, good bool) {
	l := newLine(c)
	return func(now time.Duration) (begins, ends time.Duration, good bool) {
		f := l.admit(now)
		return f.begins, f.ends, f.outcome == answered
	}
}

// admit decides. Calls must come in the order of now.
func (l *line) admit(now time.Duration) fate {
	for len(l.waits) > 0 && l.waits[0] <= now {
		l.waits = l.waits[1:]
	}
	begins := max(now, l.next)
	if len(l.free) > 0 {
		begins = max(begins, l.free[0])
	}
	if begins > now {
		if len(l.waits) >= l.config.Queue {
			return fate{now, now, now, refused}
		}
		l.waits = append(l.waits, begins)
	}
	l.next = begins + l.gap
	f := fate{came: now, begins: begins, ends: begins + l.config.Delay.Draw(l.rng)}
	if len(l.free) > 0 {
		l.free[0] = f.ends
		heap.Fix(&l.free, 0)
	}
	switch u := l.rng.Float64(); {
	case u < l.config.Failures:
		f.outcome = failed
	case u < l.config.Failures+l.config.Closes:
		f.outcome = closed
	}
	return f
}
