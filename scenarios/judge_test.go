package scenarios

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"gatewaylab/scenarios/load"
	"gatewaylab/servers"
	"gatewaylab/servers/latency"
)

// healthy is a trial that every gate lets pass.
func healthy(kind load.Shape) (*Trial, *Scenario, *observed) {
	t := &Trial{
		Window: time.Second, Due: 1000, Sent: 1000, Ended: 1000, Succeeded: 1000, Measured: 1000,
		Response: NewHistogram(), Service: NewHistogram(), FirstByte: NewHistogram(), Lag: NewHistogram(),
		Codes: map[int]uint64{200: 1000}, Errors: map[string]uint64{}, MeanInFlight: 50,
	}
	for range 1000 {
		t.Response.Observe(50 * time.Millisecond)
		t.Lag.Observe(100 * time.Microsecond)
	}
	t.Generator.CPU = 300 * time.Millisecond
	s := &Scenario{Stages: []load.Stage{{Shape: kind, From: 1000, UsersFrom: 50, For: time.Second}}}
	return t, s, &observed{inFlightSeconds: 49, generatorCores: 2}
}

// Each gate closes on what it is for, and on nothing less.
func TestJudge(t *testing.T) {
	lag := func(tr *Trial, d time.Duration) {
		tr.Lag.Reset()
		for range 1000 {
			tr.Lag.Observe(d)
		}
	}
	for _, c := range []struct {
		name    string
		kind    load.Shape
		spoil   func(*Trial, *observed)
		invalid string // "" = valid
		warning string // "" = none
	}{
		{"healthy open", load.Constant, func(*Trial, *observed) {}, "", ""},
		{"healthy closed", load.Users, func(*Trial, *observed) {}, "", ""},
		{"late", load.Constant, func(tr *Trial, _ *observed) { lag(tr, 15*time.Millisecond) }, "the generator ran late", ""},
		{"late, but little beside the response time", load.Constant, func(tr *Trial, _ *observed) {
			lag(tr, 15*time.Millisecond)
			for range 1000 {
				tr.Response.Observe(2 * time.Second)
			}
		}, "", ""},
		{"late because of the server", load.Constant, func(tr *Trial, o *observed) { lag(tr, time.Second); o.capped = true }, "", ""},
		{"closed loops have no schedule", load.Users, func(tr *Trial, _ *observed) { lag(tr, time.Second) }, "", ""},
		{"starved", load.Constant, func(tr *Trial, _ *observed) { tr.Sent, tr.Unsent = 990, 10 }, "never sent although the generator was free", ""},
		{"capped", load.Constant, func(tr *Trial, o *observed) { tr.Sent, tr.Unsent, o.capped = 500, 500, true }, "", "never sent"},
		{"the offered rate was not reached", load.Constant, func(tr *Trial, _ *observed) { tr.Sent, tr.Unsent = 970, 0 }, "only 97.0 % of the offered rate was sent", ""},
		{"nothing due", load.Constant, func(tr *Trial, _ *observed) { tr.Due, tr.Sent = 0, 0 }, "no request was due", ""},
		{"generator is the bottleneck", load.Users, func(tr *Trial, _ *observed) { tr.Generator.CPU = 1800 * time.Millisecond }, "was the bottleneck itself", ""},
		{"generator is busy", load.Users, func(tr *Trial, _ *observed) { tr.Generator.CPU = time.Second }, "", "closer together"},
		{"generator is busy on its own cores", load.Users, func(tr *Trial, o *observed) { tr.Generator.CPU, o.pinned = time.Second, true }, "", ""},
		{"Little's law", load.Users, func(tr *Trial, _ *observed) { tr.MeanInFlight = 30 }, "Little's law", ""},
		{"Little's law, nearly nothing in flight", load.Users, func(tr *Trial, o *observed) { tr.MeanInFlight, o.inFlightSeconds = 0.2, 0.9 }, "", ""},
		{"steal", load.Users, func(tr *Trial, _ *observed) { tr.Machine.Steal = 0.2 }, "the hypervisor took 20 %", ""},
		{"a little steal", load.Users, func(tr *Trial, _ *observed) { tr.Machine.Steal = 0.05 }, "", "the hypervisor took more than 2 %"},
		{"a busy machine", load.Users, func(tr *Trial, _ *observed) { tr.Machine.Others = 0.5 }, "other programs used 50 %", ""},
		{"a somewhat busy machine", load.Users, func(tr *Trial, _ *observed) { tr.Machine.Others = 0.2 }, "", "other programs used more than 10 %"},
		{"wrong request", load.Users, func(tr *Trial, _ *observed) { tr.Codes[404] = 3 }, "3 responses had status 404", ""},
		{"overload answered", load.Users, func(tr *Trial, _ *observed) { tr.Codes[503], tr.Codes[429] = 3, 3 }, "", ""},
		{"no answer in the window", load.Users, func(tr *Trial, _ *observed) { tr.Measured, tr.Failed = 0, 0 }, "no answer ended within the window", ""},
		{"nor was any request sent in it", load.Users, func(tr *Trial, _ *observed) { tr.Measured, tr.Failed, tr.Sent = 0, 0, 0 }, "no answer ended within the window", ""},
		{"listen queue overflowed", load.Users, func(tr *Trial, _ *observed) { tr.Machine.ListenDrops = 7 }, "", "listen queue was full"},
		{"a backing service in time", load.Users, func(tr *Trial, _ *observed) {
			tr.Backing = []BackingUse{serviceLate(100*time.Millisecond, 4*time.Millisecond)}
		}, "", ""},
		{"a backing service that is late", load.Users, func(tr *Trial, _ *observed) {
			tr.Backing = []BackingUse{serviceLate(100*time.Millisecond, 6*time.Millisecond)}
		},
			"upstream answered 6ms later than it was to on average, more than 5ms", ""},
		{"a quick backing service in time", load.Users, func(tr *Trial, _ *observed) {
			tr.Backing = []BackingUse{serviceLate(time.Millisecond, 1900*time.Microsecond)}
		}, "", ""},
		{"a quick backing service that is late", load.Users, func(tr *Trial, _ *observed) {
			tr.Backing = []BackingUse{serviceLate(time.Millisecond, 3*time.Millisecond)}
		}, "more than 2ms", ""},
		{"a backing service that nobody called", load.Users, func(tr *Trial, _ *observed) { tr.Backing = []BackingUse{{Service: "upstream"}} }, "", ""},
		{"processor time that the system forgot", load.Users, func(tr *Trial, _ *observed) { tr.Server.Partial = true }, "", "perf_event_paranoid"},
		{"restarts", load.Users, func(tr *Trial, _ *observed) { tr.Server.Restarts = 1 }, "", "were replaced"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tr, s, o := healthy(c.kind)
			c.spoil(tr, o)
			judge(tr, s, o)
			check(t, "invalid", tr.Invalid, c.invalid)
			check(t, "warnings", tr.Warnings, c.warning)
			if tr.Valid() != (c.invalid == "") {
				t.Errorf("valid is %v", tr.Valid())
			}
		})
	}
}

