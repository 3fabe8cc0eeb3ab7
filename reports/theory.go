package reports

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"gatewaylab/scenarios"
	"gatewaylab/scenarios/predict"
)

// A Held is a cell, or one stage of it, beside what theory says of it.
type Held struct {
	Part   string         `json:"part,omitempty"` // the stage's name; "" is the cell as a whole
	Method predict.Method `json:"method"`
	Name   string         `json:"name,omitempty"`  // of the formula
	Rests  string         `json:"rests,omitempty"` // what it takes for granted
	// Why is why no formula applies; with Method "none", why nothing can be
	// simulated either.
	Why      string    `json:"why,omitempty"`
	Figures  []Against `json:"figures"`
	Expected []Point   `json:"expected,omitempty"` // response times by quantile, where they are predicted
}

// An Against is one figure, predicted and measured.
type Against struct {
	Quantity  string  `json:"quantity"` // "goodput", "response mean", "response p50", …
	Unit      string  `json:"unit"`     // "1/s" or "ms"
	Predicted float64 `json:"predicted"`
	Measured  float64 `json:"measured"`
	Low       float64 `json:"low"` // to High: the measurement's interval
	High      float64 `json:"high"`
	// Percent is by how much the measurement is above the prediction.
	Percent float64 `json:"percent"`
	// Within says that the prediction lies in the measurement's interval.
	Within bool `json:"within"`

	trials int // behind the measurement
}

func (a *Against) measured() Estimate {
	return Estimate{Median: a.Measured, Low: a.Low, High: a.High, N: a.trials, Unit: a.Unit}
}

// A TheorySummary is how far predictions were from measurements in all.
type TheorySummary struct {
	Formula   Agreement `json:"formula"`
	Simulated Agreement `json:"simulated"`
}

// An Agreement is the median of the absolute differences, of all figures that
// one method predicts.
type Agreement struct {
	Figures int     `json:"figures"`
	Percent float64 `json:"percent"` // the median absolute difference
	Within  int     `json:"within"`  // of Figures, those in the measurement's interval or not more than 10 % off
}

// HoldAgainstTheory puts beside each cell of a report what theory says of it.
// What costs CPU time is taken from the run itself: D is as measured, and
// theory says what follows from it.
func HoldAgainstTheory(r *Report, res *scenarios.Result) error {
	simulated := *res
	simulated.Measured, simulated.AA, simulated.Suite = nil, false, nil
	cells := map[*Cell]*simulatedCell{}
	for _, c := range r.Cells {
		if s := c.foretell(res); s != nil {
			cells[c] = s
			simulated.Measured = append(simulated.Measured, s.trials...)
		}
	}
	if len(simulated.Measured) > 0 {
		again, err := Analyse(&simulated)
		if err != nil {
			return fmt.Errorf("hold against theory: %w", err)
		}
		for _, c := range r.Cells {
			i := slices.IndexFunc(again.Cells, func(o *Cell) bool { return o.Scenario == c.Scenario && o.Model == c.Model })
			if i >= 0 && again.Cells[i].Valid > 0 {
				c.holdAgainst(again.Cells[i], cells[c])
			}
		}
	}
	if r.Capacity != nil {
		r.Capacity.holdAgainst(res)
	}
	r.Theory = &TheorySummary{Formula: r.agreement(predict.Formula), Simulated: r.agreement(predict.Simulated)}
	return nil
}

var tooMany = fmt.Sprintf("that would be more than %.0f million requests", predict.Most/1e6)

// A simulatedCell is a cell's trials as they were simulated.
type simulatedCell struct {
	sc      *scenarios.Scenario
	trials  []*scenarios.Trial
	caveats predict.Caveats
	busy    float64 // a sum
}

// foretell predicts a cell by formulas, and simulates its trials if there is
// anything left to say; nil if not.
func (c *Cell) foretell(res *scenarios.Result) *simulatedCell {
	sc, configured, err := c.parts(res)
	if why := c.unforeseen(sc, err); why != "" {
		c.Theory = []Held{{Method: predict.None, Why: why}}
		return nil
	}
	machine, costs := c.priced(res, sc)
	rows, caveats := predict.Rows(sc, configured, machine, costs)
	for _, p := range rows {
		c.Theory = append(c.Theory, c.hold(sc, p))
	}
	if !slices.ContainsFunc(c.Theory, func(h Held) bool { return h.Method == predict.None }) {
		return nil
	}
	nor := func(why string) *simulatedCell {
		for n := range c.Theory {
			c.Theory[n].nor(why)
		}
		return nil
	}
	if c.Offered.Median*(sc.For()+sc.Warmup).Seconds()*float64(c.Valid) > predict.Most {
		return nor(tooMany)
	}
	s := &simulatedCell{sc: sc, caveats: caveats}
	for _, t := range c.Each {
		if !t.Valid {
			continue
		}
		ref := scenarios.Ref{Scenario: sc.Name, Model: c.Model, Trial: t.Trial, Of: c.Trials}
		trial, sum, err := predict.Simulate(context.Background(), sc, configured, machine, costs, ref, res.Seed)
		switch {
		case err != nil:
			return nor(strings.TrimPrefix(err.Error(), "no theory applies: "))
		case sum.Ended > 0:
			return nor(tooMany)
		}
		s.trials = append(s.trials, trial)
		s.busy += sum.Utilisation
	}
	return s
}

