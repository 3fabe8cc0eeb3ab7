package predict

import (
	"math"
	"strings"
	"testing"
	"time"

	"gatewaylab/scenarios"
	"gatewaylab/scenarios/load"
	"gatewaylab/servers"
)

// With a bound in the way of what a formula says there is none, and with one
// that isn't in its way there is.
func TestFormulasKnowTheirBounds(t *testing.T) {
	constant := func(rate float64, length time.Duration) load.Stage {
		return load.Stage{Shape: load.Constant, From: rate, For: length}
	}
	poisson := func(rate float64, length time.Duration) load.Stage {
		return load.Stage{Shape: load.Constant, From: rate, Poisson: true, For: length}
	}
	users := func(n int, think time.Duration, random bool) load.Stage {
		return load.Stage{Shape: load.Users, UsersFrom: n, Think: think, ThinkExponential: random, For: time.Minute}
	}
	as := func(*scenarios.Scenario) {}
	type change = func(*scenarios.Scenario)
	for _, row := range []struct {
		spec, path string
		stage      load.Stage
		change     change
		costs      Costs
		why, name  string // of none; of the formula
	}{
		// Clients.
		{"async", "/wait?ms=50", constant(100, time.Second), func(sc *scenarios.Scenario) { sc.MaxInFlight = 1 }, Costs{}, "at most 1 requests under way", ""},
		{"async", "/wait?ms=50", constant(100, time.Second), func(sc *scenarios.Scenario) { sc.MaxInFlight = 6 }, Costs{}, "", "M/G/∞"},
		{"async", "/wait?ms=50", poisson(100, time.Second), func(sc *scenarios.Scenario) { sc.MaxInFlight = 5 }, Costs{}, "at most 5 requests under way", ""},
		{"prefork:workers=4", "/wait?ms=50", constant(100, 20*time.Second), func(sc *scenarios.Scenario) { sc.MaxInFlight = 100 }, Costs{}, "at most 100", ""},
		{"async", "/wait?ms=50", constant(10, time.Second), func(sc *scenarios.Scenario) { sc.Timeout = 10 * time.Millisecond }, Costs{}, "give up after 10ms", ""},
		{"async", "/wait?ms={exponential 50}", poisson(10, time.Second), func(sc *scenarios.Scenario) { sc.Timeout = 200 * time.Millisecond }, Costs{}, "give up after 200ms", ""},
		{"prefork:workers=4", "/wait?ms={exponential 50}", poisson(70, 10*time.Minute), func(sc *scenarios.Scenario) { sc.Timeout = 700 * time.Millisecond }, Costs{}, "give up after 700ms", ""},
		{"async", "/wait?ms=5000", constant(10, 2*time.Second), as, Costs{}, "are missing in a stage of 2s", ""},
		{"async", "/wait?ms=500", constant(10, 20*time.Second), as, Costs{}, "", "M/G/∞"},
		// The model.
		{"prefork:workers=4,timeout=1s", "/wait?ms=2000", users(10, 0, false), as, Costs{}, "ends a request that takes longer than 1s", ""},
		{"cgi:timeout=1s", "/wait?ms=2000", users(10, 0, false), as, Costs{}, "ends a request", ""},
		{"threads:timeout=1s", "/wait?ms=2000", users(10, 0, false), as, Costs{}, "", "c/S"},
		{"front:read_timeout=1s+async", "/wait?ms=2000", users(10, 0, false), as, Costs{}, "front waits for an answer for 1s", ""},
		{"async:connections=10", "/wait?ms=50", constant(1000, 5*time.Second), as, Costs{}, "more comes than can be done", ""},
		{"eventloop:connections=10", "/wait?ms=50", constant(1000, 5*time.Second), as, Costs{}, "more comes than can be done", ""},
		{"threads:workers=1,threads=100,connections=10", "/wait?ms=50", constant(1000, 5*time.Second), as, Costs{}, "more comes than can be done", ""},
		{"async:connections=10", "/wait?ms=50", poisson(150, 5*time.Second), as, Costs{}, "keeps 10 connections", ""},
		{"async:connections=100", "/wait?ms=50", constant(1000, 5*time.Second), as, Costs{}, "", "M/G/∞"},
		{"prefork:workers=2,backlog=1", "/wait?ms={exponential 50}", poisson(30, 10*time.Minute), as, Costs{}, "the listen queue holds 1 ", ""},
		{"prefork:workers=2,backlog=64", "/wait?ms={exponential 50}", poisson(30, 10*time.Minute), as, Costs{}, "", "M/M/2"},
		{"prefork:workers=4,backlog=16", "/wait?ms=50", users(64, 0, false), as, Costs{}, "60 users wait for a worker", ""},
		{"prefork:workers=4,backlog=64", "/wait?ms=50", users(64, 0, false), as, Costs{}, "", "c/S"},
		{"cgi:children=2,queue=0", "/wait?ms={exponential 50}", poisson(30, 10*time.Minute), as, Costs{}, "turned away", ""},
		{"scgi:workers=2,queue=2", "/wait?ms={exponential 50}", poisson(30, 10*time.Minute), as, Costs{}, "turned away", ""},
		{"fastcgi:workers=2,queue=2", "/wait?ms=50", users(10, 0, false), as, Costs{}, "", "c/S"}, // the others wait in the front
		{"fastcgi:workers=2,queue=2,reuse=off", "/wait?ms=50", users(10, 0, false), as, Costs{}, "turned away", ""},
		{"fastcgi:mpx=on,workers=1,requests=4", "/wait?ms=50", users(10, 0, false), as, Costs{}, "", "c/S"}, // as well
		{"front:per_instance=1+async", "/wait?ms=50", constant(1000, 5*time.Second), as, Costs{}, "more comes than can be done", ""},
		{"front:per_instance=2+async", "/wait?ms=50", users(10, 0, false), as, Costs{}, "", "c/S"},
		{"front:per_instance=2,queue=2+async", "/wait?ms=50", users(10, 0, false), as, Costs{}, "turned away", ""},
		// The application.
		{"async", "/upstream?timeout=20", constant(50, time.Second), backed, Costs{}, "the application waits for the backing service for 20ms", ""},
		{"async", "/upstream?timeout=200", constant(50, time.Second), backed, Costs{}, "", "M/G/∞"},
		// Cores that others compute on, and users who meet.
		{"async", "/cpu?units=50", poisson(250, time.Minute), as, Costs{Unit: 100 * time.Microsecond, Known: true}, "meet before the cores", ""},
		{"prefork:workers=16", "/cpu?units=50", poisson(250, time.Minute), as, Costs{Unit: 100 * time.Microsecond, Known: true}, "a core and for a slot", ""},
		{"async", "/cpu?units=50", poisson(40, time.Minute), as, Costs{Unit: 100 * time.Microsecond, Known: true}, "", "M/G/∞"},
		{"threads:workers=4,threads=8", "/locked?wait=40&hold=10", users(50, 100*time.Millisecond, false), as, Costs{}, "a lock that all share", ""},
		{"async", "/locked?wait=40&hold=10", users(50, 500*time.Millisecond, true), as, Costs{}, "users meet before the lock", ""},
		{"eventloop", "/block?ms=5", users(100, time.Second, true), as, Costs{}, "users meet before the threads", ""},
	} {
		sc := find(t, "hello")
		sc.Requests = sc.Requests[:1]
		sc.Requests[0].Path, sc.Stages, sc.Timeout = row.path, []load.Stage{row.stage}, 10*time.Second
		row.change(sc)
		p := Cell(sc, resolve(t, row.spec), Machine{Cores: 2}, row.costs)[0]
		if row.name != "" && !strings.Contains(p.Name, row.name) || row.why != "" && (p.Method != None || !strings.Contains(p.Why, row.why)) {
			t.Errorf("%s, %s: %q%q, %.4g/s; want %q%q", row.spec, row.path, p.Name, p.Why, p.Goodput, row.name, row.why)
		}
	}
}

func backed(sc *scenarios.Scenario) {
	b, err := servers.NewBacking("upstream", []servers.Setting{{Key: "delay", Value: "50ms"}})
	if err != nil {
		panic(err)
	}
	sc.Backing = []servers.Backing{b}
}

// Where users take turns at workers, some wait for one turn more than others,
// unless they come out even: then there are quantiles.
func TestQuantilesOfTurns(t *testing.T) {
	sc := find(t, "wait")
	for users, want := range map[int]float64{5: math.NaN(), 50: math.NaN(), 8: .1, 52: .65, 3: .05} {
		sc.Stages[0].UsersFrom = users
		p := Cell(sc, resolve(t, "prefork:workers=4"), Machine{Cores: 2}, Costs{})[0]
		got, ok := p.Response["p50"]
		if !ok {
			got = math.NaN()
		}
		if p.Method != Formula || !closeTo(got, want) {
			t.Errorf("%d users: p50 %v, want %v (%s%s)", users, got, want, p.Name, p.Why)
		}
	}
}
