//go:build unix

package load

import (
	"context"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"gatewaylab/servers/process"
)

const (
	generatorSlice = time.Second          // that a generator runs in a round
	lagLimit       = 5 * time.Millisecond // of the 99th percentile, at the highest rate held
	leastRate      = 5_000.0              // between it
	mostRate       = 200_000.0            // and this one the highest is looked for,
	halvings       = 7                    // which narrows it down to 3 %
)

// A generator is one of those that are held against each other.
type generator struct {
	name   string
	needs  string // a program
	closed func(b *testing.B, url string, d time.Duration) (rate float64)
	open   func(b *testing.B, url string, rate float64, d time.Duration) (lag time.Duration) // p99; nil: it has no open loop
}

func generators() []generator {
	return []generator{
		{"lab", "", closedRate, labLag},
		{"vegeta", "", vegetaRate, vegetaLag},
		{"wrk", "wrk", func(b *testing.B, url string, d time.Duration) float64 {
			return outside(b, `Requests/sec:\s+([0-9.]+)`, "wrk", "-t1", fmt.Sprintf("-c%d", benchClients), fmt.Sprintf("-d%ds", int(d.Seconds())), url)
		}, nil},
		{"h2load", "h2load", func(b *testing.B, url string, d time.Duration) float64 {
			return outside(b, `, ([0-9.]+) req/s`, "h2load", "--h1", "-t1", fmt.Sprintf("-c%d", benchClients), "-D", strconv.Itoa(int(d.Seconds())), url)
		}, nil},
	}
}

// BenchmarkGenerators holds the lab's generator against others, before the same
// server, which does as little as a server can. Generator and server have cores
// of their own. In each round all of them run for a second, one after another
// and in turning order; the figures are medians over the rounds, of ratios
// within a round, with the least and the greatest in the log. CPU is the
// generator's, user and system. The highest rate held is looked for anew in each
// round, by halving what lies between a rate that was held and one that wasn't.
//
//	go test -run '^$' -bench Generators -benchtime 8x -timeout 10m ./scenarios/load
func BenchmarkGenerators(b *testing.B) {
	url := nullServer(b)
	var there []generator
	for _, g := range generators() {
		if _, err := exec.LookPath(g.needs); g.needs != "" && err != nil {
			b.Logf("without %s: it is not installed", g.needs)
			continue
		}
		there = append(there, g)
	}
	rate, cost, held := map[string][]float64{}, map[string][]float64{}, map[string][]float64{}
	b.ResetTimer()
	for round := range b.N {
		for i := range there {
			g := there[(round+i)%len(there)]
			before := spent(b)
			x := g.closed(b, url, generatorSlice)
			rate[g.name] = append(rate[g.name], x)
			cost[g.name] = append(cost[g.name], float64((spent(b)-before).Microseconds())/(x*generatorSlice.Seconds()))
			if g.open != nil {
				held[g.name] = append(held[g.name], highestRate(b, g, url))
			}
		}
	}
	b.StopTimer()
	b.ReportMetric(0, "ns/op")
	for _, g := range there {
		ratio := ratios(rate["lab"], rate[g.name])
		open := "no open loop"
		if g.open != nil {
			open = fmt.Sprintf("highest rate held %s/s, the lab %s of it", spread(held[g.name], 0), spread(ratios(held["lab"], held[g.name]), 2))
		}
		b.Logf("%-7s closed loop %s/s, the lab does %s of it; CPU %s µs each; %s",
			g.name, spread(rate[g.name], 0), spread(ratio, 2), spread(cost[g.name], 1), open)
		if g.name != "lab" {
			b.ReportMetric(middle(ratio), "lab/"+g.name)
		}
	}
}

// ratios are those of two generators within each round.
func ratios(a, of []float64) []float64 {
	r := make([]float64, len(a))
	for i := range r {
		r[i] = a[i] / of[i]
	}
	return r
}

// highestRate is the highest rate at which p99 of the lag is below lagLimit.
func highestRate(b *testing.B, g generator, url string) float64 {
	b.Helper()
	held, missed := leastRate, mostRate
	for range halvings {
		rate := math.Round(math.Sqrt(held * missed))
		if g.open(b, url, rate, generatorSlice) <= lagLimit {
			held = rate
		} else {
			missed = rate
		}
	}
	return held
}

