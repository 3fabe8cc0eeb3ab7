//go:build unix

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"

	"gatewaylab/servers/process"
)

// peerWorkers is how many processes each peer has.
const peerWorkers = 4

// A peer is a server that prefork is held against.
type peer struct {
	name  string
	needs []string // programs
	words func(tb testing.TB) []string
}

func peers() []peer {
	workers := strconv.Itoa(peerWorkers)
	return []peer{
		{"prefork", nil, nil},
		{"bare", []string{"cc"}, func(tb testing.TB) []string {
			return []string{bare(tb, "testdata/bare.c", "cc", "-O2", "-Wall", "-Wextra", "-Werror"), workers}
		}},
		{"bare-go", []string{"go"}, func(tb testing.TB) []string { return []string{bare(tb, "testdata/bare.go", "go", "build"), workers} }},
		{"uwsgi", []string{"uwsgi"}, func(testing.TB) []string {
			return []string{"uwsgi", "--plugin", "python3", "--http-socket", "fd://3", "--wsgi-file", "testdata/hello.py",
				"--master", "--processes", workers, "--disable-logging", "--die-on-term", "--need-app"}
		}},
		{"gunicorn", []string{"gunicorn"}, func(testing.TB) []string {
			return []string{"gunicorn", "--bind", "fd://3", "--workers", workers, "--worker-class", "sync", "--log-level", "warning", "--chdir", "testdata", "hello:application"}
		}},
	}
}

// bare compiles a bare loop.
func bare(tb testing.TB, source string, compiler ...string) string {
	tb.Helper()
	out := filepath.Join(tb.TempDir(), "bare")
	words := slices.Concat(compiler, []string{"-o", out, source})
	if b, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
		tb.Fatalf("compile %s: %v\n%s", source, err, b)
	}
	return out
}

// missing names a program that isn't installed.
func missing(programs ...string) string {
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			return p
		}
	}
	return ""
}

// BenchmarkPeers is prefork's goodput over that of the same number of
// processes of others, to 64 clients that open a connection for each request.
// Each of the N rounds loads all of them for three seconds each, one after
// another and in turning order; the figures are the median over the rounds
// of what prefork did and of the ratio within a round, with the least and the
// greatest in the log.
//
//	go test -run '^$' -bench Peers -benchtime 8x ./cmd/labserver
func BenchmarkPeers(b *testing.B) {
	if p := missing("wrk"); p != "" {
		if os.Getenv("LAB_REQUIRE") != "" {
			b.Fatalf("%s is not installed", p)
		}
		b.Skipf("%s is not installed", p)
	}
	var there []peer
	addrs := map[string]string{}
	for _, p := range peers() {
		if m := missing(p.needs...); m != "" {
			b.Logf("without %s: %s is not installed", p.name, m)
			continue
		}
		there = append(there, p)
		if p.words == nil {
			addrs[p.name] = prefork(b, peerWorkers, "backlog=2048").addr
			continue
		}
		words := p.words(b)
		addrs[p.name] = stranger(b, exec.Command(words[0], words[1:]...))
	}
	rates := map[string][]float64{}
	b.ResetTimer()
	for round := range b.N {
		for i := range there {
			p := there[(round+i)%len(there)]
			rates[p.name] = append(rates[p.name], hit(b, addrs[p.name], "-H", "Connection: close"))
		}
	}
	b.StopTimer()
	b.ReportMetric(0, "ns/op")
	for _, p := range there {
		rate := rates[p.name]
		ratios := make([]float64, len(rate))
		for i := range rate {
			ratios[i] = rates["prefork"][i] / rate[i]
		}
		b.Logf("%-9s %6.0f/s [%.0f–%.0f]; prefork does %.3f of it [%.3f–%.3f] in %d rounds", p.name,
			median(rate), slices.Min(rate), slices.Max(rate), median(ratios), slices.Min(ratios), slices.Max(ratios), len(rate))
		if p.name == "prefork" {
			b.ReportMetric(median(rate), "req/s")
		} else {
			b.ReportMetric(median(ratios), "x-"+p.name)
		}
	}
}

// stranger starts a server that isn't the lab's, and waits until it answers.
func stranger(tb testing.TB, cmd *exec.Cmd) string {
	tb.Helper()
	listener, addr, err := process.Listen("127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer listener.Close()
	g, err := process.Start(process.Launch{Commands: []*exec.Cmd{cmd}, Listener: listener})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = g.Stop(5 * time.Second) // killed or not, it is gone
		if left := g.PIDs(); len(left) > 0 {
			tb.Errorf("processes left of %s: %v", cmd.Path, left)
		}
		if tb.Failed() {
			tb.Logf("%s printed:\n%s", cmd.Path, g.Log())
		}
	})
	until(tb, cmd.Path+" answers", func() bool { return get(addr, "/hello") == nil })
	return addr
}

var perSecond = regexp.MustCompile(`Requests/sec:\s+([0-9.]+)`)

// hit returns the rate that wrk gets answers at; an answer other than 2xx
// fails the benchmark.
func hit(b *testing.B, addr string, options ...string) float64 {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "wrk", append(options, "-t1", "-c64", "-d3s", fmt.Sprintf("http://%s/hello", addr))...).CombinedOutput()
	m := perSecond.FindSubmatch(out)
	if err != nil || m == nil || regexp.MustCompile(`Non-2xx|timeout [1-9]`).Match(out) {
		b.Fatalf("wrk: %v\n%s", err, out)
	}
	rate, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil {
		b.Fatal(err)
	}
	return rate
}

func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	return (s[len(s)/2] + s[(len(s)-1)/2]) / 2
}
