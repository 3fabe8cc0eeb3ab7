//go:build linux

package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"text/template"
	"time"

	"gatewaylab/servers/process"
)

// BenchmarkCGIPeers compares the cgi model with lighttpd's mod_cgi, both
// running the same static C program for each request, of which four are under
// way at a time. Rounds of the two alternate; reported are the median rates and
// the median, lowest and highest ratio of the rounds.
//
//	go test -run '^$' -bench CGIPeers -benchtime 15x ./cmd/labserver
func BenchmarkCGIPeers(b *testing.B) {
	dir := b.TempDir()
	program := filepath.Join(dir, "hello")
	if out, err := exec.Command("gcc", "-O2", "-static", "-o", program, filepath.Join("testdata", "hello.c")).CombinedOutput(); err != nil {
		b.Skipf("this needs gcc, with which to build the program: %v\n%s", err, out)
	}
	ours := serve(b, "--app", program, "cgi", "children=64", "queue=1024", "timeout=30s", "keepalive=60s", "backlog=2048")
	theirs := lighttpd(b, dir, program)
	var rates [2][]float64
	var ratios []float64
	for i := 0; b.Loop(); i++ {
		var rate [2]float64
		for k := range 2 {
			which := (i + k) % 2
			rate[which] = answersPerSecond(b, [2]string{ours.addr, theirs}[which])
		}
		for k := range 2 {
			rates[k] = append(rates[k], rate[k])
		}
		ratios = append(ratios, rate[0]/rate[1])
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(middle(rates[0]), "cgi/s")
	b.ReportMetric(middle(rates[1]), "mod_cgi/s")
	b.ReportMetric(middle(ratios), "ratio")
	b.ReportMetric(slices.Min(ratios), "ratio-low")
	b.ReportMetric(slices.Max(ratios), "ratio-high")
}

// lighttpd starts lighttpd on a listener that is made for it, as the lab's own
// models have theirs, with the program for everything.
func lighttpd(b *testing.B, dir, program string) (addr string) {
	path, err := exec.LookPath("lighttpd")
	if err != nil {
		b.Skip("this needs lighttpd")
	}
	listener, addr, err := process.Listen("127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer listener.Close()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		b.Fatal(err)
	}
	file, err := os.Create(filepath.Join(dir, "lighttpd.conf"))
	if err != nil {
		b.Fatal(err)
	}
	err = template.Must(template.ParseFiles(filepath.Join("testdata", "lighttpd.conf"))).
		Execute(file, map[string]string{"Dir": dir, "Port": port, "Program": program})
	if cerr := file.Close(); err != nil || cerr != nil {
		b.Fatal(err, cerr)
	}
	// The variables of sd_listen_fds(3); LISTEN_PID must be the process's own.
	cmd := exec.Command("/bin/sh", "-c", `LISTEN_FDS=1 LISTEN_PID=$$ exec "$0" -D -f "$1"`, path, file.Name())
	g, err := process.Start(process.Launch{Commands: []*exec.Cmd{cmd}, Listener: listener})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := g.Stop(5 * time.Second); err != nil {
			b.Error(err)
		}
		if b.Failed() {
			b.Logf("lighttpd's log:\n%s", g.Log())
		}
	})
	return addr
}

// answersPerSecond is how fast 400 requests are answered, four at a time, each
// on a connection of its own.
func answersPerSecond(b *testing.B, addr string) float64 {
	const requests, clients = 400, 4
	var left atomic.Int64
	left.Store(requests)
	var wg sync.WaitGroup
	begun := time.Now()
	for range clients {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if err := get(addr, "/hello"); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if b.Failed() {
		b.FailNow()
	}
	return requests / time.Since(begun).Seconds()
}

func middle(values []float64) float64 {
	values = slices.Sorted(slices.Values(values))
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}

// The program that the benchmark runs is an answer like the application's.
func TestHelloInC(t *testing.T) {
	program := filepath.Join(t.TempDir(), "hello")
	if out, err := exec.Command("gcc", "-O2", "-static", "-o", program, filepath.Join("testdata", "hello.c")).CombinedOutput(); err != nil {
		if os.Getenv("LAB_REQUIRE") == "" {
			t.Skipf("gcc: %v", err)
		}
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	s := serve(t, "--app", program, "cgi", "children=4", "queue=16", "timeout=30s", "keepalive=60s", "backlog=128")
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := fmt.Fprintf(c, "GET /hello HTTP/1.0\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(c)
	if err != nil || string(answer[max(0, len(answer)-9):]) != "\n\r\nhello\n" {
		t.Errorf("answered %q, %v", answer, err)
	}
}
