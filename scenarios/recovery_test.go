package scenarios

import (
	"slices"
	"testing"
	"time"
)

func TestRecoveries(t *testing.T) {
	const ms = time.Millisecond
	r := recoveries{patience: time.Second}
	var found []time.Duration
	ok := func(sent, done time.Duration) { found = append(found, r.succeeded(success{sent, done})...) }
	harm := func(sent time.Duration) {
		if took, recovered := r.harmed(sent); recovered {
			found = append(found, took)
		}
	}
	// Sent at 15 and ended long after: the first success that was sent later is
	// that of 30, though one that ended before it was sent at 10.
	ok(10*ms, 40*ms)
	ok(30*ms, 50*ms)
	ok(20*ms, 60*ms) // overtaken
	ok(70*ms, 90*ms)
	harm(15 * ms)
	harm(30 * ms)
	harm(100 * ms) // nothing yet
	harm(200 * ms)
	ok(90*ms, 300*ms)
	ok(150*ms, 310*ms)
	if want := []time.Duration{35 * ms, 60 * ms, 210 * ms}; !slices.Equal(found, want) {
		t.Errorf("recovered after %v, want %v", found, want)
	}
	if len(r.pending) != 1 || r.pending[0] != 200*ms {
		t.Errorf("pending %v, want that of 200 ms", r.pending)
	}
	ok(3*time.Second, 4*time.Second)
	if len(r.firsts) != 1 {
		t.Errorf("%d successes kept, want only the one that is not out of date", len(r.firsts))
	}
	for i := range time.Duration(3 * maxPending) {
		ok(4*time.Second+i, 4*time.Second+i)
	}
	if n := len(r.firsts); n != maxPending {
		t.Errorf("%d successes kept, want %d", n, maxPending)
	}
}
