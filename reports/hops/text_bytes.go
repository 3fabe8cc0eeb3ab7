package hops

import (
	"fmt"
	"strings"

	"github.com/charmbracelet/lipgloss"

	"gatewaylab/servers/trace"
)

// manyLines is how many lines of hex a field gets unless all is asked for.
const manyLines = 10

// message writes the bytes of a message, field by field, beside what they are.
func (t *textWriter) message(h *trace.Hop, m *trace.Message) {
	arrow, style := "→", t.there
	if s := h.Stream(m.Stream); s != nil && !s.Forward {
		arrow, style = "←", t.back
	}
	where := ""
	if m.Length > 0 {
		where = fmt.Sprintf("  %s, bytes %s", m.Stream, span(m.Offset, m.Length))
	}
	t.line("")
	t.para(style.Render(fmt.Sprintf("   %s ", arrow)), style.Bold(true).Render(m.What)+t.faint.Render(fmt.Sprintf("  at %s ms%s", clockTime(m.At), where)), lipgloss.NewStyle())
	for i := range m.Fields {
		t.field(h, m, &m.Fields[i])
	}
}

// field writes one field: offset, hex, and beside it name, value and why.
func (t *textWriter) field(h *trace.Hop, m *trace.Message, f *trace.Field) {
	per := 8
	if t.width >= 110 {
		per = 16
	}
	hexWidth := 3*per - 1
	left := t.hexLines(h.Slice(m.Stream, f.Offset, f.Length), f, per)
	indent := 5 + 6 + hexWidth + 2
	if m.Length == 0 || onlyValues(m) {
		indent = 5 // nothing crossed as bytes: no columns for them
	}
	right := t.words(f, t.width-indent)
	for i := range max(len(left), len(right)) {
		line := strings.Repeat(" ", indent)
		if indent > 5 {
			offset, hex := "", ""
			if i < len(left) {
				offset, hex = fmt.Sprintf("%04x", f.Offset+i*per), left[i]
				if strings.HasPrefix(hex, "…") {
					offset = ""
				}
			}
			line = "     " + t.faint.Render(fmt.Sprintf("%-6s", offset)) + pad(hex, hexWidth) + "  "
		}
		if i < len(right) {
			line += right[i]
		}
		t.line(line)
	}
}

// onlyValues says whether no field of a message has bytes.
func onlyValues(m *trace.Message) bool {
	for _, f := range m.Fields {
		if f.Length > 0 {
			return false
		}
	}
	return true
}

// words is a field's name, value and explanation in lines.
func (t *textWriter) words(f *trace.Field, width int) (lines []string) {
	for i, l := range wrap(nameAndValue(f), width) {
		if i == 0 && strings.HasPrefix(l, f.Name) {
			l = t.strong.Render(f.Name) + l[len(f.Name):]
		}
		lines = append(lines, l)
	}
	for _, text := range explanation(f) {
		for _, l := range wrap(text, width-2) {
			lines = append(lines, "  "+t.faint.Render(l))
		}
	}
	return lines
}

func nameAndValue(f *trace.Field) string {
	switch {
	case f.Type == "" && f.Value == "":
		return f.Name + " (empty)"
	case f.Type == "":
		return f.Name + " = " + f.Value
	case f.Value == "":
		return f.Name + " (empty " + f.Type + ")"
	}
	return f.Name + " = " + f.Value + " (" + f.Type + ")"
}

// explanation is what a field means and where its value came from.
func explanation(f *trace.Field) (lines []string) {
	if f.Meaning != "" {
		meaning := f.Meaning
		if f.Reference != "" {
			meaning += " (" + f.Reference + ")"
		}
		lines = append(lines, meaning)
	}
	if f.Source != "" {
		lines = append(lines, "from: "+f.Source)
	}
	return lines
}

// hexLines writes bytes in hexadecimal, per to a line. A · in place of a space
// stands between two parts of a field.
func (t *textWriter) hexLines(raw []byte, f *trace.Field, per int) (lines []string) {
	if len(raw) == 0 {
		return nil
	}
	begins := map[int]bool{}
	partsAt(f.Parts, f.Offset, begins)
	for at := 0; at < len(raw); at += per {
		if !t.full && len(lines) == manyLines-1 && len(raw) > manyLines*per {
			return append(lines, fmt.Sprintf("… %s more", thousands(int64(len(raw)-at))))
		}
		var b strings.Builder
		for i := at; i < min(at+per, len(raw)); i++ {
			if i > at && begins[i] {
				b.WriteString("·")
			} else if i > at {
				b.WriteString(" ")
			}
			fmt.Fprintf(&b, "%02x", raw[i])
		}
		lines = append(lines, b.String())
	}
	return lines
}

func partsAt(parts []trace.Field, base int, begins map[int]bool) {
	for i := range parts {
		begins[parts[i].Offset-base] = true
		partsAt(parts[i].Parts, base, begins)
	}
}

func span(offset, length int) string {
	if length <= 1 {
		return fmt.Sprint(offset)
	}
	return fmt.Sprintf("%d–%d", offset, offset+length-1)
}

func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(width-len([]rune(s)), 0))
}
