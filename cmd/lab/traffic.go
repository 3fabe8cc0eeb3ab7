package main

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/pflag"

	"gatewaylab/scenarios"
	"gatewaylab/scenarios/load"
)

// trafficFlags say what is sent, in place of what scenarios say.
type trafficFlags struct {
	load, request, beside, expect       []string
	protocol                            string
	streams, perConnection, maxInFlight int
	hurt                                time.Duration
	backing                             backingFlags

	changed  func(flag string) bool
	stages   []load.Stage
	requests []scenarios.Request
	crowds   []scenarios.Crowd
}

func (f *trafficFlags) register(fs *pflag.FlagSet) {
	f.registerSent(fs)
	fs.DurationVar(&f.hurt, "hurt", 0, "response time from which on a request counts as hurt by faults (default: the scenario's)")
	fs.StringArrayVar(&f.expect, "expect", nil, "`EXPRESSION` that should hold, such as 'async.goodput > 10 * prefork.goodput'; repeatable")
}

// registerSent adds the flags that mean something where nothing is measured,
// too: those that don't judge what was.
func (f *trafficFlags) registerSent(fs *pflag.FlagSet) {
	fs.StringArrayVar(&f.load, "load", nil, "`STAGES` of the load, in place of the scenario's; repeatable, each after the last")
	fs.StringArrayVar(&f.request, "request", nil, "`REQUEST` in place of the scenario's; repeatable, each as often as its weight says")
	fs.StringArrayVar(&f.beside, "beside", nil, "`CROWD` of clients beside the load, in place of the scenario's; repeatable")
	fs.StringVar(&f.protocol, "protocol", "", "http/1.1, h2c, h2 or websocket")
	fs.IntVar(&f.streams, "streams", 0, "requests under way on one HTTP/2 connection (default: as many as the server allows)")
	fs.IntVar(&f.perConnection, "per-connection", 0, "requests that a connection serves before the client closes it (default: as many as come)")
	fs.IntVar(&f.maxInFlight, "max-in-flight", 0, "bound of the requests of open stages under way at once (default 10000, or what open files allow)")
	f.backing.register(fs)
	f.changed = fs.Changed
}

// trafficHelp is the grammar in brief; the whole stands in scenarios/grammar.go.
const trafficHelp = `

Traffic can be said here instead of in a scenario file. With --load or
--request and no --scenario, the one scenario is called custom: GET /hello, by
10 users over 5s, in so far as nothing else is said.

  STAGES   [NAME:] SHAPE over DURATION, joined by then. A SHAPE is
             [poisson] constant 200/s
             [poisson] ramp 10/s..500/s
             [poisson] steps 10/s..50/s in 5
             [poisson] spike 10/s..500/s at 5s for 2s
             [poisson] sine 10/s..50/s every 20s
             replay FILE                       one arrival time a line
             20 users [thinking [about] 1s]    a closed loop
             1..64 users in 7
  REQUEST  [METHOD] PATH [name=…] [weight=…] [size=10KB] [body=…]
             [header=FIELD:VALUE]… [chunked] [stream] [fault]
           in PATH {exponential 50} and {uniform 10 90} are drawn anew each time
  UPSTREAM DELAY [, rate 500/s] [, places 8] [, queue 100] [, failures 1%]
           [, closes 1%]; a DELAY is 100ms, exponential 100ms,
           uniform 50ms 150ms, or lognormal 100ms 1.5, of which the second is
           the standard deviation divided by the mean
  DB       sqlite or postgres://… [, pool 8]
  CROWD    [NAME:] N slow-send at 100B/s REQUEST
           [NAME:] N slow-read at 10KB/s REQUEST
           [NAME:] N idle [every DURATION] [REQUEST]
           [NAME:] N periodic every DURATION [REQUEST]`

// read checks the flags, each by itself.
func (f *trafficFlags) read() error {
	for _, text := range f.load {
		stages, err := scenarios.ParseLoad(text)
		if err != nil {
			return fmt.Errorf("--load %w", err)
		}
		f.stages = append(f.stages, stages...)
	}
	if err := scenarios.ReadReplays(f.stages); err != nil {
		return fmt.Errorf("--load: %w", err)
	}
	for _, text := range f.request {
		r, err := scenarios.ParseRequest(text)
		if err != nil {
			return fmt.Errorf("--request %w", err)
		}
		f.requests = append(f.requests, r)
	}
	for _, text := range f.beside {
		c, err := scenarios.ParseCrowd(text)
		if err != nil {
			return fmt.Errorf("--beside %w", err)
		}
		f.crowds = append(f.crowds, c)
	}
	if _, err := scenarios.ParseProtocol(f.protocol); f.changed("protocol") && err != nil {
		return fmt.Errorf("--protocol: %w", err)
	}
	for _, n := range []struct {
		flag  string
		value int
		most  int
	}{
		{"streams", f.streams, scenarios.MaxClients}, {"max-in-flight", f.maxInFlight, scenarios.MaxClients},
		{"per-connection", f.perConnection, scenarios.MaxPerConnection},
	} {
		if f.changed(n.flag) && (n.value < 1 || n.value > n.most) {
			return fmt.Errorf("--%s %d: expected 1 to %d", n.flag, n.value, n.most)
		}
	}
	if err := f.backing.read(); err != nil {
		return err
	}
	if f.changed("hurt") && f.hurt < time.Millisecond {
		return fmt.Errorf("--hurt %s: expected 1ms or more", f.hurt)
	}
	return f.agree()
}

