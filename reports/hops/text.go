package hops

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/x/ansi"
	"github.com/muesli/termenv"

	"gatewaylab/servers/trace"
)

// TextOptions say how traces are set for a terminal.
type TextOptions struct {
	Width  int  // columns; 0 means 100, less than 60 counts as 60
	Colour bool // whether the terminal wants it (NO_COLOR, no terminal) is the caller's to decide
	// Full shows every byte; otherwise of a field longer than a few lines of
	// hex the first lines, and how much is left. It also shows the bytes of
	// several traces, where otherwise they are only compared.
	Full bool
}

// Text writes traces for a terminal: what happened in time, then each hop with
// its bytes beside their meaning. Several are compared first.
func Text(w io.Writer, traces []*trace.Trace, o TextOptions) error {
	t := newTextWriter(max(cmp.Or(o.Width, 100), 60), o.Colour, o.Full)
	if len(traces) > 1 {
		t.comparison(traces)
	}
	for i, tr := range traces {
		if i > 0 || len(traces) > 1 {
			t.line("")
		}
		t.trace(tr, len(traces) == 1 || o.Full)
	}
	t.line("")
	t.para("", caution, t.faint)
	if len(traces) > 1 && !o.Full {
		t.para("", "The bytes of one: lab trace MODEL; of all: --full.", t.faint)
	}
	_, err := w.Write(t.Bytes())
	return err
}

type textWriter struct {
	bytes.Buffer
	width                              int
	full                               bool
	strong, faint, there, back, accent lipgloss.Style
}

func newTextWriter(width int, colour, full bool) *textWriter {
	re := lipgloss.NewRenderer(io.Discard)
	re.SetColorProfile(termenv.Ascii)
	if colour {
		re.SetColorProfile(termenv.ANSI)
	}
	t := &textWriter{width: width, full: full}
	for _, s := range []*lipgloss.Style{&t.strong, &t.faint, &t.there, &t.back, &t.accent} {
		*s = re.NewStyle()
	}
	if colour {
		// The terminal's own palette, so that a light one and a dark one both
		// show it well; cyan and yellow are told apart by every kind of colour
		// vision, and no colour says what a word or an arrow doesn't.
		t.strong = t.strong.Bold(true)
		t.faint = t.faint.Faint(true)
		t.there = t.there.Foreground(lipgloss.Color("6"))
		t.back = t.back.Foreground(lipgloss.Color("3"))
		t.accent = t.accent.Bold(true).Foreground(lipgloss.Color("6"))
	}
	return t
}

// line writes one line without trailing space.
func (t *textWriter) line(s string) {
	t.WriteString(strings.TrimRight(s, " "))
	t.WriteByte('\n')
}

// para writes text wrapped to the width, hanging behind a label.
func (t *textWriter) para(label, text string, style lipgloss.Style) {
	hang := ansi.StringWidth(label)
	for i, l := range wrap(text, t.width-hang) {
		if i > 0 {
			label = strings.Repeat(" ", hang)
		}
		t.line(label + style.Render(l))
	}
}

// wrap breaks plain text at its spaces, and in a word only if that is longer
// than a line.
func wrap(text string, width int) (lines []string) {
	width = max(width, 8)
	line, used := "", 0
	for i, word := range strings.Split(text, " ") {
		w := ansi.StringWidth(word)
		if i > 0 && used+1+w <= width {
			line, used = line+" "+word, used+1+w
			continue
		}
		if i > 0 {
			lines = append(lines, strings.TrimRight(line, " "))
		}
		for w > width {
			head := ansi.Truncate(word, width, "")
			lines = append(lines, head)
			word = word[len(head):]
			w = ansi.StringWidth(word)
		}
		line, used = word, w
	}
	return append(lines, strings.TrimRight(line, " "))
}

// trace writes one trace.
func (t *textWriter) trace(tr *trace.Trace, detailed bool) {
	t.para("", headline(tr), t.strong)
	t.line("")
	t.diagram(newDiagram(tr), -1)
	if r := remarks(tr); len(r) > 0 {
		t.line("")
		for _, l := range r {
			t.para("  ", l, lipgloss.NewStyle())
		}
	}
	if !detailed {
		t.line("")
		for i := range tr.Hops {
			t.hopHead(i, &tr.Hops[i])
		}
		return
	}
	for i := range tr.Hops {
		t.line("")
		t.hopHead(i, &tr.Hops[i])
		for j := range tr.Hops[i].Messages {
			t.message(&tr.Hops[i], &tr.Hops[i].Messages[j])
		}
	}
}

