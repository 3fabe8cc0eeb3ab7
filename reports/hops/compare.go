package hops

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/x/ansi"

	"gatewaylab/servers/trace"
)

// A comparison is several traces side by side, a row for each.
type comparison struct {
	head []string
	rows [][]string
}

func compare(traces []*trace.Trace) comparison {
	c := comparison{head: []string{"model", "hops", "bytes there", "bytes back", "connections", "programs started", "queue", "first byte", "total"}}
	for _, t := range traces {
		var there, back int64
		connections, programs := 0, 0
		var queue *time.Duration
		for i := range t.Hops {
			h := &t.Hops[i]
			if h.Kind != trace.Call { // where nothing crosses, however large
				f, b := h.Size()
				there, back = there+f, back+b
			}
			switch {
			case h.Kind == trace.Process:
				programs++
			case h.Kind == trace.Socket && !h.Reused:
				connections++
			}
			if q := h.Timing.Queue; q != nil {
				sum := *q
				if queue != nil {
					sum += *queue
				}
				queue = &sum
			}
		}
		c.rows = append(c.rows, []string{
			t.Model, fmt.Sprint(len(t.Hops)), thousands(there), thousands(back), fmt.Sprint(connections), fmt.Sprint(programs),
			optional(queue), optional(t.Hops[0].Timing.FirstByte), duration(t.Total),
		})
	}
	return c
}

// adds says, hop by hop, what a chain has behind the client's own connection,
// which they all have.
func adds(t *trace.Trace) []string {
	var lines []string
	for i := 1; i < len(t.Hops); i++ {
		h := &t.Hops[i]
		there, back := h.Size()
		what := fmt.Sprintf("%s, %s there and %s back", h.Protocol, bytesOf(there), bytesOf(back))
		if h.Kind == trace.Call {
			what = h.Protocol + ", a call: no bytes but those of bodies"
		}
		if h.Kind == trace.Process {
			what += ", a program started"
		}
		lines = append(lines, fmt.Sprintf("%s → %s: %s, %s", h.From, h.To, what, duration(h.Timing.Total)))
	}
	if len(lines) == 0 {
		lines = []string{"nothing that can be seen behind the client's own connection"}
	}
	return lines
}

func (t *textWriter) comparison(traces []*trace.Trace) {
	t.para("", traces[0].Request+", chains side by side", t.strong)
	t.line("")
	c := compare(traces)
	c.narrow(t.width)
	widths := c.widths()
	heads, tall := c.heads()
	for l := range tall {
		row := make([]string, len(heads))
		for i, words := range heads {
			if k := l - (tall - len(words)); k >= 0 {
				row[i] = words[k]
			}
		}
		t.line(t.faint.Render(strings.TrimRight(columns(row, widths), " ")))
	}
	for _, row := range c.rows {
		t.line(columns(row, widths))
	}
	t.line("")
	t.para("", "What each has behind the client's own connection:", lipgloss.NewStyle())
	for _, tr := range traces {
		t.para("  ", tr.Model, t.strong)
		for _, l := range adds(tr) {
			t.para("    ", l, lipgloss.NewStyle())
		}
	}
}

// widths are those of the columns, the words of the head one below the other.
func (c *comparison) widths() []int {
	widths := make([]int, len(c.head))
	for i, h := range c.head {
		for _, word := range strings.Fields(h) {
			widths[i] = max(widths[i], len(word))
		}
		for _, row := range c.rows {
			widths[i] = max(widths[i], ansi.StringWidth(row[i]))
		}
	}
	return widths
}

// heads are the words of the head, and how many lines they take.
func (c *comparison) heads() (words [][]string, tall int) {
	for _, h := range c.head {
		words = append(words, strings.Fields(h))
		tall = max(tall, len(words[len(words)-1]))
	}
	return words, tall
}

// narrow leaves out what matters least until the table fits, and then cuts the
// models' names.
func (c *comparison) narrow(width int) {
	total := func() (n int) {
		for _, w := range c.widths() {
			n += 2 + w
		}
		return n
	}
	for _, least := range []string{"queue", "programs started", "connections", "bytes back"} {
		i := slices.Index(c.head, least)
		if total() <= width || i < 0 {
			continue
		}
		c.head = slices.Delete(c.head, i, i+1)
		for k := range c.rows {
			c.rows[k] = slices.Delete(c.rows[k], i, i+1)
		}
	}
	if over := total() - width; over > 0 {
		most := max(c.widths()[0]-over, 5)
		for k := range c.rows {
			c.rows[k][0] = ansi.Truncate(c.rows[k][0], most, "…")
		}
	}
}

// columns sets a row, the first column to the left and the others to the right.
func columns(row []string, widths []int) string {
	var b strings.Builder
	for i, cell := range row {
		space := strings.Repeat(" ", max(widths[i]-ansi.StringWidth(cell), 0))
		if i == 0 {
			b.WriteString("  " + cell + space)
			continue
		}
		b.WriteString("  " + space + cell)
	}
	return b.String()
}
