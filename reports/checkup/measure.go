package checkup

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"gatewaylab/reports"
	"gatewaylab/scenarios"
	"gatewaylab/servers"
)

// Measured is what this machine can and can't tell by measurement, found out in
// a minute: the lab's own async model against itself, and the load generator
// against a server that does nothing.
type Measured struct {
	Trials int     `json:"trials"` // of each side
	Window float64 `json:"window"` // s, of one trial
	// Floor is the A/A comparison, quantity by quantity.
	Floor     []reports.Resolution `json:"noise_floor"`
	Async     reports.Estimate     `json:"async_goodput"` // of the model that was compared with itself
	Generator Generator            `json:"generator"`
	Timer     Timer                `json:"timer"`
	Steal     float64              `json:"steal"`  // share of the processor time; -1 if unknown
	Others    float64              `json:"others"` // share that other programs used, median over trials; -1 if unknown
	Pairs     int                  `json:"connections"`
	// Text says what all of it means.
	Text string `json:"text"`
}

// Generator is what the load generator can do, on cores that it shares with the
// null server.
type Generator struct {
	Rate reports.Estimate `json:"rate"` // closed loop, responses/s
	CPU  reports.Estimate `json:"cpu"`  // cores in use by the generator meanwhile
}

// Timer is how late this machine wakes a sleeper, in milliseconds.
type Timer struct {
	Step float64 `json:"clock_step"` // smallest step of the clock
	P50  float64 `json:"late_p50"`   // after a sleep of 1 ms
	P99  float64 `json:"late_p99"`
}

// The plan of the measurement: async twice and the null server, so many trials
// each; fewer take no 95 % interval, and more than eleven make Resolutions slow.
const (
	contestants = 3
	usualTrials = 10
	fewTrials   = 6
	settling    = 150 * time.Millisecond // of warm-up
	around      = 250 * time.Millisecond // to start, stop and look after a trial
	leastWindow = 60 * time.Millisecond
)

// Measure writes into the checkup what can be told apart here, within about the
// given time. Progress gets a line now and then.
func (c *Checkup) Measure(ctx context.Context, within time.Duration, progress io.Writer) error {
	programs, err := servers.FindPrograms(ctx, progress)
	if err != nil {
		c.Lab = Lab{Error: err.Error()}
		return err
	}
	c.Lab = Lab{Runs: true, Server: programs.Server, App: programs.App}
	m := &Measured{Trials: usualTrials, Timer: sleepers(300)}
	if within < 20*time.Second {
		m.Trials = fewTrials
	}
	window := max(leastWindow, (within/time.Duration(contestants*m.Trials) - settling - around).Truncate(10*time.Millisecond))
	m.Window = window.Seconds()
	plan, err := measurement(m.Trials, window)
	if err != nil {
		return err
	}
	plan.Programs = programs
	res, err := scenarios.Run(ctx, plan, func(e scenarios.Event) {
		if done, ok := e.(scenarios.TrialDone); ok && done.Order%contestants == 0 && done.Order < done.Total {
			fmt.Fprintf(progress, "%d of %d trials\n", done.Order, done.Total)
		}
	})
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return err
	}
	return c.conclude(m, res)
}

const (
	asyncLabel, againLabel, nullLabel = "async", "again", "null"
	measuredScenario                  = "hello"
)

func measurement(trials int, window time.Duration) (*scenarios.Plan, error) {
	sc, err := scenarios.Find(measuredScenario)
	if err != nil {
		return nil, err
	}
	sc.Expect, sc.Trials, sc.Warmup = nil, 0, settling
	for i := range sc.Stages {
		sc.Stages[i].For = window / time.Duration(len(sc.Stages))
	}
	both, err := scenarios.Contestants([]string{asyncLabel, againLabel + "=" + asyncLabel})
	if err != nil {
		return nil, err
	}
	p, err := scenarios.NewPlan([]*scenarios.Scenario{sc}, append(both, &scenarios.Contestant{Label: nullLabel, Configured: servers.NullServer()}), trials)
	if err != nil {
		return nil, err
	}
	p.Name, p.Seed = "doctor", uint64(time.Now().UnixNano())
	return p, nil
}

// conclude computes everything from the trials.
func (c *Checkup) conclude(m *Measured, res *scenarios.Result) error {
	report, err := reports.Analyse(res)
	if err != nil {
		return err
	}
	if m.Floor, err = reports.Resolutions(res, measuredScenario, asyncLabel, againLabel); err != nil {
		return fmt.Errorf("this machine is too busy to say what it can measure: %w", err)
	}
	for _, cell := range report.Cells {
		switch cell.Model {
		case asyncLabel:
			m.Async = cell.Goodput
		case nullLabel:
			m.Generator = Generator{Rate: cell.Goodput, CPU: cell.GeneratorCPU}
		}
	}
	m.Steal = res.Environment.Steal
	m.Others = -1
	var others []float64
	for _, t := range res.Measured {
		if t.Machine.Others >= 0 {
			others = append(others, t.Machine.Others)
		}
	}
	if len(others) > 0 {
		slices.Sort(others)
		m.Others = others[len(others)/2]
	}
	m.Pairs = connections(c.Machine.Limits)
	c.Measured = m
	m.Text = m.sentences()
	return nil
}

