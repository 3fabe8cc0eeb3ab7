package scenarios

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatewaylab/servers"
)

// A Tunable is an option of the models' and the values that are tried of it, from
// the smallest, before a scenario is put to the models at their best settings: a
// comparison of one that happens to be set up well with one that isn't shows who
// set them up.
type Tunable struct {
	Option string `json:"option"`
	Values []int  `json:"values"`
}

// tunableOptions are those that a scenario can have tried.
var tunableOptions = [...]string{"workers", "threads", "pool", "db_pool"}

const (
	maxTuneValues = 8
	maxTuneValue  = 1024
	// maxCombinations bounds what one model takes, at about a second each.
	maxCombinations = 32

	tuneWarmup = 300 * time.Millisecond
	tuneWindow = 600 * time.Millisecond
	// asGood is the share of the highest goodput from which on a setting is as
	// good: of several the first one is taken, which costs least.
	asGood = 0.95
	// mostFailed is the share of failures with which a setting is none.
	mostFailed = 0.01
)

// tuned are the settings of the contestant that are to be tried: all
// combinations of those options that it has.
func (c *Contestant) tuned(options []Tunable) []servers.Spec {
	specs := []servers.Spec{c.Spec}
	for _, o := range options {
		if !c.takes(o.Option) {
			continue
		}
		var more []servers.Spec
		for _, s := range specs {
			for _, v := range o.Values {
				more = append(more, s.With(servers.Setting{Key: o.Option, Value: strconv.Itoa(v)}))
			}
		}
		specs = more
	}
	return specs
}

// takes says whether the contestant has the option. Where each process serves
// one request at a time, a larger pool of connections makes no difference.
func (c *Contestant) takes(option string) bool {
	if option == servers.PoolOption().Key {
		return c.Pools() > 0 && (c.Slots() == 0 || c.Slots() > c.Pools())
	}
	return slices.ContainsFunc(c.Model.Options, func(o servers.Option) bool { return o.Key == option })
}

// tune finds the best settings of the models of scenarios that ask for it, and
// has them measured with those.
func (r *runner) tune(ctx context.Context) error {
	if r.plan.Inquiry != nil {
		return nil // which looks for its own
	}
	for _, cell := range r.plan.Cells {
		if len(cell.Scenario.Tune) == 0 || cell.Contestant.fixed || !r.runs(cell) || ctx.Err() != nil {
			continue
		}
		if err := r.tuneCell(ctx, cell); err != nil {
			return err
		}
	}
	r.result.Models = r.plan.models()
	return r.save()
}

// An attempt is what came of one setting.
type attempt struct {
	*servers.Configured
	goodput  float64
	p50, p99 time.Duration
	failed   bool
	invalid  string // why the trial must not be believed; "" if it may
}

func (a *attempt) well() bool { return !a.failed && a.invalid == "" }

func (a *attempt) String() string {
	switch {
	case a.invalid != "":
		return fmt.Sprintf("%s is not known (%s)", a.Spec, a.invalid)
	case a.failed:
		return fmt.Sprintf("%s failed", a.Spec)
	}
	return fmt.Sprintf("%s %.0f/s (p50 %s, p99 %s)", a.Spec, a.goodput, rounded(a.p50), rounded(a.p99))
}

func rounded(d time.Duration) time.Duration {
	if d < 10*time.Millisecond {
		return d.Round(10 * time.Microsecond)
	}
	return d.Round(time.Millisecond)
}

func (r *runner) tuneCell(ctx context.Context, cell Cell) error {
	specs := cell.Contestant.tuned(cell.Scenario.Tune)
	if len(specs) < 2 {
		return nil
	}
	var all []*attempt
	for _, spec := range specs {
		c, err := servers.Resolve(spec.String())
		if err != nil {
			return fmt.Errorf("look for the best settings of %s: %w", cell.Contestant.Label, err)
		}
		r.emit(Note{At: time.Now(), Text: fmt.Sprintf("looking for the best settings of %s: %s", cell.Contestant.Label, spec)})
		a := r.try(ctx, cell, c)
		if a.invalid != "" && ctx.Err() == nil { // what disturbed it may be over
			a = r.try(ctx, cell, c)
		}
		if all = append(all, a); ctx.Err() != nil {
			return nil
		}
	}
	best := chooseBest(all)
	texts := make([]string, len(all))
	for i, a := range all {
		texts[i] = a.String()
	}
	if best == nil {
		r.note("%s: none of the settings that were tried of %s went well, so it is measured as it was given: %s",
			cell.Scenario.Name, cell.Contestant.Label, strings.Join(texts, ", "))
		return nil
	}
	cell.Contestant.Configured = best.Configured
	r.note("%s compares models at their best settings: %s is %s, the first of those tried within %.0f %% of the highest goodput, in one trial of %s each: %s.",
		cell.Scenario.Name, cell.Contestant.Label, best.Spec, 100*(1-asGood), tuneWindow, strings.Join(texts, ", "))
	return nil
}

// chooseBest is the first attempt with about the highest goodput, whatever its
// tails; nil if none went well.
func chooseBest(all []*attempt) *attempt {
	var highest float64
	for _, a := range all {
		if a.well() {
			highest = max(highest, a.goodput)
		}
	}
	for _, a := range all {
		if a.well() && a.goodput >= asGood*highest {
			return a
		}
	}
	return nil
}

// try measures a setting in a short trial, of which nothing but this is told.
func (r *runner) try(ctx context.Context, cell Cell, c *servers.Configured) *attempt {
	s := *cell.Scenario
	s.Warmup, s.Stages = tuneWarmup, slices.Clone(s.Stages[:1])
	s.Stages[0].For = tuneWindow
	on, raw := r.on, r.plan.Raw
	r.on, r.plan.Raw = nil, false
	t := r.trial(ctx, job{
		Cell{&s, &Contestant{Label: cell.Contestant.Label, Configured: c}},
		Ref{Scenario: s.Name, Model: cell.Contestant.Label, Trial: 1, Of: 1},
	})
	r.on, r.plan.Raw = on, raw
	return attemptOf(c, t)
}

func attemptOf(c *servers.Configured, t *Trial) *attempt {
	quantile := func(q float64) time.Duration {
		return time.Duration(t.Response.ValueAtQuantile(q)) * time.Microsecond
	}
	return &attempt{
		Configured: c, goodput: float64(t.Succeeded) / tuneWindow.Seconds(), p50: quantile(50), p99: quantile(99),
		failed:  t.Succeeded == 0 || float64(t.Failed) > mostFailed*float64(t.Succeeded),
		invalid: strings.Join(t.Invalid, "; "),
	}
}

// checkTune is about what is tried before the measurement.
func (s *Scenario) checkTune() *ConflictError {
	combinations := 1
	for _, o := range s.Tune {
		combinations *= len(o.Values)
	}
	switch {
	case combinations > maxCombinations:
		return conflict("tune", -1, "%d combinations would be tried of each model, more than %d", combinations, maxCombinations)
	case len(s.Tune) > 0 && !s.Closed():
		return conflict("tune", -1, "settings are told apart by the goodput of a closed loop; an open one has the same for all that keep up")
	}
	return nil
}
