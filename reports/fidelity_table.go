package reports

import (
	"fmt"
	"slices"
	"strings"

	"gatewaylab/scenarios"
)

// Title is what an aspect is called in tables.
func (l *Likeness) Title() string {
	switch l.Aspect {
	case scenarios.Ceiling:
		return "goodput ÷ ceiling"
	case scenarios.Growth:
		return "response time ÷ alone"
	case scenarios.SpeedUp:
		return "goodput ÷ alone"
	case scenarios.Speed:
		return "goodput, 1/s"
	case scenarios.InTime:
		return "answered in time"
	case scenarios.Unharmed:
		return "others unharmed"
	case scenarios.Recovery:
		return "recovery, ms"
	}
	return string(l.Aspect)
}

// side writes a side's own figure.
func (l *Likeness) side(e Estimate) tableCell {
	switch {
	case !e.Known():
		return tableCell{figure: unknown}
	case l.Share && e.N > 1:
		return tableCell{percent(e.Median), fmt.Sprintf("[%s–%s]", percentFigure(e.Low), percentFigure(e.High))}
	case l.Share:
		return tableCell{figure: percent(e.Median)}
	}
	return withInterval(e)
}

// apart writes by how much the sides differ: a ratio, or points of a share.
func (l *Likeness) apart() tableCell {
	e := l.By
	switch {
	case !e.Known():
		return tableCell{figure: unknown}
	case l.Share:
		return tableCell{points(e.Median), fmt.Sprintf("[%s … %s]", points(e.Low), points(e.High))}
	}
	d := decimals(max(e.Median, 1))
	return tableCell{fixed(e.Median, d) + "×", fmt.Sprintf("[%s–%s]", fixed(e.Low, d), fixed(e.High, d))}
}

// points is a difference of shares in hundredths, with its sign.
func points(d float64) string {
	s := fixed(100*d, 0)
	switch {
	case s == "0" || s == "-0" || s == "−0":
		return "0"
	case d > 0:
		return "+" + s
	}
	return "−" + strings.TrimLeft(s, "-−")
}

func (l *Likeness) word() string {
	switch l.Verdict {
	case Undecided:
		return tie
	case Unknown:
		return unknown
	}
	return string(l.Verdict)
}

// of are the rows of one pair.
func (f *Fidelity) of(pair scenarios.Pair) []Likeness {
	var rows []Likeness
	for _, l := range f.Rows {
		if l.Pair == pair.Name() {
			rows = append(rows, l)
		}
	}
	return rows
}

// summary counts the outcomes in words.
func (f *Fidelity) summary() string {
	unexplained := 0
	for _, l := range f.Rows {
		if l.Verdict == Different && l.Cause == "" {
			unexplained++
		}
	}
	words := []string{fmt.Sprintf("%d of %s the same", f.Count[Same], count(len(f.Rows), "aspect"))}
	if n := f.Count[Different]; n > 0 {
		s := fmt.Sprintf("%d different", n)
		switch unexplained {
		case 0:
			s += " for a known cause"
		case n:
			s += ", no cause known"
		default:
			s += fmt.Sprintf(", %d of them for no known cause", unexplained)
		}
		words = append(words, s)
	}
	if n := f.Count[Undecided]; n > 0 {
		words = append(words, fmt.Sprintf("%d undecided", n))
	}
	if n := f.Count[Unknown]; n > 0 {
		words = append(words, fmt.Sprintf("%d not measured", n))
	}
	return strings.Join(words, "; ") + "."
}

// table holds a pair's rows.
func (f *Fidelity) table(pair scenarios.Pair) table {
	t := table{corner: "situation, aspect"}
	if pair.Model.As != "" || pair.Twin.As != "" {
		t.caption = pair.Model.Spec + "  v  " + pair.Twin.Spec
	}
	own, twin, by, verdict := column{head: pair.Name()}, column{head: pair.Twin.Label()}, column{head: "model ÷ twin"}, column{head: "verdict"}
	for _, l := range f.of(pair) {
		t.rows = append(t.rows, row{label: l.Situation + ": " + l.Title(), strong: l.Verdict == Different})
		own.cells, twin.cells = append(own.cells, tableCell{figure: l.side(l.Model).figure}), append(twin.cells, tableCell{figure: l.side(l.Other).figure})
		by.cells, verdict.cells = append(by.cells, l.apart()), append(verdict.cells, tableCell{tail: l.word()})
	}
	t.groups = []group{{columns: []column{own}}, {columns: []column{twin}}, {columns: []column{by}}, {columns: []column{verdict}}}
	return t
}