// spare are the files that the lab has open beside its connections.
const spare = 64

// connections is how many the generator can have open to one server: a file and
// a port each.
func connections(l Limits) int {
	n := max(0, int(min(l.Files, math.MaxInt32))-spare)
	if p := l.Ports(); p > 0 {
		n = min(n, p-l.TimeWait)
	}
	return min(n, scenarios.MaxClients)
}

// sleepers finds out how late n sleeps of a millisecond end, and how fine the
// clock is.
func sleepers(n int) Timer {
	const nap = time.Millisecond
	late := make([]float64, n)
	for i := range late {
		began := time.Now()
		time.Sleep(nap)
		late[i] = float64(time.Since(began)-nap) / 1e6
	}
	slices.Sort(late)
	step := time.Second
	for range 1000 {
		a := time.Now()
		d := time.Since(a)
		for d == 0 {
			d = time.Since(a)
		}
		step = min(step, d)
	}
	at := func(q float64) float64 { return late[min(n-1, int(q*float64(n)))] }
	return Timer{Step: float64(step) / 1e6, P50: at(0.5), P99: at(0.99)}
}

// sentences say what differences can be told here, and what limits them.
func (m *Measured) sentences() string {
	text := fmt.Sprintf("With %d trials of %s for each model, which is what this took, ", m.Trials, seconds(m.Window))
	var can, none []string
	for _, r := range m.Floor {
		if r.Smallest == 0 {
			none = append(none, r.Quantity)
			continue
		}
		can = append(can, fmt.Sprintf("%s from %s %% on", r.Quantity, percents(r.Smallest)))
	}
	switch {
	case len(can) == 0:
		text += "no difference of less than fivefold is found reliably: this machine is too noisy to compare anything."
	default:
		text += "a difference in " + join(can) + " is found in nine comparisons of ten; a smaller one is missed more often, and a model that looks better by less than that may owe it to chance."
	}
	if len(none) > 0 && len(can) > 0 {
		text += " In " + join(none) + " not even a fivefold difference is found reliably."
	}
	text += m.aboutFalseAlarms()
	text += m.aboutGenerator()
	text += fmt.Sprintf(" A sleep of 1 ms ends %s ms late (p99 %s ms), so response times at low rates that differ by less than that can't be ranked.",
		millis(m.Timer.P50), millis(m.Timer.P99))
	switch {
	case m.Steal > 0.02:
		text += fmt.Sprintf(" The hypervisor took %s %% of the processor time: expect trials to be invalid.", percents(100*m.Steal))
	case m.Others > 0.10:
		text += fmt.Sprintf(" Other programs used %s %% of the processor time: stop them, and all of this gets better.", percents(100*m.Others))
	}
	text += fmt.Sprintf(" At most %s connections to one server can be open at once.", grouped(int64(m.Pairs)))
	return text
}

func (m *Measured) aboutFalseAlarms() string {
	var told []string
	for _, r := range m.Floor {
		if r.Told {
			told = append(told, fmt.Sprintf("%s (%s %%)", r.Quantity, percents(r.Apart)))
		}
	}
	if len(told) == 0 {
		return " The same model was rightly not told apart from itself in any of them."
	}
	return fmt.Sprintf(" The same model was told apart from itself in %s, a false alarm, as 1 in 20 is: measure again, and if it stays, distrust differences of that size.", join(told))
}

// aboutGenerator says from where on a model is too fast to be measured.
func (m *Measured) aboutGenerator() string {
	if !m.Generator.Rate.Known() {
		return " What the load generator can do at most was not found out."
	}
	rate := m.Generator.Rate.Median
	text := fmt.Sprintf(" The load generator got %s responses/s out of a server that does nothing, with %s cores of its own;", grouped(int64(math.Round(rate))), fmt.Sprintf("%.2f", m.Generator.CPU.Median))
	if share := m.Async.Median / rate; m.Async.Known() && share >= 0.7 {
		return text + fmt.Sprintf(" async reached %s %% of that, so differences between models as fast as that on hello are narrower here than they are.", percents(100*share))
	}
	return text + fmt.Sprintf(" a model that gets near %s/s is held back by it and not by itself.", grouped(int64(math.Round(0.7*rate))))
}

func seconds(s float64) string {
	if s < 1 {
		return fmt.Sprintf("%.0f ms", s*1e3)
	}
	return fmt.Sprintf("%.3g s", s)
}

// percents writes a share with the digits that mean something.
func percents(p float64) string {
	if p < 9.95 {
		return fmt.Sprintf("%.1f", p)
	}
	return fmt.Sprintf("%.0f", p)
}

func millis(ms float64) string { return fmt.Sprintf("%.2f", ms) }

// join lists words: "a, b and c".
func join(words []string) string {
	if len(words) < 2 {
		return cmp.Or(append(words, "")...)
	}
	text := words[0]
	for _, w := range words[1 : len(words)-1] {
		text += ", " + w
	}
	return text + " and " + words[len(words)-1]
}
