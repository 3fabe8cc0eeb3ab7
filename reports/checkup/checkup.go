// Package checkup says what the lab can do on this machine, and what keeps it
// from doing more: which real servers are installed and work, what installs the
// others, and how small a difference can be measured here. That a program is
// there proves nothing: it is started and asked the same probes as before every
// comparison.
package checkup

import (
	"cmp"
	"context"
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"time"

	"gatewaylab/scenarios"
	"gatewaylab/servers"
	"gatewaylab/servers/process"
	"gatewaylab/servers/real"
)

// Schema is the version of the JSON form.
const Schema = "gatewaylab/doctor/1"

// A Checkup is all that was found out.
type Checkup struct {
	Schema  string    `json:"schema"`
	Machine Machine   `json:"machine"`
	Lab     Lab       `json:"lab"`
	Models  []Model   `json:"models"`
	Needs   []Program `json:"programs"`
	// Absent are servers that one would look for and that can't be had.
	Absent []Absent `json:"absent,omitempty"`
	// Targets are servers that the lab didn't start, by their URLs.
	Targets []Model `json:"targets,omitempty"`
	// Measured is nil if nothing was measured.
	Measured *Measured `json:"measured,omitempty"`
	// Missing installs all that is missing.
	Missing Install `json:"install"`
}

// Machine is where the lab runs.
type Machine struct {
	System  string `json:"system"` // "Debian GNU/Linux 12 (bookworm)"
	OS      string `json:"os"`     // "linux/amd64"
	Kernel  string `json:"kernel"`
	CPU     string `json:"cpu"`
	Cores   int    `json:"cores"`  // that this process may use
	Memory  int64  `json:"memory"` // bytes that it may use
	Go      string `json:"go"`     // that the lab was built with
	GoTool  string `json:"go_tool"`
	Commit  string `json:"commit"`
	Limits  Limits `json:"limits"`
	Manager string `json:"package_manager"` // "apt", "homebrew"; "" = none that the lab knows packages of
}

// Limits are those of this process and this system; 0 = unknown.
type Limits struct {
	Files    uint64 `json:"open_files"` // open files, after the lab has raised its limit
	PortLow  int    `json:"port_low"`   // ports for outgoing connections
	PortHigh int    `json:"port_high"`
	TimeWait int    `json:"time_wait"` // of those held by connections that ended less than a minute ago
	Backlog  int    `json:"backlog"`   // longest listen queue
}

// Ports is how many connections can be open to one address; 0 = unknown.
func (l Limits) Ports() int {
	if l.PortHigh == 0 {
		return 0
	}
	return l.PortHigh - l.PortLow + 1
}

// Lab says whether the lab itself can run.
type Lab struct {
	Runs  bool   `json:"runs"`
	Error string `json:"error,omitempty"`
	// Programs are those that the lab starts; empty if there are none.
	Server string `json:"labserver"`
	App    string `json:"labapp"`
}

// Model is a model that was tried out.
type Model struct {
	Spec    string   `json:"spec"`
	State   State    `json:"state"`
	Error   string   `json:"error,omitempty"`
	Missing []string `json:"missing,omitempty"`
	Seconds float64  `json:"seconds"` // start, probes and stop
	Own     bool     `json:"own"`     // the lab's own, not a real program
}

// State is what came of looking.
type State string

// The states. What is installed and has no probe of its own is Found.
const (
	Works   State = "works"
	Fails   State = "fails"
	Missing State = "missing"
	Found   State = "found"
	Untried State = "untried"
)

// Program is something that may have to be installed.
type Program struct {
	Name    string `json:"name"`
	Kind    string `json:"kind"`
	State   State  `json:"state"`
	Path    string `json:"path,omitempty"`
	Version string `json:"version,omitempty"`
	As      string `json:"tried_as,omitempty"` // the model in which it was started
	Error   string `json:"error,omitempty"`
	// Behaves is what this version is known to do differently from others.
	Behaves []string `json:"behaves,omitempty"`
	For     string   `json:"for,omitempty"` // what a tool is for
	Install Install  `json:"install"`

	need real.Need
}

// Install is what to type to have something installed.
type Install struct {
	Debian   string `json:"debian"`   // and Ubuntu
	Homebrew string `json:"homebrew"` // "" = not to be had there
	// Compose brings every server up in a container; "" for what no container has.
	Compose string `json:"compose"`
}

