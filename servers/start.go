package servers

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"time"

	"gatewaylab/servers/process"
	"gatewaylab/servers/real"
)

// RestartPause is for how long a supervised server that has died is left dead.
const RestartPause = process.RestartPause

// Launch says how to start a model.
type Launch struct {
	Programs Programs
	Addr     string // "" = a free port on 127.0.0.1
	Expose   bool   // allow an Addr that others can reach
	Cores    []int  // CPUs for the whole process tree; nil = all
	// TLS has the server speak TLS, with a certificate of its own that nobody
	// signed; a model that can't is started without.
	TLS bool
	// Supervise has the server, once it serves, started again when it dies by
	// itself, as a service manager would; otherwise that is the end of it.
	// Requests that come meanwhile wait in the listen queue.
	Supervise bool
	Log       io.Writer // also gets what the processes print; nil = only kept for Log
	// Environ are variables that the model's processes get, and what they start.
	Environ []string
	// Services are the backing services to be started before the model, on
	// ServiceCores (nil = all); Seed decides all that they draw.
	Services     []Backing
	ServiceCores []int
	Seed         uint64
	// Tap, if set, is called for every hop behind the first before whoever makes
	// it is started, those to backing services first, and returns where Hop.From shall connect in place of Hop.Address:
	// to whoever wants to see what passes, and passes everything on.
	Tap func(Hop) (network, address string, err error)
}

// An Instance is a running model, with the front before it if there is one.
type Instance struct {
	configured *Configured
	group      *process.Group
	addr       string
	scheme     string
	held       *os.File // its address, which a real program binds itself; nil = it is inherited
	chain      *chain   // nil: there is no front
	folder     string   // private, of a real program without a front; "" = there is none
	owner      *os.File // open for as long as the folder is in use
	config     []ConfigFile
	begun      []func() bool // whether all of a real program's workers have
	services   []*RunningService
}

// Start starts a model and returns when it answers. The listener is bound
// here and inherited, so there is no race for a port, and a request sent
// before the server is ready waits in the kernel's queue instead of failing.
// The address of a program that takes no listener is only held for it.
func Start(ctx context.Context, c *Configured, l Launch) (*Instance, error) {
	if c.Target != nil {
		return c.Target.meet(ctx, c)
	}
	err := c.AvailableFor(l.Services)
	if err != nil {
		return nil, err
	}
	if l.Programs, err = l.Programs.with(l.Services); err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Spec, err)
	}
	settings, scheme := c.secured(l.TLS)
	addr := l.Addr
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	if err := checkAddr(addr, l.Expose); err != nil {
		return nil, err
	}
	i := &Instance{configured: c, scheme: scheme}
	listener, err := i.bind(addr)
	if err != nil {
		return nil, fmt.Errorf("start %s: listen on %s: %w; choose another --addr or stop what holds it", c.Spec, addr, err)
	}
	environ, err := i.startServices(ctx, &l)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Spec, errors.Join(err, closeOnce(listener), i.remove()))
	}
	launch := process.Launch{Listener: listener, Cores: l.Cores, Log: l.Log, Supervise: l.Supervise, Environ: environ}
	if c.Front == nil {
		launch.Commands, err = i.alone(settings, &l)
	} else if i.chain, err = c.link(&l, i.addr); err == nil {
		launch.Commands, launch.Upstreams = i.chain.front, i.chain.behind
		i.config, i.begun = i.chain.config, i.chain.ready
	}
	if err == nil {
		i.group, err = process.Start(launch)
	}
	// The children have their own.
	if cerr := errors.Join(closeOnce(listener), i.chain.closeListeners()); err == nil && cerr != nil {
		err = errors.Join(cerr, i.group.Stop(0))
	}
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Spec, errors.Join(err, stopServices(i.services), i.remove()))
	}
	err = i.ready(ctx)
	if err == nil {
		err = i.group.Ready()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", c.Spec, i.failed(err)), i.Close(0))
	}
	return i, nil
}

// bind binds the address where the instance will answer. There is no listener if
// the program binds it itself.
func (i *Instance) bind(addr string) (listener *os.File, err error) {
	if i.configured.Front == nil && i.configured.binds() {
		i.held, i.addr, err = process.Hold(addr)
	} else {
		listener, i.addr, err = process.Listen(addr)
	}
	return listener, err
}

