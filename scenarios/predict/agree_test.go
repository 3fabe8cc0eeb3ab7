package predict

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"gatewaylab/scenarios"
	"gatewaylab/scenarios/load"
	"gatewaylab/servers"
)

// A formula and the simulation are two ways to the same figures: of models,
// settings, requests and loads put together by chance both say the same, or
// there is no formula.
func TestFormulasAgreeWithTheSimulation(t *testing.T) {
	const draws = 500
	rng := rand.New(rand.NewPCG(3, 1))
	compared := map[string]int{}
	for range draws {
		spec, path, st, sc, m, costs := drawCell(t, rng)
		c := resolve(t, spec)
		what := fmt.Sprintf("%s, %s, %s, timeout %v, in flight %d, %d cores, %v a request", spec, path, describe(st), sc.Timeout, sc.MaxInFlight, m.Cores, costs.Request)
		p := Cell(sc, c, m, costs)[0]
		if p.Method != Formula || inStep(sc, c, m, costs) {
			continue
		}
		trial, sum, err := Simulate(t.Context(), sc, c, m, costs, scenarios.Ref{Scenario: sc.Name, Trial: 1, Of: 1}, rng.Uint64())
		if err != nil {
			continue // a formula needs to know less
		}
		compared[p.Name]++
		n := min(float64(trial.Succeeded), p.Goodput*st.For.Seconds())
		allowed := .03 + 4/math.Sqrt(max(1, n))
		if p.Name == "M/M/c//N" { // simulated computing always takes equally long
			allowed += .07
		}
		if off := trial.Goodput()/p.Goodput - 1; math.Abs(off) > allowed || math.IsNaN(off) {
			t.Errorf("%s: simulated %.4g/s of %d, %s says %.4g/s", what, trial.Goodput(), int(n), p.Name, p.Goodput)
		}
		mean, ok := p.Response["mean"]
		if off := sum.Response.Seconds()/mean - 1; ok && p.Utilisation < .9 && math.Abs(off) > .1+6/math.Sqrt(max(1, n)) {
			t.Errorf("%s: simulated mean %.4g s, %s says %.4g s", what, sum.Response.Seconds(), p.Name, mean)
		}
	}
	all := 0
	for _, n := range compared {
		all += n
	}
	t.Logf("%d of %d compared: %v", all, draws, compared)
	if all < draws/10 || len(compared) < 10 {
		t.Errorf("only %d of %d could be compared: %v", all, draws, compared)
	}
}

// inStep says whether it shows that simulated users, who begin together and then
// always take equally long, compute at the same time in every turn.
func inStep(sc *scenarios.Scenario, c *servers.Configured, m Machine, costs Costs) bool {
	f, st := newFacts(sc, c, m, costs), &sc.Stages[0]
	beside := f.wait + st.Think.Seconds()
	return !st.Open() && beside > 0 && float64(st.UsersFrom)*(f.cpu+f.sending()) > trifle*f.held.Mean*float64(m.Cores)
}

func drawCell(t *testing.T, rng *rand.Rand) (spec, path string, st load.Stage, sc *scenarios.Scenario, m Machine, costs Costs) {
	t.Helper()
	some := func(n ...int) int { return n[rng.IntN(len(n))] }
	specs := []func() string{
		func() string { return "serial" },
		func() string {
			return fmt.Sprintf("prefork:workers=%d,backlog=%d,timeout=%ds", some(1, 2, 4, 16), some(1, 16, 2048), some(1, 30))
		},
		func() string {
			return fmt.Sprintf("threads:workers=%d,threads=%d,connections=%d,queue=%d", some(1, 2), some(1, 4, 16), some(10, 1000), some(0, 100))
		},
		func() string {
			return fmt.Sprintf("eventloop:pool=%d,connections=%d", some(0, 0, 2, 8), some(10, 10000))
		},
		func() string { return fmt.Sprintf("async:connections=%d", some(0, 0, 10)) },
		func() string { return fmt.Sprintf("cgi:children=%d,queue=%d", some(2, 64), some(0, 8, 1024)) },
		func() string { return fmt.Sprintf("scgi:workers=%d", some(1, 4)) },
		func() string { return fmt.Sprintf("fastcgi:workers=%d", some(1, 4)) },
		func() string { return fmt.Sprintf("front:per_instance=%d+async", some(1, 8)) },
		func() string {
			return fmt.Sprintf("front:instances=%d,balance=%s+prefork:workers=1", some(2, 4), []string{"random", "shared"}[rng.IntN(2)])
		},
	}
	paths := []string{
		"/wait?ms=50", "/wait?ms=50", "/wait?ms={exponential 50}", "/wait?ms={uniform 10 90}", "/wait?ms=2000", "/cpu?units=50", "/cpu?units=5", "/hello",
		"/block?ms=5", "/locked?wait=40&hold=10", "/mixed?wait=20&units=10", "/stream?chunks=4&every=20",
	}
	spec, path = specs[rng.IntN(len(specs))](), paths[rng.IntN(len(paths))]
	if rng.IntN(2) == 0 {
		rate := math.Exp(math.Log(5) + rng.Float64()*math.Log(200)) // to 1,000/s
		st = load.Stage{Shape: load.Constant, From: math.Round(rate), Poisson: rng.IntN(3) > 0}
		st.For = time.Duration(min(2000, 20_000/rate) * float64(time.Second)).Round(time.Second)
	} else {
		st = load.Stage{Shape: load.Users, UsersFrom: some(1, 2, 3, 8, 20, 50, 100), For: 30 * time.Second}
		if rng.IntN(2) == 0 {
			st.Think, st.ThinkExponential = time.Duration(some(100, 500, 2000))*time.Millisecond, rng.IntN(2) == 0
		}
	}
	sc = find(t, "hello")
	sc.Requests = sc.Requests[:1]
	sc.Requests[0].Path, sc.Stages = path, []load.Stage{st}
	sc.Warmup, sc.Timeout = 2*time.Second, time.Duration(some(1, 10, 10))*time.Second
	if st.Open() {
		sc.MaxInFlight = some(0, 0, 20)
	}
	m = Machine{Cores: some(2, 4), Shared: rng.IntN(2) == 0}
	unit := 100 * time.Microsecond
	costs = []Costs{{}, {Unit: unit, Known: true}, {Request: 50 * time.Microsecond, Sending: 30 * time.Microsecond, Unit: unit, Late: 200 * time.Microsecond, Known: true},
		{Request: 2 * time.Millisecond, Sending: 200 * time.Microsecond, Unit: unit, Known: true}}[rng.IntN(4)]
	return spec, path, st, sc, m, costs
}

func describe(st load.Stage) string {
	if st.Open() {
		return fmt.Sprintf(" (%v/s, Poisson %v, %v)", st.From, st.Poisson, st.For)
	}
	return fmt.Sprintf(" (%d users, think %v, random %v)", st.UsersFrom, st.Think, st.ThinkExponential)
}
