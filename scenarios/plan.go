package scenarios

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"gatewaylab/servers"
)

// A Contestant is a configured model under the name that results give it.
type Contestant struct {
	Label string
	*servers.Configured
	// OneOfAll says that nobody named it: it takes part as one of all that can run
	// here, where it can.
	OneOfAll bool

	fixed bool // its settings are not to be tuned
}

// Contestants resolves model specs, each with a name before it or without
// (see ParseEntry). Specs given twice get labels of their own,
// so that a model can be set against itself.
func Contestants(specs []string) ([]*Contestant, error) {
	entries := make([]Entry, len(specs))
	for i, s := range specs {
		var err error
		if entries[i], err = ParseEntry(s); err != nil {
			return nil, err
		}
	}
	return contestants(entries)
}

func contestants(entries []Entry) ([]*Contestant, error) {
	all := make([]*Contestant, 0, len(entries))
	seen := map[string]int{}
	for _, e := range entries {
		c, err := servers.Resolve(e.Spec)
		if err != nil {
			return nil, err
		}
		label := e.As
		if label == "" {
			label = c.Spec.String()
		}
		seen[label]++
		if n := seen[label]; n > 1 {
			label = fmt.Sprintf("%s#%d", label, n)
		}
		all = append(all, &Contestant{Label: label, Configured: c, fixed: e.Fixed})
	}
	return all, nil
}

// Info is what results say about the contestant.
func (c *Contestant) Info() ModelInfo {
	m := ModelInfo{
		Label: c.Label, Spec: c.Spec.String(), Name: c.Model.Name, Doc: c.Model.Doc, Options: c.Settings,
		Slots: c.Slots(), Noun: c.Model.Noun, Threads: c.Threads(), Interpreters: c.Interpreters(), PerRequest: c.Model.PerRequest,
		Pools: c.Pools(), Pool: c.Pool,
	}
	if t := c.Target; t != nil {
		m.Target = &TargetInfo{URL: t.URL, Address: t.Pinned.String(), Local: t.Local, Unverified: t.Unverified}
	}
	if c.Front != nil {
		m.Front, m.Instances = c.Front.Name, c.Instances()
		m.Doc += ", behind " + c.Front.Name
		m.Options = maps.Clone(c.Settings)
		for k, v := range c.FrontSettings {
			m.Options[c.Front.Name+":"+k] = v
		}
		if m.PerRequest == "connection" { // which the front makes, not the client
			m.PerRequest = ""
		}
	}
	return m
}

// A Cell is one scenario put to one contestant.
type Cell struct {
	Scenario   *Scenario
	Contestant *Contestant
}

// A Plan is what is to be measured. Build it with NewPlan, then set the rest.
type Plan struct {
	Name    string
	Cells   []Cell
	Trials  int // of each cell whose scenario doesn't say
	Seed    uint64
	Pin     bool // server and generator on disjoint cores
	Quick   bool
	AA      bool
	Command []string // how to run it again

	Inquiry  *Inquiry // what the run is to find; nil = what the cells show side by side
	Grow     Grow     // asked for more trials when none are left; nil = the cells are all
	Foreseen int      // about how many trials Grow will ask for; only progress depends on it

	Programs servers.Programs
	Store    *Store // where results are kept; nil = in memory only
	Raw      bool   // keep every hit, in vegeta's encoding; needs a Store

	suite   *Suite   // with the pairs that take part; nil = none
	leftOut []string // scenarios' own models that can't run here, and why
}

// NewPlan crosses scenarios with contestants; where there are none, each
// scenario brings its own.
func NewPlan(scs []*Scenario, cs []*Contestant, trials int) (*Plan, error) {
	if trials < 1 {
		return nil, fmt.Errorf("expected at least 1 trial, found %d", trials)
	}
	p := &Plan{Trials: trials}
	own := map[string]*Contestant{}
	for i, s := range scs {
		if len(s.Tune) > 0 && len(scs) > 1 {
			return nil, fmt.Errorf("scenario %s looks for the best settings of its models, which other scenarios would get, too; run it by itself", s.Name)
		}
		if slices.ContainsFunc(scs[:i], func(o *Scenario) bool { return o.Name == s.Name }) {
			return nil, fmt.Errorf("scenario %s is given twice", s.Name)
		}
		mine := cs
		if len(cs) == 0 {
			var err error
			if mine, err = contestants(s.Models); err != nil {
				return nil, fmt.Errorf("scenario %s: %w", s.Name, err)
			}
			if mine, err = p.available(s, mine); err != nil {
				return nil, err
			}
		}
		if len(mine) == 0 {
			return nil, fmt.Errorf("scenario %s names no models; name some on the command line", s.Name)
		}
		for _, c := range mine {
			switch known := own[c.Label]; {
			case known == nil:
				own[c.Label] = c
			case known.Spec.String() != c.Spec.String():
				return nil, fmt.Errorf("scenario %s calls %s %q, which is %s in another; run them one at a time", s.Name, c.Spec, c.Label, known.Spec)
			}
			p.Cells = append(p.Cells, Cell{s, own[c.Label]})
		}
	}
	if len(p.Cells) == 0 {
		return nil, errors.New("nothing to measure: no scenario")
	}
	if err := p.checkServed(); err != nil {
		return nil, err
	}
	return p, p.checkTargets()
}

