package checkup

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/x/ansi"
	"github.com/muesli/termenv"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"gatewaylab/reports"
)

// TextOptions say how a checkup is set for a terminal.
type TextOptions struct {
	Width  int  // columns; 0 means 80, less than 60 counts as 60
	Colour bool // whether the terminal wants it (NO_COLOR, no terminal) is the caller's to decide
}

// Text writes a checkup for a terminal.
func Text(w io.Writer, c *Checkup, o TextOptions) error {
	t := newTextWriter(max(cmp.Or(o.Width, 80), 60), o.Colour)
	t.machine(c)
	t.targets(c)
	t.measured(c.Measured)
	if len(c.Models) == 0 && len(c.Needs) == 0 && (len(c.Targets) > 0 || c.Measured != nil) {
		_, err := w.Write(t.Bytes())
		return err
	}
	t.own(c)
	t.programs("Real servers and what they need", c, func(p *Program) bool { return p.For == "" })
	t.programs("Programs that the tests and notebooks use", c, func(p *Program) bool { return p.For != "" })
	t.absent(c)
	t.install(c)
	_, err := w.Write(t.Bytes())
	return err
}

type textWriter struct {
	bytes.Buffer
	width                            int
	strong, faint, good, bad, lacked lipgloss.Style
}

func newTextWriter(width int, colour bool) *textWriter {
	re := lipgloss.NewRenderer(io.Discard)
	re.SetColorProfile(termenv.Ascii)
	if colour {
		re.SetColorProfile(termenv.ANSI)
	}
	t := &textWriter{width: width}
	for _, s := range []*lipgloss.Style{&t.strong, &t.faint, &t.good, &t.bad, &t.lacked} {
		*s = re.NewStyle()
	}
	if colour {
		// The terminal's own palette; no colour says what the word doesn't.
		t.strong = t.strong.Bold(true)
		t.faint = t.faint.Faint(true)
		t.good = t.good.Foreground(lipgloss.Color("6"))
		t.bad = t.bad.Bold(true).Foreground(lipgloss.Color("1"))
		t.lacked = t.lacked.Foreground(lipgloss.Color("3"))
	}
	return t
}

func (t *textWriter) line(s string) {
	t.WriteString(strings.TrimRight(s, " "))
	t.WriteByte('\n')
}

func (t *textWriter) heading(s string) {
	if t.Len() > 0 {
		t.line("")
	}
	t.line(t.strong.Render(s))
}

// para writes text wrapped at its spaces, hanging behind a label. A word that
// doesn't fit behind it, such as a path, begins a line of its own, whole.
func (t *textWriter) para(label, text string, style lipgloss.Style) {
	hang := strings.Repeat(" ", ansi.StringWidth(label))
	line := ""
	for i, word := range strings.Fields(text) {
		if i > 0 && ansi.StringWidth(label+line+" "+word) <= t.width {
			line += " " + word
			continue
		}
		if i > 0 {
			t.line(label + style.Render(line))
			label = hang
		}
		if line = word; ansi.StringWidth(label+word) > t.width {
			t.line(label)
			label = strings.Repeat(" ", min(len(hang), 11))
		}
	}
	t.line(label + style.Render(line))
}

// fact is one line of what is known of the machine.
func (t *textWriter) fact(label, text string) {
	t.para(fmt.Sprintf("  %-13s", label), text, lipgloss.NewStyle())
}

func grouped(n int64) string { return message.NewPrinter(language.English).Sprint(n) }

// counted is a number, or that it isn't known.
func counted(n int64) string {
	if n == 0 {
		return "unknown"
	}
	return grouped(n)
}