// unforeseen says why there is nothing to say of a cell; "" if there may be.
func (c *Cell) unforeseen(sc *scenarios.Scenario, err error) string {
	switch {
	case sc == nil:
		return "the run doesn't say what it is"
	case c.Foreign:
		return "the lab didn't start it, and how it is set up is not known"
	case c.Refused != "":
		return "the model was refused"
	case c.NotOffered:
		return "what it runs has no " + c.NotSpoken
	case c.NotSpoken != "":
		return "the protocol is not spoken"
	case c.Valid == 0:
		return "no trial was valid"
	case err != nil:
		return fmt.Sprintf("the model is not known any more: %v", err)
	}
	return ""
}

// nor says why that of which no formula says anything isn't simulated either.
func (h *Held) nor(why string) {
	if h.Method == predict.None && h.Why != why {
		h.Why += "; nor is it simulated: " + why
	}
}

// hold puts a prediction beside what was measured.
func (c *Cell) hold(sc *scenarios.Scenario, p predict.Prediction) Held {
	h := Held{Method: p.Method, Name: p.Name, Rests: p.Rests, Why: p.Why, Figures: []Against{}}
	goodput, response := c.Goodput, c.Response
	if p.Stage >= 0 {
		h.Part = sc.Stages[p.Stage].Title(p.Stage)
		if p.Stage >= len(c.Stages) {
			return h
		}
		goodput, response = c.Stages[p.Stage].Goodput, c.Stages[p.Stage].Response
	}
	if p.Method != predict.Formula {
		return h
	}
	h.add("goodput", p.Goodput, goodput)
	for _, q := range []string{"mean", "p50", "p90", "p99"} {
		if v, ok := p.Response[q]; ok {
			h.add("response "+q, v*1e3, response[q])
		}
	}
	for _, q := range quantiles() {
		if v, ok := p.Response[q.name]; ok {
			h.Expected = append(h.Expected, Point{q.q, v * 1e3})
		}
	}
	return h
}

func (h *Held) add(quantity string, predicted float64, measured Estimate) {
	if !measured.Known() || math.IsNaN(predicted) || math.IsInf(predicted, 0) {
		return
	}
	a := Against{Quantity: quantity, Unit: measured.Unit, Predicted: predicted, Measured: measured.Median, Low: measured.Low, High: measured.High, trials: measured.N,
		Within: measured.Low <= predicted && predicted <= measured.High}
	switch {
	case predicted > 0:
		a.Percent = 100 * (measured.Median/predicted - 1)
	case measured.Median > 0:
		a.Percent = 100
	}
	h.Figures = append(h.Figures, a)
}

// holdAgainst puts a simulated cell beside the measured one, where no formula
// applies.
func (c *Cell) holdAgainst(s *Cell, from *simulatedCell) {
	busy := from.busy / float64(len(from.trials))
	for i := range c.Theory {
		h := &c.Theory[i]
		if h.Method != predict.None {
			continue
		}
		if why := from.caveats.Of(stageCalled(from.sc, h.Part)); why != "" {
			h.nor(why)
			continue
		}
		goodput, response := [2]Estimate{c.Goodput, s.Goodput}, [2]map[string]Estimate{c.Response, s.Response}
		if h.Part != "" {
			k := slices.IndexFunc(c.Stages, func(p PartCell) bool { return p.Name == h.Part })
			if k < 0 || k >= len(s.Stages) {
				continue
			}
			goodput, response = [2]Estimate{c.Stages[k].Goodput, s.Stages[k].Goodput}, [2]map[string]Estimate{c.Stages[k].Response, s.Stages[k].Response}
		} else {
			h.Expected = slices.DeleteFunc(slices.Clone(s.Curve), func(p Point) bool { return from.caveats.Withholds(p.Millis/1e3, busy) })
		}
		h.Method = predict.Simulated
		h.add("goodput", goodput[1].Median, goodput[0])
		for _, q := range []string{"mean", "p50", "p90", "p99"} {
			switch e := response[1][q]; {
			case !e.Known():
			case from.caveats.Withholds(e.Median/1e3, busy):
				h.Rests = predict.Hasty
			default:
				h.add("response "+q, e.Median, response[0][q])
			}
		}
	}
}

func (r *Report) agreement(m predict.Method) Agreement {
	var a Agreement
	var off []float64
	for _, c := range r.Cells {
		for i := range c.Theory {
			if c.Theory[i].Method != m {
				continue
			}
			for _, f := range c.Theory[i].Figures {
				off = append(off, math.Abs(f.Percent))
				if f.Within || math.Abs(f.Percent) <= 10 {
					a.Within++
				}
			}
		}
	}
	if a.Figures = len(off); a.Figures > 0 {
		slices.Sort(off)
		a.Percent = (off[(len(off)-1)/2] + off[len(off)/2]) / 2
	}
	return a
}

