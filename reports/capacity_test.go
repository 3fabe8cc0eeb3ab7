package reports_test

import (
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gatewaylab/reports"
	"gatewaylab/scenarios"
	"gatewaylab/scenarios/capacity"
)

// searched is a run of a search against servers that exist as formulas only:
// four workers of 50 ms, and one that the generator can't exhaust.
func searched() *scenarios.Result { return searchedAmong(models()[1:]) }

func searchedAmong(ms []scenarios.ModelInfo) *scenarios.Result {
	base := closed("wait", "Waiting for something else", "How many?", 50, "/wait?ms=50")
	base.Timeout = 10 * time.Second
	res := result(nil, ms, 6)
	res.Name = "capacity-wait"
	res.Inquiry = &scenarios.Inquiry{
		Kind: scenarios.ByRate, Scenario: "wait", Objective: "p99<100ms,errors<0.1%",
		From: 50, To: 20_000, Least: 5, Resolution: 0.05, Agree: 6, Most: 80, Curve: true,
	}
	at := map[float64]*scenarios.Scenario{}
	try := func(model string, rate float64) {
		if at[rate] == nil {
			at[rate] = capacity.AtRate(base, rate, 2*time.Second, false)
			res.Scenarios = append(res.Scenarios, at[rate])
		}
		n := 0
		for _, t := range res.Measured {
			if t.Model == model && t.Scenario == at[rate].Name {
				n++
			}
		}
		t := trial(at[rate], model, n, formula(model, rate, n))
		t.Order = len(res.Measured) + 1
		res.Measured = append(res.Measured, t)
	}
	for _, m := range res.Models {
		for {
			rate, more := capacity.Retrace(res, m.Label).Search.Next()
			if !more {
				break
			}
			try(m.Label, rate)
		}
		for _, share := range []float64{0.5, 0.8} {
			for range 6 {
				try(m.Label, capacity.Round(share*capacity.Retrace(res, m.Label).Search.Finding().Rate))
			}
		}
	}
	res.Planned = len(res.Measured)
	return res
}

// formula is what a trial of a model comes to at a rate.
func formula(model string, rate float64, i int) shape {
	s := shape{rate: rate, ms: 51, stretch: 1.1, cpu: 0.4, gen: 0.05, memory: 13, procs: 5, perConn: 1, busy: 4}
	if model == "prefork" {
		s.ms += max(0, (rate-80)*12) * jitter(i)
		s.rate = min(rate, 80)
		if rate > 90 {
			s.errors = map[string]uint64{"timeout": 4}
		}
	} else if rate > 12_000 {
		s.starved = true
		s.invalid = []string{"the generator ran late: p99 of its lag behind the schedule was 20ms, more than 10ms"}
	}
	return s
}

// scaled is a run with users, of a server that follows the law exactly.
func scaled() *scenarios.Result {
	base := closed("wait", "Waiting for something else", "How many?", 50, "/wait?ms=50")
	res := result(nil, models()[1:2], 6)
	res.Name = "capacity-wait"
	res.Inquiry = &scenarios.Inquiry{Kind: scenarios.ByUsers, Scenario: "wait", Agree: 6, Users: []int{1, 2, 4, 8, 16, 32, 64}, Objective: "p99<50ms"}
	for _, n := range res.Inquiry.Users {
		s := capacity.AtUsers(base, n, 2*time.Second)
		res.Scenarios = append(res.Scenarios, s)
		u := float64(n)
		x := 100 * u / (1 + 0.05*(u-1) + 0.0008*u*(u-1))
		for i := range 6 {
			t := trial(s, res.Models[0].Label, i, shape{rate: x, ms: 1e3 * u / x, stretch: 1.2, cpu: 0.4, gen: 0.05, memory: 13, procs: 5, busy: 4})
			t.Order = len(res.Measured) + 1
			res.Measured = append(res.Measured, t)
		}
	}
	res.Planned = len(res.Measured)
	return res
}

// tuned is a search for the best of three settings, of which two are alike.
func tuned() *scenarios.Result {
	res := searched()
	res.Inquiry.Kind, res.Inquiry.Curve = scenarios.BySettings, false
	labels := map[string]string{}
	for i, name := range []string{"prefork:workers=4", "prefork:workers=8"} {
		labels[res.Models[i].Label] = name
		res.Models[i].Label, res.Models[i].Spec = name, name
	}
	for _, t := range res.Measured {
		t.Model = labels[t.Model]
	}
	return res
}

