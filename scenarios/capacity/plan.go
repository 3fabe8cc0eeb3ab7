package capacity

import (
	"fmt"
	"math"
	"slices"
	"time"

	"gatewaylab/scenarios"
	"gatewaylab/scenarios/load"
)

// stretch is how many times longer than usual a trial may be so that it holds
// as many requests as the objective needs. It bounds how low a rate can be
// tried.
const stretch = 10

// Least is the lowest rate at which a trial, lengthened as far as it may be,
// holds as many requests as the objective needs.
func Least(o Objective, window time.Duration) float64 {
	return math.Max(ceil(float64(o.Needs())/(stretch*window.Seconds())), 0.1)
}

// ceil is Round, but never down.
func ceil(rate float64) float64 {
	v := Round(rate)
	for step := math.Pow(10, math.Floor(math.Log10(rate))-2); v < rate; v = Round(v + step) {
	}
	return v
}

// windowAt is the length of a trial at a rate: the usual, or as long as it
// takes for the objective's quantiles, and a twentieth more for chance.
func windowAt(usual time.Duration, o Objective, rate float64) time.Duration {
	need := time.Duration(1.05 * float64(o.Needs()) / rate * float64(time.Second))
	return max(usual, need.Round(time.Millisecond))
}

// AtRate is the scenario with arrivals at a constant rate in place of its load.
func AtRate(base *scenarios.Scenario, rate float64, window time.Duration, poisson bool) *scenarios.Scenario {
	s := at(base, number(rate))
	s.Stages = []load.Stage{{Shape: load.Constant, From: rate, Poisson: poisson, For: window}}
	s.Trials = 1 // at a time
	s.Text.Load = fmt.Sprintf("Requests arrive %s times a second, whether or not earlier ones were answered.", number(rate))
	return s
}

// AtUsers is the scenario with a closed loop of so many users in place of its
// load. What they think in between stays, if it is a closed loop itself.
func AtUsers(base *scenarios.Scenario, users int, window time.Duration) *scenarios.Scenario {
	s := at(base, fmt.Sprintf("%dusers", users))
	st := load.Stage{Shape: load.Users, UsersFrom: users, For: window}
	if old, ok := base.Steady(); ok && !old.Open() {
		st.Think, st.ThinkExponential = old.Think, old.ThinkExponential
	}
	s.Stages = []load.Stage{st}
	s.Text.Load = fmt.Sprintf("%d clients, each sends its next request as soon as its last was answered.", users)
	return s
}

func at(base *scenarios.Scenario, what string) *scenarios.Scenario {
	s := *base
	s.Name = base.Name + "@" + what
	s.Expect, s.Models, s.Trials = nil, nil, 0
	return &s
}

// Plan makes a plan of an inquiry: the scenario, its load replaced, put to the
// models. window is the usual length of a trial. The rest of the plan (name,
// seed, store …) is the caller's to set.
func Plan(q scenarios.Inquiry, base *scenarios.Scenario, models []*scenarios.Contestant, window time.Duration) (*scenarios.Plan, error) {
	q.Scenario = base.Name
	if q.Kind == scenarios.ByUsers {
		var all []*scenarios.Scenario
		for _, n := range q.Users {
			all = append(all, AtUsers(base, n, window))
		}
		p, err := scenarios.NewPlan(all, models, q.Agree)
		if err == nil {
			p.Inquiry = &q
		}
		return p, err
	}
	o, err := ParseObjective(q.Objective)
	if err != nil {
		return nil, err
	}
	s := &scout{q: &q, objective: o, base: base, models: models, window: window, at: map[float64]*scenarios.Scenario{}}
	first, _ := newSearch(&q).Next()
	p, err := scenarios.NewPlan([]*scenarios.Scenario{s.scenario(first)}, models, 1)
	if err != nil {
		return nil, err
	}
	p.Inquiry, p.Grow, p.Trials = &q, s.grow, q.Agree
	p.Foreseen = len(models) * (newSearch(&q).Left() - 1)
	if q.Curve {
		p.Foreseen += len(models) * q.Agree * (len(shown()) - 2)
	}
	return p, nil
}

// A scout asks for the trials of an inquiry by rate or by settings.
type scout struct {
	q         *scenarios.Inquiry
	objective Objective
	base      *scenarios.Scenario
	models    []*scenarios.Contestant
	window    time.Duration
	at        map[float64]*scenarios.Scenario // made so far
}

func (s *scout) scenario(rate float64) *scenarios.Scenario {
	if s.at[rate] == nil {
		s.at[rate] = AtRate(s.base, rate, windowAt(s.window, s.objective, rate), s.q.Poisson)
	}
	return s.at[rate]
}

