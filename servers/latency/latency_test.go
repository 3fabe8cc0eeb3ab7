package latency

import (
	"bufio"
	"context"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func config(t *testing.T, pairs ...string) Config {
	t.Helper()
	settings := map[string]string{"delay": "0s", "rate": "0", "places": "0", "queue": "100", "failures": "0%", "closes": "0%", "seed": "1"}
	for i := 0; i < len(pairs); i += 2 {
		settings[pairs[i]] = pairs[i+1]
	}
	c, err := ParseConfig(settings)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestParseConfigRefuses(t *testing.T) {
	for _, missing := range []string{"delay", "rate", "places", "queue", "failures", "closes"} {
		settings := map[string]string{"delay": "0s", "rate": "0", "places": "0", "queue": "1", "failures": "0", "closes": "0"}
		delete(settings, missing)
		if _, err := ParseConfig(settings); err == nil || !strings.Contains(err.Error(), missing) {
			t.Errorf("without %s: %v", missing, err)
		}
	}
	for pair, want := range map[string]string{
		"delay soon": "expected a time such as", "seed x": "seed", "failures 1%%": "expected a share", "closes 51%": "together",
	} {
		key, value, _ := strings.Cut(pair, " ")
		settings := map[string]string{"delay": "0s", "rate": "0", "places": "0", "queue": "1", "failures": "50%", "closes": "0"}
		settings[key] = value
		if _, err := ParseConfig(settings); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", pair, err)
		}
	}
}

// What is drawn has the mean and the spread that the text says, and a text that
// is written is read again as the same.
func TestDelays(t *testing.T) {
	for text, want := range map[string]struct {
		text string
		cv   float64
	}{
		"100ms":                   {"100ms", 0},
		"fixed 100ms":             {"100ms", 0},
		"exp 100ms":               {"exponential 100ms", 1},
		"exponential 100ms":       {"exponential 100ms", 1},
		"uniform 50ms 150ms":      {"uniform 50ms 150ms", 1 / math.Sqrt(12)},
		"lognormal 100ms 0.3":     {"lognormal 100ms 0.3", 0.3},
		"  lognormal  100ms  1.5": {"lognormal 100ms 1.5", 1.5},
	} {
		d, err := ParseDelay(text)
		if err != nil || d.String() != want.text {
			t.Errorf("%q: %q, %v", text, d, err)
			continue
		}
		if again, err := ParseDelay(d.String()); err != nil || again != d {
			t.Errorf("%q: %+v and again %+v, %v", text, d, again, err)
		}
		if d.Mean() != 100*time.Millisecond || math.Abs(d.CV()-want.cv) > 1e-9 {
			t.Errorf("%q: mean %s, cv %g, want %g", text, d.Mean(), d.CV(), want.cv)
		}
		const n = 200_000
		rng := rand.New(rand.NewPCG(1, 2))
		var sum, squares float64
		for range n {
			v := d.Draw(rng).Seconds()
			sum, squares = sum+v, squares+v*v
		}
		mean := sum / n
		cv := math.Sqrt(max(0, squares/n-mean*mean)) / mean
		if math.Abs(mean-0.1) > 0.1*0.02 || math.Abs(cv-want.cv) > 0.05*max(want.cv, 0.01) {
			t.Errorf("%q: drawn with mean %.4f s and cv %.3f, want 0.1 and %.3f", text, mean, cv, want.cv)
		}
	}
}

// The heap of places gives the queue of c servers its theory: Erlang's C formula
// for exponential times, and Pollaczek and Khinchine's for one fixed one.
func TestLineQueues(t *testing.T) {
	for _, tc := range []struct {
		name  string
		pairs []string
		rate  float64 // of Poisson arrivals
		wait  float64 // s, on average
	}{
		{"M/M/1", []string{"delay", "exponential 10ms", "places", "1"}, 80, 0.8 * 0.010 / 0.2},
		{"M/M/4", []string{"delay", "exponential 50ms", "places", "4"}, 60, 0.0255},
		{"M/D/1", []string{"delay", "10ms", "places", "1"}, 80, 0.8 * 0.010 / 0.2 / 2},
		{"a rate", []string{"delay", "30ms", "rate", "100/s"}, 80, 0.8 * 0.010 / 0.2 / 2},
	} {
		l := newLine(config(t, append(tc.pairs, "queue", "1000000")...))
		rng := rand.New(rand.NewPCG(3, 4))
		var now, waited time.Duration
		const n = 400_000
		for range n {
			now += time.Duration(rng.ExpFloat64() / tc.rate * float64(time.Second))
			f := l.admit(now)
			if f.begins < now || f.ends < f.begins {
				t.Fatalf("%s: %+v at %s", tc.name, f, now)
			}
			waited += f.begins - now
		}
		if got := waited.Seconds() / n; math.Abs(got-tc.wait) > 0.08*tc.wait {
			t.Errorf("%s: a call waits %.2f ms on average, want %.2f", tc.name, got*1000, tc.wait*1000)
		}
	}
}

func TestLineIsBounded(t *testing.T) {
	l := newLine(config(t, "delay", "1s", "places", "2", "queue", "3"))
	var got []outcome
	for range 7 {
		got = append(got, l.admit(0).outcome)
	}
	if want := []outcome{answered, answered, answered, answered, answered, refused, refused}; !slices.Equal(got, want) {
		t.Errorf("at once: %v", got)
	}
	if f := l.admit(1500 * time.Millisecond); f.outcome != answered || f.begins != 2*time.Second {
		t.Errorf("after the first two have left: %+v", f)
	}
	if f := l.admit(10 * time.Second); f.begins != 10*time.Second {
		t.Errorf("when all have left: %+v", f)
	}
}

func TestLineFails(t *testing.T) {
	l := newLine(config(t, "failures", "10%", "closes", "5%"))
	var n [4]int
	const calls = 100_000
	for range calls {
		n[l.admit(0).outcome]++
	}
	if math.Abs(float64(n[failed])/calls-0.10) > 0.005 || math.Abs(float64(n[closed])/calls-0.05) > 0.005 {
		t.Errorf("of %d calls %d failed and %d were closed", calls, n[failed], n[closed])
	}
	again := newLine(config(t, "failures", "10%", "closes", "5%"))
	other := newLine(config(t, "failures", "10%", "closes", "5%", "seed", "2"))
	differ := 0
	for range 1000 {
		f := again.admit(0)
		if f != other.admit(0) {
			differ++
		}
	}
	if differ == 0 {
		t.Error("two seeds give the same")
	}
}

// served runs a server on one end of a pipe for each caller.
func served(t *testing.T, s *Server) func() net.Conn {
	var serving sync.WaitGroup
	t.Cleanup(serving.Wait)
	return func() net.Conn {
		ours, theirs := net.Pipe()
		serving.Go(func() { s.talk(theirs) })
		t.Cleanup(func() { ours.Close() })
		return ours
	}
}

func call(t *testing.T, c net.Conn, in *bufio.Reader) (status int, body string, err error) {
	t.Helper()
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: lab\r\n\r\n"); err != nil {
		return 0, "", err
	}
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

func TestServerTakesItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewServer(config(t, "delay", "100ms", "places", "2", "queue", "1"))
		dial := served(t, s)
		var mu sync.Mutex
		took := map[string]int{} // by status and time
		var calling sync.WaitGroup
		for i := range 4 {
			calling.Go(func() {
				time.Sleep(time.Duration(i) * time.Microsecond)
				c := dial()
				begun := time.Now()
				status, body, err := call(t, c, bufio.NewReader(c))
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				took[http.StatusText(status)+" "+strings.TrimSpace(body)+" "+time.Since(begun).Round(time.Millisecond).String()]++
				c.Close()
			})
		}
		calling.Wait()
		synctest.Wait()
		if len(took) != 3 || took["OK done 100ms"] != 2 || took["OK done 200ms"] != 1 || took["Service Unavailable full 0s"] != 1 {
			t.Errorf("answers: %v", took)
		}
		n := s.Counts()
		if n.Calls != 4 || n.Answered != 3 || n.Refused != 1 || n.Ended() != 4 || n.Worked != 300*time.Millisecond || n.Late != 0 {
			t.Errorf("counts: %+v", n)
		}
		if n.Waited < 99*time.Millisecond || n.Waited > 100*time.Millisecond {
			t.Errorf("waited %s", n.Waited)
		}
	})
}

func TestServerFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dial := served(t, NewServer(config(t, "failures", "100%")))
		c := dial()
		in := bufio.NewReader(c)
		for range 2 { // the connection stays
			if status, body, err := call(t, c, in); status != 503 || body != "failed\n" || err != nil {
				t.Errorf("answered %d %q, %v", status, body, err)
			}
		}
		c.Close()
		s := NewServer(config(t, "closes", "100%"))
		c = served(t, s)()
		if status, _, err := call(t, c, bufio.NewReader(c)); err == nil {
			t.Errorf("answered %d", status)
		}
		synctest.Wait()
		if n := s.Counts(); n.Closed != 1 || n.Answered != 0 {
			t.Errorf("counts: %+v", n)
		}
	})
}

func TestServerReadsBodiesAndRefusesNonsense(t *testing.T) {
	s := NewServer(config(t))
	c := served(t, s)()
	in := bufio.NewReader(c)
	go func() {
		_, _ = io.WriteString(c, "POST /x HTTP/1.1\r\nHost: lab\r\nContent-Length: 3\r\n\r\nabcGET /y HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n")
	}()
	for range 2 {
		resp, err := http.ReadResponse(in, nil)
		if err != nil || resp.StatusCode != 200 {
			t.Fatalf("%v, %v", resp, err)
		}
		if b, err := io.ReadAll(resp.Body); string(b) != Answer || err != nil {
			t.Errorf("%q, %v", b, err)
		}
	}
	if _, err := in.ReadByte(); err != io.EOF {
		t.Errorf("after Connection: close: %v", err)
	}
	c = served(t, s)()
	go func() { _, _ = io.WriteString(c, "HELO lab\r\n\r\n") }()
	if b, err := io.ReadAll(c); len(b) > 0 || err != nil {
		t.Errorf("no HTTP is answered with %q, %v", b, err)
	}
}

