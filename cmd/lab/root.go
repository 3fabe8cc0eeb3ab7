package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gatewaylab/servers"
)

func newRoot(s streams) *cobra.Command {
	root := &cobra.Command{
		Use:   "lab",
		Short: "What changes when only the server model around an application changes?",
		Long: `Gateway Lab runs interchangeable server models around one application, sends
them the same load, and shows by measurement what differs and why.`,
		Example: `  lab compare                                   cgi, prefork and async on three scenarios
  lab compare prefork:workers=2 prefork:workers=8 --scenario wait
  lab capacity prefork --scenario wait          the highest rate held within an objective
  lab serve async --addr 127.0.0.1:8000         one model, for curl or any other tool
  lab trace cgi '/echo?x=1'                     one request, every byte explained
  lab report lab-results/20260102T150405Z-compare --format csv`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return c.Help()
			}
			var names []string
			for _, sub := range c.Commands() {
				if sub.IsAvailableCommand() {
					names = append(names, sub.Name())
				}
			}
			return misuse(c, fmt.Errorf("no command is called %q%s", args[0], servers.Nearest(args[0], names)))
		},
	}
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	root.SetFlagErrorFunc(misusedFlag)
	root.AddCommand(newCompare(s), newCapacity(s), newPredict(s), newServe(s), newTrace(s), newReport(s), newList(s), newDoctor(s), newVersion(s))
	for _, sub := range root.Commands() {
		check := sub.Args
		sub.Args = func(c *cobra.Command, args []string) error {
			if check(c, args) == nil {
				return nil
			}
			_, what, _ := strings.Cut(sub.Use, " ")
			found := map[int]string{0: "no argument", 1: "1 argument"}[len(args)]
			return misuse(c, fmt.Errorf("expected %s, found %s", strings.TrimSpace(c.CommandPath()+" "+what), cmp.Or(found, fmt.Sprintf("%d arguments", len(args)))))
		}
	}
	return root
}

// misuse marks an error as the caller's mistake.
func misuse(c *cobra.Command, err error) error {
	return &usageError{command: c.CommandPath(), err: err}
}

// misusedFlag says what the library knows of a flag's mistake in the lab's words.
func misusedFlag(c *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	var wrong *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() == "":
		var names []string
		c.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		nearest, _, _ := strings.Cut(servers.Nearest(unknown.GetSpecifiedName(), names), " (known: ") // the help shows them all
		err = fmt.Errorf("unknown flag: --%s%s", unknown.GetSpecifiedName(), strings.Replace(nearest, "did you mean ", "did you mean --", 1))
	case errors.As(err, &wrong) && wrong.GetFlag().Value.Type() == "duration":
		err = fmt.Errorf("--%s %s: expected a duration such as 500ms, 5s or 1m30s", wrong.GetFlag().Name, wrong.GetValue())
	}
	return misuse(c, err)
}

// oneOf checks a flag that takes a word.
func oneOf(flag, value string, known ...string) error {
	if slices.Contains(known, value) {
		return nil
	}
	return fmt.Errorf("--%s %s: expected one of %s", flag, value, strings.Join(known, ", "))
}

// modelArgs completes model names on the command line.
func modelArgs(_ *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var names []cobra.Completion
	for _, m := range servers.Models() {
		names = append(names, cobra.CompletionWithDesc(m.Name, m.Doc))
		for _, f := range servers.Fronts() {
			if spec := f.Name + "+" + m.Name; strings.HasPrefix(spec, typed) && strings.Contains(typed, "+") {
				names = append(names, cobra.CompletionWithDesc(spec, m.Doc+", behind "+f.Name))
			}
		}
	}
	for _, f := range servers.Fronts() {
		names = append(names, cobra.CompletionWithDesc(f.Name+"+", f.Doc))
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
