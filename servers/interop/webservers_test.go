//go:build linux

package interop

import (
	"net"
	"path/filepath"
	"testing"

	"gatewaylab/servers/process"
)

// behindNginx is a row's site: nginx before a model, as the lab sets it up,
// but with nothing held back, so that what streams is seen to stream.
func behindNginx(spec string) func(*testing.T) *site {
	return func(t *testing.T) *site {
		inst := ours(t, "nginx:buffering=off,workers=1+"+spec, false)
		s := siteOf(t, inst)
		s.do = httpClient(inst.URL(), nil)
		if speaks(spec, "WebSocket") {
			s.echoed = webSocketAt("ws://" + inst.Addr() + "/ws")
		}
		return s
	}
}

// apacheRunning has Apache run our CGI program.
func apacheRunning(t *testing.T) *site {
	dir := folder(t)
	program := labappIn(t, dir)
	g, addr := onPort(t, func(t *testing.T, addr string) (*process.Group, error) {
		file := configure(t, dir, "apache.conf", map[string]any{"Dir": dir, "Root": isRoot(), "Listen": addr, "Program": program})
		g := foreign(t, nil, "apache2", "-X", "-DFOREGROUND", "-f", file)
		return g, binds(g, addr)
	})
	s := &site{do: httpClient("http://"+addr, nil), serving: running(g, program)}
	return answered(t, s, g)
}

// lighttpdRunning has lighttpd run our CGI program.
func lighttpdRunning(t *testing.T) *site {
	dir := folder(t)
	program := labappIn(t, dir)
	listener, addr := listen(t)
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	file := configure(t, dir, "lighttpd.conf", map[string]any{"Dir": dir, "Port": port, "Program": program})
	g := foreign(t, listener, "lighttpd", "-D", "-f", file)
	s := &site{do: httpClient("http://"+addr, nil), serving: running(g, program)}
	return answered(t, s, g)
}

func labappIn(t *testing.T, dir string) string {
	t.Helper()
	p, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	dir, err = filepath.EvalSymlinks(dir)
	if err != nil {
		t.Fatal(err)
	}
	return own(t, dir, p.App, "labapp")
}