func TestCapacity(t *testing.T) {
	r := analyse(t, searched())
	prefork, async := r.Capacity.Models[0], r.Capacity.Models[1]
	if !prefork.LowSure || !prefork.HighSure || prefork.Low > 84 || prefork.High < 80 || prefork.High/prefork.Low > 1.06 {
		t.Errorf("prefork: %+v", prefork)
	}
	if async.Limit != capacity.LimitGenerator || async.High != 0 || async.Low < 11_000 || async.Low > 12_000 {
		t.Errorf("async: %+v", async)
	}
	if !strings.Contains(async.Text, "could not keep up") || !strings.HasPrefix(async.Held(), "≥ 11,") {
		t.Errorf("async is said to hold %s: %s", async.Held(), async.Text)
	}
	for _, m := range r.Capacity.Models {
		for _, p := range m.Points {
			if p.Trials != p.Held+p.Broken+p.Starved+p.Void || p.Cell == nil {
				t.Errorf("%s at %g/s: %+v", m.Model, p.Load, p)
			}
			if p.Verdict == "broken" && len(p.Why) == 0 {
				t.Errorf("%s at %g/s is broken, and nothing says why", m.Model, p.Load)
			}
		}
	}
}

// Tables and plots show the quantile that the objective is about.
func TestCapacityOfAnotherQuantile(t *testing.T) {
	res := searched()
	res.Inquiry.Objective = "p98<100ms,errors<0.1%"
	r := analyse(t, res)
	if c := r.Capacity; !slices.Equal(c.Drawn, []string{"p50", "p98"}) || !slices.Equal(c.Quantiles, []string{"p50", "p98", "p99"}) || c.Limits[0].Quantile != "p98" {
		t.Errorf("drawn %v, in tables %v, limits %v", c.Drawn, c.Quantiles, c.Limits)
	}
	out := render(t, reports.Text(reports.TextOptions{Width: 100}), r)
	for _, want := range []string{
		`p50 +p98 +p99 `, `\n  84.1 +104 % +broke 6 of 6 .* 101 ±3% +10[0-9] ±3% +110 ±3%`, `p98, log scale`,
	} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("no %s in\n%s", want, out)
		}
	}
}

// Near its limit a server holds a rate in one trial and not in the next: the
// answer begins with what is certain, and says why it is no narrower.
func TestCapacityUneven(t *testing.T) {
	res := searched()
	res.Scenarios, res.Measured, res.Models = nil, nil, res.Models[:1]
	base := closed("wait", "Waiting for something else", "How many?", 50, "/wait?ms=50")
	base.Timeout = 10 * time.Second
	for _, p := range []struct {
		rate         float64
		held, broken int
	}{{80, 6, 0}, {84, 3, 2}, {88, 5, 0}, {92, 3, 3}, {105, 0, 6}} {
		sc := capacity.AtRate(base, p.rate, 2*time.Second, false)
		res.Scenarios = append(res.Scenarios, sc)
		for i := range p.held + p.broken {
			s := shape{rate: p.rate, ms: 51, stretch: 1.1, cpu: 0.4, memory: 13, procs: 5}
			if i >= p.held {
				s.ms = 300
			}
			res.Measured = append(res.Measured, trial(sc, "prefork", i, s))
		}
		if p.rate == 105 {
			spoilt := trial(sc, "prefork", 6, shape{rate: p.rate, ms: 51, stretch: 1.1, invalid: []string{"other programs used 38 % of the processor time; stop them and run again"}})
			res.Measured = append(res.Measured, spoilt)
		}
	}
	res.Planned = len(res.Measured)
	var out strings.Builder
	if err := reports.Text(reports.TextOptions{Width: 400})(&out, analyse(t, res)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"Holds the objective up to 80/s for certain (all 6 trials of 80/s held it), and in most trials up to 88/s (5 of 5); " +
			"all 6 trials of 105/s broke it: p99 was 329 ms (and in 5 trials like it). " +
			"The interval is 31 % wide, more than the resolution of 5 %: at rates within it trials differ from one to the next.\n",
		"  105/s: p99 was 329 ms (and in 5 trials like it)\n" +
			"  105/s, 1 trial left out as not valid: other programs used 38 % of the processor time; stop them and run again\n",
		"  88/s was held (5 of 5) although 84/s, which is less, was not by all (3 of 5): near its limit a server holds a rate in one trial and not in the next.\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("lacks %q in\n%s", want, out.String())
		}
	}
}

