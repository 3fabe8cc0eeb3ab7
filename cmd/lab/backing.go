package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"gatewaylab/scenarios"
	"gatewaylab/servers"
)

// backingFlags say what the backing services are like: a flag for each, called
// as it is.
type backingFlags struct {
	texts map[string]*string
	given []servers.Backing
	// dsn is in place of the database's own, and leaves its pool as it is.
	dsn string
}

func (f *backingFlags) register(fs *pflag.FlagSet) {
	fs.StringVar(&f.dsn, "dsn", "", "`DSN` of the database that /db asks, in place of the scenario's: sqlite, or postgres://…")
	f.texts = map[string]*string{}
	for _, s := range servers.Services() {
		f.texts[s.Name] = fs.String(s.Name, "", fmt.Sprintf("what %s calls, `%s`: %s", s.Route, strings.ToUpper(s.Name), s.Doc))
	}
}

// read reads those that were given.
func (f *backingFlags) read() error {
	for _, s := range servers.Services() {
		if *f.texts[s.Name] == "" {
			continue
		}
		b, err := scenarios.ParseBacking(s.Name, *f.texts[s.Name])
		if err != nil {
			return fmt.Errorf("--%s %w", s.Name, err)
		}
		f.given = append(f.given, b)
	}
	if f.dsn == "" {
		return nil
	}
	if _, err := f.database(); err != nil {
		return fmt.Errorf("--dsn: %w", err)
	}
	for i := range f.given {
		f.given[i] = f.moved(f.given[i])
	}
	return nil
}

// database is the database that is meant where nothing but --dsn says so.
func (f *backingFlags) database() (servers.Backing, error) {
	var given []servers.Setting
	if f.dsn != "" {
		given = []servers.Setting{{Key: "dsn", Value: f.dsn}}
	}
	return servers.NewBacking(servers.DatabaseService, given)
}

// moved is a service at the place that --dsn says, if it is a database.
func (f *backingFlags) moved(b servers.Backing) servers.Backing {
	if b.Service == servers.DatabaseService && f.dsn != "" {
		b.Settings = maps.Clone(b.Settings)
		b.Settings["dsn"] = f.dsn
	}
	return b
}

// services are those that were asked for, for a model that is started by itself.
func (f *backingFlags) services() ([]servers.Backing, error) {
	if f.dsn == "" || f.gave(servers.DatabaseService) {
		return f.given, nil
	}
	b, err := f.database()
	return append(f.given, b), err
}

func (f *backingFlags) gave(service string) bool {
	return slices.ContainsFunc(f.given, func(b servers.Backing) bool { return b.Service == service })
}

// apply puts the services in place of the scenario's of the same name, and takes
// out those that nothing calls any more.
func (f *backingFlags) apply(sc *scenarios.Scenario) {
	sc.Backing = slices.Clone(sc.Backing)
	for _, b := range f.given {
		sc.Backing = slices.DeleteFunc(sc.Backing, func(o servers.Backing) bool { return o.Service == b.Service })
		sc.Backing = append(sc.Backing, b)
	}
	for i := range sc.Backing {
		sc.Backing[i] = f.moved(sc.Backing[i])
	}
	// One who asks /db gets a database without asking for it.
	b, err := f.database()
	if err == nil && sc.Calls(b) && !slices.ContainsFunc(sc.Backing, func(o servers.Backing) bool { return o.Service == b.Service }) {
		sc.Backing = append(sc.Backing, b)
	}
	sc.Backing = slices.DeleteFunc(sc.Backing, func(b servers.Backing) bool {
		return *f.texts[b.Service] == "" && !sc.Calls(b)
	})
}

// findPrograms finds the programs that the plan's servers are made of.
func findPrograms(ctx context.Context, s streams, plan *scenarios.Plan) (err error) {
	if plan.Programs, err = servers.FindPrograms(ctx, s.err); err == nil && plan.NeedsDrivers() {
		plan.Programs, err = plan.Programs.WithDatabase(ctx, s.err)
	}
	return err
}
