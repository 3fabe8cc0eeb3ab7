package chart

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"gatewaylab/reports"
	"gatewaylab/scenarios"
	"gatewaylab/scenarios/load"

	"gonum.org/v1/plot/vg"
)

func TestFilesAreWhatIsDrawn(t *testing.T) {
	for _, r := range []*reports.Report{staged(sixModels[:2]...), harmful(), nothing()} {
		_, drawn := write(t, r, Options{Formats: []string{"svg"}})
		if listed := Files(r, "svg"); !slices.Equal(drawn, listed) {
			t.Errorf("drawn  %v\nlisted %v", drawn, listed)
		}
	}
}

func TestStagesAndFaultsHavePlots(t *testing.T) {
	var names []string
	for _, f := range append(Files(staged(sixModels...), "png"), Files(harmful(), "png")...) {
		if f.Kind == KindStages || f.Kind == KindFaults {
			names = append(names, f.Path)
		}
	}
	want := []string{"spike-stages.png", "curve-stages.png", "users-stages.png", "a-working-day-stages.png", "fifty-stages.png", "crash-faults.png"}
	if !slices.Equal(names, want) {
		t.Errorf("plots %v, want %v", names, want)
	}
}

func TestStagesAreNamed(t *testing.T) {
	dir, _ := write(t, staged(sixModels...), Options{Formats: []string{"svg"}})
	for name, want := range map[string][]string{
		"spike-stages.svg":                    {"calm", "rush", "after", "60–600/s", "stage, in the order of time", "goodput = offered", "protocol not spoken"},
		"curve-stages.svg":                    {"offered (arrivals/s)", "100", "1,200", "response time, p99", "by load"},
		"users-stages.svg":                    {"users, log scale", "16", "64", "by load"},
		"a-working-day-stages.svg":            {"1\u00a0before anyone is awake", "12\u00a0night"},
		"fifty-stages.svg":                    {"10", "50"},
		"spike-latency-over-time.svg":         {"calm", "rush", "after", "offered arrivals/s", "600"},
		"a-working-day-latency-over-time.svg": {"breakfast", "offered users", "offered arrivals/s"},
		"ramp-latency-over-time.svg":          {"offered arrivals/s", "800"},
	} {
		all := parse(t, read(t, dir, name)).joined()
		for _, w := range want {
			if !strings.Contains(all, w) {
				t.Errorf("%s: no %q in\n%s", name, w, all)
			}
		}
	}
	if all := parse(t, read(t, dir, "users-stages.svg")).joined(); strings.Contains(all, "goodput = offered") {
		t.Error("a closed loop offers what it achieves")
	}
}

func TestTrafficIsDescribed(t *testing.T) {
	of := func(r *reports.Report, name string) string {
		v := newRun(r)
		for _, sc := range v.scenes {
			if sc.Name == name {
				v, sc := v.within(sc)
				return v.setup(sc)
			}
		}
		t.Fatal("no scenario " + name)
		return ""
	}
	for _, c := range []struct {
		r    *reports.Report
		name string
		want []string
	}{
		{staged(sixModels...), "spike", []string{
			"95\u00a0% short · 5\u00a0% long", "HTTP/2 without TLS (h2c), 8 streams per connection", "prefork does not speak h2c.", "two\u00a0=\u00a0prefork:workers=2",
			"beside it 4 slow-read clients (crawlers) at 10\u00a0KB/s and 100 idle clients",
		}},
		{harmful(), "crash", []string{"1\u00a0% /crash (does harm)", "200 requests/s due, at random (Poisson)"}},
		{harmful(), "stream", []string{"closed loop, 8 clients thinking about 100 ms", "1 request per connection"}},
	} {
		got := of(c.r, c.name)
		for _, w := range c.want {
			if !strings.Contains(got, w) {
				t.Errorf("%s: no %q in\n%s", c.name, w, got)
			}
		}
	}
}

