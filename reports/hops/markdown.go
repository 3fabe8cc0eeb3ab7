package hops

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"gatewaylab/servers/trace"
)

// Markdown writes traces as a document: the comparison of several, for each its
// diagram (Mermaid, which many viewers draw), and for each hop a table of its
// fields.
func Markdown(w io.Writer, traces []*trace.Trace) error {
	var b bytes.Buffer
	if len(traces) > 1 {
		fmt.Fprintf(&b, "# %s, chains side by side\n\n", markdownText(traces[0].Request))
		c := compare(traces)
		fmt.Fprintf(&b, "| %s |\n|%s%s\n", strings.Join(c.head, " | "), " --- |", strings.Repeat(" ---: |", len(c.head)-1))
		for _, row := range c.rows {
			fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
		}
		b.WriteString("\nWhat each has behind the client's own connection:\n\n")
		for _, t := range traces {
			fmt.Fprintf(&b, "- **%s**\n", markdownText(t.Model))
			for _, l := range adds(t) {
				fmt.Fprintf(&b, "  - %s\n", markdownText(l))
			}
		}
		b.WriteString("\n")
	}
	for _, t := range traces {
		markdownTrace(&b, t)
	}
	fmt.Fprintf(&b, "%s\n", caution)
	_, err := w.Write(b.Bytes())
	return err
}

func markdownTrace(b *bytes.Buffer, t *trace.Trace) {
	fmt.Fprintf(b, "# %s\n\n```mermaid\n", markdownText(headline(t)))
	mermaid(b, t)
	b.WriteString("```\n\n")
	for _, l := range remarks(t) {
		fmt.Fprintf(b, "- %s\n", markdownText(l))
	}
	for i := range t.Hops {
		h := &t.Hops[i]
		fmt.Fprintf(b, "## %d  %s → %s\n\n%s  \n%s  \n%s\n\n", i+1, markdownText(h.From), markdownText(h.To), markdownText(via(h)), times(h), sizes(h))
		for j := range h.Messages {
			m := &h.Messages[j]
			arrow := "→"
			if s := h.Stream(m.Stream); s != nil && !s.Forward {
				arrow = "←"
			}
			fmt.Fprintf(b, "### %s %s, at %s ms\n\n", arrow, markdownText(m.What), clockTime(m.At))
			if len(m.Fields) == 0 {
				continue
			}
			b.WriteString("| bytes | hex | field | value | what it is |\n| ---: | --- | --- | --- | --- |\n")
			for k := range m.Fields {
				f := &m.Fields[k]
				bytes := ""
				if f.Length > 0 {
					bytes = span(f.Offset, f.Length)
				}
				fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n", bytes, markdownHex(h.Slice(m.Stream, f.Offset, f.Length)), markdownText(f.Name),
					markdownCode(f.Value), markdownText(strings.Join(explanation(f), "; ")))
			}
			b.WriteString("\n")
		}
	}
}

// markdownHex is the beginning of a field in hexadecimal: a table is no place
// for a body.
func markdownHex(raw []byte) string {
	const most = 24
	if len(raw) == 0 {
		return ""
	}
	if len(raw) > most {
		return fmt.Sprintf("`% x` … %d more", raw[:most], len(raw)-most)
	}
	return fmt.Sprintf("`% x`", raw)
}

var markdownSpecial = strings.NewReplacer(`\`, `\\`, "|", `\|`, "*", `\*`, "_", `\_`, "`", "\\`", "<", "&lt;", ">", "&gt;", "[", `\[`, "]", `\]`, "\n", " ")

func markdownText(s string) string { return markdownSpecial.Replace(s) }

// markdownCode sets a value as code, in a table.
func markdownCode(s string) string {
	if s == "" {
		return ""
	}
	fence := "`"
	for strings.Contains(s, fence) {
		fence += "`"
	}
	if fence != "`" {
		s = " " + s + " "
	}
	return fence + strings.ReplaceAll(s, "|", `\|`) + fence
}