// Absent is a server that can't be had.
type Absent struct {
	Name string `json:"name"`
	Why  string `json:"why"`
}

// composeLine has every real server in a container of its own.
const composeLine = "docker compose up --build --wait"

func installOf(needs []real.Need, compose bool) Install {
	i := Install{Debian: real.DebianLine(needs), Homebrew: real.HomebrewLine(needs)}
	if compose {
		i.Compose = composeLine
	}
	return i
}

// Line is the line for a system; what its package manager can't install, and
// whatever is missing on a system that the lab knows no packages of, comes with
// the containers.
func (i Install) Line(manager string) string {
	switch manager {
	case apt:
		return cmp.Or(i.Debian, i.Compose)
	case homebrew:
		return cmp.Or(i.Homebrew, i.Compose)
	}
	return i.Compose
}

// Look finds out what is installed and tries nothing out. With specs, only what
// these models need is looked for.
func Look(ctx context.Context, specs []string) (*Checkup, error) {
	c := &Checkup{Schema: Schema, Machine: here(ctx), Models: []Model{}, Needs: []Program{}}
	all := len(specs) == 0
	if all {
		specs = servers.Tryouts()
		for _, a := range servers.Absentees() {
			c.Absent = append(c.Absent, Absent(a))
		}
	}
	for _, spec := range specs {
		m, err := servers.Resolve(spec)
		if err != nil {
			return nil, err
		}
		for _, n := range m.Needs() {
			c.need(n, "")
		}
	}
	if all {
		for _, t := range real.Tools() {
			c.need(t.Need, t.For)
		}
	}
	c.Missing = c.lacks()
	return c, nil
}

// need adds a row for something that a model, or what it is for, needs.
func (c *Checkup) need(n real.Need, what string) {
	if slices.ContainsFunc(c.Needs, func(p Program) bool { return p.need == n }) {
		return
	}
	p := Program{Name: n.Name, Kind: n.Kind.String(), State: Found, For: what, need: n, Install: installOf([]real.Need{n}, what == "")}
	found, err := real.Find([]real.Need{n})
	p.at(found)
	switch {
	case err != nil:
		p.State, p.Path, p.Version, p.Behaves = Missing, "", "", nil
	case what == "":
		p.State = Untried
	case p.Version != "": // it was started to say so
		p.State = Works
	}
	c.Needs = append(c.Needs, p)
}

// at takes over where the program was found.
func (p *Program) at(found []real.Found) {
	names := []string{p.Name, "mod_" + p.Name, p.Name + ".pm", "uwsgi " + p.Name + " plugin"}
	for _, f := range found {
		// With a module comes its interpreter, which is not what is meant.
		if slices.Contains(names, f.Name) {
			p.Path, p.Version = f.Path, f.Version
			p.Behaves = real.Behaviours([]real.Found{f}, nil)
			return
		}
	}
}

func (c *Checkup) lacks() Install {
	var needs []real.Need
	compose := false
	for _, p := range c.Needs {
		if p.State == Missing {
			needs = append(needs, p.need)
			compose = compose || p.Install.Compose != ""
		}
	}
	return installOf(needs, compose)
}

// Options say how models are tried out.
type Options struct {
	Specs    []string // nil: the lab's own models and all real programs
	AtATime  int
	Within   time.Duration // for all of them together
	Progress io.Writer     // gets a line if the lab's programs have to be built
}

// Try starts what can be started and writes into the checkup what came of it.
func (c *Checkup) Try(ctx context.Context, o Options) servers.Programs {
	programs, err := servers.FindPrograms(ctx, o.Progress)
	if err != nil {
		c.Lab.Error = err.Error()
		return programs
	}
	c.Lab = Lab{Runs: true, Server: programs.Server, App: programs.App}
	specs := o.Specs
	if len(specs) == 0 {
		// The lab's own first: if those fail, no other can work.
		specs = append(servers.OwnTryouts(), servers.Tryouts()...)
	}
	ctx, cancel := context.WithTimeout(ctx, o.Within)
	defer cancel()
	tried := map[string]Model{}
	servers.TryOut(ctx, specs, programs, o.AtATime, func(t *servers.Tryout) { tried[t.Spec] = modelOf(t) })
	for _, spec := range specs {
		m := tried[spec]
		c.Models = append(c.Models, m)
		if m.Own && m.State == Fails && len(o.Specs) == 0 {
			c.Lab.Runs = false
			c.Lab.Error = cmp.Or(c.Lab.Error, m.Spec+": "+m.Error)
		}
	}
	for i := range c.Needs {
		c.judge(&c.Needs[i])
	}
	return programs
}

