package reports

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gatewaylab/scenarios"
)

// method states the rules by which Analyse works, for readers of a report.
const method = "Every figure is computed for each trial; shown are the median over the valid trials and, as [low–high] or ±, " +
	"an interval that holds the true median with at least 95 % confidence, made of order statistics so that no distribution is assumed; ± is its longer arm. " +
	"That takes 6 trials; with fewer, the interval spans the lowest and highest trial, of one trial there is none, and no model is called faster: \"?\". " +
	"Two models are told apart when a Mann–Whitney U test gives p < 0.05 and their intervals don't overlap; otherwise the report says \"~\". " +
	"The ratio is goodput over that of the scenario's fastest model. " +
	"Response time counts from when a request was due to the last byte of its answer, service time from when it was sent, " +
	"first byte from when it was sent to the first byte of the answer; all are of successful responses alone, " +
	"and errors and requests that were due but never sent stand beside them. " +
	"A quantile q is shown when each trial has at least 1/(1−q) successful responses and all together 5/(1−q): " +
	"p99 takes 100 and 500, p99.9 takes 1,000 and 5,000; so it is for the stages, kinds of request and crowds of a scenario. " +
	"What clients beside the load did, and what requests meant to do harm got, is in none of the load's figures; CPU and memory are of everything. " +
	"CPU is user + system time of the server's whole process tree in the window, per successful response that ended in it; " +
	"memory, processes, threads and open files are peaks of the tree; connections are per request sent. " +
	"Context switches are not known for a model that starts a process for each request. " +
	"Invalid trials enter no figure and are listed with the reason."

const mib = 1 << 20

// Analyse computes everything that is said about a run from its trials. It
// keeps no reference to them. A run that was cut off is analysed as far as it
// got; an error means that the run contradicts itself.
func Analyse(res *scenarios.Result) (*Report, error) {
	if err := check(res); err != nil {
		return nil, fmt.Errorf("analyse run %q: %w", res.Name, err)
	}
	r := &Report{
		Schema: JSONSchema, Name: res.Name, Started: res.Started, State: res.State,
		Seed: res.Seed, Trials: res.Trials, Planned: res.Planned, Finished: len(res.Measured),
		Quick: res.Quick, AA: res.AA, Pinned: res.Pinned,
		Confidence: confidence, Method: method, Command: res.Command,
		Environment: res.Environment, Scenarios: res.Scenarios, Models: res.Models, Groups: groups(res.Models),
		Notes: caveats(res), Footnotes: []string{}, Cells: []*Cell{},
	}
	r.caveats = len(r.Notes)
	r.Notes = append(r.Notes, res.Notes...)
	var notes footnotes
	for _, sc := range res.Scenarios {
		group := make([]*cellTrials, 0, len(res.Models))
		for _, m := range res.Models {
			if c := newCellTrials(res, sc, m); c.Trials > 0 || c.NotSpoken != "" || wanted(res, sc, m) {
				group = append(group, c)
			}
		}
		rank(group)
		tails(group)
		for _, c := range group {
			r.Cells = append(r.Cells, c.finish(res, &notes))
		}
		if res.AA {
			r.NoiseFloor = append(r.NoiseFloor, noiseFloor(sc.Name, group)...)
		}
	}
	r.Footnotes = notes.texts()
	r.Expectations = Expectations(r)
	r.Fidelity = fidelity(res)
	if res.Inquiry != nil {
		var err error
		if r.Capacity, err = capacityOf(res, r); err != nil {
			return nil, fmt.Errorf("analyse run %q: %w", res.Name, err)
		}
		r.Method = r.Capacity.Method
	}
	return r, nil
}

func check(res *scenarios.Result) error {
	if len(res.Scenarios) == 0 || len(res.Models) == 0 {
		return errors.New("it names no scenario or no model: is run.json complete?")
	}
	for _, t := range res.Measured {
		known := slices.ContainsFunc(res.Scenarios, func(s *scenarios.Scenario) bool { return s.Name == t.Scenario }) &&
			slices.ContainsFunc(res.Models, func(m scenarios.ModelInfo) bool { return m.Label == t.Model })
		if !known {
			return fmt.Errorf("trial %d of %s under %s: run.json doesn't name that cell; do its trials belong to another run?", t.Trial, t.Model, t.Scenario)
		}
		if t.Valid() && t.Window <= 0 {
			return fmt.Errorf("trial %d of %s under %s: valid, but with a measuring window of %v", t.Trial, t.Model, t.Scenario, t.Window)
		}
	}
	return nil
}

// wanted says whether a cell without trials is missing. Where scenarios bring
// models of their own, it isn't if the model is another scenario's.
func wanted(res *scenarios.Result, sc *scenarios.Scenario, m scenarios.ModelInfo) bool {
	crossed := 0
	for _, sc := range res.Scenarios {
		crossed += len(res.Models) * planned(sc, res.Trials)
	}
	if res.Planned == 0 || res.Planned >= crossed {
		return true
	}
	_, refused := res.Refused[m.Label]
	return (refused || res.State != stateComplete) && slices.ContainsFunc(sc.Models, func(e scenarios.Entry) bool {
		return m.Label == e.As || e.As == "" && (m.Label == e.Spec || m.Spec == e.Spec)
	})
}

