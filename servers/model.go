// Package servers is the lab's side of the server models: the table of them,
// the grammar that names and sets them up, and the one way in which any of
// them is started, checked, watched and stopped. Every model, built in or
// not, is an external process, so that the load generator shares no runtime
// with what it measures and gunicorn differs from our own pre-fork server
// in nothing but the command line.
package servers

import (
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/agnivade/levenshtein"

	"gatewaylab/servers/real"
)

// A Model is one way of mapping requests onto processes, threads and
// goroutines. The table of models is the registry, the help text, the
// grammar's vocabulary and the loop of the contract test.
type Model struct {
	Name      string
	Doc       string // one line
	Process   string // how requests map onto processes
	Wire      string // what is spoken on its listener: WireHTTP, WireFastCGI, …
	Interface string // how the application is called
	HTTP      string // versions spoken to the client
	Async     bool   // whether one process holds several requests at a time

	Options []Option
	// Lacks says which options that others have there can't be, and why.
	Lacks string
	Needs []string // programs that must be on PATH

	// Slots is how many requests the model can hold at once, 0 for as many as
	// come; Noun says what a slot is.
	Slots func(Settings) int
	Noun  string
	// Threads is how many threads the requests in progress share for what
	// holds one, blocking calls and computing; nil or 0 where each has its own.
	Threads func(Settings) int
	// Interpreters is how many interpreters the requests in progress share for
	// computing, which each lets one thread do at a time (CPython's lock), while
	// others block or wait; nil or 0 where that is no limit of its own.
	Interpreters func(Settings) int
	// PerRequest names what is made anew for each request: "process",
	// "connection" or "".
	PerRequest string

	// Commands are the processes to start. Each gets the listener as file 3,
	// the control pipe as file 4 and the scoreboard as file 5.
	Commands func(Settings, Programs) []*exec.Cmd

	// Real is set, and Commands is nil, for a program that nobody here wrote.
	// It shows nothing on the scoreboard.
	Real *real.Program
	// Normalises is set if it may hand a path on without its dot segments.
	Normalises bool
	// KeepsOne is set if of a field that comes more than once it keeps the first
	// or the last when a gateway hands each on by itself, as nginx does before
	// 1.23.
	KeepsOne bool
	// Serves, if set, says which paths it answers as the application does; it
	// runs none, or one that lacks some.
	Serves func(target string) bool
	// Refine, if set, changes what of this depends on the settings, and refuses
	// those that don't go together. Behind says that the spec names a front.
	Refine func(m *Model, s Settings, behind bool) error
}

// The protocols that a model may speak on its listener. One that doesn't speak
// HTTP has a front before it, the lab's own if the spec names none.
const (
	WireHTTP    = "HTTP"
	WireFastCGI = "FastCGI"
	WireSCGI    = "SCGI"
	WireUWSGI   = "uwsgi"
)

// Settings are a model's options with every default filled in.
type Settings map[string]string

// Int returns an option that has been checked to be a whole number.
func (s Settings) Int(key string) int {
	n, err := strconv.Atoi(s[key])
	if err != nil {
		panic(fmt.Sprintf("servers: option %s=%q was not checked: %v", key, s[key], err))
	}
	return n
}

// words renders the settings for a command line, in a fixed order.
func (s Settings) words() []string {
	words := make([]string, 0, len(s))
	for k, v := range s {
		words = append(words, k+"="+v)
	}
	slices.Sort(words)
	return words
}

// An Option is one setting of a model.
type Option struct {
	Key, Default, Doc string
	// Check refuses a bad value, saying what was expected.
	Check func(value string) error
}

// Models returns the table of models, in the order in which they are shown.
func Models() []Model {
	return append([]Model{cgi(), serial(), prefork(), threads(), eventloop(), async(), fastcgi(), scgi(), uwsgi()}, realModels()...)
}

// Lookup finds a model by name; the error names the nearest known one.
func Lookup(name string) (*Model, error) {
	models := Models()
	var names []string
	for i := range models {
		if models[i].Name == name {
			return &models[i], nil
		}
		names = append(names, models[i].Name)
	}
	if slices.ContainsFunc(Fronts(), func(f Front) bool { return f.Name == name }) {
		return nil, fmt.Errorf("%s stands before a model: %s+MODEL, as in %s+%s", name, name, name, names[0])
	}
	return nil, fmt.Errorf("no model is called %q%s", name, Nearest(name, names))
}

// Nearest words a hint at the known name closest to a misspelt one: "; did you
// mean prefork? (known: cgi, prefork, async)".
func Nearest(name string, known []string) string {
	best, least := "", len(name)/2+2
	for _, k := range known {
		d := levenshtein.ComputeDistance(strings.ToLower(name), strings.ToLower(k))
		if strings.HasPrefix(strings.ToLower(k), strings.ToLower(name)) && name != "" {
			d = min(d, 1)
		}
		if d < least {
			best, least = k, d
		}
	}
	all := " (known: " + strings.Join(known, ", ") + ")"
	if best == "" {
		return all
	}
	return "; did you mean " + best + "?" + all
}

