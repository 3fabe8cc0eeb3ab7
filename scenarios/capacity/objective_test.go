package capacity_test

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
	"gatewaylab/scenarios/capacity"
)

var update = flag.Bool("update", false, "rewrite the golden files in testdata")

func TestObjectiveRoundTrips(t *testing.T) {
	for text, want := range map[string]string{
		capacity.DefaultObjective:      "p99<100ms,errors<0.1%",
		" p99 < 100ms , errors <= 0% ": "p99<100ms,errors<=0%",
		"p999<=1.5s":                   "p99.9<=1.5s",
		"p9999<1m":                     "p99.99<1m0s",
		"response.p50<1ms,service.p50<2ms,first_byte.p95<3ms": "p50<1ms,service.p50<2ms,first_byte.p95<3ms",
		"mean<20ms,max<1s,goodput>99%":                        "mean<20ms,max<1s,goodput>99%",
		"errors<0.001":                                        "errors<0.1%",
		"goodput>=1":                                          "goodput>=100%",
	} {
		o, err := capacity.ParseObjective(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if o.String() != want {
			t.Errorf("%q reads as %q, want %q", text, o, want)
		}
		if again, err := capacity.ParseObjective(o.String()); err != nil || again.String() != o.String() {
			t.Errorf("%q does not read back: %v", o, err)
		}
	}
}

// Every line of the corpus is wrong; the golden file says what is said of it.
func TestBadObjectives(t *testing.T) {
	bad(t, "bad-objectives", func(text string) error {
		_, err := capacity.ParseObjective(text)
		return err
	})
}

func TestBadUsers(t *testing.T) {
	bad(t, "bad-users", func(text string) error {
		_, err := capacity.ParseUsers(text)
		return err
	})
}

func TestBadTunes(t *testing.T) {
	bad(t, "bad-tunes", func(text string) error {
		_, _, err := capacity.ParseTune(text)
		return err
	})
}

func bad(t *testing.T, name string, parse func(string) error) {
	t.Helper()
	corpus, err := os.ReadFile(filepath.Join("testdata", name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for line := range strings.Lines(string(corpus)) {
		err := parse(strings.TrimSuffix(line, "\n"))
		var g *scenarios.GrammarError
		if !errors.As(err, &g) {
			t.Errorf("%q: %v (%T), want a *GrammarError", line, err, err)
			continue
		}
		fmt.Fprintln(&got, err)
	}
	golden := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("%s differs; look at it with git diff after go test ./scenarios/capacity -update\n%s", golden, got.String())
	}
}

func FuzzObjective(f *testing.F) {
	for _, text := range []string{capacity.DefaultObjective, "first_byte.p99.9<=1s,goodput>=99.5%", "p99<", "é<1ms", "mean<1s,mean<2s"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		o, err := capacity.ParseObjective(text)
		var g *scenarios.GrammarError
		if err != nil {
			if !errors.As(err, &g) || g.Column < 1 || g.Column > len([]rune(text))+1 {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		again, err := capacity.ParseObjective(o.String())
		if err != nil || again.String() != o.String() {
			t.Fatalf("%q reads as %q, which does not read back: %v", text, o, err)
		}
	})
}

// trial is a valid trial of 2 s with the response times given.
func trial(times ...time.Duration) *scenarios.Trial {
	t := &scenarios.Trial{
		Window: 2 * time.Second, Response: scenarios.NewHistogram(), Service: scenarios.NewHistogram(), FirstByte: scenarios.NewHistogram(),
		Errors: map[string]uint64{},
	}
	for _, d := range times {
		t.Response.Observe(d)
		t.Service.Observe(d / 2)
		t.FirstByte.Observe(d / 4)
	}
	n := uint64(len(times))
	t.Due, t.Sent, t.Measured, t.Succeeded = n, n, n, n
	return t
}

func thousand() *scenarios.Trial {
	var times []time.Duration
	for i := range 1000 {
		times = append(times, time.Duration(i+1)*100*time.Microsecond) // 0.1 … 100 ms
	}
	return trial(times...)
}

func TestJudge(t *testing.T) {
	failing := func(n uint64) *scenarios.Trial {
		t := thousand()
		t.Failed, t.Due = n, t.Due+n
		return t
	}
	late := thousand()
	late.Succeeded = 980
	unsent := thousand()
	unsent.Unsent, unsent.Due = 10, 1010
	invalid, starved := thousand(), thousand()
	invalid.Invalid = []string{"other programs"}
	starved.Invalid, starved.Starved = []string{"it ran late"}, true
	none := trial()
	for _, c := range []struct {
		objective string
		trial     *scenarios.Trial
		out       capacity.Outcome
		why       string
	}{
		{"p50<51ms", thousand(), capacity.Held, ""},
		{"p50<50ms", thousand(), capacity.Broken, "p50 was 50.0 ms"},
		{"service.p50<25.1ms,first_byte.p50<12.6ms", thousand(), capacity.Held, ""},
		{"p99<100ms", thousand(), capacity.Held, ""},
		// 1 % fails: 99 % of all must lie among those that were answered, the slowest of them too.
		{"p99<99.5ms", failing(10), capacity.Broken, "p99 was 100 ms"},
		{"p99<1s", failing(30), capacity.Broken, "p99 was not reached: 2.9 % failed or were never sent"},
		{"p90<1s", failing(30), capacity.Held, ""},
		{"errors<1%", failing(10), capacity.Held, ""},
		{"errors<0.9%", failing(10), capacity.Broken, "errors were 0.99 %"},
		{"errors<0.9%", unsent, capacity.Broken, "errors were 0.99 %"},
		{"errors<=0%", thousand(), capacity.Held, ""},
		{"goodput>99%", late, capacity.Broken, "goodput was 98.0 % of what was offered"},
		{"goodput>=98%", late, capacity.Held, ""},
		{"goodput>98%", late, capacity.Broken, "goodput was 98.0 % of what was offered"},
		{"mean<50ms,max<20ms", thousand(), capacity.Broken, "mean was 50.1 ms; max was 100 ms"},
		{"p99<1s", none, capacity.Broken, "nothing was answered"},
		{"p99<1s", invalid, capacity.Void, "other programs"},
		{"p99<1s", starved, capacity.Starved, "it ran late"},
	} {
		o, err := capacity.ParseObjective(c.objective)
		if err != nil {
			t.Fatal(err)
		}
		out, why := o.Judge(c.trial, true)
		if got := strings.Join(why, "; "); out != c.out || got != c.why {
			t.Errorf("%s: %s, %q; want %s, %q", c.objective, out, got, c.out, c.why)
		}
	}
}

// A load that could not go on is not held, however short the trial.
func TestJudgeSeesABacklogGrow(t *testing.T) {
	o, err := capacity.ParseObjective("p99<1s")
	if err != nil {
		t.Fatal(err)
	}
	steady, growing := thousand(), thousand()
	for i := range 20 {
		at := time.Duration(i+1) * 100 * time.Millisecond
		steady.Series = append(steady.Series, scenarios.Interval{At: at, Length: 100 * time.Millisecond, InFlight: 40 + i%3})
		growing.Series = append(growing.Series, scenarios.Interval{At: at, Length: 100 * time.Millisecond, InFlight: 4 + 3*i})
	}
	if out, why := o.Judge(steady, true); out != capacity.Held {
		t.Errorf("a steady load: %s, %v", out, why)
	}
	out, why := o.Judge(growing, true)
	if got := strings.Join(why, "; "); out != capacity.Broken || got != "requests piled up: 13 under way in the first third of the trial, 52 in the last" {
		t.Errorf("a growing load: %s, %q", out, got)
	}
	if out, _ := o.Judge(growing, false); out != capacity.Held {
		t.Errorf("a closed loop can't pile up, yet it is %s", out)
	}
}
