package load

import (
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// places are the numbers by which hits are told apart: those of open stages
// count from 0, those of closed ones within their stage.
var places = map[string]uint64{"open": 0, "stage 1": 1 << 40, "stage 2": 2 << 40}

// mixed is a run that is only asked what it would send.
func mixed(t *testing.T, seed uint64, weights ...float64) *run {
	t.Helper()
	a := &Attack{Stages: looping(1, time.Second), Seed: seed, Timeout: patient}
	for i, w := range weights {
		a.Requests = append(a.Requests, Request{URL: fmt.Sprintf("http://127.0.0.1:1/%d", i), Weight: w})
	}
	r, err := a.newRun(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.close)
	return r
}

// chiSquare returns the probability that counts of what has these
// probabilities are further from them than n are.
func chiSquare(n, p []float64) float64 {
	total, sum := 0.0, 0.0
	for _, x := range n {
		total += x
	}
	for i, x := range n {
		sum += (x - total*p[i]) * (x - total*p[i]) / (total * p[i])
	}
	k := float64(len(n) - 1)
	z := (math.Cbrt(sum/k) - (1 - 2/(9*k))) / math.Sqrt(2/(9*k))
	return math.Erfc(z/math.Sqrt2) / 2
}

// TestMixFollowsTheWeights: the shares of requests are their weights', and
// which one a hit sends tells nothing of what the next sends.
func TestMixFollowsTheWeights(t *testing.T) {
	const hits, least = 50_000, 0.001
	weights := []float64{95, 5, 0, 2.5, 0.5} // 0 is 1
	sum := 95 + 5 + 1 + 2.5 + 0.5
	share := []float64{95 / sum, 5 / sum, 1 / sum, 2.5 / sum, 0.5 / sum}
	var pairs []float64
	for _, a := range share {
		for _, b := range share {
			pairs = append(pairs, a*b)
		}
	}
	var sequences [][]float64
	for name, first := range places {
		for seed := range uint64(3) {
			r := mixed(t, seed, weights...)
			n, next := make([]float64, len(share)), make([]float64, len(pairs))
			var sequence []float64
			last := -1
			for k := range uint64(hits) {
				i := r.pick(first + k)
				n[i]++
				if last >= 0 && k%2 == 1 { // pairs that don't overlap
					next[last*len(share)+i]++
				}
				last = i
				sequence = append(sequence, float64(i))
			}
			if p := chiSquare(n, share); p < least {
				t.Errorf("%s, seed %d: %v of %d; p = %.2g", name, seed, n, hits, p)
			}
			if p := chiSquare(next, pairs); p < least {
				t.Errorf("%s, seed %d: a hit depends on the one before it; p = %.2g", name, seed, p)
			}
			for _, other := range sequences {
				if p := correlation(sequence, other); p < least {
					t.Errorf("%s, seed %d, is like one before; p = %.2g", name, seed, p)
				}
			}
			sequences = append(sequences, sequence)
		}
	}
}

// TestDraws: drawn values have their distribution, also of hit after hit, for
// each has a generator of its own.
func TestDraws(t *testing.T) {
	const hits, mean, low, high, least = 50_000, 50, 10, 90, 0.001
	p, err := (&Request{URL: "http://127.0.0.1:1/?a={exponential 50}&b={uniform 10 90}"}).prepare()
	if err != nil {
		t.Fatal(err)
	}
	var whole []float64 // the probability of each number, and of more
	left := 1.0
	for i := range 200 {
		above := math.Exp(-(float64(i) + 0.5) / mean)
		whole, left = append(whole, left-above), above
	}
	whole = append(whole, left)
	flat := make([]float64, high-low+1)
	for i := range flat {
		flat[i] = 1 / float64(len(flat))
	}
	for name, first := range places {
		a, b := make([]float64, len(whole)), make([]float64, len(flat))
		var as, bs []float64
		sum := 0
		for k := range uint64(hits) {
			var x, y int
			if _, err := fmt.Sscanf(p.message(4, first+k).url.RawQuery, "a=%d&b=%d", &x, &y); err != nil {
				t.Fatal(err)
			}
			a[min(x, len(a)-1)]++
			b[y-low]++
			sum += x
			as, bs = append(as, float64(x)), append(bs, float64(y))
		}
		for what, p := range map[string]float64{
			"exponential": chiSquare(a, whole), "uniform": chiSquare(b, flat), "one and the other": correlation(as, bs),
			"one and the next": correlation(as, as[1:]), "other and the next": correlation(bs, bs[1:]),
		} {
			if p < least {
				t.Errorf("%s, %s: p = %.2g", name, what, p)
			}
		}
		if got := float64(sum) / hits; math.Abs(got-mean) > 4*mean/math.Sqrt(hits) {
			t.Errorf("%s: the mean is %v, want %v", name, got, mean)
		}
		if one, again := p.message(4, first), p.message(4, first); string(one.wire) != string(again.wire) {
			t.Errorf("%s: the same hit has two messages", name)
		}
	}
	if m, err := Mean(p.request.URL); err != nil || m != "http://127.0.0.1:1/?a=50&b=50" {
		t.Errorf("mean %q, %v", m, err)
	}
}

// TestServersGetTheSame: what a load of every kind sends is decided by its seed
// alone. A server gets the first so many of that, in each closed stage and of
// the open ones together, however late it answers.
func TestServersGetTheSame(t *testing.T) {
	t.Parallel()
	for _, delay := range []time.Duration{0, 5 * time.Millisecond} {
		received := make(map[string]int)
		var mu sync.Mutex
		srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			defer time.Sleep(delay) // one at a time
			received[r.URL.String()]++
		}))
		defer srv.Close()
		a := &Attack{
			Stages: []Stage{
				{Shape: Users, UsersFrom: 4, For: 150 * time.Millisecond},
				{Shape: Constant, From: 400, Poisson: true, For: 100 * time.Millisecond},
				{Shape: Users, UsersFrom: 4, For: 150 * time.Millisecond},
				{Shape: Constant, From: 100, For: 100 * time.Millisecond},
			},
			Requests: []Request{
				{URL: srv.URL + "/a?{uniform 0 1000000000}", Weight: 3},
				{URL: srv.URL + "/b?{uniform 0 1000000000}"},
			},
			Timeout: patient, Seed: 11,
		}
		_, o := attack(t, a)
		r, err := a.newRun(nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer r.close()
		takes := func(place uint64) bool {
			url := r.requests[r.pick(place)].message(a.Seed, place).url.RequestURI()
			defer delete(received, url)
			return received[url] == 1
		}
		for k := range o.open {
			if !takes(k) {
				t.Errorf("hit %d of %d of the open stages didn't come", k, o.open)
			}
		}
		for _, stage := range []uint64{0, 2} {
			for k := uint64(1); takes((stage+1)<<40 | k); k++ {
			}
		}
		if len(received) != 0 {
			t.Errorf("besides, there came %v", received)
		}
	}
}
