package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"gatewaylab/scenarios"
	"gatewaylab/servers"
)

// The words that stand for many models, where several can be named.
const (
	allModels     = "all"
	builtInModels = "built-in"
	realModels    = "real"
)

const manyHelp = `
In place of a MODEL, built-in stands for every model of the lab's own, real for
every real server that is installed here, in each of its kinds, and all for both,
with the options that they have if nothing is said. Those that are named beside
the word aren't measured twice.
`

// many are the specs that a word stands for; nil if it is none.
func many(word string) []string {
	switch word {
	case allModels:
		return slices.Concat(servers.OwnTryouts(), servers.Tryouts())
	case builtInModels:
		return servers.OwnTryouts()
	case realModels:
		return servers.Tryouts()
	}
	return nil
}

// checkWord says what is wrong with a spec that has a word for many models in
// it, and more.
func checkWord(spec string) error {
	if many(spec) != nil {
		return nil
	}
	name, _, _ := strings.Cut(spec[strings.LastIndexAny(spec, "+")+1:], ":")
	if _, aliased, ok := strings.Cut(name, "="); ok {
		name = aliased
	}
	name = strings.TrimSpace(name)
	if many(name) == nil {
		return nil
	}
	return fmt.Errorf("%s: %s stands for models as they are, each under its own name; name beside it those that are to be set up otherwise, as in %[2]s prefork:workers=2", spec, name)
}

// A chosenModel is one that a command names, by itself or as one of many.
type chosenModel struct {
	spec     string
	oneOfAll bool
}

// choose puts in place of words for many models those that can run here and use
// the services, but for those that are meant already; missing are the others.
func choose(specs []string, services []servers.Backing) (chosen []chosenModel, missing []string, err error) {
	var meant []*servers.Configured
	for _, s := range specs {
		if err := checkWord(s); err != nil {
			return nil, nil, err
		}
		if many(s) != nil {
			continue
		}
		e, err := scenarios.ParseEntry(s)
		if err != nil {
			return nil, nil, notAModel(err, s)
		}
		c, err := servers.Resolve(e.Spec)
		if err != nil {
			return nil, nil, err
		}
		meant = append(meant, c)
	}
	for _, s := range specs {
		if many(s) == nil {
			chosen = append(chosen, chosenModel{spec: s})
			continue
		}
		for _, spec := range many(s) {
			c, err := servers.Resolve(spec)
			switch {
			case err != nil:
				return nil, nil, err
			case slices.ContainsFunc(meant, c.Same):
				continue
			case c.AvailableFor(services) != nil:
				missing = append(missing, spec)
			default:
				chosen = append(chosen, chosenModel{spec, true})
			}
			meant = append(meant, c)
		}
	}
	if len(chosen) == 0 && len(specs) > 0 {
		return nil, nil, fmt.Errorf("%s: none of them can run here; lab doctor --install-plan prints what installs them", strings.Join(specs, " "))
	}
	return chosen, missing, nil
}

// notAModel says of specs that don't name a model if one names a scenario.
func notAModel(err error, specs ...string) error {
	for _, spec := range specs {
		if sc, no := scenarios.Find(spec); no == nil {
			return fmt.Errorf("%s is a scenario and no model (%s): write --scenario %[1]s", spec, sc.Title)
		}
	}
	return err
}

// contestants are the models that are meant, and the targets.
func (f *compareFlags) contestants(c *cobra.Command, specs []string, scs []*scenarios.Scenario) ([]*scenarios.Contestant, error) {
	var services []servers.Backing
	for _, sc := range scs {
		services = append(services, sc.Backing...)
	}
	chosen, missing, err := choose(specs, services)
	if err != nil {
		return nil, err
	}
	specs = nil
	for _, m := range chosen {
		specs = append(specs, m.spec)
	}
	models, err := f.target.contestants(c.Context(), specs)
	if err != nil {
		return nil, err
	}
	for i, m := range chosen {
		models[i].OneOfAll = m.oneOfAll
	}
	if len(missing) > 0 {
		fmt.Fprintf(c.ErrOrStderr(), "left out, since they can't run here: %s (lab doctor says why, and what installs them)\n", strings.Join(missing, ", "))
	}
	return models, nil
}

// severalArgs completes models, and the words that stand for many.
func severalArgs(c *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	names, directive := modelArgs(c, args, typed)
	return append([]cobra.Completion{
		cobra.CompletionWithDesc(allModels, "every model that can run here"),
		cobra.CompletionWithDesc(builtInModels, "every model of the lab's own"),
		cobra.CompletionWithDesc(realModels, "every real server that is installed here"),
	}, names...), directive
}
