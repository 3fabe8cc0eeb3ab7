package reports_test

import (
	"encoding/csv"
	"slices"
	"strings"
	"testing"
	"time"

	"gatewaylab/reports"
	"gatewaylab/scenarios"
	"gatewaylab/scenarios/load"
	"gatewaylab/servers"
	"gatewaylab/servers/latency"
)

// called is a run in which two models called a service that takes 200 calls a
// second, one of them in every second request, and a third has no such route.
func called(t *testing.T) *reports.Report {
	t.Helper()
	b, err := servers.NewBacking("upstream", []servers.Setting{{Key: "delay", Value: "exponential 20ms"}, {Key: "places", Value: "4"}, {Key: "failures", Value: "10%"}})
	if err != nil {
		t.Fatal(err)
	}
	sc := &scenarios.Scenario{
		Name: "called", Title: "Called", Question: "What of it?",
		Requests: []scenarios.Request{{Method: "GET", Path: "/upstream?timeout=500"}, {Method: "GET", Path: "/hello"}},
		Stages:   []load.Stage{{Shape: load.Users, UsersFrom: 50, For: time.Second}},
		Timeout:  time.Second, Backing: []servers.Backing{b},
	}
	ms := []scenarios.ModelInfo{{Label: "async", Name: "async"}, {Label: "idle", Name: "async"}, {Label: "shell", Name: "apache"}}
	res := result([]*scenarios.Scenario{sc}, ms, 6)
	res.Demand["called"] = sc.Demands()[0]
	res.NotOffered = map[string]map[string]string{"called": {"shell": "/upstream"}}
	for i := range 6 {
		busy, idle := partedTrial(sc, "async", i), partedTrial(sc, "idle", i)
		for _, tr := range []*scenarios.Trial{busy, idle} {
			tr.Stages, tr.Requests, tr.Beside, tr.Faults = nil, nil, nil, nil
			tr.Errors, tr.Failed = nil, 0
		}
		busy.Succeeded = 780
		busy.Backing = []scenarios.BackingUse{{Service: "upstream", Settings: b.String(), CPU: 40 * time.Millisecond, Memory: 8 << 20, Counts: latency.Counts{
			Calls: 400, Answered: 350, Failed: 40, Refused: 10,
			Waited: 400 * 5 * time.Millisecond, Worked: 400 * 20 * time.Millisecond, Late: 400 * 300 * time.Microsecond,
		}}}
		idle.Backing = []scenarios.BackingUse{{Service: "upstream", Settings: b.String()}}
		res.Measured = append(res.Measured, busy, idle)
	}
	r, err := reports.Analyse(res)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestBacking(t *testing.T) {
	r := called(t)
	c := cell(t, r, "called", "async")
	if len(c.Backing) != 1 {
		t.Fatalf("backing %+v", c.Backing)
	}
	b := c.Backing[0]
	for what, got := range map[string][2]float64{
		"calls/s": {b.Calls.Median, 200}, "in line": {b.Waited.Median, 5}, "in work": {b.Worked.Median, 20}, "late": {b.Late.Median, 0.3},
		"at a time": {b.Busy.Median, 4}, "cores": {b.CPU.Median, 0.02}, "MiB": {b.Memory.Median, 8},
	} {
		if !close3(got[0], got[1]) {
			t.Errorf("%s: %g, want %g", what, got[0], got[1])
		}
	}
	if b.Service != "upstream" || b.Ended != 2400 || b.Failed != 240 || b.Refused != 60 {
		t.Errorf("counts %+v", b)
	}
	if nobody := cell(t, r, "called", "idle").Backing[0]; nobody.Worked.Known() || nobody.Calls.Median != 0 {
		t.Errorf("of nobody's calls: %+v", nobody)
	}
	// 4 places of 20 ms are 200 calls/s, and every second request is one.
	if !strings.Contains(c.Explanation, "upstream takes no more than lets 400/s pass; measured 390") {
		t.Errorf("explanation %q", c.Explanation)
	}
	shell := cell(t, r, "called", "shell")
	if !shell.NotOffered || shell.NotSpoken != "/upstream" || !strings.Contains(shell.Explanation, "what it runs has no /upstream") {
		t.Errorf("not offered: %+v", shell)
	}
	for _, f := range []reports.Renderer{reports.Text(reports.TextOptions{Width: 100}), reports.Markdown(nil)} {
		text := strings.Join(strings.Fields(render(t, f, r)), " ")
		for _, want := range []string{"Backing service upstream, exponential 20ms, places 4, failures 10%: what it was asked for", "not offered (/upstream)"} {
			if !strings.Contains(text, want) {
				t.Errorf("%q is not in\n%s", want, text)
			}
		}
	}
}

// In the CSV a service has a row of its own below the cell's, which no figure
// of the cell is in.
func TestBackingCSV(t *testing.T) {
	rows, err := csv.NewReader(strings.NewReader(render(t, reports.CSV, called(t)))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var own, service []map[string]string
	for _, row := range rows[1:] {
		r := map[string]string{}
		for i, name := range rows[0] {
			if row[i] != "" {
				r[name] = row[i]
			}
		}
		switch r["part"] {
		case "":
			own = append(own, r)
		case "service":
			service = append(service, r)
		default:
			t.Errorf("a row of part %q", r["part"])
		}
	}
	if len(own) != 3 || len(service) != 2 {
		t.Fatalf("%d rows of cells and %d of services, want 3 and 2", len(own), len(service))
	}
	for name, v := range own[0] {
		if strings.HasPrefix(name, "service_calls") || strings.HasPrefix(name, "service_ended") {
			t.Errorf("the cell's own row says %s of its service: %s", name, v)
		}
	}
	busy, idle := service[0], service[1]
	for name, want := range map[string]string{
		"model": "async", "part_name": "upstream", "part_kind": "exponential 20ms, places 4, failures 10%",
		"service_calls_per_s": "200", "service_waited_ms": "5", "service_worked_ms": "20", "service_busy": "4", "service_late_ms": "0.3",
		"service_cpu_cores": "0.02", "service_memory_mib": "8", "service_ended": "2400", "service_failed": "240", "service_closed": "0", "service_refused": "60",
	} {
		if busy[name] != want {
			t.Errorf("%s is %q, want %q", name, busy[name], want)
		}
	}
	for name, v := range busy {
		if !strings.HasPrefix(name, "service_") && !slices.Contains([]string{"scenario", "model", "part", "part_name", "part_kind"}, name) {
			t.Errorf("the service's row says %s, which is the cell's: %s", name, v)
		}
	}
	if idle["model"] != "idle" || idle["service_calls_per_s"] != "0" || idle["service_worked_ms"] != "" {
		t.Errorf("of nobody's calls: %v", idle)
	}
}
