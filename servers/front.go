package servers

import (
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strconv"
	"strings"
)

// A Front is a program that stands between the clients and a model's
// processes: it takes the connections and passes the requests on, over the
// protocol that the model speaks. FRONT+MODEL names the two.
type Front struct {
	Name    string
	Doc     string   // one line
	Process string   // how requests map onto its processes
	HTTP    string   // versions spoken to the client
	Wires   []string // protocols spoken to the model
	// Normalises is set for a front that hands the path on to FastCGI, SCGI or
	// uwsgi without its dot segments and doubled slashes.
	Normalises bool

	Options []Option
	Needs   []string // programs that must be on PATH

	// Commands are the processes to start, with the listener as file 3.
	Commands func(*Passage) ([]*exec.Cmd, error)
	// Config is the configuration that Commands generates; nil = there is none.
	Config func(*Passage) (string, error)
}

// A Passage is what a front is to make a way through: from its own listener
// to the model's.
type Passage struct {
	Settings Settings // the front's
	Model    *Model
	Behind   Settings // the model's; what is a gateway's business among them is for the front to heed
	Programs Programs
	// Script is the program that the model is to be told to run, as
	// SCRIPT_FILENAME; "" if it runs but one.
	Script    string
	Address   string     // that its listener is bound to
	Folder    string     // private; exists for as long as the instance
	Upstreams []Upstream // in the order of the instances; one if they share a listener
}

// An Upstream is one listener of the model.
type Upstream struct{ Network, Address string }

// ownFront is the front that a model gets which can't do without.
const ownFront = "front"

// Fronts returns the table of fronts, in the order in which they are shown.
func Fronts() []Front { return []Front{front(), nginx()} }

// LookupFront finds a front by name; the error names the nearest known one.
func LookupFront(name string) (*Front, error) {
	fronts := Fronts()
	var names []string
	for i := range fronts {
		if fronts[i].Name == name {
			return &fronts[i], nil
		}
		names = append(names, fronts[i].Name)
	}
	return nil, fmt.Errorf("no front is called %q%s", name, Nearest(name, names))
}

// maxInstances limits how many instances of a model a front can have.
const maxInstances = 64

// The options that every front has: how many instances of the model there
// are, and how their work is shared out.
func balancing() []Option {
	return []Option{
		{"instances", "1", "instances of the model behind it, each with all its processes and a listener of its own", whole(1, maxInstances)},
		{"balance", "round-robin", "which instance gets a request: random, round-robin, least-connections, or shared: all accept from one listener, whoever is free first",
			oneOf("random", "round-robin", "least-connections", "shared")},
		{"slow", "1", "how many times as long the first instance waits when the application waits, to see what balancing makes of a slow one", whole(1, 100)},
		{"socket", "unix", "how it reaches a model that doesn't say so itself: unix or tcp", oneOf("unix", "tcp")},
	}
}

// slowVariable names the environment variable that makes the application's
// waits as many times as long.
const slowVariable = "GATEWAYLAB_SLOW"

// Instances is how many of the model are started.
func (c *Configured) Instances() int {
	if c.Front == nil {
		return 1
	}
	return c.FrontSettings.Int("instances")
}

// listeners is how many listeners they have.
func (c *Configured) listeners() int {
	if c.FrontSettings["balance"] == "shared" {
		return 1
	}
	return c.Instances()
}

// network is the kind of socket between front and model.
func (c *Configured) network() string {
	if c.binds() {
		return "tcp"
	}
	if own, ok := c.Settings["socket"]; ok {
		return own
	}
	return c.FrontSettings["socket"]
}

// checkChain refuses combinations that make no sense.
func (c *Configured) checkChain() error {
	switch {
	case !slices.Contains(c.Front.Wires, c.Model.Wire):
		return fmt.Errorf("%s doesn't speak %s, which %s wants; it speaks %s", c.Front.Name, c.Model.Wire, c.Model.Name, strings.Join(c.Front.Wires, ", "))
	case c.binds() && c.FrontSettings["balance"] == "shared":
		return fmt.Errorf("instances of %s can't share a listener: each binds an address itself", c.Model.Name)
	case c.Settings["tls"] == "on":
		return fmt.Errorf("%s speaks plain HTTP to %s; leave tls=on out", c.Front.Name, c.Model.Name)
	}
	return nil
}

