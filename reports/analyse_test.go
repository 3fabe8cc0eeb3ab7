package reports_test

import (
	"encoding/csv"
	"encoding/json"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"gatewaylab/reports"
	"gatewaylab/scenarios"
)

func cell(t testing.TB, r *reports.Report, scenario, model string) *reports.Cell {
	t.Helper()
	for _, c := range r.Cells {
		if c.Scenario == scenario && c.Model == model {
			return c
		}
	}
	t.Fatalf("no cell %s/%s", scenario, model)
	return nil
}

func TestFiguresOfACell(t *testing.T) {
	wait := closed("wait", "", "", 50, "/wait?ms=50")
	r := result([]*scenarios.Scenario{wait}, models()[1:2], 6)
	for i := range 6 {
		n := uint64(100 + 10*i) // 50, 55 … 75 per second
		tr := &scenarios.Trial{
			Ref: scenarios.Ref{Scenario: "wait", Model: "prefork", Trial: i + 1}, Window: 2 * time.Second,
			Due: n + 5, Sent: n + 5, Succeeded: n, Measured: n, Failed: 5, Errors: map[string]uint64{"timeout": 3, "status 503": 2},
			Response: scenarios.NewHistogram(), Service: scenarios.NewHistogram(),
			Server: scenarios.ServerCost{CPU: time.Duration(n) * 2 * time.Millisecond, PeakMemory: int64(10+i) << 20, MemoryKind: "pss",
				Processes: 5, Threads: 10, Files: 20, Voluntary: 3 * n, Involuntary: n},
			Generator: scenarios.GeneratorCost{CPU: time.Second, Connections: n + 5},
		}
		for k := range n {
			tr.Response.Observe(time.Duration(k+1) * time.Millisecond) // p50 = n/2 ms
		}
		r.Measured = append(r.Measured, tr)
	}
	c := cell(t, analyse(t, r), "wait", "prefork")
	for name, got := range map[string]struct {
		e                 reports.Estimate
		median, low, high float64
		unit              string
	}{
		"goodput":     {c.Goodput, 62.5, 50, 75, "1/s"},
		"attempted":   {c.Attempted, 65, 52.5, 77.5, "1/s"},
		"offered":     {c.Offered, 65, 52.5, 77.5, "1/s"},
		"p50":         {c.Response["p50"], 62.5, 50, 75, "ms"},
		"cpu":         {c.CPUPerRequest, 2, 2, 2, "ms"},
		"server":      {c.ServerCPU, 0.125, 0.1, 0.15, "cores"},
		"generator":   {c.GeneratorCPU, 0.5, 0.5, 0.5, "cores"},
		"memory":      {c.Memory, 12.5, 10, 15, "MiB"},
		"processes":   {c.Processes, 5, 5, 5, ""},
		"switches":    {c.SwitchesPerRequest, 4, 4, 4, ""},
		"connections": {c.ConnectionsPerRequest, 1, 1, 1, ""},
	} {
		if !close3(got.e.Median, got.median) || !close3(got.e.Low, got.low) || !close3(got.e.High, got.high) || got.e.N != 6 || got.e.Unit != got.unit {
			t.Errorf("%s: %+v, want %v [%v, %v] %s", name, got.e, got.median, got.low, got.high, got.unit)
		}
	}
	if want := map[string]uint64{"timeout": 18, "status 503": 12}; !maps.Equal(c.Errors, want) || c.Failed != 30 {
		t.Errorf("errors %v, failed %d", c.Errors, c.Failed)
	}
	if c.Samples != 750 || c.MemoryKind != "pss" || len(c.Lag) != 0 {
		t.Errorf("samples %d, memory kind %q, lag %v", c.Samples, c.MemoryKind, c.Lag)
	}
	// 750 samples, each trial at least 100: p99 stands, p99.9 doesn't, and the
	// curve ends where five samples are left.
	if got := slices.Sorted(maps.Keys(c.Response)); !slices.Equal(got, []string{"p50", "p90", "p99"}) {
		t.Errorf("quantiles %v", got)
	}
	last := c.Curve[len(c.Curve)-1].Quantile
	if c.Curve[0].Quantile != 0 || last > 1-5.0/750 || last < 0.99 {
		t.Errorf("curve from %v to %v", c.Curve[0].Quantile, last)
	}
	if len(c.Service) != 0 {
		t.Errorf("service quantiles without samples: %v", c.Service)
	}
}

// close3 allows for the three significant figures of a histogram.
func close3(a, b float64) bool { return math.Abs(a-b) <= 2e-3*math.Abs(b) }

