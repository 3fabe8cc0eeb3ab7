package reports

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/x/ansi"
	"github.com/muesli/termenv"
)

// TextOptions say how a report is set for a terminal.
type TextOptions struct {
	Width  int  // columns; 0 means 100, less than 60 counts as 60
	Colour bool // ANSI colours. Whether the terminal wants them (NO_COLOR, no terminal) is the caller's to decide
}

// Text writes the report for a terminal: for each scenario what clients saw,
// what it cost, and why; then footnotes. Tables that are too wide are broken
// between groups of columns, and no line is wider than asked unless a single
// group of columns or a label is.
func Text(o TextOptions) Renderer {
	width := max(cmp.Or(o.Width, 100), 60)
	return func(w io.Writer, r *Report) error {
		t := newTextWriter(width, o.Colour)
		t.opening(r)
		for _, b := range blocks(r) {
			t.block(r, b)
		}
		t.footnotes(r)
		_, err := w.Write(t.Bytes())
		return err
	}
}

type textWriter struct {
	bytes.Buffer
	width                                 int
	plain, strong, faint, accent, caution lipgloss.Style
}

func newTextWriter(width int, colour bool) *textWriter {
	profile := termenv.Ascii
	if colour {
		profile = termenv.ANSI
	}
	re := lipgloss.NewRenderer(io.Discard)
	re.SetColorProfile(profile)
	t := &textWriter{width: width}
	for _, s := range []*lipgloss.Style{&t.plain, &t.strong, &t.faint, &t.accent, &t.caution} {
		*s = re.NewStyle()
	}
	if colour {
		t.strong = t.strong.Bold(true)
		t.faint = t.faint.Faint(true)
		t.accent = t.accent.Bold(true).Foreground(lipgloss.Color("6"))
		t.caution = t.caution.Foreground(lipgloss.Color("3"))
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
	wrapped := ansi.Wrap(text, max(t.width-hang, 30), "")
	for i, l := range strings.Split(wrapped, "\n") {
		if i > 0 {
			label = strings.Repeat(" ", hang)
		}
		t.line(label + style.Render(strings.TrimRight(l, " ")))
	}
}

func (t *textWriter) opening(r *Report) {
	t.line(t.strong.Render(title(r)))
	t.para("", strings.Join(machineWords(r), " · "), t.faint)
	for _, n := range r.Notes {
		t.line("")
		t.para("! ", n, t.caution)
	}
	t.line("")
	t.para("", legend(r), t.faint)
}

// legend explains the signs in tables, once.
func legend(r *Report) string {
	return fmt.Sprintf("Medians over trials; [low–high] and ±: %s interval of the median; ratio: to the fastest; "+
		"%s: not told apart; %s: not known; ¹: footnote.", percent(r.Confidence), tie, unknown)
}

func (t *textWriter) block(r *Report, b block) {
	t.line("")
	name := b.Name + " "
	t.line(t.accent.Render(name) + t.faint.Render(strings.Repeat("─", max(0, t.width-ansi.StringWidth(name)))))
	if b.Title != "" {
		t.para("", joinTitle(b.Title, b.Question), t.plain)
	}
	t.para("", b.setting(r), t.faint)
	if b.closed {
		t.para("", closedLoop, t.faint)
	}
	t.tables(b)
	t.remarks(b)
	t.line("")
	for _, c := range b.cells {
		t.para(t.label(c, b), c.Explanation, t.plain)
	}
	for _, n := range r.NoiseFloor {
		if n.Scenario == b.Name {
			t.para("  ", n.Text, t.caution)
		}
	}
}

// remarks are the errors by kind and the trials that were left out.
func (t *textWriter) remarks(b block) {
	gap := true
	remark := func(c *Cell, text string, style lipgloss.Style) {
		if gap {
			t.line("")
			gap = false
		}
		t.para(t.label(c, b), text, style)
	}
	for _, c := range b.cells {
		if len(c.Errors) > 0 {
			remark(c, "errors: "+errorKinds(c), t.caution)
		}
		if len(c.Invalid) > 0 {
			remark(c, leftOut(c), t.caution)
		}
	}
}

// label is the model's name as wide as the longest of the block, so that what
// follows stands in a column; on a line of its own where it would take too much.
func (t *textWriter) label(c *Cell, b block) string {
	width := 0
	for _, c := range b.cells {
		width = max(width, ansi.StringWidth(c.Model))
	}
	if width > t.width/3 {
		t.line("  " + t.strong.Render(c.Model))
		return "    "
	}
	return "  " + pad(c.Model, width) + "  "
}

// roomy is the width from which on optional columns are shown.
const roomy = 120

func (t *textWriter) tables(b block) {
	labels := make([][]string, len(b.cells))
	first := len("model")
	for i, c := range b.cells {
		labels[i] = wrapLabel(c.Model, t.width/4)
		if m := marks(c); m != "" {
			labels[i][0] += " " + m
		}
		for _, l := range labels[i] {
			first = max(first, ansi.StringWidth(l))
		}
	}
	groups := append(b.traffic(), b.costs()...)
	if t.width < roomy { // by the width alone, so that all scenarios show the same columns
		groups = slices.DeleteFunc(groups, func(g group) bool { return g.optional })
	}
	for _, table := range pack(groups, first, t.width) {
		t.line("")
		t.table(table, labels, first, b.cells)
	}
}

func (t *textWriter) table(groups []group, labels [][]string, first int, cells []*Cell) {
	lead := strings.Repeat(" ", indent)
	row := func(label string, of func(*group) string) string {
		s := lead + pad(label, first)
		for i := range groups {
			s += strings.Repeat(" ", groupGap) + of(&groups[i])
		}
		return strings.TrimRight(s, " ")
	}
	if titles := row("", func(g *group) string { return pad(g.heading(), g.width()) }); titles != "" {
		t.line(t.faint.Render(titles))
	}
	t.line(t.faint.Render(row("model", func(g *group) string { return g.line((*column).header) })))
	for i, lines := range labels {
		style := t.plain
		if c := cells[i]; c.Rank == 1 && c.Compared && len(cells) > 1 {
			style = t.strong
		}
		t.line(style.Render(row(lines[0], func(g *group) string {
			return g.line(func(c *column) string { return c.row(i) })
		})))
		for _, more := range lines[1:] {
			t.line(lead + more)
		}
	}
}

func (t *textWriter) footnotes(r *Report) {
	if len(r.Footnotes) == 0 {
		return
	}
	t.line("")
	t.line(t.faint.Render(strings.Repeat("─", t.width)))
	for i, n := range r.Footnotes {
		t.para(superscript(i+1)+" ", n, t.faint)
	}
}

func title(r *Report) string {
	s := "Gateway Lab"
	if r.Name != "" {
		s += " · " + r.Name
	}
	return s + " · " + r.Started.UTC().Format("2006-01-02 15:04 UTC") + " · " + r.State
}

// machineWords is the least about the machine that figures need beside them.
func machineWords(r *Report) []string {
	env := r.Environment
	words := []string{cmp.Or(env.CPU, "unknown CPU"), count(env.Cores, "core"), cmp.Or(env.OS, "unknown system")}
	if r.Pinned {
		words = append(words, "server and load generator on cores of their own")
	} else {
		words = append(words, "server and load generator share the cores")
	}
	return append(words, fmt.Sprintf("seed %d", r.Seed))
}

func joinTitle(title, question string) string {
	if question == "" {
		return title
	}
	return strings.TrimRight(title, ".") + ". " + question
}

// sortedErrors returns the kinds, the commonest first.
func sortedErrors(errors map[string]uint64) []string {
	return slices.SortedFunc(maps.Keys(errors), func(a, b string) int {
		return cmp.Or(cmp.Compare(errors[b], errors[a]), cmp.Compare(a, b))
	})
}
