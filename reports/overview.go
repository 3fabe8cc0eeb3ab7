package reports

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"gatewaylab/scenarios/predict"
)

// Overview writes a page of Markdown that sets all models against all scenarios,
// for documentation of runs of many: what was measured where, three tables, and
// how to read them. Models stand in their groups.
func Overview(w io.Writer, r *Report) error {
	if r.Capacity != nil || r.Fidelity != nil {
		return errors.New("an overview sets models against scenarios, and this run did something else; --format md shows what it found")
	}
	o := &overview{report: r, blocks: blocks(r)}
	o.linef("# %s\n", md(title(r)))
	o.setting()
	o.linef("## Goodput\n\nSuccessful responses per second.\n")
	o.table(o.goodput(), true)
	o.linef("## Response time\n\np50 / p99, in ms.\n")
	o.table(o.grid(func(_ block, c *Cell) tableCell {
		return pair(c.Response["p50"], c.Response["p99"])
	}), true)
	o.linef("## Costs\n\nCPU time per request, in ms / peak memory, in MiB.\n")
	o.table(o.grid(func(_ block, c *Cell) tableCell {
		return pair(c.CPUPerRequest, c.Memory)
	}), true)
	o.reading()
	o.held()
	o.remarks()
	_, err := w.Write(append(bytes.TrimRight(o.Bytes(), "\n"), '\n'))
	return err
}

type overview struct {
	markdownWriter
	report *Report
	blocks []block
	notes  footnotes // of the page, in the order in which it refers to them
}

// setting is what the figures depend on beside models and scenarios.
func (o *overview) setting() {
	r, env := o.report, o.report.Environment
	commit := cmp.Or(env.Commit, "unknown")
	if env.Modified {
		commit += ", with local changes"
	}
	sharing := "shared by server and load generator"
	if r.Pinned {
		sharing = "server and load generator on cores of their own"
	}
	rows := [][2]string{
		{"processor", cmp.Or(env.CPU, "unknown")},
		{"cores", fmt.Sprintf("%d, %s", env.Cores, sharing)},
		{"memory", orUnknown(env.Memory > 0, bytesFigure(env.Memory))},
		{"system", strings.TrimSpace(cmp.Or(env.OS, "unknown") + " " + env.Kernel)},
		{"trials", fmt.Sprintf("%d of %d, in an order drawn with seed %d", r.Finished, r.Planned, r.Seed)},
		{"lab", fmt.Sprintf("commit %s, %s", commit, cmp.Or(env.GoVersion, "unknown Go"))},
	}
	if len(env.Versions) > 0 {
		var programs []string
		for _, name := range slices.Sorted(maps.Keys(env.Versions)) {
			if v := env.Versions[name]; v != "unknown" { // a module's, which is its server's
				programs = append(programs, name+" "+v)
			}
		}
		rows = append(rows, [2]string{"programs", strings.Join(programs, ", ")})
	}
	if a := aliases(r); a != "" {
		rows = append(rows, [2]string{"names", a})
	}
	o.linef("| | |\n|:--|:--|")
	for _, row := range rows {
		o.linef("| %s | %s |", md(row[0]), md(row[1]))
	}
	o.linef("")
	if len(r.Command) > 0 {
		o.linef("```sh\n%s\n```\n", commandLine(r))
	}
	for _, n := range r.Notes[:r.caveats] {
		o.linef("> **Note:** %s\n", md(n))
	}
}

// grid has a row for each model and a column for each scenario.
func (o *overview) grid(figures func(block, *Cell) tableCell) table {
	t := table{corner: "model"}
	columns := make([]column, len(o.blocks))
	for i, b := range o.blocks {
		columns[i].head = b.Name
	}
	add := func(r row, of func(block) tableCell) {
		t.rows = append(t.rows, r)
		for i, b := range o.blocks {
			columns[i].cells = append(columns[i].cells, of(b))
		}
	}
	for _, g := range o.report.Groups {
		if len(o.report.Groups) > 1 {
			add(row{label: g.title(), heading: true}, func(block) tableCell { return tableCell{} })
		}
		for _, model := range g.Models {
			add(row{label: model}, func(b block) tableCell {
				c := b.cell(model)
				if word, why := c.absence(); word != "" {
					return tableCell{figure: unbroken(word + " " + superscript(o.note(why)))}
				}
				return figures(b, c)
			})
		}
	}
	t.groups = []group{{columns: columns}}
	return t
}

