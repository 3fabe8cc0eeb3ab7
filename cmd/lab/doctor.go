package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"gatewaylab/reports/checkup"
)

// errUnhealthy is what lab doctor says when it has shown why.
var errUnhealthy = errors.New("the lab can't do what was asked here; the checkup says why")

// doctorFlags are lab doctor's flags as given.
type doctorFlags struct {
	format      string
	installPlan bool
	measure     bool
	within      time.Duration
	target      targetFlags
}

func newDoctor(s streams) *cobra.Command {
	var f doctorFlags
	cmd := &cobra.Command{
		Use:   "doctor [MODEL…]",
		Short: "What this machine has, lacks, and the exact command that installs it",
		Long: `Looks for every program that the lab can use, starts each server, and sends it
the same probes as before a comparison: works means that it answered them like
the application itself. What is missing is shown with the line that installs it.
With MODELs or a --target, only those are looked at.

Exit status: 0 the lab runs here, whatever optional servers are missing or fail;
1 it doesn't, or a MODEL or --target that was named doesn't work; 2 bad usage;
130 interrupted.`,
		Example: `  lab doctor
  lab doctor gunicorn nginx+prefork             exit status 1 unless both work
  lab doctor --target mine=http://127.0.0.1:8000   whether it does the application's work
  lab doctor --install-plan                     one line that installs what is missing
  lab doctor --measure                          what differences this machine can tell
  lab doctor --format json | jq '.programs[] | select(.state == "missing").name'`,
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: modelArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if err := f.check(c.Flags().Changed, args); err != nil {
				return misuse(c, err)
			}
			targets, err := f.target.read()
			if err == nil {
				err = f.target.find(c.Context(), targets)
			}
			if err != nil {
				return misuse(c, err)
			}
			found := checkup.Alone(c.Context())
			if !f.measure && (len(args) > 0 || len(targets) == 0) {
				if found, err = checkup.Look(c.Context(), args); err != nil {
					return misuse(c, err)
				}
			}
			found.Ask(c.Context(), targets)
			if f.measure {
				return f.resolve(c, s, found)
			}
			if len(args) == 0 && len(targets) > 0 {
				return f.show(s, found, args)
			}
			if f.installPlan {
				return installPlan(s, found)
			}
			return f.examine(c, s, found, args)
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&f.format, "format", "text", "text or json")
	fs.BoolVar(&f.installPlan, "install-plan", false, "start nothing and print one line that installs all that is missing on this system")
	fs.BoolVar(&f.measure, "measure", false, "instead, measure what differences between models this machine can tell: noise, generator, timer")
	f.target.register(fs)
	fs.DurationVar(&f.within, "within", 50*time.Second, "how long trying all servers out, or measuring, may take; what isn't reached is shown as untried")
	return cmd
}

func (f *doctorFlags) check(changed func(string) bool, args []string) error {
	if f.measure && (len(args) > 0 || f.installPlan || len(f.target.targets) > 0) {
		return errors.New("--measure is about the machine alone: leave models, targets and --install-plan out")
	}
	for _, flag := range []string{"format", "target", "within"} {
		if f.installPlan && changed(flag) {
			return fmt.Errorf("--install-plan prints one line and tries nothing: leave --%s out", flag)
		}
	}
	if f.within < time.Second {
		return fmt.Errorf("--within %s: expected 1s or more", f.within)
	}
	return oneOf("format", f.format, "text", "json")
}

// examine tries everything out and shows what was found.
func (f *doctorFlags) examine(c *cobra.Command, s streams, found *checkup.Checkup, specs []string) error {
	// Two at a time, on however many cores: starting a server is not all
	// computing, and what shall work on a quiet machine must not time out here.
	fmt.Fprintln(s.err, "trying the servers out, for at most", f.within, "…")
	found.Try(c.Context(), checkup.Options{Specs: specs, AtATime: max(2, found.Machine.Cores), Within: f.within, Progress: s.err})
	if c.Context().Err() != nil {
		return errInterrupted
	}
	return f.show(s, found, specs)
}

func (f *doctorFlags) show(s streams, found *checkup.Checkup, specs []string) error {
	var err error
	if f.format == "json" {
		err = checkup.JSON(s.out, found)
	} else {
		o := textOptions(s.out)
		err = checkup.Text(s.out, found, checkup.TextOptions{Width: o.Width, Colour: o.Colour})
	}
	switch {
	case err != nil:
		return fmt.Errorf("print the checkup: %w", err)
	case !found.Healthy(len(specs) > 0):
		return errUnhealthy
	}
	return nil
}

// resolve measures what can be told apart here.
func (f *doctorFlags) resolve(c *cobra.Command, s streams, found *checkup.Checkup) error {
	fmt.Fprintln(s.err, "measuring async against itself, and the load generator, for about", f.within, "…")
	err := found.Measure(c.Context(), f.within, s.err)
	switch {
	case c.Context().Err() != nil:
		return errInterrupted
	case err != nil:
		return err
	}
	return f.show(s, found, nil)
}

// installPlan prints the line, and nothing on stdout if nothing is missing.
func installPlan(s streams, found *checkup.Checkup) error {
	line := found.Missing.Line(found.Machine.Manager)
	if line == "" {
		fmt.Fprintln(s.err, "nothing is missing that could be installed here")
		return nil
	}
	_, err := fmt.Fprintln(s.out, line)
	return err
}
