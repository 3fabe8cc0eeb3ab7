package reports

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"

	"gatewaylab/scenarios"
	"gatewaylab/scenarios/capacity"
)

// A Capacity is what a run found that looked for the load that models hold.
type Capacity struct {
	scenarios.Inquiry
	Window float64 `json:"window"` // s, the usual length of a trial
	Warmup float64 `json:"warmup"` // s
	Method string  `json:"method"`
	// Limits are the objective's conditions on quantiles of response times.
	Limits []TimeLimit `json:"limits,omitempty"`
	// Quantiles are those of response times that tables show, and Drawn those
	// that plots do: of the objective, with p50 and one of the tail.
	Quantiles []string         `json:"quantiles"`
	Drawn     []string         `json:"drawn"`
	Models    []*ModelCapacity `json:"models"` // in the order given; of settings, the best first
	// Best is the setting that holds the highest rate, Tied those that it can't
	// be told apart from: their intervals overlap.
	Best string   `json:"best,omitempty"`
	Tied []string `json:"tied,omitempty"`
	// Verdict says the same in a sentence.
	Verdict string `json:"verdict,omitempty"`
}

// A TimeLimit is one of an objective's conditions: "p99<100ms".
type TimeLimit struct {
	Text     string  `json:"text"`
	Quantile string  `json:"quantile"` // "p99"
	Millis   float64 `json:"ms"`

	q float64
}

// A ModelCapacity is what one model holds. Rates are arrivals per second; 0
// means that there is none.
type ModelCapacity struct {
	Model string `json:"model"`
	// Rate is the highest rate that more trials held than broke; Low the highest
	// that as many as had to agree held and none broke; High the lowest above it
	// that as many broke and none held. Where trials were too few to be sure of
	// an end, LowSure or HighSure is false.
	Rate     float64 `json:"rate"`
	Low      float64 `json:"low"`
	High     float64 `json:"high"`
	LowSure  bool    `json:"low_sure"`
	HighSure bool    `json:"high_sure"`
	// Limit is why there is no High: "generator", "invalid", "to", "target" (all
	// that a server which is not on this machine gets), "cut off".
	Limit  string `json:"limit,omitempty"`
	Trials int    `json:"trials"` // of the search
	// Behind says that the search was given up because another setting is
	// better whatever more trials would have said.
	Behind bool `json:"behind,omitempty"`
	// Spent says that it was given up because a server that is not on this
	// machine had been sent requests for as long as one may be.
	Spent bool `json:"spent,omitempty"`
	// Short says that for the same reason the curve after it lacks trials.
	Short  bool    `json:"short,omitempty"`
	Points []Tried `json:"points"` // in ascending order
	// USL is the law fitted to goodput by users.
	USL *USL `json:"usl,omitempty"`
	// Theory is the highest rate that it can hold, as far as theory says, beside
	// what was found; absent where that wasn't asked for.
	Theory *Held `json:"theory,omitempty"`
	// Text says what was found in a sentence or two.
	Text string `json:"text"`

	target *scenarios.TargetInfo // nil = the lab started it
}

// A Tried is one load and what came of its trials.
type Tried struct {
	Load    float64 `json:"load"` // arrivals/s, or users
	Verdict string  `json:"verdict"`
	// Trials are finished; of those Held met the objective, Broken did not,
	// Starved are invalid because the load generator could not keep up, and Void
	// for another reason.
	Trials  int      `json:"trials"`
	Held    int      `json:"held"`
	Broken  int      `json:"broken"`
	Starved int      `json:"starved"`
	Void    int      `json:"void"`
	Missed  Estimate `json:"missed"`            // share of the requests due that failed or were never sent
	Why     []string `json:"why"`               // what broke the objective, and why trials were invalid
	Invalid []string `json:"invalid,omitempty"` // of Why, what made trials invalid: it broke nothing
	broke   []string // of Why, the rest
	Cell    *Cell    `json:"-"` // all figures, of valid trials; also in Report.Cells
}

// What a point's trials say of it.
const (
	verdictHeld    = "held"
	verdictBroken  = "broken"
	verdictMixed   = "mixed"
	verdictInvalid = "invalid"
	verdictNone    = "" // there is no objective
)

const capacityMethod = "The highest rate of arrivals held within the objective is searched for: doubling until the objective breaks, then halving the interval geometrically " +
	"to the resolution, then repeating both ends until all their trials agree; where they don't, the end moves outward. " +
	"So the interval's lower end is the highest rate that every trial held, its upper the lowest above it that every trial broke. " +
	"With 6 trials each, a sign test (p = 2/2⁶ = 0.03) says that the median trial holds the one and breaks the other, with at least 95 % confidence each. " +
	"A trial that broke is repeated, best of three, before the search believes it; an invalid trial is repeated and never counts. " +
	"A quantile of the objective is of all requests due: one that failed or was never sent counts as never answered. " +
	"A load under which more and more requests are under way is broken whatever its times say. "

