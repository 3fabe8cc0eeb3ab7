package chart

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"gatewaylab/reports"
	"gatewaylab/scenarios"
	"gatewaylab/scenarios/load"
)

// A behaviour is what a synthetic model does under a synthetic scenario.
type behaviour struct {
	rate   float64 // goodput
	p50    float64 // ms
	spread float64 // of the logarithm of response times
	cpu    float64 // ms per request
	mib    float64
}

func scenario(name string) *scenarios.Scenario {
	s := &scenarios.Scenario{
		Name: name, Requests: []scenarios.Request{{Method: "GET"}},
		Warmup: 500 * time.Millisecond,
	}
	switch name {
	case "hello":
		s.Title, s.Question = "A tiny response", "What does the server model itself cost, when the application does next to nothing?"
		s.Requests[0].Path, s.Stages = "/hello", []load.Stage{{Shape: load.Users, UsersFrom: 32, For: 1500 * time.Millisecond}}
	case "wait":
		s.Title, s.Question = "Waiting for something else", "How many requests can be under way at once, when each mostly waits 50 ms for something else?"
		s.Requests[0].Path, s.Stages = "/wait?ms=50", []load.Stage{{Shape: load.Users, UsersFrom: 50, For: 1500 * time.Millisecond}}
	case "cpu":
		s.Title, s.Question = "A fixed amount of processor work", "Does a different server model make computation any faster?"
		s.Requests[0].Path, s.Stages = "/cpu?units=50", []load.Stage{{Shape: load.Users, UsersFrom: 16, For: 1500 * time.Millisecond}}
	case "steady":
		s.Title, s.Question = "Arrivals at a constant rate", "Which models keep up with 200 users a second?"
		s.Requests[0].Path, s.Stages = "/mixed", []load.Stage{{Shape: load.Constant, From: 200, For: 1500 * time.Millisecond}}
	}
	return s
}

// cell makes a plausible cell of n trials.
func cell(sc *scenarios.Scenario, model string, n int, b behaviour) *reports.Cell {
	r := rand.New(rand.NewPCG(uint64(len(model))*7919+uint64(len(sc.Name)), uint64(b.rate*1000)))
	noisy := func(v, share float64) float64 { return v * (1 + share*r.NormFloat64()) }
	estimate := func(v, share float64, unit string) reports.Estimate {
		return reports.Estimate{
			Median: v, Low: v * (1 - share*(1+r.Float64())), High: v * (1 + share*(1+r.Float64())),
			N: n, Unit: unit, Confidence: 0.969,
		}
	}
	c := &reports.Cell{
		Scenario: sc.Name, Model: model, Trials: n, Valid: n,
		Samples:   int(b.rate * sc.For().Seconds() * float64(n)),
		Goodput:   estimate(b.rate, .015, "/s"),
		Attempted: estimate(b.rate*1.001, .015, "/s"), Offered: estimate(b.rate*1.001, .015, "/s"),
		CPUPerRequest: estimate(b.cpu, .03, "ms"), Memory: estimate(b.mib, .02, "MiB"), MemoryKind: "pss",
		Response: map[string]reports.Estimate{}, Ratio: 1, Compared: true,
	}
	if sc.Open() {
		c.Offered = estimate(sc.Stages[0].From, 0, "/s")
		c.Attempted = c.Offered
	}
	quantile := func(q float64) float64 {
		z := math.Sqrt2 * math.Erfinv(2*q-1)
		return b.p50 * math.Exp(b.spread*max(z, -2.5)+0.25*b.spread*max(0, z-1.5)*z)
	}
	for _, q := range []struct {
		name string
		q    float64
		need int
	}{{"p50", .5, 10}, {"p90", .9, 50}, {"p99", .99, 500}, {"p99.9", .999, 5000}} {
		if c.Samples >= q.need {
			c.Response[q.name] = estimate(quantile(q.q), .02, "ms")
		}
	}
	for i := 0; ; i++ {
		q := 1 - math.Pow(10, -float64(i)/20)
		if float64(c.Samples)*(1-q) < 5 {
			break
		}
		c.Curve = append(c.Curve, reports.Point{Quantile: q, Millis: quantile(max(q, .001))})
	}
	for t := -0.4; t < 1.55; t += 0.1 {
		p50 := noisy(b.p50, .02)
		if t < 0 {
			p50 *= 1 + 0.5*math.Abs(t)
		}
		c.Series = append(c.Series, reports.Slice{
			Seconds: math.Round(t*10) / 10, Goodput: noisy(b.rate, .03), P50: p50,
			P50Low: p50 * (1 - .08*r.Float64()), P50High: p50 * (1 + .15*r.Float64()),
			P99: max(p50*1.01, quantile(.99)*(0.95+.2*r.Float64()*r.Float64())), N: n,
		})
	}
	for i := range n {
		c.Each = append(c.Each, reports.PerRun{
			Trial: i + 1, Valid: true, Goodput: noisy(b.rate, .012), P50: b.p50, P99: quantile(.99),
		})
	}
	return c
}

