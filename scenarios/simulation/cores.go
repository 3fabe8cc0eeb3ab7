package simulation

import (
	"math/bits"
	"time"
)

// cores are what all that compute take turns at. Whoever wants one takes a free
// one, or stands in the run queue; who is not done within a slice goes to its
// end. Work shorter than a slice is so done in the order in which it comes, and
// of work much longer everybody gets an equal share. It is what Linux comes to
// with processes of the same weight (Stoica and Abdel-Wahab, Earliest Eligible
// Virtual Deadline First, 1995; kernel/sched/fair.c).
type cores struct {
	n       int
	slice   int64
	at      int64  // when the first slice of those under way ends; never if there is none
	since   int64  // when used was brought up to date
	running []turn // a heap
	waiting []turn // a ring
	first   int
	count   int
	order   uint32
	used    float64 // ns of cores in use
}

// A turn is a request's at a core.
type turn struct {
	until int64 // of a running one, the end of its slice
	left  int64 // to compute, after that
	order uint32
	of    int32
}

func (t *turn) before(o *turn) bool {
	return t.until < o.until || t.until == o.until && int32(t.order-o.order) < 0
}

// baseSlice is that of Linux 6.12 and later on one core; it grows with the
// logarithm of their number, up to eight.
const baseSlice = int64(700 * time.Microsecond)

func newCores(n int) cores {
	return cores{n: n, slice: baseSlice * int64(bits.Len(uint(min(n, 8)))), at: never}
}

// mulDiv is ⌊a·b/c⌋, which must fit, without overflow on the way.
func mulDiv(a, b, c int64) int64 {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	q, _ := bits.Div64(hi, lo, uint64(c))
	return int64(q)
}

// advance brings what was used up to date.
func (c *cores) advance(now int64) {
	c.used += float64((now - c.since) * int64(len(c.running)))
	c.since = now
}

// begin has a request compute for d nanoseconds of a core's time.
func (c *cores) begin(now int64, of int32, d int64) {
	t := turn{left: d, of: of}
	if len(c.running) < c.n {
		c.advance(now)
		c.run(now, t)
		return
	}
	if c.count == len(c.waiting) {
		c.grow()
	}
	c.push(t)
}

func (c *cores) push(t turn) {
	at := c.first + c.count
	if at >= len(c.waiting) {
		at -= len(c.waiting)
	}
	c.waiting[at] = t
	c.count++
}

func (c *cores) grow() {
	larger := make([]turn, max(16, 2*c.count))
	n := copy(larger, c.waiting[c.first:])
	copy(larger[n:], c.waiting[:c.first])
	c.waiting, c.first = larger, 0
}

// run gives a request its next slice.
func (c *cores) run(now int64, t turn) {
	d := min(t.left, c.slice)
	c.order++
	t.until, t.left, t.order = now+d, t.left-d, c.order
	c.running = append(c.running, t)
	h := c.running
	i := len(h) - 1
	for i > 0 {
		up := (i - 1) / 2
		if !t.before(&h[up]) {
			break
		}
		h[i] = h[up]
		i = up
	}
	h[i] = t
	c.at = h[0].until
}

// take takes the turn that ends first.
func (c *cores) take() turn {
	h := c.running
	top := h[0]
	last := h[len(h)-1]
	h = h[:len(h)-1]
	c.running = h
	if len(h) == 0 {
		c.at = never
		return top
	}
	i := 0
	for {
		child := 2*i + 1
		if child >= len(h) {
			break
		}
		if child+1 < len(h) && h[child+1].before(&h[child]) {
			child++
		}
		if !h[child].before(&last) {
			break
		}
		h[i] = h[child]
		i = child
	}
	h[i] = last
	c.at = h[0].until
	return top
}

// end ends the slice that is over, and gives the core to whose turn it is. It
// returns the request if that is done, else none.
func (c *cores) end(now int64) int32 {
	c.advance(now)
	t := c.take()
	done := t.of
	if t.left > 0 {
		done = none
		if c.count == 0 {
			c.run(now, t)
			return none
		}
		if c.count == len(c.waiting) {
			c.grow()
		}
		c.push(t)
	}
	for c.count > 0 && len(c.running) < c.n {
		next := c.waiting[c.first]
		if c.first++; c.first == len(c.waiting) {
			c.first = 0
		}
		c.count--
		if next.of != none {
			c.run(now, next)
		}
	}
	return done
}

// drop has a request compute no more, because its process has died: the slice
// under way is its last.
func (c *cores) drop(of int32) {
	for i := range c.running {
		if t := &c.running[i]; t.of == of {
			t.of, t.left = none, 0
		}
	}
	for i := range c.waiting { // some of them are old
		if t := &c.waiting[i]; t.of == of {
			t.of = none
		}
	}
}
