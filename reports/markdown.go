package reports

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// A Plot is a picture of the report that stands in a file.
type Plot struct {
	Path     string // relative to the Markdown file, with slashes: "plots/wait-goodput.png"
	Caption  string // what it shows, for those who can't see it
	Scenario string // "" for a plot of the whole run
}

// Markdown writes the report as GitHub-flavoured Markdown with the plots
// embedded: each scenario's in its section, the others before them.
func Markdown(plots []Plot) Renderer {
	return func(w io.Writer, r *Report) error {
		m := &markdownWriter{plots: plots}
		m.opening(r)
		if r.Capacity != nil {
			m.capacity(r)
		} else {
			if r.Fidelity != nil {
				m.fidelity(r)
			}
			for _, b := range blocks(r) {
				m.block(r, b)
			}
			m.agreement(r)
			m.footnotes(r)
		}
		m.environment(r)
		m.linef("## Method\n\n%s\n", r.Method)
		m.reproduce(r)
		_, err := w.Write(append(bytes.TrimRight(m.Bytes(), "\n"), '\n'))
		return err
	}
}

type markdownWriter struct {
	bytes.Buffer
	plots []Plot
}

func (m *markdownWriter) linef(format string, args ...any) {
	fmt.Fprintf(&m.Buffer, format+"\n", args...)
}

func (m *markdownWriter) opening(r *Report) {
	m.linef("# %s\n", md(title(r)))
	m.linef("%s.\n", md(strings.Join(machineWords(r), ", ")))
	if a := aliases(r); a != "" {
		m.linef("%s.\n", md(a))
	}
	for _, n := range r.Notes {
		m.linef("> **Note:** %s\n", md(n))
	}
	m.linef("%s %s\n", md(legend(r)), md(terms))
	m.pictures("")
}

func (m *markdownWriter) pictures(scenario string) {
	for _, p := range m.plots {
		if p.Scenario == scenario {
			m.linef("![%s](%s)\n", md(cmp.Or(p.Caption, p.Path)), strings.NewReplacer(" ", "%20", "(", "%28", ")", "%29").Replace(p.Path))
		}
	}
}

func (m *markdownWriter) block(r *Report, b block) {
	m.linef("## %s\n", md(b.Name))
	if b.Title != "" {
		m.linef("%s\n", md(joinTitle(b.Title, b.Question)))
	}
	m.linef("%s. %s\n", md(b.setting(r)), requestWords(b))
	if b.closed {
		m.linef("%s\n", closedLoop)
	}
	traffic, costs, more := b.tables(true)
	costs.groups = append(costs.groups, b.switches())
	m.table(traffic, true)
	m.table(costs, false)
	for _, part := range more {
		m.linef("%s\n", md(part.caption))
		m.table(part, true)
	}
	for _, c := range b.cells {
		if len(c.Errors) > 0 {
			m.linef("- **%s**, errors: %s", md(c.Model), md(errorKinds(c)))
		}
		if len(c.Invalid) > 0 {
			m.linef("- **%s**: %s", md(c.Model), md(leftOut(c)))
		}
	}
	m.linef("\n**Why**\n")
	for _, c := range b.cells {
		if c.NotSpoken == "" {
			m.linef("- **%s**: %s", md(c.Model), md(c.Explanation))
		}
	}
	for _, n := range r.NoiseFloor {
		if n.Scenario == b.Name {
			m.linef("- %s", md(n.Text))
		}
	}
	m.theory(b)
	m.expectations(r, b.Name)
	m.linef("")
	m.pictures(b.Name)
}

func requestWords(b block) string {
	var all []string
	for i := range b.Requests {
		q := &b.Requests[i]
		words := fmt.Sprintf("`%s %s`", cmp.Or(q.Method, "GET"), q.Path)
		if q.Name != "" {
			words = md(q.Name) + ": " + words
		}
		all = append(all, words)
	}
	return fmt.Sprintf("%s; answer awaited for %s.", strings.Join(all, ", "), window(b.Timeout))
}

