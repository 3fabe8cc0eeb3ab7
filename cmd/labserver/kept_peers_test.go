//go:build unix

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"text/template"
	"time"

	"gatewaylab/servers/process"
)

// BenchmarkKeptPeers is the goodput of async and eventloop over that of nginx
// with a static file of the same size, and of uvicorn with uvloop, httptools
// and the least application there is, to 64 clients on kept connections. As in
// BenchmarkPeers each of the N rounds loads all, in turning order, and a ratio
// is taken within a round.
//
//	go test -run '^$' -bench KeptPeers -benchtime 8x ./cmd/labserver
func BenchmarkKeptPeers(b *testing.B) {
	if p := missing("wrk", "nginx", "uvicorn"); p != "" {
		if os.Getenv("LAB_REQUIRE") != "" {
			b.Fatalf("%s is not installed", p)
		}
		b.Skipf("%s is not installed", p)
	}
	ours, theirs := []string{"async", "eventloop"}, []string{"nginx", "uvicorn"}
	addrs := map[string]string{
		"async": serve(b, "async", "keepalive=60s", "timeout=30s", "backlog=2048", "tls=off", "connections=0", "keepalive_requests=0").addr,
		"eventloop": serve(b, "eventloop", "pool=0", "keepalive=60s", "timeout=30s", "connections=10000", "keepalive_requests=0",
			"read_buffer=16384", "write_buffer=65536", "backlog=2048").addr,
		"nginx": staticNginx(b),
		"uvicorn": stranger(b, exec.Command("uvicorn", "--fd", "3", "--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning",
			"--app-dir", "testdata", "bare_asgi:application")),
	}
	all := slices.Concat(ours, theirs)
	rates := map[string][]float64{}
	b.ResetTimer()
	for round := range b.N {
		for i := range all {
			name := all[(round+i)%len(all)]
			rates[name] = append(rates[name], hit(b, addrs[name]))
		}
	}
	b.StopTimer()
	b.ReportMetric(0, "ns/op")
	for _, name := range all {
		b.Logf("%-9s %6.0f/s [%.0f–%.0f]", name, median(rates[name]), slices.Min(rates[name]), slices.Max(rates[name]))
	}
	for _, name := range ours {
		b.ReportMetric(median(rates[name]), name+"/s")
		for _, peer := range theirs {
			ratios := make([]float64, b.N)
			for i := range ratios {
				ratios[i] = rates[name][i] / rates[peer][i]
			}
			b.ReportMetric(median(ratios), name+"/"+peer)
			b.ReportMetric(slices.Min(ratios), name+"/"+peer+"-low")
			b.ReportMetric(slices.Max(ratios), name+"/"+peer+"-high")
		}
	}
}

// staticNginx starts nginx with one file.
func staticNginx(b *testing.B) (addr string) {
	b.Helper()
	dir := b.TempDir()
	listener, addr, err := process.Listen("127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer listener.Close()
	if err := os.Mkdir(filepath.Join(dir, "html"), 0o755); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "html", "hello"), []byte("hello\n"), 0o644); err != nil {
		b.Fatal(err)
	}
	file, err := os.Create(filepath.Join(dir, "nginx.conf"))
	if err != nil {
		b.Fatal(err)
	}
	err = template.Must(template.ParseFiles(filepath.Join("testdata", "nginx.conf"))).
		Execute(file, map[string]any{"Dir": dir, "Addr": addr, "Root": os.Geteuid() == 0})
	if cerr := file.Close(); err != nil || cerr != nil {
		b.Fatal(err, cerr)
	}
	cmd := exec.Command("nginx", "-p", dir, "-c", file.Name())
	cmd.Env = append(os.Environ(), "NGINX=3;") // the listener that it inherits
	g, err := process.Start(process.Launch{Commands: []*exec.Cmd{cmd}, Listener: listener})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = g.Stop(5 * time.Second) // killed or not, it is gone
		if left := g.PIDs(); len(left) > 0 {
			b.Errorf("processes left of nginx: %v", left)
		}
		if b.Failed() {
			b.Logf("nginx printed:\n%s", g.Log())
		}
	})
	until(b, "nginx answers", func() bool { return get(addr, "/hello") == nil })
	return addr
}