// alone makes the commands of a model without a front.
func (i *Instance) alone(settings Settings, l *Launch) (commands []*exec.Cmd, err error) {
	var site real.Site
	if i.configured.Model.Real != nil {
		if i.folder, err = privateFolder(); err != nil {
			return nil, err
		}
		if i.owner, err = process.ClaimFolder(i.folder); err != nil {
			return nil, err
		}
		if site, err = siteOf(i.folder, 0, Upstream{"tcp", i.addr}); err != nil {
			return nil, err
		}
	}
	out, err := i.configured.equip(settings, l.Programs, site, i.folder)
	if err != nil {
		return nil, err
	}
	if i.config = out.config; out.ready != nil {
		i.begun = append(i.begun, out.ready)
	}
	return out.commands, nil
}

func (i *Instance) allBegun() bool {
	for _, begun := range i.begun {
		if !begun() {
			return false
		}
	}
	return true
}

// closeOnce closes what may be closed already, or nil.
func closeOnce(f *os.File) error {
	if f == nil {
		return nil
	}
	if err := f.Close(); !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}

// remove removes the private folder, with all that is in it, and lets the
// address go.
func (i *Instance) remove() error {
	err := i.chain.remove()
	if i.folder != "" {
		err = errors.Join(err, os.RemoveAll(i.folder))
	}
	return errors.Join(err, closeOnce(i.owner), closeOnce(i.held))
}

// secured is the settings with TLS on, if it is wanted and the model has it,
// and the scheme of the URLs that the server then answers.
func (c *Configured) secured(wanted bool) (Settings, string) {
	settings := c.Settings
	if _, has := settings["tls"]; has && wanted && c.Front == nil {
		settings = maps.Clone(settings)
		settings["tls"] = "on"
	}
	if settings["tls"] == "on" {
		return settings, "https"
	}
	return settings, "http"
}

// unseen is how the lab itself asks a server it has started: it takes the
// certificate unseen, since the server on the other end of the loopback has
// only just made it.
func unseen() *tls.Config { return &tls.Config{InsecureSkipVerify: true} }

// Available says whether the programs that the model and its front need are
// installed, and new enough; the error has the lines that install them.
func (c *Configured) Available() error {
	if _, err := real.Find(c.Needs()); err != nil {
		return fmt.Errorf("%s: %w", c.Spec, err)
	}
	return nil
}

// AvailableFor says so of a model that is to use the services, too: whether its
// application has the drivers.
func (c *Configured) AvailableFor(services []Backing) error {
	if err := c.Available(); err != nil {
		return err
	}
	for _, b := range services {
		if _, err := c.findDrivers(b); err != nil {
			return fmt.Errorf("%s, to ask a database: %w", c.Spec.Model, err)
		}
	}
	return nil
}

// findDrivers finds them with the rest of what the application needs: all has to
// be in one Python.
func (c *Configured) findDrivers(b Backing) ([]real.Found, error) {
	drivers := c.drivers(b)
	if len(drivers) == 0 {
		return nil, nil
	}
	found, err := real.Find(append(c.needs(), drivers...))
	return slices.DeleteFunc(found, func(f real.Found) bool {
		return !slices.ContainsFunc(drivers, func(n real.Need) bool { return n.Name == f.Name })
	}), err
}

// drivers are what an application in Python needs for a database.
func (c *Configured) drivers(b Backing) []real.Need {
	needs := c.needs()
	inPython := slices.ContainsFunc(needs, func(n real.Need) bool {
		return n.Kind == real.PythonModule || n.Kind == real.UWSGIPlugin || n.Name == "wsgi" || n.Name == "python3"
	})
	async := c.Model.Interface == "ASGI" || c.Model.Name == "tornado"
	switch {
	case b.Service != DatabaseService || !inPython:
		return nil
	case b.InFile() && async:
		return []real.Need{{Kind: real.PythonModule, Name: "aiosqlite"}, {Kind: real.PythonModule, Name: sqliteInPython}}
	case b.InFile():
		return []real.Need{{Kind: real.PythonModule, Name: sqliteInPython}}
	case async:
		return []real.Need{{Kind: real.PythonModule, Name: "asyncpg"}}
	}
	return []real.Need{{Kind: real.PythonModule, Name: "psycopg2"}}
}

