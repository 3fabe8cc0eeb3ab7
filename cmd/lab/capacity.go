package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gatewaylab/reports"
	"gatewaylab/scenarios"
	"gatewaylab/scenarios/capacity"
)

// capacityFlags are lab capacity's flags as given.
type capacityFlags struct {
	scenario   string
	objective  string
	from, to   string
	resolution string
	users      string
	tune       []string
	trials     int
	most       int
	poisson    bool
	curve      bool
	quick      bool
	window     time.Duration
	warmup     time.Duration
	timeout    time.Duration
	seed       uint64
	pin        bool
	out        string
	dash       string
	target     targetFlags
	render     renderFlags
}

func newCapacity(s streams) *cobra.Command {
	var f capacityFlags
	cmd := &cobra.Command{
		Use:   "capacity [MODEL…]",
		Short: "The highest rate each model holds within an objective, and how it scales",
		Long: `Searches for the highest rate of arrivals that each MODEL holds within the
objective, with trials as in lab compare: it doubles the rate until the
objective breaks, halves the interval, and repeats both ends until all their
trials agree. The answer is an interval, with every rate that was tried, and the
curve of response times from half of that rate to beyond it. Where the load
generator gave up before the server did, it says so and answers "at least".

With --users it raises the number of users of a closed loop instead and fits the
Universal Scalability Law; with --tune it searches for the rate that each setting
of one model holds and says which is best.

  OBJECTIVE  p99<100ms,errors<0.1%     conditions, joined by commas:
             [response.|service.|first_byte.]pNN|mean|max < DURATION
                                       p1 to p99.99, such as p99 or p99.9
             errors < SHARE            failed or never sent, of those due
             goodput > SHARE           answered well in time, of those offered
             A request that failed counts as never answered in a quantile.
  LEVELS     1..64 (which doubles) or 1,2,4,8
  SETTINGS   OPTION=1..16 (which doubles) or OPTION=a,b,c; several options are
             tried in every combination

A trial lasts --for, and longer where the rate is so low that it would not hold
enough requests for the objective's quantiles.

A --target is a server that the lab didn't start, as in lab compare; what it uses
is not known. One that is not on this machine takes --i-own-this-target, and gets
at most 5,000 arrivals/s, 500 clients, and requests for 30 minutes: a search that
comes to one of these answers "at least".

Exit status: 0 done; 1 failed, a model was refused, or nothing could be found
out about one; 2 bad usage; 130 interrupted.`,
		Example: `  lab capacity prefork --scenario wait
  lab capacity prefork async --slo 'p99<50ms,errors<0.1%'
  lab capacity async --users 1..64 --scenario one-lock
  lab capacity prefork --tune workers=1..16 --scenario wait --slo 'p99<200ms'
  lab capacity --target mine=http://127.0.0.1:8000 --scenario wait   a server that runs already`,
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: modelArgs,
		RunE: func(c *cobra.Command, args []string) error {
			plan, err := f.plan(c, args)
			if err != nil {
				return misuse(c, err)
			}
			return runCapacity(c.Context(), s, plan, &f)
		},
	}
	f.register(cmd.Flags())
	_ = cmd.RegisterFlagCompletionFunc("scenario", completeScenarios) // the flag exists
	return cmd
}

func (f *capacityFlags) register(fs *pflag.FlagSet) {
	fs.StringVar(&f.scenario, "scenario", "hello", "whose requests are sent, by `NAME|FILE.yaml`; its load is replaced")
	fs.StringVar(&f.objective, "slo", capacity.DefaultObjective, "`OBJECTIVE` that every trial must meet")
	fs.StringVar(&f.from, "from", "50/s", "`RATE` tried first")
	fs.StringVar(&f.to, "to", "50000/s", "`RATE` never exceeded")
	fs.StringVar(&f.resolution, "resolution", "5%", "`SHARE` by which the ends of the interval may differ before they are repeated")
	fs.StringVar(&f.users, "users", "", "closed loop at these `LEVELS` of users, with a scalability law fitted, in place of the search")
	fs.StringArrayVar(&f.tune, "tune", nil, "`SETTINGS` of the one model to search for the best of; repeatable")
	fs.IntVar(&f.trials, "trials", usualTrials, "trials that must agree at each end, and of each point of a curve; fewer than 6 give no 95 % interval")
	fs.IntVar(&f.most, "most", 80, "trials after which a model's search stops, with what it knows")
	fs.BoolVar(&f.poisson, "poisson", false, "arrivals at random moments in place of evenly spaced ones (default: as the scenario says)")
	fs.BoolVar(&f.curve, "curve", true, "measure response times from 50 % of the rate found to 120 %, for the knee; never with --tune")
	fs.BoolVar(&f.quick, "quick", false, "2 trials, of 1 s, no curve: a first idea, without 95 % intervals")
	fs.DurationVar(&f.window, "for", 2*time.Second, "measuring window of a trial")
	fs.DurationVar(&f.warmup, "warmup", 0, "traffic before the window, discarded (default: the scenario's)")
	fs.DurationVar(&f.timeout, "timeout", 0, "how long a client waits for an answer (default: the scenario's)")
	fs.Uint64Var(&f.seed, "seed", 0, "seed of the trials' order and traffic (default: drawn, and recorded)")
	fs.BoolVar(&f.pin, "pin", false, "server and load generator on disjoint halves of the cores (Linux)")
	fs.StringVar(&f.out, "out", "", "results `FOLDER`, new or empty (default lab-results/TIME-capacity-SCENARIO)")
	fs.StringVar(&f.dash, "dash", "auto", "live dashboard on the terminal: on, off, or auto")
	f.target.register(fs)
	f.render.register(fs)
	f.render.registerTheory(fs)
}