func (t *textWriter) hopHead(i int, h *trace.Hop) {
	title := fmt.Sprintf("%d  %s → %s ", i+1, h.From, h.To)
	t.line(t.accent.Render(title) + t.faint.Render(strings.Repeat("─", max(t.width-ansi.StringWidth(title), 0))))
	t.para("   ", via(h), lipgloss.NewStyle())
	t.para("   ", times(h), lipgloss.NewStyle())
	t.para("   ", sizes(h), lipgloss.NewStyle())
}

// diagram draws lanes from left to right and time downwards; the step that is
// current, if any, is marked, and those after it are left out.
func (t *textWriter) diagram(d *diagram, current int) {
	const stamp = 10 // " 1234.567 "
	lane := min(24, max(11, (t.width-stamp-26)/max(len(d.lanes), 1)))
	label := t.width - stamp - lane*(len(d.lanes)-1) - 3
	var head strings.Builder
	head.WriteString(t.faint.Render(fmt.Sprintf("%*s ", stamp-1, "ms")))
	for _, name := range d.lanes {
		name = ansi.Truncate(name, lane-1, "…")
		head.WriteString(t.strong.Render(name) + strings.Repeat(" ", lane-ansi.StringWidth(name)))
	}
	t.line(head.String())
	steps := d.shown()
	if current >= 0 {
		steps = d.steps[:current+1]
	}
	for i, s := range steps {
		if s.label == "" && s.at < 0 {
			t.line(fmt.Sprintf("%*s %s", stamp-1, "", t.faint.Render(fmt.Sprintf("… %d more", s.size))))
			continue
		}
		style := t.there
		if s.from > s.to {
			style = t.back
		}
		lines := wrapLabel(&s, label)
		mark := " "
		if i == current {
			mark = "▶"
		}
		t.line(mark + t.faint.Render(fmt.Sprintf("%*s", stamp-2, clockTime(s.at))) + " " + t.arrow(len(d.lanes), lane, &s, style) + "  " + style.Render(lines[0]))
		for _, l := range lines[1:] {
			t.line(strings.Repeat(" ", stamp) + t.arrow(len(d.lanes), lane, nil, style) + "  " + style.Render(l))
		}
	}
}

// wrapLabel wraps a label so that its size stays in one piece, which alone on a
// line says nothing.
func wrapLabel(s *step, width int) []string {
	const noBreak = "\u00a0"
	label, size, _ := strings.Cut(s.text(), " · ")
	if size != "" {
		label += " ·" + noBreak + strings.ReplaceAll(size, " ", noBreak)
	}
	lines := wrap(label, width)
	for i := range lines {
		lines[i] = strings.ReplaceAll(lines[i], noBreak, " ")
	}
	return lines
}

// maxSteps is how many arrows a diagram shows before it leaves out the middle.
const maxSteps = 40

// shown is the steps with the middle of too many replaced by one that has no
// label and counts them.
func (d *diagram) shown() []step {
	n := len(d.steps)
	if n <= maxSteps {
		return d.steps
	}
	short := append(slices.Clone(d.steps[:maxSteps/2]), step{at: -1, size: n - maxSteps})
	return append(short, d.steps[n-maxSteps/2:]...)
}

// arrow draws the lanes of one line, with an arrow across if there is a step.
func (t *textWriter) arrow(lanes, width int, s *step, style lipgloss.Style) string {
	var b strings.Builder
	for i := range lanes {
		if s == nil || i < min(s.from, s.to) || i > max(s.from, s.to) {
			b.WriteString(t.faint.Render("│"))
		} else if i == s.from {
			b.WriteString(style.Render(map[bool]string{true: "├", false: "┤"}[s.from < s.to]))
		} else if i == s.to {
			b.WriteString(style.Render(map[bool]string{true: "┤", false: "├"}[s.from < s.to]))
		} else {
			b.WriteString(style.Render("┼"))
		}
		if i == lanes-1 {
			break
		}
		dash := "─"
		switch {
		case s == nil || i < min(s.from, s.to) || i >= max(s.from, s.to):
			b.WriteString(strings.Repeat(" ", width-1))
			continue
		case s.connect:
			dash = "╌"
		}
		line := strings.Repeat(dash, width-1)
		if i+1 == s.to {
			line = strings.Repeat(dash, width-2) + "▶"
		} else if i == s.to {
			line = "◀" + strings.Repeat(dash, width-2)
		}
		b.WriteString(style.Render(line))
	}
	return b.String()
}
