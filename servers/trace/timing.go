package trace

import "time"

// timing works out, from when things crossed, how long each hop waited for
// what.
func (t *Trace) timing() {
	for i := range t.Hops {
		h := &t.Hops[i]
		if first, ok := h.first(false); ok {
			d := first - h.Timing.Start
			h.Timing.FirstByte = &d
		}
		if h.Kind == Socket && h.Timing.Total == 0 {
			h.Timing.Total = h.last() - h.Timing.Start
		}
		if h.Kind == Socket {
			h.Timing.Queue = t.queue(i)
		}
	}
}

// first is when the first byte or event went one way.
func (h *Hop) first(forward bool) (at time.Duration, ok bool) {
	for i := range h.Messages {
		m := &h.Messages[i]
		if s := h.Stream(m.Stream); s != nil && s.Forward == forward && (!ok || m.At < at) {
			at, ok = m.At, true
		}
	}
	return at, ok
}

func (h *Hop) last() (at time.Duration) {
	for i := range h.Messages {
		at = max(at, h.Messages[i].Until)
	}
	return at
}

// queue is how long the request on hop i, once its head was there, waited for
// a sign of life further in; nil where there is nothing to see further in, or
// where it began before the head was complete.
func (t *Trace) queue(i int) *time.Duration {
	h := &t.Hops[i]
	head := time.Duration(-1)
	for _, m := range h.Messages {
		if m.Stream == "request" {
			head = m.Until
			break
		}
	}
	for j := range t.Hops {
		if in := &t.Hops[j]; in.From == h.To && head >= 0 && in.Timing.Start >= head {
			d := in.Timing.Start - head
			return &d
		}
	}
	return nil
}
