package scenarios

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"gatewaylab/scenarios/load"
	"gatewaylab/servers"
	"gatewaylab/servers/app"
	"gatewaylab/servers/process"
)

// Run carries the plan out. Each trial gets a fresh instance, fresh
// connections and a fresh attacker. Cancelling ctx stops everything within
// two seconds; what was finished is kept and returned with State
// "interrupted". A trial that goes wrong is kept as invalid and the run goes
// on; the error is for a run that can't start or whose results can't be saved.
//
// on is called with every event, one at a time.
func Run(ctx context.Context, p *Plan, on func(Event)) (*Result, error) {
	r, err := newRunner(ctx, p, on)
	if err != nil {
		return nil, err
	}
	defer r.unpin()
	r.emit(PlanStarted{
		Name: p.Name, Scenarios: p.scenarios(), Models: r.result.Models,
		Trials: p.Trials, Total: len(r.jobs) + p.Foreseen, Measuring: p.Measuring() + r.foreseen(), Left: r.left,
	})
	for _, why := range slices.Concat(p.leftOut, p.aboutTargets(), p.behaviours()) {
		r.note("%s", why)
	}
	before, beforeErr := process.ReadMachine()
	err = r.run(ctx)
	if after, afterErr := process.ReadMachine(); beforeErr == nil && afterErr == nil {
		r.result.Environment.Steal = stealShare(before, after)
	}
	r.result.Finished = time.Now().UTC()
	switch {
	case err != nil:
		r.result.State = "failed"
	case ctx.Err() != nil:
		r.result.State = "interrupted"
	default:
		r.result.State = "complete"
	}
	err = errors.Join(err, r.save())
	r.emit(PlanDone{Interrupted: ctx.Err() != nil})
	return r.result, err
}

// behaviours are what versions of real programs do differently from others,
// each once.
func (p *Plan) behaviours() (all []string) {
	for _, c := range p.contestants() {
		for _, b := range c.Behaviours() {
			if !slices.Contains(all, b) {
				all = append(all, b)
			}
		}
	}
	return all
}

type runner struct {
	plan   *Plan
	jobs   []job
	left   time.Duration            // planned time of what has not begun
	took   map[string]time.Duration // to start, ask and stop a model, by label; see overhead
	result *Result

	generator, server []int // cores; nil = all
	procs             int   // GOMAXPROCS before it was pinned

	mu sync.Mutex // serialises on
	on func(Event)
}

// overhead is what a trial takes beside its traffic: starting and stopping
// processes, checking for leftovers. Real programs take their time, as long as
// they took when they were verified. Only the time left shown depends on it.
func (r *runner) overhead(c *Contestant) time.Duration {
	const ours, theirs = 60 * time.Millisecond, time.Second
	switch took, known := r.took[c.Label]; {
	case known:
		return took
	case c.Model.Real != nil || c.Front != nil && len(c.Needs()) > 0:
		return theirs
	}
	return ours
}

func newRunner(ctx context.Context, p *Plan, on func(Event)) (*runner, error) {
	r := &runner{plan: p, jobs: p.order(), on: on, took: map[string]time.Duration{}}
	for i, j := range r.jobs {
		r.jobs[i].Total += p.Foreseen
		if err := newAttack(j.cell.Scenario, "127.0.0.1:1").Check(); err != nil {
			return nil, fmt.Errorf("scenario %s: %w", j.Ref.Scenario, err)
		}
	}
	r.left = r.ahead(p.contestants())
	demand := map[string]app.Demand{}
	for _, s := range p.scenarios() {
		demand[s.Name] = s.demand()
	}
	r.result = &Result{
		Schema: Schema, Name: p.Name, Started: time.Now().UTC(), State: "running",
		Command: p.Command, Seed: p.Seed, Trials: p.Trials, Planned: len(r.jobs),
		Quick: p.Quick, AA: p.AA, Pinned: p.Pin, Inquiry: p.Inquiry,
		Environment: Here(ctx), Scenarios: p.scenarios(), Models: p.models(), Suite: p.suite,
		Demand: demand, Refused: map[string]string{}, NotSpoken: map[string]map[string]string{}, NotOffered: map[string]map[string]string{},
	}
	r.result.Environment.Late = Lateness()
	maps.Copy(r.result.Environment.Versions, p.Programs.Versions())
	for _, c := range p.Cells {
		maps.Copy(r.result.Environment.Versions, c.Contestant.Versions())
		maps.Copy(r.result.Environment.Versions, c.Contestant.DriverVersions(c.Scenario.Backing))
	}
	for _, s := range p.scenarios() {
		maps.Copy(r.result.Environment.Versions, p.Programs.DatabaseVersions(ctx, s.Backing))
	}
	if err := r.pin(); err != nil {
		return nil, err
	}
	return r, r.save()
}