func report(scs []string, models []string, of func(sc, model string) *behaviour) *reports.Report {
	r := &reports.Report{
		Schema: reports.JSONSchema, Name: "compare", State: "complete", Trials: 6, Confidence: .95,
		Started:     time.Date(2026, 3, 14, 9, 26, 0, 0, time.UTC),
		Environment: scenarios.Environment{Cores: 2, CPU: "Example Processor 2.50GHz"},
	}
	for _, m := range models {
		r.Models = append(r.Models, scenarios.ModelInfo{Label: m, Name: m})
	}
	for _, name := range scs {
		sc := scenario(name)
		r.Scenarios = append(r.Scenarios, sc)
		for _, m := range models {
			if b := of(name, m); b != nil {
				r.Cells = append(r.Cells, cell(sc, m, r.Trials, *b))
			}
		}
	}
	return r
}

// threeByThree is the default comparison: three models, three scenarios.
func threeByThree() *reports.Report {
	table := map[string]behaviour{
		"hello cgi": {512, 61, .22, 3.7, 31.5}, "hello prefork": {11480, 2.6, .3, .11, 24.2}, "hello async": {14930, 1.9, .42, .079, 18.9},
		"wait cgi": {402, 118, .12, 3.9, 62.1}, "wait prefork": {79.1, 630, .02, .21, 22.7}, "wait async": {970, 51.2, .012, .13, 20.3},
		"cpu cgi": {238, 66.4, .18, 8.3, 27.6}, "cpu prefork": {371, 42.6, .16, 5.2, 23.1}, "cpu async": {378, 41.9, .21, 5.1, 19.4},
	}
	r := report([]string{"hello", "wait", "cpu"}, []string{"cgi", "prefork", "async"}, func(sc, m string) *behaviour {
		b := table[sc+" "+m]
		return &b
	})
	for _, c := range r.Cells {
		if c.Scenario == "cpu" && c.Model != "cgi" {
			c.Tied = []string{map[string]string{"prefork": "async", "async": "prefork"}[c.Model]}
		}
	}
	return r
}

// twelve has many models with long names, and one scenario of each kind of loop.
func twelve() *reports.Report {
	models := []string{"cgi", "cgi:limit=8,queue=100", "prefork", "prefork:workers=2", "prefork:workers=8", "prefork:workers=16,timeout=30s,max_requests=1000,max_requests_jitter=50",
		"prefork:workers=16,timeout=30s,max_requests=1000,max_requests_jitter=90", "async", "async:procs=1", "nginx+gunicorn:workers=4,class=gthread,threads=8", "nginx+prefork", "eventloop"}
	return report([]string{"wait", "steady"}, models, func(sc, m string) *behaviour {
		i := float64(0)
		for k, x := range models {
			if x == m {
				i = float64(k)
			}
		}
		if sc == "steady" {
			return &behaviour{199 - 0.3*i - 60*float64(int(i)%5/4), 12 + 1.5*i*i, .2 + .02*i, 1 + i/4, 20 + 3*i}
		}
		return &behaviour{60 + 80*i, 50 * (1 + 600/(60+80*i)), .05 + .02*i, .3 + .2*i, 20 + 5*i}
	})
}

