package chart

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"gatewaylab/reports"
	"gatewaylab/scenarios"
	"gatewaylab/scenarios/load"
)

// sixModels hold rates from 80 to 900 a second.
var sixModels = []string{"cgi", "prefork", "prefork:workers=8", "async", "nginx+gunicorn:workers=4,class=gthread,threads=8", "two"}

func constant(name string, rate float64, d time.Duration) load.Stage {
	return load.Stage{Name: name, Shape: load.Constant, From: rate, For: d}
}

// varied are scenarios whose load has stages of every kind.
func varied() []*scenarios.Scenario {
	const s = time.Second
	get := []scenarios.Request{{Method: "GET", Path: "/wait?ms=50"}}
	spike := &scenarios.Scenario{
		Name: "spike", Title: "A sudden crowd", Question: "Who recovers, and how fast, when ten times as many users come for two seconds?",
		Requests: []scenarios.Request{{Name: "short", Method: "GET", Path: "/wait?ms=10", Weight: 95}, {Name: "long", Method: "GET", Path: "/wait?ms=500", Weight: 5}},
		Stages: []load.Stage{
			constant("calm", 60, 3*s),
			{Name: "rush", Shape: load.Spike, From: 60, To: 600, At: s, Lasting: 2 * s, For: 4 * s, Poisson: true},
			constant("after", 60, 3*s),
		},
		Protocol: load.H2C, Streams: 8,
		Beside: []scenarios.Crowd{{Name: "crawlers", Kind: load.SlowRead, Clients: 4, Rate: 10_000}, {Kind: load.Idle, Clients: 100}},
		Models: []scenarios.Entry{{Spec: "async"}, {Spec: "prefork:workers=2", As: "two"}},
	}
	curve := &scenarios.Scenario{Name: "curve", Title: "More and more arrivals", Requests: get}
	for i := range 12 {
		curve.Stages = append(curve.Stages, constant("", float64(100*(i+1)), 2*s))
	}
	users := &scenarios.Scenario{Name: "users", Title: "More and more users", Requests: get}
	for n := 1; n <= 64; n *= 2 {
		users.Stages = append(users.Stages, load.Stage{Shape: load.Users, UsersFrom: n, UsersTo: n, Think: 50 * time.Millisecond, For: 2 * s})
	}
	long := &scenarios.Scenario{Name: "a-working-day", Title: "Twelve stages of every shape, with long names", Requests: get}
	names := []string{"before anyone is awake", "the first commuters", "breakfast", "office hours begin", "coffee", "meetings, meetings", "lunch", "afternoon slump", "batch jobs start", "batch jobs with a long tail", "home", "night"}
	for i, n := range names {
		st := load.Stage{Name: n, For: time.Duration(2+i%3) * s, Shape: load.Constant, From: 40 * float64(i+1)}
		switch i % 6 {
		case 1:
			st.Shape, st.To = load.Ramp, 500
		case 2:
			st.Shape, st.To, st.Levels = load.Steps, 600, 4
		case 3:
			st.Shape, st.To, st.Every = load.Sine, 400, s
		case 4:
			st.Shape, st.File, st.Times = load.Replay, "arrivals.txt", nil
		case 5:
			st = load.Stage{Name: n, For: st.For, Shape: load.Users, UsersFrom: 4, UsersTo: 60, Levels: 3}
		}
		long.Stages = append(long.Stages, st)
	}
	fifty := &scenarios.Scenario{Name: "fifty", Title: "Fifty stages", Requests: get}
	for i := range 50 {
		fifty.Stages = append(fifty.Stages, constant("", 50+float64(i*37%11)*40, s))
	}
	ramp := &scenarios.Scenario{Name: "ramp", Title: "One stage that rises", Requests: get, Stages: []load.Stage{{Shape: load.Ramp, From: 10, To: 800, For: 12 * s}}}
	all := []*scenarios.Scenario{spike, curve, users, long, fifty, ramp}
	for _, sc := range all {
		sc.Warmup = 500 * time.Millisecond
	}
	return all
}

// staged runs models of known capacity through varied loads.
func staged(models ...string) *reports.Report {
	r := report(nil, models, nil)
	r.Scenarios = varied()
	for _, sc := range r.Scenarios {
		for m, label := range models {
			r.Cells = append(r.Cells, stagedCell(sc, label, m))
		}
	}
	r.Cells[1] = &reports.Cell{Scenario: "spike", Model: models[1], NotSpoken: "505 HTTP Version Not Supported"}
	return r
}

