//go:build linux

package interop

import (
	"net"
	"path/filepath"
	"testing"

	"gatewaylab/servers"
	"gatewaylab/servers/process"
	"gatewaylab/servers/process/processtest"
)

// behindNginx is a row's site: nginx before a model, as the lab sets it up,
// but with nothing held back, so that what streams is seen to stream.
func behindNginx(spec string) func(*testing.T) *site {
	return func(t *testing.T) *site {
		inst := ours(t, "nginx:buffering=off,workers=1+"+spec, false)
		s := siteOf(t, inst)
		s.do = httpClient(inst.URL(), nil)
		if wireOf(spec) == servers.WireHTTP && speaks(spec, "WebSocket") {
			s.echoed = webSocketAt("ws://" + inst.Addr() + "/ws")
		}
		return s
	}
}

// apacheRunning has Apache run our CGI program.
func apacheRunning(t *testing.T) *site {
	dir := folder(t)
	program := labappIn(t, dir)
	g, addr := apache(t, map[string]any{"Dir": dir, "Program": program})
	s := &site{do: httpClient("http://"+addr, nil), serving: running(g, program)}
	return answered(t, s, g)
}

// behindApache is Apache before a responder of ours.
func behindApache(spec, module string) func(*testing.T) *site {
	return func(t *testing.T) *site {
		upstream, s := responder(t, spec)
		g, addr := apache(t, map[string]any{"Dir": folder(t), "Module": module, "Upstream": upstream})
		s.do = httpClient("http://"+addr, nil)
		return answered(t, s, g)
	}
}

func apache(t *testing.T, config map[string]any) (g *process.Group, addr string) {
	t.Helper()
	addr = processtest.Address(t)
	config["Root"], config["Listen"] = isRoot(), addr
	file := configure(t, config["Dir"].(string), "apache.conf", config)
	return foreign(t, nil, "apache2", "-X", "-DFOREGROUND", "-f", file), addr
}

// lighttpdRunning has lighttpd run our CGI program.
func lighttpdRunning(t *testing.T) *site {
	dir := folder(t)
	program := labappIn(t, dir)
	g, addr := lighttpd(t, map[string]any{"Dir": dir, "Program": program})
	s := &site{do: httpClient("http://"+addr, nil), serving: running(g, program)}
	return answered(t, s, g)
}

// behindLighttpd is lighttpd before a responder of ours.
func behindLighttpd(spec, module string) func(*testing.T) *site {
	return func(t *testing.T) *site {
		upstream, s := responder(t, spec)
		host, port, err := net.SplitHostPort(upstream)
		if err != nil {
			t.Fatal(err)
		}
		g, addr := lighttpd(t, map[string]any{"Dir": folder(t), "Module": module, "Host": host, "UpstreamPort": port})
		s.do = httpClient("http://"+addr, nil)
		return answered(t, s, g)
	}
}

func lighttpd(t *testing.T, config map[string]any) (g *process.Group, addr string) {
	t.Helper()
	listener, addr := listen(t)
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	config["Port"] = port
	file := configure(t, config["Dir"].(string), "lighttpd.conf", config)
	return foreign(t, listener, "lighttpd", "-D", "-f", file), addr
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