// Ask sends the probes to servers that the lab didn't start, which must have
// been looked up, and writes into the checkup what came of it.
func (c *Checkup) Ask(ctx context.Context, targets []*servers.Target) {
	for _, t := range targets {
		began := time.Now()
		m := Model{Spec: t.URL, State: Works}
		if err := ask(ctx, t); err != nil {
			m.State, m.Error = Fails, err.Error()
		}
		m.Seconds = time.Since(began).Seconds()
		c.Targets = append(c.Targets, m)
	}
}

func ask(ctx context.Context, t *servers.Target) error {
	if err := t.Pin(ctx); err != nil || t.Unverified {
		return err
	}
	inst, err := servers.Start(ctx, t.Configured(), servers.Launch{})
	if err != nil {
		return err
	}
	return errors.Join(inst.Verify(ctx), inst.Close(0))
}

// Alone is a checkup of the machine, to which targets or measurements come and
// nothing that would have to be installed.
func Alone(ctx context.Context) *Checkup {
	return &Checkup{Schema: Schema, Machine: here(ctx), Lab: Lab{Runs: true}, Models: []Model{}, Needs: []Program{}}
}

func modelOf(t *servers.Tryout) Model {
	m := Model{Spec: t.Spec, State: Works, Seconds: t.Took.Seconds()}
	if c, err := servers.Resolve(t.Spec); err == nil {
		m.Own = len(c.Needs()) == 0
	}
	for _, n := range t.Missing {
		m.Missing = append(m.Missing, n.String())
	}
	switch {
	case len(t.Missing) > 0:
		m.State = Missing
	case errors.Is(t.Err, servers.ErrNoTime):
		m.State, m.Error = Untried, t.Err.Error()
	case t.Err != nil:
		m.State, m.Error = Fails, t.Err.Error()
	}
	return m
}

// judge says of a program what came of the first model that was started with
// it. One whose models all lack something else stays untried.
func (c *Checkup) judge(p *Program) {
	if p.State == Missing || p.For != "" {
		return
	}
	for _, m := range c.Models {
		r, err := servers.Resolve(m.Spec)
		if err != nil || !slices.Contains(r.Needs(), p.need) {
			continue
		}
		if m.State == Missing {
			p.Error = "not tried: " + strings.Join(m.Missing, ", ") + " is missing"
			continue
		}
		p.State, p.As, p.Error = m.State, m.Spec, m.Error
		// A module is often there for several interpreters: this is the one
		// that has all that the model needs.
		p.at(r.Found())
		return
	}
}

// Healthy says whether the lab can run and, of models that were asked after by
// name, every one works.
func (c *Checkup) Healthy(named bool) bool {
	if slices.ContainsFunc(c.Targets, func(m Model) bool { return m.State != Works }) {
		return false
	}
	return c.Lab.Runs && (!named || !slices.ContainsFunc(c.Models, func(m Model) bool { return m.State != Works }))
}

func here(ctx context.Context) Machine {
	_, _ = process.RaiseFileLimit() // as every run does; what it is then is shown
	e := scenarios.Here(ctx)
	m := Machine{
		OS: e.OS, Kernel: e.Kernel, CPU: e.CPU, Cores: e.Cores, Memory: e.Memory, Go: e.GoVersion, Commit: e.Commit,
		Limits: Limits{Files: e.FileLimit},
	}
	m.System, m.Manager = system(runtime.GOOS, osRelease())
	m.GoTool = goTool()
	if low, high, err := process.PortRange(); err == nil {
		m.Limits.PortLow, m.Limits.PortHigh = low, high
	}
	m.Limits.Backlog, _ = process.MaxBacklog() // 0 = unknown
	if now, err := process.ReadMachine(); err == nil {
		m.Limits.TimeWait = now.TimeWait
	}
	return m
}