func (t *textWriter) machine(c *Checkup) {
	m := &c.Machine
	t.heading("This machine")
	system := m.System + ", " + m.OS
	if m.Kernel != "" {
		system += ", kernel " + m.Kernel
	}
	t.fact("system", system)
	cores := "1 core"
	if m.Cores != 1 {
		cores = fmt.Sprintf("%d cores", m.Cores)
	}
	t.fact("processor", cores+", "+m.CPU)
	memory := "unknown"
	if m.Memory > 0 {
		memory = fmt.Sprintf("%.1f GiB", float64(m.Memory)/(1<<30))
	}
	t.fact("memory", memory)
	t.fact("open files", counted(int64(min(m.Limits.Files, 1<<62)))+" at a time; a connection takes one at each end")
	ports := "unknown"
	if n := m.Limits.Ports(); n > 0 {
		ports = fmt.Sprintf("%s for connections to one address (%d–%d)", grouped(int64(n)), m.Limits.PortLow, m.Limits.PortHigh)
		if m.Limits.TimeWait > 0 {
			ports += fmt.Sprintf(", %s held by connections that ended lately", grouped(int64(m.Limits.TimeWait)))
		}
	}
	t.fact("ports", ports)
	t.fact("listen queue", counted(int64(m.Limits.Backlog))+" connections at most")
	tool := "no go command on PATH"
	if m.GoTool != "" {
		tool = m.GoTool
	}
	t.fact("Go", m.Go+" built the lab; "+tool)
	if c.Lab.Server != "" {
		t.fact("labserver", c.Lab.Server)
		t.fact("labapp", c.Lab.App)
	}
}

// targets says how the servers are that the lab didn't start.
func (t *textWriter) targets(c *Checkup) {
	if len(c.Targets) == 0 {
		return
	}
	t.heading("Servers that the lab did not start")
	for _, m := range c.Targets {
		text := m.Spec
		if m.Error != "" {
			text += ": " + brief(m.Error)
		}
		t.para("  "+t.state(m.State), text, lipgloss.NewStyle())
	}
}

// measured is what can be told by measurement, as a table and in words.
func (t *textWriter) measured(m *Measured) {
	if m == nil {
		return
	}
	t.heading("What can be measured here")
	t.line("  async against itself   spread   apart   told apart   found from")
	for _, r := range m.Floor {
		told, smallest := "no", "–"
		if r.Told {
			told = "yes"
		}
		if r.Smallest > 0 {
			smallest = percents(r.Smallest) + " %"
		}
		t.line(fmt.Sprintf("  %-20s  %7s %7s   %10s   %10s", r.Quantity, "±"+percents(r.Spread)+"%", percents(r.Apart)+"%", told, smallest))
	}
	t.line("")
	for _, f := range [][2]string{
		{"generator", estimateWords(m.Generator.Rate, "responses/s", 0) + " against a server that does nothing"},
		{"", estimateWords(m.Generator.CPU, "cores of its own", 2)},
		{"timer", fmt.Sprintf("1 ms of sleep ends %s ms late, p99 %s ms; clock steps %.0f ns", millis(m.Timer.P50), millis(m.Timer.P99), m.Timer.Step*1e6)},
		{"steal", shareWords(m.Steal) + " to other guests of the hypervisor"},
		{"others", shareWords(m.Others) + " to other programs"},
		{"connections", grouped(int64(m.Pairs)) + " to one server at most"},
	} {
		t.fact(f[0], f[1])
	}
	t.line("")
	t.para("  ", m.Text, lipgloss.NewStyle())
}

func estimateWords(e reports.Estimate, unit string, decimals int) string {
	if !e.Known() {
		return "not known"
	}
	figure := func(v float64) string {
		if decimals == 0 {
			return grouped(int64(math.Round(v)))
		}
		return fmt.Sprintf("%.*f", decimals, v)
	}
	return fmt.Sprintf("%s [%s–%s] %s", figure(e.Median), figure(e.Low), figure(e.High), unit)
}

func shareWords(share float64) string {
	if share < 0 {
		return "unknown: what went"
	}
	return percents(100*share) + " % of the processor time"
}

// own says how the lab's own models are.
func (t *textWriter) own(c *Checkup) {
	var own, works []string
	var bad []Model
	for _, m := range c.Models {
		switch {
		case !m.Own:
			continue
		case m.State == Works:
			works = append(works, m.Spec)
		default:
			bad = append(bad, m)
		}
		own = append(own, m.Spec)
	}
	if len(own) == 0 && c.Lab.Error == "" {
		return
	}
	t.heading("The lab's own models")
	if len(works) > 0 {
		t.para("  "+t.state(Works), strings.Join(works, ", "), lipgloss.NewStyle())
	}
	for _, m := range bad {
		t.para("  "+t.state(m.State), m.Spec+": "+brief(m.Error), lipgloss.NewStyle())
	}
	if len(own) == 0 {
		t.para("  "+t.state(Fails), c.Lab.Error, lipgloss.NewStyle())
	}
}

