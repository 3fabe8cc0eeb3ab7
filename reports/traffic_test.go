package reports_test

import (
	"time"

	"gatewaylab/scenarios"
	"gatewaylab/scenarios/load"
)

// partShape is what one part of a trial should come to.
type partShape struct {
	rate, due float64 // 1/s; due 0 = rate
	ms        float64 // median response time
	stretch   float64 // p99 over p50
	errors    uint64
	unsent    uint64
	bytes     int64
}

func synthetic(name, kind string, from, to time.Duration, i int, s partShape) scenarios.Part {
	n := uint64(s.rate * jitter(i) * (to - from).Seconds())
	p := scenarios.Part{
		Name: name, Kind: kind, From: from, To: to,
		Sent: n + s.errors, Ended: n, Succeeded: n, Measured: n, Failed: s.errors, Unsent: s.unsent,
		Errors: map[string]uint64{}, Bytes: s.bytes * int64(n), Response: scenarios.NewHistogram(),
	}
	p.Service, p.FirstByte = p.Response, p.Response
	if s.errors > 0 {
		p.Errors["timeout"] = s.errors
	}
	p.Due = p.Sent + p.Unsent
	if s.due > 0 {
		p.Due = uint64(s.due * (to - from).Seconds())
	}
	for k := range n {
		q := float64(k) / float64(n)
		ms := s.ms * jitter(i) * (1 + (max(s.stretch, 1)-1)*max(0, q-0.9)/0.09)
		p.Response.Observe(time.Duration(ms * float64(time.Millisecond)))
	}
	return p
}

// staged gives the trial its stages, one after the other.
func staged(sc *scenarios.Scenario, t *scenarios.Trial, i int, shapes ...partShape) {
	var at time.Duration
	t.Due, t.Succeeded = 0, 0
	for k := range sc.Stages {
		st := &sc.Stages[k]
		p := synthetic(st.Title(k), string(st.Shape), at, at+st.For, i, shapes[k])
		t.Due += p.Due
		t.Succeeded += p.Succeeded
		t.Stages = append(t.Stages, p)
		at += st.For
	}
	t.Sent = t.Due - t.Unsent
}

func open(name, title, question string, stages ...load.Stage) *scenarios.Scenario {
	sc := closed(name, title, question, 1, "/wait?ms=50")
	sc.Stages = stages
	return sc
}

