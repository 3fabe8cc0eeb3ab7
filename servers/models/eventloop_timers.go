package models

import (
	"container/heap"
	"time"
)

// A timer calls fire once, from the loop, when it is due. Most are put off
// again and again and never fire: a connection's deadline moves with every
// request. So putting one off doesn't touch the heap. It stays where it was,
// and is put where it belongs when it comes up.
type timer struct {
	when   time.Duration // due, on the loop's clock; 0 = off
	at     time.Duration // its place in the heap, never later than when
	place  int
	queued bool
	fire   func()
}

// timers is a heap; see container/heap.
type timers []*timer

func (ts timers) Len() int           { return len(ts) }
func (ts timers) Less(i, j int) bool { return ts[i].at < ts[j].at }
func (ts timers) Swap(i, j int) {
	ts[i], ts[j] = ts[j], ts[i]
	ts[i].place, ts[j].place = i, j
}

// Push and Pop are for package heap.
func (ts *timers) Push(x any) {
	t := x.(*timer)
	t.place, t.queued = len(*ts), true
	*ts = append(*ts, t)
}

// Pop takes the last.
func (ts *timers) Pop() any {
	last := len(*ts) - 1
	t := (*ts)[last]
	(*ts)[last] = nil
	*ts = (*ts)[:last]
	t.queued = false
	return t
}

// set has t fire after d, and not when it was to fire before.
func (l *loop) set(t *timer, d time.Duration) {
	t.when = l.now + max(d, 1)
	switch {
	case !t.queued:
		t.at = t.when
		heap.Push(&l.timers, t)
	case t.when < t.at:
		t.at = t.when
		heap.Fix(&l.timers, t.place)
	}
}

// stop takes t out for good.
func (l *loop) stop(t *timer) {
	t.when = 0
	if t.queued {
		heap.Remove(&l.timers, t.place)
	}
}

// untilTimer is how long the loop may wait; < 0 = for ever.
func (l *loop) untilTimer() time.Duration {
	if len(l.timers) == 0 {
		return -1
	}
	return max(0, l.timers[0].at-time.Since(l.begun))
}

// expire fires what is due.
func (l *loop) expire() {
	for len(l.timers) > 0 && l.timers[0].at <= l.now {
		t := l.timers[0]
		switch {
		case t.when == 0:
			heap.Pop(&l.timers)
		case t.when > l.now:
			t.at = t.when
			heap.Fix(&l.timers, 0)
		default:
			heap.Pop(&l.timers)
			t.when = 0
			t.fire()
		}
	}
}
