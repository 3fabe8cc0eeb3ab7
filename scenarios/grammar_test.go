package scenarios_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"gatewaylab/scenarios"
	"gatewaylab/scenarios/load"
)

func TestParseLoad(t *testing.T) {
	for text, want := range map[string]load.Stage{
		"constant 200/s over 5s":                  {Shape: load.Constant, From: 200, For: 5 * time.Second},
		"constant 200/s":                          {Shape: load.Constant, From: 200},
		"poisson constant 90/m over 1m":           {Shape: load.Constant, From: 1.5, For: time.Minute, Poisson: true},
		"  ramp\t0..500/s\n over  30s ":           {Shape: load.Ramp, To: 500, For: 30 * time.Second},
		"steps 1/s..5/s in 5 over 5s":             {Shape: load.Steps, From: 1, To: 5, Levels: 5, For: 5 * time.Second},
		"spike 1/s..5/s at 1s for 2s over 5s":     {Shape: load.Spike, From: 1, To: 5, At: time.Second, Lasting: 2 * time.Second, For: 5 * time.Second},
		"sine 1/s..5/s every 2s over 5s":          {Shape: load.Sine, From: 1, To: 5, Every: 2 * time.Second, For: 5 * time.Second},
		`replay "my file" over 5s`:                {Shape: load.Replay, File: "my file", For: 5 * time.Second},
		"replay then":                             {Shape: load.Replay, File: "then"},
		"calm: 1 user over 5s":                    {Name: "calm", Shape: load.Users, UsersFrom: 1, For: 5 * time.Second},
		"20 users thinking about 1s over 10s":     {Shape: load.Users, UsersFrom: 20, Think: time.Second, ThinkExponential: true, For: 10 * time.Second},
		"64..1 users in 7 thinking 1ms over 70s":  {Shape: load.Users, UsersFrom: 64, UsersTo: 1, Levels: 7, Think: time.Millisecond, For: 70 * time.Second},
		"20 users thinking about 0s over 1h0m10s": {Shape: load.Users, UsersFrom: 20, For: time.Hour + 10*time.Second},
	} {
		got, err := scenarios.ParseLoad(text)
		if err != nil || !reflect.DeepEqual(got, []load.Stage{want}) {
			t.Errorf("%q: %+v, %v; want %+v", text, got, err, want)
		}
	}
	got, err := scenarios.ParseLoad("calm: constant 1/s over 5s then replay f then 3 users over 1s")
	if err != nil || len(got) != 3 || scenarios.LoadText(got) != "calm: constant 1/s over 5s then replay f then 3 users over 1s" {
		t.Errorf("three stages: %+v, %v", got, err)
	}
}

func TestParseRequest(t *testing.T) {
	for text, want := range map[string]scenarios.Request{
		"/hello":                           {Method: "GET", Path: "/hello"},
		"POST /upload size=10KB chunked":   {Method: "POST", Path: "/upload", Size: 10_000, Chunked: true},
		"PUT /x size=1MiB":                 {Method: "PUT", Path: "/x", Size: 1 << 20},
		"GET /w?ms={uniform 10 90} fault":  {Method: "GET", Path: "/w?ms={uniform 10 90}", Fault: true},
		`GET / name=a weight=0.5 stream`:   {Method: "GET", Path: "/", Name: "a", Weight: 0.5, Stream: true},
		`POST / body="a \"b\"\n" `:         {Method: "POST", Path: "/", Body: "a \"b\"\n"},
		`POST / body={"a":1}`:              {Method: "POST", Path: "/", Body: `{"a":1}`},
		`/ header=accept:*/* header="x: "`: {Method: "GET", Path: "/", Header: map[string]string{"Accept": "*/*", "X": ""}},
	} {
		got, err := scenarios.ParseRequest(text)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, %v; want %+v", text, got, err, want)
		}
	}
}

func TestParseCrowd(t *testing.T) {
	hello := scenarios.Request{Method: "GET", Path: "/hello"}
	for text, want := range map[string]scenarios.Crowd{
		"4 slow-send at 100B/s POST /upload size=10KB": {Kind: load.SlowSend, Clients: 4, Rate: 100,
			Request: scenarios.Request{Method: "POST", Path: "/upload", Size: 10_000}},
		"crawlers: 2 slow-read at 1.5KB/s /bytes?n=9": {Name: "crawlers", Kind: load.SlowRead, Clients: 2, Rate: 1500,
			Request: scenarios.Request{Method: "GET", Path: "/bytes?n=9"}},
		"100 idle":              {Kind: load.Idle, Clients: 100, Every: time.Second, Request: hello},
		"1 idle every 2s":       {Kind: load.Idle, Clients: 1, Every: 2 * time.Second, Request: hello},
		"1 periodic every 1m5s": {Kind: load.Periodic, Clients: 1, Every: 65 * time.Second, Request: hello},
	} {
		got, err := scenarios.ParseCrowd(text)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, %v; want %+v", text, got, err, want)
		}
	}
}

func TestParseEntry(t *testing.T) {
	for text, want := range map[string]scenarios.Entry{
		"async":                     {Spec: "async"},
		"prefork:workers=2":         {Spec: "prefork:workers=2"},
		"two = prefork:workers=2":   {Spec: "prefork:workers=2", As: "two"},
		" _2=prefork:workers=\"2\"": {Spec: `prefork:workers="2"`, As: "_2"},
	} {
		if got, err := scenarios.ParseEntry(text); err != nil || got != want {
			t.Errorf("%q: %+v, %v; want %+v", text, got, err, want)
		}
	}
}

