package scenarios

import (
	"sync"
	"time"

	"gatewaylab/scenarios/load"
)

// A collector turns hits into the trial's counts, histograms and series. Its
// memory does not grow with the number of hits. add and aside are called one
// at a time, latest by another goroutine.
type collector struct {
	t        *Trial
	scenario *Scenario
	lead     int           // stages of the attack before the window: the warm-up's, or none
	from, to time.Duration // the window, from the start of the attack
	length   time.Duration // of a slice
	before   int           // slices before the window; the first may be short, so that one begins with the window

	overlap time.Duration // Σ over hits of the part of their service time inside the window
	healing recoveries

	mu     sync.Mutex
	slices []Interval
	now    int        // the slice being filled
	hist   *Histogram // of response times in slice now
}

// maxSlices bounds the series of a long trial; 100 ms is the finest slice.
const (
	maxSlices = 300
	minSlice  = 100 * time.Millisecond
)

// manyParts is the number of parts from which on their histograms hold two
// significant figures instead of three: a run keeps those of all its trials,
// and fifty stages would take 25 MB in each.
const manyParts = 8

func newCollector(t *Trial, s *Scenario) *collector {
	total := s.Warmup + s.For()
	length := max(minSlice, total/maxSlices)
	c := &collector{
		t: t, scenario: s, from: s.Warmup, to: total,
		length: length, before: int((s.Warmup + length - 1) / length), hist: NewHistogram(),
		healing: recoveries{patience: s.Timeout},
	}
	if s.Warmup > 0 {
		c.lead = 1
	}
	figures := 3
	if len(s.Stages)+len(s.Requests)+len(s.Beside) > manyParts {
		figures = 2
	}
	if len(s.Stages) > 1 {
		var at time.Duration
		for i := range s.Stages {
			st := &s.Stages[i]
			t.Stages = append(t.Stages, newPart(st.Title(i), string(st.Shape), at, at+st.For, figures))
			at += st.For
		}
	}
	if len(s.Requests) > 1 {
		for i := range s.Requests {
			kind := ""
			if s.Requests[i].Fault {
				kind = "fault"
			}
			t.Requests = append(t.Requests, newPart(s.Requests[i].Title(), kind, 0, s.For(), figures))
		}
	}
	for i := range s.Beside {
		t.Beside = append(t.Beside, newPart(s.Beside[i].Title(), string(s.Beside[i].Kind), 0, s.For(), figures))
	}
	for i := range s.Requests {
		if s.Requests[i].Stream {
			t.Gaps = NewHistogram()
		}
	}
	if s.Faulty() {
		t.Faults = &Faults{Recovery: NewHistogram()}
	}
	return c
}

func newPart(name, kind string, from, to time.Duration, figures int) Part {
	return Part{
		Name: name, Kind: kind, From: from, To: to, Errors: map[string]uint64{},
		Response: newHistogram(figures), Service: newHistogram(figures), FirstByte: newHistogram(figures),
	}
}

// index is the slice that a moment belongs to.
func (c *collector) index(at time.Duration) int {
	return int((at - c.from + time.Duration(c.before)*c.length) / c.length)
}

// stage is the scenario's stage that a hit was due in; nil for the warm-up and
// the tail.
func (c *collector) stage(h *load.Hit) (*load.Stage, int) {
	i := h.Stage - c.lead
	if i < 0 || i >= len(c.scenario.Stages) {
		return nil, i
	}
	return &c.scenario.Stages[i], i
}

// open says whether the hit is of an open loop. The warm-up and the tail are
// like the stages that they are next to.
func (c *collector) open(h *load.Hit) bool {
	all := c.scenario.Stages
	i := min(max(0, h.Stage-c.lead), len(all)-1)
	return all[i].Open()
}

