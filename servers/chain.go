package servers

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"gatewaylab/servers/process"
)

// A chain is what stands behind a front, ready to be started, and what the
// front is started with. A nil chain has nothing to let go of.
type chain struct {
	folder    string     // private: whoever can't enter it can't reach the model
	owner     *os.File   // open for as long as the folder is in use
	listeners []*os.File // nil for one that the model binds itself
	held      []*os.File // the addresses of those
	reached   []Upstream // where the models are, in the order of the listeners
	hops      []Hop
	front     []*exec.Cmd
	behind    []process.Part // one for each instance
	config    []ConfigFile
	ready     []func() bool
}

// maxSocketPath is what every system takes, its final NUL byte counted.
const maxSocketPath = 104

// link binds a listener for each instance of the model, or one for all, and
// makes the commands. Address is where the front listens.
func (c *Configured) link(l *Launch, address string) (_ *chain, err error) {
	ch := &chain{}
	defer func() {
		if err != nil {
			err = errors.Join(err, ch.closeListeners(), ch.remove())
		}
	}()
	if ch.folder, err = privateFolder(); err != nil {
		return nil, err
	}
	if ch.owner, err = process.ClaimFolder(ch.folder); err != nil {
		return nil, fmt.Errorf("claim the folder for sockets: %w", err)
	}
	var upstreams []Upstream
	for n := range c.listeners() {
		u, err := ch.listen(c, n)
		if err != nil {
			return nil, fmt.Errorf("listen for %s: %w", c.Model.Name, err)
		}
		ch.reached = append(ch.reached, u)
		hop := c.passes(u)
		ch.hops = append(ch.hops, hop)
		if l.Tap != nil {
			if u.Network, u.Address, err = l.Tap(hop); err != nil {
				return nil, fmt.Errorf("tap the hop from %s to %s: %w", hop.From, hop.To, err)
			}
		}
		upstreams = append(upstreams, u)
	}
	if err := ch.stand(c, &Passage{
		Settings: c.FrontSettings, Model: c.Model, Behind: c.Settings, Programs: l.Programs,
		Address: address, Folder: ch.folder, Upstreams: upstreams,
	}); err != nil {
		return nil, err
	}
	for n := range c.Instances() {
		site, err := siteOf(ch.folder, n, ch.reached[n%len(ch.reached)])
		if err != nil {
			return nil, err
		}
		out, err := c.equip(c.Settings, l.Programs, site, ch.folder)
		if err != nil {
			return nil, err
		}
		commands := out.commands
		if out.ready != nil {
			ch.ready = append(ch.ready, out.ready)
		}
		if n == 0 { // the others' differ in nothing but their folder
			ch.config = append(ch.config, out.config...)
		}
		if slow := c.FrontSettings["slow"]; n == 0 && slow != "1" {
			for _, cmd := range commands {
				cmd.Env = append(cmd.Environ(), slowVariable+"="+slow)
			}
		}
		ch.behind = append(ch.behind, process.Part{Commands: commands, Listener: ch.listeners[n%len(ch.listeners)]})
	}
	return ch, nil
}

// FrontConfig is the configuration that the front would be started with if it
// listened at address, with FOLDER in place of the instance's private folder
// and, over TCP, port 0 in place of the model's.
func (c *Configured) FrontConfig(address string) (string, error) {
	switch {
	case c.Front == nil:
		return "", fmt.Errorf("%s has no front before it; nginx+%s has one, with a configuration", c.Spec, c.Spec)
	case c.Front.Config == nil:
		return "", fmt.Errorf("%s has no configuration but its options; nginx+%s has one", c.Front.Name, c.Spec.Model)
	}
	p := &Passage{Settings: c.FrontSettings, Model: c.Model, Behind: c.Settings, Address: address, Folder: "FOLDER"}
	for n := range c.listeners() {
		u := Upstream{c.network(), "127.0.0.1:0"}
		if u.Network == "unix" {
			u.Address = socketPath(p.Folder, n)
		}
		p.Upstreams = append(p.Upstreams, u)
	}
	return c.Front.Config(p)
}

// FolderPattern matches the private folders among the temporary files.
const FolderPattern = "lab-front-*"

