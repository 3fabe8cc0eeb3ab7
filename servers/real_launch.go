package servers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"gatewaylab/servers/real"
)

// realModels are the rows of the programs that nobody here wrote, in the order
// in which they are shown.
func realModels() []Model {
	return []Model{
		gunicorn(), uwsgiServer(), werkzeug(), uvicorn(), hypercorn(), daphne(), tornado(),
		nginxAlone(), apache(), lighttpd(), fcgiwrap(),
	}
}

// An Absent is a server that one would look for in the table and that can't be
// run here.
type Absent struct{ Name, Why string }

// Absentees are the servers that are not in the table.
func Absentees() []Absent {
	return []Absent{
		{"sanic", "Sanic, an ASGI framework with a server of its own, as uvicorn and FastAPI in one: Debian 12 doesn't package it"},
		{"vibora", "Vibora, a fast Python framework of 2018 with a server in Cython: abandoned, runs on no Python after 3.8, packaged nowhere"},
		{"flup", "flup, FastCGI, SCGI and AJP responders for WSGI in Python 2: Debian dropped it with Python 2; uwsgi-server:wire=fastcgi is its successor here"},
	}
}

// equip makes the commands of one instance of the model, with its configuration
// in a private folder if it is a real program. Whole is what goes with the
// instance when the lab has died.
func (c *Configured) equip(settings Settings, p Programs, site real.Site, whole string) (*outfit, error) {
	if c.Model.Real == nil {
		return &outfit{commands: c.Model.Commands(settings, p)}, nil
	}
	site.Settings, site.LabApp, site.Protocol = real.Settings(settings), p.App, c.Model.Wire
	setup, err := c.Model.Real.Setup(&site)
	if err == nil {
		err = setup.Write(site.Folder)
	}
	if err != nil {
		return nil, fmt.Errorf("set up %s: %w", c.Model.Name, err)
	}
	words := []string{"guard", "--stop", c.Model.Real.Stop, "--remove", whole}
	for flag, wanted := range map[string]bool{
		"--stdin": c.Model.Real.Stdin, "--blocking": c.Model.Real.Blocking, "--activate": c.Model.Real.Activate,
		"--unprivileged": c.Model.Real.Unprivileged,
		"--meter":        c.Model.Real.Forgets != nil && c.Model.Real.Forgets(site.Settings),
	} {
		if wanted {
			words = append(words, flag)
		}
	}
	if c.Model.Real.Unprivileged {
		// The group's own file is reached through the lab's descriptors, which
		// another user may not see.
		lock := filepath.Join(whole, "lock")
		if err := os.WriteFile(lock, nil, 0o600); err != nil {
			return nil, fmt.Errorf("set up %s: %w", c.Model.Name, err)
		}
		words = append(words, "--lock", lock)
	}
	cmd := serverCommand(p, append(append(words, "--"), setup.Argv...)...)
	cmd.Env = append(cmd.Environ(), setup.Env...)
	return &outfit{
		commands: []*exec.Cmd{cmd},
		config:   append([]real.File{{Name: "command", Content: setup.Command()}}, setup.Files...),
		ready:    func() bool { return setup.Ready(site.Folder) },
	}, nil
}

// An outfit is what one instance of a model is started with.
type outfit struct {
	commands []*exec.Cmd
	config   []real.File
	ready    func() bool // nil: who answers is ready
}

// foreign says whether the model runs as another user than the lab.
func (c *Configured) foreign() bool {
	return c.Model.Real != nil && c.Model.Real.Unprivileged && os.Geteuid() == 0
}

// binds says whether the model has to bind its address itself.
func (c *Configured) binds() bool { return c.Model.Real != nil && c.Model.Real.Binds }

// siteOf makes a folder for the n-th instance below the chain's, where it is
// reached at u.
func siteOf(folder string, n int, u Upstream) (real.Site, error) {
	site := real.Site{Folder: filepath.Join(folder, strconv.Itoa(n)), Network: u.Network, Address: u.Address}
	if err := os.Mkdir(site.Folder, 0o700); err != nil {
		return site, fmt.Errorf("make a folder for the configuration: %w", err)
	}
	return site, nil
}

// script is the program that a gateway has to name to the model; "" if it
// hasn't.
func (c *Configured) script(p Programs) (string, error) {
	if c.Model.Name != "fcgiwrap" {
		return "", nil
	}
	return real.Script(real.Settings(c.Settings), p.App)
}

// needs are what must be installed for the model with its settings.
func (c *Configured) needs() []real.Need {
	if c.Model.Real == nil {
		return nil
	}
	return c.Model.Real.Needs(real.Settings(c.Settings))
}

