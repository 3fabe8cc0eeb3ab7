package reports

import (
	"math"
	"strings"
	"testing"

	"golang.org/x/perf/benchmath"
)

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9*max(1, math.Abs(a), math.Abs(b)) }

func TestEstimate(t *testing.T) {
	for _, c := range []struct {
		name              string
		values            []float64
		median, low, high float64
		confidence        float64
	}{
		// P(all six on one side) = 2 / 2⁶.
		{"six", []float64{6, 1, 5, 2, 4, 3}, 3.5, 1, 6, 1 - 2.0/64},
		{"seven", []float64{7, 1, 6, 2, 5, 3, 4}, 4, 1, 7, 1 - 2.0/128},
		// From the 2nd to the 8th of nine: 1 − 2(1+9)/512.
		{"nine", []float64{9, 8, 7, 6, 5, 4, 3, 2, 1}, 5, 2, 8, 1 - 20.0/512},
		{"five is too few", []float64{5, 4, 3, 2, 1}, 3, 1, 5, 1 - 2.0/32},
		{"two", []float64{10, 20}, 15, 10, 20, 0.5},
		{"one", []float64{10}, 10, 10, 10, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			given := append([]float64(nil), c.values...)
			e := estimate(c.values, "ms")
			if !near(e.Median, c.median) || e.Low != c.low || e.High != c.high || !near(e.Confidence, c.confidence) || e.N != len(c.values) || e.Unit != "ms" {
				t.Errorf("got %+v", e)
			}
			for i, v := range given {
				if c.values[i] != v {
					t.Fatal("the caller's values were reordered")
				}
			}
		})
	}
	if e := estimate(nil, "ms"); e.Known() || e.Unit != "ms" {
		t.Errorf("no values: %+v", e)
	}
}

// Our rule and the library's must ask for the same number of trials.
func TestMinTrialsIsWhatTheLibraryAsksFor(t *testing.T) {
	few := benchmath.AssumeNothing.Summary(sample(make([]float64, minTrials-1)), confidence)
	if len(few.Warnings) != 1 || !strings.Contains(few.Warnings[0].Error(), "6 samples") {
		t.Errorf("five trials: %v", few.Warnings)
	}
	enough := benchmath.AssumeNothing.Summary(sample(make([]float64, minTrials)), confidence)
	if len(enough.Warnings) != 0 {
		t.Errorf("six trials: %v", enough.Warnings)
	}
}

func TestCompare(t *testing.T) {
	low := []float64{1, 2, 3, 4, 5, 6}
	for _, c := range []struct {
		name  string
		other []float64
		p     float64
		apart bool
	}{
		// 2 of the C(12,6) = 924 orderings are this extreme.
		{"wholly apart", []float64{11, 12, 13, 14, 15, 16}, 2.0 / 924, true},
		{"intervals touch", []float64{6, 12, 13, 14, 15, 16}, -1, false},
		// p is small enough, but one stray trial makes the intervals overlap.
		{"a stray trial", []float64{5.5, 12, 13, 14, 15, 16}, 4.0 / 924, false},
		{"five are too few", []float64{11, 12, 13, 14, 15}, 2.0 / 462, false},
		{"the same", low, 1, false},
		{"none", nil, 1, false},
	} {
		p, apart := compare(low, c.other)
		if apart != c.apart || c.p >= 0 && !near(p, c.p) {
			t.Errorf("%s: p = %v, apart = %v", c.name, p, apart)
		}
	}
	equal := []float64{2, 2, 2, 2, 2, 2}
	if p, apart := compare(equal, equal); p != 1 || apart {
		t.Errorf("all equal: p = %v, apart = %v", p, apart)
	}
}

func TestSpread(t *testing.T) {
	if s := (Estimate{Median: 100, Low: 98, High: 105, N: 6}).Spread(); !near(s, 0.05) {
		t.Errorf("spread %v, want the longer arm, 0.05", s)
	}
	if s := (Estimate{Median: 0, Low: 0, High: 3, N: 6}).Spread(); s != 0 {
		t.Errorf("spread %v around 0", s)
	}
}

func TestFigures(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 0.0001: "<0.001", 0.0521: "0.052", 0.9996: "1.00", 5.214: "5.21", 9.996: "10.0",
		79.12: "79.1", 99.96: "100", 631.4: "631", 12345.6: "12,346", 1e6: "1,000,000",
	} {
		if got := figure(v); got != want {
			t.Errorf("figure(%v) = %q, want %q", v, got, want)
		}
	}
	for v, want := range map[float64]string{50: "50", 79.04: "79", 2.9: "2.9", 1000: "1,000", 200: "200", 0.5: "0.5"} {
		if got := said(v); got != want {
			t.Errorf("said(%v) = %q, want %q", v, got, want)
		}
	}
	for seconds, want := range map[float64]string{0.05: "50 ms", 0.0029: "2.9 ms", 0.632: "632 ms", 1.5: "1.5 s"} {
		if got := saidTime(seconds); got != want {
			t.Errorf("saidTime(%v) = %q, want %q", seconds, got, want)
		}
	}
	for noun, want := range map[string]string{"worker": "2 workers", "child process": "2 child processes", "connection": "2 connections"} {
		if got := count(2, noun); got != want {
			t.Errorf("count(2, %q) = %q", noun, got)
		}
	}
}