// Of servers that the lab didn't start it says as much as they tell.
func TestCapacityOfTargets(t *testing.T) {
	ms := models()[1:]
	for _, c := range []struct {
		target scenarios.TargetInfo
		held   string
		says   string
	}{
		{scenarios.TargetInfo{Local: true}, "≥ 11,", "and with whatever else ran, which is not known, and not the server's"},
		{scenarios.TargetInfo{}, "≥ 5,000", "A server that is not on this machine gets no more than 5,000/s."},
	} {
		ms[1].Target = &c.target
		res := searchedAmong(ms)
		for _, tr := range res.Measured {
			if tr.Model == ms[1].Label {
				tr.Server = scenarios.ServerCost{Unknown: true, MeanBusy: -1}
			}
		}
		r := analyse(t, res)
		m := r.Capacity.Models[1]
		if !strings.HasPrefix(m.Held(), c.held) || !strings.Contains(m.Text, c.says) || m.Spent {
			t.Errorf("%+v holds %s: %s", c.target, m.Held(), m.Text)
		}
		for _, p := range m.Points {
			if p.Cell.CPUPerRequest.Known() || p.Cell.Memory.Known() {
				t.Errorf("%+v: costs at %g/s are %+v and %+v", c.target, p.Load, p.Cell.CPUPerRequest, p.Cell.Memory)
			}
		}
		first := slices.IndexFunc(res.Measured, func(tr *scenarios.Trial) bool { return tr.Model == ms[1].Label })
		res.Measured = res.Measured[:first+5]
		m = analyse(t, res).Capacity.Models[1]
		if said := strings.Contains(m.Text, "for 30 min at most"); m.Held() != "≥ 800" || said == c.target.Local {
			t.Errorf("%+v, with no time left, holds %s: %s", c.target, m.Held(), m.Text)
		}
	}
}

// What theory allows at the most stands beside what was found, and what it says
// of each load beside its goodput.
func TestCapacityAgainstTheory(t *testing.T) {
	ms := models()[1:]
	for i := range ms {
		ms[i].Spec = ms[i].Label
	}
	res := searchedAmong(ms)
	r := analyse(t, res)
	if err := reports.HoldAgainstTheory(r, res); err != nil {
		t.Fatal(err)
	}
	prefork := r.Capacity.Models[0]
	if f := prefork.Theory.Figures; len(f) != 1 || f[0].Quantity != "ceiling" || math.Abs(f[0].Predicted-80) > 1 || math.Abs(f[0].Percent) > 5 {
		t.Errorf("theory: %+v", prefork.Theory)
	}
	if !strings.Contains(prefork.Text, "Theory: no more than ") || !strings.Contains(prefork.Text, "(c/S; ") {
		t.Errorf("said: %s", prefork.Text)
	}
	var b strings.Builder
	if err := reports.Text(reports.TextOptions{Width: 120})(&b, r); err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`goodput/s +theory +off by`).MatchString(b.String()) {
		t.Errorf("no theory in the tables:\n%s", b.String())
	}
}

func TestSettings(t *testing.T) {
	r := analyse(t, tuned())
	if c := r.Capacity; c.Best != "prefork:workers=8" || len(c.Tied) != 0 || c.Models[0].Model != c.Best || !strings.Contains(c.Verdict, "is the best setting") {
		t.Errorf("best %q, tied %q: %s", c.Best, c.Tied, c.Verdict)
	}
	res := tuned()
	for _, tr := range res.Measured { // give both what the first one did
		if tr.Model == "prefork:workers=8" {
			tr.Model = ""
		}
	}
	for _, tr := range res.Measured {
		if tr.Model == "prefork:workers=4" {
			twin := *tr
			twin.Model = "prefork:workers=8"
			res.Measured = append(res.Measured, &twin)
		}
	}
	kept := res.Measured[:0]
	for _, tr := range res.Measured {
		if tr.Model != "" {
			kept = append(kept, tr)
		}
	}
	res.Measured = kept
	if c := analyse(t, res).Capacity; len(c.Tied) != 1 || !strings.Contains(c.Verdict, "can't be told apart from prefork:workers=8") {
		t.Errorf("best %q, tied %q: %s", c.Best, c.Tied, c.Verdict)
	}
}