// words are what is to be said of a pair's rows beside their figures.
func (f *Fidelity) words(pair scenarios.Pair) (all [][2]string) {
	var short []string
	for _, l := range f.of(pair) {
		if l.Verdict == Undecided && l.By.Confidence < confidence && !slices.Contains(short, l.Situation) {
			short = append(short, l.Situation)
		}
	}
	if len(short) > 0 {
		all = append(all, [2]string{strings.Join(short, ", "), "too few valid trials for an interval of 95 %, which takes 4 of each"})
	}
	for _, l := range f.of(pair) {
		about := l.Situation + ": " + l.Title()
		switch {
		case l.Verdict == Unknown:
			all = append(all, [2]string{about, "not compared: " + l.Why})
		case l.Verdict == Different && l.Cause == "":
			all = append(all, [2]string{about, "no cause is known"})
		case l.Verdict == Different:
			all = append(all, [2]string{about, l.Cause})
		}
	}
	return merged(all)
}

// merged says what holds for several aspects once.
func merged(all [][2]string) (some [][2]string) {
	for _, w := range all {
		if n := len(some); n > 0 && some[n-1][1] == w[1] {
			situation, _, _ := strings.Cut(some[n-1][0], ":")
			_, aspect, _ := strings.Cut(w[0], ": ")
			if strings.HasPrefix(w[0], situation+":") {
				some[n-1][0] += "; " + aspect
				continue
			}
		}
		some = append(some, w)
	}
	return some
}

// fidelity is the report of a run of pairs for a terminal. The situations' own
// tables, of a dozen models each, are in the Markdown and the JSON.
func (t *textWriter) fidelity(r *Report) {
	f := r.Fidelity
	t.para("", joinTitle(f.Title, f.Question), t.plain)
	t.para("", f.Criterion, t.faint)
	for _, pair := range f.Pairs {
		t.line("")
		name := pair.Name() + " v " + pair.Twin.Label() + " "
		t.line(t.accent.Render(name) + t.faint.Render(strings.Repeat("─", max(0, t.width-len([]rune(name))))))
		t.table(f.table(pair))
		for i, w := range f.words(pair) {
			if i == 0 {
				t.line("")
			}
			t.para("  ", w[0]+": "+w[1], t.plain)
		}
	}
	t.line("")
	for _, c := range r.Cells {
		if len(c.Invalid) > 0 {
			t.para("! ", c.Model+" under "+c.Scenario+", "+leftOut(c), t.caution)
		}
	}
	t.para("", f.summary()+" What each situation came to stands in report.md.", t.strong)
}

// fidelity is the same table in Markdown, with the causes beside the figures.
func (m *markdownWriter) fidelity(r *Report) {
	f := r.Fidelity
	m.linef("%s\n", md(joinTitle(f.Title, f.Question)))
	m.linef("**%s**\n", md(f.summary()))
	m.linef("| model v twin | situation | aspect | model | twin | model ÷ twin | verdict | known cause |\n|:--|:--|:--|--:|--:|--:|:--|:--|")
	for _, pair := range f.Pairs {
		name := pair.Name() + " v " + pair.Twin.Label()
		for _, l := range f.of(pair) {
			why := l.Cause
			switch {
			case l.Verdict == Unknown:
				why = l.Why
			case l.Verdict == Different && why == "":
				why = "none is known"
			}
			join := func(c tableCell) string { return md(strings.TrimSpace(c.figure + " " + c.tail)) }
			word := md(l.word())
			if l.Verdict == Different {
				word = "**" + word + "**"
			}
			m.linef("| %s | %s | %s | %s | %s | %s | %s | %s |", md(name), md(l.Situation), md(l.Title()), join(l.side(l.Model)), join(l.side(l.Other)), join(l.apart()), word, md(why))
			name = ""
		}
	}
	m.linef("\n%s\n", md(f.Criterion))
}