// TestModelsOfOtherScenarios: a scenario's own plots leave them out, and a
// model keeps its mark in all plots.
func TestModelsOfOtherScenarios(t *testing.T) {
	r := harmful()
	dir, _ := write(t, r, Options{Formats: []string{"svg"}})
	for name, out := range map[string]string{"crash-goodput.svg": "nginx", "stream-goodput.svg": "cgi", "stream-latency-over-time.svg": "cgi"} {
		if all := parse(t, read(t, dir, name)).joined(); strings.Contains(all, out) {
			t.Errorf("%s speaks of %s:\n%s", name, out, all)
		}
	}
	if all := parse(t, read(t, dir, "goodput.svg")).joined(); !strings.Contains(all, "–: the scenario brings models of its own") {
		t.Errorf("goodput.svg does not explain its dashes:\n%s", all)
	}
	v := newRun(r)
	w, _ := v.within(v.scenes[1])
	if !slices.Equal(w.models, []string{"async", "nginx+prefork"}) || !slices.Equal(w.marks, []int{2, 3}) {
		t.Errorf("models %v with marks %v", w.models, w.marks)
	}
	th, _ := themeNamed("light")
	if (&pen{th, w.marks}).colour(0) != (&pen{theme: th}).colour(2) {
		t.Error("a model changes its colour")
	}
}

func TestFirstByteIsShownWhereItDiffers(t *testing.T) {
	dir, _ := write(t, harmful(), Options{Formats: []string{"svg"}})
	for name, want := range map[string]bool{"stream-latency-percentiles.svg": true, "crash-latency-percentiles.svg": false} {
		if all := parse(t, read(t, dir, name)).joined(); strings.Contains(all, "first byte: sent to first byte") != want {
			t.Errorf("%s: first byte shown is %v, want %v", name, !want, want)
		}
	}
}

func TestProfiles(t *testing.T) {
	const s = time.Second
	for _, c := range []struct {
		what string
		st   load.Stage
		want [][2]float64
	}{
		{"constant", load.Stage{Shape: load.Constant, From: 7, For: 2 * s}, [][2]float64{{0, 7}, {2, 7}}},
		{"ramp", load.Stage{Shape: load.Ramp, From: 1, To: 9, For: 4 * s}, [][2]float64{{0, 1}, {4, 9}}},
		{"steps", load.Stage{Shape: load.Steps, From: 10, To: 30, Levels: 3, For: 3 * s}, [][2]float64{{0, 10}, {1, 10}, {1, 20}, {2, 20}, {2, 30}, {3, 30}}},
		{"spike", load.Stage{Shape: load.Spike, From: 1, To: 8, At: s, Lasting: s / 2, For: 3 * s}, [][2]float64{{0, 1}, {1, 1}, {1, 8}, {1.5, 8}, {1.5, 1}, {3, 1}}},
		{"users", load.Stage{Shape: load.Users, UsersFrom: 1, UsersTo: 5, Levels: 2, For: 2 * s}, [][2]float64{{0, 1}, {1, 1}, {1, 5}, {2, 5}}},
		{"nothing", load.Stage{Shape: load.Constant, From: 7}, nil},
	} {
		if got := profile(&c.st); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.what, got, c.want)
		}
	}
	sine := profile(&load.Stage{Shape: load.Sine, From: 0, To: 10, Every: s, For: 2 * s})
	low, high := math.Inf(1), 0.0
	for _, pt := range sine {
		low, high = min(low, pt[1]), max(high, pt[1])
	}
	if low > 0.1 || high < 9.9 {
		t.Errorf("a sine from 0 to 10 is drawn from %v to %v", low, high)
	}
	replay := profile(&load.Stage{Shape: load.Replay, For: 2 * s, Times: []time.Duration{0, s / 2, s, s, 2 * s}})
	sum := 0.0
	for i := 1; i < len(replay); i += 2 {
		sum += replay[i][1] * (replay[i][0] - replay[i-1][0])
	}
	if math.Abs(sum-5) > 1e-6 {
		t.Errorf("5 arrivals are drawn as %v", sum)
	}
}