func TestQuantilesNeedEnoughSamples(t *testing.T) {
	wait := closed("wait", "", "", 50, "/wait")
	for _, c := range []struct {
		samples []uint64
		want    []string
	}{
		{[]uint64{1, 20, 20}, nil},
		{[]uint64{2, 4, 4}, []string{"p50"}},
		{[]uint64{3, 3, 3}, nil},
		{[]uint64{99, 500, 500}, []string{"p50", "p90"}},
		{[]uint64{100, 100, 299}, []string{"p50", "p90"}},
		{[]uint64{100, 100, 300}, []string{"p50", "p90", "p99"}},
		{[]uint64{1000, 1000, 3000}, []string{"p50", "p90", "p99", "p99.9"}},
		{[]uint64{999, 1000, 4000}, []string{"p50", "p90", "p99"}},
	} {
		r := result([]*scenarios.Scenario{wait}, models()[2:], 3)
		for i, n := range c.samples {
			tr := trial(wait, "async", i, shape{rate: 1, ms: 5, stretch: 1})
			tr.Succeeded, tr.Response = n, scenarios.NewHistogram()
			for range n {
				tr.Response.Observe(5 * time.Millisecond)
			}
			r.Measured = append(r.Measured, tr)
		}
		got := slices.Sorted(maps.Keys(cell(t, analyse(t, r), "wait", "async").Response))
		if !slices.Equal(got, c.want) {
			t.Errorf("%v: %v, want %v", c.samples, got, c.want)
		}
	}
}

func TestRanking(t *testing.T) {
	r := analyse(t, full())
	fast, slow := cell(t, r, "hello", "async"), cell(t, r, "hello", "cgi")
	if fast.Rank != 1 || fast.Ratio != 1 || !fast.Compared || len(fast.Tied) != 0 {
		t.Errorf("the fastest: rank %d, ratio %v, compared %v, tied %v", fast.Rank, fast.Ratio, fast.Compared, fast.Tied)
	}
	if slow.Rank != 3 || !slow.Compared || slow.P >= 0.05 || math.Abs(slow.Ratio-591.0/22344) > 1e-3 {
		t.Errorf("the slowest: rank %d, ratio %v, compared %v, p %v", slow.Rank, slow.Ratio, slow.Compared, slow.P)
	}
	async, prefork, cgi := cell(t, r, "cpu", "async"), cell(t, r, "cpu", "prefork"), cell(t, r, "cpu", "cgi")
	if async.Compared || prefork.Compared || !slices.Equal(async.Tied, []string{"prefork"}) || !slices.Equal(prefork.Tied, []string{"async"}) {
		t.Errorf("equals: %v %v, %v %v", async.Compared, async.Tied, prefork.Compared, prefork.Tied)
	}
	if cgi.Rank != 0 || cgi.Goodput.Known() || cgi.Compared {
		t.Errorf("nothing measured: rank %d, goodput %+v", cgi.Rank, cgi.Goodput)
	}
	// Five valid trials call no winner, however far the models are apart.
	if c := cell(t, r, "wait", "prefork"); c.Compared || c.Valid != 5 || !slices.Contains(c.Tied, "async") {
		t.Errorf("five trials: compared %v, valid %d, tied %v", c.Compared, c.Valid, c.Tied)
	}
}

func TestInvalidTrialsAreLeftOutAndListed(t *testing.T) {
	wait := closed("wait", "", "", 50, "/wait?ms=50")
	good := shape{rate: 80, ms: 600, stretch: 1, cpu: 0.3, memory: 20, procs: 5, errors: map[string]uint64{"timeout": 1}}
	with, without := result([]*scenarios.Scenario{wait}, models()[1:2], 7), result([]*scenarios.Scenario{wait}, models()[1:2], 6)
	add(with, wait, "prefork", 6, good)
	add(without, wait, "prefork", 6, good)
	bad := trial(wait, "prefork", 6, shape{rate: 9999, ms: 1, stretch: 1, cpu: 9, memory: 900, procs: 99, unsent: 7,
		errors: map[string]uint64{"timeout": 500}, warnings: []string{"never seen"}, invalid: []string{"the generator ran late"}})
	with.Measured = append(with.Measured, bad)
	a, b := cell(t, analyse(t, with), "wait", "prefork"), cell(t, analyse(t, without), "wait", "prefork")
	if !slices.Equal(a.Invalid, []string{"trial 7: the generator ran late"}) || a.Trials != 7 || a.Valid != 6 || len(a.Each) != 7 || a.Each[6].Valid {
		t.Errorf("not listed: %+v", a.Invalid)
	}
	a.Invalid, a.Trials, a.Each = b.Invalid, b.Trials, b.Each
	if x, y := encode(t, a), encode(t, b); x != y {
		t.Errorf("an invalid trial changed the figures:\n%s\n%s", x, y)
	}
}