// Configured is a model with its settings, and the front before it, if there
// is one, with its own: what a spec means.
type Configured struct {
	Model    *Model
	Spec     Spec
	Settings Settings
	// Pool is how many connections to the database each process may have; 0 = as
	// many as the database's settings say.
	Pool int

	Front         *Front // nil: clients speak to the model itself
	FrontSettings Settings

	Target *Target // not nil: a server that the lab doesn't start
}

// Resolve finds a spec's model and front, and checks and completes their
// options. A model that doesn't speak HTTP gets the lab's own front if the spec
// names none.
func Resolve(text string) (*Configured, error) {
	spec, err := ParseSpec(text)
	if err != nil {
		return nil, err
	}
	c := &Configured{Spec: spec}
	fail := func(err error) (*Configured, error) { return nil, fmt.Errorf("model spec %q: %w", text, err) }
	if c.Model, err = Lookup(spec.Model.Name); err != nil {
		return fail(err)
	}
	own, err := c.takePool(spec.Model.Options)
	if err != nil {
		return fail(err)
	}
	if c.Settings, err = settle(c.Model.Name, c.Model.Options, own); err != nil {
		return fail(err)
	}
	if c.Model.Refine != nil {
		if err := c.Model.Refine(c.Model, c.Settings, spec.Front != nil); err != nil {
			return fail(err)
		}
	}
	front := spec.Front
	if front == nil && c.Model.Wire != WireHTTP {
		front = &Part{Name: ownFront}
	}
	if front == nil {
		return c, nil
	}
	if c.Front, err = LookupFront(front.Name); err != nil {
		return fail(err)
	}
	if c.FrontSettings, err = settle(c.Front.Name, c.Front.Options, front.Options); err != nil {
		return fail(err)
	}
	if err := c.checkChain(); err != nil {
		return fail(err)
	}
	return c, nil
}

// Same says whether two specs mean the same, however they were written.
func (c *Configured) Same(o *Configured) bool {
	front := func(c *Configured) string {
		if c.Front == nil {
			return ""
		}
		return c.Front.Name
	}
	return c.Model.Name == o.Model.Name && maps.Equal(c.Settings, o.Settings) && c.Pool == o.Pool &&
		front(c) == front(o) && maps.Equal(c.FrontSettings, o.FrontSettings)
}

// takePool takes the option that every model has out of those given.
func (c *Configured) takePool(given []Setting) (rest []Setting, err error) {
	o := PoolOption()
	for _, s := range given {
		if s.Key != o.Key {
			rest = append(rest, s)
			continue
		}
		if err := o.Check(s.Value); err != nil {
			return nil, fmt.Errorf("%s=%s: %w", s.Key, s.Value, err)
		}
		c.Pool, err = strconv.Atoi(s.Value)
	}
	return rest, err
}

// Pools is how many processes of the model have a pool of connections to the
// database each; 0 where there is one for each request.
func (c *Configured) Pools() int {
	if c.Model.PerRequest == "process" {
		return 0
	}
	n := max(1, c.Instances())
	if _, has := c.Settings["workers"]; has {
		n *= c.Settings.Int("workers")
	}
	return n
}

// settle checks the options given and fills in the rest.
func settle(name string, known []Option, given []Setting) (Settings, error) {
	set := make(Settings, len(known))
	keys := make([]string, len(known))
	for i, o := range known {
		set[o.Key] = o.Default
		keys[i] = o.Key
	}
	for _, s := range given {
		i := slices.Index(keys, s.Key)
		if i < 0 {
			return nil, fmt.Errorf("%s has no option %q%s", name, s.Key, Nearest(s.Key, keys))
		}
		if err := known[i].Check(s.Value); err != nil {
			return nil, fmt.Errorf("%s=%s: %w", s.Key, s.Value, err)
		}
		set[s.Key] = s.Value
	}
	return set, nil
}

// Slots is how many requests the configured model can hold at once, all its
// instances together; 0 for as many as come.
func (c *Configured) Slots() int { return c.Instances() * c.Model.Slots(c.Settings) }

// Threads is how many threads of the configured model its requests share for
// what holds one; 0 where each has its own.
func (c *Configured) Threads() int {
	if c.Model.Threads == nil {
		return 0
	}
	return c.Model.Threads(c.Settings) * max(1, c.Instances())
}

// Interpreters is how many interpreters of the configured model its requests
// share for computing; 0 where they don't.
func (c *Configured) Interpreters() int {
	if c.Model.Interpreters == nil {
		return 0
	}
	return c.Model.Interpreters(c.Settings) * max(1, c.Instances())
}

func whole(low, high int) func(string) error {
	return func(v string) error {
		n, err := strconv.Atoi(v)
		if err != nil || n < low || n > high {
			return fmt.Errorf("expected a whole number from %d to %d", low, high)
		}
		return nil
	}
}

func oneOf(values ...string) func(string) error {
	return func(v string) error {
		if !slices.Contains(values, v) {
			return fmt.Errorf("expected %s", strings.Join(values, " or "))
		}
		return nil
	}
}

func duration(low time.Duration) func(string) error {
	return func(v string) error {
		d, err := time.ParseDuration(v)
		if err != nil || d < low {
			return fmt.Errorf("expected a duration of at least %s, such as 500ms or 30s", low)
		}
		return nil
	}
}
