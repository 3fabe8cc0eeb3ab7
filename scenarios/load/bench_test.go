package load

import (
	"context"
	"flag"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

var (
	rounds = flag.Int("load.rounds", 7, "rounds of BenchmarkClosedLoop")
	memory = flag.Uint64("load.memory", 2_000_000, "requests of BenchmarkMemory; the first tenth is what it compares with")
)

const benchClients = 64

// closedRate is how many requests a second succeed in a closed loop.
func closedRate(b *testing.B, url string, d time.Duration) float64 {
	b.Helper()
	a := Attack{Load: Load{Kind: Closed, Clients: benchClients}, Request: Request{URL: url}, For: d, Timeout: 5 * time.Second}
	var ok int
	_, err := a.Run(context.Background(), nil, func(h *Hit) {
		if h.Kind == "" && !h.Cut {
			ok++
		} else if !h.Cut {
			b.Errorf("%s: %s", h.Kind, h.Err)
		}
	})
	if err != nil {
		b.Fatal(err)
	}
	return float64(ok) / d.Seconds()
}

// vegetaRate is closedRate with vegeta's own client.
func vegetaRate(b *testing.B, url string, d time.Duration) float64 {
	b.Helper()
	a := vegeta.NewAttacker(vegeta.Workers(benchClients), vegeta.MaxWorkers(benchClients))
	target := vegeta.NewStaticTargeter(vegeta.Target{Method: "GET", URL: url})
	began := time.Now()
	var ok int
	for r := range a.Attack(target, vegeta.ConstantPacer{}, d, "") {
		if r.Error != "" {
			b.Error(r.Error)
		}
		ok++
	}
	return float64(ok) / time.Since(began).Seconds()
}

// BenchmarkClosedLoop compares the closed-loop rate of vegeta's default client
// with ours against net/http in another process, in interleaved rounds of
// random order.
func BenchmarkClosedLoop(b *testing.B) {
	url := serve(b, "hello")
	const round = 1500 * time.Millisecond
	closedRate(b, url, round/3)
	vegetaRate(b, url, round/3)
	var lean, plain, ratio []float64
	for range *rounds {
		var l, p float64
		if rand.IntN(2) == 0 {
			l, p = closedRate(b, url, round), vegetaRate(b, url, round)
		} else {
			p, l = vegetaRate(b, url, round), closedRate(b, url, round)
		}
		b.Logf("vegeta's client %.0f/s, lean %.0f/s, ratio %.2f", p, l, l/p)
		lean, plain, ratio = append(lean, l), append(plain, p), append(ratio, l/p)
	}
	for _, v := range [][]float64{lean, plain, ratio} {
		slices.Sort(v)
	}
	b.ReportMetric(plain[len(plain)/2], "vegeta/s")
	b.ReportMetric(lean[len(lean)/2], "lean/s")
	b.ReportMetric(ratio[0], "ratio-min")
	b.ReportMetric(ratio[len(ratio)/2], "ratio")
	b.ReportMetric(ratio[len(ratio)-1], "ratio-max")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkOpenLoop offers 20,000 requests a second to canned bytes.
func BenchmarkOpenLoop(b *testing.B) {
	url := serve(b, "null")
	a := Attack{
		Load:    Load{Kind: Open, Rate: 20_000},
		Request: Request{URL: url},
		For:     3 * time.Second,
		Timeout: 5 * time.Second,
	}
	for range 3 {
		var lag, response []time.Duration
		o, err := a.Run(context.Background(), nil, func(h *Hit) {
			if h.Kind != "" {
				b.Errorf("%s: %s", h.Kind, h.Err)
			}
			lag, response = append(lag, h.Sent-h.Due), append(response, h.Response())
		})
		if err != nil {
			b.Fatal(err)
		}
		slices.Sort(lag)
		slices.Sort(response)
		share := float64(o.Sent) / float64(o.Due)
		if share < 0.99 {
			b.Errorf("sent %d of %d due", o.Sent, o.Due)
		}
		n := len(lag)
		b.Logf("sent %d of %d, %d connections; lag p50 %v p99 %v max %v; response p50 %v p99 %v",
			o.Sent, o.Due, o.Connections, lag[n/2], lag[n*99/100], lag[n-1], response[n/2], response[n*99/100])
		b.ReportMetric(100*share, "%sent")
		b.ReportMetric(float64(lag[n/2].Microseconds()), "lag-p50-µs")
		b.ReportMetric(float64(lag[n*99/100].Microseconds()), "lag-p99-µs")
	}
	b.ReportMetric(0, "ns/op")
}

// BenchmarkHit is one request over a connection that is there, without vegeta:
// what the transport itself costs.
func BenchmarkHit(b *testing.B) {
	r := &run{attack: &Attack{Request: Request{URL: serve(b, "null")}}, flights: newFlights(), live: new(Gauge)}
	var err error
	if r.message, err = r.attack.message(); err != nil {
		b.Fatal(err)
	}
	r.transport = NewTransport(5 * time.Second)
	defer r.transport.Close()
	b.ReportAllocs()
	var f flight
	for b.Loop() {
		f = flight{}
		if r.hit(&f, time.Since(r.transport.epoch)); f.err != nil {
			b.Fatal(f.err)
		}
	}
}

// BenchmarkAttack is one request of a closed loop, vegeta included.
func BenchmarkAttack(b *testing.B) {
	url := serve(b, "null")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	const d = 2 * time.Second
	n := closedRate(b, url, d) * d.Seconds()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/n, "allocs/hit")
	b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/n, "B/hit")
	b.ReportMetric(n/d.Seconds(), "hits/s")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkMemory holds the process's memory after many requests against that
// after a tenth of them.
func BenchmarkMemory(b *testing.B) {
	a := Attack{
		Load:    Load{Kind: Closed, Clients: benchClients},
		Request: Request{URL: serve(b, "null")},
		For:     time.Hour,
		Timeout: 5 * time.Second,
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var n uint64
	var early int64
	_, err := a.Run(ctx, nil, func(*Hit) {
		switch n++; n {
		case *memory / 10:
			early = resident(b)
		case *memory:
			late := resident(b)
			ratio := float64(late) / float64(early)
			b.Logf("resident after %d requests %.1f MiB, after %d %.1f MiB", *memory/10, float64(early)/(1<<20), *memory, float64(late)/(1<<20))
			b.ReportMetric(float64(late)/(1<<20), "MiB")
			b.ReportMetric(ratio, "ratio")
			if ratio > 1.2 {
				b.Errorf("memory grew by a factor of %.2f; 1.2 is allowed", ratio)
			}
			cancel()
		}
	})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(0, "ns/op")
}

// resident is the memory of this process after a collection: what the system
// has given it, or what the runtime has where the system doesn't tell.
func resident(b *testing.B) int64 {
	b.Helper()
	runtime.GC()
	if statm, err := os.ReadFile("/proc/self/statm"); err == nil {
		pages, err := strconv.ParseInt(strings.Fields(string(statm))[1], 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		return pages * int64(os.Getpagesize())
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.Sys - m.HeapReleased)
}