func stagedCell(sc *scenarios.Scenario, label string, m int) *reports.Cell {
	rng := rand.New(rand.NewPCG(uint64(m), uint64(len(sc.Stages))))
	capacity := 80 * math.Pow(1.7, float64(m))
	around := func(v, share float64, unit string) reports.Estimate {
		v *= 1 + share*rng.NormFloat64()/2
		return reports.Estimate{Median: v, Low: v * (1 - share*(.5+rng.Float64())), High: v * (1 + share*(.5+rng.Float64())), N: 6, Unit: unit, Confidence: .969}
	}
	c := cell(sc, label, 6, behaviour{min(capacity, 400), 55, .2, 1, 20})
	c.Series, c.Offered = nil, around(400, .01, "/s")
	if sc.Closed() {
		c.Offered = c.Attempted
	}
	at := 0.0
	slice := func(t, offered float64) {
		ms := 52.0 + 4*float64(m) + 900*max(0, offered-capacity)/capacity
		ms *= 1 + .04*rng.NormFloat64()
		c.Series = append(c.Series, reports.Slice{Seconds: t, P50: ms, P50Low: ms * .93, P50High: ms * 1.1, P99: ms * (1.4 + .3*rng.Float64()), N: 6})
	}
	slice(-.4, 40)
	slice(-.2, 40)
	for i := range sc.Stages {
		st := &sc.Stages[i]
		d := st.For.Seconds()
		mean := 0.0
		for t := .1; t < d; t += .2 {
			offered := 0.0
			if at := time.Duration(t * float64(time.Second)); st.Open() && st.Shape != load.Replay {
				offered = st.RateAt(at)
			} else if !st.Open() {
				offered = float64(st.UsersAt(at)) / .1
			} else {
				offered = 220
			}
			mean += offered * .2 / d
			slice(at+t, offered)
		}
		good, ms := min(mean, capacity), 52+4*float64(m)+900*max(0, mean-capacity)/capacity
		p := reports.PartCell{
			Name: st.Title(i), Kind: string(st.Shape), From: at, To: at + d,
			Goodput: around(good, .03, "/s"), Offered: around(mean, .004, "/s"),
			Response: map[string]reports.Estimate{"p50": around(ms, .03, "ms"), "p90": around(ms*1.2, .05, "ms")},
		}
		if good*d*6 > 500 || sc.Name != "spike" {
			p.Response["p99"] = around(ms*1.5, .1, "ms")
		}
		c.Stages = append(c.Stages, p)
		at += d
	}
	if len(sc.Stages) == 1 {
		c.Stages = nil
	}
	return c
}

// stagedNothing is a run that was cut off before its first trial ended.
func stagedNothing() *reports.Report {
	r := staged(sixModels[:3]...)
	r.Cells = nil
	return r
}

// harmful is a scenario of crashes and one of streams, each with models of its own.
func harmful() *reports.Report {
	crash := &scenarios.Scenario{
		Name: "crash", Title: "One in a hundred requests kills", Question: "Who else is hurt when a request kills what serves it?", Hurt: 500 * time.Millisecond,
		Requests: []scenarios.Request{{Method: "GET", Path: "/hello", Weight: 99}, {Method: "GET", Path: "/crash", Weight: 1, Fault: true}},
		Stages:   []load.Stage{{Shape: load.Constant, From: 200, For: 5 * time.Second, Poisson: true}},
		Models:   []scenarios.Entry{{Spec: "cgi"}, {Spec: "prefork"}, {Spec: "async"}},
	}
	stream := &scenarios.Scenario{
		Name: "stream", Title: "Ten pieces, 50 ms apart", Requests: []scenarios.Request{{Method: "GET", Path: "/stream?n=10&ms=50", Stream: true}},
		Stages: []load.Stage{{Shape: load.Users, UsersFrom: 8, For: 5 * time.Second, Think: 100 * time.Millisecond, ThinkExponential: true}},
		Models: []scenarios.Entry{{Spec: "async"}, {Spec: "nginx+prefork"}}, PerConnection: 1,
	}
	r := report(nil, []string{"cgi", "prefork", "async", "nginx+prefork"}, nil)
	r.Scenarios = []*scenarios.Scenario{crash, stream}
	share := func(v float64) reports.Estimate {
		return reports.Estimate{Median: v, Low: v * .8, High: v * 1.3, N: 6, Confidence: .969}
	}
	for i, m := range []string{"cgi", "prefork", "async"} {
		c := cell(crash, m, 6, behaviour{195 - 30*float64(i), 5 + float64(i), .3, 1, 20})
		c.Faults = &reports.FaultCell{
			Sent: 60, Others: 5940, Failed: []uint64{0, 4, 1650}[i], FailedShare: share([]float64{0, .0007, .27}[i]), SlowShare: share([]float64{0, .002, .031}[i]),
			Unrecovered: uint64(i),
			Recovery:    map[string]reports.Estimate{"p50": share([]float64{4.2, 5.9, 212}[i]), "mean": share(6)},
		}
		r.Cells = append(r.Cells, c)
	}
	for _, m := range []string{"async", "nginx+prefork"} {
		c := cell(stream, m, 6, behaviour{40, 510, .05, 1, 20})
		c.FirstByte, c.Service = map[string]reports.Estimate{}, c.Response
		for q, e := range c.Response {
			if m == "async" {
				e = share(e.Median - 505)
			}
			c.FirstByte[q] = e
		}
		r.Cells = append(r.Cells, c)
	}
	return r
}

// manyStaged are more models than have room.
func manyStaged() *reports.Report {
	models := append([]string{}, sixModels...)
	for i := range 6 {
		models = append(models, fmt.Sprintf("prefork:workers=%d,timeout=30s,max_requests=1000", i+1))
	}
	r := staged(models...)
	other := func(name string) bool { return name != "spike" && name != "a-working-day" }
	r.Scenarios = slices.DeleteFunc(r.Scenarios, func(s *scenarios.Scenario) bool { return other(s.Name) })
	r.Cells = slices.DeleteFunc(r.Cells, func(c *reports.Cell) bool { return other(c.Scenario) })
	return r
}
