package reports_test

import (
	"strings"
	"testing"

	"gatewaylab/reports"
	"gatewaylab/scenarios"
	"gatewaylab/scenarios/load"
)

// crossed is a run of models of all kinds under two scenarios, with every reason
// for which a cell can be without figures.
func crossed() *scenarios.Result {
	hello := closed("hello", "A tiny answer", "What does the server model itself cost?", 32, "/hello")
	wait := closed("wait", "Waiting for something else", "How many requests can be under way at once?", 50, "/wait?ms=50")
	h2 := open("h2", "Arrivals over HTTP/2", "", load.Stage{Shape: load.Constant, From: 200, For: wait.For()})
	h2.Protocol = load.H2C
	ms := models()
	for i := range ms {
		ms[i].Spec = ms[i].Name
	}
	ms = append([]scenarios.ModelInfo{
		{Label: "mine", Name: "target", Noun: "slot", Target: &scenarios.TargetInfo{URL: "http://127.0.0.1:8000", Local: true}},
		{Label: "gunicorn", Spec: "gunicorn", Name: "gunicorn", Options: map[string]string{"workers": "4"}, Slots: 4, Noun: "worker", PerRequest: "connection"},
		{Label: "nginx", Spec: "nginx", Name: "nginx", Noun: "connection"},
		{Label: "daphne", Spec: "daphne", Name: "daphne", Noun: "connection"},
	}, ms...)
	r := result([]*scenarios.Scenario{hello, wait, h2}, ms, 6)
	r.Demand["h2"] = r.Demand["wait"]
	r.Environment.Versions["gunicorn"], r.Environment.Versions["python3"] = "20.1.0", "3.11.2 (/usr/bin/python3)"
	r.Refused = map[string]string{"daphne": "start daphne: the server exited before it answered: exit status 1\nTraceback (most recent call last):"}
	r.NotOffered = map[string]map[string]string{"wait": {"nginx": "/wait"}, "h2": {"nginx": "/wait"}}
	r.NotSpoken = map[string]map[string]string{"h2": {"cgi": "400 Bad Request", "prefork": "400 Bad Request", "gunicorn": "505 HTTP Version Not Supported", "mine": "400 Bad Request"}}
	r.Notes = []string{"daphne is refused: " + r.Refused["daphne"], "wait goes without nginx: what it runs has no /wait"}

	busy := []string{"the load generator used more than 40 % of the cores it shares with the server, which makes fast models look closer together than they are"}
	add(r, hello, "cgi", 6, shape{rate: 590, ms: 54, stretch: 1.6, cpu: 3.0, gen: 0.2, memory: 18.2, procs: 17, perConn: 0.01, busy: 15.8})
	dead := add(r, hello, "prefork", 3, shape{rate: 9100, ms: 3.4, stretch: 2.1, cpu: 0.13, gen: 0.072, memory: 21.4, procs: 5, perConn: 1, busy: 3.9})
	for _, t := range dead {
		t.Invalid = []string{"the server died in mid-trial: exit status 2"}
	}
	add(r, hello, "async", 6, shape{rate: 22300, ms: 1.21, stretch: 3.3, cpu: 0.041, gen: 0.045, memory: 15.9, procs: 1, busy: 2, warnings: busy})
	add(r, hello, "gunicorn", 6, shape{rate: 1270, ms: 24, stretch: 2.4, cpu: 1.4, gen: 0.1, memory: 92, procs: 5, perConn: 1, busy: -1, errors: map[string]uint64{"connection reset": 3}})
	add(r, hello, "nginx", 6, shape{rate: 22350, ms: 1.2, stretch: 3, cpu: 0.03, gen: 0.045, memory: 9, procs: 3, busy: -1, warnings: busy})
	for _, t := range add(r, hello, "mine", 6, shape{rate: 8000, ms: 4, stretch: 2, gen: 0.045, busy: -1}) {
		t.Server = scenarios.ServerCost{MeanBusy: -1, Unknown: true}
	}

	add(r, wait, "cgi", 6, shape{rate: 271, ms: 184, stretch: 1.1, cpu: 3.2, gen: 0.2, memory: 17.9, procs: 17, perConn: 0.01, busy: 15.9})
	one := add(r, wait, "prefork", 6, shape{rate: 79.1, ms: 631, stretch: 1.02, cpu: 0.31, gen: 0.2, memory: 21.1, procs: 5, perConn: 1, busy: 3.98})
	one[2].Invalid = []string{"the hypervisor took 14 % of the processor time"}
	add(r, wait, "async", 6, shape{rate: 968, ms: 51.2, stretch: 1.1, cpu: 0.07, gen: 0.06, memory: 16.3, procs: 1, busy: 49.7})
	add(r, wait, "gunicorn", 6, shape{rate: 79, ms: 632, stretch: 1.03, cpu: 1.5, gen: 0.2, memory: 92, procs: 5, perConn: 1, busy: -1})
	add(r, h2, "async", 6, shape{rate: 200, ms: 51.2, stretch: 1.1, cpu: 0.08, gen: 0.06, memory: 17, procs: 1, busy: 10})
	return r
}

// What the golden page shows must hold for other reasons, too: models in their
// groups, and no figure where there is none.
func TestOverview(t *testing.T) {
	res := crossed()
	page := render(t, reports.Overview, analyse(t, res))
	at := 0
	for _, want := range []string{"**built-in models**", "| cgi |", "| prefork |", "| async |", "**real servers**", "| gunicorn |", "| nginx |", "| daphne |", "**servers that the lab didn't start**", "| mine |"} {
		i := strings.Index(page[at:], want)
		if i < 0 {
			t.Fatalf("%q doesn't come where it should:\n%s", want, page)
		}
		at += i
	}

	var b strings.Builder
	if err := reports.Overview(&b, analyse(t, fidelityRun(4))); err == nil || b.Len() > 0 {
		t.Errorf("a run of pairs has an overview: %v\n%s", err, &b)
	}
}

// With theory the page says what was predicted, and why where nothing was.
func TestOverviewWithTheory(t *testing.T) {
	res := crossed()
	r := analyse(t, res)
	if err := reports.HoldAgainstTheory(r, res); err != nil {
		t.Fatal(err)
	}
	golden(t, "overview-theory.md", render(t, reports.Overview, r))
}