// traffic is a run of every kind of traffic.
func traffic() *scenarios.Result {
	const second = time.Second
	surge := open("surge", "A rush in the middle", "Who is back to normal when it is over?",
		load.Stage{Name: "calm", Shape: load.Constant, From: 40, For: 2 * second, Poisson: true},
		load.Stage{Name: "rush", Shape: load.Ramp, From: 40, To: 200, For: 3 * second},
		load.Stage{Name: "after", Shape: load.Constant, From: 40, For: 4 * second})
	mix := closed("mix", "Short and long requests, and a few that crash", "Who else is hurt?", 20, "/wait?ms=10")
	mix.Requests = []scenarios.Request{
		{Name: "short", Method: "GET", Path: "/wait?ms=10", Weight: 95},
		{Name: "long", Method: "GET", Path: "/wait?ms=500", Weight: 5},
		{Name: "crash", Method: "GET", Path: "/crash", Weight: 1, Fault: true},
	}
	mix.Hurt = 600 * time.Millisecond
	slow := closed("slow", "Clients on a slow line beside the others", "Whom do they keep waiting?", 20, "/wait?ms=20")
	slow.Beside = []scenarios.Crowd{
		{Name: "crawlers", Kind: load.SlowRead, Clients: 3, Rate: 100e3, Request: scenarios.Request{Method: "GET", Path: "/bytes?n=100000"}},
		{Kind: load.Idle, Clients: 100, Every: second, Request: scenarios.Request{Method: "GET", Path: "/hello"}},
	}
	h2 := closed("h2", "Many requests on one connection", "Who speaks HTTP/2?", 16, "/wait?ms=20")
	h2.Protocol, h2.Streams = load.H2C, 8
	drip := closed("drip", "An answer in pieces", "When does the first piece come?", 8, "/stream?chunks=5&every=20")
	drip.Requests[0].Stream = true

	ms := append(models(), scenarios.ModelInfo{
		Label: "two", Spec: "prefork:workers=2", Name: "prefork", Options: map[string]string{"workers": "2"},
		Slots: 2, Noun: "worker", PerRequest: "connection",
	})
	r := result([]*scenarios.Scenario{surge, mix, slow, h2, drip}, ms, 6)
	r.Planned = 72 // each scenario has models of its own
	for _, sc := range r.Scenarios {
		for _, m := range ms {
			sc.Models = append(sc.Models, scenarios.Entry{Spec: m.Spec, As: m.Label})
		}
		r.Demand[sc.Name] = r.Demand["wait"]
	}
	r.NotSpoken = map[string]map[string]string{"h2": {
		"cgi": "400 Bad Request", "prefork": "505 HTTP Version Not Supported", "two": "505 HTTP Version Not Supported",
	}}

	addSurge(r, surge)
	addMix(r, mix)
	addSlow(r, slow)

	add(r, h2, "async", 6, shape{rate: 780, ms: 20.4, stretch: 1.3, cpu: 0.11, gen: 0.1, memory: 17.2, procs: 1, perConn: 0.001, busy: 16})
	for _, m := range []struct {
		model string
		s     shape
		pause float64
	}{
		{"prefork", shape{rate: 49, ms: 163, stretch: 1.1, cpu: 0.5, gen: 0.2, memory: 21, procs: 5, perConn: 1, busy: 3.9}, 20.2},
		{"async", shape{rate: 97, ms: 82, stretch: 1.05, cpu: 0.3, gen: 0.2, memory: 16, procs: 1, busy: 8}, 20.1},
	} {
		for i, t := range add(r, drip, m.model, 6, m.s) {
			t.Gaps = scenarios.NewHistogram()
			for k := range 4 * t.Succeeded {
				t.Gaps.Observe(time.Duration(m.pause * jitter(i) * (1 + 0.002*float64(k%50)) * float64(time.Millisecond)))
			}
		}
	}
	return r
}

func addSurge(r *scenarios.Result, sc *scenarios.Scenario) {
	calm := partShape{rate: 40, ms: 51, stretch: 1.2}
	for _, m := range []struct {
		model  string
		s      shape
		shapes [3]partShape
	}{
		{"prefork", shape{rate: 60, ms: 900, stretch: 3, cpu: 0.3, gen: 0.2, memory: 21.4, procs: 5, perConn: 1, busy: 3.4, errors: map[string]uint64{"timeout": 4}},
			[3]partShape{calm, {rate: 79, due: 120, ms: 740, stretch: 2, errors: 4}, {rate: 68, due: 40, ms: 310, stretch: 4}}},
		{"two", shape{rate: 38, ms: 3900, stretch: 2, cpu: 0.3, gen: 0.2, memory: 12.4, procs: 3, perConn: 1, busy: 2, errors: map[string]uint64{"timeout": 210}, unsent: 31},
			[3]partShape{{rate: 38.9, due: 40, ms: 120, stretch: 3}, {rate: 39.5, due: 120, ms: 2900, stretch: 2, errors: 140, unsent: 31}, {rate: 39.7, due: 40, ms: 6100, stretch: 1.5, errors: 70}}},
		{"async", shape{rate: 66, ms: 51, stretch: 1.3, cpu: 0.1, gen: 0.1, memory: 16, procs: 1, busy: 3.3},
			[3]partShape{calm, {rate: 119, due: 120, ms: 51, stretch: 1.3}, calm}},
	} {
		for i, t := range add(r, sc, m.model, 6, m.s) {
			staged(sc, t, i, m.shapes[:]...)
		}
	}
}

