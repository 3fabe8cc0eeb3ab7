package reports

import (
	"fmt"
	"math"
	"slices"

	"github.com/aclements/go-moremath/stats"

	"gatewaylab/scenarios"
)

// LikeMargin and LikePoints are what counts as the same. A model that teaches the right thing may be a
// quarter off where quantities span orders of magnitude; a tenth of the
// requests more or fewer is what somebody notices.
const (
	LikeMargin = 1.25 // of a ratio, either way
	LikePoints = 0.10 // of a share, either way
)

const likeCriterion = "Same: the whole interval of model ÷ twin lies between 1/1.25 and 1.25, or, of shares, that of their difference within 10 points of 0. " +
	"Different: the whole interval lies outside. Undecided (~): it is cut by a limit, or is no interval of 95 %, which takes 4 valid trials of each. " +
	"A ceiling is c/S, what c slots can finish, or what is asked for where slots are many. " +
	"The ratio is the median of all ratios of a trial of the model to one of its twin (Hodges and Lehmann), its interval that of the Mann–Whitney test."

// A Fidelity says in what models behave like what they are models of.
type Fidelity struct {
	Title     string             `json:"title"`
	Question  string             `json:"question"`
	Margin    float64            `json:"margin"`    // of ratios that count as the same, either way
	Points    float64            `json:"points"`    // the same of differences of shares, 0 … 1
	Criterion string             `json:"criterion"` // the rule in words
	Pairs     []scenarios.Pair   `json:"pairs"`
	Rows      []Likeness         `json:"rows"` // pair by pair, situation by situation
	Count     map[Likeliness]int `json:"count"`
}

// A Likeliness is what came of holding a model against its twin.
type Likeliness string

// The outcomes.
const (
	Same      Likeliness = "same"
	Different Likeliness = "different"
	Undecided Likeliness = "undecided"
	Unknown   Likeliness = "unknown" // there is nothing to compare
)

// A Likeness is one aspect of a model and its twin in one situation.
type Likeness struct {
	Pair      string           `json:"pair"`
	Twin      string           `json:"twin"`
	Situation string           `json:"situation"`
	Aspect    scenarios.Aspect `json:"aspect"`
	// Model and Other are the two sides' own figures.
	Model Estimate `json:"model_figure"`
	Other Estimate `json:"twin_figure"`
	// By is by how much they differ: model ÷ twin, or, if Share, model − twin,
	// both 0 … 1.
	By      Estimate   `json:"by"`
	Share   bool       `json:"share"`
	Verdict Likeliness `json:"verdict"`
	Why     string     `json:"why,omitempty"`   // if unknown
	Cause   string     `json:"cause,omitempty"` // if different, and known
}

// fidelity compares the run's pairs; nil if it has none.
func fidelity(res *scenarios.Result) *Fidelity {
	if res.Suite == nil {
		return nil
	}
	f := &Fidelity{
		Title: res.Suite.Title, Question: res.Suite.Question, Margin: LikeMargin, Points: LikePoints,
		Criterion: likeCriterion, Pairs: res.Suite.Pairs, Rows: []Likeness{}, Count: map[Likeliness]int{},
	}
	for _, pair := range res.Suite.Pairs {
		for _, sc := range res.Scenarios {
			for _, a := range sc.Compare {
				row := likeness(res, pair, sc, a)
				f.Count[row.Verdict]++
				f.Rows = append(f.Rows, row)
			}
		}
	}
	return f
}

func likeness(res *scenarios.Result, pair scenarios.Pair, sc *scenarios.Scenario, a scenarios.Aspect) Likeness {
	row := Likeness{Pair: pair.Name(), Twin: pair.Twin.Label(), Situation: sc.Name, Aspect: a, Share: aspectShare(a), Verdict: Unknown}
	model, twin := infoOf(res, row.Pair), infoOf(res, row.Twin)
	m := aspectMeasure(res, sc, model, a)
	own, others := m.values(validOf(res, sc.Name, row.Pair)), m.values(validOf(res, sc.Name, row.Twin))
	row.Model, row.Other = estimate(own, aspectUnit(a)), estimate(others, aspectUnit(a))
	for _, side := range []struct {
		label string
		Estimate
	}{{row.Pair, row.Model}, {row.Twin, row.Other}} {
		if !side.Known() {
			row.Why = side.label + " has no figure"
			if why, refused := res.Refused[side.label]; refused {
				row.Why = fmt.Sprintf("%s was refused: %s", side.label, why)
			}
			return row
		}
	}
	if row.Share {
		row.By = between(own, others, func(a, b float64) float64 { return a - b })
	} else {
		if slices.Min(own) <= 0 || slices.Min(others) <= 0 {
			row.Why = "nothing was finished, so that there is no ratio"
			return row
		}
		row.By = between(own, others, func(a, b float64) float64 { return a / b })
	}
	row.Verdict = verdictOf(row.By, row.Share)
	if row.Verdict == Different {
		row.Cause = causeOf(&model, &twin, sc.Name, a)
	}
	return row
}

// verdictOf applies the criterion.
func verdictOf(by Estimate, share bool) Likeliness {
	low, high := 1/LikeMargin, float64(LikeMargin)
	if share {
		low, high = -LikePoints, LikePoints
	}
	switch {
	case by.Confidence < confidence:
		return Undecided
	case low <= by.Low && by.High <= high:
		return Same
	case by.High < low || high < by.Low:
		return Different
	}
	return Undecided
}

