//go:build linux

package interop

import (
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
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
		if wire != servers.WireHTTP {
			p.uploads = uploading{streamed, buffered, toldLength}
		}
		if wire != servers.WireFastCGI {
			p.known = map[string]difference{"cut, chunked": {errComplete.Error(), noMarkWhy}}
		}
		all = append(all, p)
	}
	for _, kept := range []struct{ options, note string }{
		{"keepalive=0", "with `keepalive=0`: a connection for each request"},
		{"keepalive=1", "with `keepalive=1`, fewer than php-fpm has workers: a kept connection keeps its worker, and if all are kept, a request on one more waits until it is given up"},
	} {
		all = append(all, pair{
			from: "**front**", to: "php-fpm", via: servers.WireFastCGI, note: kept.note,
			needs:   []string{"php-fpm8.2"},
			open:    func(t *testing.T) *site { return beforePHP(t, kept.options) },
			uploads: uploading{streamed, buffered, toldLength},
		})
	}
	return all
}

// beforePHP starts php-fpm with two workers, and the front before it.
func beforePHP(t *testing.T, options string) *site {
	dir := folder(t)
	socket := filepath.Join(dir, "php.sock")
	words := []string{"php-fpm8.2", "-F", "-n", "-y", configure(t, dir, "php-fpm.conf", map[string]any{"Root": isRoot(), "Socket": socket})}
	if isRoot() {
		words = append(words, "-R")
	}
	g := foreign(t, nil, words...)
	script := filepath.Join(foreignPrograms(t), "app.php")
	return answered(t, fronted(t, g, options, &servers.Passage{
		Model: &servers.Model{Name: "php-fpm", Wire: servers.WireFastCGI}, Upstreams: []servers.Upstream{{Network: "unix", Address: socket}}, Script: script,
	}), g)
}

// beforeUWSGI starts uWSGI with the Python application and two workers, and
// the front before it.
func beforeUWSGI(t *testing.T, wire string) *site {
	g, socket := uwsgi(t, wire)
	s := fronted(t, g, "keepalive=0", &servers.Passage{
		Model: &servers.Model{Name: "uWSGI", Wire: wire}, Upstreams: []servers.Upstream{{Network: "unix", Address: socket}},
	})
	// A worker that has been forked and isn't ready yet misses the master's word
	// that it is to end.
	s.serving = func() []int {
		log := g.Log()
		return slices.DeleteFunc(workers(g)(), func(pid int) bool {
			return !strings.Contains(log, fmt.Sprintf("pid: %d (default app)", pid))
		})
	}
	return answered(t, s, g)
}

func uwsgi(t *testing.T, wire string) (g *process.Group, socket string) {
	t.Helper()
	dir := folder(t)
	socket = filepath.Join(dir, "uwsgi.sock")
	option := map[string]string{
		servers.WireHTTP: "--http-socket", servers.WireUWSGI: "--socket", servers.WireSCGI: "--scgi-socket", servers.WireFastCGI: "--fastcgi-socket",
	}[wire]
	// A worker that is forked just before the end doesn't hear of it; its master waits
	// for it as long as its mercy lasts, which is usually 60 s.
	g = foreign(t, nil, "uwsgi", "--plugin", "python3", "--master", "--die-on-term", "--worker-reload-mercy", "5", "--processes", "2", "--need-app",
		"--disable-logging", "--lazy-apps", "--chdir", foreignPrograms(t), "--wsgi-file", "wsgi.py", option, socket)
	return g, socket
}

// fronted puts the lab's front before a program that listens on a Unix socket
// and has two workers.
func fronted(t *testing.T, g *process.Group, options string, way *servers.Passage) *site {
	t.Helper()
	socket := way.Upstreams[0].Address
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
	c, err := servers.Resolve("front:request_buffering=off,response_buffering=off," + options + "+async")
	if err != nil {
		t.Fatal(err)
	}
	listener, addr := listen(t)
	way.Settings, way.Programs, way.Address, way.Folder = c.FrontSettings, p, addr, filepath.Dir(socket)
	commands, err := c.Front.Commands(way)
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
	return &site{do: httpClient("http://"+addr, nil), serving: workers(g), slots: 2}
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