func addMix(r *scenarios.Result, sc *scenarios.Scenario) {
	for _, m := range []struct {
		model       string
		s           shape
		short, long partShape
		faults      scenarios.Faults
		recovery    float64 // ms
		restarts    uint64
	}{
		{"prefork", shape{rate: 108, ms: 166, stretch: 4, cpu: 0.4, gen: 0.2, memory: 22, procs: 5, perConn: 1, busy: 3.9, errors: map[string]uint64{"connection reset": 2}},
			partShape{rate: 102, ms: 160, stretch: 5}, partShape{rate: 5.5, ms: 655, stretch: 1.4},
			scenarios.Faults{Sent: 2, Others: 218, Failed: 2, Slow: 9}, 34, 2},
		{"async", shape{rate: 410, ms: 12, stretch: 42, cpu: 0.2, gen: 0.1, memory: 16, procs: 2, busy: 18, errors: map[string]uint64{"connection reset": 96, "connection refused": 31}},
			partShape{rate: 390, ms: 11.8, stretch: 1.3, errors: 110}, partShape{rate: 20, ms: 502, stretch: 1.1, errors: 17},
			scenarios.Faults{Sent: 8, Others: 947, Failed: 127}, 61, 8},
	} {
		for i, t := range add(r, sc, m.model, 6, m.s) {
			f := m.faults
			f.Recovery = scenarios.NewHistogram()
			for k := range f.Sent {
				f.Recovery.Observe(time.Duration(m.recovery * jitter(i) * float64(1+k) * float64(time.Millisecond)))
			}
			t.Faults = &f
			t.Server.Restarts = m.restarts
			t.Requests = []scenarios.Part{
				synthetic("short", "", 0, sc.For(), i, m.short), synthetic("long", "", 0, sc.For(), i, m.long),
				synthetic("crash", "fault", 0, sc.For(), i, partShape{errors: f.Sent}),
			}
		}
	}
}

func addSlow(r *scenarios.Result, sc *scenarios.Scenario) {
	for _, m := range []struct {
		model string
		s     shape
	}{
		{"two", shape{rate: 4.5, ms: 2180, stretch: 2, cpu: 0.9, gen: 0.4, memory: 12.6, procs: 3, perConn: 1, busy: 2, errors: map[string]uint64{"timeout": 2}}},
		{"prefork", shape{rate: 49, ms: 407, stretch: 1.4, cpu: 0.4, gen: 0.2, memory: 21.6, procs: 5, perConn: 1, busy: 3.97}},
		{"async", shape{rate: 975, ms: 20.5, stretch: 1.3, cpu: 0.1, gen: 0.1, memory: 16.8, procs: 1, busy: 22}},
	} {
		for i, t := range add(r, sc, m.model, 6, m.s) {
			t.Beside = []scenarios.Part{
				synthetic("crawlers", "slow-read", 0, sc.For(), i, partShape{rate: 3, ms: 1010, bytes: 100_000}),
				synthetic("idle", "idle", 0, sc.For(), i, partShape{}),
			}
		}
	}
}

// sixteen is a run of as many stages as a table has to stay readable with.
func sixteen() *scenarios.Result {
	var stages []load.Stage
	for k := range 16 {
		stages = append(stages, load.Stage{Shape: load.Constant, From: float64(20 * (k + 1)), For: time.Second})
	}
	sc := open("stairs", "Sixteen stages", "", stages...)
	r := result([]*scenarios.Scenario{sc}, nil, 6)
	for k, label := range []string{"prefork:workers=4", "prefork:workers=8", "prefork:workers=16", "async"} {
		m := models()[1]
		m.Label, m.Slots = label, 4<<k
		if label == "async" {
			m = models()[2]
		}
		r.Models = append(r.Models, m)
		for i, t := range add(r, sc, label, 6, shape{rate: 80 * float64(int(1)<<k), ms: 900, stretch: 2, cpu: 0.3, gen: 0.2, memory: 20, procs: 5, busy: 4}) {
			var shapes []partShape
			for j := range stages {
				due := float64(20 * (j + 1))
				s := partShape{rate: due, due: due, ms: 51, stretch: 1.2}
				if limit := float64(int(80) << k); m.Name != "async" && due > limit {
					s.rate, s.ms = limit-0.7, 51+20*(due-limit)
				}
				shapes = append(shapes, s)
			}
			staged(sc, t, i, shapes...)
		}
	}
	r.Planned = len(r.Measured)
	r.Demand[sc.Name] = r.Demand["wait"]
	return r
}