func (r *runner) planned(c Cell) time.Duration {
	return c.Scenario.Warmup + c.Scenario.For() + r.overhead(c.Contestant)
}

// ahead is how long it takes to verify the contestants and to measure all.
func (r *runner) ahead(unverified []*Contestant) time.Duration {
	d := r.foreseen()
	for _, c := range unverified {
		d += r.overhead(c)
	}
	for _, j := range r.jobs {
		d += r.planned(j.cell)
	}
	return d
}

// foreseen is about how long trials will take that are not laid out yet.
func (r *runner) foreseen() time.Duration {
	if len(r.jobs) == 0 {
		return 0
	}
	return time.Duration(r.plan.Foreseen) * r.planned(r.jobs[len(r.jobs)-1].cell)
}

// pin gives the generator one half of the cores and the server the other.
func (r *runner) pin() error {
	if !r.plan.Pin {
		return nil
	}
	cores := process.Cores()
	if len(cores) < 2 {
		return errors.New("--pin needs at least 2 cores: one for the server, one for the load generator")
	}
	half := len(cores) / 2
	r.generator, r.server = cores[:half], cores[half:]
	if err := process.OnCores(r.generator); err != nil {
		return fmt.Errorf("--pin: %w", err)
	}
	r.procs = runtime.GOMAXPROCS(len(r.generator)) // more threads than cores would only get in each other's way
	return nil
}

func (r *runner) unpin() {
	if r.generator != nil {
		runtime.GOMAXPROCS(r.procs)
		_ = process.OnCores(append(r.generator, r.server...)) // they were ours before
	}
}

func (r *runner) emit(e Event) {
	if r.on == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.on(e)
}

func (r *runner) note(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	r.result.Notes = append(r.result.Notes, text)
	r.emit(Note{At: time.Now(), Text: text})
}

func (r *runner) save() error {
	if r.plan.Store == nil {
		return nil
	}
	return r.plan.Store.SaveRun(r.result)
}

func (r *runner) run(ctx context.Context) error {
	if err := r.verify(ctx); err != nil {
		return err
	}
	r.lookForRoutes()
	if err := r.askProtocols(ctx); err != nil {
		return err
	}
	if err := r.tune(ctx); err != nil {
		return err
	}
	for at := 0; ctx.Err() == nil; at++ {
		if at == len(r.jobs) {
			if n, err := r.grow(); n == 0 || err != nil {
				return err
			}
		}
		j := r.jobs[at]
		r.left -= r.planned(j.cell)
		if !r.runs(j.cell) {
			continue
		}
		t := r.trial(ctx, j)
		if ctx.Err() != nil {
			r.note("interrupted in trial %d of %d, which is left out", j.Order, j.Total)
			break
		}
		r.result.Measured = append(r.result.Measured, t)
		if r.plan.Store != nil {
			if err := r.plan.Store.SaveTrial(t); err != nil {
				return err
			}
		}
		r.emit(TrialDone{Trial: t, Left: r.left})
	}
	return nil
}

// verify starts every contestant once and checks that it does the same work
// as the application itself. One that differs, or can't be started, is
// refused and the others go on; with none left there is nothing to measure.
func (r *runner) verify(ctx context.Context) error {
	contestants := r.plan.contestants()
	for i, c := range contestants {
		r.emit(TrialPhase{Ref: Ref{Model: c.Label, Total: len(r.jobs)}, Phase: Verifying, Left: r.left})
		began := time.Now()
		err := r.verifyOne(ctx, c)
		if !c.Observed() {
			r.took[c.Label] = time.Since(began)
		}
		r.left = r.ahead(contestants[i+1:])
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			r.result.Refused[c.Label] = err.Error()
			r.note("%s is refused: %v", c.Label, err)
		}
	}
	if len(r.result.Refused) == len(contestants) {
		last := contestants[len(contestants)-1].Label
		return fmt.Errorf("no model is left to measure: %s is refused: %s", last, r.result.Refused[last])
	}
	return nil
}

// runs says whether a cell is to be measured: its model was not refused, and
// speaks the scenario's protocol.
func (r *runner) runs(c Cell) bool {
	_, refused := r.result.Refused[c.Contestant.Label]
	_, silent := r.result.NotSpoken[c.Scenario.Name][c.Contestant.Label]
	_, lacks := r.result.NotOffered[c.Scenario.Name][c.Contestant.Label]
	return !refused && !silent && !lacks
}

