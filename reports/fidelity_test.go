package reports_test

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"gatewaylab/reports"
	"gatewaylab/scenarios"
	"gatewaylab/scenarios/load"
)

// A conduct is what a synthetic side of a pair does in the situations.
type conduct struct {
	alone, crowd   float64 // goodput, 1/s
	few, many      float64 // response time, ms
	inTime         float64 // share
	spared         float64 // share
	recovery, lost float64 // ms
	fewer          int     // valid trials than planned
}

func situations() []*scenarios.Scenario {
	waiting := closed("waiting", "Waiting", "Where is the ceiling?", 1, "/wait?ms=50")
	waiting.Stages = []load.Stage{
		{Shape: load.Users, UsersFrom: 1, For: time.Second, Name: "alone"},
		{Shape: load.Users, UsersFrom: 50, For: time.Second, Name: "crowd"},
	}
	waiting.Compare = []scenarios.Aspect{scenarios.Ceiling, scenarios.Growth, scenarios.SpeedUp, scenarios.Speed}
	crash := closed("crash", "A crash", "Who goes down with it?", 1, "/wait?ms=20")
	crash.Stages = []load.Stage{{Shape: load.Constant, From: 100, For: 2 * time.Second}}
	crash.Requests = append(crash.Requests, scenarios.Request{Name: "fatal", Method: "GET", Path: "/crash", Fault: true})
	crash.Hurt = 300 * time.Millisecond
	crash.Compare = []scenarios.Aspect{scenarios.InTime, scenarios.Unharmed, scenarios.Recovery}
	return []*scenarios.Scenario{waiting, crash}
}

func fidelityRun(trials int) *scenarios.Result {
	scs := situations()
	ms := []scenarios.ModelInfo{
		{Label: "threads", Name: "threads", Options: map[string]string{}, Slots: 4, Noun: "thread"},
		{Label: "gunicorn_gthread", Name: "gunicorn", Options: map[string]string{}, Slots: 4, Noun: "thread"},
		{Label: "eventloop", Name: "eventloop", Options: map[string]string{}},
		{Label: "uvicorn", Name: "uvicorn", Options: map[string]string{}},
	}
	r := result(scs, ms, trials)
	r.Name, r.Command = "fidelity", []string{"lab", "compare", "--scenario", "fidelity"}
	r.Suite = &scenarios.Suite{Name: "fidelity", Title: "Do the models behave like the real servers?", Question: "Each beside its twin.", Pairs: []scenarios.Pair{
		{Model: scenarios.Entry{Spec: "threads:workers=1,threads=4", As: "threads"}, Twin: scenarios.Entry{Spec: "gunicorn:class=gthread,workers=1,threads=4", As: "gunicorn_gthread"}},
		{Model: scenarios.Entry{Spec: "eventloop"}, Twin: scenarios.Entry{Spec: "uvicorn"}},
	}}
	demand := r.Demand["wait"]
	r.Demand["waiting"] = demand
	r.Refused = map[string]string{"uvicorn": "it answers /hello with 500"}
	for label, c := range map[string]conduct{
		"threads":          {alone: 19, crowd: 78, few: 51, many: 630, inTime: 0.99, spared: 0.9, recovery: 30, lost: 0},
		"gunicorn_gthread": {alone: 18, crowd: 40, few: 52, many: 640, inTime: 0.95, spared: 0.6, recovery: 100, lost: 400},
		"eventloop":        {alone: 19, crowd: 950, few: 51, many: 52, inTime: 1, spared: 1, recovery: 22, fewer: 1},
	} {
		for i := range trials {
			for _, sc := range scs {
				t := conducted(sc, label, i, c)
				if i < c.fewer {
					t.Invalid = []string{"other programs used 60 % of the processor time; stop them and run again"}
				}
				r.Measured = append(r.Measured, t)
			}
		}
	}
	slices.SortFunc(r.Measured, func(a, b *scenarios.Trial) int { return strings.Compare(a.Model, b.Model) })
	r.Planned = 2 * len(ms) * trials
	return r
}

