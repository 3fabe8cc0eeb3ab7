package dashboard

import (
	"strings"

	"github.com/charmbracelet/bubbles/key"
	"github.com/charmbracelet/x/ansi"
)

// logLines are the run's notes, oldest first, wrapped.
func (m model) logLines(p *picture) []line {
	w := m.body().w
	const indent = 10
	if len(p.notes) == 0 {
		return []line{{span{0, w, faint, false, "nothing to note so far"}}}
	}
	var lines []line
	for _, n := range p.notes {
		text := strings.Join(strings.Fields(ansi.Strip(n.text)), " ")
		for i, part := range strings.Split(ansi.Wrap(text, max(10, w-indent), ""), "\n") {
			l := line{{indent, w - indent, plain, false, part}}
			if i == 0 && !n.at.IsZero() {
				l = append(l, span{0, indent - 1, faint, false, n.at.Format("15:04:05")})
			} else if i == 0 {
				l = append(l, span{0, indent - 1, alert, false, n.mark})
			}
			lines = append(lines, l)
		}
	}
	return lines
}

// helpText explains the keys and what is drawn.
func (m model) helpText(s *screen, a area) {
	long := map[string]string{
		"q":     "stop the run; what is measured so far is kept and reported",
		"space": "freeze the picture; the run goes on, space shows it again",
		"tab":   "next view: overview, trial, results, log",
		"?":     "this help; any key closes it",
	}
	var lines []line
	add := func(k ink, name, text string) {
		const indent = 8
		for i, part := range strings.Split(ansi.Wrap(text, max(10, a.w-indent), ""), "\n") {
			l := line{{indent, a.w - indent, plain, false, part}}
			if i == 0 {
				l = append(l, span{0, indent - 1, k, false, name})
			}
			lines = append(lines, l)
		}
	}
	for _, b := range []key.Binding{m.keys.quit, m.keys.freeze, m.keys.next, m.keys.help} {
		add(strong, b.Help().Key, long[b.Help().Key])
	}
	add(strong, "↑ ↓", "scroll the results and the log")
	lines = append(lines, nil)
	add(plain, "▂▅█", "goodput: successful responses a second; one scale for all models of a scenario, from 0")
	add(plain, "█ •", "response time, due to last byte: columns are the median, dots the 99th percentile where it stands clear of it; logarithmic scale")
	add(faint, "┊ │", "a new trial, a new stage of its load begins; grey columns are warm-up, which doesn't count")
	add(plain, "▅ ▅ ·", "so far: one place for each trial, goodput above, median response time below; n valid trials are behind a figure")
	add(alert, "× ↻", "an invalid trial, left out of every figure, the log says why; servers or workers started again")
	add(plain, "■ □ ·", "a slot: busy, idle, free; ▣ holds one request for over a second; pale □ idle for as long")
	drawLines(s, a, lines, 0)
}