func encode(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestSeriesMeetInTime(t *testing.T) {
	c := cell(t, analyse(t, full()), "hello", "async")
	if len(c.Series) != 10 { // 0.5 s of warm-up and 2 s of window, by 250 ms
		t.Fatalf("%d slices", len(c.Series))
	}
	for i, s := range c.Series {
		if want := -0.375 + 0.25*float64(i); math.Abs(s.Seconds-want) > 1e-9 || s.N != 6 {
			t.Errorf("slice %d at %v s of %d trials, want %v s", i, s.Seconds, s.N, want)
		}
		if !close3(s.Goodput, 22344) || !close3(s.P50, 1.21) {
			t.Errorf("slice %d: %+v", i, s)
		}
	}
}

// Whatever is missing has a footnote, an exclusion, or the rule in the method.
func TestNothingIsUnexplained(t *testing.T) {
	for name, res := range map[string]*scenarios.Result{"full": full(), "few": few(), "aa": same()} {
		r := analyse(t, res)
		used := map[int]bool{}
		for _, c := range r.Cells {
			missing := !c.Goodput.Known() || !c.CPUPerRequest.Known() || !c.Memory.Known() || len(c.Response) < 3
			if missing && len(c.Notes) == 0 {
				t.Errorf("%s: %s/%s lacks figures without a footnote", name, c.Scenario, c.Model)
			}
			if c.Trials > c.Valid && len(c.Invalid) == 0 {
				t.Errorf("%s: %s/%s hides invalid trials", name, c.Scenario, c.Model)
			}
			if c.Explanation == "" || strings.Count(c.Explanation, ". ") > 1 {
				t.Errorf("%s: %s/%s: %q is not one or two sentences", name, c.Scenario, c.Model, c.Explanation)
			}
			for _, n := range c.Notes {
				used[n] = true
			}
			if (len(c.Warnings) == 0) != (len(c.Notes) == 0) {
				t.Errorf("%s: %s/%s: warnings %q, footnotes %v", name, c.Scenario, c.Model, c.Warnings, c.Notes)
			}
		}
		for i, n := range r.Footnotes {
			if !used[i+1] || slices.Index(r.Footnotes, n) != i {
				t.Errorf("%s: footnote %d is unused or stands twice: %q", name, i+1, n)
			}
		}
	}
}

func TestNotesOfTheRun(t *testing.T) {
	notes := strings.Join(analyse(t, few()).Notes, "\n")
	for _, want := range []string{"Interrupted: 5 of 9 planned trials", "Quick run: 3 trials", "confidence 75 %"} {
		if !strings.Contains(notes, want) {
			t.Errorf("notes lack %q:\n%s", want, notes)
		}
	}
	aa := analyse(t, same())
	if !strings.HasPrefix(aa.Notes[0], "A/A run") || len(aa.NoiseFloor) != 4 {
		t.Fatalf("%q, noise floor %+v", aa.Notes, aa.NoiseFloor)
	}
	if f := aa.NoiseFloor[0]; f.Quantity != "goodput" || f.Told || math.Abs(f.Percent-0.4) > 0.05 || f.Text == "" {
		t.Errorf("noise floor %+v", f)
	}
}

func TestRefusedModelIsShown(t *testing.T) {
	r := full()
	r.Refused = map[string]string{"cgi": "it answered /echo differently"}
	r.Measured = slices.DeleteFunc(r.Measured, func(t *scenarios.Trial) bool { return t.Model == "cgi" })
	c := cell(t, analyse(t, r), "hello", "cgi")
	if len(c.Warnings) != 1 || !strings.Contains(c.Warnings[0], "it answered /echo differently") {
		t.Errorf("warnings %q", c.Warnings)
	}
}

func TestContradictionsAreErrors(t *testing.T) {
	for name, change := range map[string]func(*scenarios.Result){
		"no scenario":    func(r *scenarios.Result) { r.Scenarios = nil },
		"unknown model":  func(r *scenarios.Result) { r.Measured[0].Model = "other" },
		"a zero window":  func(r *scenarios.Result) { r.Measured[0].Window = 0 },
		"another's cell": func(r *scenarios.Result) { r.Measured[0].Scenario = "other" },
	} {
		r := full()
		change(r)
		if _, err := reports.Analyse(r); err == nil || !strings.HasPrefix(err.Error(), `analyse run "first": `) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A trial in which nothing succeeded, or nothing was kept, must not break.
func TestEmptyTrials(t *testing.T) {
	wait := closed("wait", "", "", 50, "/wait?ms=50")
	r := result([]*scenarios.Scenario{wait}, models()[:2], 6)
	for i := range 6 {
		r.Measured = append(r.Measured, &scenarios.Trial{Ref: scenarios.Ref{Scenario: "wait", Model: "cgi", Trial: i + 1},
			Window: time.Second, Failed: 4, Errors: map[string]uint64{"connection refused": 4}})
	}
	rep := analyse(t, r)
	c := cell(t, rep, "wait", "cgi")
	if c.Goodput.Median != 0 || c.CPUPerRequest.Known() || c.Compared || !strings.HasPrefix(c.Explanation, "No request succeeded") {
		t.Errorf("%+v", c)
	}
	for _, f := range []reports.Renderer{reports.Text(reports.TextOptions{}), reports.Markdown(nil), reports.CSV, reports.JSON} {
		if out := render(t, f, rep); strings.Contains(out, "NaN") || strings.Contains(out, "Inf") {
			t.Error(out)
		}
	}
}

func TestTextKeepsToItsWidth(t *testing.T) {
	for _, res := range []*scenarios.Result{full(), few(), same()} {
		r := analyse(t, res)
		for _, width := range []int{80, 100, 120, 200} {
			for line := range strings.Lines(render(t, reports.Text(reports.TextOptions{Width: width}), r)) {
				line = strings.TrimSuffix(line, "\n")
				if w := ansi.StringWidth(line); w > width || strings.HasSuffix(line, " ") {
					t.Errorf("%d wide of %d: %q", w, width, line)
				}
			}
		}
		plain := render(t, reports.Text(reports.TextOptions{}), r)
		colour := render(t, reports.Text(reports.TextOptions{Colour: true}), r)
		if plain == colour || ansi.Strip(colour) != plain || ansi.Strip(plain) != plain {
			t.Error("colour changes more than the colour")
		}
	}
}

func TestLongLabelsWrap(t *testing.T) {
	r := full()
	long := "prefork:workers=4,timeout=30s,max_requests=1000,max_requests_jitter=100"
	r.Models[1].Label = long
	for _, tr := range r.Measured {
		if tr.Model == "prefork" {
			tr.Model = long
		}
	}
	for line := range strings.Lines(render(t, reports.Text(reports.TextOptions{Width: 100}), analyse(t, r))) {
		if w := ansi.StringWidth(strings.TrimSuffix(line, "\n")); w > 100 {
			t.Errorf("%d wide: %q", w, line)
		}
	}
}

// Renderers compute nothing: every format shows the figures of the Report.
func TestFormatsAgree(t *testing.T) {
	r := analyse(t, full())
	var decoded reports.Report
	if err := json.Unmarshal([]byte(render(t, reports.JSON, r)), &decoded); err != nil {
		t.Fatal(err)
	}
	if a, b := encode(t, r), encode(t, &decoded); a != b {
		t.Error("JSON does not decode to what was encoded")
	}
	rows, err := csv.NewReader(strings.NewReader(render(t, reports.CSV, r))).ReadAll()
	if err != nil || len(rows) != len(r.Cells)+1 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	text := render(t, reports.Text(reports.TextOptions{Width: 200}), r)
	_, tables, _ := strings.Cut(text, "hello ─") // without the legend
	figures := regexp.MustCompile(`(\S+) \[(\S+)–(\S+)\]`).FindAllStringSubmatch(tables, -1)
	markdown := render(t, reports.Markdown(nil), r)
	for i, c := range r.Cells {
		at := func(name string) string { return rows[i+1][slices.Index(rows[0], name)] }
		if at("model") != c.Model || at("explanation") != c.Explanation || at("unsent") != map[bool]string{true: strconv.FormatUint(c.Unsent, 10)}[c.Valid > 0] {
			t.Errorf("row %d is not %s/%s", i, c.Scenario, c.Model)
		}
		if !c.Goodput.Known() {
			if at("goodput_per_s") != "" || at("response_p50_ms") != "" || at("memory_mib") != "" {
				t.Errorf("%s/%s: CSV shows figures that are not known", c.Scenario, c.Model)
			}
			continue
		}
		for name, e := range map[string]reports.Estimate{"goodput_per_s": c.Goodput, "response_p99_ms": c.Response["p99"], "cpu_per_request_ms": c.CPUPerRequest, "memory_mib": c.Memory} {
			if v, err := strconv.ParseFloat(at(name), 64); err != nil || math.Abs(v-e.Median) > 1e-5*e.Median {
				t.Errorf("%s/%s: CSV says %s = %q, the report %v", c.Scenario, c.Model, name, at(name), e.Median)
			}
		}
		shown := figures[0]
		figures = figures[1:]
		for k, v := range []float64{c.Goodput.Median, c.Goodput.Low, c.Goodput.High} {
			if got, err := strconv.ParseFloat(strings.ReplaceAll(shown[k+1], ",", ""), 64); err != nil || math.Abs(got-v) > 0.006*v+1e-9 {
				t.Errorf("%s/%s: text shows %q for %v", c.Scenario, c.Model, shown[k+1], v)
			}
		}
		if want := shown[1] + ` \[` + shown[2] + "–" + shown[3] + `\]`; !strings.Contains(markdown, want) {
			t.Errorf("%s/%s: Markdown lacks %q", c.Scenario, c.Model, want)
		}
	}
}