// planned is how many trials a cell of the scenario was to have.
func planned(sc *scenarios.Scenario, usual int) int { return cmp.Or(sc.Trials, usual) }

// cellTrials is a cell on its way to being finished.
type cellTrials struct {
	*Cell
	scenario *scenarios.Scenario
	model    scenarios.ModelInfo
	trials   []*scenarios.Trial // all finished, by number
	valid    []*scenarios.Trial
	starved  []string // models too short of trials to be told apart from this one
	tail     bool     // some model of the scenario shows p99.9
}

func newCellTrials(res *scenarios.Result, sc *scenarios.Scenario, m scenarios.ModelInfo) *cellTrials {
	c := &cellTrials{scenario: sc, model: m, Cell: &Cell{
		Scenario: sc.Name, Model: m.Label, P: 1,
		NotSpoken:  cmp.Or(res.NotSpoken[sc.Name][m.Label], res.NotOffered[sc.Name][m.Label]),
		NotOffered: res.NotOffered[sc.Name][m.Label] != "",
		Errors:     map[string]uint64{}, Tied: []string{}, Warnings: []string{}, Notes: []int{}, Invalid: []string{},
	}}
	for _, t := range res.Measured {
		if t.Scenario == sc.Name && t.Model == m.Label {
			c.trials = append(c.trials, t)
		}
	}
	slices.SortStableFunc(c.trials, func(a, b *scenarios.Trial) int { return cmp.Compare(a.Trial, b.Trial) })
	for _, t := range c.trials {
		if t.Valid() {
			c.valid = append(c.valid, t)
		}
	}
	c.Invalid = invalidReasons(c.trials)
	if len(c.trials) == 0 {
		c.Refused = res.Refused[m.Label]
	}
	c.Foreign = m.Target != nil
	c.Trials, c.Valid = len(c.trials), len(c.valid)
	c.measureTraffic()
	c.measureCost()
	return c
}

// invalidReasons says each reason once, after the trials that it holds for.
// Reasons that differ in their numbers only are one; the first is quoted.
func invalidReasons(trials []*scenarios.Trial) []string {
	type reason struct {
		shape, first string
		of           []string
		differ       bool
	}
	var found []*reason
	for _, t := range trials {
		for _, why := range t.Invalid {
			shape := numbers.ReplaceAllString(why, "#")
			i := slices.IndexFunc(found, func(r *reason) bool { return r.shape == shape })
			if i < 0 {
				i = len(found)
				found = append(found, &reason{shape: shape, first: why})
			}
			r := found[i]
			r.of = append(r.of, strconv.Itoa(t.Trial))
			r.differ = r.differ || why != r.first
		}
	}
	texts := make([]string, 0, len(found))
	for _, r := range found {
		text := fmt.Sprintf("%s %s: %s", oneOr(len(r.of), "trial", "trials"), strings.Join(r.of, ", "), r.first)
		if r.differ {
			text += " (the numbers are those of trial " + r.of[0] + ")"
		}
		texts = append(texts, text)
	}
	return texts
}

func cpuPerRequest() measure {
	return seen(perSuccess(func(t *scenarios.Trial) float64 { return millis(t.Server.CPU) }))
}

func goodput() measure { return always((*scenarios.Trial).Goodput) }

func (c *cellTrials) measureTraffic() {
	c.Goodput = goodput().over(c.valid, "1/s")
	c.Attempted = always((*scenarios.Trial).Attempted).over(c.valid, "1/s")
	c.Offered = always((*scenarios.Trial).Offered).over(c.valid, "1/s")
	c.Response = timing(response).summary(c.valid)
	c.Service = timing(service).summary(c.valid)
	c.FirstByte = timing(firstByte).summary(c.valid)
	c.Lag = map[string]Estimate{}
	if !c.closed() {
		c.Lag = timing(lag).summary(c.valid)
	}
	c.Gaps = timing(func(t *scenarios.Trial) *scenarios.Histogram { return t.Gaps }).summary(c.valid)
	c.Stages = parts(c.valid, func(t *scenarios.Trial) []scenarios.Part { return t.Stages })
	c.Requests = parts(c.valid, func(t *scenarios.Trial) []scenarios.Part { return t.Requests })
	c.Beside = parts(c.valid, func(t *scenarios.Trial) []scenarios.Part { return t.Beside })
	c.Faults = faults(c.valid)
	c.Backing = backings(c.valid)
	c.shares = newShares(c.Cell, c.valid)
	for _, t := range c.valid {
		c.Samples += int(timing(response).count(t))
		c.Unsent += t.Unsent
		for kind, n := range t.Errors {
			c.Errors[kind] += n
			c.Failed += n
		}
	}
	c.Curve = timing(response).curve(c.valid)
	c.Series = merge(c.valid)
	c.Each = each(c.trials)
}