// table writes a table; rows without figures only where they are to be told.
func (m *markdownWriter) table(t table, tell bool) {
	head, rule := "| "+t.corner+" |", "|:--|"
	for _, g := range t.groups {
		for _, c := range g.columns {
			head += " " + md(g.name(c)) + " |"
			rule += "--:|"
		}
	}
	m.linef("%s\n%s", head, rule)
	for i, r := range t.rows {
		switch {
		case r.heading:
			m.linef("| **%s** |", md(r.label))
			continue
		case r.instead != "":
			if tell {
				m.linef("| %s | %s |", md(r.label), md(r.instead))
			}
			continue
		}
		line := "| " + md(r.label)
		if r.marks != "" {
			line += " " + r.marks
		}
		for _, g := range t.groups {
			for _, col := range g.columns {
				figure, tail := md(col.cells[i].figure), md(col.cells[i].tail)
				if col.best == i+1 {
					figure = "**" + figure + "**"
				}
				line += " | " + strings.TrimSpace(figure+" "+tail)
			}
		}
		m.linef("%s |", line)
	}
	m.linef("")
}

func (m *markdownWriter) footnotes(r *Report) {
	if len(r.Footnotes) == 0 {
		return
	}
	m.linef("## Footnotes\n")
	for i, n := range r.Footnotes {
		m.linef("%s %s\n", superscript(i+1), md(n))
	}
}

// environment is all that a figure needs to be compared with another.
func (m *markdownWriter) environment(r *Report) {
	env := r.Environment
	pinned, where := placed(r)
	pinned += ": " + where
	commit := cmp.Or(env.Commit, "unknown")
	if env.Modified {
		commit += ", with local changes"
	}
	steal := "unknown"
	if env.Steal >= 0 {
		steal = percent(env.Steal)
	}
	rows := [][2]string{
		{"CPU", cmp.Or(env.CPU, "unknown")}, {"cores", fixed(float64(env.Cores), 0)}, {"frequency governor", cmp.Or(env.Governor, "unknown")},
		{"stolen by the hypervisor", steal}, {"memory limit", orUnknown(env.Memory > 0, bytesFigure(env.Memory))},
		{"open files limit", orUnknown(env.FileLimit > 0, fixed(float64(env.FileLimit), 0))},
		{"system", strings.TrimSpace(cmp.Or(env.OS, "unknown") + " " + env.Kernel)}, {"Go", cmp.Or(env.GoVersion, "unknown")},
		{"commit", commit}, {"pinned", pinned}, {"seed", fmt.Sprint(r.Seed)},
		{"trials", fmt.Sprintf("%d of %d planned", r.Finished, r.Planned)},
	}
	for _, program := range slices.Sorted(maps.Keys(env.Versions)) {
		rows = append(rows, [2]string{program, env.Versions[program]})
	}
	for _, info := range r.Models {
		name := "model " + info.Label
		if info.Name != "" && !strings.HasPrefix(info.Label, info.Name) {
			name += ", which is " + info.Name
		}
		rows = append(rows, [2]string{name, cmp.Or(optionWords(info.Options), "no options")})
	}
	m.linef("## Environment\n\n| | |\n|:--|:--|")
	for _, row := range rows {
		m.linef("| %s | %s |", md(row[0]), md(row[1]))
	}
	m.linef("")
}

func orUnknown(known bool, s string) string {
	if !known {
		return "unknown"
	}
	return s
}

func optionWords(options map[string]string) string {
	words := make([]string, 0, len(options))
	for _, k := range slices.Sorted(maps.Keys(options)) {
		words = append(words, k+"="+options[k])
	}
	return strings.Join(words, ", ")
}

// reproduce gives the command, with the seed that orders the trials.
func (m *markdownWriter) reproduce(r *Report) {
	m.linef("## Do it again\n")
	if len(r.Command) == 0 {
		m.linef("The run did not record its command. Its seed was %d.", r.Seed)
		return
	}
	m.linef("```sh\n%s\n```\n\nThe seed orders the trials in the same way; the figures will differ by what the intervals say.", commandLine(r))
}

func commandLine(r *Report) string {
	words := make([]string, 0, len(r.Command)+1)
	for _, word := range r.Command {
		words = append(words, shellWord(word))
	}
	seeded := slices.ContainsFunc(r.Command, func(w string) bool { return w == "--seed" || strings.HasPrefix(w, "--seed=") })
	if !seeded {
		words = append(words, fmt.Sprintf("--seed=%d", r.Seed))
	}
	return strings.Join(words, " ")
}

func shellWord(s string) string {
	plain := s != "" && strings.IndexFunc(s, func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("-_./:=,+@%", c))
	}) < 0
	if plain {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// md escapes what Markdown would take for markup.
func md(s string) string {
	return strings.NewReplacer(`\`, `\\`, "|", `\|`, "*", `\*`, "_", `\_`, "<", "&lt;", "`", "\\`", "[", `\[`, "]", `\]`, "~", `\~`, "\n", " ", "#", `\#`).Replace(s)
}
