//go:build linux

package interop

import (
	"net"
	"path/filepath"
	"testing"

	"gatewaylab/servers"
	"gatewaylab/servers/process"
)

// beforeTheirs is the lab's front before application servers of others'.
func beforeTheirs() []pair {
	var all []pair
	for _, wire := range []string{servers.WireHTTP, servers.WireUWSGI, servers.WireSCGI, servers.WireFastCGI} {
		p := pair{
			from: "**front**", to: "uWSGI", via: wire,
			needs: []string{"uwsgi"},
			open:  func(t *testing.T) *site { return beforeUWSGI(t, wire) },
		}
		if wire == servers.WireHTTP {
			p.note = "with `keepalive=0`: uWSGI closes each connection without having said so, and a POST on one that is being closed can't be sent again"
		}
		if wire != servers.WireFastCGI {
			p.known = map[string]difference{"cut, chunked": {errComplete.Error(), "the answer has no mark of its end but that of the connection, which comes when a worker is killed, too"}}
		}
		all = append(all, p)
	}
	return all
}

// beforeUWSGI starts uWSGI with the Python application and two workers, and
// the front before it.
func beforeUWSGI(t *testing.T, wire string) *site {
	g, socket := uwsgi(t, wire)
	return answered(t, fronted(t, g, "uWSGI", wire, socket, 2), g)
}

func uwsgi(t *testing.T, wire string) (g *process.Group, socket string) {
	t.Helper()
	dir := folder(t)
	socket = filepath.Join(dir, "uwsgi.sock")
	option := map[string]string{
		servers.WireHTTP: "--http-socket", servers.WireUWSGI: "--socket", servers.WireSCGI: "--scgi-socket", servers.WireFastCGI: "--fastcgi-socket",
	}[wire]
	g = foreign(t, nil, "uwsgi", "--plugin", "python3", "--master", "--die-on-term", "--processes", "2", "--need-app",
		"--disable-logging", "--lazy-apps", "--chdir", foreignPrograms(t), "--wsgi-file", "wsgi.py", option, socket)
	return g, socket
}

// fronted puts the lab's front before a program that listens on a Unix socket
// and has some workers.
func fronted(t *testing.T, g *process.Group, name, wire, socket string, workersOf int) *site {
	t.Helper()
	if err := eventually("a listener on "+socket, func() bool {
		c, err := net.Dial("unix", socket)
		if err == nil {
			c.Close()
		}
		return err == nil || g.Err() != nil
	}); err != nil {
		t.Fatal(err)
	}
	p, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	c, err := servers.Resolve("front:response_buffering=off,keepalive=0+async")
	if err != nil {
		t.Fatal(err)
	}
	listener, addr := listen(t)
	commands, err := c.Front.Commands(&servers.Passage{
		Settings: c.FrontSettings, Model: &servers.Model{Name: name, Wire: wire}, Programs: p,
		Address: addr, Folder: filepath.Dir(socket), Upstreams: []servers.Upstream{{Network: "unix", Address: socket}},
	})
	if err != nil {
		t.Fatal(err)
	}
	front, err := process.Start(process.Launch{Commands: commands, Listener: listener})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := front.Stop(grace); err != nil {
			t.Errorf("the front did not stop cleanly: %v", err)
		}
		if t.Failed() {
			t.Logf("the front printed:\n%s", front.Log())
		}
	})
	return &site{do: httpClient("http://"+addr, nil), serving: workers(g), slots: workersOf}
}

// responder starts a model that speaks another protocol than HTTP without the
// front that it has otherwise.
func responder(t *testing.T, spec string) (addr string, s *site) {
	t.Helper()
	p, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	c, err := servers.Resolve(spec)
	if err != nil {
		t.Fatal(err)
	}
	listener, addr := listen(t)
	g, err := process.Start(process.Launch{Commands: c.Model.Commands(c.Settings, p), Listener: listener, Supervise: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Stop(grace); err != nil {
			t.Errorf("%s did not stop cleanly: %v", spec, err)
		}
		if t.Failed() {
			t.Logf("%s printed:\n%s", spec, g.Log())
		}
	})
	if err := g.Ready(); err != nil {
		t.Fatal(err)
	}
	return addr, siteShowing(t, g.Board().Read)
}
