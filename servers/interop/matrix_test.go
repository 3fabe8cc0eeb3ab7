//go:build linux

package interop

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write README.md")

// A pair is a row of the matrix: a program of others' and one of ours.
type pair struct {
	from, to string   // who asks whom; the lab's in bold
	via      string   // what they speak
	note     string   // how they are set up, where that matters; "" = nothing to say
	needs    []string // programs
	open     func(*testing.T) *site
	without  map[string]string     // check → why it can't be made of this pair
	known    map[string]difference // check → what comes out instead, and why
	limits   map[string]string     // check → why what is to be seen is not more
	uploads  uploading
}

// A difference is a check that fails as it is known to.
type difference struct{ err, why string }

func (p pair) name() string {
	return strings.ReplaceAll(p.from+" to "+p.to+" by "+p.via, "**", "")
}

// A cell is what a check of a pair came to.
type cell struct {
	text string
	note string // "" = none
}

// row is a pair's cells, by the checks' names.
type row map[string]cell

// run makes all checks of a pair, on one site, in order.
func (p pair) run(t *testing.T) row {
	s := p.open(t)
	s.uploads = p.uploads
	if _, ok := p.without["chunked up"]; ok {
		s.uploads.chunked = "–"
	}
	r := row{}
	for _, c := range checks() {
		if why, ok := p.without[c.name]; ok {
			r[c.name] = cell{"–", why}
			continue
		}
		if c.name == "WebSocket" && s.echoed == nil {
			r[c.name] = cell{"–", ""}
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			begun := time.Now()
			r[c.name] = p.make(t, c, s)
			t.Logf("%s, %.2f s", r[c.name].text, time.Since(begun).Seconds())
		})
	}
	return r
}

func (p pair) make(t *testing.T, c check, s *site) cell {
	known, differs := p.known[c.name]
	limit := patience
	if differs {
		limit = 2 * time.Second // what is known not to come needn't be waited for
	}
	text, err := c.run(s, limit)
	switch {
	case differs && err == nil:
		t.Errorf("ok, though a difference is known: %s; take it out of the table", known.why)
	case differs && !strings.Contains(err.Error(), known.err):
		t.Errorf("another difference than the known one (%s): %v", known.err, err)
	case differs:
		return cell{"differs", known.why}
	case err != nil:
		t.Error(err)
		return cell{"FAILS", ""}
	}
	if text == "" {
		text = "ok"
	}
	if c.name == "streams up" && p.uploads.why != "" {
		return cell{text, p.uploads.why}
	}
	if strings.Contains(text, "KiB, then ") && !strings.Contains(text, unanswered) {
		return cell{text, ""} // whoever refused it has said so
	}
	return cell{text, p.limits[c.name]}
}

// TestInterop runs every pair and holds the matrix that comes out of it
// against the document.
func TestInterop(t *testing.T) {
	all := pairs(t)
	rows := make([]row, len(all))
	t.Run("pair", func(t *testing.T) {
		for i, p := range all {
			t.Run(p.name(), func(t *testing.T) {
				need(t, p.needs...)
				t.Parallel()
				rows[i] = p.run(t)
			})
		}
	})
	if t.Failed() || slices.ContainsFunc(rows, func(r row) bool { return r == nil || len(r) < len(checks()) }) {
		if *update {
			t.Error("README.md was not written: not every check of every pair was made and went as expected")
		}
		return // run with -run, or a program is missing
	}
	made := document(all, rows)
	if *update {
		if err := os.WriteFile("README.md", []byte(made), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != made {
		t.Errorf("README.md is not what this run makes; go test ./servers/interop -update writes it:\n%s", differing(string(have), made))
	}
}

// need skips a test whose programs are missing.
func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		_, err := exec.LookPath(p)
		switch {
		case err != nil && os.Getenv("LAB_REQUIRE") != "":
			t.Fatalf("needs %s, and LAB_REQUIRE is set: %v", p, err)
		case err != nil:
			t.Skipf("needs %s: %v", p, err)
		}
	}
}

func differing(have, made string) string {
	old, fresh := strings.Split(have, "\n"), strings.Split(made, "\n")
	var b strings.Builder
	for _, l := range old {
		if !slices.Contains(fresh, l) {
			fmt.Fprintf(&b, "- %s\n", l)
		}
	}
	for _, l := range fresh {
		if !slices.Contains(old, l) {
			fmt.Fprintf(&b, "+ %s\n", l)
		}
	}
	return b.String()
}

const preamble = `# Interoperation

<!-- Made by go test ./servers/interop -update. A test holds it against what the programs do. -->

Each row is a program of this project (in bold) and one that nobody here wrote, put beside each other and run; each column is something
that both must get right together. *ok*: it does. *–*: there is no such thing here. *differs*: it comes out otherwise, as it is known to,
and for the reason given. The programs are those of Debian 12; what a site must answer is what [servers/app](../app/doc.go) answers.

`

// document renders the matrix.
func document(all []pair, rows []row) string {
	var b strings.Builder
	b.WriteString(preamble)
	var notes []string
	number := func(note string) string {
		if note == "" {
			return ""
		}
		at := slices.Index(notes, note)
		if at < 0 {
			at, notes = len(notes), append(notes, note)
		}
		return fmt.Sprintf(" [%d]", at+1)
	}
	b.WriteString("| from → to | over |")
	for _, c := range checks() {
		fmt.Fprintf(&b, " %s |", c.name)
	}
	b.WriteString("\n|---|---|" + strings.Repeat("---|", len(checks())) + "\n")
	for i, p := range all {
		fmt.Fprintf(&b, "| %s → %s | %s%s |", p.from, p.to, p.via, number(p.note))
		for _, c := range checks() {
			e := rows[i][c.name]
			fmt.Fprintf(&b, " %s%s |", e.text, number(e.note))
		}
		b.WriteString("\n")
	}
	b.WriteString("\nThe columns:\n\n")
	for _, c := range checks() {
		fmt.Fprintf(&b, "- **%s**: %s.\n", c.name, c.doc)
	}
	b.WriteString("\nThe notes:\n\n")
	for i, n := range notes {
		fmt.Fprintf(&b, "%d. %s\n", i+1, n)
	}
	return b.String()
}
