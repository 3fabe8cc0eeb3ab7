package hops

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/exp/golden"
	"github.com/charmbracelet/x/exp/teatest"

	"gatewaylab/servers/trace"
)

// recorded is a trace as lab trace --format json wrote it.
func recorded(t testing.TB, name string) *trace.Trace {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var d Document
	if err := json.Unmarshal(b, &d); err != nil {
		t.Fatal(err)
	}
	if d.Schema != Schema || len(d.Traces) != 1 {
		t.Fatalf("%s: schema %s, %d traces", name, d.Schema, len(d.Traces))
	}
	return d.Traces[0]
}

// One trace and two, in every format.
func TestFormats(t *testing.T) {
	one := []*trace.Trace{recorded(t, "chain")}
	two := []*trace.Trace{recorded(t, "direct"), recorded(t, "chain")}
	for name, render := range map[string]func(io.Writer) error{
		"chain80.txt":  func(w io.Writer) error { return Text(w, one, TextOptions{Width: 80}) },
		"chain120.txt": func(w io.Writer) error { return Text(w, one, TextOptions{Width: 120, Full: true}) },
		"both80.txt":   func(w io.Writer) error { return Text(w, two, TextOptions{Width: 80}) },
		"uwsgi.md":     func(w io.Writer) error { return Markdown(w, []*trace.Trace{recorded(t, "uwsgi")}) },
		"both.md":      func(w io.Writer) error { return Markdown(w, two) },
		"both.mermaid": func(w io.Writer) error { return Mermaid(w, two) },
		"both.html":    func(w io.Writer) error { return HTML(w, two) },
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := render(&b); err != nil {
				t.Fatal(err)
			}
			golden.RequireEqual(t, b.Bytes())
		})
	}
}

// No line of text is wider than it was asked to be, colours or not; colours
// change nothing else.
func TestTextFits(t *testing.T) {
	traces := []*trace.Trace{recorded(t, "direct"), recorded(t, "chain")}
	for _, width := range []int{60, 80, 100, 120, 200} {
		var plain, coloured bytes.Buffer
		for b, colour := range map[*bytes.Buffer]bool{&plain: false, &coloured: true} {
			if err := Text(b, traces, TextOptions{Width: width, Colour: colour, Full: true}); err != nil {
				t.Fatal(err)
			}
		}
		for _, line := range strings.Split(plain.String(), "\n") {
			if w := ansi.StringWidth(line); w > width {
				t.Errorf("width %d: a line of %d: %s", width, w, line)
			}
		}
		if strings.Contains(plain.String(), "\x1b") {
			t.Errorf("width %d: escape sequences without colour", width)
		}
		if ansi.Strip(coloured.String()) != plain.String() || coloured.Len() == plain.Len() {
			t.Errorf("width %d: colour changes more than colour", width)
		}
	}
}

// JSON reads as it was written.
func TestJSONRoundTrip(t *testing.T) {
	want, err := os.ReadFile("testdata/chain.json")
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := JSON(&b, []*trace.Trace{recorded(t, "chain")}); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b.Bytes(), want) {
		t.Errorf("differs: %d bytes, %d before", b.Len(), len(want))
	}
}

// The page needs nothing but itself.
func TestHTMLIsSelfContained(t *testing.T) {
	var b bytes.Buffer
	if err := HTML(&b, []*trace.Trace{recorded(t, "chain")}); err != nil {
		t.Fatal(err)
	}
	for _, forbidden := range []string{"<script", "<link", "<img", "<iframe", "@import", "url(", `href="http`, `src=`} {
		if strings.Contains(b.String(), forbidden) {
			t.Errorf("the page has %s", forbidden)
		}
	}
	for _, id := range regexp.MustCompile(`href="#([^"]+)"`).FindAllStringSubmatch(b.String(), -1) {
		if !strings.Contains(b.String(), `id="`+id[1]+`"`) {
			t.Errorf("nothing on the page is called %s", id[1])
		}
	}
}

