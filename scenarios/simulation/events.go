package simulation

// What an event is about.
const (
	elapsed     = iota // a request's delay is over
	waking             // a user has thought
	level              // the number of users changes
	knocking           // a connection is tried again
	killing            // a request has taken too long for its process
	unreachable        // the front has tried for too long to connect
	silence            // an instance has said nothing for too long
	restarting         // a process has a successor
	crowding           // a client of a crowd sends
	measuring          // the window begins or ends
)

// An event is something that is to happen. It is of a request, a user, a
// process or a client, by number; the generation tells a request from those
// that had its place before.
type event struct {
	at         int64
	order      uint32
	of         int32
	generation uint32
	what       uint8
}

func (e *event) before(o *event) bool {
	return e.at < o.at || e.at == o.at && int32(e.order-o.order) < 0
}

// events is a heap with four children to a node, which is shallower than one
// with two and looks at neighbours in memory. Typed, so that nothing is boxed.
type events struct {
	heap  []event
	order uint32
}

func (q *events) next() int64 {
	if len(q.heap) == 0 {
		return never
	}
	return q.heap[0].at
}

func (q *events) push(e event) {
	q.order++
	e.order = q.order
	q.heap = append(q.heap, e)
	h := q.heap
	i := len(h) - 1
	for i > 0 {
		up := (i - 1) / 4
		if !e.before(&h[up]) {
			break
		}
		h[i] = h[up]
		i = up
	}
	h[i] = e
}

func (q *events) pop() event {
	h := q.heap
	top := h[0]
	last := h[len(h)-1]
	h = h[:len(h)-1]
	q.heap = h
	if len(h) == 0 {
		return top
	}
	i := 0
	for {
		child := 4*i + 1
		if child >= len(h) {
			break
		}
		least := child
		for k := child + 1; k < min(child+4, len(h)); k++ {
			if h[k].before(&h[least]) {
				least = k
			}
		}
		if !h[least].before(&last) {
			break
		}
		h[i] = h[least]
		i = least
	}
	h[i] = last
	return top
}
