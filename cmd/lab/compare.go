package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gatewaylab/reports"
	"gatewaylab/scenarios"
	"gatewaylab/scenarios/load"
)

// compareFlags are lab compare's flags as given; zero values mean that the
// scenario decides.
type compareFlags struct {
	scenarios   []string
	trials      int
	window      time.Duration
	warmup      time.Duration
	timeout     time.Duration
	rate        string
	concurrency int
	seed        uint64
	pin         bool
	out         string
	name        string
	dash        string
	quick       bool
	raw         bool
	aa          bool
	traffic     trafficFlags
	target      targetFlags
	render      renderFlags
}

// usualTrials is the least that gives a median a 95 % interval; quickTrials
// gives none and says so.
const (
	usualTrials = 6
	quickTrials = 2
)

// usualScenarios are what lab compare runs when none is named.
var usualScenarios = [...]string{"hello", "wait", "cpu"}

func newCompare(s streams) *cobra.Command {
	var f compareFlags
	cmd := &cobra.Command{
		Use:   "compare [MODEL…]",
		Short: "Models side by side under the same load: table, plots, live dashboard",
		Long: `Starts each model, checks that all do the same work, and measures them in
interleaved trials. A MODEL is NAME or NAME:key=value,…; see lab list models.
Without any, each scenario's own models run; in hello, wait and cpu these are
cgi, prefork and async. NAME=MODEL gives a model another name in results and
expectations.
` + manyHelp + `
A suite is a scenario of another kind: it holds models against what they are
models of, in pairs of its own and in several situations, and runs by itself.
After --scenario fidelity, MODELs choose among its pairs.

A --target is a server that the lab didn't start. It must do the application's
work, as another lab serve does; what it uses is not known, and it gets no
requests that are meant to do harm. Its name is looked up once, and redirects
are not followed. One that is not on this machine takes --i-own-this-target,
and gets at most 5,000 arrivals/s, 500 clients, and requests for 30 minutes.` + trafficHelp + expectationHelp,
		Example: `  lab compare
  lab compare --quick
  lab compare prefork:workers=2 prefork:workers=8 --scenario wait
  lab compare all --format overview             every model on one page
  lab compare async --scenario hello --rate 2000/s --for 5s --warmup 1s
  lab compare async prefork --load 'ramp 10/s..500/s over 30s' --request '/wait?ms=20'
  lab compare async two=prefork:workers=2 --scenario wait --expect 'async.goodput > 10 * two.goodput'
  lab compare async prefork --load '20 users over 5s' --beside '4 slow-send at 100B/s POST /upload size=10KB'
  lab compare async --aa --scenario hello       the noise floor of this machine
  lab compare async --target mine=http://127.0.0.1:8000   a server that runs already
  lab compare --scenario fidelity prefork       prefork beside gunicorn: the same shape?
  lab compare --format json > results.json`,
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: severalArgs,
		RunE: func(c *cobra.Command, args []string) error {
			plan, err := f.plan(c, args)
			if err != nil {
				return misuse(c, err)
			}
			return compare(c.Context(), s, plan, &f)
		},
	}
	f.register(cmd.Flags())
	_ = cmd.RegisterFlagCompletionFunc("scenario", completeScenarios) // the flag exists
	return cmd
}

