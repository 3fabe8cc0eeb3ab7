package servers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// A Target is a server that the lab didn't start: it can be asked, and its
// answers compared, but what it uses and when it restarts can't be seen. Its
// name is looked up once; whatever the name says later, requests go to the
// address that it had then.
type Target struct {
	Label string // in results
	URL   string // "http://HOST:PORT", as given
	Host  string // HOST:PORT, for the Host field of requests
	// Addrs are what Host was resolved to, all of them, and Pinned the one of
	// them that answered first; zero before Find and Pin.
	Addrs  []netip.AddrPort
	Pinned netip.AddrPort
	// Local says that every address is this machine's own.
	Local bool
	// Unverified says that nobody checked whether it does the same work.
	Unverified bool
}

// ParseTarget reads NAME=URL. A URL has the scheme http, a host, and no path:
// paths are the scenario's. TLS is not spoken to targets.
func ParseTarget(text string) (*Target, error) {
	fail := func(format string, args ...any) (*Target, error) {
		return nil, fmt.Errorf("target %q: %s; expected NAME=http://HOST:PORT", text, fmt.Sprintf(format, args...))
	}
	name, raw, ok := strings.Cut(text, "=")
	if !ok || strings.Contains(name, "/") {
		return fail("it has no name")
	}
	u, err := url.Parse(strings.TrimSpace(raw))
	switch {
	case err != nil:
		return fail("%v", errors.Unwrap(err))
	case u.Scheme == "https":
		return fail("the lab doesn't speak TLS to servers that it didn't start")
	case u.Scheme != "http":
		return fail("its address has no http:// before it")
	case u.Hostname() == "":
		return fail("it has no host")
	case u.User != nil:
		return fail("names and passwords are not sent")
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
		return fail("what is asked for is the scenario's: leave %s out, or name it with --request", u.RequestURI())
	}
	port := u.Port()
	if port == "" {
		port = "80"
	}
	if n, err := net.LookupPort("tcp", port); err != nil || n == 0 {
		return fail("%q is no port", port)
	}
	return &Target{Label: strings.TrimSpace(name), URL: "http://" + u.Host, Host: net.JoinHostPort(u.Hostname(), port)}, nil
}

// Find looks the target's name up, once, and says whether it is on this machine.
// Lookup is as (*net.Resolver).LookupNetIP.
func (t *Target) Find(ctx context.Context, lookup func(ctx context.Context, network, host string) ([]netip.Addr, error)) error {
	host, port, err := net.SplitHostPort(t.Host)
	if err != nil {
		return fmt.Errorf("target %s: %w", t.Label, err)
	}
	n, err := net.LookupPort("tcp", port)
	if err != nil {
		return fmt.Errorf("target %s: %w", t.Label, err)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	found, err := lookup(ctx, "ip", host)
	if err == nil && len(found) == 0 {
		err = errors.New("it has no address")
	}
	if err != nil {
		return fmt.Errorf("target %s: look %s up: %w", t.Label, host, err)
	}
	own, err := ownAddresses()
	if err != nil {
		return fmt.Errorf("target %s: %w", t.Label, err)
	}
	t.Local, t.Addrs = true, nil
	for _, a := range found {
		a = a.Unmap()
		if a.IsUnspecified() || a.IsMulticast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
			return fmt.Errorf("target %s: %s is not the address of a server; on this machine it is 127.0.0.1", t.Label, a)
		}
		t.Addrs = append(t.Addrs, netip.AddrPortFrom(a, uint16(n)))
		t.Local = t.Local && (a.IsLoopback() || own[a.WithZone("")])
	}
	return nil
}

// ownAddresses are those of this machine's interfaces.
func ownAddresses() (map[netip.Addr]bool, error) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("list this machine's own addresses: %w", err)
	}
	own := map[netip.Addr]bool{}
	for _, a := range all {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			own[p.Addr().Unmap().WithZone("")] = true
		}
	}
	return own, nil
}

// Pin connects to the addresses that were found, in order, and keeps to the
// first that accepts.
func (t *Target) Pin(ctx context.Context) error {
	var errs []error
	d := net.Dialer{Timeout: 5 * time.Second}
	for _, a := range t.Addrs {
		c, err := d.DialContext(ctx, "tcp", a.String())
		if err != nil {
			errs = append(errs, err)
			continue
		}
		t.Pinned = a
		return c.Close()
	}
	return fmt.Errorf("target %s: nothing accepts connections at %s: %w\nis it running? lab serve MODEL --addr HOST:PORT starts one", t.Label, t.URL, errors.Join(errs...))
}

// Configured is the target as a model among others. Of a model it has nothing
// but the answers: how many requests it holds at once, and on what, is unknown.
func (t *Target) Configured() *Configured {
	return &Configured{
		Target: t,
		Spec:   Spec{Model: Part{Name: "target", Options: []Setting{{"url", t.URL}}}},
		Model: &Model{
			Name: "target", Doc: "a server that the lab did not start, at " + t.URL, Process: "unknown", Wire: WireHTTP, Interface: "unknown", HTTP: "unknown",
			Slots: func(Settings) int { return 0 }, Noun: "slot",
			// What stands before it, and what that changes, is not known either.
			Normalises: true, KeepsOne: true,
		},
	}
}

// meet is Start for a target: it is there already, or it isn't.
func (t *Target) meet(ctx context.Context, c *Configured) (*Instance, error) {
	if !t.Pinned.IsValid() {
		return nil, fmt.Errorf("target %s: it was not looked up", t.Label)
	}
	d := net.Dialer{Timeout: 5 * time.Second}
	conn, err := d.DialContext(ctx, "tcp", t.Pinned.String())
	if err != nil {
		return nil, fmt.Errorf("target %s: nothing accepts connections any more: %w", t.Label, err)
	}
	return &Instance{configured: c, addr: t.Pinned.String(), scheme: "http"}, conn.Close()
}

// errNotOurs is what can't be said of a server that the lab didn't start.
var errNotOurs = errors.New("the lab did not start this server, so what it uses can't be seen")