// agree checks the load's flags beside each other.
func (f *trafficFlags) agree() error {
	if !f.changed("load") {
		return nil
	}
	for _, flag := range []string{"rate", "concurrency"} {
		if f.changed(flag) {
			return fmt.Errorf("--load and --%s both say the load: give one of them", flag)
		}
	}
	for i := range f.stages {
		switch st := &f.stages[i]; {
		case len(f.stages) > 1 && st.For == 0:
			return fmt.Errorf("--load: stage %d, %s, lacks its length, such as over 30s; only a single stage can leave it out",
				i+1, scenarios.StageText(*st))
		case len(f.stages) > 1 && f.changed("for"):
			return fmt.Errorf("--for is the length of a load of one stage; each of these %d says its own with over", len(f.stages))
		case st.For > 0 && f.changed("for"):
			return fmt.Errorf("--for and --load both say how long: leave out --for or over %s", st.For)
		}
	}
	return nil
}

// custom says whether the flags describe a scenario of their own.
func (f *trafficFlags) custom() bool { return f.changed("load") || f.changed("request") }

// decisive are the flags without which a scenario's own expectations hold.
var decisive = []string{
	"load", "rate", "concurrency", "request", "beside", "protocol", "streams", "per-connection", "max-in-flight", "hurt",
}

// apply puts the flags in place of what the scenario says. What it said that
// has no use any more goes.
func (f *trafficFlags) apply(sc *scenarios.Scenario) {
	if slices.ContainsFunc(decisive, f.changed) || len(f.backing.given) > 0 || f.backing.dsn != "" {
		sc.Expect = nil
	}
	if f.changed("load") {
		window := sc.For()
		sc.Stages = slices.Clone(f.stages)
		if sc.Stages[0].For == 0 {
			sc.Stages[0].For = window
		}
	}
	if f.changed("request") {
		sc.Requests = slices.Clone(f.requests)
	}
	if f.changed("beside") {
		sc.Beside = slices.Clone(f.crowds)
	}
	if f.changed("protocol") {
		sc.Protocol = load.Protocol(f.protocol)
		if sc.Protocol != load.H2 && sc.Protocol != load.H2C {
			sc.Streams = 0
		}
	}
	f.backing.apply(sc)
	if sc.Closed() {
		sc.MaxInFlight = 0
	}
	if !sc.Faulty() {
		sc.Hurt = 0
	}
	set(&sc.Streams, f.streams)
	set(&sc.PerConnection, f.perConnection)
	set(&sc.MaxInFlight, f.maxInFlight)
	set(&sc.Hurt, f.hurt)
}

// set puts in what was given.
func set[T comparable](to *T, value T) {
	var none T
	if value != none {
		*to = value
	}
}

// check says what is wrong with a scenario after all flags were put in.
func (f *trafficFlags) check(sc *scenarios.Scenario) error {
	err := sc.Check()
	var c *scenarios.ConflictError
	if errors.As(err, &c) && f.changed(c.Key) {
		return fmt.Errorf("--%s, scenario %s: %s", c.Key, sc.Name, c.Msg)
	} else if err != nil {
		return fmt.Errorf("scenario %s: %w", sc.Name, err)
	}
	return nil
}

// expectations adds those of the flags to every scenario, and leaves out of
// the scenarios' own what is about models that don't run.
func (f *trafficFlags) expectations(p *scenarios.Plan) error {
	labels := map[*scenarios.Scenario][]string{}
	var inOrder []*scenarios.Scenario
	for _, c := range p.Cells {
		if labels[c.Scenario] == nil {
			inOrder = append(inOrder, c.Scenario)
		}
		labels[c.Scenario] = append(labels[c.Scenario], c.Contestant.Label)
	}
	for _, sc := range inOrder {
		models := labels[sc]
		sc.Expect = slices.DeleteFunc(sc.Expect, func(text string) bool { return sc.CheckExpectation(text, models) != nil })
		for _, text := range f.expect {
			if err := sc.CheckExpectation(text, models); err != nil {
				return fmt.Errorf("--expect %q, scenario %s, %w", text, sc.Name, err)
			}
			sc.Expect = append(sc.Expect, text)
		}
	}
	return nil
}

// canonical is a flag's text in the form in which it is recorded.
func canonical(flag, text string) string {
	switch flag {
	case "load":
		if stages, err := scenarios.ParseLoad(text); err == nil {
			return scenarios.LoadText(stages)
		}
	case "request":
		if r, err := scenarios.ParseRequest(text); err == nil {
			return scenarios.RequestText(r)
		}
	case "beside":
		if c, err := scenarios.ParseCrowd(text); err == nil {
			return scenarios.CrowdText(c)
		}
	}
	if b, err := scenarios.ParseBacking(flag, text); err == nil {
		return b.String()
	}
	return text
}