// Available says whether the programs that the front needs are installed.
func (f *Front) Available() error {
	if _, err := real.Find(executables(f.Needs)); err != nil {
		return fmt.Errorf("%s: %w", f.Name, err)
	}
	return nil
}

// executables are programs as needs.
func executables(names []string) (needs []real.Need) {
	for _, n := range names {
		needs = append(needs, real.Need{Kind: real.Executable, Name: n})
	}
	return needs
}

// checkAddr keeps servers on loopback: the application can be told to crash,
// hang and leak by anyone who reaches it.
func checkAddr(addr string, expose bool) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("address %q: %w; expected HOST:PORT, such as 127.0.0.1:8080", addr, err)
	}
	if expose {
		return nil
	}
	if host == "localhost" {
		return nil
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return fmt.Errorf("address %q can be reached from other machines, and the application can be told to crash, hang and leak; use 127.0.0.1, or --expose if you mean it", addr)
	}
	return nil
}

// ready waits for the first answer, or for the server's death.
func (i *Instance) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	answered := make(chan error, 1)
	go func() { answered <- i.firstAnswer(ctx) }()
	select {
	case err := <-answered:
		if died := i.group.Err(); died != nil {
			return died
		}
		return err
	case <-i.group.Done():
		cancel()
		<-answered
		return fmt.Errorf("the server exited before it answered: %w", i.group.Err())
	}
}

func (i *Instance) firstAnswer(ctx context.Context) error {
	transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: unseen()}
	defer transport.CloseIdleConnections()
	begun := time.Now()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, i.URL()+"/hello", nil)
		if err != nil {
			return err
		}
		resp, err := transport.RoundTrip(req)
		if err == nil {
			_, err = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			switch {
			case err == nil && resp.StatusCode == http.StatusOK && i.allBegun():
				return nil
			case resp.StatusCode == http.StatusOK:
				err = errors.Join(err, errors.New("not all workers have begun"))
			default:
				err = errors.Join(err, fmt.Errorf("/hello answered %s", resp.Status))
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("no answer within %v: %w; the server's log ends:\n%s", time.Since(begun).Round(100*time.Millisecond), err, i.group.Log())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// URL is where the instance answers, without a trailing slash.
func (i *Instance) URL() string { return i.scheme + "://" + i.addr }

// Addr is the address it listens on.
func (i *Instance) Addr() string { return i.addr }

// Status reads the worker slots of the model, all its instances together.
// Queued and Rejected are those of the front too.
func (i *Instance) Status() process.Status {
	if i.group == nil {
		return process.Status{}
	}
	if i.chain == nil {
		return i.group.Board().Read()
	}
	return i.chain.status(i.group)
}

// Usage measures the instance's whole process tree.
func (i *Instance) Usage() (process.Usage, error) {
	if i.group == nil {
		return process.Usage{}, errNotOurs
	}
	return i.group.Usage()
}

// Sample is a cheaper Usage, for repeated reading during a measurement.
func (i *Instance) Sample() (process.Usage, error) {
	if i.group == nil {
		return process.Usage{}, errNotOurs
	}
	return i.group.Sample()
}

// PIDs lists the live processes of the tree.
func (i *Instance) PIDs() []int {
	if i.group == nil {
		return nil
	}
	return i.group.PIDs()
}

// Done is closed when one of the instance's leading processes has exited and
// is not started again; a target's never is.
func (i *Instance) Done() <-chan struct{} {
	if i.group == nil {
		return nil
	}
	return i.group.Done()
}

// Err says how it exited; nil while it runs.
func (i *Instance) Err() error {
	if i.group == nil {
		return nil
	}
	return i.group.Err()
}

// Log is the end of what the processes printed.
func (i *Instance) Log() string {
	if i.group == nil {
		return ""
	}
	return i.group.Log()
}

// Signal sends a signal to the instance's leading process.
func (i *Instance) Signal(s os.Signal) error {
	if i.group == nil {
		return errNotOurs
	}
	return i.group.Signal(s)
}

// Close stops the instance, or leaves a target alone: TERM, then after grace KILL for everything that is
// left. The error tells what had to be killed.
func (i *Instance) Close(grace time.Duration) error {
	if i.group == nil {
		return nil
	}
	return errors.Join(i.group.Stop(grace), stopServices(i.services), i.remove())
}