func (f *compareFlags) register(fs *pflag.FlagSet) {
	fs.StringArrayVar(&f.scenarios, "scenario", nil, "scenario by `NAME|FILE.yaml`; repeatable (default hello, wait, cpu)")
	fs.IntVar(&f.trials, "trials", usualTrials, "trials of each model under each scenario, if that doesn't say how many; fewer than 6 give no 95 % interval")
	fs.DurationVar(&f.window, "for", 0, "measuring window of a trial (default: the scenario's)")
	fs.DurationVar(&f.warmup, "warmup", 0, "traffic before the window, discarded (default: the scenario's)")
	fs.DurationVar(&f.timeout, "timeout", 0, "how long a client waits for an answer (default: the scenario's)")
	fs.StringVar(&f.rate, "rate", "", "open loop at this arrival `RATE`, such as 200/s, in place of the scenario's load")
	fs.IntVar(&f.concurrency, "concurrency", 0, "closed loop with this many clients, in place of the scenario's load")
	fs.Uint64Var(&f.seed, "seed", 0, "seed of the trials' order (default: drawn, and recorded)")
	fs.BoolVar(&f.pin, "pin", false, "server and load generator on disjoint halves of the cores (Linux)")
	fs.StringVar(&f.out, "out", "", "results `FOLDER`, new or empty (default lab-results/TIME-NAME)")
	fs.StringVar(&f.name, "name", "", "name of the run in the default results folder")
	fs.StringVar(&f.dash, "dash", "auto", "live dashboard on the terminal: on, off, or auto")
	fs.BoolVar(&f.quick, "quick", false, "2 trials each, in a third of the time: no 95 % intervals, so no winner is called")
	fs.BoolVar(&f.raw, "raw", false, "keep every hit in vegeta's encoding, for vegeta report and vegeta plot")
	fs.BoolVar(&f.aa, "aa", false, "run one model against itself: the noise floor")
	f.traffic.register(fs)
	f.target.register(fs)
	f.render.register(fs, overviewFormat)
	f.render.registerTheory(fs)
}

func completeScenarios(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	all, err := scenarios.Library()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	suites, err := scenarios.Suites()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []cobra.Completion
	for _, sc := range all {
		names = append(names, cobra.CompletionWithDesc(sc.Name, sc.Title))
	}
	for _, s := range suites {
		names = append(names, cobra.CompletionWithDesc(s.Name, s.Title))
	}
	return names, cobra.ShellCompDirectiveDefault
}

// plan turns flags and arguments into a plan; all its errors are the caller's
// mistakes.
func (f *compareFlags) plan(c *cobra.Command, specs []string) (*scenarios.Plan, error) {
	if err := f.check(c, specs); err != nil {
		return nil, err
	}
	suite, err := f.suite(c)
	switch {
	case err != nil:
		return nil, err
	case suite != nil:
		return f.suitePlan(c, suite, specs)
	}
	scs, names, err := f.measured()
	if err != nil {
		return nil, err
	}
	for _, sc := range scs {
		if err := f.override(c, sc); err != nil {
			return nil, err
		}
	}
	if f.aa {
		specs = []string{specs[0], specs[0]}
	}
	models, err := f.contestants(c, specs, scs)
	if err != nil {
		return nil, err
	}
	trials := f.trials
	if f.quick && !c.Flags().Changed("trials") {
		trials = quickTrials
	}
	p, err := scenarios.NewPlan(scs, models, trials)
	if err != nil {
		return nil, err
	}
	if err := f.traffic.expectations(p); err != nil {
		return nil, err
	}
	f.finish(c, p, names, specs)
	return p, nil
}

// finish puts into the plan what doesn't depend on what is measured.
func (f *compareFlags) finish(c *cobra.Command, p *scenarios.Plan, names, specs []string) {
	p.Name = f.runName(names)
	p.Seed, p.Pin, p.Quick, p.AA, p.Raw = f.seed, f.pin, f.quick, f.aa, f.raw
	if !c.Flags().Changed("seed") {
		p.Seed = uint64(rand.Uint32()) // short enough to type again
	}
	p.Command = command(c, specs, p.Seed)
}

// measured are the scenarios that are meant, and their names.
func (f *compareFlags) measured() (scs []*scenarios.Scenario, names []string, err error) {
	names = f.scenarios
	switch {
	case len(names) > 0:
	case f.traffic.custom():
		sc := scenarios.Custom()
		return []*scenarios.Scenario{sc}, []string{sc.Name}, nil
	default:
		names = usualScenarios[:]
	}
	for _, n := range names {
		sc, err := scenarios.Find(n)
		if err != nil {
			return nil, nil, err
		}
		scs = append(scs, sc)
	}
	return scs, names, nil
}