// stand makes the front's commands.
func (ch *chain) stand(c *Configured, p *Passage) (err error) {
	if p.Script, err = c.script(p.Programs); err == nil {
		ch.front, err = c.Front.Commands(p)
	}
	if err == nil && c.Front.Config != nil {
		var text string
		text, err = c.Front.Config(p)
		ch.config = append(ch.config, ConfigFile{Name: c.Front.Name + ".conf", Content: text})
	}
	if err != nil {
		return fmt.Errorf("set up %s: %w", c.Front.Name, err)
	}
	return nil
}

// privateFolder makes a folder that only this user can enter, with a name so
// short that a socket below it can be bound. It removes those of labs that were
// killed before anything was started that would have done it.
func privateFolder() (string, error) {
	process.RemoveAbandoned(filepath.Join(os.TempDir(), FolderPattern))
	folder, err := os.MkdirTemp("", FolderPattern)
	if err == nil && len(socketPath(folder, maxInstances)) >= maxSocketPath {
		err = errors.Join(os.Remove(folder), fmt.Errorf("%s is too long a path for a socket", folder))
		if short, serr := os.MkdirTemp("/tmp", FolderPattern); serr == nil {
			folder, err = short, nil
		}
	}
	if err != nil {
		return "", fmt.Errorf("make a folder for sockets: %w; set TMPDIR to a folder with a short name", err)
	}
	return folder, nil
}

func socketPath(folder string, n int) string { return filepath.Join(folder, strconv.Itoa(n)+".sock") }

// listen binds the n-th listener, or holds its address for a program that binds
// it itself.
func (ch *chain) listen(c *Configured, n int) (Upstream, error) {
	network := c.network()
	if network == "unix" {
		path := socketPath(ch.folder, n)
		f, err := process.ListenUnix(path)
		if err != nil {
			return Upstream{}, err
		}
		ch.listeners = append(ch.listeners, f)
		return Upstream{network, path}, nil
	}
	if c.binds() {
		held, addr, err := process.Hold("127.0.0.1:0")
		ch.held, ch.listeners = append(ch.held, held), append(ch.listeners, nil)
		return Upstream{network, addr}, err
	}
	f, addr, err := process.Listen("127.0.0.1:0")
	if err != nil {
		return Upstream{}, err
	}
	ch.listeners = append(ch.listeners, f)
	return Upstream{network, addr}, nil
}

func (ch *chain) closeListeners() error {
	if ch == nil {
		return nil
	}
	var errs []error
	for _, f := range ch.listeners {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	ch.listeners = nil
	return errors.Join(errs...)
}

// remove removes the folder with all that is in it, and lets the addresses go.
func (ch *chain) remove() error {
	if ch == nil || ch.folder == "" {
		return nil
	}
	err := os.RemoveAll(ch.folder)
	for _, held := range ch.held {
		err = errors.Join(err, closeOnce(held))
	}
	if ch.owner != nil {
		err = errors.Join(err, ch.owner.Close())
		ch.owner = nil // an instance may be closed twice
	}
	return err
}

// status puts the boards together. A front counts as queued what it holds and
// has not answered; what of that is being served, or waits inside the model,
// is no queue of the front's.
func (ch *chain) status(g *process.Group) process.Status {
	front := g.Board().Read()
	all := process.Status{Restarts: front.Restarts, Rejected: front.Rejected}
	first := 0
	for n := range ch.behind {
		st := g.Upstream(n).Read()
		all.Workers += st.Workers
		last := st.Workers
		for _, sl := range st.Slots {
			last = max(last, sl.Index+1)
			sl.Index += first
			all.Slots = append(all.Slots, sl)
		}
		first += last
		all.Queued += st.Queued
		all.Unslotted += st.Unslotted
		all.Served += st.Served
		all.Restarts += st.Restarts
		all.Rejected += st.Rejected
		all.Children += st.Children
		all.ChildCPU += st.ChildCPU
	}
	all.Queued += max(0, front.Queued-all.Queued-all.Busy())
	return all
}

// Hops are the steps of a request's way, from the client to the model.
func (i *Instance) Hops() []Hop {
	c := i.configured
	first := Hop{From: "client", To: c.Model.Name, Protocol: c.Model.Wire, Network: "tcp", Address: i.addr}
	if i.chain == nil {
		return []Hop{first}
	}
	first.To, first.Protocol = c.Front.Name, WireHTTP
	return append([]Hop{first}, i.chain.hops...)
}
