package main

import (
	"fmt"
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
}

func (f *backingFlags) register(fs *pflag.FlagSet) {
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
	return nil
}

// apply puts the services in place of the scenario's of the same name, and takes
// out those that nothing calls any more.
func (f *backingFlags) apply(sc *scenarios.Scenario) {
	sc.Backing = slices.Clone(sc.Backing)
	for _, b := range f.given {
		sc.Backing = slices.DeleteFunc(sc.Backing, func(o servers.Backing) bool { return o.Service == b.Service })
		sc.Backing = append(sc.Backing, b)
	}
	sc.Backing = slices.DeleteFunc(sc.Backing, func(b servers.Backing) bool {
		return *f.texts[b.Service] == "" && !sc.Calls(b)
	})
}
