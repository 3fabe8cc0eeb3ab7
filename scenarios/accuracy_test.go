package scenarios_test

import (
	"bufio"
	"context"
	"encoding/gob"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"gatewaylab/scenarios"
	"gatewaylab/scenarios/load"
)

// dawdle is a server of its own, in a process of its own, that answers each
// request after a delay drawn from a seeded distribution, 1 ms and about 5 ms
// exponentially, and logs how long it really took between having read the
// request and beginning to answer. It ends when its input does, and prints the
// log.
func dawdle() int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(l.Addr())
	var mu sync.Mutex
	rng := rand.New(rand.NewPCG(1, 2))
	var took []time.Duration
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				for r := bufio.NewReader(c); ; {
					for line := ""; line != "\r\n"; {
						if line, err = r.ReadString('\n'); err != nil {
							return
						}
					}
					began := time.Now()
					mu.Lock()
					delay := time.Duration((1 + min(5*rng.ExpFloat64(), 100)) * float64(time.Millisecond))
					mu.Unlock()
					time.Sleep(delay)
					after := time.Since(began)
					mu.Lock()
					took = append(took, after)
					mu.Unlock()
					if _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"); err != nil {
						return
					}
				}
			}()
		}
	}()
	_, _ = io.Copy(io.Discard, os.Stdin)
	mu.Lock()
	defer mu.Unlock()
	if err := gob.NewEncoder(os.Stdout).Encode(took); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// against runs traffic against such a server and returns its log, sorted.
func against(t testing.TB, traffic func(url string)) (logged []time.Duration) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env, cmd.Stderr = append(os.Environ(), "LAB_TEST_DAWDLE=1"), os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(out)
	addr, err := r.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	traffic("http://" + strings.TrimSpace(addr) + "/")
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if err := gob.NewDecoder(r).Decode(&logged); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(logged)
	return logged
}

// timed is what the lab measures of such a server at a rate: its histogram,
// and every hit's service time, sorted.
func timed(t testing.TB, rate float64, length time.Duration) (h *scenarios.Histogram, hits, logged []time.Duration) {
	t.Helper()
	h = scenarios.NewHistogram()
	logged = against(t, func(url string) {
		a := load.Attack{
			Stages:   []load.Stage{{Shape: load.Constant, From: rate, For: length}},
			Requests: []load.Request{{URL: url}}, Timeout: 10 * time.Second,
		}
		if _, err := a.Run(context.Background(), nil, func(hit *load.Hit) {
			if hit.Kind != "" {
				t.Errorf("%s: %s", hit.Kind, hit.Err)
				return
			}
			h.Observe(hit.Latency)
			hits = append(hits, hit.Latency)
		}); err != nil {
			t.Fatal(err)
		}
	})
	slices.Sort(hits)
	return h, hits, logged
}

// rank is the quantile of sorted values.
func rank(sorted []time.Duration, q float64) time.Duration {
	return sorted[max(0, int(math.Ceil(q*float64(len(sorted))))-1)]
}

var checked = []float64{0.5, 0.9, 0.95, 0.99, 0.999}

// What must hold on any machine, however busy: the lab has measured every
// request that the server knows of, none of its times is shorter than what the
// server says it took, and its histogram says what its hits do.
func TestServiceTimeCoversWhatTheServerTook(t *testing.T) {
	h, hits, logged := timed(t, 400, time.Second)
	if len(hits) != len(logged) || len(hits) < 300 || h.TotalCount() != int64(len(hits)) {
		t.Fatalf("the lab measured %d requests, its histogram holds %d, the server logged %d", len(hits), h.TotalCount(), len(logged))
	}
	for i := range hits {
		if hits[i] < logged[i] {
			t.Fatalf("the %dth shortest service time is %s, the server took %s", i+1, hits[i], logged[i])
		}
	}
	for _, q := range checked {
		exact, got := rank(hits, q), h.Quantile(q)
		if off := (got - exact).Abs(); off > exact/500+2*time.Microsecond {
			t.Errorf("the histogram says %s for q = %g, its hits %s", got, q, exact)
		}
	}
}

// How far the lab's service-time quantiles are from the log of a server of
// known delays: within 1 % or 0.3 ms, whichever is larger. Where the machine's
// own noise is more than that, an independent tool, vegeta with its default
// client, must be off by as much. Each trial is long enough for its p99.9 to be
// one that the lab would print, of the lab and of vegeta; two minutes in all:
//
//	go test -run '^$' -bench Accuracy -benchtime 1x ./scenarios
func BenchmarkAccuracy(b *testing.B) {
	for _, c := range []struct {
		rate   int
		length time.Duration
	}{{100, 52 * time.Second}, {1000, 6 * time.Second}, {5000, 4 * time.Second}} {
		b.Run(fmt.Sprintf("%d", c.rate), func(b *testing.B) {
			for b.Loop() {
				h, _, logged := timed(b, float64(c.rate), c.length)
				theirs, theirLog := vegetaTimed(b, c.rate, c.length)
				for _, q := range checked {
					if _, needed := scenarios.Needs(q); min(h.TotalCount(), int64(len(theirs))) < needed {
						b.Fatalf("%d/s, q = %g: takes %d requests, the lab sent %d, vegeta %d", c.rate, q, needed, h.TotalCount(), len(theirs))
					}
					truth, got := rank(logged, q), h.Quantile(q)
					off, other := got-truth, rank(theirs, q)-rank(theirLog, q)
					limit := max(truth/100, 300*time.Microsecond)
					verdict := "within"
					switch {
					case off.Abs() <= limit:
					case off.Abs() <= other.Abs()*5/4:
						verdict = "beyond, as vegeta is"
					default:
						verdict = "BEYOND"
						b.Errorf("%d/s, q = %g: off by %s, more than %s, and vegeta by %s", c.rate, q, off, limit, other)
					}
					b.Logf("%d/s q=%-5g log %-9s lab %-9s off %-9s limit %-7s vegeta off %-9s %s", c.rate, q,
						truth.Round(time.Microsecond), got, off.Round(time.Microsecond), limit.Round(time.Microsecond), other.Round(time.Microsecond), verdict)
					if q == 0.5 || q == 0.99 {
						b.ReportMetric(float64(off)/float64(time.Millisecond), fmt.Sprintf("ms-off-p%g", q*100))
					}
				}
			}
		})
	}
}

// vegetaTimed is timed with vegeta's own attacker and client.
func vegetaTimed(b *testing.B, rate int, length time.Duration) (hits, logged []time.Duration) {
	b.Helper()
	logged = against(b, func(url string) {
		a := vegeta.NewAttacker()
		target := vegeta.NewStaticTargeter(vegeta.Target{Method: "GET", URL: url})
		for r := range a.Attack(target, vegeta.Rate{Freq: rate, Per: time.Second}, length, "accuracy") {
			if r.Error != "" {
				b.Error(r.Error)
				continue
			}
			hits = append(hits, r.Latency)
		}
	})
	slices.Sort(hits)
	return hits, logged
}
