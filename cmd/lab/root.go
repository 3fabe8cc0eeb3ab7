package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

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
	root.SetFlagErrorFunc(misuse)
	root.AddCommand(newCompare(s), newCapacity(s), newPredict(s), newServe(s), newTrace(s), newReport(s), newList(s), newDoctor(s), newVersion(s))
	for _, sub := range root.Commands() {
		check := sub.Args
		sub.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return misuse(c, err)
			}
			return nil
		}
	}
	return root
}

// misuse marks an error as the caller's mistake.
func misuse(c *cobra.Command, err error) error {
	return &usageError{command: c.CommandPath(), err: err}
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
