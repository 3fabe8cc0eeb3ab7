package predict

import (
	"math"
	"strings"
	"testing"
	"time"

	"gatewaylab/scenarios"
	"gatewaylab/scenarios/load"
)

// Bounded queues and fronts that lose patience are simulated as they are, or it
// is said that they aren't; no formula takes their place.
func TestBoundsOfFrontAndModel(t *testing.T) {
	rate := func(perSecond float64) load.Stage {
		return load.Stage{Shape: load.Constant, From: perSecond, For: 5 * time.Second}
	}
	users := func(n int) load.Stage { return load.Stage{Shape: load.Users, UsersFrom: n, For: 5 * time.Second} }
	for _, row := range []struct {
		spec, path      string
		stage           load.Stage
		goodput, failed float64
		why             string // of there being no simulation
	}{
		{"scgi:workers=1,queue=2", "/wait?ms=50", rate(100), 20, .8, ""},
		{"uwsgi:workers=2,queue=1", "/wait?ms=50", rate(100), 40, .6, ""},
		{"fastcgi:workers=1,queue=2,reuse=off", "/wait?ms=50", rate(100), 20, .8, ""},
		{"front:queue=2+fastcgi:workers=1,queue=9", "/wait?ms=50", rate(100), 20, .8, ""}, // who waits does so at the front
		{"front:per_instance=5,queue=2+fastcgi:workers=1", "/wait?ms=50", rate(100), 20, .8, ""},
		{"front:queue=0+fastcgi:workers=1,mpx=on,requests=3", "/wait?ms=50", rate(100), 60, 0, ""}, // without a bound
		{"front:per_instance=2,queue=3+async", "/wait?ms=50", rate(100), 40, .6, ""},
		{"front:per_instance=2,queue=3,instances=2,balance=shared+prefork:workers=4", "/wait?ms=50", rate(200), 80, .6, ""},
		{"front:read_timeout=1s+prefork", "/wait?ms=2000", users(3), 0, 1, ""},
		{"front:read_timeout=1s+prefork", "/stream?chunks=4&every=500", users(3), 2, 0, ""},
		{"front:read_timeout=1s+prefork", "/stream?chunks=2&every=1500", users(3), 0, 0, "pieces come at greater distances"},
		{"front:instances=2,balance=shared+scgi:workers=1,queue=2", "/wait?ms=50", rate(100), 0, 0, "matter of chance"},
		{"nginx+fastcgi:workers=1,queue=2", "/wait?ms=50", rate(100), 0, 0, "FCGI_OVERLOADED"},
		{"fastcgi:workers=4,mpx=on,requests=3", "/wait?ms=50", users(10), 0, 0, "which worker"},
		{"threads:max_requests=50", "/wait?ms=50", rate(100), 0, 0, "max_requests"},
		{"threads:max_requests=1000", "/wait?ms=50", rate(70), 70, 0, ""},
		{"prefork:workers=2,max_requests=5", "/wait?ms=40", users(10), 2 * 5 / .21, 0, ""},
	} {
		sc := find(t, "wait")
		sc.Requests[0].Path, sc.Stages, sc.Warmup = row.path, []load.Stage{row.stage}, time.Second
		c := resolve(t, row.spec)
		trial, sum, err := Simulate(t.Context(), sc, c, Machine{Cores: 2}, Costs{Known: true}, scenarios.Ref{Trial: 1, Of: 1}, 1)
		if row.why != "" {
			if err == nil || !strings.Contains(err.Error(), row.why) {
				t.Errorf("%s: %v; want %q", row.spec, err, row.why)
			}
			continue
		}
		if err != nil {
			t.Fatal(row.spec, err)
		}
		failed := float64(sum.Failed) / float64(sum.Failed+sum.Succeeded)
		if math.Abs(trial.Goodput()-row.goodput) > .05*row.goodput+.4 || math.Abs(failed-row.failed) > .03 {
			t.Errorf("%s: %.4g/s and %.3g failed; want %g and %g", row.spec, trial.Goodput(), failed, row.goodput, row.failed)
		}
		if p := Cell(sc, c, Machine{Cores: 2}, Costs{Known: true})[0]; row.failed > 0 && p.Method == Formula {
			t.Errorf("%s: %s predicts %.4g/s", row.spec, p.Name, p.Goodput)
		}
	}
}

