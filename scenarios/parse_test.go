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
	if err != nil || len(names) < 20 {
		t.Fatalf("found %d bad files, %v; want at least 20", len(names), err)
	}
	var got strings.Builder
	for _, n := range names {
		f, err := os.Open(n)
		if err != nil {
			t.Fatal(err)
		}
		_, err = scenarios.Parse(filepath.Base(n), f)
		f.Close()
		var at *scenarios.FileError
		if !errors.As(err, &at) {
			t.Errorf("%s: error %v, want a *FileError", n, err)
		}
		fmt.Fprintln(&got, err)
	}
	const golden = "testdata/bad.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("messages differ from %s (rerun with -update to accept):\n%s", golden, got.String())
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
	names, _ := filepath.Glob("testdata/bad/*.yaml")
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
	})
}