func front() Front {
	return Front{
		Name:    ownFront,
		Doc:     "the lab's own reverse proxy: buffers, balances, serves static files, and lets nothing smuggled through",
		Process: "one process, a goroutine for each connection",
		HTTP:    "1.0, 1.1, WebSocket",
		Wires:   []string{WireHTTP, WireFastCGI, WireSCGI, WireUWSGI},
		Options: append(balancing(),
			Option{"request_buffering", "on", "take a request in completely before the model sees any of it", oneOf("on", "off")},
			Option{"response_buffering", "on", "take an answer from the model as fast as it comes, however slow the client is", oneOf("on", "off")},
			Option{"keepalive", "32", "idle connections kept to each instance that speaks HTTP; 0 = a new one for each request", whole(0, 4096)},
			Option{"static", "off", "on: answer /static/ without asking the application", oneOf("off", "on")},
			Option{"per_instance", "0", "requests that an instance is given at a time, the others wait here; 0 = as many as come, or, if it keeps the connections of one that has a worker for each, as many as there are workers", whole(0, 1<<20)},
			Option{"queue", "1024", "requests that may wait here for an instance; one more is answered 503", whole(0, 1<<20)},
			Option{"max_header", "65536", "bytes of a request's line and header; more is answered 431", whole(1024, 1<<20)},
			Option{"max_body", "1073741824", "bytes of a request's body; more is answered 413", whole(0, 1<<40)},
			Option{"client_timeout", "30s", "how long a client may stall", duration(1e6)},
			Option{"idle", "60s", "how long an idle client connection is kept", duration(1e6)},
			Option{"connect_timeout", "5s", "how long connecting to an instance may take; then 504", duration(1e6)},
			Option{"read_timeout", "60s", "how long an instance may be silent; then 504", duration(1e6)},
			Option{"send_timeout", "60s", "how long an instance may take nothing of a request; then 504", duration(1e6)},
			Option{"max_fails", "3", "failed connections in a row after which an instance gets no requests for fail_timeout; 0 = never", whole(0, 1000)},
			Option{"fail_timeout", "1s", "how long an instance that failed is left alone", duration(1e6)},
			Option{"check", "0s", "how often each instance is asked whether it works; 0s = never", duration(0)},
			backlog(),
		),
		Commands: func(p *Passage) ([]*exec.Cmd, error) {
			settings := maps.Clone(p.Settings)
			if settings["per_instance"] == "0" && p.Behind["reuse"] == "on" && p.Behind["mpx"] == "off" {
				// A worker belongs to whoever has its connection. So there is one
				// for each, and who finds none free waits here and not at a worker
				// that somebody else holds.
				settings["per_instance"] = p.Behind["workers"]
			}
			words := settings.words()
			for _, key := range gatewayOptions {
				if v, ok := p.Behind[key]; ok {
					words = append(words, key+"="+v)
				}
			}
			words = append(words, "script="+p.Script, "folder="+p.Folder, "wire="+p.Model.Wire, "model="+p.Model.Name, "upstreams="+strconv.Itoa(len(p.Upstreams)))
			for i, u := range p.Upstreams {
				words = append(words, fmt.Sprintf("upstream%d=%s:%s", i, u.Network, u.Address))
			}
			return []*exec.Cmd{builtinCommand(p.Programs, ownFront, words)}, nil
		},
	}
}

// gatewayOptions are those of a model that are its gateway's business.
var gatewayOptions = [...]string{"reuse", "mpx"}

// A Hop is one step of a request's way.
type Hop struct {
	From, To string // "client", "front", "nginx", the model's name
	Protocol string // "HTTP", "FastCGI", …
	Network  string // "tcp" or "unix"
	Address  string // where To listens
	Called   bool   // To is a backing service, called while From answers
}

// passes is the front's hop to one of the model's listeners.
func (c *Configured) passes(u Upstream) Hop {
	return Hop{From: c.Front.Name, To: c.Model.Name, Protocol: c.Model.Wire, Network: u.Network, Address: u.Address}
}
