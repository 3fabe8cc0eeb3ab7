// Package hops shows traces (package servers/trace): as text for a terminal, as
// Markdown, Mermaid, a self-contained HTML page, JSON, a capture for Wireshark,
// and step by step on a key. Renderers show what was recorded and compute no
// more than sums: whatever two of them say of a trace, they say the same.
package hops

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"gatewaylab/servers/trace"
)

// A step is one arrow of a sequence diagram: what crossed one hop in one
// direction at one time.
type step struct {
	hop      int
	at       time.Duration
	from, to int // lanes
	label    string
	size     int
	connect  bool // a connection being made, not a message
	messages []int
}

// A diagram is a trace as lanes and the arrows between them, in time.
type diagram struct {
	lanes []string
	steps []step
}

// together is how close in time messages that go the same way are one arrow.
const together = 200 * time.Microsecond

func newDiagram(t *trace.Trace) *diagram {
	d := &diagram{}
	var all []step
	for i := range t.Hops {
		h := &t.Hops[i]
		from, to := d.lane(h.From), d.lane(h.To)
		if c := h.Timing.Connect; c != nil {
			all = append(all, step{hop: i, at: h.Timing.Start, from: from, to: to, connect: true, label: "connects, " + duration(*c)})
		}
		for j := range h.Messages {
			m := &h.Messages[j]
			s := step{hop: i, at: m.At, from: from, to: to, label: m.Short, size: m.Length, messages: []int{j}}
			if st := h.Stream(m.Stream); st != nil && !st.Forward {
				s.from, s.to = to, from
			}
			all = append(all, s)
		}
	}
	slices.SortStableFunc(all, func(a, b step) int {
		// On its way in an outer hop comes first, on its way out an inner one.
		if c := cmp.Compare(a.at, b.at); c != 0 {
			return c
		}
		if a.from < a.to {
			return cmp.Compare(a.hop, b.hop)
		}
		return cmp.Compare(b.hop, a.hop)
	})
	for _, s := range all {
		d.add(s)
	}
	return d
}

func (d *diagram) lane(name string) int {
	if i := slices.Index(d.lanes, name); i >= 0 {
		return i
	}
	d.lanes = append(d.lanes, name)
	return len(d.lanes) - 1
}

// add adds a step, or makes it part of the one before.
func (d *diagram) add(s step) {
	if n := len(d.steps); n > 0 && !s.connect {
		last := &d.steps[n-1]
		if last.hop == s.hop && last.from == s.from && !last.connect && s.at-last.at <= together {
			last.messages = append(last.messages, s.messages...)
			last.size += s.size
			last.label = joined(last.label, s.label)
			return
		}
	}
	d.steps = append(d.steps, s)
}

// joined lists labels, equal ones in a row counted.
func joined(label, next string) string {
	rest, last := "", label
	if i := strings.LastIndex(label, ", "); i >= 0 {
		rest, last = label[:i+2], label[i+2:]
	}
	name, times, _ := strings.Cut(last, " × ")
	if name != next {
		return label + ", " + next
	}
	n := 1
	if times != "" {
		_, _ = fmt.Sscan(times, &n) // it was written here
	}
	return fmt.Sprintf("%s%s × %d", rest, name, n+1)
}

// text is what stands at an arrow: what crossed, and how large it was.
func (s *step) text() string {
	if s.size == 0 {
		return s.label
	}
	return fmt.Sprintf("%s · %s B", s.label, thousands(int64(s.size)))
}

// duration shows a time with three digits that mean something.
func duration(d time.Duration) string {
	ms := float64(d) / 1e6
	switch {
	case d < 0:
		return "–" + duration(-d)
	case d < time.Microsecond*10:
		return fmt.Sprintf("%.1f µs", ms*1e3)
	case d < time.Millisecond:
		return fmt.Sprintf("%.0f µs", ms*1e3)
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.2f ms", ms)
	case d < 100*time.Millisecond:
		return fmt.Sprintf("%.1f ms", ms)
	case d < 10*time.Second:
		return fmt.Sprintf("%.0f ms", ms)
	}
	return fmt.Sprintf("%.1f s", ms/1e3)
}

// clockTime shows when something happened, all in one unit so that a column
// can be read down.
func clockTime(d time.Duration) string { return fmt.Sprintf("%.3f", float64(d)/1e6) }

func optional(d *time.Duration) string {
	if d == nil {
		return "–"
	}
	return duration(*d)
}

// bytesOf words a size.
func bytesOf(n int64) string {
	if n == 1 {
		return "1 byte"
	}
	return thousands(n) + " bytes"
}

func thousands(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// via says over what a hop leads.
func via(h *trace.Hop) string {
	switch {
	case h.Kind == trace.Call:
		return fmt.Sprintf("%s, a call in process %d", h.Protocol, h.PID)
	case h.Kind == trace.Process:
		return fmt.Sprintf("%s, process %d started for the request", h.Protocol, h.PID)
	case h.Network == "unix":
		return fmt.Sprintf("%s over a Unix socket", h.Protocol)
	}
	return fmt.Sprintf("%s over TCP, %s → %s", h.Protocol, h.Local, h.Address)
}

// times lists a hop's times.
func times(h *trace.Hop) string {
	var parts []string
	switch {
	case h.Reused:
		parts = append(parts, "connection reused")
	case h.Timing.Connect != nil:
		parts = append(parts, "connect "+duration(*h.Timing.Connect))
	}
	if h.Timing.Queue != nil {
		parts = append(parts, "queue "+duration(*h.Timing.Queue))
	}
	if h.Timing.FirstByte != nil {
		first := "first byte "
		if h.Kind == trace.Call {
			first = "first answer "
		}
		parts = append(parts, first+duration(*h.Timing.FirstByte))
	}
	return strings.Join(append(parts, "total "+duration(h.Timing.Total)), " · ")
}

// sizes says how much crossed.
func sizes(h *trace.Hop) string {
	there, back := h.Size()
	text := bytesOf(there) + " there, " + bytesOf(back) + " back"
	if h.Kind == trace.Call {
		values := 0
		for _, m := range h.Messages {
			for _, f := range m.Fields {
				if f.Length == 0 {
					values++
				}
			}
		}
		text = fmt.Sprintf("%d values; bodies: %s", values, text)
	}
	if h.Exit != "" {
		text += "; it ended with " + h.Exit
	}
	return text
}

// headline says what was asked and what came of it.
func headline(t *trace.Trace) string {
	outcome := fmt.Sprintf("%d", t.Status)
	if t.Problem != "" {
		outcome = "no answer"
		if t.Status != 0 {
			outcome += fmt.Sprintf(" after %d", t.Status)
		}
	}
	hops := "1 hop"
	if n := len(t.Hops); n > 1 {
		hops = fmt.Sprintf("%d hops", n)
	}
	return fmt.Sprintf("%s through %s: %s after %s, %s", t.Request, t.Model, outcome, duration(t.Total), hops)
}

// remarks are what a reader should know besides.
func remarks(t *trace.Trace) []string {
	var lines []string
	if t.Problem != "" {
		lines = append(lines, "Problem: "+t.Problem)
	}
	for _, idle := range t.Idle {
		lines = append(lines, "Not taken by this request: "+idle)
	}
	return append(lines, t.Notes...)
}

// caution stands below every trace.
const caution = "One request through recorders: it shows what happens and in which order. How long things take is for lab compare."
