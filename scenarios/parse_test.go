package scenarios_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatewaylab/scenarios"
	"gatewaylab/scenarios/load"
)

var update = flag.Bool("update", false, "rewrite golden files")

const good = `name: slow-read
title: A title
question: Does it?
text:
  load: some
  queue: some
  service: some
  bottleneck: some
request:
  method: POST
  path: /upload?x=1
  header:
    content-type: text/plain
  body: |
    hello
load:
  open: 90/m
for: 2s
warmup: 0s
timeout: 1s
models: [async, "prefork:workers=2"]
`

func TestParse(t *testing.T) {
	s, err := scenarios.Parse("good.yaml", strings.NewReader(good))
	if err != nil {
		t.Fatal(err)
	}
	if s.Name != "slow-read" || s.Requests[0].Method != "POST" || s.Requests[0].Body != "hello\n" ||
		s.Requests[0].Header["Content-Type"] != "text/plain" || s.Stages[0].Shape != load.Constant || s.Stages[0].From != 1.5 ||
		s.For() != 2*time.Second || s.Warmup != 0 || s.Timeout != time.Second || len(s.Models) != 2 {
		t.Errorf("parsed as %+v", s)
	}
}

// Each bad file in testdata/bad stands in the golden file with its message.
func TestParseErrors(t *testing.T) {
	names, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(names) < 60 {
		t.Fatalf("found %d bad files, %v; want at least 60", len(names), err)
	}
	var got strings.Builder
	for _, n := range names {
		f, err := os.Open(n)
		if err != nil {
			t.Fatal(err)
		}
		_, err = scenarios.Parse(n, f)
		f.Close()
		var at *scenarios.FileError
		if !errors.As(err, &at) {
			t.Errorf("%s: error %v, want a *FileError", n, err)
		}
		fmt.Fprintln(&got, strings.TrimPrefix(err.Error(), filepath.Dir(n)+string(filepath.Separator)))
	}
	golden(t, "testdata/bad.golden", got.String())
}

func TestParseGood(t *testing.T) {
	s := parsed(t, "testdata/good/everything.yaml")
	var titles []string
	for i := range s.Stages {
		titles = append(titles, s.Stages[i].Title(i))
	}
	for i := range s.Requests {
		titles = append(titles, s.Requests[i].Title())
	}
	for i := range s.Beside {
		titles = append(titles, s.Beside[i].Title())
	}
	for _, e := range s.Models {
		titles = append(titles, e.As+"="+e.Spec)
	}
	got := strings.Join(titles, " | ")
	const want = "calm | 2 | high | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 11 | second-calm" +
		" | short | long | POST /upload | /stream?chunks=3&every=1 | /crash | /upstream" +
		" | crawlers | slow-send | idle | pollers | =async | two=prefork:workers=2 | four=prefork:workers=4"
	if got != want {
		t.Errorf("parts are\n%s, want\n%s", got, want)
	}
	if replay := s.Stages[7]; len(replay.Times) != 3 || replay.For != 3*time.Second {
		t.Errorf("replay is %+v", replay)
	}
	if s.Protocol != load.H2C || s.Streams != 8 || s.PerConnection != 100 || s.MaxInFlight != 500 || s.Lesson != 7 ||
		s.Trials != 6 || s.Hurt != 500*time.Millisecond || len(s.Expect) != 1 || !s.Faulty() ||
		len(s.Backing) != 1 || s.Backing[0].String() != "lognormal 100ms 1.5, rate 500/s, places 8, queue 100, failures 1%, closes 0.5%" {
		t.Errorf("parsed as %+v", s)
	}
	if s := parsed(t, "testdata/good/one-text.yaml"); s.For() != 30*time.Second || s.Warmup != time.Second || s.Timeout != 10*time.Second {
		t.Errorf("one text: %+v", s)
	}
	if s := parsed(t, "testdata/good/for.yaml"); s.For() != 2*time.Second {
		t.Errorf("for: %+v", s)
	}
	if s := parsed(t, "testdata/good/folded.yaml"); len(s.Stages) != 3 || s.Stages[1].Name != "rush" {
		t.Errorf("folded: %+v", s)
	}
}

