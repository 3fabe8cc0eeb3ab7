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
	if got := slices.Sorted(maps.Keys(c.Response)); !slices.Equal(got, []string{"max", "mean", "p50", "p90", "p99"}) {
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
		if want := append([]string{"max", "mean"}, c.want...); !slices.Equal(got, want) {
			t.Errorf("%v: %v, want %v", c.samples, got, want)
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

// Slices that begin before the trial or end after it are as long as it lasted
// in them.
func TestSeriesEndWithTheTrial(t *testing.T) {
	res := few()
	for _, tr := range res.Measured {
		tr.Warmup, tr.Window = 120*time.Millisecond, 330*time.Millisecond
		tr.Series = nil
		for at := -100 * time.Millisecond; at <= 400*time.Millisecond; at += 100 * time.Millisecond {
			n := uint64(100)
			switch at {
			case -100 * time.Millisecond:
				n = 20
			case 400 * time.Millisecond:
				n = 30
			}
			tr.Series = append(tr.Series, scenarios.Interval{At: at, Length: 100 * time.Millisecond, Succeeded: n, P50: time.Millisecond})
		}
	}
	series := cell(t, analyse(t, res), "wait", "async").Series
	middles := []float64{-0.11, -0.05, 0.05, 0.15, 0.25, 0.315}
	if len(series) != len(middles) {
		t.Fatalf("%d slices, want %d", len(series), len(middles))
	}
	for i, s := range series {
		if math.Abs(s.Seconds-middles[i]) > 1e-9 || !close3(s.Goodput, 1000) {
			t.Errorf("slice %d: %g/s at %g s, want 1,000/s at %g s", i, s.Goodput, s.Seconds, middles[i])
		}
	}
}

// Whatever is missing has a footnote, an exclusion, or the rule in the method.
func TestNothingIsUnexplained(t *testing.T) {
	for name, res := range map[string]*scenarios.Result{"full": full(), "few": few(), "aa": same(), "traffic": traffic()} {
		r := analyse(t, res)
		used := map[int]bool{}
		for _, c := range r.Cells {
			missing := c.NotSpoken == "" && (!c.Goodput.Known() || !c.CPUPerRequest.Known() || !c.Memory.Known() || !c.Response["p99"].Known())
			if missing && len(c.Notes) == 0 {
				t.Errorf("%s: %s/%s lacks figures without a footnote", name, c.Scenario, c.Model)
			}
			if c.Trials > c.Valid && len(c.Invalid) == 0 {
				t.Errorf("%s: %s/%s hides invalid trials", name, c.Scenario, c.Model)
			}
			sentences := 2
			if len(c.Stages)+len(c.Beside) > 0 || c.Faults != nil {
				sentences = 3 // the last is about them
			}
			if c.Explanation == "" || strings.Count(c.Explanation, ". ") >= sentences || strings.Contains(c.Explanation, "  ") {
				t.Errorf("%s: %s/%s: %q is not a sentence or a few", name, c.Scenario, c.Model, c.Explanation)
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

// Of parts, CSV has rows of their own and nothing else changes.
func TestCSVOfParts(t *testing.T) {
	r := analyse(t, traffic())
	rows, err := csv.NewReader(strings.NewReader(render(t, reports.CSV, r))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	at := func(row []string, name string) string { return row[slices.Index(rows[0], name)] }
	parts := map[string]int{}
	for _, row := range rows[1:] {
		parts[at(row, "part")]++
		if at(row, "part") == "stage" && at(row, "part_name") == "rush" && at(row, "model") == "two" {
			if at(row, "offered_per_s") != "120" || at(row, "unsent") != "186" || at(row, "errors_by_kind") != "timeout=840" || at(row, "rank") != "" || at(row, "first_byte_p50_ms") == "" {
				t.Errorf("rush: %v", row)
			}
		}
		if at(row, "model") == "prefork" && at(row, "scenario") == "h2" && (at(row, "not_spoken") == "" || at(row, "goodput_per_s") != "") {
			t.Errorf("not spoken: %v", row)
		}
	}
	if want := map[string]int{"": len(r.Cells), "stage": 9, "request": 6, "beside": 6}; !maps.Equal(parts, want) {
		t.Errorf("rows %v, want %v", parts, want)
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
	for _, res := range []*scenarios.Result{full(), few(), same(), traffic(), sixteen()} {
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

// A model that doesn't speak a protocol is neither ranked nor in the way.
func TestNotSpoken(t *testing.T) {
	r := analyse(t, traffic())
	async, prefork := cell(t, r, "h2", "async"), cell(t, r, "h2", "prefork")
	if prefork.NotSpoken != "505 HTTP Version Not Supported" || prefork.Trials != 0 || prefork.Rank != 0 || len(prefork.Warnings) != 0 {
		t.Errorf("not spoken: %q, %d trials, rank %d, warnings %q", prefork.NotSpoken, prefork.Trials, prefork.Rank, prefork.Warnings)
	}
	if async.Rank != 1 || !async.Compared || len(async.Tied) != 0 {
		t.Errorf("the only one that speaks it: %+v", async)
	}
	for _, f := range []reports.Renderer{reports.Text(reports.TextOptions{}), reports.Markdown(nil)} {
		if n := strings.Count(render(t, f, r), "not spoken (505 HTTP Version Not Supported)"); n != 2 {
			t.Errorf("said %d times of 2 models", n)
		}
	}
}

// Scenarios with models of their own have no cells for the others', whether
// the run was complete or not.
func TestOnlyCellsThatWerePlanned(t *testing.T) {
	res := traffic()
	res.Scenarios[4].Models = res.Scenarios[4].Models[1:3] // of drip: prefork and async
	r := analyse(t, res)
	if n := len(r.Cells); n != 3+2+3+4+2 {
		t.Errorf("complete: %d cells", n)
	}
	res.State = "interrupted"
	res.Measured = slices.DeleteFunc(res.Measured, func(t *scenarios.Trial) bool { return t.Scenario == "drip" })
	var missing []string
	for _, c := range analyse(t, res).Cells {
		if c.Scenario == "drip" {
			missing = append(missing, c.Model)
		}
	}
	if !slices.Equal(missing, []string{"prefork", "async"}) {
		t.Errorf("interrupted: drip lacks %v", missing)
	}
}

// The parts of traffic follow the rules of the whole.
func TestParts(t *testing.T) {
	r := analyse(t, traffic())
	c := cell(t, r, "surge", "two")
	if len(c.Stages) != 3 || len(c.Requests) != 0 || len(c.Beside) != 0 {
		t.Fatalf("%d stages, %d kinds, %d crowds", len(c.Stages), len(c.Requests), len(c.Beside))
	}
	rush := c.Stages[1]
	if rush.Name != "rush" || rush.Kind != "ramp" || rush.From != 2 || rush.To != 5 || rush.Offered.Median != 120 ||
		rush.Failed != 840 || rush.Errors["timeout"] != 840 || rush.Unsent != 186 || rush.Goodput.N != 6 {
		t.Errorf("rush: %+v", rush)
	}
	// 79 requests in each trial are too few for p99, 117 are enough.
	if calm := c.Stages[0].Response; calm["p99"].Known() || !calm["p90"].Known() || !rush.Response["p99"].Known() || !rush.FirstByte["mean"].Known() {
		t.Errorf("quantiles: calm %v, rush %v", calm, rush.Response)
	}
	mix := cell(t, r, "mix", "async")
	if f := mix.Faults; f == nil || f.Sent != 48 || f.Failed != 762 || !close3(f.FailedShare.Median, 127.0/947) || f.SlowShare.Median != 0 || f.SlowShare.N != 6 || !f.Recovery["p50"].Known() {
		t.Errorf("faults: %+v", f)
	}
	if mix.Restarts.Median != 8 || mix.Requests[2].Kind != "fault" {
		t.Errorf("restarts %+v, kinds %+v", mix.Restarts, mix.Requests)
	}
	if b := cell(t, r, "slow", "async").Beside; len(b) != 2 || b[0].Received.Median != 300_000 || b[0].Samples != 34 || b[1].Service["p50"].Known() {
		t.Errorf("beside: %+v", b)
	}
	if g := cell(t, r, "drip", "async").Gaps; !g["p50"].Known() || !g["max"].Known() || g["p99.9"].Known() || len(cell(t, r, "slow", "async").Gaps) != 0 {
		t.Errorf("gaps: %v", g)
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
