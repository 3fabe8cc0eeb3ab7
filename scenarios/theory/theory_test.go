package theory

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
)

func near(t *testing.T, what string, got, want, relative float64) {
	t.Helper()
	if math.Abs(got-want) > relative*math.Abs(want) || math.IsNaN(got) {
		t.Errorf("%s: %.8g, want %.8g", what, got, want)
	}
}

// Values as printed in the usual tables of the Erlang formulas: the offered
// load at which so many servers turn a given share away.
func TestErlangBTable(t *testing.T) {
	for _, row := range []struct {
		servers     int
		load, share float64
	}{
		{1, 0.0101, 0.01}, {1, 1, 0.5}, {2, 0.1526, 0.01}, {5, 1.3608, 0.01}, {10, 4.4612, 0.01},
		{20, 12.0306, 0.01}, {50, 37.9014, 0.01}, {100, 84.0642, 0.01},
		{5, 2.2185, 0.05}, {10, 6.2157, 0.05}, {20, 15.2493, 0.05}, {100, 95.2402, 0.05},
		{2, 2, 0.4}, {3, 1, 0.0625},
	} {
		near(t, "ErlangB", ErlangB(row.servers, row.load), row.share, 2e-3)
	}
}

func TestErlangCTable(t *testing.T) {
	for _, row := range []struct {
		servers        int
		load, probably float64
	}{
		{1, 0.5, 0.5}, {2, 1, 1. / 3}, {3, 2, 4. / 9}, {4, 3, 0.50943}, {5, 4, 0.55411}, {10, 8, 0.40918}, {10, 9, 0.66873},
	} {
		near(t, "ErlangC", ErlangC(row.servers, row.load), row.probably, 1e-4)
	}
	if got := ErlangC(2, 3); got != 1 {
		t.Errorf("ErlangC beyond saturation: %v", got)
	}
}

// Erlang B is a Poisson distribution cut off at c, which a library knows.
func TestErlangBAgainstPoisson(t *testing.T) {
	for _, c := range []int{1, 2, 7, 40, 170, 500, 1000} {
		for _, rho := range []float64{0.1, 0.5, 0.9, 1, 1.2} {
			load := rho * float64(c)
			p := distuv.Poisson{Lambda: load}
			want := math.Exp(p.LogProb(float64(c))) / p.CDF(float64(c))
			if got := ErlangB(c, load); want > 1e-250 {
				near(t, "ErlangB", got, want, 1e-9)
			}
		}
	}
	if b := ErlangB(100_000, 99_000); !(b > 0 && b < 0.01) {
		t.Errorf("a hundred thousand servers: %v", b)
	}
	for _, none := range []float64{ErlangB(-1, 1), ErlangB(1, -1), ErlangB(1, math.NaN())} {
		if !math.IsNaN(none) {
			t.Errorf("a question without sense is answered with %v", none)
		}
	}
}

// What the lab's scenarios say of themselves.
func TestScenariosFigures(t *testing.T) {
	for _, row := range []struct {
		what       string
		got, want  float64
		inRelative float64
	}{
		{"busy-fixed, half", MD1(50, .01).Response(), .015, 1e-12},
		{"busy-fixed, most", MD1(80, .01).Response(), .030, 1e-12},
		{"busy-fixed, nearly", MD1(90, .01).Response(), .055, 1e-12},
		{"busy-random, nearly", MMC{90, .01, 1}.Response(), .1, 1e-12},
		{"blocked-loop", MG1{50, Mixed([]Mix{Fixed(.001), Fixed(.2)}, []float64{99, 1})}.Wait(), .0118, 5e-3},
		{"how-many-workers, 4", MMC{60, .05, 4}.Response(), .0755, 1e-3},
		{"how-many-workers, 6", MMC{60, .05, 6}.Response(), .0517, 1e-3},
		{"how-many-workers, 8", MMC{60, .05, 8}.Response(), .0502, 2e-3},
		{"four-queues, random", MMC{40, .02, 1}.Response(), .1, 1e-12},
		{"four-queues, shared", MMC{160, .02, 4}.Response(), .0349, 1e-3},
		{"one-worker", FiniteSource{20, 0, .05, 1}.response(), 1, 1e-12},
	} {
		near(t, row.what, row.got, row.want, row.inRelative)
	}
}

func (q FiniteSource) response() float64 { _, r, _ := q.Solve(); return r }

