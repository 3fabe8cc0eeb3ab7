package predict

import (
	"math"
	"strings"
	"testing"
	"time"

	"gatewaylab/scenarios"
	"gatewaylab/scenarios/load"
)

// What the application refuses is predicted by nobody.
func TestRefusedRequests(t *testing.T) {
	costs := Costs{Request: 100 * time.Microsecond, Known: true}
	for _, row := range []struct{ method, path, why string }{
		{"GET", "/nope", "/nope is answered 404"},
		{"POST", "/hello", "/hello is answered 405"},
		{"", "/wait?ms=-5", "/wait?ms=-5 is answered 400"},
		{"", "/wait?ms={uniform 600000 800000}", "is answered 400"},
		{"", "/ws", "/ws is answered 426"},
		{"", "/wait?ms=5", ""},
	} {
		sc := find(t, "wait")
		sc.Requests[0].Method, sc.Requests[0].Path = row.method, row.path
		_, _, err := Simulate(t.Context(), sc, resolve(t, "async"), Machine{Cores: 2}, costs, scenarios.Ref{Trial: 1, Of: 1}, 1)
		why := Cell(sc, resolve(t, "async"), Machine{Cores: 2}, costs)[0].Why
		switch {
		case row.why == "" && (err != nil || why != ""):
			t.Errorf("%s: %v, %s", row.path, err, why)
		case row.why != "" && (err == nil || !strings.Contains(err.Error(), row.why) || !strings.Contains(why, row.why)):
			t.Errorf("%s: %v, %q; want %q", row.path, err, why, row.why)
		}
	}
	sc := find(t, "websocket")
	if _, _, err := Simulate(t.Context(), sc, resolve(t, "async"), Machine{Cores: 2}, costs, scenarios.Ref{Trial: 1, Of: 1}, 1); err != nil {
		t.Errorf("/ws over WebSocket: %v", err)
	}
}

// One stage of which nothing can be said doesn't take the others along.
func TestStagesAreBelievedByThemselves(t *testing.T) {
	sc, c := find(t, "two-testers"), resolve(t, "prefork:workers=1")
	for _, costs := range []Costs{{}, {Request: 200 * time.Microsecond, Known: true}} {
		rows, caveats := Rows(sc, c, Machine{Cores: 2}, costs)
		if len(rows) != 3 || rows[2].Stage != 1 || caveats.Of(-1) == "" || !strings.Contains(caveats.Of(0), "so few users") || caveats.Of(1) != "" {
			t.Errorf("%d rows: of the whole %q, of the stages %q and %q", len(rows), caveats.Of(-1), caveats.Of(0), caveats.Of(1))
		}
		trial, _, err := Simulate(t.Context(), sc, c, Machine{Cores: 2}, costs, scenarios.Ref{Trial: 1, Of: 1}, 1)
		if err != nil {
			t.Fatal(err)
		}
		if arrivals := &trial.Stages[1]; math.Abs(arrivals.Goodput()-100) > 1 || arrivals.Response.Quantile(.99) < 350*time.Millisecond {
			t.Errorf("arrivals: %.4g/s, p99 %v", arrivals.Goodput(), arrivals.Response.Quantile(.99))
		}
	}
	sc.Stages = sc.Stages[:1]
	if _, _, err := Simulate(t.Context(), sc, c, Machine{Cores: 2}, Costs{}, scenarios.Ref{Trial: 1, Of: 1}, 1); err == nil || !strings.Contains(err.Error(), "measured once") {
		t.Errorf("the lone tester alone: %v", err)
	}
}

// Response times are withheld where nothing but the machine's whims decides.
func TestBriefResponseTimes(t *testing.T) {
	for _, row := range []struct {
		path           string
		costs          Costs
		response, busy float64
		want           bool
	}{
		{"/hello", Costs{Request: 20 * time.Microsecond, Known: true}, .00002, .6, true},
		{"/hello", Costs{Request: 20 * time.Microsecond, Known: true}, .00002, .95, false},
		{"/hello", Costs{Request: 20 * time.Microsecond, Known: true}, .45, .6, false},
		{"/wait?ms=1", Costs{Request: 20 * time.Microsecond, Known: true}, .001, .6, false},
		{"/hello", Costs{Request: 3 * time.Millisecond, Known: true}, .003, .6, false},
		{"/hello", Costs{Request: 3 * time.Millisecond, Known: true, Own: true}, .003, .6, true},
		{"/cpu?units=1", Costs{Unit: 3 * time.Millisecond, Known: true, Own: true}, .003, .6, false},
	} {
		sc := find(t, "wait")
		sc.Requests[0].Path = row.path
		sc.Stages = []load.Stage{{Shape: load.Constant, From: 100, For: time.Second}}
		_, caveats := Rows(sc, resolve(t, "async"), Machine{Cores: 2}, row.costs)
		if got := caveats.Withholds(row.response, row.busy); got != row.want {
			t.Errorf("%s, %+v: %g s at %g withheld: %v", row.path, row.costs, row.response, row.busy, got)
		}
	}
}
