package reports

import (
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"

	"gatewaylab/scenarios"
	"gatewaylab/scenarios/predict"
)

// PredictionSchema is the version of the JSON that lab predict prints.
const PredictionSchema = "gatewaylab/prediction/1"

// Predictions are what a plan should come to.
type Predictions struct {
	Schema  string          `json:"schema"`
	Machine predict.Machine `json:"machine"`
	Seed    uint64          `json:"seed"`   // of the simulations
	Trials  int             `json:"trials"` // simulated, whose medians these are
	Rows    []Predicted     `json:"rows"`
}

// A Predicted is one cell, or one stage of it. A figure that isn't predicted is
// absent.
type Predicted struct {
	Scenario string         `json:"scenario"`
	Model    string         `json:"model"`
	Stage    string         `json:"stage,omitempty"`
	Method   predict.Method `json:"method"`
	Name     string         `json:"name,omitempty"`
	Rests    string         `json:"rests,omitempty"`
	Why      string         `json:"why,omitempty"`

	Goodput     *float64           `json:"goodput,omitempty"` // 1/s
	Response    map[string]float64 `json:"response,omitempty"`
	Utilisation *float64           `json:"utilisation,omitempty"` // of what limits it
	Queue       *float64           `json:"queue,omitempty"`       // requests that wait, on average
	Failed      *float64           `json:"failed,omitempty"`      // share of requests; simulated only
	Left        *Left              `json:"left,omitempty"`        // simulated only; absent if nobody was
	Ended       *Ended             `json:"ended,omitempty"`       // simulated only; absent if it went on to the end
	Costs       predict.Costs      `json:"costs"`
}