func TestCounts(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := NewServer(config(t, "delay", "1ms"))
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(c)
	if status, _, err := call(t, c, in); status != 200 || err != nil {
		t.Fatal(status, err)
	}
	first, err := ReadCounts(context.Background(), l.Addr().String())
	if err != nil || first.Calls != 1 || first.Answered != 1 || first.Worked != time.Millisecond {
		t.Errorf("%+v, %v", first, err)
	}
	for range 3 {
		if status, _, err := call(t, c, in); status != 200 || err != nil {
			t.Fatal(status, err)
		}
	}
	second, err := ReadCounts(context.Background(), l.Addr().String())
	if since := second.Since(first); err != nil || since.Answered != 3 || since.Worked != 3*time.Millisecond {
		t.Errorf("%+v, %v", second, err)
	}
	c.Close()
	l.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := ReadCounts(context.Background(), l.Addr().String()); err == nil {
		t.Error("counts of a server that has ended")
	}
}

func TestLatenessQuantile(t *testing.T) {
	var c Counts
	if q := c.LatenessQuantile(0.99); q != 0 {
		t.Errorf("of nothing: %s", q)
	}
	for late, n := range map[time.Duration]int{-time.Second: 1, 0: 1, 10 * time.Microsecond: 96, 3 * time.Millisecond: 2, time.Hour: 1} {
		for range n {
			c.Lateness[bin(late)]++
		}
	}
	for q, want := range map[float64]time.Duration{0.5: 16 * time.Microsecond, 0.99: 4096 * time.Microsecond} {
		if got := c.LatenessQuantile(q); got != want {
			t.Errorf("quantile %g is %s, want %s", q, got, want)
		}
	}
}

// BenchmarkServer is how many calls a second it answers on loopback, to callers
// of the leanest kind.
func BenchmarkServer(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	c, err := ParseConfig(map[string]string{"delay": "exponential 10ms", "rate": "0", "places": "0", "queue": "0", "failures": "0", "closes": "0"})
	if err != nil {
		b.Fatal(err)
	}
	s := NewServer(c)
	go func() { _ = s.Serve(l) }()
	const callers = 500
	share := make(chan struct{}, b.N)
	for range b.N {
		share <- struct{}{}
	}
	close(share)
	var calling sync.WaitGroup
	b.ResetTimer()
	for range callers {
		calling.Go(func() {
			c, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				b.Error(err)
				return
			}
			defer c.Close()
			buf := make([]byte, 512)
			for range share {
				if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: lab\r\n\r\n"); err != nil {
					b.Error(err)
					return
				}
				if _, err := c.Read(buf); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	calling.Wait()
	b.StopTimer()
	n := s.Counts()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
	b.ReportMetric(float64(n.Late.Microseconds())/float64(n.Ended()), "µs-late")
}

func FuzzParseDelay(f *testing.F) {
	for _, text := range []string{"100ms", "fixed 1s", "exp 100ms", "uniform 50ms 150ms", "lognormal 100ms 1.5", "lognormal 1ns 10", "uniform 0s 10m"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := ParseDelay(text)
		if err != nil {
			return
		}
		again, err := ParseDelay(d.String())
		if err != nil || again != d {
			t.Errorf("%q: %+v is written %q and read as %+v, %v", text, d, d, again, err)
		}
		rng := rand.New(rand.NewPCG(1, 2))
		for range 10 {
			if v := d.Draw(rng); v < 0 || v > MaxDelay {
				t.Errorf("%q: draws %s", text, v)
			}
		}
	})
}
