package scenarios

import (
	"slices"
	"time"
)

// recoveries finds for each harmful request the first success of another that
// was sent after it. Requests come in the order of their ends, and a harmful one
// often ends long after others have succeeded that were sent after it.
type recoveries struct {
	patience time.Duration // that no request outlasts
	// firsts are successes of others, each of which was sent later than all that
	// ended before it: only such a one can be the first after anything.
	firsts []success
	// pending is when harmful requests were sent after which no other has
	// succeeded yet.
	pending []time.Duration
}

type success struct{ sent, done time.Duration }

// maxPending bounds the harmful requests that are waited for, and the successes
// that are kept for those still under way; beyond it the server has been down,
// or up, for so long that more of them tell nothing new.
const maxPending = 10_000

// succeeded takes a success of another and returns the times of the recoveries
// that it ends.
func (r *recoveries) succeeded(s success) (took []time.Duration) {
	r.pending = slices.DeleteFunc(r.pending, func(at time.Duration) bool {
		if s.sent <= at {
			return false
		}
		took = append(took, s.done-at)
		return true
	})
	if n := len(r.firsts); n > 0 && s.sent <= r.firsts[n-1].sent {
		return took
	}
	old := slices.IndexFunc(r.firsts, func(f success) bool { return f.done >= s.done-r.patience })
	if old < 0 {
		old = len(r.firsts)
	}
	r.firsts = append(slices.Delete(r.firsts, 0, max(old, len(r.firsts)-maxPending+1)), s)
	return took
}

// harmed takes a harmful request that has ended. If another that was sent after
// it has succeeded already, it returns how long that took.
func (r *recoveries) harmed(sent time.Duration) (took time.Duration, recovered bool) {
	i, _ := slices.BinarySearchFunc(r.firsts, sent, func(f success, at time.Duration) int {
		if f.sent > at {
			return 1
		}
		return -1
	})
	if i < len(r.firsts) {
		return r.firsts[i].done - sent, true
	}
	if len(r.pending) < maxPending {
		r.pending = append(r.pending, sent)
	}
	return 0, false
}
