package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gatewaylab/reports"
	"gatewaylab/scenarios"
	"gatewaylab/scenarios/load"
	"gatewaylab/scenarios/predict"
	"gatewaylab/servers"
)

// predictFlags are lab predict's flags; what it shares with lab compare is
// checked and applied as there.
type predictFlags struct {
	compareFlags
	cores       int
	connections int
	costs       string
}

// mostConnections is as many as a simulation holds without taking all memory.
const mostConnections = 2_000_000

func newPredict(s streams) *cobra.Command {
	var f predictFlags
	cmd := &cobra.Command{
		Use:   "predict [MODEL…]",
		Short: "What theory says a measurement will come to: formulas, else a simulation",
		Long: `Says what each model should make of a scenario, without measuring it: by a
formula where one applies, named and with what it rests on, and else by
simulating the model in virtual time. Where neither has anything to say it says
why. The same seed gives the same figures, to the last digit, and the traffic
that lab compare has with that seed.

What a request costs in CPU time no theory knows, nor how late sleeps end on a
machine. Both are measured here once, in a second or two for each model, kind
of it, protocol and number of requests a connection, and kept in the user's
cache with their date. --costs none leaves them out, --costs anew measures them
again.

With --cores the server has as many cores to itself, and the load comes from
elsewhere; with --connections as many users, each with a connection of its own,
send in place of the scenario's load.

What scenarios expect is of measurements, and not judged here: lab compare does
that. A suite such as fidelity is predicted situation by situation; MODELs after
it choose among its pairs.` + trafficHelp + `

Exit status: 0 done, whether or not theory has something to say; 1 failed; 2 bad
usage; 130 interrupted.`,
		Example: `  lab predict prefork:workers=4 async --scenario wait
  lab predict prefork:workers=2 --load 'poisson constant 30/s over 60s' --request '/wait?ms={exponential 50}'
  lab predict --scenario longer-queue --costs none
  lab predict async eventloop --scenario hello --cores 64 --connections 100000 --for 1s --trials 1
  lab predict --scenario four-queues --format csv`,
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: severalArgs,
		RunE: func(c *cobra.Command, args []string) error {
			plan, err := f.predicted(c, args)
			if err != nil {
				return misuse(c, err)
			}
			return f.run(c.Context(), s, plan)
		},
	}
	f.register(cmd.Flags())
	_ = cmd.RegisterFlagCompletionFunc("scenario", completeScenarios) // the flag exists
	return cmd
}

func (f *predictFlags) register(fs *pflag.FlagSet) {
	f.dash = "off"
	f.render = renderFlags{plots: "none", theme: "light", dpi: 144, printed: usualFormats[:], changed: fs.Changed}
	fs.StringArrayVar(&f.scenarios, "scenario", nil, "scenario by `NAME|FILE.yaml`; repeatable (default hello, wait, cpu)")
	fs.IntVar(&f.trials, "trials", 3, "simulated trials, whose medians are shown")
	fs.DurationVar(&f.window, "for", 0, "measuring window of a trial (default: the scenario's)")
	fs.DurationVar(&f.warmup, "warmup", 0, "traffic before the window, discarded (default: the scenario's)")
	fs.DurationVar(&f.timeout, "timeout", 0, "how long a client waits for an answer (default: the scenario's)")
	fs.StringVar(&f.rate, "rate", "", "open loop at this arrival `RATE`, such as 200/s, in place of the scenario's load")
	fs.IntVar(&f.concurrency, "concurrency", 0, "closed loop with this many clients, in place of the scenario's load")
	fs.Uint64Var(&f.seed, "seed", 1, "seed of the simulated traffic")
	fs.IntVar(&f.cores, "cores", 0, "cores that the server has to itself (default: this machine's, shared with the load generator)")
	fs.IntVar(&f.connections, "connections", 0, "closed loop with this many users, each with its connection, in place of the scenario's load")
	fs.StringVar(&f.costs, "costs", "auto", "CPU times of requests: auto (measured once and kept), anew, or none")
	fs.StringVar(&f.render.format, "format", "text", "what is printed on stdout: text, json, csv or md")
	f.traffic.registerSent(fs)
}

