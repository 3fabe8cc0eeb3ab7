package scenarios

import (
	"bytes"
	"cmp"
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

//go:embed schema.json
var schema []byte

// FileSchema is the JSON Schema (draft 2020-12) of scenario files. It knows their
// structure and the form of their values; what only Parse knows is the text
// forms' grammar, models, expectations, and what parts must agree on.
func FileSchema() []byte { return bytes.Clone(schema) }

// Library returns the embedded scenarios, in the order in which they teach.
func Library() ([]*Scenario, error) {
	all, _, err := embedded()
	return all, err
}

// Suites returns the embedded suites.
func Suites() ([]*Suite, error) {
	_, suites, err := embedded()
	return suites, err
}

func embedded() (all []*Scenario, suites []*Suite, err error) {
	fail := func(err error) ([]*Scenario, []*Suite, error) {
		return nil, nil, fmt.Errorf("embedded scenarios: %w", err)
	}
	names, err := files.ReadDir(".")
	if err != nil {
		return fail(err)
	}
	for _, n := range names {
		src, err := files.ReadFile(n.Name())
		if err != nil {
			return fail(err)
		}
		p, body, err := document(n.Name(), bytes.NewReader(src), files.Open)
		if err != nil {
			return fail(err)
		}
		if p.isSuite(body) {
			s, err := p.suite(body)
			if err != nil {
				return fail(err)
			}
			suites = append(suites, s)
			continue
		}
		s, err := p.scenario(body)
		if err != nil {
			return fail(err)
		}
		all = append(all, s)
	}
	slices.SortStableFunc(all, func(a, b *Scenario) int {
		return cmp.Or(a.rank()-b.rank(), a.Lesson-b.Lesson, strings.Compare(a.Name, b.Name))
	})
	return all, suites, nil
}

// rank puts the three scenarios that run if none is named first, and those of
// no lesson last.
func (s *Scenario) rank() int {
	first := []string{"hello", "wait", "cpu"}
	switch i := slices.Index(first, s.Name); {
	case i >= 0:
		return i
	case s.Lesson > 0:
		return len(first)
	}
	return len(first) + 1
}

// Find returns the scenario that an argument means: an embedded one's name, or
// a file, which is recognised by a slash or a .yaml or .yml ending.
func Find(arg string) (*Scenario, error) {
	if isFile(arg) {
		f, err := os.Open(arg)
		if err != nil {
			return nil, fmt.Errorf("scenario file: %w", err)
		}
		defer f.Close()
		return Parse(arg, f)
	}
	all, suites, err := embedded()
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
	for _, s := range suites {
		if s.Name == arg {
			return nil, fmt.Errorf("%s is a suite of pairs and situations, which runs by itself", arg)
		}
		names = append(names, s.Name)
	}
	for _, ending := range fileEndings {
		if info, err := os.Stat(arg + ending); err == nil && info.Mode().IsRegular() {
			return nil, fmt.Errorf("no scenario is called %q, but there is a file: write ./%[1]s%s", arg, ending)
		}
	}
	return nil, fmt.Errorf("no scenario is called %q%s; a file is given as ./NAME.yaml", arg, servers.Nearest(arg, names))
}

// fileEndings are those of scenario files.
var fileEndings = [...]string{".yaml", ".yml"}

func isFile(arg string) bool {
	return strings.ContainsRune(arg, '/') || slices.Contains(fileEndings[:], path.Ext(arg))
}

// FindSuite returns the suite that an argument means, as Find does a scenario;
// nil if it means no suite.
func FindSuite(arg string) (*Suite, error) {
	if !isFile(arg) {
		all, err := Suites()
		if i := slices.IndexFunc(all, func(s *Suite) bool { return s.Name == arg }); i >= 0 {
			return all[i], nil
		}
		return nil, err
	}
	f, err := os.Open(arg)
	if err != nil {
		return nil, fmt.Errorf("scenario file: %w", err)
	}
	defer f.Close()
	return ParseSuite(arg, f)
}