// between estimates by how much two samples differ: the median of what of makes
// of every pair of values (Hodges and Lehmann 1963), and the interval that the
// Mann–Whitney test doesn't reject (Moses; Hollander and Wolfe, Nonparametric
// Statistical Methods, 4.3), for which four values of each are enough at 95 %.
// The two distributions are taken to have the same shape.
func between(a, b []float64, of func(a, b float64) float64) Estimate {
	all := make([]float64, 0, len(a)*len(b))
	for _, x := range a {
		for _, y := range b {
			all = append(all, of(x, y))
		}
	}
	slices.Sort(all)
	// As many of the smallest and of the largest ratios are left out as leave
	// the interval its confidence.
	u, out := stats.UDist{N1: len(a), N2: len(b)}, 0
	holds := func(out int) float64 { return max(0, 1-2*u.CDF(float64(out))) }
	for holds(out+1) >= confidence {
		out++
	}
	mid := len(all) / 2
	e := Estimate{
		Median: all[mid], Low: all[out], High: all[len(all)-1-out],
		N: min(len(a), len(b)), Confidence: holds(out),
	}
	if len(all)%2 == 0 {
		e.Median = (all[mid-1] + all[mid]) / 2
	}
	return e
}

func infoOf(res *scenarios.Result, label string) scenarios.ModelInfo {
	for _, m := range res.Models {
		if m.Label == label {
			return m
		}
	}
	return scenarios.ModelInfo{Label: label}
}

func validOf(res *scenarios.Result, scenario, model string) (trials []*scenarios.Trial) {
	for _, t := range res.Measured {
		if t.Scenario == scenario && t.Model == model && t.Valid() {
			trials = append(trials, t)
		}
	}
	return trials
}

func aspectShare(a scenarios.Aspect) bool {
	return a == scenarios.InTime || a == scenarios.Unharmed
}

func aspectUnit(a scenarios.Aspect) string {
	switch a {
	case scenarios.Speed:
		return "1/s"
	case scenarios.Recovery:
		return "ms"
	}
	return ""
}

// aspectMeasure takes an aspect's figure from a trial of either side. A ceiling
// is the model's, after which its twin is set up.
func aspectMeasure(res *scenarios.Result, sc *scenarios.Scenario, model scenarios.ModelInfo, a scenarios.Aspect) measure {
	switch a {
	case scenarios.Ceiling:
		most := ceiling(res, sc, model)
		return func(t *scenarios.Trial) (float64, bool) { return lastGoodput(t) / most, most > 0 }
	case scenarios.Growth:
		return crowdOverAlone(func(p *scenarios.Part) float64 { return p.Response.Quantile(0.5).Seconds() })
	case scenarios.SpeedUp:
		return crowdOverAlone((*scenarios.Part).Goodput)
	case scenarios.Speed:
		return always(lastGoodput)
	case scenarios.InTime:
		return func(t *scenarios.Trial) (float64, bool) {
			return float64(t.Measured) / float64(max(t.Due, 1)), t.Due > 0
		}
	case scenarios.Unharmed:
		return func(t *scenarios.Trial) (float64, bool) { return unharmed(t, sc) }
	case scenarios.Recovery:
		return recoveryTime
	}
	return func(*scenarios.Trial) (float64, bool) { return 0, false } // of a later version
}

// ceiling is what the model can finish per second at most, or what is asked of
// it: c/S, N/S or λ.
func ceiling(res *scenarios.Result, sc *scenarios.Scenario, model scenarios.ModelInfo) float64 {
	demand := res.Demand[sc.Name]
	seconds := float64(demand.Wait+demand.Block) / 1e3
	if seconds == 0 || len(sc.Stages) == 0 {
		return 0
	}
	most := math.Inf(1)
	if model.Slots > 0 {
		most = float64(model.Slots) / seconds
	}
	if model.Threads > 0 && demand.Block > 0 {
		most = min(most, float64(model.Threads)/(float64(demand.Block)/1e3))
	}
	last := &sc.Stages[len(sc.Stages)-1]
	if last.Open() {
		return min(most, meanRate(last))
	}
	return min(most, float64(last.UsersFrom)/(seconds+last.Think.Seconds()))
}

func lastGoodput(t *scenarios.Trial) float64 {
	if n := len(t.Stages); n > 0 {
		return t.Stages[n-1].Goodput()
	}
	return t.Goodput()
}

// crowdOverAlone holds the last stage against the first.
func crowdOverAlone(of func(*scenarios.Part) float64) measure {
	return func(t *scenarios.Trial) (float64, bool) {
		if len(t.Stages) < 2 {
			return 0, false
		}
		alone, crowd := &t.Stages[0], &t.Stages[len(t.Stages)-1]
		if alone.Measured == 0 || crowd.Measured == 0 || of(alone) == 0 {
			return 0, false
		}
		return of(crowd) / of(alone), true
	}
}

// unharmed is the share of harmless requests due in the window that succeeded
// in less than Scenario.Hurt.
func unharmed(t *scenarios.Trial, sc *scenarios.Scenario) (float64, bool) {
	var well, all uint64
	for i := range t.Requests {
		p := &t.Requests[i]
		if p.Kind == "fault" {
			continue
		}
		all += p.Due
		if sc.Hurt == 0 {
			well += p.Measured
			continue
		}
		for _, bar := range p.Response.Distribution() {
			if bar.To < sc.Hurt.Microseconds() {
				well += uint64(bar.Count)
			}
		}
	}
	return float64(well) / float64(max(all, 1)), all > 0
}

// recoveryTime is the mean time to recover, in ms. Harm from which nothing was
// seen to recover counts until the end of the window: it takes longer.
func recoveryTime(t *scenarios.Trial) (float64, bool) {
	f := t.Faults
	if f == nil || f.Recovery == nil {
		return 0, false
	}
	n := float64(f.Recovery.TotalCount())
	all := n + float64(f.Unrecovered)
	return (f.Recovery.Mean()*n/1e3 + millis(f.Lost)) / max(all, 1), all > 0
}