// goodput is the grid in which the highest of each column stands out, unless it
// can't be told from any other.
func (o *overview) goodput() table {
	t := o.grid(func(b block, c *Cell) tableCell {
		cell := withInterval(c.Goodput)
		switch {
		case c.Compared || b.leads(c):
		case c.undecided():
			cell.tail += " " + untold
		default:
			cell.tail += " " + tie
		}
		if marks := o.marks(c); marks != "" {
			cell.tail += " " + marks
		}
		cell.tail = unbroken(strings.ReplaceAll(cell.tail, "–", "–\u2060")) // a line can end behind a dash, too
		return cell
	})
	for i, b := range o.blocks {
		for k, r := range t.rows {
			if c := b.cell(r.label); c != nil && !r.heading && b.leads(c) {
				t.groups[0].columns[i].best = k + 1
			}
		}
	}
	return t
}

// note is the number of the page's footnote that says the text.
func (o *overview) note(text string) int {
	shape := text
	if strings.HasPrefix(text, trialsLeftOut) { // by how much is in the full report
		shape = numbers.ReplaceAllString(text, "#")
	}
	return o.notes.number(text, shape)
}

// marks are the numbers of what must be said about the cell's figures.
func (o *overview) marks(c *Cell) string {
	var all []int
	if len(c.Invalid) > 0 {
		all = append(all, o.note(c.whyLeftOut()))
	}
	if failures := c.failures(); failures != "" {
		all = append(all, o.note(failures))
	}
	for _, n := range c.doubts {
		all = append(all, o.note(o.report.Footnotes[n-1]))
	}
	slices.Sort(all)
	var marks []string
	for _, n := range slices.Compact(all) {
		marks = append(marks, superscript(n))
	}
	return strings.Join(marks, "·")
}

// reading says what the tables show, and what each scenario asks.
func (o *overview) reading() {
	r := o.report
	o.linef("## How to read it\n")
	o.linef("Figures are medians over trials; \\[low–high\\] and ± (its longer arm) are their %s interval. "+
		"**Bold**: the highest of its column; %s: not told apart from it; %s: too few trials to tell; %s: not known, or too few answers to tell; ¹: footnote. "+
		"Response time counts from when a request was due to the end of its answer; CPU and memory are of the server's whole process tree.\n",
		percent(r.Confidence), md(tie), untold, unknown)
	for _, b := range o.blocks {
		o.linef("- **%s**: %s. %s", md(b.Name), md(b.setting(r)), md(cmp.Or(b.Question, b.Title)))
	}
	o.linef("")
}

// held is what theory says, where the report was held against it.
func (o *overview) held() {
	if o.report.Theory == nil {
		return
	}
	o.linef("## Held against theory\n")
	if t := o.theory(); len(t.rows) > 0 {
		o.linef("Predicted, measured, and measured minus predicted in %% of the prediction.\n")
		o.table(t, true)
	}
	o.agreement(o.report)
	for _, line := range o.unforeseen() {
		o.linef("- %s", md(line))
	}
	o.linef("")
}

func (o *overview) theory() table {
	t := table{corner: "model"}
	by := column{head: "by"}
	quantities := []struct{ title, quantity, unit string }{{"goodput", "goodput", "1/s"}, {"mean response", "response mean", "ms"}}
	groups := make([]group, len(quantities))
	for i, q := range quantities {
		groups[i] = group{title: q.title, columns: []column{{head: "predicted", unit: q.unit}, {head: "measured", unit: q.unit}, {head: "off by"}}}
	}
	add := func(r row, method string, h *Held) {
		t.rows = append(t.rows, r)
		by.cells = append(by.cells, tableCell{figure: method})
		for i, q := range quantities {
			cells := [3]tableCell{{figure: unknown}, {figure: unknown}, {figure: unknown}}
			if a, ok := h.figure(q.quantity); ok {
				cells = [3]tableCell{{figure: figure(a.Predicted)}, withInterval(a.measured()), {figure: signed(a.Percent)}}
			}
			for k := range cells {
				groups[i].columns[k].cells = append(groups[i].columns[k].cells, cells[k])
			}
		}
	}
	for _, b := range o.blocks {
		headed := false
		for _, model := range o.report.grouped() {
			c := b.cell(model)
			if c == nil {
				continue
			}
			for i := range c.Theory {
				h := &c.Theory[i]
				if len(h.Figures) == 0 {
					continue
				}
				if !headed {
					add(row{label: b.Name, heading: true}, "", &Held{})
					headed = true
				}
				label := model
				if h.Part != "" {
					label += ", " + h.Part
				}
				add(row{label: label}, h.by(), h)
			}
		}
	}
	t.groups = append([]group{{columns: []column{by}}}, groups...)
	return t
}

