package simulation

import "math/bits"

// cores are shared out evenly among all requests that compute: each goes on at
// full speed while there are cores enough, and else at n cores' worth over the
// number of requests (processor sharing, which is what a fair scheduler with
// short slices comes to).
//
// All who compute are equally fast, so it is enough to count how far one that
// began at the start would have got, progress, and each is done when that
// reaches its mark. Whole numbers make it exact: a unit is 1/256 ns.
type cores struct {
	n        int64
	at       int64 // when the first will be done
	since    int64 // when progress was brought up to date
	progress int64
	marks    []mark // a heap
	order    uint32
	used     float64 // ns of cores in use
}

const fraction = 8 // bits

type mark struct {
	at    int64
	order uint32
	of    int32
}

func (m *mark) before(o *mark) bool {
	return m.at < o.at || m.at == o.at && int32(m.order-o.order) < 0
}

// mulDiv is ⌊a·b/c⌋, which must fit, without overflow on the way.
func mulDiv(a, b, c int64) int64 {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	q, _ := bits.Div64(hi, lo, uint64(c))
	return int64(q)
}

// advance brings progress up to date.
func (c *cores) advance(now int64) {
	passed := now - c.since
	c.since = now
	jobs := int64(len(c.marks))
	switch {
	case passed == 0 || jobs == 0:
	case jobs <= c.n:
		c.progress += passed << fraction
		c.used += float64(passed * jobs)
	default:
		c.progress += mulDiv(passed<<fraction, c.n, jobs)
		c.used += float64(passed * c.n)
	}
}

// foresee says when the first will be done.
func (c *cores) foresee() {
	jobs := int64(len(c.marks))
	if jobs == 0 {
		c.at = never
		return
	}
	left := max(0, c.marks[0].at-c.progress)
	if jobs > c.n {
		left = mulDiv(left, jobs, c.n)
	}
	c.at = c.since + (left+1<<fraction-1)>>fraction
}

// begin has a request compute for d nanoseconds of a core's time.
func (c *cores) begin(now int64, of int32, d int64) {
	c.advance(now)
	c.order++
	m := mark{c.progress + d<<fraction, c.order, of}
	c.marks = append(c.marks, m)
	h := c.marks
	i := len(h) - 1
	for i > 0 {
		up := (i - 1) / 2
		if !m.before(&h[up]) {
			break
		}
		h[i] = h[up]
		i = up
	}
	h[i] = m
	c.foresee()
}

// finish takes the request that is done.
func (c *cores) finish(now int64) int32 {
	c.advance(now)
	top := c.marks[0]
	c.progress = max(c.progress, top.at)
	h := c.marks
	last := h[len(h)-1]
	h = h[:len(h)-1]
	c.marks = h
	i := 0
	for len(h) > 0 {
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
	if len(h) > 0 {
		h[i] = last
	}
	c.foresee()
	return top.of
}

// drop has nobody continue when the request's computing is done, because its
// process has died.
func (c *cores) drop(of int32) {
	for i := range c.marks {
		if c.marks[i].of == of {
			c.marks[i].of = none
		}
	}
}
