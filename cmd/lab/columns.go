package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// grid is a table of words: its first row is the heading.
type grid [][]string

func (g *grid) row(cells ...string) { *g = append(*g, cells) }

const gridGap = 2

// write sets the table within so many columns of text, wrapping between words
// what is longer. Where there are more columns than fit, what a row says stands
// below its name.
func (g grid) write(out io.Writer, width int) {
	widths := make([]int, len(g[0]))
	least := make([]int, len(g[0]))
	for _, cells := range g {
		for i, text := range cells {
			widths[i] = max(widths[i], ansi.StringWidth(text))
			for _, word := range strings.Fields(text) {
				least[i] = max(least[i], ansi.StringWidth(word))
			}
		}
	}
	least[0] = widths[0]
	if !shrink(widths, least, width-gridGap*(len(widths)-1)) {
		g.stack(out, width)
		return
	}
	for _, cells := range g {
		g.line(out, cells, widths)
	}
}

// shrink makes the widest columns narrower until all are as wide as room
// together; false if that would break words.
func shrink(widths, least []int, room int) bool {
	for {
		sum, widest := 0, -1
		for i, w := range widths {
			sum += w
			if w > least[i] && (widest < 0 || w > widths[widest]) {
				widest = i
			}
		}
		switch {
		case sum <= room:
			return true
		case widest < 0:
			return false
		}
		widths[widest]--
	}
}

func (g grid) line(out io.Writer, cells []string, widths []int) {
	var lines [][]string
	tallest := 0
	for i, text := range cells {
		lines = append(lines, wrapped(text, widths[i]))
		tallest = max(tallest, len(lines[i]))
	}
	for k := range tallest {
		var s strings.Builder
		for i := range cells {
			text := ""
			if k < len(lines[i]) {
				text = lines[i][k]
			}
			s.WriteString(text + strings.Repeat(" ", max(0, widths[i]-ansi.StringWidth(text))+gridGap))
		}
		fmt.Fprintln(out, strings.TrimRight(s.String(), " "))
	}
}

// stack writes each row as a name and, below it, the rest.
func (g grid) stack(out io.Writer, width int) {
	for _, cells := range g {
		rest := slices.DeleteFunc(slices.Clone(cells[1:]), func(s string) bool { return s == "" })
		fmt.Fprintln(out, cells[0])
		paragraph(out, "  ", strings.Join(rest, " · "), width)
	}
}

// paragraph wraps a text behind a label.
func paragraph(out io.Writer, label, text string, width int) {
	indent := strings.Repeat(" ", ansi.StringWidth(label))
	text = strings.Join(wrapped(text, max(20, width-len(indent))), "\n"+indent)
	fmt.Fprintln(out, strings.TrimRight(label+text, " "))
}

// wrapped breaks a text between words alone: a hyphen may be part of what is to
// be typed.
func wrapped(text string, width int) (lines []string) {
	line := ""
	for _, word := range strings.Fields(text) {
		switch {
		case line == "":
			line = word
		case ansi.StringWidth(line+" "+word) <= width:
			line += " " + word
		default:
			lines, line = append(lines, line), word
		}
	}
	return append(lines, line)
}