// Each bad text in testdata/bad-texts.txt stands in the golden file with its
// message. Its lines are a form's name and a text of it.
func TestGrammarErrors(t *testing.T) {
	src, err := os.ReadFile("testdata/bad-texts.txt")
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	n := 0
	for line := range strings.Lines(string(src)) {
		form, text, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "|")
		var err error
		switch form {
		case "load":
			_, err = scenarios.ParseLoad(text)
		case "request":
			_, err = scenarios.ParseRequest(text)
		case "crowd":
			_, err = scenarios.ParseCrowd(text)
		case "upstream", "db":
			_, err = scenarios.ParseBacking(form, text)
		default:
			t.Fatalf("%q: no such form", line)
		}
		var at *scenarios.GrammarError
		if !errors.As(err, &at) {
			t.Errorf("%s: error %v, want a *GrammarError", line, err)
			continue
		}
		n++
		fmt.Fprintf(&got, "%s\n%s^ %d\n%s: %s\n\n", text, strings.Repeat(" ", at.Column-1), at.Column, form, at.Msg)
	}
	if n < 40 {
		t.Errorf("%d bad texts, want at least 40", n)
	}
	golden(t, "testdata/bad-texts.golden", got.String())
}

// golden compares a text with a file, or writes it there.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("differs from %s (rerun with -update to accept):\n%s", file, got)
	}
}

// What the text forms take, they write so that the same is read again; and
// what they refuse, they refuse at a place in it.
func FuzzParseLoad(f *testing.F) {
	f.Add("calm: poisson ramp 10/s..500/s over 30s then 1..64 users in 7 thinking about 1s over 70s")
	f.Add(`replay "a b" then spike 0..5/m at 1s for 2s over 5s`)
	f.Fuzz(func(t *testing.T, text string) {
		stages, err := scenarios.ParseLoad(text)
		if err != nil {
			refusal(t, text, err)
			return
		}
		again, err := scenarios.ParseLoad(scenarios.LoadText(stages))
		same(t, stages, again, err)
		for i := range stages {
			if stages[i].Shape == load.Replay {
				stages[i].Times = []time.Duration{0}
			}
			stages[i].For = max(stages[i].For, stages[i].At+stages[i].Lasting, 1)
			if err := stages[i].Check(); err != nil {
				t.Errorf("%q has a stage that can't run: %v", text, err)
			}
		}
	})
}

func FuzzParseRequest(f *testing.F) {
	f.Add(`POST /wait?ms={exponential 50} name=a weight=0.5 size=10KB header="X: a b" chunked`)
	f.Add(`PUT /x body="a\n\xff" stream fault`)
	f.Fuzz(func(t *testing.T, text string) {
		r, err := scenarios.ParseRequest(text)
		if err != nil {
			refusal(t, text, err)
			return
		}
		again, err := scenarios.ParseRequest(scenarios.RequestText(r))
		same(t, r, again, err)
	})
}

func FuzzParseCrowd(f *testing.F) {
	f.Add("slow: 4 slow-send at 1.5KiB/s POST /upload size=10KB")
	f.Add("100 idle every 1m GET /hello")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := scenarios.ParseCrowd(text)
		if err != nil {
			refusal(t, text, err)
			return
		}
		again, err := scenarios.ParseCrowd(scenarios.CrowdText(c))
		same(t, c, again, err)
	})
}

func TestParseBacking(t *testing.T) {
	for text, want := range map[string]string{
		"100ms":                                    "100ms",
		" delay 0s ,places 8":                      "0s, places 8",
		"exp 100ms, rate 500/s, failures 1%":       "exp 100ms, rate 500/s, failures 1%",
		"rate 5/s,  delay  uniform 1ms  2ms ":      "uniform 1ms  2ms, rate 5/s",
		"lognormal 100ms 1.5, closes 0.5%,queue 0": "lognormal 100ms 1.5, queue 0, closes 0.5%",
		"failures 0%":                              "100ms",
	} {
		b, err := scenarios.ParseBacking("upstream", text)
		if err != nil || b.String() != want {
			t.Errorf("%q: %q, %v; want %q", text, b, err, want)
		}
	}
	for text, want := range map[string]string{
		"sqlite":                               "sqlite",
		"sqlite, pool 4":                       "sqlite, pool 4",
		"pool 8":                               "sqlite",
		"postgres://lab:secret@h/d?x=1,pool 2": "postgres://lab:xxxxx@h/d?x=1, pool 2",
	} {
		if b, err := scenarios.ParseBacking("db", text); err != nil || b.String() != want {
			t.Errorf("%q: %q, %v; want %q", text, b, err, want)
		}
	}
	if _, err := scenarios.ParseBacking("upstrem", "100ms"); err == nil || !strings.Contains(err.Error(), "did you mean upstream?") {
		t.Errorf("upstrem: %v", err)
	}
}

func FuzzParseBacking(f *testing.F) {
	f.Add("exponential 100ms, rate 500/s, failures 1%")
	f.Add("places 8,delay lognormal 1s 0.5 , queue 5")
	f.Fuzz(func(t *testing.T, text string) {
		b, err := scenarios.ParseBacking("upstream", text)
		if err != nil {
			refusal(t, text, err)
			return
		}
		again, err := scenarios.ParseBacking("upstream", b.String())
		same(t, b, again, err)
	})
}

func same(t *testing.T, want, got any, err error) {
	t.Helper()
	if err != nil || !reflect.DeepEqual(want, got) {
		a, _ := json.Marshal(want)
		b, _ := json.Marshal(got)
		t.Fatalf("read again as\n%s, %v; want\n%s", b, err, a)
	}
}

func refusal(t *testing.T, text string, err error) {
	t.Helper()
	var at *scenarios.GrammarError
	if !errors.As(err, &at) || at.Text != text || at.Column < 1 || at.Column > utf8.RuneCountInString(text)+1 || at.Msg == "" {
		t.Errorf("%q: %#v", text, err)
	}
}
