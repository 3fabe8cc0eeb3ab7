package predict

import (
	"math"
	"strings"
	"testing"
	"time"

	"gatewaylab/scenarios"
	"gatewaylab/scenarios/load"
	"gatewaylab/scenarios/theory"
	"gatewaylab/servers"
)

func find(t *testing.T, name string) *scenarios.Scenario {
	t.Helper()
	sc, err := scenarios.Find(name)
	if err != nil {
		t.Fatal(err)
	}
	return sc
}

func resolve(t *testing.T, spec string) *servers.Configured {
	t.Helper()
	c, err := servers.Resolve(spec)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func closeTo(got, want float64) bool {
	return math.IsNaN(got) && math.IsNaN(want) || math.Abs(got-want) <= .005*math.Abs(want)
}

// What the scenarios say of themselves is what the formulas say, and why there
// is none is said.
func TestFormulas(t *testing.T) {
	long := func(sc *scenarios.Scenario) {
		for i := range sc.Stages {
			sc.Stages[i].For = 10 * time.Minute
		}
	}
	as := func(*scenarios.Scenario) {}
	// of has one kind of request come so.
	of := func(path string, stages ...load.Stage) func(*scenarios.Scenario) {
		return func(sc *scenarios.Scenario) {
			sc.Requests = sc.Requests[:1]
			sc.Requests[0].Path, sc.Stages, sc.Timeout = path, stages, 10*time.Second
		}
	}
	poisson := func(rate float64, length time.Duration) load.Stage {
		return load.Stage{Shape: load.Constant, From: rate, Poisson: true, For: length}
	}
	users := func(n int, think time.Duration) load.Stage {
		return load.Stage{Shape: load.Users, UsersFrom: n, Think: think, For: 10 * time.Second}
	}
	computing := Costs{Unit: 100 * time.Microsecond, Known: true}
	priced := Costs{Request: time.Millisecond, Unit: 100 * time.Microsecond, Known: true}
	own := priced
	own.Own = true
	late := Costs{Late: 250 * time.Microsecond}
	nan := math.NaN()
	for _, row := range []struct {
		scenario, spec string
		change         func(*scenarios.Scenario)
		costs          Costs
		stage          int
		name           string // of the formula, or a part of why there is none
		goodput, mean  float64
	}{
		{"one-worker", "prefork:workers=1", as, Costs{}, -1, "c/S", 20, 1},
		{"one-worker", "async", as, Costs{}, -1, "N = X·R", 400, .05},
		{"wait", "cgi", as, Costs{Request: 200 * time.Microsecond, Known: true}, -1, "N = X·R", 1000 / 1.004, .0502}, // a trifle
		{"wait", "cgi", as, Costs{Request: 2 * time.Millisecond, Known: true}, -1, "M/M/c//N", 889.4, .05622},
		{"one-worker", "prefork:workers=1", as, late, -1, "c/S", 20 / 1.005, 1.005},
		{"one-worker", "async", as, late, -1, "N = X·R", 400 / 1.005, .05025},
		{"stream", "prefork", as, late, -1, "c/S", 50 / 1.0125, .4 * 1.0125}, // with its four pauses
		{"busy-fixed", "prefork:workers=1", long, late, 2, "M/D/1", 90, theory.MD1(90, .01025).Response()},
		{"upstream", "prefork:workers=4", as, late, -1, "c/S", 40 / 1.0025, .6 * 1.0025},
		{"spike", "async", as, Costs{}, 1, "M/G/∞", 400, .05},
		{"spike", "async", as, Costs{}, 2, "the one before it has left", nan, nan},
		{"busy-fixed", "prefork:workers=1", as, Costs{}, 0, "M/D/1", 50, .015},
		{"busy-fixed", "prefork:workers=1", as, Costs{}, 2, "too short for a formula", nan, nan},
		{"busy-fixed", "prefork:workers=1", long, Costs{}, 2, "M/D/1", 90, .055},
		{"busy-random", "serial", long, Costs{}, 1, "M/M/1", 80, .05},
		{"blocked-loop", "eventloop", as, Costs{}, -1, "M/G/1", 50, .01477},
		{"blocked-loop", "async", as, Costs{}, -1, "M/G/∞", 50, .00299},
		{"how-many-workers", "prefork:workers=2", as, Costs{}, -1, "c/S", 40, nan},
		{"how-many-workers", "prefork:workers=4", long, Costs{}, -1, "M/M/4", 60, .07547},
		{"four-queues", "front:instances=4,balance=random+prefork:workers=1", long, Costs{}, -1, "4 × M/M/1", 160, .1},
		{"four-queues", "front:instances=4,balance=shared+prefork:workers=1", long, Costs{}, -1, "M/M/4", 160, .03491},
		{"four-queues", "front:instances=4+prefork:workers=1", long, Costs{}, -1, "round-robin", nan, nan},
		{"one-slow", "front:instances=4,slow=5+prefork:workers=1", as, Costs{}, -1, "slower", nan, nan},
		{"one-lock", "prefork:workers=4", as, Costs{}, -1, "asymptotic", 80, .25},
		{"one-lock", "prefork:workers=16", as, Costs{}, -1, "asymptotic", 100, .2},
		{"processor", "async", as, priced, -1, "cores/D", 2 / .011, 8 * .011 / 2},
		{"hello", "async", as, Costs{}, -1, "nothing is known", nan, nan},
		{"hello", "prefork", as, priced, -1, "cores/D", 2000, .016},
		{"average", "prefork:workers=2", as, Costs{}, -1, "too short", nan, nan},
		{"longer-queue", "prefork:backlog=16", as, Costs{}, -1, "give up", nan, nan},
		{"hang", "prefork", as, Costs{}, -1, "harm", nan, nan},
		{"slow-clients", "prefork", as, priced, -1, "beside the load", nan, nan},
		{"websocket", "prefork", as, priced, -1, "doesn't speak", nan, nan},
		{"websocket", "async", as, Costs{}, -1, "N = X·R", 1000, nan},
		{"websocket", "async", as, Costs{Request: 20 * time.Microsecond, Known: true}, -1, "M/M/c//N", 1000, nan},
		{"slow-clients", "async", as, Costs{Request: 20 * time.Microsecond, Known: true}, -1, "M/G/∞", 50, nan},
		{"remote-call", "prefork:workers=2", as, Costs{}, -1, "clients give up", nan, nan},
		{"upstream", "prefork:workers=4", as, Costs{}, -1, "c/S", 40, .6},
		{"upload", "async", as, priced, -1, "only when it has been measured", nan, nan},
		{"static", "front+prefork", as, priced, -1, "only when it has been measured", nan, nan},
		{"static", "front:static=on+prefork", as, priced, -1, "only when it has been measured", nan, nan},
		{"small-pool", "threads:workers=1,threads=16", as, Costs{}, -1, "c/S", 200, .16},
		{"small-pool", "threads:workers=1,threads=16,db_pool=16", as, Costs{}, -1, "c/S", 800, .04},
		{"small-pool", "threads:workers=2,threads=16", as, Costs{}, -1, "c/S", 400, .08},
		{"small-pool", "threads:workers=8,threads=16", as, Costs{}, -1, "matter of chance", nan, nan},
		{"small-pool", "async", as, Costs{}, -1, "c/S", 200, .16},
		{"small-pool", "async:db_pool=64", as, Costs{}, -1, "N = X·R", 1600, .02},
		{"small-pool", "async", as, Costs{Request: 2 * time.Millisecond, Known: true}, -1, "one behind the other", nan, nan},
		{"small-pool", "cgi", as, Costs{}, -1, "N = X·R", 1600, .02},
		{"best-settings", "prefork", as, own, -1, "c/S", 160 / 1.04, .4 * 1.04},
		{"best-settings", "async", as, own, -1, "c/S", 320 / 1.04, .2 * 1.04},
		{"best-settings", "async", as, Costs{}, -1, "only when it has been measured", nan, nan},
		{"db", "prefork", as, Costs{}, -1, "only when it has been measured", nan, nan},
		{"db", "async", as, own, -1, "cores/D", 2000, .008},
		{"db", "async:db_pool=1", as, own, -1, "one behind the other", nan, nan},
		{"db", "eventloop", as, own, -1, "the loop does part", nan, nan},
		{"large-pool", "async:db_pool=1", as, Costs{}, -1, "asymptotic", 200, .06},
		{"large-pool", "serial", as, Costs{}, -1, "asymptotic", 200, .06},
		{"hello", "prefork:workers=1", of("/cpu?units=100", poisson(150, 2*time.Second)), computing, -1, "c/S", 100, nan}, // not the two cores' 200
		{"hello", "prefork:workers=1", of("/cpu?units=100", poisson(150, time.Minute)), computing, -1, "give up", nan, nan},
		{"hello", "async", of("/cpu?units=100", poisson(300, time.Minute)), computing, -1, "give up", nan, nan},
		{"hello", "eventloop", of("/cpu?units=50", poisson(180, 10*time.Minute)), computing, -1, "M/G/1", 180, theory.MD1(180, .005).Response()},
		{"hello", "eventloop", of("/cpu?units=50", poisson(250, 2*time.Second)), computing, -1, "threads/D", 200, nan},
		{"hello", "eventloop:pool=8", of("/cpu?units=50", poisson(180, 10*time.Minute)), computing, -1, "meet before the cores", nan, nan},
		{"hello", "eventloop", of("/wait?ms=50", users(9000, 0)), Costs{Request: 20 * time.Microsecond, Known: true}, -1, "threads/D", 50_000, .18},
		{"hello", "eventloop", of("/block?ms=200", users(2, time.Second)), Costs{}, -1, "asymptotic", 2 / 1.2, .2},
		{"hello", "eventloop", of("/block?ms=200", users(20, 0)), Costs{}, -1, "threads/S", 5, 4},
		{"hello", "eventloop:pool=16", of("/block?ms=200", users(4, 0)), Costs{}, -1, "asymptotic", 20, .2},
		{"hello", "eventloop", of("/block?ms={exponential 20}", poisson(25, 10*time.Minute)), Costs{}, -1, "M/G/1", 25, .04},
		{"hello", "front:instances=4,balance=random+eventloop", of("/block?ms=10", poisson(200, 10*time.Minute)), Costs{}, -1, "4 × M/G/1", 200, theory.MD1(50, .01).Response()},
		{"hello", "front:instances=4,balance=random+prefork:workers=1", of("/wait?ms=20", load.Stage{Shape: load.Constant, From: 160, For: time.Minute}), Costs{}, -1, "split at random", nan, nan},
		{"hello", "threads", of("/cpu?units=100", users(40, 100*time.Millisecond)), computing, -1, "a core and for a slot", nan, nan},
		{"hello", "prefork", of("/wait?ms=1000", users(100, time.Second)), Costs{}, -1, "give up", nan, nan},
		{"hello", "cgi", of("/wait?ms=50", users(20_000, 0)), Costs{}, -1, "turned away", nan, nan},
		{"hello", "async", of("/cpu?units=20", poisson(2000, 10*time.Second), poisson(200, time.Minute)), computing, 1, "has left", nan, nan},
		{"large-pool", "async:db_pool=2", as, Costs{}, -1, "SQLite's one lock", nan, nan},
	} {
		sc := find(t, row.scenario)
		row.change(sc)
		var got *Prediction
		for _, p := range Cell(sc, resolve(t, row.spec), Machine{Cores: 2}, row.costs) {
			if p.Stage == row.stage {
				got = &p
			}
		}
		if got == nil {
			t.Errorf("%s on %s: stage %d is not predicted", row.spec, row.scenario, row.stage)
			continue
		}
		mean, ok := got.Response["mean"]
		if !ok {
			mean = nan
		}
		if !strings.Contains(got.Name+got.Why, row.name) || !closeTo(got.Goodput, row.goodput) || !closeTo(mean, row.mean) {
			t.Errorf("%s on %s: %q%q predicts %.5g/s and %.5g s; want %q, %.5g/s and %.5g s",
				row.spec, row.scenario, got.Name, got.Why, got.Goodput, mean, row.name, row.goodput, row.mean)
		}
		if (got.Method == None) != (got.Why != "") {
			t.Errorf("%s on %s: method %s, and why not: %q", row.spec, row.scenario, got.Method, got.Why)
		}
	}
}

// Every built-in model is simulated on every embedded scenario, or it is said
// why not; and where there is a formula of the same short run, both agree.
func TestEveryModelOnEveryScenario(t *testing.T) {
	all, err := scenarios.Library()
	if err != nil {
		t.Fatal(err)
	}
	costs := Costs{Request: 300 * time.Microsecond, Unit: 100 * time.Microsecond, Sending: 50 * time.Microsecond, Known: true, Own: true}
	specs := []string{
		"serial", "prefork", "threads", "threads:threads=16,db_pool=3", "eventloop", "eventloop:pool=8", "async", "cgi", "fastcgi", "fastcgi:mpx=on", "scgi", "uwsgi",
		"front:instances=3,balance=least-connections+threads", "front:instances=2,balance=shared,slow=3+prefork:workers=2",
	}
	simulated, compared := 0, 0
	for _, sc := range all {
		for _, spec := range specs {
			c := resolve(t, spec)
			m := Machine{Cores: 2, Shared: true}
			trial, sum, err := Simulate(t.Context(), sc, c, m, costs, scenarios.Ref{Scenario: sc.Name, Model: spec, Trial: 1, Of: 1}, 1)
			if err != nil {
				if !strings.HasPrefix(err.Error(), "no theory applies: ") {
					t.Errorf("%s on %s: %v", spec, sc.Name, err)
				}
				continue
			}
			simulated++
			if trial.Sent == 0 || sum.Requests == 0 {
				t.Errorf("%s on %s: nothing was sent", spec, sc.Name)
			}
			p := Cell(sc, c, m, costs)[0]
			if p.Method != Formula || sc.Open() && sc.Stages[0].Poisson || sc.Stages[0].Think > 0 { // users begin together here
				continue
			}
			compared++
			allowed := .08
			if len(sc.Requests) > 1 { // and which comes how often is drawn
				allowed += 1 / math.Sqrt(float64(trial.Succeeded))
			}
			if off := trial.Goodput()/p.Goodput - 1; math.Abs(off) > allowed {
				t.Errorf("%s on %s: simulated %.4g/s, %s says %.4g/s", spec, sc.Name, trial.Goodput(), p.Name, p.Goodput)
			}
		}
	}
	if simulated < 400 || compared < 150 {
		t.Errorf("only %d cells were simulated and %d of them compared with a formula", simulated, compared)
	}
}

// The most that a model can do is what there is least of.
func TestCeiling(t *testing.T) {
	costs := Costs{Request: time.Millisecond, Unit: 100 * time.Microsecond, Known: true}
	for _, row := range []struct {
		scenario, spec string
		costs          Costs
		name           string
		rate           float64
	}{
		{"wait", "prefork:workers=4", Costs{}, "c/S", 80},
		{"wait", "prefork:workers=200", costs, "cores/D", 2000},
		{"wait", "async", costs, "cores/D", 2000},
		{"wait", "eventloop", costs, "threads/D", 1000},
		{"wait", "async", Costs{}, "nothing that requests hold", 0},
		{"wait", "async:connections=10", Costs{}, "connections/S", 200},
		{"wait", "front:per_instance=2+async", Costs{}, "c/S", 40},
		{"one-lock", "prefork:workers=16", Costs{}, "1/S", 100},
		{"small-pool", "async", Costs{}, "c/S", 200},
		{"crash", "async", costs, "harm", 0},
	} {
		p := Ceiling(find(t, row.scenario), resolve(t, row.spec), Machine{Cores: 2}, row.costs)
		if !strings.Contains(p.Name+p.Why, row.name) || row.rate > 0 && !closeTo(p.Goodput, row.rate) || (p.Method == None) != (row.rate == 0) {
			t.Errorf("%s on %s: %q%q, %.5g/s; want %q, %.5g/s", row.spec, row.scenario, p.Name, p.Why, p.Goodput, row.name, row.rate)
		}
	}
}

// A backing service with a rate, places or failures is simulated as it is
// written, and gives what is known of such queues.
func TestBackingServices(t *testing.T) {
	const long = 1000 * time.Second
	known := Costs{Request: 100 * time.Microsecond, Known: true}
	short := theory.MMCK{MMC: theory.MMC{Rate: 60, Service: .1, Servers: 5}, Room: 10}
	for _, row := range []struct {
		what, upstream string
		stage          load.Stage
		costs          Costs
		goodput, mean  float64
		within, failed float64
	}{
		{"a rate", "30ms, rate 100/s", load.Stage{Shape: load.Constant, From: 80, Poisson: true, For: long}, Costs{}, 80, theory.MD1(80, .01).Wait() + .03, .03, 0},
		{"a rate for users", "30ms, rate 100/s", load.Stage{Shape: load.Users, UsersFrom: 24, For: long}, Costs{}, 100, .24, .01, 0},
		{"places", "exponential 50ms, places 4", load.Stage{Shape: load.Constant, From: 60, Poisson: true, For: long}, Costs{}, 60,
			theory.MMC{Rate: 60, Service: .05, Servers: 4}.Response(), .03, 0},
		{"failures", "50ms, failures 10%, closes 5%", load.Stage{Shape: load.Users, UsersFrom: 20, For: long}, Costs{}, 340, .05, .01, .15},
		{"a short line", "exponential 100ms, places 5, queue 5", load.Stage{Shape: load.Constant, From: 60, Poisson: true, For: long}, Costs{},
			60 * (1 - short.TurnedAway()), short.Response(), .03, short.TurnedAway()},
		{"users who are turned away", "100ms, places 5, queue 5", load.Stage{Shape: load.Users, UsersFrom: 12, For: time.Second}, known, 50, .2, .05, .99},
		{"users who are turned away at no cost", "100ms, places 5, queue 5", load.Stage{Shape: load.Users, UsersFrom: 12, For: time.Second}, Costs{}, 0, 0, 0, 0},
		// Those of the first five seconds are answered, but for what is warm-up.
		{"users who lose patience", "100ms, rate 10/s", load.Stage{Shape: load.Users, UsersFrom: 120, For: 100 * time.Second}, Costs{}, .44, 2.8, .05, .98},
	} {
		sc := find(t, "upstream")
		var given []servers.Setting
		for i, part := range strings.Split(row.upstream, ", ") {
			key, value, _ := strings.Cut(part, " ")
			if i == 0 {
				key, value = "delay", part
			}
			given = append(given, servers.Setting{Key: key, Value: value})
		}
		b, err := servers.NewBacking("upstream", given)
		if err != nil {
			t.Fatal(err)
		}
		sc.Backing, sc.Stages = []servers.Backing{b}, []load.Stage{row.stage}
		trial, sum, err := Simulate(t.Context(), sc, resolve(t, "async"), Machine{Cores: 2}, row.costs, scenarios.Ref{Scenario: sc.Name, Trial: 1, Of: 1}, 1)
		if row.within == 0 {
			if err == nil || !strings.Contains(err.Error(), "measured once") {
				t.Errorf("%s: %v", row.what, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		failed := float64(trial.Failed) / float64(trial.Failed+trial.Measured)
		mean := sum.Response.Seconds()
		if math.Abs(trial.Goodput()-row.goodput) > row.within*row.goodput || math.Abs(mean-row.mean) > row.within*row.mean || math.Abs(failed-row.failed) > .02 {
			t.Errorf("%s: %.4g/s, %.4g s, %.3g failed; want %.4g/s, %.4g s, %.3g", row.what, trial.Goodput(), mean, failed, row.goodput, row.mean, row.failed)
		}
	}
}

// What becomes of queues that are too short and too long, of workers that hang,
// and of clients that are many.
func TestSimulatedStories(t *testing.T) {
	run := func(name, spec string, m Machine, costs Costs) *scenarios.Trial {
		t.Helper()
		trial, _, err := Simulate(t.Context(), find(t, name), resolve(t, spec), m, costs, scenarios.Ref{Scenario: name, Model: spec, Trial: 1, Of: 1}, 1)
		if err != nil {
			t.Fatal(err)
		}
		return trial
	}
	two := Machine{Cores: 2}
	for _, row := range []struct {
		scenario, spec string
		low, high      float64 // goodput
	}{
		{"longer-queue", "prefork:workers=4,backlog=16", 70, 81},
		{"longer-queue", "prefork:workers=4,backlog=2000", 0, 1},
		{"remote-call", "prefork:workers=2", 0, 25},
		{"hang", "async", 45, 65},
		{"hang", "prefork:workers=2,timeout=2s", 2, 45},
		{"crash", "async", 100, 790},
		{"crash", "prefork", 100, 200},
		{"slow-clients", "prefork:workers=4", 0, 5},
		{"slow-clients", "front+prefork:workers=4", 49, 51},
	} {
		got := run(row.scenario, row.spec, two, Costs{Request: 200 * time.Microsecond, Known: true}).Goodput()
		if got < row.low || got > row.high {
			t.Errorf("%s on %s: %.4g/s, want %g to %g", row.spec, row.scenario, got, row.low, row.high)
		}
	}
	sc := find(t, "hello")
	sc.Stages = []load.Stage{{Shape: load.Users, UsersFrom: 100_000, For: 320 * time.Millisecond}}
	big := Machine{Cores: 64}
	costs := Costs{Request: 20 * time.Microsecond, Known: true}
	trial, _, err := Simulate(t.Context(), sc, resolve(t, "async"), big, costs, scenarios.Ref{Trial: 1}, 1)
	if err != nil || math.Abs(trial.Goodput()/3.2e6-1) > .1 { // in step, a batch more or less
		t.Errorf("64 cores and 100,000 connections: %.4g/s, %v", trial.Goodput(), err)
	}
	if p := Cell(sc, resolve(t, "eventloop"), big, costs)[0]; p.Method != None || !strings.Contains(p.Why, "keeps 10000") {
		t.Errorf("more users than connections: %+v", p)
	}
}
