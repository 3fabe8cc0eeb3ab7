package hops

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/x/ansi"

	"gatewaylab/servers/trace"
)

// SlowOptions say where Slow is shown.
type SlowOptions struct {
	In     io.Reader // where keys come from
	Out    *os.File  // the terminal
	Colour bool
}

// Slow shows traces step by step: each key press lets the next thing happen.
// What has happened so far stands above, the bytes of the present step below.
// It returns when the user leaves, or when ctx ends.
func Slow(ctx context.Context, traces []*trace.Trace, o SlowOptions) error {
	p := tea.NewProgram(newSlow(traces, o.Colour),
		tea.WithContext(ctx), tea.WithInput(o.In), tea.WithOutput(o.Out), tea.WithAltScreen(), tea.WithoutSignalHandler())
	_, err := p.Run()
	if ctx.Err() != nil {
		return nil // whoever ended it knows
	}
	return err
}

// slow is the state of the program: where it is, and how far the bytes are
// scrolled.
type slow struct {
	traces        []*trace.Trace
	diagrams      []*diagram
	colour        bool
	trace, step   int
	scroll        int
	width, height int
}

func newSlow(traces []*trace.Trace, colour bool) *slow {
	s := &slow{traces: traces, colour: colour, width: 80, height: 24}
	for _, t := range traces {
		s.diagrams = append(s.diagrams, newDiagram(t))
	}
	return s
}

// Init has nothing to do.
func (s *slow) Init() tea.Cmd { return nil }

// Update takes a key.
func (s *slow) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch m := msg.(type) {
	case tea.WindowSizeMsg:
		s.width, s.height = m.Width, m.Height
	case tea.KeyMsg:
		switch m.String() {
		case "q", "esc", "ctrl+c":
			return s, tea.Quit
		case " ", "right", "enter", "n", "l":
			s.move(1)
		case "left", "backspace", "p", "h":
			s.move(-1)
		case "home", "g":
			s.scroll = 0
		case "down", "j":
			s.scroll++
		case "up", "k":
			s.scroll--
		case "pgdown", "ctrl+d":
			s.scroll += s.room() - 1
		case "pgup", "ctrl+u":
			s.scroll -= s.room() - 1
		case "end", "G":
			s.scroll = len(s.detail())
		}
	}
	s.scroll = max(0, min(s.scroll, len(s.detail())-s.room()))
	return s, nil
}

// move goes on or back, from one trace to the next too.
func (s *slow) move(by int) {
	next := s.step + by
	switch {
	case next >= 0 && next < len(s.diagrams[s.trace].steps):
		s.step, s.scroll = next, 0
	case by > 0 && s.trace+1 < len(s.traces):
		s.trace, s.step, s.scroll = s.trace+1, 0, 0
	case by < 0 && s.trace > 0:
		s.trace--
		s.step, s.scroll = len(s.diagrams[s.trace].steps)-1, 0
	}
}

// History is at most this much of the screen: what is going on needs the rest.
func (s *slow) historyLines() int { return max(3, (s.height-4)/2) }

// View draws the screen.
func (s *slow) View() string {
	t := newTextWriter(max(s.width, 60), s.colour, true)
	tr := s.traces[s.trace]
	t.line(t.strong.Render(ansi.Truncate(tr.Request+" through "+tr.Model, s.width, "…")))
	for _, l := range s.history() {
		t.line(l)
	}
	t.line(t.faint.Render(strings.Repeat("─", s.width)))
	detail := s.detail()
	room := s.room()
	for i := range room {
		if i+s.scroll < len(detail) {
			t.line(ansi.Truncate(detail[i+s.scroll], s.width, ""))
			continue
		}
		t.line("")
	}
	t.WriteString(t.faint.Render(ansi.Truncate(s.status(len(detail)), s.width, "…")))
	return t.String()
}

// history is the diagram up to the present step, the head and as much of its
// end as fits.
func (s *slow) history() []string {
	w := newTextWriter(max(s.width, 60), s.colour, true)
	w.diagram(s.diagrams[s.trace], s.step)
	lines := strings.Split(strings.TrimRight(w.String(), "\n"), "\n")
	if most := s.historyLines(); len(lines) > most {
		lines = append(lines[:1:1], lines[len(lines)-most+1:]...)
	}
	return lines
}

// room is how many lines the bytes have.
func (s *slow) room() int { return max(1, s.height-3-len(s.history())) }

// detail is what the present step is about.
func (s *slow) detail() []string {
	w := newTextWriter(max(s.width, 60), s.colour, true)
	st := s.diagrams[s.trace].steps[s.step]
	h := &s.traces[s.trace].Hops[st.hop]
	w.line(w.accent.Render(fmt.Sprintf("%d  %s → %s", st.hop+1, h.From, h.To)))
	w.para("   ", via(h), lipgloss.NewStyle())
	if st.connect {
		w.para("   ", "connects; it takes "+optional(h.Timing.Connect), lipgloss.NewStyle())
	}
	for _, j := range st.messages {
		w.message(h, &h.Messages[j])
	}
	return strings.Split(strings.TrimRight(w.String(), "\n"), "\n")
}

func (s *slow) status(lines int) string {
	d := s.diagrams[s.trace]
	status := fmt.Sprintf("step %d of %d", s.step+1, len(d.steps))
	if len(s.traces) > 1 {
		status = fmt.Sprintf("%s, %d of %d · ", s.traces[s.trace].Model, s.trace+1, len(s.traces)) + status
	}
	status += " · space next · ← back"
	if room := s.room(); lines > room {
		status += fmt.Sprintf(" · ↑↓ scroll %d–%d of %d", s.scroll+1, min(s.scroll+room, lines), lines)
	}
	return status + " · q quit"
}