// predicted is the plan that is meant.
func (f *predictFlags) predicted(c *cobra.Command, specs []string) (*scenarios.Plan, error) {
	changed := c.Flags().Changed
	switch {
	case changed("cores") && (f.cores < 1 || f.cores > 4096):
		return nil, fmt.Errorf("--cores %d: expected 1 to 4096", f.cores)
	case changed("connections") && (f.connections < 1 || f.connections > mostConnections):
		return nil, fmt.Errorf("--connections %d: expected 1 to %d", f.connections, mostConnections)
	case changed("connections") && (changed("load") || changed("rate") || changed("concurrency")):
		return nil, errors.New("--connections says the load: leave out --load, --rate and --concurrency")
	}
	if err := oneOf("costs", f.costs, "auto", "anew", "none"); err != nil {
		return nil, err
	}
	plan, err := f.plan(c, specs)
	if err != nil {
		return nil, err
	}
	plan.Seed, plan.Trials = f.seed, f.trials
	if f.connections > 0 {
		for _, cell := range plan.Cells {
			sc := cell.Scenario
			many := load.Stage{Shape: load.Users, UsersFrom: f.connections, For: sc.For()}
			if st := sc.Stages[0]; !st.Open() {
				many.Think, many.ThinkExponential = st.Think, st.ThinkExponential
			}
			sc.Stages, sc.MaxInFlight = []load.Stage{many}, 0
		}
	}
	return plan, nil
}

// run finds the costs, predicts and prints.
func (f *predictFlags) run(ctx context.Context, s streams, plan *scenarios.Plan) error {
	here := scenarios.Here(ctx)
	machine := predict.Machine{Cores: max(1, here.Cores), Shared: true}
	if f.cores > 0 {
		machine = predict.Machine{Cores: f.cores}
	}
	known := &predict.Calibration{}
	if f.costs != "none" {
		var err error
		if known, err = predict.LoadCalibration(here); err != nil {
			return err
		}
		if err := f.calibrate(ctx, s, plan, known); err != nil {
			return err
		}
	}
	p, err := reports.Predict(ctx, plan, machine, func(c scenarios.Cell) predict.Costs {
		return known.Costs(c.Scenario, c.Contestant.Configured)
	})
	switch {
	case ctx.Err() != nil:
		return errInterrupted
	case err != nil:
		return err
	}
	switch f.render.format {
	case "json":
		err = reports.PredictionsJSON(s.out, p)
	case "csv":
		err = reports.PredictionsCSV(s.out, p)
	case "md":
		err = reports.PredictionsMarkdown(s.out, p)
	default:
		err = reports.PredictionsText(s.out, p, textOptions(s.out))
	}
	if err != nil {
		return fmt.Errorf("print the predictions: %w", err)
	}
	return nil
}

// calibrate measures what isn't known of the plan's models.
func (f *predictFlags) calibrate(ctx context.Context, s streams, plan *scenarios.Plan, known *predict.Calibration) error {
	var programs servers.Programs
	if f.costs == "anew" {
		known.Forget()
	}
	fresh := false
	for _, cell := range plan.Cells {
		c := cell.Contestant
		if !known.Lacks(cell.Scenario, c.Configured) {
			continue
		}
		if !fresh {
			var err error
			if programs, err = servers.FindPrograms(ctx, s.err); err != nil {
				return err
			}
			fresh = true
		}
		fmt.Fprintf(s.err, "measuring here, once, what a request costs %s where clients come as those of %s\n", c.Spec, cell.Scenario.Name)
		if err := known.Measure(ctx, programs, cell.Scenario, c); err != nil {
			if ctx.Err() != nil {
				return errInterrupted
			}
			fmt.Fprintln(s.err, "lab:", err)
		}
	}
	if !fresh {
		return nil
	}
	return known.Save()
}
