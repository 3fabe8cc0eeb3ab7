package load

import (
	"math"
	"time"
)

// A schedule says when hit k is due, counted from the start of the attack,
// given when hit k−1 was (0 for the first). It is a pure function: the same
// arguments give the same time, so a schedule can be replayed to count what
// was due without having remembered it. Due times never decrease.
type schedule func(k uint64, previous time.Duration) time.Duration

// constant is a schedule of rate hits per second at equal intervals, the first
// at 0. Each time is computed from k, not by adding intervals, so that
// rounding never accumulates.
func constant(rate float64) schedule {
	return func(k uint64, _ time.Duration) time.Duration {
		return time.Duration(math.Round(float64(k) * float64(time.Second) / rate))
	}
}

// count returns how many hits from number first on are due in [from, to).
func (s schedule) count(first uint64, from, to time.Duration) (n uint64) {
	var due time.Duration
	for k := uint64(0); ; k++ {
		if due = s(k, due); due >= to {
			return n
		}
		if k >= first && due >= from {
			n++
		}
	}
}