func (f *compareFlags) check(c *cobra.Command, specs []string) error {
	changed := c.Flags().Changed
	switch {
	case f.aa && len(specs) != 1:
		return fmt.Errorf("--aa runs one model against itself: name one model, found %d", len(specs))
	case f.aa && many(specs[0]) != nil:
		return fmt.Errorf("--aa runs one model against itself: name one model, %s stands for many", specs[0])
	case f.aa && len(f.target.targets) > 0:
		return errors.New("--aa runs one model against itself; give a target two names to compare it with itself")
	case f.pin && len(f.target.targets) > 0:
		return errPinTarget
	case f.trials < 1:
		return fmt.Errorf("--trials %d: expected 1 or more", f.trials)
	case changed("for") && f.window < scenarios.MinWindow:
		return fmt.Errorf("--for %s: expected %s or more", f.window, scenarios.MinWindow)
	case f.warmup < 0:
		return fmt.Errorf("--warmup %s: expected 0 or more", f.warmup)
	case changed("timeout") && f.timeout < time.Millisecond:
		return fmt.Errorf("--timeout %s: expected 1ms or more", f.timeout)
	case changed("concurrency") && (f.concurrency < 1 || f.concurrency > scenarios.MaxClients):
		return fmt.Errorf("--concurrency %d: expected 1 to %d", f.concurrency, scenarios.MaxClients)
	case changed("rate") && changed("concurrency"):
		return errors.New("--rate makes an open loop and --concurrency a closed one: give one of them")
	}
	return errors.Join(f.traffic.read(), oneOf("dash", f.dash, "on", "off", "auto"), f.render.check())
}

// override puts the flags in place of what the scenario says.
func (f *compareFlags) override(c *cobra.Command, sc *scenarios.Scenario) error {
	changed := c.Flags().Changed
	if changed("rate") {
		rate, err := scenarios.ParseRate(f.rate)
		if err != nil {
			return fmt.Errorf("--rate: %w", err)
		}
		sc.Stages = []load.Stage{{Shape: load.Constant, From: rate, For: sc.For()}}
		sc.Text.Load = fmt.Sprintf("Requests arrive %g times a second, whether or not earlier ones were answered.", rate)
	}
	if changed("concurrency") {
		sc.Stages = []load.Stage{{Shape: load.Users, UsersFrom: f.concurrency, For: sc.For()}}
		sc.Text.Load = fmt.Sprintf("%d clients, each sends its next request as soon as its last was answered.", f.concurrency)
	}
	f.traffic.apply(sc)
	if f.traffic.custom() {
		sc.Say()
	}
	if changed("for") {
		if len(sc.Stages) > 1 {
			return fmt.Errorf("--for is the length of a load of one stage; each of the %d of scenario %s has its own", len(sc.Stages), sc.Name)
		}
		sc.Stages[0].For = f.window
	}
	if changed("warmup") {
		sc.Warmup = f.warmup
	}
	if changed("timeout") {
		sc.Timeout = f.timeout
	}
	if changed("trials") || f.quick {
		sc.Trials = 0
	}
	return f.traffic.check(sc)
}

func (f *compareFlags) runName(names []string) string {
	switch {
	case f.name != "":
		return f.name
	case f.aa:
		return "aa"
	case len(names) == 1:
		return strings.TrimSuffix(filepath.Base(names[0]), filepath.Ext(names[0]))
	case f.quick:
		return "quick"
	}
	return "compare"
}