// plan turns flags and arguments into a plan; all its errors are the caller's
// mistakes.
func (f *capacityFlags) plan(c *cobra.Command, specs []string) (*scenarios.Plan, error) {
	changed := c.Flags().Changed
	if err := f.check(changed, specs); err != nil {
		return nil, err
	}
	sc, err := scenarios.Find(f.scenario)
	if err != nil {
		return nil, err
	}
	if sc.Faulty() {
		return nil, fmt.Errorf("scenario %s does harm on purpose: its capacity means nothing; choose another", sc.Name)
	}
	if changed("warmup") {
		sc.Warmup = f.warmup
	}
	if changed("timeout") {
		sc.Timeout = f.timeout
	}
	q, err := f.inquiry(changed, sc)
	if err != nil {
		return nil, err
	}
	given := specs
	if q.Kind == scenarios.BySettings {
		if specs, err = capacity.Settings(specs[0], f.tune); err != nil {
			return nil, fmt.Errorf("--tune: %w", err)
		}
		q.Settings = specs
	}
	models, err := f.target.contestants(c.Context(), specs)
	if err != nil {
		return nil, err
	}
	p, err := capacity.Plan(q, sc, models, f.length(changed))
	if err != nil {
		return nil, err
	}
	p.Name = "capacity-" + sc.Name
	p.Seed, p.Pin, p.Quick = f.seed, f.pin, f.quick
	if !changed("seed") {
		p.Seed = uint64(rand.Uint32()) // short enough to type again
	}
	p.Command = command(c, given, p.Seed)
	return p, nil
}

func (f *capacityFlags) check(changed func(string) bool, specs []string) error {
	foreign := len(f.target.targets) > 0
	switch {
	case len(specs) == 0 && !foreign:
		return errors.New("nothing to measure: name a MODEL, or a server that runs already with --target; lab list models shows what there is")
	case foreign && len(f.tune) > 0:
		return errors.New("--tune tries options of a model that the lab starts, and a target was started with its own: leave one of them out")
	case foreign && f.pin:
		return errPinTarget
	case f.users != "" && len(f.tune) > 0:
		return errors.New("--users raises the users of a closed loop and --tune searches for rates: give one of them")
	case len(f.tune) > 0 && changed("curve") && f.curve:
		return errors.New("--tune draws no curves: leave --curve out, and draw that of the best setting afterwards")
	case len(f.tune) > 0 && len(specs) != 1:
		return fmt.Errorf("--tune tries settings of one model: name one, found %d", len(specs))
	case f.trials < 1 || f.trials > 100:
		return fmt.Errorf("--trials %d: expected 1 to 100", f.trials)
	case f.most < 1 || f.most > 10_000:
		return fmt.Errorf("--most %d: expected 1 to 10000", f.most)
	case f.window < scenarios.MinWindow || f.window > time.Hour:
		return fmt.Errorf("--for %s: expected %s to 1h", f.window, scenarios.MinWindow)
	case f.warmup < 0:
		return fmt.Errorf("--warmup %s: expected 0 or more", f.warmup)
	case changed("timeout") && f.timeout < time.Millisecond:
		return fmt.Errorf("--timeout %s: expected 1ms or more", f.timeout)
	}
	for _, flag := range []string{"from", "to", "resolution", "poisson", "curve", "most"} {
		if f.users != "" && changed(flag) {
			return fmt.Errorf("--%s belongs to the search for a rate: leave it out with --users", flag)
		}
	}
	return errors.Join(oneOf("dash", f.dash, "on", "off", "auto"), f.render.check())
}