func labLag(b *testing.B, url string, rate float64, d time.Duration) time.Duration {
	b.Helper()
	a := Attack{Stages: arriving(rate, d), Requests: []Request{{URL: url}}, Timeout: 5 * time.Second, MaxInFlight: 256}
	var lags []time.Duration
	o, err := a.Run(context.Background(), nil, func(h *Hit) { lags = append(lags, h.Sent-h.Due) })
	if err != nil {
		b.Fatal(err)
	}
	return worstOf(lags, int(o.Due))
}

// vegetaLag counts a hit's lag from when ConstantPacer wants it.
func vegetaLag(b *testing.B, url string, rate float64, d time.Duration) time.Duration {
	b.Helper()
	client, done := defaultClient()
	defer done()
	a := vegeta.NewAttacker(vegeta.Client(client), vegeta.MaxWorkers(256))
	target := vegeta.NewStaticTargeter(vegeta.Target{Method: "GET", URL: url})
	pace := vegeta.ConstantPacer{Freq: int(rate), Per: time.Second}
	var lags []time.Duration
	began := time.Now()
	for r := range a.Attack(target, pace, d, "") {
		lags = append(lags, r.Timestamp.Sub(began)-time.Duration(float64(r.Seq)/rate*float64(time.Second)))
	}
	return worstOf(lags, int(rate*d.Seconds()))
}

// worstOf is p99 of the lags of all hits that were due; those never sent count
// as later than all others.
func worstOf(lags []time.Duration, due int) time.Duration {
	slices.Sort(lags)
	if i := due * 99 / 100; i < len(lags) {
		return lags[i]
	}
	return time.Hour
}

// outside runs another generator and returns its rate.
func outside(b *testing.B, rate string, words ...string) float64 {
	b.Helper()
	out, err := exec.Command(words[0], words[1:]...).CombinedOutput()
	m := regexp.MustCompile(rate).FindSubmatch(out)
	if err != nil || m == nil || strings.Contains(string(out), "Non-2xx") {
		b.Fatalf("%v: %v\n%s", words, err, out)
	}
	x, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil {
		b.Fatal(err)
	}
	return x
}

// spent is the CPU time of this process and of the children that have ended.
func spent(b *testing.B) (all time.Duration) {
	b.Helper()
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if err := syscall.Getrusage(who, &u); err != nil {
			b.Fatal(err)
		}
		all += time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	return all
}

// nullServer compiles and starts testdata/null.c on the second half of the
// cores, and leaves the first to this process and what it starts.
func nullServer(b *testing.B) string {
	b.Helper()
	if _, err := exec.LookPath("cc"); err != nil {
		if os.Getenv("LAB_REQUIRE") != "" {
			b.Fatal("cc is not installed, and LAB_REQUIRE is set")
		}
		b.Skip("needs cc to compile testdata/null.c")
	}
	program := filepath.Join(b.TempDir(), "null")
	if out, err := exec.Command("cc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", program, "testdata/null.c").CombinedOutput(); err != nil {
		b.Fatalf("compile testdata/null.c: %v\n%s", err, out)
	}
	cores := process.Cores()
	half := len(cores) / 2
	if half == 0 || process.OnCores(cores[half:]) != nil {
		b.Log("generator and server share their cores")
		return startServer(b, exec.Command(program))
	}
	url := startServer(b, exec.Command(program))
	if err := process.OnCores(cores[:half]); err != nil {
		b.Fatal(err)
	}
	procs := runtime.GOMAXPROCS(half)
	b.Cleanup(func() {
		runtime.GOMAXPROCS(procs)
		if err := process.OnCores(cores); err != nil {
			b.Error(err)
		}
	})
	return url
}

func middle(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	return (s[len(s)/2] + s[(len(s)-1)/2]) / 2
}

// spread is the median with the least and the greatest.
func spread(v []float64, digits int) string {
	return fmt.Sprintf("%.*f [%.*f–%.*f]", digits, middle(v), digits, slices.Min(v), digits, slices.Max(v))
}