// A setting without a valid trial is no worse than others.
func TestSettingsOfWhichNothingIsKnown(t *testing.T) {
	res := tuned()
	for i, want := range []string{
		"prefork:workers=4 is the best setting: it holds 80.5 [80.5–84.1]/s, and no other's interval reaches that. Nothing is known of prefork:workers=8: no trial was valid.",
		"Nothing is known of any setting: no trial was valid.",
	} {
		for _, tr := range res.Measured {
			if tr.Model == "prefork:workers=8" || i > 0 {
				tr.Invalid, tr.Starved = []string{"other programs used 90 % of the processor time"}, false
			}
		}
		if c := analyse(t, res).Capacity; c.Verdict != want {
			t.Errorf("%s, want %s", c.Verdict, want)
		}
	}
}

func TestScaling(t *testing.T) {
	m := analyse(t, scaled()).Capacity.Models[0]
	for _, c := range []struct {
		name string
		e    reports.Estimate
		want float64
	}{{"γ", m.USL.Gamma, 100}, {"α", m.USL.Alpha, 0.05}, {"β", m.USL.Beta, 0.0008}, {"N*", m.USL.Peak, math.Sqrt(0.95 / 0.0008)}} {
		if c.want < c.e.Low || c.want > c.e.High || math.Abs(c.e.Median/c.want-1) > 0.05 {
			t.Errorf("%s is %+v, want %g", c.name, c.e, c.want)
		}
	}
	if m.Rate != 32 || !strings.Contains(m.Text, "peaks at N* = 34") || !strings.Contains(m.Text, "The objective is held up to 32 users") {
		t.Errorf("%g: %s", m.Rate, m.Text)
	}
}

// A run that was cut off, or of which nothing is valid, is reported as far as
// it goes; so is one whose file was tampered with.
func TestCapacityOfRunsCutShort(t *testing.T) {
	for n := range 12 {
		res := searched()
		res.State, res.Measured = "interrupted", res.Measured[:n]
		r := analyse(t, res)
		for _, f := range []reports.Renderer{reports.Text(reports.TextOptions{}), reports.Markdown(nil), reports.CSV, reports.JSON} {
			if out := render(t, f, r); out == "" {
				t.Errorf("%d trials: nothing is printed", n)
			}
		}
		if text := r.Capacity.Models[0].Text; n > 0 && n < 8 && !strings.Contains(text, "too few to be sure") && !strings.Contains(text, "ended before") {
			t.Errorf("%d trials: %s", n, text)
		}
	}
	res := searched()
	for _, tr := range res.Measured {
		tr.Invalid, tr.Starved = []string{"other programs used 90 % of the processor time"}, false
	}
	if text := analyse(t, res).Capacity.Models[0].Text; !strings.Contains(text, "Nothing is known") {
		t.Error(text)
	}
	res.Inquiry.Objective = "p99<"
	if _, err := reports.Analyse(res); err == nil || !strings.Contains(err.Error(), "the run's objective") {
		t.Errorf("a damaged objective: %v", err)
	}
}

func TestCapacityGolden(t *testing.T) {
	runs := map[string]*reports.Report{"capacity": analyse(t, searched()), "users": analyse(t, scaled()), "settings": analyse(t, tuned())}
	for _, g := range []struct {
		run, file string
		render    reports.Renderer
	}{
		{"capacity", "capacity-100.txt", reports.Text(reports.TextOptions{Width: 100})},
		{"capacity", "capacity-80.txt", reports.Text(reports.TextOptions{Width: 80})},
		{"capacity", "capacity.md", reports.Markdown([]reports.Plot{{Path: "plots/wait-knee.png", Caption: "knee", Scenario: "wait"}})},
		{"capacity", "capacity.csv", reports.CSV},
		{"users", "users-100.txt", reports.Text(reports.TextOptions{Width: 100})},
		{"users", "users.csv", reports.CSV},
		{"settings", "settings-100.txt", reports.Text(reports.TextOptions{Width: 100})},
	} {
		got := render(t, g.render, runs[g.run])
		path := filepath.Join("testdata", g.file)
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o666); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s differs; look at it with git diff after go test ./reports -run TestCapacityGolden -update\n%s", path, got)
		}
	}
}
