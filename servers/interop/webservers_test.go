//go:build linux

package interop

import (
	"net"
	"path/filepath"
	"strings"
	"testing"

	"gatewaylab/servers/process"
)

// nginxBefore puts nginx before an upstream ("127.0.0.1:8000") that speaks
// http, fastcgi, scgi or uwsgi.
func nginxBefore(t *testing.T, upstream, protocol string, keepalive bool) (url string, g *process.Group) {
	t.Helper()
	dir := folder(t)
	listener, addr := listen(t)
	file := configure(t, dir, "nginx.conf", map[string]any{
		"Dir": dir, "Root": isRoot(), "Listen": addr, "Upstream": upstream, "Protocol": protocol, "Keepalive": keepalive,
	})
	return "http://" + addr, foreign(t, listener, "nginx", "-p", dir, "-e", "stderr", "-c", file)
}

// behindNginx is a row's site: nginx before a model that speaks HTTP.
func behindNginx(spec string) func(*testing.T) *site {
	return func(t *testing.T) *site {
		inst := ours(t, spec, false)
		s := siteOf(t, inst)
		url, g := nginxBefore(t, inst.Addr(), "http", true)
		s.do = httpClient(url, nil)
		if speaks(spec, "WebSocket") {
			s.echoed = webSocketAt("ws" + strings.TrimPrefix(url, "http") + "/ws")
		}
		return answered(t, s, g)
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