// state is the word for a state, as a column.
func (t *textWriter) state(s State) string {
	style := t.good
	switch s {
	case Fails:
		style = t.bad
	case Missing, Untried:
		style = t.lacked
	case Found:
		style = t.faint
	case Works:
	}
	return style.Render(string(s)) + strings.Repeat(" ", max(1, 9-len(s)))
}

// brief is an error without the log and the configuration that it quotes: the
// JSON form has all of it.
func brief(text string) string {
	lines := strings.Split(text, "\n")
	if len(lines) > 1 && strings.HasSuffix(lines[0], ":") { // what was said is below
		return lines[0] + " " + strings.TrimSpace(lines[1])
	}
	return lines[0]
}

func (t *textWriter) programs(heading string, c *Checkup, which func(*Program) bool) {
	var rows []*Program
	name, version := 0, 1
	for i := range c.Needs {
		if p := &c.Needs[i]; which(p) {
			rows = append(rows, p)
			name, version = max(name, len(p.label())), max(version, min(len(p.Version), longestVersion))
		}
	}
	if len(rows) == 0 {
		return
	}
	t.heading(heading)
	for _, p := range rows {
		said := cmp.Or(p.Version, "–")
		if len(said) > longestVersion && p.Version != "" {
			said = said[:longestVersion]
		}
		label := "  " + t.state(p.State) + p.label() + strings.Repeat(" ", name-len(p.label())+2) +
			said + strings.Repeat(" ", version-ansi.StringWidth(said)+2)
		switch p.State {
		case Missing:
			line := cmp.Or(p.Install.Line(c.Machine.Manager), "not packaged for this system that the lab knows of")
			t.para(label, line, lipgloss.NewStyle())
		case Found, Works, Fails, Untried:
			t.para(label, p.Path, t.faint)
		}
		if p.Error != "" && p.State != Missing {
			as := ""
			if p.As != "" {
				as = "as " + p.As + ": "
			}
			t.para("           ", as+brief(p.Error), t.lacked)
		}
		for _, b := range p.Behaves {
			t.para("           ", b, t.faint)
		}
	}
}

// longestVersion is how much of a version is shown: 12.2.0-14+deb12u1 is 12.2.0-14.
const longestVersion = 9

// label is the name with what kind of thing it is, where that isn't a program.
func (p *Program) label() string {
	switch p.Kind {
	case "program":
		return p.Name
	case "Apache module":
		return "mod_" + p.Name
	case "uWSGI plugin":
		return "uwsgi " + p.Name
	}
	first, _, _ := strings.Cut(p.Kind, " ")
	return strings.ToLower(first) + " " + p.Name
}

func (t *textWriter) absent(c *Checkup) {
	if len(c.Absent) == 0 {
		return
	}
	t.heading("Not to be had here")
	for _, a := range c.Absent {
		t.para("  ", a.Why, t.faint)
	}
}

// install ends with what to type.
func (t *textWriter) install(c *Checkup) {
	missing := 0
	var left []string // that the package manager doesn't have
	for _, p := range c.Needs {
		if p.State != Missing {
			continue
		}
		missing++
		if l := p.Install.Line(c.Machine.Manager); l == "" || l == composeLine {
			left = append(left, p.label())
		}
	}
	line := c.Missing.Line(c.Machine.Manager)
	switch {
	case missing == 0:
		t.heading("Nothing is missing.")
		return
	case len(left) == 0:
		t.heading(fmt.Sprintf("%d missing, none of which the lab itself needs. This installs them all:", missing))
	default:
		t.heading(fmt.Sprintf("%d missing, none of which the lab itself needs.", missing))
	}
	if len(left) > 0 {
		t.para("  ", strings.Join(left, ", ")+": not packaged for this system that the lab knows of; in containers all servers run: "+composeLine, lipgloss.NewStyle())
	}
	if line != "" && line != composeLine {
		t.line("  " + line) // whole, to be copied
	}
}
