package dashboard

import (
	"math"
	"testing"
	"time"

	"gatewaylab/scenarios"
)

func TestSummaryLeavesInvalidTrialsOut(t *testing.T) {
	c := &cell{}
	for i, g := range []float64{90, 300, 200, 9999} {
		tr := &scenarios.Trial{Ref: scenarios.Ref{Trial: i + 1}, Window: time.Second, Succeeded: uint64(g), Response: scenarios.NewHistogram()}
		for range int(g) {
			tr.Response.Observe(time.Duration(i+1) * 10 * time.Millisecond)
		}
		if g == 9999 {
			tr.Invalid = []string{"the generator was busy"}
		}
		f := finish(scenarios.TrialDone{Trial: tr})
		c.track(i + 1).done = &f
	}
	s := c.summary()
	if s.valid != 3 || s.invalid != 1 || s.goodput != 200 || math.Abs(s.p50-20) > 0.1 {
		t.Errorf("summary is %+v", s)
	}
	if !math.IsNaN(s.p99) {
		t.Errorf("p99 is %v though one trial has 90 responses, want none", s.p99)
	}
	if e := (&cell{}).summary(); !math.IsNaN(e.goodput) || !math.IsNaN(e.p50) {
		t.Errorf("summary of nothing is %+v", e)
	}
}

func TestProgressNeverGoesBack(t *testing.T) {
	p := &picture{}
	p.apply(scenarios.PlanStarted{Measuring: 100 * time.Second, Total: 10})
	last := 0.0
	for _, left := range []int{90, 130, 50, 60, -3, 10} {
		p.apply(scenarios.TrialPhase{Left: time.Duration(left) * time.Second})
		if p.progress < last || p.progress > 1 {
			t.Fatalf("progress went from %v to %v", last, p.progress)
		}
		last = p.progress
	}
	p.apply(scenarios.PlanDone{})
	if p.progress != 1 || p.left != 0 {
		t.Errorf("at the end progress is %v, left %v", p.progress, p.left)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	p := &picture{}
	r := scenarios.Ref{Scenario: "s", Model: "m", Trial: 1}
	for i := range 5 * trackLimit {
		p.apply(scenarios.Sample{Ref: r, Phase: scenarios.Measuring, Interval: scenarios.Interval{At: time.Duration(i), Length: 1}})
		p.apply(scenarios.Note{Text: "n"})
		p.apply(scenarios.Note{Text: "n"})
	}
	if n := len(p.cell(r).track(1).points); n > trackLimit {
		t.Errorf("%d slices kept of one trial", n)
	}
	if n := len(p.notes); n > noteLimit {
		t.Errorf("%d notes kept", n)
	}
}

func TestFormats(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{rate(0), "0.0/s"}, {rate(9.94), "9.9/s"}, {rate(79.4), "79/s"}, {rate(12345), "12,345/s"}, {rate(123456), "123k/s"}, {rate(math.NaN()), "–"},
		{ms(0.034), "0.03 ms"}, {ms(0.996), "1.0 ms"}, {ms(6.21), "6.2 ms"}, {ms(804), "804 ms"}, {ms(999.6), "1.00 s"}, {ms(30000), "30 s"},
		{size(0), "0.0 MiB"}, {size(31 << 20), "31 MiB"}, {size(3 << 30), "3.0 GiB"},
		{clock(0), "0:00"}, {clock(30200 * time.Millisecond), "0:31"}, {clock(-time.Second), "0:00"}, {clock(2*time.Hour + 3*time.Second), "2:00:03"},
		{count(1, "worker"), "1 worker"}, {count(3, "child process"), "3 child processes"}, {count(2048, "connection"), "2,048 connections"},
		{whole(-1234567), "-1,234,567"}, {whole(uint64(999)), "999"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func TestScales(t *testing.T) {
	for _, c := range []struct{ v, low, high float64 }{{79, 60, 80}, {1262, 1200, 1500}, {100, 100, 100}, {0.3, 0.3, 0.3}, {8.1, 8, 10}, {0, 1, 1}} {
		if got := ceil(c.v); c.v > 0 && math.Abs(got-c.high) > 1e-9*c.high {
			t.Errorf("ceil(%v) = %v, want %v", c.v, got, c.high)
		}
		if got := floor(c.v); c.v > 0 && math.Abs(got-c.low) > 1e-9*c.low {
			t.Errorf("floor(%v) = %v, want %v", c.v, got, c.low)
		}
	}
	for _, c := range [][2]float64{{0, 0}, {50, 51}, {0.01, 30000}, {5, 5}} {
		s := logarithmic(c[0], c[1])
		if s.high/s.low < 10 || c[0] > 0 && (s.at(c[0]) < 0 || s.at(c[1]) > 1 || s.at(c[0]) == s.at(c[1]) && c[0] != c[1]) {
			t.Errorf("logarithmic(%v, %v) = %+v", c[0], c[1], s)
		}
	}
}