const usersMethod = "Each number of users is a closed loop with its own trials, in random order. The Universal Scalability Law " +
	"X(N) = γN / (1 + α(N−1) + βN(N−1)) (N. J. Gunther, Guerrilla Capacity Planning, 2007) is fitted to the goodput of all valid trials: least squares of log X, α, β ≥ 0, " +
	"by Nelder and Mead's method (gonum/optimize) from the linear solution of N/X (gonum/mat). Its intervals are 95 % percentile intervals of 600 residual bootstrap samples. "

// capacityOf reads what the run was to find out of its trials.
func capacityOf(res *scenarios.Result, r *Report) (*Capacity, error) {
	q := res.Inquiry
	c := &Capacity{Inquiry: *q, Models: []*ModelCapacity{}}
	var o capacity.Objective
	if q.Objective != "" {
		var err error
		if o, err = capacity.ParseObjective(q.Objective); err != nil {
			return nil, fmt.Errorf("the run's objective: %w", err)
		}
		for _, t := range o.Terms {
			if t.Of == "response" && t.Figure == "quantile" {
				name, _, _ := strings.Cut(t.Text(), "<")
				c.Limits = append(c.Limits, TimeLimit{t.Text(), name, t.Limit * 1e3, t.Q})
			}
		}
	}
	c.chooseQuantiles()
	if len(res.Scenarios) > 0 {
		c.Window, c.Warmup = math.Inf(1), res.Scenarios[0].Warmup.Seconds()
		for _, s := range res.Scenarios {
			c.Window = min(c.Window, s.For().Seconds())
		}
	}
	c.Method = capacityMethod
	if q.Kind == scenarios.ByUsers {
		c.Method = usersMethod
	}
	c.Method += method
	for _, info := range res.Models {
		if _, refused := res.Refused[info.Label]; refused {
			continue
		}
		m := &ModelCapacity{Model: info.Label, Points: c.tried(res, r, o, info.Label), target: info.Target}
		if q.Kind == scenarios.ByUsers {
			m.scale(res)
		} else {
			m.find(res)
		}
		c.Models = append(c.Models, m)
	}
	if q.Kind == scenarios.BySettings {
		c.choose()
	}
	for _, m := range c.Models {
		if q.Kind != scenarios.ByUsers {
			m.Text = m.words(c)
		}
	}
	return c, nil
}

// load is what a point's scenario puts on the server.
func loadOf(s *scenarios.Scenario) float64 {
	st, _ := s.Steady()
	if st.Open() {
		return st.From
	}
	return float64(st.UsersFrom)
}

// chooseQuantiles says which response times are shown: an objective's own
// before all.
func (c *Capacity) chooseQuantiles() {
	at := map[string]float64{"p50": 0.5}
	for _, l := range c.Limits {
		at[l.Quantile] = l.q
	}
	ascending := func() []string {
		return slices.SortedFunc(maps.Keys(at), func(a, b string) int { return cmp.Compare(at[a], at[b]) })
	}
	if c.Drawn = ascending(); len(c.Drawn) == 1 {
		c.Drawn = append(c.Drawn, "p99")
	}
	at["p99"] = 0.99
	c.Quantiles = ascending()
}

// tail is the rarest quantile that the objective is about, or else p99.
func (c *Capacity) tail() string { return c.Drawn[len(c.Drawn)-1] }

// tried gathers a model's points.
func (c *Capacity) tried(res *scenarios.Result, r *Report, o capacity.Objective, model string) []Tried {
	points := []Tried{}
	for _, s := range res.Scenarios {
		p := Tried{Load: loadOf(s), Why: []string{}}
		for _, cell := range r.Cells {
			if cell.Scenario == s.Name && cell.Model == model {
				p.Cell = cell
			}
		}
		var broke, invalid reasons
		var missed []float64
		var valid []*scenarios.Trial
		for _, t := range res.Measured {
			if t.Scenario != s.Name || t.Model != model {
				continue
			}
			out, because := o.Judge(t, s.Open())
			p.count(out)
			why := &invalid
			if t.Valid() {
				why = &broke
			}
			for _, b := range because {
				why.add(b)
			}
			if t.Valid() {
				valid = append(valid, t)
				lost := float64(t.Failed + t.Unsent)
				missed = append(missed, lost/max(1, lost+float64(t.Measured)))
			}
		}
		if p.Trials == 0 || p.Cell == nil {
			continue
		}
		for _, l := range c.Limits {
			if e := timing(response).quantile(l.Quantile, l.q, valid); e.Known() {
				p.Cell.Response[l.Quantile] = e
			}
		}
		p.Missed, p.broke, p.Invalid = estimate(missed, ""), broke.texts(), invalid.texts()
		p.Why = slices.Concat([]string{}, p.broke, p.Invalid)
		p.Verdict = p.verdict(len(o.Terms) > 0)
		points = append(points, p)
	}
	slices.SortFunc(points, func(a, b Tried) int { return cmp.Compare(a.Load, b.Load) })
	return points
}

func (p *Tried) count(out capacity.Outcome) {
	p.Trials++
	switch out {
	case capacity.Held:
		p.Held++
	case capacity.Broken:
		p.Broken++
	case capacity.Starved:
		p.Starved++
	default:
		p.Void++
	}
}

