package main

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
)

func TestGrid(t *testing.T) {
	g := grid{{"MODEL", "DEFAULT", "WHAT IT IS"}}
	g.row("prefork", "4", "workers forked in advance")
	g.row("async", "", "a goroutine each")
	for width, want := range map[int]string{
		60: "MODEL    DEFAULT  WHAT IT IS\n" +
			"prefork  4        workers forked in advance\n" +
			"async             a goroutine each\n",
		34: "MODEL    DEFAULT  WHAT IT IS\n" +
			"prefork  4        workers forked\n" +
			"                  in advance\n" +
			"async             a goroutine each\n",
		25: "MODEL\n  DEFAULT · WHAT IT IS\n" +
			"prefork\n  4 · workers forked in\n  advance\n" +
			"async\n  a goroutine each\n",
	} {
		var out bytes.Buffer
		g.write(&out, width)
		if out.String() != want {
			t.Errorf("%d wide:\n%s\nwant\n%s", width, out.String(), want)
		}
	}
}

// Whatever is listed stays within the terminal, and no word is broken.
func TestListFits(t *testing.T) {
	var whole bytes.Buffer
	if err := listAt(&whole, 1000); err != nil {
		t.Fatal(err)
	}
	words := strings.FieldsFunc(whole.String(), func(r rune) bool { return r == ' ' || r == '\n' || r == '·' })
	for _, width := range []int{60, 80, 100} {
		var out bytes.Buffer
		if err := listAt(&out, width); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(out.String()) {
			if w := ansi.StringWidth(strings.TrimRight(line, "\n")); w > width {
				t.Errorf("%d columns: a line of %d: %s", width, w, line)
			}
		}
		for _, word := range words {
			if !strings.Contains(out.String(), word) {
				t.Errorf("%d columns: %q is broken", width, word)
			}
		}
	}
}

func listAt(out io.Writer, width int) error {
	rows, err := modelRows()
	if err != nil {
		return err
	}
	listModels(out, width, rows, frontRows())
	return nil
}