// checkServed refuses what a contestant can't answer, since it runs no
// application: it would be measured at refusing. One whose application lacks a
// route, or that nobody named, is left out where there are others to measure;
// see lookForRoutes.
func (p *Plan) checkServed() error {
	for _, cell := range p.Cells {
		c, path := cell.Contestant, cell.lacks()
		if path == "" {
			continue
		}
		why, meant := c.Spec.String()+" runs an application that lacks it", false
		if c.Model.Interface == "none" {
			why = fmt.Sprintf("%s runs no application; %s+MODEL has one behind it", c.Spec, c.Model.Name)
			meant = !c.OneOfAll
		}
		if !meant && slices.ContainsFunc(p.Cells, func(o Cell) bool { return o.Scenario == cell.Scenario && o.lacks() == "" }) {
			continue
		}
		return fmt.Errorf("scenario %s asks for %s, which %s can't answer: %s", cell.Scenario.Name, path, c.Label, why)
	}
	return nil
}

// lacks is a target of the scenario's that the contestant can't answer; "" if it
// can all.
func (c *Cell) lacks() string {
	for _, r := range c.Scenario.Requests {
		if c.Contestant.Unserved(r.Path) != "" {
			return r.Path
		}
	}
	for _, crowd := range c.Scenario.Beside {
		if path := crowd.Request.Path; path != "" && c.Contestant.Unserved(path) != "" {
			return path
		}
	}
	return ""
}

// available leaves out those of a scenario's own models whose programs are not
// installed here: what the scenario is about shows in the others too.
// Expectations of them are not asked. (Models that were named on the command
// line are refused instead.)
func (p *Plan) available(s *Scenario, all []*Contestant) ([]*Contestant, error) {
	var here []*Contestant
	var last error
	for _, c := range all {
		if err := c.AvailableFor(s.Backing); err != nil {
			last = err
			p.leftOut = append(p.leftOut, fmt.Sprintf("%s goes without %s: %v", s.Name, c.Label, err))
			continue
		}
		here = append(here, c)
	}
	if len(here) == 0 && last != nil {
		return nil, fmt.Errorf("scenario %s: none of its models can run here: %w", s.Name, last)
	}
	return here, nil
}

// Measuring is how long traffic will flow in all, at least: an open loop may
// wait for late answers besides.
func (p *Plan) Measuring() time.Duration {
	var d time.Duration
	for _, c := range p.Cells {
		d += time.Duration(p.trials(c.Scenario)) * (c.Scenario.Warmup + c.Scenario.For())
	}
	return d
}

// trials is how many trials each cell of a scenario has.
func (p *Plan) trials(s *Scenario) int {
	if s.Trials > 0 {
		return s.Trials
	}
	return p.Trials
}

// order lays the trials out as randomised complete blocks: every cell once in
// each round, the rounds shuffled one by one, so that a slow drift of the
// machine touches all cells alike. A suite's pairs stay together, in either
// order: theirs is the comparison. The seed decides the order entirely.
func (p *Plan) order() []job {
	rng := rand.New(rand.NewPCG(p.Seed, 0x6c6162))
	total, rounds := 0, 0
	for _, c := range p.Cells {
		n := p.trials(c.Scenario)
		total, rounds = total+n, max(rounds, n)
	}
	jobs := make([]job, 0, total)
	for round := range rounds {
		for _, i := range p.shuffled(rng) {
			c := p.Cells[i]
			if round >= p.trials(c.Scenario) {
				continue
			}
			jobs = append(jobs, job{c, Ref{
				Scenario: c.Scenario.Name, Model: c.Contestant.Label,
				Trial: round + 1, Of: p.trials(c.Scenario),
				Order: len(jobs) + 1, Total: total,
			}})
		}
	}
	return jobs
}

// shuffled is the order of the cells in one round.
func (p *Plan) shuffled(rng *rand.Rand) []int {
	if p.suite == nil {
		return rng.Perm(len(p.Cells))
	}
	order := make([]int, 0, len(p.Cells))
	for _, pair := range rng.Perm(len(p.Cells) / 2) {
		for _, side := range rng.Perm(2) {
			order = append(order, 2*pair+side)
		}
	}
	return order
}

type job struct {
	cell Cell
	Ref
}

func (p *Plan) scenarios() []*Scenario {
	var all []*Scenario
	for _, c := range p.Cells {
		if !slices.Contains(all, c.Scenario) {
			all = append(all, c.Scenario)
		}
	}
	return all
}

func (p *Plan) contestants() []*Contestant {
	var all []*Contestant
	for _, c := range p.Cells {
		if !slices.Contains(all, c.Contestant) {
			all = append(all, c.Contestant)
		}
	}
	return all
}

func (p *Plan) models() []ModelInfo {
	var all []ModelInfo
	for _, c := range p.contestants() {
		all = append(all, c.Info())
	}
	return all
}

// NeedsDrivers says whether a scenario's application asks a database, for which
// Programs needs those that can; see servers.Programs.WithDatabase.
func (p *Plan) NeedsDrivers() bool {
	return slices.ContainsFunc(p.Cells, func(c Cell) bool { return servers.NeedDrivers(c.Scenario.Backing) })
}
