package main

import (
	"context"
	"errors"
	"io"
	"os"
	"strconv"

	"github.com/charmbracelet/x/term"

	"gatewaylab/reports"
	"gatewaylab/reports/dashboard"
	"gatewaylab/scenarios"
)

func isTerminal(f *os.File) bool { return term.IsTerminal(f.Fd()) }

func noColor() bool { return os.Getenv("NO_COLOR") != "" }

// watched runs the plan with the dashboard, or with plain progress lines where
// nobody is looking at a terminal. Both go to stderr; stdout is for results.
func watched(ctx context.Context, s streams, plan *scenarios.Plan, dash string) (*scenarios.Result, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	events := make(chan scenarios.Event, 64)
	shown := make(chan error, 1)
	screen, live := terminal(s.err)
	if dash == "off" || !live && dash == "auto" {
		go func() {
			dashboard.Plain(events, s.err)
			shown <- nil
		}()
	} else {
		if !live {
			return nil, errors.New("--dash on: stderr is not a terminal; use --dash off for progress lines")
		}
		go func() {
			shown <- dashboard.Show(ctx, events, dashboard.Options{In: s.in, Out: screen, Stop: stop, NoColor: noColor()})
		}()
	}
	result, err := scenarios.Run(ctx, plan, func(e scenarios.Event) { events <- e })
	close(events)
	return result, errors.Join(err, <-shown)
}

// textOptions fits the table to where it is printed; where that is no terminal,
// to COLUMNS, if it is set.
func textOptions(out io.Writer) reports.TextOptions {
	o := reports.TextOptions{}
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && n > 0 {
		o.Width = n
	}
	if f, ok := terminal(out); ok {
		o.Colour = !noColor()
		if w, _, err := term.GetSize(f.Fd()); err == nil {
			o.Width = w
		}
	}
	return o
}