func (c *collector) add(h *load.Hit) {
	open := c.open(h)
	fault := c.t.Faults != nil && c.scenario.Requests[h.Request].Fault
	done := h.Done()
	c.overlap += max(0, min(done, c.to)-max(h.Sent, c.from))
	if !h.Cut && !fault && (open || done < c.to) {
		c.slice(h) // an open loop's late answers too
	}
	ended := !h.Cut && done >= c.from && done < c.to
	sent := h.Sent >= c.from && h.Sent < c.to
	mine := ended
	if open {
		sent = h.Due >= c.from && h.Due < c.to
		mine = sent && !h.Cut
	}
	if sent && open {
		c.t.Lag.Observe(h.Sent - h.Due)
	}
	if c.t.Faults != nil {
		c.blast(h, fault, sent, ended)
	}
	if len(c.t.Requests) > 0 {
		c.t.Requests[h.Request].book(h, sent, ended, mine)
	}
	// What a harmful request gets is no failure of the server's.
	mine = mine && !fault
	whole := c.t.part()
	whole.book(h, sent, ended && !fault, mine)
	c.t.take(whole)
	if mine && h.Code != 0 {
		c.t.Codes[h.Code]++
	}
	if mine && h.Kind == "" && c.t.Gaps != nil {
		for _, g := range h.Gaps {
			c.t.Gaps.Observe(g)
		}
	}
	if len(c.t.Stages) > 0 {
		c.byStage(h, ended && !fault, !fault)
	}
}

// byStage books a hit where it belongs among the stages: what was sent and, of
// open stages, measured goes to the stage it was due in; what ended, and of
// closed stages was measured, to the one it ended in.
func (c *collector) byStage(h *load.Hit, ended, counts bool) {
	st, i := c.stage(h)
	at := -1
	if ended {
		for k := range c.t.Stages {
			if h.Done()-c.from < c.t.Stages[k].To {
				at = k
				break
			}
		}
	}
	if st != nil {
		mine := counts && !h.Cut && (st.Open() || at == i)
		c.t.Stages[i].book(h, true, at == i, mine)
	}
	if at >= 0 && at != i {
		c.t.Stages[at].book(h, false, true, false)
	}
}

// book counts a hit: whether it was sent in the part's time, ended in it, and
// is to be measured as one of its own.
func (p *Part) book(h *load.Hit, sent, ended, mine bool) {
	if sent {
		p.Sent++
		if h.Cut {
			p.Cut++
		}
	}
	if ended {
		p.Ended++
		if h.Kind == "" {
			p.Succeeded++
		}
	}
	if !mine {
		return
	}
	p.Bytes += h.Bytes
	if h.Kind != "" {
		p.Failed++
		p.Errors[h.Kind]++
		return
	}
	p.Measured++
	p.Response.Observe(h.Response())
	p.Service.Observe(h.Latency)
	p.FirstByte.Observe(h.FirstByte)
}

// part is the trial's own figures as a part.
func (t *Trial) part() Part {
	return Part{
		Sent: t.Sent, Ended: t.Ended, Succeeded: t.Succeeded, Measured: t.Measured, Failed: t.Failed, Cut: t.Cut,
		Errors: t.Errors, Bytes: t.Bytes, Response: t.Response, Service: t.Service, FirstByte: t.FirstByte,
	}
}

// take is the inverse of part.
func (t *Trial) take(p Part) {
	t.Sent, t.Ended, t.Succeeded, t.Measured, t.Failed, t.Cut = p.Sent, p.Ended, p.Succeeded, p.Measured, p.Failed, p.Cut
	t.Bytes = p.Bytes
}

// aside books what a crowd did. Its exchanges can be longer than the window:
// what was under way in any part of it counts as sent.
func (c *collector) aside(crowd int, h *load.Hit) {
	done := h.Done()
	ended := !h.Cut && done >= c.from && done < c.to
	c.t.Beside[crowd].book(h, h.Sent < c.to && done >= c.from, ended, ended)
}