// Predict predicts every cell of a plan. It ends with ctx.
func Predict(ctx context.Context, plan *scenarios.Plan, m predict.Machine, costs func(scenarios.Cell) predict.Costs) (*Predictions, error) {
	p := &Predictions{Schema: PredictionSchema, Machine: m, Seed: plan.Seed, Trials: plan.Trials}
	for _, c := range plan.Cells {
		price := costs(c)
		rows, caveats := predict.Rows(c.Scenario, c.Contestant.Configured, m, price)
		for _, one := range rows {
			row := Predicted{
				Scenario: c.Scenario.Name, Model: c.Contestant.Label, Method: one.Method, Name: one.Name, Rests: one.Rests, Why: one.Why, Costs: price,
				Goodput: finite(one.Goodput), Utilisation: finite(one.Utilisation), Queue: finite(one.Queue),
			}
			if one.Stage >= 0 {
				row.Stage = c.Scenario.Stages[one.Stage].Title(one.Stage)
			}
			for q, v := range one.Response {
				if v := v * 1e3; finite(v) != nil {
					row.set(q, v)
				}
			}
			p.Rows = append(p.Rows, row)
		}
		if err := p.simulate(ctx, plan, c, m, price, &caveats); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func finite(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

func (p *Predicted) set(quantile string, ms float64) {
	if p.Response == nil {
		p.Response = map[string]float64{}
	}
	p.Response[quantile] = ms
}

// caution stands over everything that lab predict prints.
func (p *Predictions) caution() string {
	s := fmt.Sprintf("Predicted, not measured: %s", count(uint64(p.Machine.Cores), "core"))
	if p.Machine.Shared {
		s += ", shared with the load generator"
	}
	if !slices.ContainsFunc(p.Rows, func(r Predicted) bool { return r.Costs.Known }) {
		s += ", which play no part where CPU time is left out"
	}
	for i := range p.Rows {
		if p.Rows[i].Method == predict.Simulated {
			return s + fmt.Sprintf(". Simulated: medians of %s in virtual time, seed %d.", count(uint64(p.Trials), "trial"), p.Seed)
		}
	}
	return s + "."
}

func shown(v *float64) string {
	if v == nil {
		return unknown
	}
	return said(*v)
}

func (p *Predicted) figures() []string {
	cells := []string{p.by(), shown(p.Goodput)}
	for _, q := range []string{"mean", "p50", "p90", "p99"} {
		if v, ok := p.Response[q]; ok {
			cells = append(cells, said(v))
		} else {
			cells = append(cells, unknown)
		}
	}
	busy := unknown
	if p.Utilisation != nil {
		busy = percent(*p.Utilisation)
	}
	failed := unknown
	if p.Failed != nil {
		failed = percent(*p.Failed)
	}
	return append(cells, busy, shown(p.Queue), failed)
}

func (p *Predicted) by() string {
	if p.Method == predict.Formula {
		return p.Name
	}
	return string(p.Method)
}

func (p *Predicted) label() string {
	if p.Stage == "" {
		return p.Model
	}
	return p.Model + ", " + p.Stage
}

// remark says what a row rests on, or why there is no formula.
func (p *Predicted) remark() string {
	switch p.Method {
	case predict.Formula:
		return cmp.Or(p.Rests, "nothing further taken for granted")
	case predict.Simulated:
		return "simulated; no formula applies: " + p.Why + p.besides()
	case predict.None:
	}
	return "no theory applies: " + p.Why
}

// predictionHeads are the columns of the tables.
func predictionHeads() []string {
	return []string{"by", "goodput/s", "mean, ms", "p50, ms", "p90, ms", "p99, ms", "busy", "queue", "failed"}
}

// tables are those of each scenario, in order.
func (p *Predictions) tables() (names []string, all []table) {
	for i := range p.Rows {
		r := &p.Rows[i]
		if len(names) == 0 || names[len(names)-1] != r.Scenario {
			t := table{corner: "model"}
			for _, head := range predictionHeads() {
				t.groups = append(t.groups, group{columns: []column{{head: head}}})
			}
			names, all = append(names, r.Scenario), append(all, t)
		}
		t := &all[len(all)-1]
		t.rows = append(t.rows, row{label: r.label()})
		for k, cell := range r.figures() {
			c := &t.groups[k].columns[0]
			c.cells = append(c.cells, tableCell{figure: cell})
		}
	}
	return names, all
}

// PredictionsText writes them for a terminal, as Text does.
func PredictionsText(w io.Writer, p *Predictions, o TextOptions) error {
	t := newTextWriter(max(cmp.Or(o.Width, 100), 60), o.Colour)
	t.para("", p.caution(), t.caution)
	names, all := p.tables()
	for i, tb := range all {
		t.line("")
		t.line(t.accent.Render(names[i]))
		t.table(tb)
		t.line("")
		for k := range p.Rows {
			if r := &p.Rows[k]; r.Scenario == names[i] {
				t.para("  "+r.label()+"  ", r.remark()+".", t.faint)
			}
		}
	}
	_, err := w.Write(t.Bytes())
	return err
}

// PredictionsMarkdown writes them as Markdown.
func PredictionsMarkdown(w io.Writer, p *Predictions) error {
	m := &markdownWriter{}
	m.linef("%s\n", md(p.caution()))
	names, all := p.tables()
	for i, tb := range all {
		m.linef("## %s\n", md(names[i]))
		m.table(tb, true)
		for k := range p.Rows {
			if r := &p.Rows[k]; r.Scenario == names[i] {
				m.linef("- **%s**: %s.", md(r.label()), md(r.remark()))
			}
		}
		m.linef("")
	}
	_, err := w.Write(m.Bytes())
	return err
}

// PredictionsJSON writes them as JSON.
func PredictionsJSON(w io.Writer, p *Predictions) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(p)
}

// PredictionsCSV writes a row for each; a field is empty where nothing is
// predicted.
func PredictionsCSV(w io.Writer, p *Predictions) error {
	out := csv.NewWriter(w)
	number := func(v *float64) string {
		if v == nil {
			return ""
		}
		return csvFloat(*v)
	}
	rows := [][]string{{
		"scenario", "model", "stage", "method", "name", "goodput_per_s", "response_mean_ms", "response_p50_ms", "response_p90_ms", "response_p99_ms",
		"utilisation", "queue", "failed_share", "users", "unanswered", "due", "unsent", "ended_after_s", "cores", "seed", "remark",
	}}
	for i := range p.Rows {
		r := &p.Rows[i]
		line := []string{r.Scenario, r.Model, r.Stage, string(r.Method), r.Name, number(r.Goodput)}
		for _, q := range []string{"mean", "p50", "p90", "p99"} {
			if v, ok := r.Response[q]; ok {
				line = append(line, csvFloat(v))
			} else {
				line = append(line, "")
			}
		}
		line = append(line, number(r.Utilisation), number(r.Queue), number(r.Failed))
		rows = append(rows, append(append(line, r.left()...),
			strconv.Itoa(p.Machine.Cores), strconv.FormatUint(p.Seed, 10), r.remark()))
	}
	if err := out.WriteAll(rows); err != nil {
		return fmt.Errorf("write CSV: %w", err)
	}
	return nil
}