// broken has every kind of missing and impossible data.
func broken() *reports.Report {
	nan, inf := math.NaN(), math.Inf(1)
	r := threeByThree()
	r.State, r.Quick = "interrupted", true
	r.Scenarios = append(r.Scenarios, nil)
	r.Cells = append(r.Cells, nil)
	for i, c := range r.Cells {
		if c == nil {
			continue
		}
		switch i {
		case 0: // no valid trial
			*c = reports.Cell{Scenario: c.Scenario, Model: c.Model, Trials: 6, Each: c.Each, Invalid: []string{"trial 1: stopped"}}
			for k := range c.Each {
				c.Each[k].Valid = false
			}
		case 1: // nothing but failures
			*c = reports.Cell{Scenario: c.Scenario, Model: c.Model, Trials: 6, Valid: 6, Failed: 1204,
				Goodput: reports.Estimate{N: 6}, Attempted: c.Attempted}
		case 3:
			c.Goodput = reports.Estimate{Median: nan, Low: nan, High: inf, N: 6}
			c.Curve = []reports.Point{{Quantile: 0, Millis: 0}, {Quantile: .5, Millis: nan}, {Quantile: 1, Millis: inf}, {Quantile: -1, Millis: 3}}
			c.Memory.Median = -inf
		case 4:
			c.Series[3] = reports.Slice{Seconds: c.Series[3].Seconds}
			c.Series[8].P99, c.Series[9].P50, c.Series[10].P50Low, c.Series[11].P50High = inf, nan, -4, inf
			c.Series[12].Seconds = nan
			c.Goodput.Low, c.Goodput.High = -inf, inf
			c.Valid, c.Each[2].Valid, c.Each[5].Goodput, c.Unsent = 4, false, nan, 31
			c.Curve = c.Curve[:len(c.Curve)/2]
		case 5:
			c.CPUPerRequest = reports.Estimate{}
			c.Attempted = reports.Estimate{}
		case 8:
			r.Cells[i] = nil
		}
	}
	return r
}

// onceEach is one trial of each model.
func onceEach() *reports.Report {
	table := map[string]behaviour{"prefork": {79.1, 630, .02, .21, 22.7}, "async": {970, 51.2, .012, .13, 20.3}}
	r := report([]string{"wait"}, []string{"prefork", "async"}, func(_, m string) *behaviour { b := table[m]; return &b })
	r.Trials = 1
	for i, c := range r.Cells {
		*c = *cell(r.Scenarios[0], c.Model, 1, table[c.Model])
		other := []string{r.Cells[1-i].Model}
		c.Compared, c.Tied, c.Untested = false, other, other
	}
	return r
}

// nothing is a run that was stopped before its first trial ended.
func nothing() *reports.Report {
	r := report([]string{"wait", "steady"}, []string{"cgi", "async"}, func(string, string) *behaviour { return nil })
	r.State = "interrupted"
	return r
}

func cases() map[string]*reports.Report {
	one := report([]string{"wait"}, []string{"async"}, func(string, string) *behaviour {
		return &behaviour{970, 51.2, .012, .13, 20.3}
	})
	five := report([]string{"hello", "wait", "cpu", "steady"}, []string{"cgi", "prefork:workers=2", "prefork:workers=8", "async", "eventloop"},
		func(sc, m string) *behaviour {
			k := float64(len(m))
			return &behaviour{190 - k, 5 + k, .2, k / 7, 12 * k}
		})
	aa := threeByThree()
	aa.AA, aa.Quick, aa.Pinned = true, true, true
	return map[string]*reports.Report{
		"three": threeByThree(), "twelve": twelve(), "broken": broken(), "nothing": nothing(), "once": onceEach(),
		"one": one, "five": five, "aa": aa, "void": {},
		"staged": staged(sixModels...), "staged three": staged(sixModels[:3]...), "many staged": manyStaged(), "harmful": harmful(), "staged nothing": stagedNothing(),
		"many": report([]string{"wait"}, func() (m []string) {
			for i := range 30 {
				m = append(m, fmt.Sprintf("prefork:workers=%d", i+1))
			}
			return m
		}(), func(_, m string) *behaviour { return &behaviour{970, 51.2, .1, .13, 20.3} }),
	}
}
