package scenarios_test

import (
	"slices"
	"strings"
	"testing"

	"gatewaylab/scenarios"
	"gatewaylab/servers"
)

const goodSuite = `name: mine
title: A title
question: Alike?
trials: 5
pairs:
  - {model: one = serial, twin: two = prefork:workers=1}
  - model: async
    twin: eventloop
situations:
  - name: waiting
    title: A title
    question: Does it?
    text: {load: some, queue: some, service: some, bottleneck: some}
    request: /wait?ms=5
    load: ["alone: 1 users over 100ms", "crowd: 4 users over 100ms"]
    compare: [ceiling, growth]
  - name: crash
    title: A title
    question: Does it?
    text: {load: some, queue: some, service: some, bottleneck: some}
    requests:
      - /hello
      - {path: /crash, fault: true}
    load: constant 50/s over 200ms
    compare: [unharmed]
`

func TestParseSuite(t *testing.T) {
	s, err := scenarios.ParseSuite("good.yaml", strings.NewReader(goodSuite))
	if err != nil {
		t.Fatal(err)
	}
	if s.Name != "mine" || s.Trials != 5 || len(s.Pairs) != 2 || s.Pairs[0].Name() != "one" || s.Pairs[1].Twin.Label() != "eventloop" ||
		len(s.Situations) != 2 || !slices.Equal(s.Situations[0].Compare, []scenarios.Aspect{scenarios.Ceiling, scenarios.Growth}) {
		t.Errorf("parsed as %+v", s)
	}
	if s, err := scenarios.ParseSuite("scenario.yaml", strings.NewReader(good)); s != nil || err != nil {
		t.Errorf("a scenario is the suite %+v, %v", s, err)
	}
	if _, err := scenarios.Parse("good.yaml", strings.NewReader(goodSuite)); err == nil || !strings.Contains(err.Error(), "good.yaml:1:1: this is a suite") {
		t.Errorf("as a scenario: %v", err)
	}
}

func TestParseSuiteErrors(t *testing.T) {
	for _, c := range []struct{ from, to, want string }{
		{"name: mine", "name: My Suite", `bad.yaml:1:7: expected a name of lower-case letters, digits and dashes, found "My Suite"`},
		{"trials: 5", "trails: 5", `bad.yaml:4:1: a suite has no key "trails"; did you mean trials?`},
		{"twin: two = prefork:workers=1}", "tvin: async}", `bad.yaml:6:27: a pair has no key "tvin"; did you mean twin?`},
		{"    twin: eventloop\n", "", "bad.yaml:7:5: a pair lacks twin"},
		{"twin: eventloop", "twin: one = eventloop", "bad.yaml:7:5: two models are called one; give one of them another name"},
		{"twin: eventloop", "twin: evntloop", `no model is called "evntloop"; did you mean eventloop?`},
		{"  - name: crash", "  - name: waiting", "bad.yaml:17:5: two situations are called waiting; give one of them another name"},
		{"    compare: [unharmed]\n", "", "bad.yaml:17:5: a situation lacks compare"},
		{"compare: [unharmed]", "compare: [unharmd]", `bad.yaml:25:15: no aspect is called "unharmd"; did you mean unharmed?`},
		{"compare: [unharmed]", "compare: [unharmed, growth]", "bad.yaml:25:25: growth holds the load's last stage against its first, and there is one alone"},
		{"compare: [unharmed]", "compare: [unharmed, unharmed]", "bad.yaml:25:25: unharmed is given twice"},
		{"compare: [unharmed]", "compare: [ceiling]", "bad.yaml:25:15: ceiling is c/S with S the demanded wait, and the requests demand none"},
		{"[ceiling, growth]", "[ceiling, recovery]", "bad.yaml:16:24: recovery is of what requests that do harm do to others; mark one as fault"},
		{"    request: /wait?ms=5\n", "", "bad.yaml:10:5: a situation lacks request (or requests, if it sends several)"},
		{"    compare: [unharmed]", "    models: [async]\n    compare: [unharmed]", `bad.yaml:25:5: a situation has no key "models"`},
		{"4 users over 100ms", "4 user over", `bad.yaml:15:`},
	} {
		if !strings.Contains(goodSuite, c.from) {
			t.Fatalf("%q is not in the suite", c.from)
		}
		_, err := scenarios.ParseSuite("bad.yaml", strings.NewReader(strings.Replace(goodSuite, c.from, c.to, 1)))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v\nwant %s", c.to, err, c.want)
		}
	}
}

// What is held against each other must be set up alike: the same slots, and the
// same patience.
func TestFidelityPairsAreAlike(t *testing.T) {
	s, err := scenarios.FindSuite("fidelity")
	if err != nil || s == nil {
		t.Fatalf("fidelity: %v, %v", s, err)
	}
	if len(s.Pairs) != 6 || len(s.Situations) != 6 {
		t.Errorf("%d pairs in %d situations, want 6 in 6", len(s.Pairs), len(s.Situations))
	}
	for _, p := range s.Pairs {
		model, err := servers.Resolve(p.Model.Spec)
		if err != nil {
			t.Fatal(err)
		}
		twin, err := servers.Resolve(p.Twin.Spec)
		if err != nil {
			t.Fatal(err)
		}
		if model.Slots() != twin.Slots() {
			t.Errorf("%s has %d slots, %s %d", p.Name(), model.Slots(), p.Twin.Label(), twin.Slots())
		}
		if a, b := model.Settings["timeout"], twin.Settings["timeout"]; model.Slots() > 0 && a != b {
			t.Errorf("%s has timeout %s, %s %s", p.Name(), a, p.Twin.Label(), b)
		}
	}
}

func TestChoosePairs(t *testing.T) {
	s, err := scenarios.ParseSuite("good.yaml", strings.NewReader(goodSuite))
	if err != nil {
		t.Fatal(err)
	}
	for named, want := range map[string]int{"": 8, "one": 4, "two": 4, "serial": 4, "prefork": 4, "async": 4, "one async": 8, "one two serial": 4} {
		p, err := scenarios.NewSuitePlan(s, strings.Fields(named), 2)
		if err != nil || len(p.Cells) != want {
			t.Errorf("%q: %v, %v; want %d cells", named, p, err, want)
		}
	}
	_, err = scenarios.NewSuitePlan(s, []string{"preforc"}, 2)
	if err == nil || !strings.Contains(err.Error(), `none of them is called "preforc"; did you mean prefork?`) {
		t.Errorf("preforc: %v", err)
	}
	if _, err := scenarios.NewSuitePlan(s, nil, 0); err == nil {
		t.Error("0 trials are accepted")
	}
}