func parsed(t *testing.T, file string) *scenarios.Scenario {
	t.Helper()
	s, err := scenarios.Find(file)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestWords(t *testing.T) {
	for text, want := range map[string]string{
		"constant 200/s over 5s":                                       "open loop, 200 arrivals/s",
		"poisson constant 200/s over 5s":                               "open loop, 200 Poisson arrivals/s",
		"50 users over 5s":                                             "closed loop, 50 clients",
		"50 users thinking about 1s over 5s":                           "closed loop, 50 clients thinking about 1s",
		"ramp 10/s..500/s over 30s":                                    "ramp 10/s..500/s over 30s",
		"calm: constant 1/s over 1m then 5 users over 1h":              "calm: constant 1/s over 1m, then 5 users over 1h",
		"5 users over 1s" + strings.Repeat(" then 6 users over 1s", 9): "5 users over 1s, then 6 users over 1s, then 6 users over 1s, then 7 more stages",
	} {
		stages, err := scenarios.ParseLoad(text)
		s := scenarios.Scenario{Stages: stages}
		if got := s.Words(); err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", text, got, err, want)
		}
	}
}

func TestLibrary(t *testing.T) {
	all, err := scenarios.Library()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 3 || all[0].Name != "hello" || all[1].Name != "wait" || all[2].Name != "cpu" {
		t.Errorf("library is %v", all)
	}
}

func TestFind(t *testing.T) {
	if s, err := scenarios.Find("wait"); err != nil || s.Name != "wait" {
		t.Errorf("wait: %v, %v", s, err)
	}
	file := filepath.Join(t.TempDir(), "mine.yaml")
	if err := os.WriteFile(file, []byte(good), 0o644); err != nil {
		t.Fatal(err)
	}
	if s, err := scenarios.Find(file); err != nil || s.Name != "slow-read" {
		t.Errorf("%s: %v, %v", file, s, err)
	}
	if _, err := scenarios.Find("wiat"); err == nil || !strings.Contains(err.Error(), "did you mean wait?") {
		t.Errorf("wiat: %v", err)
	}
	if _, err := scenarios.Find("./none.yaml"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("./none.yaml: %v", err)
	}
}

func TestParseRate(t *testing.T) {
	for s, want := range map[string]float64{"200/s": 200, "200": 200, "1.5/ms": 1500, "90/m": 1.5, "3600/h": 1, " 5 / s ": 5} {
		if got, err := scenarios.ParseRate(s); err != nil || got != want {
			t.Errorf("%q: %v, %v; want %v", s, got, err, want)
		}
	}
	for _, s := range []string{"", "/s", "0/s", "-1/s", "x/s", "5/fortnight", "NaN/s", "Inf/s", "2e6/s", "5/"} {
		if got, err := scenarios.ParseRate(s); err == nil {
			t.Errorf("%q: %v, want an error", s, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(good)
	f.Add(goodSuite)
	names, err := filepath.Glob("testdata/*/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, n := range names {
		b, err := os.ReadFile(n)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(b))
	}
	f.Fuzz(func(t *testing.T, src string) {
		s, err := scenarios.Parse("fuzz.yaml", strings.NewReader(src))
		if err == nil && (s.Name == "" || s.For() < scenarios.MinWindow || s.Stages[0].Shape == "") {
			t.Errorf("accepted %+v", s)
		}
		suite, err := scenarios.ParseSuite("fuzz.yaml", strings.NewReader(src))
		if err == nil && suite != nil && (len(suite.Pairs) == 0 || len(suite.Situations) == 0 || suite.Situations[0].For() < scenarios.MinWindow) {
			t.Errorf("accepted %+v", suite)
		}
	})
}