const quickWindow = time.Second

// length is that of a trial.
func (f *capacityFlags) length(changed func(string) bool) time.Duration {
	if f.quick && !changed("for") {
		return quickWindow
	}
	return f.window
}

// inquiry is what is to be found out about a scenario.
func (f *capacityFlags) inquiry(changed func(string) bool, sc *scenarios.Scenario) (q scenarios.Inquiry, err error) {
	q = scenarios.Inquiry{Kind: scenarios.ByRate, Agree: f.trials, Most: f.most, Curve: f.curve}
	if f.quick && !changed("trials") {
		q.Agree = quickTrials
	}
	var o capacity.Objective
	if f.users == "" || changed("slo") {
		if o, err = capacity.ParseObjective(f.objective); err != nil {
			return q, fmt.Errorf("--slo %w", err)
		}
		q.Objective = o.String()
	}
	if longest := o.Longest(); longest > sc.Timeout {
		return q, fmt.Errorf("--slo %s: clients of scenario %s wait for %s only, so no answer can take longer; raise --timeout", o, sc.Name, sc.Timeout)
	}
	if f.users != "" {
		q.Kind, q.Most, q.Curve = scenarios.ByUsers, 0, false
		if q.Users, err = capacity.ParseUsers(f.users); err != nil {
			return q, fmt.Errorf("--users %w", err)
		}
		return q, nil
	}
	if len(f.tune) > 0 {
		q.Kind, q.Curve = scenarios.BySettings, false
	}
	if f.quick && !changed("curve") {
		q.Curve = false
	}
	q.Poisson = f.poisson
	if st, ok := sc.Steady(); ok && st.Open() && !changed("poisson") {
		q.Poisson = st.Poisson
	}
	return q, f.rates(&q, o, f.length(changed))
}

// rates reads the flags that bound the search.
func (f *capacityFlags) rates(q *scenarios.Inquiry, o capacity.Objective, window time.Duration) (err error) {
	if q.From, err = scenarios.ParseRate(f.from); err != nil {
		return fmt.Errorf("--from: %w", err)
	}
	if q.To, err = scenarios.ParseRate(f.to); err != nil {
		return fmt.Errorf("--to: %w", err)
	}
	number, percent := strings.CutSuffix(strings.TrimSpace(f.resolution), "%")
	q.Resolution, err = strconv.ParseFloat(number, 64)
	if percent {
		q.Resolution /= 100
	}
	if err != nil || !(q.Resolution >= 0.005) || q.Resolution > 1 {
		return fmt.Errorf("--resolution %s: expected 0.5%% to 100%%", f.resolution)
	}
	q.From, q.To, q.Least = capacity.Round(q.From), capacity.Round(q.To), capacity.Least(o, window)
	switch {
	case q.To < q.Least:
		return fmt.Errorf("--to %s: below %g/s a trial of %s, lengthened tenfold, holds fewer than the %d requests that %s takes; lengthen --for", f.to, q.Least, window, o.Needs(), o)
	case q.From > q.To:
		return fmt.Errorf("--from %s lies above --to %s", f.from, f.to)
	}
	q.From = max(q.From, q.Least)
	return nil
}

// runCapacity runs the plan and shows what came of it.
func runCapacity(ctx context.Context, s streams, plan *scenarios.Plan, f *capacityFlags) error {
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
	if len(result.Measured) > 0 || len(result.NotSpoken) > 0 {
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
		return fmt.Errorf("%d of %d models were refused: %s", len(result.Refused), len(result.Models), strings.Join(result.Notes, "; "))
	}
	fmt.Fprintln(s.err, "results in", plan.Store.Dir)
	return unfound(report)
}

// unfound is the error of a run that could find nothing out about a model.
func unfound(r *reports.Report) error {
	if r == nil || r.Capacity == nil {
		return errors.New("nothing was measured; the notes say why")
	}
	var none []string
	for _, m := range r.Capacity.Models {
		valid := 0
		for _, p := range m.Points {
			valid += p.Held + p.Broken
		}
		if valid == 0 {
			none = append(none, m.Model)
		}
	}
	if len(none) > 0 {
		return fmt.Errorf("no trial was valid for %s; the report says why", strings.Join(none, ", "))
	}
	return nil
}