func conducted(sc *scenarios.Scenario, label string, i int, c conduct) *scenarios.Trial {
	t := trial(sc, label, i, shape{rate: c.crowd, ms: c.many, stretch: 1.1, cpu: 1, memory: 10, procs: 1, busy: 1})
	part := func(name, kind string, due uint64, n, ms float64) scenarios.Part {
		p := scenarios.Part{Name: name, Kind: kind, To: time.Second, Due: due, Response: scenarios.NewHistogram(), Service: scenarios.NewHistogram(), FirstByte: scenarios.NewHistogram()}
		p.Succeeded, p.Measured = uint64(n), uint64(n)
		if err := p.Response.RecordValues(int64(ms*1e3), int64(n)); err != nil {
			panic(err)
		}
		return p
	}
	if sc.Name == "waiting" {
		t.Stages = []scenarios.Part{part("alone", "users", 20, 100*c.alone, c.few), part("crowd", "users", 1000, 100*c.crowd*jitter(i), c.many*jitter(i))}
		for k := range t.Stages {
			t.Stages[k].To = 100 * time.Second
		}
		return t
	}
	t.Due, t.Measured = 1000, uint64(1000*min(1, c.inTime*jitter(i)))
	harmed := 1000 - 1000*c.spared*min(1, jitter(i))
	ordinary := part("ordinary", "", 1000, 1000-harmed, 25)
	if err := ordinary.Response.RecordValues(400e3, int64(harmed/2)); err != nil { // slow; the rest failed
		panic(err)
	}
	t.Requests = []scenarios.Part{ordinary, part("fatal", "fault", 10, 0, 0)}
	t.Faults = &scenarios.Faults{Sent: 10, Others: 1000, Failed: uint64(harmed / 2), Slow: uint64(harmed / 2), Recovery: scenarios.NewHistogram()}
	for range 8 {
		t.Faults.Recovery.Observe(time.Duration(c.recovery * jitter(i) * float64(time.Millisecond)))
	}
	if c.lost > 0 {
		t.Faults.Unrecovered, t.Faults.Lost = 2, time.Duration(2*c.lost*float64(time.Millisecond))
	}
	return t
}

func TestFidelity(t *testing.T) {
	f := analyse(t, fidelityRun(4)).Fidelity
	got := map[string]reports.Likeliness{}
	for _, l := range f.Rows {
		got[l.Pair+" "+string(l.Aspect)] = l.Verdict
	}
	for row, want := range map[string]reports.Likeliness{
		"threads ceiling":    reports.Different, // 78/80 v 40/80
		"threads growth":     reports.Same,
		"threads speed-up":   reports.Different,
		"threads in-time":    reports.Same,      // 4 points
		"threads unharmed":   reports.Different, // 30 points, failed and slow ones alike
		"threads recovery":   reports.Different, // 30 v (8 × 100 + 2 × 400) ÷ 10
		"eventloop ceiling":  reports.Unknown,
		"eventloop recovery": reports.Unknown,
	} {
		if got[row] != want {
			t.Errorf("%s: %q, want %q", row, got[row], want)
		}
	}
	i := slices.IndexFunc(f.Rows, func(l reports.Likeness) bool { return l.Aspect == scenarios.Ceiling })
	if m := f.Rows[i].Model.Median; math.Abs(m-0.975) > 0.02 {
		t.Errorf("threads reach %v of 4 ÷ 50 ms, want 0.975", m)
	}
	i = slices.IndexFunc(f.Rows, func(l reports.Likeness) bool { return l.Aspect == scenarios.Recovery })
	if m := f.Rows[i].Other.Median; math.Abs(m-160) > 4 {
		t.Errorf("gthread recovers within %v ms, want 160: what wasn't seen to recover counts to the end", m)
	}
	if i := slices.IndexFunc(f.Rows, func(l reports.Likeness) bool { return l.Pair == "eventloop" }); !strings.Contains(f.Rows[i].Why, "uvicorn was refused") {
		t.Errorf("why: %q", f.Rows[i].Why)
	}
	for _, l := range analyse(t, fidelityRun(2)).Fidelity.Rows {
		if l.Verdict == reports.Same || l.Verdict == reports.Different {
			t.Errorf("%s %s: %s from 2 trials", l.Pair, l.Aspect, l.Verdict)
		}
	}
	if f := analyse(t, full()).Fidelity; f != nil {
		t.Errorf("a run without pairs has %+v", f)
	}
}