// Found is what was found of what the model and its front need.
func (c *Configured) Found() []real.Found {
	found, _ := real.Find(c.Needs()) // what is missing has no version
	return found
}

// Versions are those of the programs that the model and its front are made of,
// by name; "unknown" of one that doesn't tell.
func (c *Configured) Versions() map[string]string {
	versions := map[string]string{}
	for _, f := range c.Found() {
		versions[f.Name] = cmp.Or(f.Version, unknownVersion)
		if f.Name == "python3" {
			versions[f.Name] += " (" + f.Path + ")"
		}
	}
	return versions
}

// unknownVersion stands for that of a program that doesn't tell.
const unknownVersion = "unknown"

// DriverVersions are those of the drivers with which the model's application, if
// it is in Python, asks the services.
func (c *Configured) DriverVersions(services []Backing) map[string]string {
	versions := map[string]string{}
	for _, b := range services {
		found, _ := c.findDrivers(b) // without them it isn't measured
		for _, f := range found {
			name := f.Name
			if name == sqliteInPython {
				name = "SQLite of Python"
			}
			versions[name] = cmp.Or(f.Version, unknownVersion)
		}
	}
	return versions
}

// sqliteInPython is Python's own module, whose version is the library's.
const sqliteInPython = "sqlite3"

// Behaviours says what the installed versions of the model's and its front's
// programs are known to do differently from others, with these settings.
func (c *Configured) Behaviours() []string {
	if c.Target != nil {
		return nil
	}
	return real.Behaviours(c.Found(), real.Settings(c.Settings))
}

// AllBehaviours says so for all settings that the model may have.
func (c *Configured) AllBehaviours() []string { return real.Behaviours(c.Found(), nil) }

// Observed says whether the model shows what it does on the scoreboard, so that
// Instance.Status tells anything.
func (c *Configured) Observed() bool { return c.Model.Real == nil && c.Target == nil }

// ShowConfig is what the model and its front would be started with if it
// answered at address, with FOLDER in place of the private folder.
func (c *Configured) ShowConfig(p Programs, address string) (string, error) {
	if c.Model.Real == nil {
		return c.FrontConfig(address)
	}
	var b strings.Builder
	site := real.Site{
		Settings: real.Settings(c.Settings), Folder: "FOLDER", Network: "tcp", Address: address, Protocol: c.Model.Wire, LabApp: p.App,
	}
	if c.Front != nil {
		site.Folder = filepath.Join("FOLDER", "0")
		if site.Network = c.network(); site.Network == "unix" {
			site.Address = socketPath("FOLDER", 0)
		} else {
			site.Address = "127.0.0.1:0"
		}
		if c.Front.Config != nil {
			text, err := c.FrontConfig(address)
			if err != nil {
				return "", err
			}
			fmt.Fprintf(&b, "# %s\n%s\n", c.Front.Name, text)
		}
	}
	setup, err := c.Model.Real.Setup(&site)
	if err != nil {
		return "", err
	}
	return b.String() + setup.String(), nil
}

// A ConfigFile is a file that a real program was started with.
type ConfigFile = real.File

// Observed says whether Status tells anything.
func (i *Instance) Observed() bool { return i.configured.Observed() }

// Config is what the instance's programs were started with: the real ones'
// command lines and configuration.
func (i *Instance) Config() []ConfigFile { return slices.Clone(i.config) }

// failed adds the versions and the configuration of real programs to the error
// with which they didn't start: the log, which the error has already, is about
// them.
func (i *Instance) failed(err error) error {
	if len(i.config) == 0 || errors.Is(err, context.Canceled) {
		return err
	}
	var b strings.Builder
	for _, f := range i.configured.Found() {
		fmt.Fprintf(&b, "\n\t# %v", f)
	}
	for _, f := range i.config {
		fmt.Fprintf(&b, "\n\t# %s\n\t%s", f.Name, strings.ReplaceAll(strings.TrimRight(f.Content, "\n"), "\n", "\n\t"))
	}
	return fmt.Errorf("%w\nit was started with:%s", err, b.String())
}

// Unserved says which of the targets the model can't answer, since what it runs
// lacks them; "" if it can all.
func (c *Configured) Unserved(targets ...string) string {
	if c.Model.Serves == nil {
		return ""
	}
	for _, t := range targets {
		if path, _, _ := strings.Cut(t, "?"); !c.Model.Serves(path) {
			return t
		}
	}
	return ""
}