func TestStageNamesFit(t *testing.T) {
	th, _ := themeNamed("light")
	f := (&pen{theme: th}).face(sizeSmall, false, th.ink)
	even := func(width vg.Length, texts ...string) (all []slot) {
		for i, s := range texts {
			all = append(all, slot{vg.Length(i) * width, vg.Length(i+1) * width, s})
		}
		return all
	}
	for _, c := range []struct {
		what  string
		slots []slot
		want  string
	}{
		{"room", even(100, "calm", "rush", "after"), "calm|rush|after"},
		{"a long one is cut", even(60, "calm", "the great rush of all", "after"), "calm|the great rush…|after"},
		{"numbers", even(12, "warming", "working", "resting", "waiting"), "1|2|3|4"},
		{"some numbers", even(7, "a day", "b day", "c day", "d day", "e day", "f day"), "|2||4||6"},
		{"a neighbour's room", []slot{{0, 100, "calm"}, {100, 112, "spike"}, {112, 200, "after"}}, "calm|spike|after"},
		{"none", nil, ""},
	} {
		if got := strings.Join(f.fit(c.slots), "|"); got != c.want {
			t.Errorf("%s: %s, want %s", c.what, got, c.want)
		}
	}
}

func TestQuantileThatStagesSupport(t *testing.T) {
	ms := reports.Estimate{Median: 5, N: 6}
	cells := func(parts ...map[string]reports.Estimate) *reports.Cell {
		c := &reports.Cell{}
		for _, p := range parts {
			c.Stages = append(c.Stages, reports.PartCell{Response: p})
		}
		return c
	}
	all := map[string]reports.Estimate{"p50": ms, "p90": ms, "p99": ms}
	most := map[string]reports.Estimate{"p50": ms, "p90": ms}
	least := map[string]reports.Estimate{"p50": ms}
	for want, cs := range map[string][]*reports.Cell{
		"p99": {cells(all, all), cells(all, most), nil},
		"p90": {cells(all, most), cells(all, most)},
		"p50": {cells(all, least), elsewhere},
	} {
		sc := &scene{Scenario: &scenarios.Scenario{Stages: make([]load.Stage, 2)}, cells: cs}
		if got := sc.quantile(); got != want {
			t.Errorf("quantile is %s, want %s", got, want)
		}
	}
}

// TestLoadCurve: only levels of one kind that rise or fall make one.
func TestLoadCurve(t *testing.T) {
	users := func(n int) load.Stage { return load.Stage{Shape: load.Users, UsersFrom: n, For: 1} }
	rate := func(v float64) load.Stage { return constant("", v, 1) }
	for _, c := range []struct {
		stages []load.Stage
		want   string
	}{
		{[]load.Stage{rate(1), rate(2), rate(3)}, "offered (arrivals/s)"},
		{[]load.Stage{rate(9), rate(2), rate(1)}, "offered (arrivals/s)"},
		{[]load.Stage{users(1), users(2), users(4)}, "users"},
		{[]load.Stage{rate(1), rate(2), rate(1)}, ""},
		{[]load.Stage{rate(1), rate(2), users(3)}, ""},
		{[]load.Stage{rate(1), rate(2), {Shape: load.Ramp, From: 3, To: 4, For: 1}}, ""},
		{[]load.Stage{rate(1), rate(2)}, ""},
	} {
		sc := &scene{Scenario: &scenarios.Scenario{Stages: c.stages}}
		if _, got := sc.curve(); got != c.want {
			t.Errorf("%v: %q, want %q", c.stages, got, c.want)
		}
	}
}

// TestStagesWithoutFigures: what was to be offered is shown all the same.
func TestStagesWithoutFigures(t *testing.T) {
	dir, _ := write(t, stagedNothing(), Options{Formats: []string{"svg"}})
	for name, want := range map[string]string{"curve-stages.svg": "nothing was measured by stage", "spike-latency-over-time.svg": "calm rush after"} {
		if all := parse(t, read(t, dir, name)).joined(); !strings.Contains(all, want) {
			t.Errorf("%s: no %q in\n%s", name, want, all)
		}
	}
}