// A database that the lab didn't start works for the server and is no other
// program, but nobody can say how much of their processor time is its.
func TestJudgeForeignDatabase(t *testing.T) {
	for dsn, want := range map[string]string{"postgres://h/d": "the database's own processor time can't be told", "sqlite": ""} {
		tr, s, o := healthy(load.Users)
		b, err := servers.NewBacking(servers.DatabaseService, []servers.Setting{{Key: "dsn", Value: dsn}})
		if err != nil {
			t.Fatal(err)
		}
		s.Backing = []servers.Backing{b}
		judge(tr, s, o)
		check(t, "warnings", tr.Warnings, want)
		check(t, "invalid", tr.Invalid, "")
	}
}

// serviceLate is a service that had 1000 calls.
func serviceLate(work, late time.Duration) BackingUse {
	return BackingUse{Service: "upstream", Counts: latency.Counts{Calls: 1000, Answered: 900, Failed: 100, Worked: 1000 * work, Late: 1000 * late}}
}

func check(t *testing.T, what string, got []string, want string) {
	t.Helper()
	all := strings.Join(got, "\n")
	if want == "" && all != "" || want != "" && !strings.Contains(all, want) {
		t.Errorf("%s: %q, want %q", what, all, want)
	}
}

func TestCollector(t *testing.T) {
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	hits := []*load.Hit{
		{Due: ms(10), Sent: ms(10), Latency: ms(20), Code: 200},                       // warm-up
		{Due: ms(90), Sent: ms(90), Latency: ms(30), Code: 200, FirstByte: ms(25)},    // begins before the window, ends in it
		{Due: ms(110), Sent: ms(140), Latency: ms(20), Code: 200, Bytes: 7},           // inside, sent 30 ms late
		{Due: ms(150), Sent: ms(150), Latency: ms(10), Code: 503, Kind: "status 503"}, // an error inside
		{Due: ms(290), Sent: ms(290), Latency: ms(40), Code: 200},                     // ends after the window
		{Due: ms(295), Sent: ms(295), Latency: ms(15), Cut: true},                     // cut off
		{Due: ms(305), Sent: ms(305), Latency: ms(5), Code: 200},                      // after the window
	}
	run := func(kind load.Shape) (*Trial, *collector) {
		tr, sc, _ := healthy(kind)
		*tr = Trial{
			Window: ms(200), Response: NewHistogram(), Service: NewHistogram(), FirstByte: NewHistogram(), Lag: NewHistogram(),
			Errors: map[string]uint64{}, Codes: map[int]uint64{},
		}
		sc.Warmup, sc.Stages[0].For = ms(100), ms(200)
		c := newCollector(tr, sc)
		for _, h := range hits {
			c.add(h)
		}
		c.finish()
		return tr, c
	}
	type counts struct{ sent, ended, succeeded, measured, failed, cut uint64 }
	for kind, want := range map[load.Shape]counts{
		// open: due within the window, late answers included
		load.Constant: {sent: 4, ended: 3, succeeded: 2, measured: 2, failed: 1, cut: 1},
		// closed: ended within the window
		load.Users: {sent: 4, ended: 3, succeeded: 2, measured: 2, failed: 1, cut: 1},
	} {
		tr, c := run(kind)
		if got := (counts{tr.Sent, tr.Ended, tr.Succeeded, tr.Measured, tr.Failed, tr.Cut}); got != want {
			t.Errorf("%s: counted %+v, want %+v", kind, got, want)
		}
		// 20 of the second, 20, 10, 10 of the fifth, 5 of the one cut off.
		if got, want := c.inFlightSeconds(), 65.0/200; got < want-1e-9 || got > want+1e-9 {
			t.Errorf("%s: %g requests in flight, want %g", kind, got, want)
		}
		slices := map[load.Shape]int{load.Constant: 4, load.Users: 2}[kind] // an open loop's late answers are shown
		if len(tr.Series) != slices || tr.Series[0].At != 0 || tr.Series[1].Succeeded != 2 || tr.Series[1].Failed != 1 {
			t.Errorf("%s: series is %+v", kind, tr.Series)
		}
	}
	open, _ := run(load.Constant)
	if got := open.Response.Quantile(1).Round(time.Millisecond); got != ms(50) {
		t.Errorf("longest response time %s, want 50 ms: 30 late and 20 served", got)
	}
	closed, _ := run(load.Users)
	if got := closed.Service.Quantile(1).Round(time.Millisecond); got != ms(30) {
		t.Errorf("longest service time %s, want 30 ms", got)
	}
}