func TestFormulasAgree(t *testing.T) {
	// M/G/1 with exponential service is M/M/1, and so is M/G/c with one server.
	for _, rho := range []float64{.01, .3, .7, .95, .999} {
		mm1 := MMC{rho / .02, .02, 1}
		near(t, "P–K", MG1{rho / .02, Exponential(.02)}.Response(), mm1.Response(), 1e-9)
		near(t, "M/D/1", MGC{rho / .02, Fixed(.02), 1}.Wait(), MD1(rho/.02, .02).Wait(), 1e-9)
		near(t, "Little", mm1.Queue(), rho*rho/(1-rho), 1e-9)
		near(t, "p50", mm1.Quantile(.5), .02/(1-rho)*math.Ln2, 1e-9)
	}
	// The quantiles belong to the mean: ∫P(R>t)dt = R.
	for _, q := range []MMC{{60, .05, 4}, {30, .05, 2}, {60, .05, 4}, {390, .01, 4}, {3, 1, 4}} {
		sum, step := 0.0, q.Response()/2000
		for k := range 200_000 {
			sum += step * q.Beyond((float64(k)+.5)*step)
		}
		near(t, "mean of the distribution", sum, q.Response(), 1e-4)
		near(t, "quantile", q.Beyond(q.Quantile(.99)), .01, 1e-6)
	}
	// Room for one more and more is M/M/c; room for the servers alone is Erlang B.
	near(t, "M/M/c/∞", MMCK{MMC{60, .05, 4}, 400}.Response(), MMC{60, .05, 4}.Response(), 1e-9)
	near(t, "M/M/c/c", MMCK{MMC{60, .05, 4}, 4}.TurnedAway(), ErlangB(4, 3), 1e-12)
	near(t, "M/M/1/K", MMCK{MMC{2, 1, 1}, 3}.TurnedAway(), 8./15, 1e-12)
	near(t, "overloaded, roomy", MMCK{MMC{2000, 1, 4}, 5000}.Throughput(), 4, 1e-9)
	// Closed loops.
	for _, n := range []int{1, 2, 5, 30, 300} {
		x, r := MVA(n, 1, .05)
		fx, fr, _ := FiniteSource{n, 1, .05, 1}.Solve()
		near(t, "MVA's throughput", x, fx, 1e-9)
		near(t, "MVA's response", r, fr, 1e-9)
		asked, done := Bounds(n, 1, Station{1, .05})
		if x > min(asked, done)*(1+1e-9) {
			t.Errorf("%d users: MVA's %v exceeds the bounds %v, %v", n, x, asked, done)
		}
	}
	// Many users who think long are a Poisson process.
	x, r, q := FiniteSource{100_000, 1000, .009, 1}.Solve()
	near(t, "throughput of many", x, 100, 2e-3)
	near(t, "response of many", r, MMC{100, .009, 1}.Response(), 2e-2)
	near(t, "queue of many", q, MMC{100, .009, 1}.Queue(), 2e-2)
}

// The machine-repair model of Kleinrock's section 3.8, by hand for two users.
func TestFiniteSourceByHand(t *testing.T) {
	// λ = 1, μ = 2: p₀ : p₁ : p₂ = 1 : 1 : 1/2.
	x, r, q := FiniteSource{2, 1, .5, 1}.Solve()
	near(t, "X", x, 2*(1.5/2.5), 1e-12)
	near(t, "R", r, 2/1.2-1, 1e-12)
	near(t, "queue", q, .2, 1e-12)
	x, _, _ = FiniteSource{2, 1, .5, 2}.Solve()
	near(t, "no waiting", x, 2/1.5, 1e-12)
}

func TestMixes(t *testing.T) {
	near(t, "CV² fixed", Fixed(3).CV2()+1, 1, 1e-12)
	near(t, "CV² exponential", Exponential(3).CV2(), 1, 1e-12)
	near(t, "CV² uniform", Uniform(0, 2).CV2(), 1./3, 1e-12)
	near(t, "fixed and more", Fixed(1).Plus(2).Square, 9, 1e-12)
	near(t, "exponential and more", Exponential(1).Plus(1).CV2(), .25, 1e-12)
}

func TestLaws(t *testing.T) {
	near(t, "N", Little(400, .05), 20, 1e-12)
	near(t, "U", Utilisation(60, .05, 4), .75, 1e-12)
	near(t, "U", Utilisation(600, .05, 4), 1, 1e-12)
	if c := Ceiling(4, 0); !math.IsInf(c, 1) {
		t.Errorf("servers that need no time can do %v", c)
	}
	asked, done := Bounds(20, 0, Station{16, .05}, Station{1, .01})
	near(t, "lock", done, 100, 1e-12)
	near(t, "users", asked, 20/.06, 1e-12)
	x, growth := Overload(60, .05, 2)
	near(t, "overload", x, 40, 1e-12)
	near(t, "growth", growth, 20, 1e-12)
	if s := Settling(60, Exponential(.05), 2); !math.IsInf(s, 1) {
		t.Errorf("an overloaded queue settles in %v", s)
	}
	near(t, "settling", Settling(50, Exponential(.01), 1), .01/math.Pow(1-math.Sqrt(.5), 2), 1e-12)
	if r := (MMC{60, .05, 2}).Response(); !math.IsInf(r, 1) {
		t.Errorf("an overloaded queue answers in %v", r)
	}
}
