package scenarios

import (
	"embed"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"gatewaylab/servers"
)

//go:embed *.yaml
var files embed.FS

// Library returns the embedded scenarios, in the order in which they teach.
func Library() ([]*Scenario, error) {
	names, err := files.ReadDir(".")
	if err != nil {
		return nil, fmt.Errorf("embedded scenarios: %w", err)
	}
	var all []*Scenario
	for _, n := range names {
		src, err := files.ReadFile(n.Name())
		if err != nil {
			return nil, fmt.Errorf("embedded scenarios: %w", err)
		}
		s, err := parseBytes(n.Name(), src)
		if err != nil {
			return nil, fmt.Errorf("embedded scenarios: %w", err)
		}
		all = append(all, s)
	}
	order := []string{"hello", "wait", "cpu"}
	slices.SortStableFunc(all, func(a, b *Scenario) int {
		return slices.Index(order, a.Name) - slices.Index(order, b.Name)
	})
	return all, nil
}

// Find returns the scenario that an argument means: an embedded one's name, or
// a file, which is recognised by a slash or a .yaml or .yml ending.
func Find(arg string) (*Scenario, error) {
	if strings.ContainsRune(arg, '/') || slices.Contains([]string{".yaml", ".yml"}, path.Ext(arg)) {
		f, err := os.Open(arg)
		if err != nil {
			return nil, fmt.Errorf("scenario file: %w", err)
		}
		defer f.Close()
		return Parse(arg, f)
	}
	all, err := Library()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, s := range all {
		if s.Name == arg {
			return s, nil
		}
		names = append(names, s.Name)
	}
	return nil, fmt.Errorf("no scenario is called %q%s; a file is given as ./NAME.yaml", arg, servers.Nearest(arg, names))
}
