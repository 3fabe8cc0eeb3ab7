package dashboard

import (
	"math"
	"strings"

	"github.com/charmbracelet/bubbles/key"

	"gatewaylab/scenarios"
)

// Below this size there is one thing to a line and nothing beside it.
const (
	compactWidth  = 60
	compactHeight = 15
)

func (m model) compact() bool { return m.w < compactWidth || m.h < compactHeight }

// body is what lies between the header and the footer.
func (m model) body() area {
	if m.compact() {
		return area{0, 2, m.w, max(0, m.h-3)}
	}
	return area{1, 3, m.w - 2, m.h - 5}
}

// draw puts the frame together.
func (m model) draw(s *screen) {
	p := m.shown()
	m.header(s, p)
	a := m.body()
	switch {
	case m.help:
		m.helpText(s, a)
	case m.view == viewResults:
		drawLines(s, a, m.resultLines(p), m.scroll)
	case m.view == viewLog:
		lines := m.logLines(p)
		drawLines(s, a, lines, max(0, len(lines)-a.h)-m.scroll)
	case m.compact():
		compactView(s, a, p)
	case m.view == viewTrial:
		trialView(s, a, p)
	default:
		overview(s, a, p)
	}
	m.footer(s)
}

// header says how far the run is.
func (m model) header(s *screen, p *picture) {
	x, w := 1, s.w-2
	if m.compact() {
		x, w = 0, s.w
	}
	at := ""
	if p.now.Order > 0 {
		at = "trial " + whole(p.now.Order) + " of " + whole(p.now.Total)
		if p.invalid > 0 {
			at += " · " + whole(p.invalid) + " invalid"
		}
	}
	end := x + w
	switch {
	case m.stopping:
		s.right(end, 0, w, alert, "stopping…")
		end -= 12
	case p.plan.Total > 0 || p.now.Total > 0:
		left := clock(p.left) + " left"
		s.right(end, 0, w, strong, left)
		end -= len(left) + 3
	}
	if !m.compact() || m.frozen == nil {
		s.right(end, 0, max(0, end-x), plain, at)
		end -= s.width(at) + 2
	}
	title := "Gateway Lab"
	if p.plan.Name != "" && !m.compact() {
		title += "  " + p.plan.Name
	}
	if m.frozen != nil {
		n := s.text(x, 0, end-x, badge, " FROZEN ")
		if !m.compact() {
			s.text(n+1, 0, end-n-1, faint, "space resumes")
		}
	} else {
		s.text(x, 0, end-x, strong, title)
	}
	bar(s, x, 1, w, p.progress)
}

// bar is full to the half of a cell.
func bar(s *screen, x, y, w int, share float64) {
	n := int(math.Round(share * float64(2*w)))
	for i := range w {
		switch {
		case 2*i+2 <= n:
			s.set(x+i, y, strong, '━')
		case 2*i+1 == n:
			s.set(x+i, y, strong, '╸')
		default:
			s.set(x+i, y, faint, '─')
		}
	}
}

// footer names the keys and the views.
func (m model) footer(s *screen) {
	x, y, sep := 1, s.h-1, 3
	if m.compact() {
		x, sep = 0, 2
	}
	if y < 2 {
		return
	}
	for _, k := range []key.Binding{m.keys.quit, m.keys.freeze, m.keys.next, m.keys.help} {
		if x+len(k.Help().Key)+1+len(k.Help().Desc) > s.w {
			return
		}
		x = s.text(x, y, s.w-x, strong, k.Help().Key)
		x = s.text(x+1, y, s.w-x, faint, k.Help().Desc) + sep
	}
	names := make([]string, views)
	wide := 0
	for v := range views {
		names[v] = v.String()
		wide += len(names[v]) + 2
	}
	if m.compact() || x+wide > s.w {
		return
	}
	x = s.w - 1 - wide
	for v := range views {
		if v == m.view {
			x = s.text(x, y, s.w-x, badge, "["+names[v]+"]")
		} else {
			x = s.text(x, y, s.w-x, faint, " "+names[v]+" ")
		}
	}
}

// title is what runs now.
func title(r scenarios.Ref) string {
	switch {
	case r.Scenario != "":
		return r.Scenario + " × " + r.Model
	case r.Model != "":
		return r.Model
	default:
		return "getting ready"
	}
}

// nowLine writes the title and, at the right, how far the trial is.
func nowLine(s *screen, a area, p *picture) {
	where := string(p.phase)
	if stage := p.stageWords(a.w / 3); stage != "" {
		where = stage
	}
	if p.now.Of > 0 {
		where = "trial " + whole(p.now.Trial) + " of " + whole(p.now.Of) + " · " + where
	}
	s.right(a.x+a.w, a.y, a.w, plain, where)
	n := a.w
	if where != "" {
		n -= s.width(where) + 2
	}
	x := s.text(a.x, a.y, 2, p.nowInk(), "▶ ")
	s.text(x, a.y, n-2, strong, title(p.now))
}

// nowInk is the running model's.
func (p *picture) nowInk() ink {
	for i := range p.models {
		if p.models[i].Label == p.now.Model {
			return of(i)
		}
	}
	return plain
}

// drawLines shows lines from the one given on, and says if there are more.
func drawLines(s *screen, a area, lines []line, from int) {
	from = max(0, min(from, len(lines)-a.h))
	for i := range min(a.h, len(lines)-from) {
		for _, sp := range lines[from+i] {
			if sp.right {
				s.right(a.x+sp.x, a.y+i, sp.w, sp.ink, sp.text)
			} else {
				s.text(a.x+sp.x, a.y+i, min(sp.w, a.w-sp.x), sp.ink, sp.text)
			}
		}
	}
	if below := len(lines) - from - a.h; (below > 0 || from > 0) && a.y+a.h < s.h-1 {
		s.right(a.x+a.w, a.y+a.h, a.w, faint, strings.TrimSpace("↑↓ "+whole(max(0, from))+" lines above, "+whole(max(0, below))+" below"))
	}
}

// A line is made of spans; x counts from the left of the area, to the end of
// the text where it stands right.
type line []span

type span struct {
	x, w  int
	ink   ink
	right bool
	text  string
}

func (m model) scrollLimit() int {
	n := 0
	switch m.view {
	case viewResults:
		n = len(m.resultLines(m.shown()))
	case viewLog:
		n = len(m.logLines(m.shown()))
	}
	return max(0, n-m.body().h)
}
