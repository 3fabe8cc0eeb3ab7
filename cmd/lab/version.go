package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"gatewaylab/scenarios"
)

func newVersion(s streams) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "The lab's own version and what it was built with",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			e := scenarios.Here(c.Context())
			changed := ""
			if e.Modified {
				changed = " (with local changes)"
			}
			_, err := fmt.Fprintf(s.out, "gateway lab, commit %s%s\n%s %s, vegeta %s\nresults: %s\n",
				e.Commit, changed, e.GoVersion, e.OS, e.Versions["vegeta"], scenarios.Schema)
			return err
		},
	}
}
