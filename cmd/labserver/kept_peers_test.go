//go:build unix

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"gatewaylab/servers/process"
)

// BenchmarkKeptPeers is the goodput of the models that keep connections over
// that of nginx with one worker process, which sends a file of the same six
// bytes, and of uvicorn with uvloop, httptools and the least application there
// is, to 64 clients that keep theirs. Each of the N rounds loads all of them
// for three seconds each, one after another and in turning order; the figures
// are the median over the rounds of the ratio within a round, with the least and
// the greatest in the log.
//
//	go test -run '^$' -bench KeptPeers -benchtime 8x ./cmd/labserver
func BenchmarkKeptPeers(b *testing.B) {
	// The first Python on PATH may be another than the one with the packages.
	pythons := []string{"python3", "/usr/bin/python3"}
	has := slices.IndexFunc(pythons, func(python string) bool {
		return exec.Command(python, "-c", "import uvicorn, uvloop, httptools").Run() == nil
	})
	p := missing("wrk", "nginx")
	if has < 0 {
		p = "uvicorn with uvloop and httptools"
	}
	if p != "" {
		if os.Getenv("LAB_REQUIRE") != "" {
			b.Fatalf("%s is not installed", p)
		}
		b.Skipf("%s is not installed", p)
	}
	ours, theirs := []string{"eventloop", "async"}, []string{"nginx", "uvicorn"}
	addrs := map[string]string{
		"eventloop": serve(b, "eventloop", "pool=0", "keepalive=60s", "timeout=30s", "connections=10000", "keepalive_requests=0",
			"read_buffer=16384", "write_buffer=65536", "backlog=2048").addr,
		"async": serve(b, "async", "keepalive=60s", "timeout=30s", "connections=0", "keepalive_requests=0", "tls=off", "backlog=2048").addr,
		"nginx": static(b, "hello\n"),
		"uvicorn": stranger(b, exec.Command(pythons[has], "-m", "uvicorn", "--fd", "3", "--loop", "uvloop", "--http", "httptools", "--no-access-log",
			"--log-level", "warning", "--app-dir", "testdata", "bare_asgi:application")),
	}
	for name, addr := range addrs {
		until(b, name+" answers", func() bool { return get(addr, "/hello") == nil })
	}
	names := slices.Concat(ours, theirs)
	rates := map[string][]float64{}
	b.ResetTimer()
	for round := range b.N {
		for i := range names {
			name := names[(round+i)%len(names)]
			rates[name] = append(rates[name], hit(b, addrs[name]))
		}
	}
	b.StopTimer()
	b.ReportMetric(0, "ns/op")
	for _, name := range names {
		b.Logf("%-9s %6.0f/s [%.0f–%.0f] in %d rounds", name, median(rates[name]), slices.Min(rates[name]), slices.Max(rates[name]), b.N)
	}
	for _, name := range ours {
		for _, peer := range theirs {
			ratios := make([]float64, b.N)
			for i := range ratios {
				ratios[i] = rates[name][i] / rates[peer][i]
			}
			b.Logf("%-9s does %.3f of %s [%.3f–%.3f]", name, median(ratios), peer, slices.Min(ratios), slices.Max(ratios))
			b.ReportMetric(median(ratios), name+"/"+peer)
		}
	}
}

// static starts nginx, which sends text as a file called hello. It logs nothing,
// has one worker process, as the event loop has one thread, and closes no
// connection for its age; the rest is as Debian's configuration has it.
func static(b *testing.B, text string) (addr string) {
	b.Helper()
	dir := b.TempDir()
	listener, addr, err := process.Listen("127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer listener.Close()
	user := ""
	if os.Getuid() == 0 {
		user = "user root; " // the folder is for its owner only
	}
	config := user + fmt.Sprintf(`worker_processes 1; daemon off; pid %[1]s/pid; error_log stderr crit;
events { worker_connections 1024; }
http {
	access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000;
	server { listen %[2]s; root %[1]s/www; }
}`, dir, addr)
	for name, content := range map[string]string{"nginx.conf": config, "www/hello": text} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	cmd := exec.Command("nginx", "-c", filepath.Join(dir, "nginx.conf"))
	cmd.Env = append(os.Environ(), fmt.Sprintf("NGINX=%d;", process.ListenerFD)) // how nginx inherits a listener
	g, err := process.Start(process.Launch{Commands: []*exec.Cmd{cmd}, Listener: listener})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = g.Stop(5 * time.Second)
		if left := g.PIDs(); len(left) > 0 {
			b.Errorf("processes left of nginx: %v", left)
		}
		if b.Failed() {
			b.Logf("nginx printed:\n%s", g.Log())
		}
	})
	return addr
}