func TestPlanOrder(t *testing.T) {
	lib, err := Library()
	if err != nil {
		t.Fatal(err)
	}
	plan := func(seed uint64) *Plan {
		p, err := NewPlan(lib[:3], nil, 6)
		if err != nil {
			t.Fatal(err)
		}
		p.Seed = seed
		return p
	}
	first, again, other := fmt.Sprint(refs(plan(1))), fmt.Sprint(refs(plan(1))), fmt.Sprint(refs(plan(2)))
	if first != again {
		t.Error("the same seed gave another order")
	}
	if first == other {
		t.Error("another seed gave the same order")
	}
	jobs := plan(1).order()
	if len(jobs) != 54 {
		t.Fatalf("%d trials, want 3 × 3 × 6", len(jobs))
	}
	for i, j := range jobs {
		if j.Trial != i/9+1 || j.Order != i+1 || j.Total != 54 {
			t.Errorf("trial at %d is %+v: each round must hold every cell once", i, j.Ref)
		}
	}
	for round := range 6 {
		seen := map[string]bool{}
		for _, j := range jobs[round*9 : round*9+9] {
			seen[j.Ref.Scenario+j.Model] = true
		}
		if len(seen) != 9 {
			t.Errorf("round %d has %d different cells, want 9", round+1, len(seen))
		}
	}
	// What the issue promises of the default run.
	if m := plan(1).Measuring(); m > time.Minute {
		t.Errorf("the default run measures for %s, want at most a minute", m)
	}
}

func refs(p *Plan) (all []Ref) {
	for _, j := range p.order() {
		all = append(all, j.Ref)
	}
	return all
}

func TestContestants(t *testing.T) {
	cs, err := Contestants([]string{"async", "prefork:workers=2", "async"})
	if err != nil {
		t.Fatal(err)
	}
	if cs[0].Label != "async" || cs[1].Label != "prefork:workers=2" || cs[2].Label != "async#2" {
		t.Errorf("labels are %s, %s, %s", cs[0].Label, cs[1].Label, cs[2].Label)
	}
}