// lookForRoutes finds out which models run something that lacks a route of a
// scenario, as a shell that can't call another service. That is no failure, and
// the report says so.
func (r *runner) lookForRoutes() {
	for _, c := range r.plan.Cells {
		if !r.runs(c) {
			continue
		}
		lacks, _, _ := strings.Cut(c.lacks(), "?")
		if lacks == "" {
			continue
		}
		byModel := r.result.NotOffered[c.Scenario.Name]
		if byModel == nil {
			byModel = map[string]string{}
			r.result.NotOffered[c.Scenario.Name] = byModel
		}
		byModel[c.Contestant.Label] = lacks
		r.emit(NotOffered{c.Scenario.Name, c.Contestant.Label, lacks})
		r.note("%s goes without %s: what it runs has no %s", c.Scenario.Name, c.Contestant.Label, lacks)
	}
}

// askProtocols finds out which models speak the protocols of scenarios that
// use another than HTTP/1.1. One that doesn't is no failure: it isn't measured
// there, and the report says how it answered.
func (r *runner) askProtocols(ctx context.Context) error {
	for _, c := range r.plan.Cells {
		if p := c.Scenario.Protocol; p == "" || p == load.HTTP1 || !r.runs(c) || ctx.Err() != nil {
			continue
		}
		r.emit(TrialPhase{
			Ref:   Ref{Scenario: c.Scenario.Name, Model: c.Contestant.Label, Total: len(r.jobs)},
			Phase: Verifying, Left: r.left,
		})
		err := r.ask(ctx, c)
		var no *load.NotSpokenError
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.As(err, &no):
			byModel := r.result.NotSpoken[c.Scenario.Name]
			if byModel == nil {
				byModel = map[string]string{}
				r.result.NotSpoken[c.Scenario.Name] = byModel
			}
			byModel[c.Contestant.Label] = no.How
			r.emit(NotSpoken{c.Scenario.Name, c.Contestant.Label, no.How})
		case err != nil:
			r.note("whether %s speaks %s could not be found out: %v", c.Contestant.Label, c.Scenario.Protocol, err)
		}
	}
	return r.save()
}

func (r *runner) ask(ctx context.Context, c Cell) error {
	inst, err := servers.Start(ctx, c.Contestant.Configured, r.launch(c.Scenario))
	if err != nil {
		return err
	}
	a := newAttack(c.Scenario, inst.Addr())
	ask(a, c.Contestant.Target)
	err = a.Speaks(ctx)
	if cerr := inst.Close(graceOf(ctx, inst)); err == nil {
		err = cerr
	}
	return err
}

func (r *runner) verifyOne(ctx context.Context, c *Contestant) error {
	services, err := r.plan.verifying()
	if err != nil {
		return err
	}
	inst, err := servers.Start(ctx, c.Configured, servers.Launch{
		Programs: r.plan.Programs, Cores: r.server, Services: services, ServiceCores: r.generator,
	})
	if err != nil {
		return err
	}
	if t := c.Target; t != nil && t.Unverified {
		return inst.Close(0)
	}
	return errors.Join(inst.Verify(ctx), r.keepConfig(c, inst), inst.Close(graceOf(ctx, inst)))
}

// keepConfig saves what a real program was started with.
func (r *runner) keepConfig(c *Contestant, inst *servers.Instance) error {
	if r.plan.Store == nil {
		return nil
	}
	return r.plan.Store.SaveConfig(c.Label, inst.Config())
}

// stop ends a trial's instance. A suite, which has many short trials, is over
// with a server once it was measured: overloaded or hung, it could take longer
// to end than the trial took, and that it had to be killed says nothing.
func (r *runner) stop(ctx context.Context, inst *servers.Instance) error {
	if r.plan.suite == nil {
		return inst.Close(graceOf(ctx, inst))
	}
	err := inst.Close(suiteGrace)
	var killed *process.KilledError
	if errors.As(err, &killed) {
		return nil
	}
	return err
}

const suiteGrace = 100 * time.Millisecond

// graceOf is closeGrace for an instance. Real programs take their time: gunicorn
// looks once a second whether it is to end.
func graceOf(ctx context.Context, inst *servers.Instance) time.Duration {
	if ctx.Err() == nil && !inst.Observed() {
		return 10 * time.Second
	}
	return closeGrace(ctx)
}

// closeGrace is how long a server may take to stop by itself.
func closeGrace(ctx context.Context) time.Duration {
	if ctx.Err() != nil {
		return 300 * time.Millisecond
	}
	return 3 * time.Second
}
