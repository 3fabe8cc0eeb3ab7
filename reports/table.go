package reports

import (
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// A tableCell is a figure and what follows it: its interval, its spread. Figures are
// aligned right and tails left, so that both stand under one another.
type tableCell struct{ figure, tail string }

type column struct {
	head  string
	unit  string // where neither the heading nor the group says it
	cells []tableCell
	best  int // the row whose figure stands out, from 1; 0 = none
}

// A table is rows by groups of columns. Terminals break it between groups
// where it is too wide.
type table struct {
	caption string // a sentence over it; "" = none
	corner  string // what rows are
	rows    []row
	groups  []group
}

type row struct {
	label   string
	marks   string // behind the label
	strong  bool
	instead string // stands in place of figures, in the first of a broken table's parts
	heading bool   // of the rows below it; it has no figures
}

// A group of columns shares a heading and stays together.
type group struct {
	title    string
	unit     string // of every column, where their headings don't say it
	columns  []column
	optional bool // left out where it doesn't fit, or others had to be split
	newTable bool // begins another table, unless an earlier one was split
	filler   bool // goes where there is room before it begins another table
}

const (
	columnGap = 2
	groupGap  = 3
	indent    = 2
)

func (c *column) widths() (figure, tail int) {
	for _, cell := range c.cells {
		figure = max(figure, ansi.StringWidth(cell.figure))
		tail = max(tail, ansi.StringWidth(cell.tail))
	}
	return figure, tail
}

func (c *column) width() int {
	figure, tail := c.widths()
	if figure > 0 && tail > 0 {
		tail++
	}
	return max(figure+tail, ansi.StringWidth(c.head))
}

// header puts the heading over the figures, or over the whole column where it
// is longer than they are.
func (c *column) header() string {
	figure, _ := c.widths()
	return pad(padLeft(c.head, figure), c.width())
}

func (c *column) row(i int) string {
	figure, tail := c.widths()
	s := padLeft(c.cells[i].figure, figure)
	if tail > 0 && figure > 0 {
		s += " "
	}
	if tail > 0 {
		return pad(s+pad(c.cells[i].tail, tail), c.width())
	}
	return padLeft(s, c.width())
}

func (g *group) width() int {
	w := (len(g.columns) - 1) * columnGap
	for i := range g.columns {
		w += g.columns[i].width()
	}
	for _, l := range g.headings() {
		w = max(w, ansi.StringWidth(l))
	}
	return w
}

// widestHeading is how wide a heading may be before it is broken.
const widestHeading = 24

// headings are the lines of the group's heading.
func (g *group) headings() []string { return wrapLabel(g.heading(), widestHeading) }

// heading is what stands over the group.
func (g *group) heading() string {
	if g.unit == "" {
		return g.title
	}
	return g.title + ", " + g.unit
}

// name is one column's whole heading, for tables without group headings.
func (g *group) name(c column) string {
	switch {
	case c.head == "ms" || c.head == "MiB":
		return g.title + ", " + c.head
	case c.unit != "":
		return strings.TrimSpace(g.title+" "+c.head) + ", " + c.unit
	case g.unit != "":
		return g.title + " " + c.head + ", " + g.unit
	}
	return strings.TrimSpace(g.title + " " + c.head)
}

func (g *group) line(of func(*column) string) string {
	parts := make([]string, len(g.columns))
	for i := range g.columns {
		parts[i] = of(&g.columns[i])
	}
	return pad(strings.Join(parts, strings.Repeat(" ", columnGap)), g.width())
}

// pack breaks groups into tables no wider than width, each beside a first
// column of the given width. A group wider than that has a table of its own.
func pack(groups []group, first, width int) [][]group {
	var tables [][]group
	var used []int // width of each
	split := false
	for _, g := range groups {
		w := groupGap + g.width()
		into := len(tables) - 1
		for i := range tables {
			if g.filler && used[i]+w <= width {
				into = i
				break
			}
		}
		fits := into >= 0 && used[into]+w <= width
		if g.optional && (!fits || split) {
			continue
		}
		if fits && (!g.newTable || split) {
			tables[into] = append(tables[into], g)
			used[into] += w
			continue
		}
		split = split || len(tables) > 0 && !g.newTable
		tables = append(tables, []group{g})
		used = append(used, indent+first+w)
	}
	return tables
}

// wrapLabel breaks a model's label at its commas so that no line is wider
// than width where that can be helped.
func wrapLabel(label string, width int) []string {
	var lines []string
	line := ""
	for part := range strings.SplitAfterSeq(label, ",") {
		if line != "" && ansi.StringWidth(line+part) > width {
			lines, line = append(lines, line), " "
		}
		line += part
	}
	return append(lines, line)
}

func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-ansi.StringWidth(s)))
}

func padLeft(s string, width int) string {
	return strings.Repeat(" ", max(0, width-ansi.StringWidth(s))) + s
}