// figure is one of a Held's by its name.
func (h *Held) figure(quantity string) (Against, bool) {
	i := slices.IndexFunc(h.Figures, func(a Against) bool { return a.Quantity == quantity })
	if i < 0 {
		return Against{}, false
	}
	return h.Figures[i], true
}

// by is the method as tables show it.
func (h *Held) by() string {
	if h.Method == predict.Formula {
		return h.Name
	}
	return string(h.Method)
}

// theory is the table of predictions beside measurements.
func (b block) theory() table {
	t := table{
		caption: "Theory: the prediction, and measured minus predicted in % of it.",
		corner:  "model",
	}
	by := column{head: "by"}
	quantities := []struct{ title, quantity, unit string }{
		{"goodput", "goodput", "1/s"}, {"mean response", "response mean", "ms"}, {"p50", "response p50", "ms"}, {"p99", "response p99", "ms"},
	}
	groups := make([]group, len(quantities))
	for i, q := range quantities {
		groups[i] = group{title: q.title, columns: []column{{head: q.unit}, {head: "off by"}}}
	}
	for _, c := range b.cells {
		for k := range c.Theory {
			h := &c.Theory[k]
			if len(h.Figures) == 0 {
				continue
			}
			label := c.Model
			if h.Part != "" {
				label += ", " + h.Part
			}
			t.rows = append(t.rows, row{label: label})
			by.cells = append(by.cells, tableCell{figure: h.by()})
			for i, q := range quantities {
				value, off := unknown, ""
				if a, ok := h.figure(q.quantity); ok {
					value, off = figure(a.Predicted), signed(a.Percent)
				}
				groups[i].columns[0].cells = append(groups[i].columns[0].cells, tableCell{figure: value})
				groups[i].columns[1].cells = append(groups[i].columns[1].cells, tableCell{figure: off})
			}
		}
	}
	if len(t.rows) == 0 {
		return table{}
	}
	t.groups = append([]group{{columns: []column{by}}}, groups...)
	return t
}

// signed is a number of per cent with its sign.
func signed(percent float64) string {
	switch s := fixed(math.Abs(percent), cmp.Compare(9.95, math.Abs(percent))&1); {
	case strings.Trim(s, "0.") == "":
		return "0 %"
	case percent < 0:
		return "−" + s + " %"
	default:
		return "+" + s + " %"
	}
}

// reasons says on what formulas rest and where there is none, a line for each
// model or stage.
func (b block) reasons() (models, texts []string) {
	for _, c := range b.cells {
		for i := range c.Theory {
			h := &c.Theory[i]
			var text string
			switch {
			case h.Method == predict.Formula && h.Rests != "":
				text = h.Name + ": " + h.Rests
			case h.Method == predict.Simulated:
				text = strings.TrimSuffix("simulated; no formula applies: "+h.Why+"; "+h.Rests, "; ")
			case h.Method == predict.None:
				text = "no theory applies: " + h.Why
			default:
				continue
			}
			if h.Part != "" {
				text = h.Part + ": " + text
			}
			models, texts = append(models, c.Model), append(texts, text+".")
		}
	}
	return models, texts
}

// agreementWords is a line about the whole run; "" where nothing was held
// against theory. It says whose CPU times the predictions rest on: those of
// another run would be a harder test.
func (r *Report) agreementWords() string {
	if r.Theory == nil {
		return ""
	}
	var parts []string
	for _, m := range []struct {
		a    Agreement
		what string
	}{{r.Theory.Formula, "by formulas"}, {r.Theory.Simulated, "by simulation, where no formula applies"}} {
		if m.a.Figures > 0 {
			parts = append(parts, fmt.Sprintf("%s %s, off by %s at the median, %s of them in the measurement's interval or within 10 %%",
				count(uint64(m.a.Figures), "figure"), m.what, percent(m.a.Percent/100), fixed(float64(m.a.Within), 0)))
		}
	}
	if len(parts) == 0 {
		return "Held against theory: no theory applies to anything here."
	}
	return "Held against theory, which takes CPU times from this run: " + strings.Join(parts, "; ") + "."
}

func (t *textWriter) agreement(r *Report) {
	if words := r.agreementWords(); words != "" {
		t.line("")
		t.para("", words, t.strong)
	}
}

func (m *markdownWriter) agreement(r *Report) {
	if words := r.agreementWords(); words != "" {
		m.linef("%s\n", md(words))
	}
}

func (t *textWriter) theory(b block) {
	models, texts := b.reasons()
	if len(models) == 0 {
		return
	}
	t.line("")
	t.line(t.strong.Render("Theory"))
	for i := range models {
		t.para("  "+models[i]+"  ", texts[i], t.faint)
	}
}

func (m *markdownWriter) theory(b block) {
	models, texts := b.reasons()
	if len(models) == 0 {
		return
	}
	m.linef("\n**Theory**\n")
	for i := range models {
		m.linef("- **%s**: %s", md(models[i]), md(texts[i]))
	}
}
