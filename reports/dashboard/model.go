package dashboard

import (
	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"
)

// A view is one way of looking at the run.
type view int

const (
	viewOverview view = iota
	viewTrial
	viewResults
	viewLog
	views
)

func (v view) String() string {
	return [...]string{"overview", "trial", "results", "log"}[v]
}

// model is the bubbletea program's state. Only Update changes it, and only by
// what the message says.
type model struct {
	theme *theme
	stop  func()
	keys  keys

	w, h     int
	live     *picture
	frozen   *picture // what is shown instead, while the picture is frozen
	view     view
	scroll   int // lines of the results or the log scrolled away
	help     bool
	stopping bool
}

type keys struct{ quit, freeze, next, help, up, down key.Binding }

func newModel(t *theme, stop func()) model {
	bind := func(name, does string, codes ...string) key.Binding {
		return key.NewBinding(key.WithKeys(codes...), key.WithHelp(name, does))
	}
	return model{theme: t, stop: stop, live: &picture{}, keys: keys{
		quit:   bind("q", "stop", "q", "Q", "ctrl+c"),
		freeze: bind("space", "freeze", " "),
		next:   bind("tab", "view", "tab"),
		help:   bind("?", "help", "?"),
		up:     bind("↑", "up", "up", "k"),
		down:   bind("↓", "down", "down", "j"),
	}}
}

func (m model) Init() tea.Cmd { return nil }

// Update takes a message in. Drawing is View's, at the pace of the frames.
func (m model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.w, m.h = msg.Width, msg.Height
	case batch:
		for _, e := range msg {
			m.live.apply(e)
		}
	case stopSeen:
		m.stopping = true
	case ended:
		return m, tea.Quit
	case tea.KeyMsg:
		return m.press(msg)
	}
	return m, nil
}

func (m model) press(k tea.KeyMsg) (tea.Model, tea.Cmd) {
	switch {
	case key.Matches(k, m.keys.quit):
		return m.quit()
	case m.help: // any other key closes it
		m.help = false
	case key.Matches(k, m.keys.help):
		m.help = true
	case key.Matches(k, m.keys.freeze):
		if m.frozen == nil {
			m.frozen = m.live.clone()
		} else {
			m.frozen = nil
		}
	case key.Matches(k, m.keys.next):
		m.view, m.scroll = (m.view+1)%views, 0
	case key.Matches(k, m.keys.up):
		m.scroll = max(0, m.scroll-m.towards())
	case key.Matches(k, m.keys.down):
		m.scroll = max(0, m.scroll+m.towards())
	}
	m.scroll = min(m.scroll, m.scrollLimit())
	return m, nil
}

// quit asks for the stop, once.
func (m model) quit() (tea.Model, tea.Cmd) {
	if m.stopping {
		return m, nil
	}
	m.stopping = true
	stop := m.stop
	if stop == nil {
		return m, nil
	}
	return m, func() tea.Msg {
		stop()
		return nil
	}
}

// towards is what a step down adds to scroll: the log is held at its end.
func (m model) towards() int {
	if m.view == viewLog {
		return -1
	}
	return 1
}

// shown is the picture to draw.
func (m model) shown() *picture {
	if m.frozen != nil {
		return m.frozen
	}
	return m.live
}

// View draws the whole frame.
func (m model) View() string {
	if m.w <= 0 || m.h <= 0 {
		return ""
	}
	s := newScreen(m.w, m.h)
	m.draw(s)
	return s.render(m.theme)
}