// blast counts who else was hurt by requests that do harm.
func (c *collector) blast(h *load.Hit, fault, sent, ended bool) {
	f := c.t.Faults
	switch {
	case h.Cut:
	case fault && sent:
		f.Sent++
		if took, recovered := c.healing.harmed(h.Sent); recovered {
			f.Recovery.Observe(took)
		}
	case fault:
	case ended:
		f.Others++
		switch {
		case h.Kind != "":
			f.Failed++
		case c.scenario.Hurt > 0 && h.Response() >= c.scenario.Hurt:
			f.Slow++
		}
	}
	if fault || h.Kind != "" || h.Cut {
		return
	}
	for _, took := range c.healing.succeeded(success{h.Sent, h.Done()}) {
		f.Recovery.Observe(took)
	}
}

// slice books the hit in the series. Hits come in order of completion but for
// races of microseconds, so one histogram, of the newest slice, is enough; a
// straggler counts in its slice and not in that slice's quantiles.
func (c *collector) slice(h *load.Hit) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := c.index(h.Done())
	c.reach(i)
	s := &c.slices[i]
	if h.Kind != "" {
		s.Failed++
		return
	}
	s.Succeeded++
	if i == c.now {
		c.hist.Observe(h.Response())
	}
}

// reach goes on to slice i, if it hasn't got there yet.
func (c *collector) reach(i int) {
	for len(c.slices) <= i {
		if len(c.slices) > 0 {
			c.seal()
		}
		c.now = len(c.slices)
		end := time.Duration(len(c.slices)+1-c.before) * c.length
		c.slices = append(c.slices, Interval{At: end, Length: c.length, Busy: -1, Queued: -1})
	}
}

// seal computes the quantiles of the slice that is over.
func (c *collector) seal() {
	s := &c.slices[c.now]
	if s.P50 != 0 || c.hist.TotalCount() == 0 {
		return
	}
	s.P50, s.P99 = c.hist.Quantile(0.5), c.hist.Quantile(0.99)
	s.Max = time.Duration(c.hist.Max()) * time.Microsecond
	c.hist.Reset()
}

// latest returns what is known of the newest finished slice, and books the
// watcher's own readings into the slice that they are of: readings are taken at
// the end of what they tell about, which is where the next slice begins.
func (c *collector) latest(at time.Duration, seen Interval) Interval {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := c.index(at - min(sampling, c.length)/2)
	if at <= c.to+sampling/2 {
		c.reach(i) // though no hit may have ended in it
	}
	if i < len(c.slices) {
		s := &c.slices[i]
		s.InFlight, s.Busy, s.Queued, s.CPU, s.Memory = seen.InFlight, seen.Busy, seen.Queued, seen.CPU, seen.Memory
	}
	var out Interval
	if n := len(c.slices); n > 1 {
		out = c.slices[n-2]
	}
	out.At = at - c.from
	out.InFlight, out.Busy, out.Queued, out.CPU, out.Memory = seen.InFlight, seen.Busy, seen.Queued, seen.CPU, seen.Memory
	return out
}

func (c *collector) finish() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.slices) > 0 {
		c.seal()
	}
	c.t.Series = c.slices
	if c.t.Faults != nil {
		c.t.Faults.Unrecovered = uint64(len(c.healing.pending))
		for _, at := range c.healing.pending {
			c.t.Faults.Lost += max(0, c.to-at)
		}
	}
}

// unsent adds what was due and never sent.
func (c *collector) unsent(o *load.Outcome) {
	t := c.t
	t.Unsent = o.UnsentIn(c.from, c.to)
	t.Due = t.Sent + t.Unsent
	for i := range t.Stages {
		p := &t.Stages[i]
		if c.scenario.Stages[i].Open() {
			p.Unsent = o.UnsentIn(c.from+p.From, c.from+p.To)
		}
		p.Due = p.Sent + p.Unsent
	}
	for i := range t.Requests {
		t.Requests[i].Due = t.Requests[i].Sent
	}
	for i := range t.Beside {
		t.Beside[i].Due = t.Beside[i].Sent
	}
}

// inFlightSeconds is the time average of requests in flight that the hits'
// own times amount to: Σ service time within the window ÷ window, Little's
// X·R for a window of any shape.
func (c *collector) inFlightSeconds() float64 {
	return c.overlap.Seconds() / (c.to - c.from).Seconds()
}