// What comes from outside stays text in every format.
func TestHostileValues(t *testing.T) {
	tr := recorded(t, "direct")
	evil := "<script>alert(1)</script>|`_*;#\x1b[31m"
	tr.Request = evil
	tr.Hops[0].Messages[0].Fields[0].Value = evil
	tr.Hops[0].Messages[0].Short = evil
	var html, md, mermaid bytes.Buffer
	for _, err := range []error{HTML(&html, []*trace.Trace{tr}), Markdown(&md, []*trace.Trace{tr}), Mermaid(&mermaid, []*trace.Trace{tr})} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if strings.Contains(html.String(), "<script") {
		t.Error("HTML: a script")
	}
	table := regexp.MustCompile("(?s)```mermaid.*?```").ReplaceAllString(md.String(), "")
	if n := strings.Count(table, "<script"); n != 1 || !strings.Contains(table, "| `` "+strings.ReplaceAll(evil, "|", `\|`)+" `` |") {
		t.Errorf("Markdown: %d scripts that are not set as code", n)
	}
	if strings.Contains(mermaid.String(), "<script") || strings.Contains(mermaid.String(), "1)</") {
		t.Error("Mermaid: a script")
	}
}

// Many steps are shown by their beginning and end.
func TestLongDiagram(t *testing.T) {
	tr := recorded(t, "direct")
	m := tr.Hops[0].Messages[0]
	for i := range 100 {
		m.At = time.Duration(i) * time.Second
		m.Short = "again"
		tr.Hops[0].Messages = append(tr.Hops[0].Messages, m)
	}
	var b bytes.Buffer
	if err := Text(&b, []*trace.Trace{tr}, TextOptions{Width: 80}); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(b.String(), "again"); n > maxSteps || !strings.Contains(b.String(), "more") {
		t.Errorf("%d steps are shown", n)
	}
}

func TestSlow(t *testing.T) {
	traces := []*trace.Trace{recorded(t, "direct"), recorded(t, "chain")}
	tm := teatest.NewTestModel(t, newSlow(traces, false), teatest.WithInitialTermSize(80, 24))
	see := func(text string) {
		t.Helper()
		teatest.WaitFor(t, tm.Output(), func(b []byte) bool { return strings.Contains(ansi.Strip(string(b)), text) }, teatest.WithDuration(20*time.Second))
	}
	steps := len(newDiagram(traces[0]).steps)
	see("step 1 of ")
	tm.Send(tea.KeyMsg{Type: tea.KeySpace})
	see("request head")
	for range steps - 1 {
		tm.Send(tea.KeyMsg{Type: tea.KeyRight})
	}
	see("2 of 2 · step 1 of ")
	tm.Send(tea.KeyMsg{Type: tea.KeyLeft})
	see("1 of 2 · step")
	tm.Send(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("q")})
	tm.WaitFinished(t, teatest.WithFinalTimeout(20*time.Second))
}

// Every screen fits, at every step and size; scrolling reaches the last line.
func TestSlowFits(t *testing.T) {
	for _, size := range []tea.WindowSizeMsg{{Width: 80, Height: 24}, {Width: 120, Height: 40}, {Width: 60, Height: 12}} {
		s := newSlow([]*trace.Trace{recorded(t, "chain")}, true)
		s.Update(size)
		for range s.diagrams[0].steps {
			s.Update(tea.KeyMsg{Type: tea.KeyEnd})
			lines := strings.Split(ansi.Strip(s.View()), "\n")
			if len(lines) > size.Height {
				t.Errorf("%dx%d, step %d: %d lines", size.Width, size.Height, s.step+1, len(lines))
			}
			for _, l := range lines {
				if w := ansi.StringWidth(l); w > size.Width {
					t.Errorf("%dx%d, step %d: a line of %d: %s", size.Width, size.Height, s.step+1, w, l)
				}
			}
			if d := s.detail(); !strings.Contains(ansi.Strip(s.View()), strings.TrimRight(ansi.Strip(d[len(d)-1]), " ")) {
				t.Errorf("%dx%d, step %d: the last line can't be reached", size.Width, size.Height, s.step+1)
			}
			s.Update(tea.KeyMsg{Type: tea.KeySpace})
		}
	}
}
