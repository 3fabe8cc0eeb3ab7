package hops

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"gatewaylab/servers/trace"
)

// Mermaid writes a sequence diagram of each trace in Mermaid's language.
func Mermaid(w io.Writer, traces []*trace.Trace) error {
	var b bytes.Buffer
	for i, t := range traces {
		if i > 0 {
			b.WriteString("\n")
		}
		mermaid(&b, t)
	}
	_, err := w.Write(b.Bytes())
	return err
}

func mermaid(b *bytes.Buffer, t *trace.Trace) {
	d := newDiagram(t)
	fmt.Fprintf(b, "%%%% %s\nsequenceDiagram\n", mermaidText(headline(t)))
	for i, name := range d.lanes {
		fmt.Fprintf(b, "    participant p%d as %s\n", i, mermaidText(name))
	}
	for _, s := range d.shown() {
		if s.label == "" && s.at < 0 {
			fmt.Fprintf(b, "    Note over p0: … %d more\n", s.size)
			continue
		}
		arrow := "->>"
		if s.from > s.to {
			arrow = "-->>"
		}
		if s.connect {
			arrow = "-)"
		}
		fmt.Fprintf(b, "    p%d%sp%d: %s ms  %s\n", s.from, arrow, s.to, clockTime(s.at), mermaidText(s.text()))
	}
}

// mermaidEntities escape what Mermaid would read as its own: it takes numbered
// entities, and a semicolon ends a statement.
var mermaidEntities = strings.NewReplacer("#", "#35;", ";", "#59;", "<", "#60;", ">", "#62;", "\n", " ", "%%", "%#37;")

func mermaidText(s string) string { return mermaidEntities.Replace(s) }
