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

	"gatewaylab/scenarios"
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
		if r.Fidelity != nil {
			t.fidelity(r)
		} else if r.Capacity != nil {
			t.capacity(r)
		} else {
			for _, b := range blocks(r) {
				t.block(r, b)
			}
			t.agreement(r)
			t.footnotes(r)
		}
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
	if a := aliases(r); a != "" && r.Fidelity == nil { // whose tables have the specs over them
		t.para("", a, t.faint)
	}
	for _, n := range r.Notes {
		t.line("")
		t.para("! ", n, t.caution)
	}
	t.line("")
	if r.Fidelity != nil {
		return
	}
	t.para("", legend(r), t.faint)
	t.para("", terms, t.faint)
}

// terms explains the times in tables, once.
const terms = "Response time: from when a request was due to the end of its answer; service time: from when it was sent; first byte: from then to the answer's first byte."

// aliases says which models go by another name than their spec.
func aliases(r *Report) string {
	var all []string
	for _, m := range r.Models {
		// A model that is set against itself has its number behind its spec.
		if spec, _, _ := strings.Cut(m.Label, "#"); m.Spec != "" && spec != m.Spec {
			all = append(all, m.Label+" = "+m.Spec)
		}
	}
	return strings.Join(all, " · ")
}

// legend explains the signs in tables, once.
func legend(r *Report) string {
	if r.Capacity != nil {
		missing := "too few answers to tell"
		if slices.ContainsFunc(r.Models, func(m scenarios.ModelInfo) bool { return m.Target != nil }) {
			missing += ", or not known, since the lab did not start this server"
		}
		if r.Capacity.Kind != scenarios.ByUsers {
			missing += "; holds/s: the highest rate that most trials held, [the highest that all held – the lowest above it that all broke]"
		}
		return fmt.Sprintf("Medians over trials; ±: longer arm of the %s interval of the median, of fewer than %d trials up to the lowest or highest; %s: %s.",
			percent(r.Confidence), minTrials, unknown, missing)
	}
	some := func(is func(*Cell) bool) bool { return slices.ContainsFunc(r.Cells, is) }
	single, several := some(func(c *Cell) bool { return c.Valid == 1 }), some(func(c *Cell) bool { return c.Valid > 1 })
	interval := fmt.Sprintf("Medians over trials; [low–high] and ±: %s interval of the median", percent(r.Confidence))
	switch {
	case single && several:
		interval += ", of one trial none"
	case single:
		interval = "Of one trial, which has no interval"
	}
	signs := []string{interval, "ratio: to the fastest"}
	if several || !single {
		signs = append(signs, tie+": not told apart")
	}
	if some((*Cell).undecided) {
		signs = append(signs, untold+": too few trials to tell")
	}
	return strings.Join(append(signs, unknown+": not known", "¹: footnote."), "; ")
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
	main, costs, more := b.tables(t.width >= roomy)
	main.groups = append(main.groups, costs.groups...)
	t.table(main)
	for _, part := range more {
		t.table(part)
	}
	t.remarks(b)
	t.explanations(b)
	t.theory(b)
	t.expectations(r, b.Name)
	for _, n := range r.NoiseFloor {
		if n.Scenario == b.Name {
			t.para("  ", n.Text, t.caution)
		}
	}
}

func (t *textWriter) explanations(b block) {
	gap := true
	for _, c := range b.cells {
		if c.NotSpoken != "" {
			continue // its row says all
		}
		if gap {
			t.line("")
			gap = false
		}
		t.para(t.label(c, b), c.Explanation, t.plain)
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

// table writes a table, broken where it is too wide.
func (t *textWriter) table(tb table) {
	labels := make([][]string, len(tb.rows))
	first := ansi.StringWidth(tb.corner)
	for i, r := range tb.rows {
		labels[i] = wrapLabel(r.label, max(t.width/4, 20))
		if r.marks != "" {
			labels[i][0] += " " + r.marks
		}
		for _, l := range labels[i] {
			first = max(first, ansi.StringWidth(l))
		}
	}
	groups := tb.groups
	if t.width < roomy { // by the width alone, so that all scenarios show the same columns
		groups = slices.DeleteFunc(slices.Clone(groups), func(g group) bool { return g.optional })
	}
	if tb.caption != "" {
		t.line("")
		t.para("", tb.caption, t.faint)
	}
	for i, part := range pack(groups, first, t.width) {
		if i > 0 || tb.caption == "" {
			t.line("")
		}
		t.part(tb, part, labels, first, i == 0)
	}
}

// part writes one part of a broken table.
func (t *textWriter) part(tb table, groups []group, labels [][]string, first int, opening bool) {
	lead := strings.Repeat(" ", indent)
	line := func(label string, of func(*group) string) string {
		s := lead + pad(label, first)
		for i := range groups {
			s += strings.Repeat(" ", groupGap) + of(&groups[i])
		}
		return strings.TrimRight(s, " ")
	}
	for _, l := range titles(groups, line) {
		t.line(t.faint.Render(l))
	}
	t.line(t.faint.Render(line(tb.corner, func(g *group) string { return g.line((*column).header) })))
	for i, lines := range labels {
		r := tb.rows[i]
		if r.instead != "" {
			if opening {
				t.para(lead+pad(lines[0], first)+strings.Repeat(" ", groupGap), r.instead, t.faint)
			}
			continue
		}
		style := t.plain
		if r.strong {
			style = t.strong
		}
		t.line(style.Render(line(lines[0], func(g *group) string {
			return g.line(func(c *column) string { return c.row(i) })
		})))
		for _, more := range lines[1:] {
			t.line(lead + more)
		}
	}
}

// titles are the lines over the heads of columns; headings that are broken
// end at the same line as the others.
func titles(groups []group, line func(string, func(*group) string) string) (lines []string) {
	most := 0
	for i := range groups {
		most = max(most, len(groups[i].headings()))
	}
	for k := range most {
		l := line("", func(g *group) string {
			h := g.headings()
			if i := k - most + len(h); i >= 0 {
				return pad(h[i], g.width())
			}
			return pad("", g.width())
		})
		if l != "" {
			lines = append(lines, l)
		}
	}
	return lines
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
	_, where := placed(r)
	return append(words, where, fmt.Sprintf("seed %d", r.Seed))
}

// placed says whether servers and load generator are in each other's way, and
// where they are.
func placed(r *Report) (pinned, where string) {
	elsewhere := len(r.Models) > 0 && !slices.ContainsFunc(r.Models, func(m scenarios.ModelInfo) bool { return m.Target == nil || m.Target.Local })
	switch {
	case elsewhere:
		return "no", "the load generator is here, and no server"
	case r.Pinned:
		return "yes", "server and load generator on cores of their own"
	}
	return "no", "server and load generator share the cores"
}

func joinTitle(title, question string) string {
	if question == "" {
		return title
	}
	if !strings.HasSuffix(title, "?") {
		title = strings.TrimRight(title, ".") + "."
	}
	return title + " " + question
}

// sortedErrors returns the kinds, the commonest first.
func sortedErrors(errors map[string]uint64) []string {
	return slices.SortedFunc(maps.Keys(errors), func(a, b string) int {
		return cmp.Or(cmp.Compare(errors[b], errors[a]), cmp.Compare(a, b))
	})
}
