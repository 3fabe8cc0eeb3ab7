package hops

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"

	"gatewaylab/servers/trace"
)

//go:embed page.html
var page string

// HTML writes traces as one page that needs nothing else: no script, no font,
// no address. It is set to be read from the last row, on a light ground; blue
// is the way there, orange the way back, which every kind of colour vision
// tells apart, and lines are dashed on the way back as well.
func HTML(w io.Writer, traces []*trace.Trace) error {
	t, err := template.New("page").Parse(page)
	if err != nil {
		return fmt.Errorf("the page's template: %w", err)
	}
	return t.Execute(w, newPage(traces))
}

// The page as its template sees it.
type (
	htmlPage struct {
		Title   string
		Compare *htmlCompare
		Traces  []htmlTrace
		Caution string
	}
	htmlCompare struct {
		Head []string
		Rows [][]string
		Adds []htmlAdds
	}
	htmlAdds struct {
		Model string
		Lines []string
	}
	htmlTrace struct {
		ID       string
		Headline string
		Remarks  []string
		Diagram  htmlDiagram
		Hops     []htmlHop
	}
	htmlHop struct {
		Number                      int
		From, To, Via, Times, Sizes string
		ID                          string
		Messages                    []htmlMessage
	}
	htmlMessage struct {
		ID              string
		What, At, Where string
		Back, Values    bool
		Fields          []htmlField
	}
	htmlField struct {
		Offset, Name, Value, Type string
		Hex                       []htmlPart
		Explanation               []string
	}
	// An htmlPart is the hex of a part of a field.
	htmlPart struct{ Hex, Title string }
)

func newPage(traces []*trace.Trace) htmlPage {
	p := htmlPage{Title: traces[0].Request + " through " + traces[0].Model, Caution: caution}
	if len(traces) > 1 {
		p.Title = traces[0].Request + ", chains side by side"
		c := compare(traces)
		p.Compare = &htmlCompare{Head: c.head, Rows: c.rows}
		for _, t := range traces {
			p.Compare.Adds = append(p.Compare.Adds, htmlAdds{t.Model, adds(t)})
		}
	}
	for i, t := range traces {
		h := htmlTrace{ID: fmt.Sprintf("t%d", i), Headline: headline(t), Remarks: remarks(t)}
		h.Diagram = drawn(newDiagram(t), h.ID)
		for j := range t.Hops {
			h.Hops = append(h.Hops, newHTMLHop(&t.Hops[j], j, h.ID))
		}
		p.Traces = append(p.Traces, h)
	}
	return p
}

func newHTMLHop(h *trace.Hop, i int, id string) htmlHop {
	hop := htmlHop{Number: i + 1, From: h.From, To: h.To, Via: via(h), Times: times(h), Sizes: sizes(h), ID: fmt.Sprintf("%sh%d", id, i)}
	for j := range h.Messages {
		m := &h.Messages[j]
		out := htmlMessage{ID: fmt.Sprintf("%sm%d", hop.ID, j), What: m.What, At: clockTime(m.At), Values: onlyValues(m)}
		if s := h.Stream(m.Stream); s != nil {
			out.Back = !s.Forward
		}
		if m.Length > 0 {
			out.Where = m.Stream + ", bytes " + span(m.Offset, m.Length)
		}
		for k := range m.Fields {
			f := &m.Fields[k]
			field := htmlField{Name: f.Name, Value: f.Value, Type: f.Type, Explanation: explanation(f)}
			if f.Length > 0 {
				field.Offset = fmt.Sprintf("%04x", f.Offset)
				field.Hex = hexParts(h, m.Stream, f)
			}
			out.Fields = append(out.Fields, field)
		}
		hop.Messages = append(hop.Messages, out)
	}
	return hop
}

// mostHex is how many bytes of a field the page shows: a body of megabytes is
// in the JSON document and the capture.
const mostHex = 1024

// hexParts is a field's bytes, apart by its parts.
func hexParts(h *trace.Hop, stream string, f *trace.Field) []htmlPart {
	if len(f.Parts) > 0 {
		var parts []htmlPart
		for i := range f.Parts {
			parts = append(parts, hexParts(h, stream, &f.Parts[i])...)
		}
		return parts
	}
	raw := h.Slice(stream, f.Offset, f.Length)
	if len(raw) == 0 {
		return nil
	}
	hex := fmt.Sprintf("% x", raw[:min(len(raw), mostHex)])
	if len(raw) > mostHex {
		hex += fmt.Sprintf(" … %s more", thousands(int64(len(raw)-mostHex)))
	}
	title := f.Name
	if f.Value != "" && f.Value != f.Name {
		title += " = " + f.Value
	}
	return []htmlPart{{hex, title}}
}

// A htmlDiagram is a sequence diagram with every place worked out.
type (
	htmlDiagram struct {
		Width, Height, Foot int
		Lanes               []htmlLane
		Arrows              []htmlArrow
		Label               string
	}
	htmlLane struct {
		X    int
		Name string
	}
	htmlArrow struct {
		Y, From, To, Tip    int
		TextX, TextY        int
		At, Text, Full, URL string
		End, Back, Connect  bool
	}
)

// Measures of the diagram, in its own units.
const (
	diagramWidth = 1200
	leftMargin   = 170
	stepHeight   = 46
	headHeight   = 60
	glyph        = 9.2 // width of a character, on average
)

func drawn(d *diagram, id string) htmlDiagram {
	steps := d.shown()
	out := htmlDiagram{Width: diagramWidth, Height: headHeight + stepHeight*len(steps) + 30, Label: "sequence diagram"}
	out.Foot = out.Height - 10
	gap := (diagramWidth - leftMargin - 110) / max(len(d.lanes)-1, 1)
	x := func(lane int) int { return leftMargin + lane*gap }
	for i, name := range d.lanes {
		out.Lanes = append(out.Lanes, htmlLane{x(i), name})
	}
	for i, s := range steps {
		y := headHeight + stepHeight*(i+1) - 10
		if s.label == "" && s.at < 0 {
			out.Arrows = append(out.Arrows, htmlArrow{Y: y, TextX: x(0), TextY: y, Full: "", Text: fmt.Sprintf("… %d more", s.size)})
			continue
		}
		a := htmlArrow{Y: y, From: x(s.from), To: x(s.to), At: clockTime(s.at), Full: s.text(), Back: s.from > s.to, Connect: s.connect, TextY: y - 8}
		a.Tip = a.To - 10
		if a.Back {
			a.Tip = a.To + 10
		}
		if len(s.messages) > 0 {
			a.URL = fmt.Sprintf("#%sh%dm%d", id, s.hop, s.messages[0])
		}
		left, right := min(a.From, a.To)+8, max(a.From, a.To)-8
		a.TextX, a.Text = left, a.Full
		room := diagramWidth - left
		if fits := float64(len([]rune(a.Text))) * glyph; fits > float64(room) {
			a.End, a.TextX, room = true, right, right-leftMargin
		}
		if most := int(float64(room) / glyph); len([]rune(a.Text)) > most {
			a.Text = string(slices.Clone([]rune(a.Text)[:most-1])) + "…"
		}
		out.Arrows = append(out.Arrows, a)
	}
	out.Label += ": " + strings.Join(d.lanes, ", ")
	return out
}