// grow lets every model's search go one step on; when all are done, it asks
// for rounds of the curve.
func (s *scout) grow(so *scenarios.Result) (more []scenarios.Cell, left int) {
	traces := map[*scenarios.Contestant]*Trace{}
	budget := scenarios.MaxTargetTime - so.TargetTime()
	ask := func(m *scenarios.Contestant, rate float64) bool {
		c := scenarios.Cell{Scenario: s.scenario(rate), Contestant: m}
		if c.TargetTime() > budget {
			return false
		}
		budget -= c.TargetTime()
		more = append(more, c)
		return true
	}
	for _, m := range s.models {
		if _, refused := so.Refused[m.Label]; refused {
			continue
		}
		traces[m] = Retrace(so, m.Label)
	}
	for _, m := range s.models {
		t := traces[m]
		if t == nil {
			continue
		}
		rate, on := t.Search.Next()
		if !on || s.q.Kind == scenarios.BySettings && behind(t.Search, traces) {
			continue
		}
		if !ask(m, rate) {
			continue
		}
		left += max(0, t.Search.Left()-1)
		if s.q.Curve {
			left += s.q.Agree * (len(shown()) - 2)
		}
	}
	if len(more) > 0 || !s.q.Curve {
		return more, left
	}
	for _, m := range s.models {
		if traces[m] == nil {
			continue
		}
		for _, rate := range traces[m].curve(s.q) {
			if ask(m, rate) {
				left += s.q.Agree - 1 - traces[m].trials[rate]
			}
		}
	}
	return more, left
}

// behind says whether a setting can't be the best any more: it is confirming
// an interval that lies wholly below what another holds.
func behind(s *Search, traces map[*scenarios.Contestant]*Trace) bool {
	low, high := s.edges()
	if low == nil || high == nil || high.lean() != breaks || high.Rate/low.Rate > (1+s.Resolution)*(1+1e-9) {
		return false
	}
	for _, t := range traces {
		if best, _ := t.Search.edges(); t.Search != s && best != nil && best.Rate > high.Rate*(1+s.Resolution) {
			return true
		}
	}
	return false
}

// A Trace is a model's search as its trials tell it, and what was measured
// after it for the curve.
type Trace struct {
	Search *Search
	trials map[float64]int // all of them, by rate
}

// Retrace follows a model's search through the run's trials, in their order.
func Retrace(res *scenarios.Result, model string) *Trace {
	q := res.Inquiry
	t := &Trace{Search: newSearch(q), trials: map[float64]int{}}
	if res.Far(model) && t.Search.To > scenarios.MaxTargetRate {
		t.Search.To, t.Search.capped = scenarios.MaxTargetRate, true
	}
	o, err := ParseObjective(q.Objective)
	if err != nil {
		return t // a damaged run.json; there is nothing to follow
	}
	rates := Rates(res)
	searching := true
	for _, trial := range res.Measured { // in the order in which they were measured
		if trial.Model != model {
			continue
		}
		rate := rates[trial.Scenario]
		t.trials[rate]++
		if searching {
			_, searching = t.Search.Next()
		}
		if searching {
			out, _ := o.Judge(trial, true)
			t.Search.Add(rate, out)
		}
	}
	return t
}

// Rates are the arrival rates of the run's scenarios, by name.
func Rates(res *scenarios.Result) map[string]float64 {
	rates := map[string]float64{}
	for _, s := range res.Scenarios {
		if st, ok := s.Steady(); ok && st.Open() {
			rates[s.Name] = st.From
		}
	}
	return rates
}

// shown are the shares of the rate found at which the curve has points.
func shown() []float64 { return []float64{0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1, 1.05, 1.1, 1.2} }

// alike is how close a point of the curve may lie to one that was tried, to be
// the same.
const alike = 0.02

// curve is the rates that still lack trials for the knee.
func (t *Trace) curve(q *scenarios.Inquiry) (rates []float64) {
	f := t.Search.Finding()
	if f.Rate == 0 {
		return nil
	}
	top := t.Search.To
	if f.Limit == LimitGenerator || f.Limit == LimitVoid {
		top = f.Rate // beyond it nothing can be measured, or nothing was to be
	}
	for _, share := range shown() {
		rate := t.nearest(Round(f.Rate * share))
		if rate >= q.Least && rate <= top*(1+1e-9) && t.trials[rate] < q.Agree && !slices.Contains(rates, rate) {
			rates = append(rates, rate)
		}
	}
	return rates
}

// Lacks says whether the curve lacks trials.
func (t *Trace) Lacks(q *scenarios.Inquiry) bool { return q.Curve && len(t.curve(q)) > 0 }

// nearest is a rate that was tried and is as good as the one given, or that
// itself. Among several, the one with most trials.
func (t *Trace) nearest(rate float64) float64 {
	best, most := rate, 0
	for tried, n := range t.trials {
		if math.Abs(tried/rate-1) <= alike && (n > most || n == most && tried < best) {
			best, most = tried, n
		}
	}
	return best
}

func newSearch(q *scenarios.Inquiry) *Search {
	return &Search{From: q.From, To: q.To, Least: q.Least, Resolution: q.Resolution, Agree: q.Agree, Most: q.Most}
}
