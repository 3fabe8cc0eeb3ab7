package reports_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"gatewaylab/reports"
	"gatewaylab/scenarios"
	"gatewaylab/scenarios/expect"
	"gatewaylab/scenarios/load"
)

// parted is a run of one scenario in which everything is there to be asked
// for: stages, kinds, crowds and faults, of six trials of one model, two of
// another, one model that wasn't measured and one that doesn't speak.
func parted(t *testing.T, texts ...string) *reports.Report {
	t.Helper()
	sc := &scenarios.Scenario{
		Name: "parted", Title: "Parted", Question: "What of it?",
		Requests: []scenarios.Request{{Name: "short", Method: "GET", Path: "/hello"}, {Name: "crash", Method: "GET", Path: "/crash", Fault: true}},
		Stages: []load.Stage{
			{Name: "calm", Shape: load.Constant, From: 500, For: time.Second},
			{Name: "storm", Shape: load.Constant, From: 1500, For: time.Second},
		},
		Timeout: 10 * time.Second, Expect: texts,
	}
	ms := []scenarios.ModelInfo{{Label: "async", Name: "async"}, {Label: "two", Name: "prefork", Slots: 2}, {Label: "cgi", Name: "cgi"}, {Label: "mute", Name: "prefork"}}
	res := result([]*scenarios.Scenario{sc}, ms, 6)
	res.NotSpoken = map[string]map[string]string{"parted": {"mute": "505"}}
	res.Refused = map[string]string{"cgi": "it answers otherwise"}
	res.Measured = nil
	for i := range 6 {
		res.Measured = append(res.Measured, partedTrial(sc, "async", i))
		if i < 2 {
			res.Measured = append(res.Measured, partedTrial(sc, "two", i))
		}
	}
	r, err := reports.Analyse(res)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func partedTrial(sc *scenarios.Scenario, model string, i int) *scenarios.Trial {
	hist := func(ms ...int) *scenarios.Histogram {
		h := scenarios.NewHistogram()
		for _, v := range ms {
			for range 1000 {
				h.Observe(time.Duration(v) * time.Millisecond)
			}
		}
		return h
	}
	u := uint64(i)
	part := func(name string, from, to time.Duration, due, failed uint64) scenarios.Part {
		return scenarios.Part{
			Name: name, From: from, To: to, Due: due, Sent: due - u, Unsent: u, Ended: due, Succeeded: due - failed, Failed: failed, Measured: due - failed,
			Bytes: int64(due) * 1000, Response: hist(100), Service: hist(90), FirstByte: hist(80),
		}
	}
	return &scenarios.Trial{
		Ref:    scenarios.Ref{Scenario: sc.Name, Model: model, Trial: i + 1, Of: 6},
		Window: 2 * time.Second, Due: 2000, Sent: 1990, Unsent: 10, Ended: 1950, Succeeded: 1900, Measured: 1900, Failed: 50 + u,
		Errors:   map[string]uint64{"timeout": 50 + u},
		Response: hist(100, 300), Service: hist(90), FirstByte: hist(80), Lag: hist(1), Gaps: hist(20),
		Stages:   []scenarios.Part{part("calm", 0, time.Second, 500, 0), part("storm", time.Second, 2*time.Second, 1500, 30)},
		Requests: []scenarios.Part{part("short", 0, 2*time.Second, 1900, 19), part("crash", 0, 2*time.Second, 100, 90)},
		Beside:   []scenarios.Part{part("slow-read", 0, 2*time.Second, 8, 0)},
		Faults:   &scenarios.Faults{Sent: 100, Others: 1000, Failed: 20, Slow: 30 + u, Recovery: hist(250), Unrecovered: 1},
		Server: scenarios.ServerCost{
			CPU: 190 * time.Millisecond, PeakMemory: 16 << 20, MemoryKind: "pss", Processes: 3, Threads: 9, Files: 20, Restarts: 100,
		},
		Generator: scenarios.GeneratorCost{Connections: 995},
		Machine:   scenarios.MachineState{Cores: 2, ServerCores: 2},
	}
}

// Every quantity of the language is found, and in its own unit.
func TestEveryQuantityIsFound(t *testing.T) {
	texts := []string{
		"async.goodput == 950/s", "async.offered == 1000/s", "async.attempted == 995/s",
		"within(async.response.mean, 200ms, 1%)", "within(async.response.p50, 100ms, 1%)", "within(async.response.p90, 300ms, 1%)",
		"within(async.response.p99, 300ms, 1%)", "within(async.response.p999, 300ms, 1%)", "within(async.response.max, 300ms, 1%)",
		"within(async.service.p99, 90ms, 1%)", "within(async.first_byte.p99, 80ms, 1%)", "within(async.lag.p90, 1ms, 1%)", "within(async.gaps.mean, 20ms, 1%)",
		"2.5% <= async.failed <= 2.8%", "async.unsent == 0.5%", `2.5% <= async.errors["timeout"] <= 2.8%`, `async.errors["status 503"] == 0`,
		"within(async.cpu_per_request, 100us, 1%)", "async.memory == 16MiB", "async.processes == 3", "async.threads == 9", "async.restarts == 100",
		"async.connections_per_request == 0.5", "async.spoken", "not mute.spoken",
		"async.faults.sent == 100", "async.faults.others == 1000", "async.faults.failed == 2%", "3% <= async.faults.slow <= 3.5%",
		"5% <= async.faults.hurt <= 5.5%", "within(async.faults.recovery.p90, 250ms, 1%)", "within(async.faults.recovery.max, 0.25, 1%)", "async.faults.unrecovered == 1",
		"async.stages.calm.goodput == 500/s", "async.stages.storm.goodput == 1470/s", "async.stages.storm.offered == 1500/s", "async.stages.storm.failed == 2%",
		"async.stages.storm.unsent <= 0.5%", "async.stages.calm.sent > 490", "async.stages.calm.bytes_per_second == 500KB/s", "within(async.stages.calm.response.p99, 100ms, 1%)",
		"async.requests.short.failed == 1%", "within(async.requests.short.service.mean, 90ms, 1%)", "async.requests.crash.failed == 90%",
		`async.beside["slow-read"].goodput == 4/s`, `async.beside["slow-read"].bytes_per_second == 4KB/s`, `within(async.beside["slow-read"].first_byte.p50, 80ms, 1%)`,
	}
	r := parted(t, texts...)
	if len(r.Expectations) != len(texts) {
		t.Fatalf("%d expectations of %d", len(r.Expectations), len(texts))
	}
	for i, e := range r.Expectations {
		if e.Scenario != "parted" || e.Text != texts[i] || e.Verdict != expect.Held {
			t.Errorf("%s: %s (%s)", texts[i], e.Verdict, e.Detail)
		}
	}
	if w := reports.Worst(r.Expectations); w != expect.Held {
		t.Errorf("the worst is %s", w)
	}
}

func TestWhatIsNotKnownSaysWhy(t *testing.T) {
	for _, c := range []struct {
		text    string
		verdict expect.Outcome
		detail  string
	}{
		{"cgi.goodput > 5", expect.Unknown, "cgi was not measured"},
		{"mute.goodput > 5", expect.Unknown, "mute doesn't speak the protocol (505)"},
		{"nginx.goodput > 5", expect.NotAsked, "nginx has no part in this comparison"},
		{"async.stages.clam.goodput > 5", expect.Unknown, `async.stages.clam.goodput is not known: the scenario has no "clam"`},
		{"async.requests.short.unsent > 5", expect.Unknown, "async.requests.short.unsent is not known: that is counted of stages only"},
		{"async.stages.calm.response.p999 > 5ms", expect.Held, "100 ms v 5ms"},
		{"two.stages.calm.response.p999 > 5ms", expect.Unknown, "two.stages.calm.response.p999 is not known: the sample doesn't support it"},
		{"async.gooput > 5", expect.Unknown, `column 7: unknown quantity "gooput"; did you mean goodput?`},
		{"two.failed < 2.53%", expect.Undecided, "2.52 % [2.5, 2.55] v 2.53%; intervals span the lowest and highest of 2 trials"},
		{"async.failed > 3%", expect.NotHeld, "2.62 % [2.5, 2.75] v 3%"},
	} {
		r := parted(t, c.text)
		if e := r.Expectations[0]; e.Verdict != c.verdict || e.Detail != c.detail {
			t.Errorf("%s\n  %s: %s\n  want\n  %s: %s", c.text, e.Verdict, e.Detail, c.verdict, c.detail)
		}
	}
}

func TestWorst(t *testing.T) {
	for _, c := range []struct{ all, want string }{
		{"", "held"}, {"held", "held"}, {"held|not asked", "held"}, {"unknown|held", "unknown"},
		{"unknown|undecided", "undecided"}, {"undecided|not held|unknown", "not held"},
	} {
		var all []reports.Expectation
		for _, v := range strings.Split(c.all, "|") {
			all = append(all, reports.Expectation{Verdict: expect.Outcome(v)})
		}
		if got := reports.Worst(all); string(got) != c.want {
			t.Errorf("worst of %s is %s, want %s", c.all, got, c.want)
		}
	}
}

func TestExpectationsAreRendered(t *testing.T) {
	r := parted(t, "async.goodput > 2 * two.goodput", "nginx.goodput > 5")
	for name, c := range map[string]struct {
		render reports.Renderer
		want   []string
	}{
		"text":     {reports.Text(reports.TextOptions{}), []string{"\nExpectations\n  not held   async.goodput > 2 * two.goodput   (950/s v 2 × 950/s; intervals span", "  not asked  nginx.goodput > 5   (nginx has no part in this comparison)\n"}},
		"markdown": {reports.Markdown(nil), []string{"\n**Expectations**\n\n- **not held**: async.goodput > 2 \\* two.goodput (950/s v 2 × 950/s; intervals span the lowest and highest of 2 trials)\n"}},
		"json":     {reports.JSON, []string{`"verdict": "not asked"`}},
	} {
		var out bytes.Buffer
		if err := c.render(&out, r); err != nil {
			t.Fatal(err)
		}
		for _, want := range c.want {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s lacks %q:\n%s", name, want, &out)
			}
		}
	}
	// Without any, nothing is said of them.
	var out bytes.Buffer
	if err := reports.JSON(&out, parted(t)); err != nil || strings.Contains(out.String(), "expectations") || !json.Valid(out.Bytes()) {
		t.Errorf("a report without expectations has some: %v", err)
	}
}

func ExampleExpectations() {
	res := small()
	res.Scenarios[0].Expect = []string{"async.goodput > 10 * prefork.goodput", "prefork.goodput > 80/s"}
	r, err := reports.Analyse(res)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, e := range reports.Expectations(r) {
		fmt.Println(e.Verdict+":", e.Text)
	}
	fmt.Println(slices.Equal(r.Expectations, reports.Expectations(r)), reports.Worst(r.Expectations))
	// Output:
	// held: async.goodput > 10 * prefork.goodput
	// not held: prefork.goodput > 80/s
	// true not held
}