func (c *cellTrials) measureCost() {
	perWindow := func(cpu func(*scenarios.Trial) float64) func(*scenarios.Trial) float64 {
		return func(t *scenarios.Trial) float64 { return cpu(t) / t.Window.Seconds() }
	}
	peak := func(n func(*scenarios.Trial) float64) Estimate { return positive(n).over(c.valid, "") }

	c.CPUPerRequest = cpuPerRequest().over(c.valid, "ms")
	c.ServerCPU = seen(always(perWindow(func(t *scenarios.Trial) float64 { return t.Server.CPU.Seconds() }))).over(c.valid, "cores")
	c.GeneratorCPU = always(perWindow(func(t *scenarios.Trial) float64 { return t.Generator.CPU.Seconds() })).over(c.valid, "cores")
	c.Memory = positive(func(t *scenarios.Trial) float64 { return float64(t.Server.PeakMemory) / mib }).over(c.valid, "MiB")
	c.Processes = peak(func(t *scenarios.Trial) float64 { return float64(t.Server.Processes) })
	c.Threads = peak(func(t *scenarios.Trial) float64 { return float64(t.Server.Threads) })
	c.Files = peak(func(t *scenarios.Trial) float64 { return float64(t.Server.Files) })
	c.ConnectionsPerRequest = measure(func(t *scenarios.Trial) (float64, bool) {
		return float64(t.Generator.Connections) / float64(max(t.Sent, 1)), t.Sent > 0
	}).over(c.valid, "")
	if c.model.PerRequest != perRequestProcess {
		c.SwitchesPerRequest = seen(perSuccess(func(t *scenarios.Trial) float64 {
			return float64(t.Server.Voluntary + t.Server.Involuntary)
		})).over(c.valid, "")
	}
	c.Restarts = seen(always(func(t *scenarios.Trial) float64 { return float64(t.Server.Restarts) })).over(c.valid, "")
	for _, t := range c.valid {
		c.MemoryKind = cmp.Or(c.MemoryKind, t.Server.MemoryKind)
	}
}

// rank orders the cells of one scenario by median goodput and says which of
// them can be told apart.
func rank(group []*cellTrials) {
	var ranked []*cellTrials
	for _, c := range group {
		if c.Goodput.Known() {
			ranked = append(ranked, c)
		}
	}
	slices.SortStableFunc(ranked, func(a, b *cellTrials) int { return cmp.Compare(b.Goodput.Median, a.Goodput.Median) })
	for i, c := range ranked {
		c.Rank = i + 1
		if top := ranked[0].Goodput.Median; top > 0 {
			c.Ratio = c.Goodput.Median / top
		}
	}
	for i, a := range ranked {
		for _, b := range ranked[i+1:] {
			p, apart := compare(goodput().values(a.valid), goodput().values(b.valid))
			if !apart {
				a.Tied, b.Tied = append(a.Tied, b.Model), append(b.Tied, a.Model)
				if b.Valid < minTrials {
					a.starved = append(a.starved, b.Model)
				}
				if min(a.Valid, b.Valid) < minTrials {
					a.Untested, b.Untested = append(a.Untested, b.Model), append(b.Untested, a.Model)
					b.untested = b.untested || i == 0
				}
			}
			if i > 0 {
				continue
			}
			b.P, b.Compared = p, apart
			if b == ranked[1] || p > a.P {
				a.P = p
			}
		}
	}
	if len(ranked) > 0 {
		ranked[0].untested = len(ranked[0].Tied) > 0 && len(ranked[0].Untested) == len(ranked[0].Tied)
		ranked[0].Compared = len(ranked[0].Tied) == 0 && ranked[0].Goodput.Median > 0
	}
}

// tails notes where a model lacks the p99.9 that another has: there its
// absence needs a word.
func tails(group []*cellTrials) {
	some := slices.ContainsFunc(group, func(c *cellTrials) bool { return c.Response["p99.9"].Known() })
	for _, c := range group {
		c.tail = some
	}
}

// finish explains the cell and gathers what has to be said about it.
func (c *cellTrials) finish(res *scenarios.Result, notes *footnotes) *Cell {
	for _, t := range c.valid {
		for _, w := range t.Warnings {
			notes.add(c.Cell, w, numbers.ReplaceAllString(w, "#"))
		}
	}
	var odd []string
	c.Explanation, odd = c.explain(res)
	for _, w := range odd {
		notes.add(c.Cell, w, w)
	}
	c.doubts = slices.Sorted(slices.Values(c.Notes))
	for _, w := range c.gaps(res) {
		notes.add(c.Cell, w, w)
	}
	slices.Sort(c.Notes)
	return c.Cell
}

func (c *cellTrials) closed() bool { return c.scenario.Closed() }