func (p *Tried) verdict(asked bool) string {
	switch {
	case p.Held+p.Broken == 0:
		return verdictInvalid
	case !asked:
		return verdictNone
	case p.Broken == 0:
		return verdictHeld
	case p.Held == 0:
		return verdictBroken
	}
	return verdictMixed
}

// apart matches the numbers that may differ between reasons of one kind; not
// that of a quantile, which is its name.
var apart = regexp.MustCompile(`\b[0-9]+([.,][0-9]+)*`)

// reasons say each kind of reason once, with how often.
type reasons struct {
	shapes, first []string
	times         []int
}

func (r *reasons) add(text string) {
	shape := apart.ReplaceAllString(text, "#")
	i := slices.Index(r.shapes, shape)
	if i < 0 {
		i = len(r.shapes)
		r.shapes, r.first, r.times = append(r.shapes, shape), append(r.first, text), append(r.times, 0)
	}
	r.times[i]++
}

func (r *reasons) texts() []string {
	all := make([]string, len(r.first))
	for i, text := range r.first {
		all[i] = text
		if r.times[i] > 1 {
			all[i] += fmt.Sprintf(" (and in %s like it)", count(r.times[i]-1, "trial"))
		}
	}
	return all
}

// find retraces the model's search.
func (m *ModelCapacity) find(res *scenarios.Result) {
	trace := capacity.Retrace(res, m.Model)
	f := trace.Search.Finding()
	m.Rate, m.Low, m.High, m.LowSure, m.HighSure = f.Rate, f.Low, f.High, f.LowSure, f.HighSure
	m.Limit, m.Trials = f.Limit, f.Trials
	stopped := f.Cut && f.Trials < res.Inquiry.Most && res.State == stateComplete
	m.Behind = stopped && res.Inquiry.Kind == scenarios.BySettings && f.Limit == capacity.LimitNone
	m.Spent = stopped && res.Far(m.Model)
	m.Short = !m.Spent && res.State == stateComplete && res.Far(m.Model) && trace.Lacks(res.Inquiry)
}

// scale fits the law to the goodput of the model's valid trials.
func (m *ModelCapacity) scale(res *scenarios.Result) {
	users := map[string]float64{}
	for _, s := range res.Scenarios {
		users[s.Name] = loadOf(s)
	}
	var points []point
	for _, t := range res.Measured {
		if t.Model == m.Model && t.Valid() {
			points = append(points, point{users[t.Scenario], t.Goodput()})
		}
	}
	m.USL = fitUSL(points, res.Seed)
	m.Text = m.USL.Text
	if m.USL.Why != "" {
		m.Text = "No law is fitted: " + m.USL.Why + "."
	}
	held := 0.0
	for _, p := range m.Points {
		if p.Verdict != verdictHeld {
			break
		}
		held = p.Load
	}
	if res.Inquiry.Objective != "" {
		m.Rate = held
		if held > 0 {
			m.Text += fmt.Sprintf(" The objective is held up to %s.", count(int(held), "user"))
		} else {
			m.Text += " The objective is held with no number of users."
		}
	}
}

// choose ranks settings by the rate they hold, and says which can't be told
// apart from the best.
func (c *Capacity) choose() {
	slices.SortStableFunc(c.Models, func(a, b *ModelCapacity) int {
		return cmp.Or(cmp.Compare(b.Rate, a.Rate), cmp.Compare(b.Low, a.Low))
	})
	var unknown []string // for all that was seen, one of them may be the best
	for _, m := range c.Models {
		switch best := c.Models[0]; {
		case m.Rate == 0 && m.High == 0:
			unknown = append(unknown, m.Model)
		case m.Rate == 0:
		case m == best:
			c.Best = m.Model
		case m.High == 0 || m.High > best.Low:
			c.Tied = append(c.Tied, m.Model)
		}
	}
	if len(unknown) == len(c.Models) {
		c.Verdict = "Nothing is known of any setting: no trial was valid."
		return
	}
	c.Verdict = c.verdict()
	if len(unknown) > 0 {
		c.Verdict += fmt.Sprintf(" Nothing is known of %s: no trial was valid.", strings.Join(unknown, ", "))
	}
}

// verdict says which setting is the best.
func (c *Capacity) verdict() string {
	best := c.Models[0]
	held := strings.Replace(best.Held(), "≥", "at least", 1)
	switch {
	case c.Best == "":
		return "No setting holds the objective at any rate that was tried."
	case len(c.Models) == 1:
		return fmt.Sprintf("%s holds %s/s; there is no other setting to compare it with.", best.Model, held)
	case len(c.Tied) == 0:
		return fmt.Sprintf("%s is the best setting: it holds %s/s, and no other's interval reaches that.", best.Model, held)
	}
	return fmt.Sprintf("%s holds most, %s/s, but can't be told apart from %s: their intervals overlap. Take the one that costs least, or run longer trials (--for) and a finer --resolution.",
		best.Model, held, strings.Join(c.Tied, ", "))
}