// unforeseen is a line for each reason for which no theory applies to measured
// cells.
func (o *overview) unforeseen() []string {
	var reasons []string
	of := map[string][]string{} // by reason, a part for each scenario
	for _, b := range o.blocks {
		models := map[string][]string{}
		for _, model := range o.report.grouped() {
			c := b.cell(model)
			if word, _ := c.absence(); word != "" {
				continue
			}
			for i := range c.Theory {
				h := &c.Theory[i]
				if h.Method != predict.None {
					continue
				}
				label := model
				if h.Part != "" {
					label += " in " + h.Part
				}
				if models[h.Why] == nil && of[h.Why] == nil {
					reasons = append(reasons, h.Why)
				}
				models[h.Why] = append(models[h.Why], label)
			}
		}
		for why, labels := range models {
			of[why] = append(of[why], fmt.Sprintf("%s: %s", b.Name, strings.Join(labels, ", ")))
		}
	}
	var lines []string
	for _, why := range reasons {
		lines = append(lines, fmt.Sprintf("no theory applies: %s (%s)", why, strings.Join(of[why], "; ")))
	}
	return lines
}

// remarks are the footnotes, and what happened on the way.
func (o *overview) remarks() {
	if texts := o.notes.texts(); len(texts) > 0 {
		o.linef("## Footnotes\n")
		for i, n := range texts {
			o.linef("%s %s\n", superscript(i+1), md(n))
		}
	}
	if notes := o.report.Notes[o.report.caveats:]; len(notes) > 0 {
		o.linef("## What happened on the way\n")
		for _, n := range notes {
			o.linef("- %s", md(firstLine(n)))
		}
	}
}

// firstLine is what a text says before it quotes logs and configurations.
func firstLine(s string) string {
	line, rest, _ := strings.Cut(s, "\n")
	if rest != "" {
		line = strings.TrimRight(line, ": ") + " …"
	}
	return line
}

func (b block) cell(model string) *Cell {
	i := slices.IndexFunc(b.cells, func(c *Cell) bool { return c.Model == model })
	if i < 0 {
		return nil
	}
	return b.cells[i]
}

// pair shows two figures in one cell.
func pair(a, b Estimate) tableCell {
	if !a.Known() && !b.Known() {
		return tableCell{figure: unknown}
	}
	words := func(e Estimate) string {
		c := withSpread(e)
		return strings.TrimSpace(c.figure + " " + c.tail)
	}
	return tableCell{figure: unbroken(words(a)+" /") + " " + unbroken(words(b))}
}

// unbroken keeps a text on one line where columns are narrow.
func unbroken(s string) string { return strings.ReplaceAll(s, " ", "\u00a0") }

// leads says whether the cell has the highest goodput of the scenario and can be
// told apart from some other.
func (b block) leads(c *Cell) bool {
	return c.Rank == 1 && slices.ContainsFunc(b.cells, func(o *Cell) bool { return o.Rank > 1 && !slices.Contains(c.Tied, o.Model) })
}

// absence is why a cell has no figures, in a word or two and in a clause; "" if
// it has some. A scenario with models of its own has no cell of others.
func (c *Cell) absence() (word, why string) {
	switch {
	case c == nil:
		return "not asked", "the scenario has models of its own, of which this is none"
	case c.Refused != "":
		return "refused", firstLine(c.Refused)
	case c.NotOffered:
		return "not offered", "what it runs has no " + c.NotSpoken
	case c.NotSpoken != "":
		return "not spoken", "the protocol is not spoken, the answer was: " + c.NotSpoken
	case c.Trials == 0:
		return "not reached", "the run ended before the first trial"
	case c.Valid == 0:
		return "no valid trial", c.whyLeftOut()
	}
	return "", ""
}

const trialsLeftOut = "trials left out as not valid: "

// whyLeftOut says why trials are not valid, but not which they are.
func (c *Cell) whyLeftOut() string {
	reasons := make([]string, len(c.Invalid))
	for i, why := range c.Invalid {
		_, why, _ = strings.Cut(why, ": ")
		reasons[i], _, _ = strings.Cut(why, " (the numbers are")
	}
	return trialsLeftOut + strings.Join(reasons, "; ")
}

// failures says what failed and what was never sent; "" if all went well.
func (c *Cell) failures() string {
	var parts []string
	if kinds := errorKinds(c); kinds != "" {
		parts = append(parts, "errors: "+kinds)
	}
	if c.Unsent > 0 {
		parts = append(parts, fixed(float64(c.Unsent), 0)+" due and never sent")
	}
	return strings.Join(parts, "; ")
}

func (g *ModelGroup) title() string {
	return map[ModelKind]string{
		BuiltIn: "built-in models", Real: "real servers", Target: "servers that the lab didn't start", Unheard: "models that this lab doesn't know",
	}[g.Kind]
}