// Slow readers hold up a worker by what no socket takes off its hands, and a
// front or CGI's server not at all, or nobody knows for how long.
func TestSlowReaders(t *testing.T) {
	for _, row := range []struct {
		spec, crowd string
		p99         float64 // ms
		why         string
	}{
		{"prefork:workers=2", "8 slow-read at 1KB/s /bytes?n=10000", 20, ""},
		{"prefork:workers=2", "8 slow-read at 1KB/s /hello", 20, ""},
		{"prefork:workers=2", "3 slow-read at 50KB/s /bytes?n=200000", 1500, ""},
		{"prefork:workers=2", "3 slow-read at 50KB/s /bytes?n=20&head=100000", 500, ""},
		{"front+prefork:workers=2", "8 slow-read at 5KB/s /bytes?n=200000", 20, ""},
		{"front:response_buffering=off+prefork:workers=2", "8 slow-read at 5KB/s /bytes?n=10000", 20, ""},
		{"front:response_buffering=off+prefork:workers=2", "8 slow-read at 5KB/s /bytes?n=200000", 0, "not known"},
		{"cgi:children=2", "8 slow-read at 5KB/s /bytes?n=100000", 20, ""},
		{"cgi:children=2", "8 slow-read at 5KB/s /bytes?n=200000", 0, "not known"},
	} {
		sc := find(t, "wait")
		sc.Requests[0].Path, sc.Stages = "/wait?ms=20", []load.Stage{{Shape: load.Constant, From: 20, For: 6 * time.Second}}
		crowd, err := scenarios.ParseCrowd(row.crowd)
		if err != nil {
			t.Fatal(err)
		}
		sc.Beside = []scenarios.Crowd{crowd}
		trial, _, err := Simulate(t.Context(), sc, resolve(t, row.spec), Machine{Cores: 2}, Costs{}, scenarios.Ref{Trial: 1, Of: 1}, 1)
		switch {
		case row.why != "" && (err == nil || !strings.Contains(err.Error(), row.why)):
			t.Errorf("%s beside %s: %v", row.spec, row.crowd, err)
		case row.why != "":
		case err != nil:
			t.Errorf("%s beside %s: %v", row.spec, row.crowd, err)
		default:
			p99 := trial.Response.Quantile(.99).Seconds() * 1e3
			if small := row.p99 == 20; small && p99 > 21 || !small && p99 < row.p99/2 {
				t.Errorf("%s beside %s: p99 %.4g ms, want %g", row.spec, row.crowd, p99, row.p99)
			}
		}
	}
	last := 0
	for _, row := range [][2]int{{100, 100}, {42_000, 42_000}, {60_000, 51_000}, {150_000, 96_000}, {800_000, 100_000}} {
		if got := underway(row[0]); got != row[1] || got < last {
			t.Errorf("of %d bytes %d are under way, want %d", row[0], got, row[1])
		}
		last = row[1]
	}
}

// What a request costs the front is not what it costs the model: a loop behind
// one has less to do.
func TestFrontsPartOfCosts(t *testing.T) {
	sc := find(t, "hello")
	sc.Stages = []load.Stage{{Shape: load.Users, UsersFrom: 64, For: time.Second}}
	costs := Costs{Request: 100 * time.Microsecond, Known: true}
	for spec, row := range map[string]struct{ front, want float64 }{
		"front+eventloop": {80, 1 / 20e-6}, "front+async": {80, 8 / 100e-6}, "front:instances=2+eventloop": {60, 2 / 40e-6}, "eventloop": {0, 1 / 100e-6},
	} {
		costs.Front = time.Duration(row.front) * time.Microsecond
		trial, sum, err := Simulate(t.Context(), sc, resolve(t, spec), Machine{Cores: 8}, costs, scenarios.Ref{Trial: 1, Of: 1}, 1)
		if err != nil {
			t.Fatal(err)
		}
		if p := Cell(sc, resolve(t, spec), Machine{Cores: 8}, costs)[0]; p.Method == Formula && math.Abs(p.Goodput/row.want-1) > .01 {
			t.Errorf("%s: %s says %.5g/s, want %.5g", spec, p.Name, p.Goodput, row.want)
		}
		if math.Abs(trial.Goodput()/row.want-1) > .05 || sum.Utilisation < .95 {
			t.Errorf("%s: %.5g/s at %.3g, want %.5g", spec, trial.Goodput(), sum.Utilisation, row.want)
		}
	}
}
