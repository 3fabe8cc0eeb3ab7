package load

import (
	"context"
	"flag"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	vegeta "github.com/tsenart/vegeta/v12/lib"

	"gatewaylab/servers"
	"gatewaylab/servers/process"
)

var (
	rounds = flag.Int("load.rounds", 12, "rounds of BenchmarkClosedLoop")
	memory = flag.Uint64("load.memory", 2_000_000, "requests of BenchmarkMemory; the first tenth is what it compares with")
)

const benchClients = 64

// closedRate is how many requests a second succeed in a closed loop, with what
// the lab does for each: three histograms, and a fourth of the slice it is in.
func closedRate(b *testing.B, url string, d time.Duration) float64 {
	b.Helper()
	a := Attack{Stages: looping(benchClients, d), Requests: []Request{{URL: url}}, Timeout: 5 * time.Second}
	var ok int
	var kept [4]*hdrhistogram.Histogram
	for i := range kept {
		kept[i] = hdrhistogram.New(1, (5 * time.Minute).Microseconds(), 3)
	}
	_, err := a.Run(context.Background(), nil, func(h *Hit) {
		if h.Kind == "" && !h.Cut {
			ok++
			for i, d := range [...]time.Duration{h.Response(), h.Latency, h.FirstByte, h.Response()} {
				if err := kept[i].RecordValue(max(1, d.Microseconds())); err != nil {
					b.Error(err)
				}
			}
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
	client, done := defaultClient()
	defer done()
	a := vegeta.NewAttacker(vegeta.Client(client), vegeta.Workers(benchClients), vegeta.MaxWorkers(benchClients))
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

// defaultClient is vegeta's own, which is rebuilt here from NewAttacker only so
// that its connections can be closed: nothing else does.
func defaultClient() (c *http.Client, done func()) {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: vegeta.DefaultLocalAddr.IP}, KeepAlive: 30 * time.Second}
	tr := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         dialer.DialContext,
		TLSClientConfig:     vegeta.DefaultTLSConfig,
		MaxIdleConnsPerHost: vegeta.DefaultConnections,
		MaxConnsPerHost:     vegeta.DefaultMaxConnections,
	}
	return &http.Client{Timeout: vegeta.DefaultTimeout, Transport: tr}, tr.CloseIdleConnections
}

// BenchmarkClosedLoop compares the closed-loop rate of vegeta's default client
// with ours against the lab's own async model: on cores that generator and
// server share, where a server that costs as much as the generator hides half
// of the difference, and on disjoint halves of them. A round is one, the other
// twice, and the one again, so that a neighbour's burst hits both.
func BenchmarkClosedLoop(b *testing.B) {
	b.Run("shared", func(b *testing.B) { compareClients(b, asyncModel(b, nil)+"/hello") })
	b.Run("pinned", func(b *testing.B) {
		cores := process.Cores()
		half := len(cores) / 2
		if half == 0 {
			b.Skip("needs two cores")
		}
		url := asyncModel(b, cores[half:]) + "/hello"
		if err := process.OnCores(cores[:half]); err != nil {
			b.Skip(err)
		}
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(half))
		compareClients(b, url)
		if err := process.OnCores(cores); err != nil {
			b.Error(err)
		}
	})
}

func compareClients(b *testing.B, url string) {
	const slice = 400 * time.Millisecond
	closedRate(b, url, slice)
	vegetaRate(b, url, slice)
	var lean, plain, ratio []float64
	for range *rounds {
		l := closedRate(b, url, slice)
		p := vegetaRate(b, url, slice) + vegetaRate(b, url, slice)
		l += closedRate(b, url, slice)
		lean, plain, ratio = append(lean, l/2), append(plain, p/2), append(ratio, l/p)
	}
	report := func(name string, v []float64) {
		slices.Sort(v)
		n := len(v)
		b.Logf("%-16s quartiles %.5g %.5g %.5g, all %.3g", name, v[n/4], v[n/2], v[n*3/4], v)
		b.ReportMetric(v[n/2], name)
	}
	report("vegeta/s", plain)
	report("lean/s", lean)
	report("ratio", ratio)
	b.ReportMetric(0, "ns/op")
}

// asyncModel starts the lab's async model for the benchmark's time.
func asyncModel(b *testing.B, cores []int) string {
	b.Helper()
	programs, err := servers.FindPrograms(b.Context(), os.Stderr)
	if err != nil {
		b.Fatal(err)
	}
	model, err := servers.Resolve("async")
	if err != nil {
		b.Fatal(err)
	}
	inst, err := servers.Start(b.Context(), model, servers.Launch{Programs: programs, Cores: cores})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := inst.Close(5 * time.Second); err != nil {
			b.Error(err)
		}
	})
	return inst.URL()
}

// BenchmarkOpenLoop offers 20,000 requests a second to canned bytes. Bounding
// the hits in flight keeps a stall of a shared machine from being answered with
// thousands of new connections, each of which costs ten times what a hit does;
// the hits of the stall are sent late instead, which the lag shows.
func BenchmarkOpenLoop(b *testing.B) {
	url := serve(b, "null")
	a := Attack{
		Stages:   arriving(20_000, 3*time.Second),
		Requests: []Request{{URL: url}},

		Timeout: 5 * time.Second,

		MaxInFlight: 256,
	}
	us := func(d time.Duration) float64 { return float64(d.Microseconds()) }
	var sent, p50, p99 []float64
	for range 5 {
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
		n := len(lag)
		b.Logf("sent %d of %d, %d connections; lag p50 %v p99 %v max %v; response p50 %v p99 %v",
			o.Sent, o.Due, o.Connections, lag[n/2], lag[n*99/100], lag[n-1], response[n/2], response[n*99/100])
		sent, p50, p99 = append(sent, 100*share), append(p50, us(lag[n/2])), append(p99, us(lag[n*99/100]))
	}
	b.ReportMetric(slices.Min(sent), "%sent-min")
	if slices.Sort(sent); sent[len(sent)/2] < 99 {
		b.Errorf("the median trial sent %.1f %% of what was due; 99 %% is wanted", sent[len(sent)/2])
	}
	for name, v := range map[string][]float64{"%sent": sent, "lag-p50-µs": p50, "lag-p99-µs": p99} {
		slices.Sort(v)
		b.ReportMetric(v[len(v)/2], name)
	}
	b.ReportMetric(0, "ns/op")
}

// BenchmarkHit is one request over a connection that is there, without vegeta:
// what the transport itself costs.
func BenchmarkHit(b *testing.B) {
	p, err := (&Request{URL: serve(b, "null")}).prepare()
	if err != nil {
		b.Fatal(err)
	}
	t := NewTransport(5 * time.Second)
	defer t.Close()
	b.ReportAllocs()
	var f flight
	for b.Loop() {
		f.reset()
		if t.call(p.fixed, &f, time.Since(t.epoch)); f.err != nil {
			b.Fatal(f.err)
		}
	}
}

// BenchmarkAttack is one request of a closed loop.
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
		Stages:   looping(benchClients, time.Hour),
		Requests: []Request{{URL: serve(b, "null")}},

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
	debug.FreeOSMemory()
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