// command is how to run the same plan again: the flags that were given, the
// seed, and not where the results went.
func command(c *cobra.Command, specs []string, seed uint64) []string {
	words := strings.Fields(c.CommandPath())
	if c.Flags().Changed("aa") {
		specs = specs[:1]
	}
	words = append(words, specs...)
	c.Flags().Visit(func(fl *pflag.Flag) {
		switch fl.Name {
		case "out", "seed", "dash", "format", "plots", "dpi", "theme", "theory":
			return
		default:
			if several, ok := fl.Value.(pflag.SliceValue); ok {
				for _, v := range several.GetSlice() {
					words = append(words, "--"+fl.Name, canonical(fl.Name, v))
				}
				return
			}
			if fl.Value.Type() == "bool" {
				if fl.Value.String() == "true" {
					words = append(words, "--"+fl.Name)
				} else {
					words = append(words, "--"+fl.Name+"=false")
				}
				return
			}
			words = append(words, "--"+fl.Name, withoutPassword(canonical(fl.Name, fl.Value.String())))
		}
	})
	return append(words, "--seed", fmt.Sprint(seed))
}

// compare runs the plan and shows what came of it.
func compare(ctx context.Context, s streams, plan *scenarios.Plan, f *compareFlags) error {
	err := pin(ctx, plan.Targets())
	if err != nil {
		return err
	}
	if err := findPrograms(ctx, s, plan); err != nil {
		return err
	}
	if plan.Store, err = scenarios.Create(resultsFolder(f.out, plan.Name)); err != nil {
		return err
	}
	result, err := watched(ctx, s, plan, f.dash)
	if err != nil {
		return fmt.Errorf("%w\nwhat was finished is in %s", err, plan.Store.Dir)
	}
	interrupted := result.State == "interrupted"
	var report *reports.Report
	if len(result.Measured) > 0 || len(result.NotSpoken)+len(result.NotOffered) > 0 {
		if interrupted {
			f.render.plots = "none" // they take seconds; lab report draws them
		}
		// The table first: it is what was asked for, and drawing takes a moment.
		if report, err = f.render.show(s, plan.Store.Dir); err != nil {
			return err
		}
		if err := f.render.save(plan.Store.Dir, report); err != nil {
			return err
		}
	}
	switch {
	case interrupted:
		return cutOff(result, plan.Store.Dir)
	case len(result.Refused) > 0:
		return refused(result)
	}
	fmt.Fprintln(s.err, "results in", plan.Store.Dir)
	if err := unmeasured(result); err != nil || report == nil {
		return err
	}
	return unmet(report)
}

// refused is the error of a run in which models were not measured.
func refused(r *scenarios.Result) error {
	var why []string
	for _, m := range r.Models {
		if reason, ok := r.Refused[m.Label]; ok {
			why = append(why, m.Label+" is refused: "+reason)
		}
	}
	return fmt.Errorf("%d of %d models were refused: %s", len(why), len(r.Models), strings.Join(why, "; "))
}

// unmeasured is the error of a run in which a cell has no valid trial: there
// is a table, and it does not say what was asked.
func unmeasured(r *scenarios.Result) error {
	valid := map[string]bool{}
	for _, t := range r.Measured {
		cell := t.Model + " on " + t.Scenario
		valid[cell] = valid[cell] || t.Valid()
	}
	var none []string
	for cell, ok := range valid {
		if !ok {
			none = append(none, cell)
		}
	}
	if len(none) == 0 {
		return nil
	}
	slices.Sort(none)
	return fmt.Errorf("no trial was valid for %s; the report says why", strings.Join(none, ", "))
}

// resultsFolder is where results go: where the flag says, or into a new folder
// under lab-results.
func resultsFolder(out, name string) string {
	if out != "" {
		return out
	}
	return filepath.Join("lab-results", time.Now().UTC().Format("20060102T150405Z")+"-"+name)
}

// terminal returns the file behind w if a person is looking at it.
func terminal(w any) (*os.File, bool) {
	f, ok := w.(*os.File)
	if !ok {
		return nil, false
	}
	return f, isTerminal(f)
}

// withoutPassword hides the password of a URL in a flag's value.
func withoutPassword(value string) string {
	return urlPassword.ReplaceAllString(value, "${1}xxxxx@")
}

var urlPassword = regexp.MustCompile(`(\w+://[^/@:\s]*:)[^/@\s]*@`)
