package scenarios

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"gatewaylab/servers"
)

// tried is what a trial of a setting came to.
type tried struct {
	workers           int
	succeeded, failed uint64
	slowest           time.Duration // of one response in ten; the others take a millisecond
	invalid           string
}

func (s tried) attempt(t *testing.T) *attempt {
	t.Helper()
	c, err := servers.Resolve(fmt.Sprintf("prefork:workers=%d", s.workers))
	if err != nil {
		t.Fatal(err)
	}
	trial := &Trial{Window: tuneWindow, Succeeded: s.succeeded, Failed: s.failed, Response: NewHistogram()}
	for i := range s.succeeded {
		took := time.Millisecond
		if i%10 == 0 && s.slowest > 0 {
			took = s.slowest
		}
		if err := trial.Response.RecordValue(took.Microseconds()); err != nil {
			t.Fatal(err)
		}
	}
	if s.invalid != "" {
		trial.Invalid = []string{s.invalid}
	}
	return attemptOf(c, trial)
}

func TestChooseBest(t *testing.T) {
	for name, tc := range map[string]struct {
		tried []tried
		want  int // workers; 0 = none
	}{
		"the highest goodput":               {[]tried{{4, 100, 0, 0, ""}, {16, 400, 0, 0, ""}, {64, 200, 0, 0, ""}}, 16},
		"of equals the first":               {[]tried{{4, 300, 0, 0, ""}, {16, 300, 0, 0, ""}, {64, 300, 0, 0, ""}}, 4},
		"of those about as good the first":  {[]tried{{4, 100, 0, 0, ""}, {16, 380, 0, 0, ""}, {64, 400, 0, 0, ""}}, 16},
		"less than about as good is less":   {[]tried{{4, 100, 0, 0, ""}, {16, 379, 0, 0, ""}, {64, 400, 0, 0, ""}}, 64},
		"a longer tail makes none worse":    {[]tried{{4, 380, 0, 5 * time.Second, ""}, {16, 400, 0, 0, ""}}, 4},
		"a shorter tail makes none better":  {[]tried{{4, 200, 0, 0, ""}, {16, 400, 0, 5 * time.Second, ""}}, 16},
		"failures make none":                {[]tried{{4, 100, 0, 0, ""}, {16, 1000, 11, 0, ""}}, 4},
		"few failures are none":             {[]tried{{4, 100, 0, 0, ""}, {16, 1000, 10, 0, ""}}, 16},
		"one without a response is none":    {[]tried{{4, 0, 0, 0, ""}, {16, 1, 0, 0, ""}}, 16},
		"what is not believed is none":      {[]tried{{4, 100, 0, 0, ""}, {16, 400, 0, 0, "the server died"}}, 4},
		"nor does it set the mark":          {[]tried{{4, 96, 0, 0, ""}, {16, 100, 0, 0, ""}, {64, 4000, 0, 0, "too slow a generator"}}, 4},
		"nor do failures set it":            {[]tried{{4, 96, 0, 0, ""}, {16, 100, 0, 0, ""}, {64, 4000, 400, 0, ""}}, 4},
		"where none is believed, none":      {[]tried{{4, 100, 0, 0, "noise"}, {16, 400, 0, 0, "noise"}}, 0},
		"where all fail, none":              {[]tried{{4, 0, 50, 0, ""}, {16, 0, 90, 0, ""}}, 0},
		"where each is one or other, none":  {[]tried{{4, 0, 50, 0, ""}, {16, 400, 0, 0, "noise"}}, 0},
		"the last, if it alone is believed": {[]tried{{4, 900, 0, 0, "noise"}, {16, 0, 9, 0, ""}, {64, 10, 0, 0, ""}}, 64},
	} {
		var all []*attempt
		for _, s := range tc.tried {
			all = append(all, s.attempt(t))
		}
		got := 0
		if best := chooseBest(all); best != nil {
			got = best.Configured.Settings.Int("workers")
		}
		if got != tc.want {
			t.Errorf("%s: %d workers, want %d", name, got, tc.want)
		}
	}
}

// Whatever was tried, the chosen one went well, and none before it that did is
// about as good as the best.
func TestChooseBestIsTheFirstAsGood(t *testing.T) {
	outcomes := []tried{{0, 95, 0, 0, ""}, {0, 100, 0, 0, ""}, {0, 200, 0, 0, ""}, {0, 200, 20, 0, ""}, {0, 300, 0, 0, "noise"}}
	n := len(outcomes)
	for i := range n * n * n {
		var all []*attempt
		for k, pick := range []int{i % n, i / n % n, i / n / n} {
			s := outcomes[pick]
			s.workers = k + 1
			all = append(all, s.attempt(t))
		}
		best := chooseBest(all)
		well := slices.DeleteFunc(slices.Clone(all), func(a *attempt) bool { return !a.well() })
		if len(well) == 0 {
			if best != nil {
				t.Errorf("%v: chose %v, none of which went well", all, best)
			}
			continue
		}
		top := slices.MaxFunc(well, func(a, b *attempt) int { return int(a.goodput - b.goodput) })
		first := slices.IndexFunc(well, func(a *attempt) bool { return a.goodput >= asGood*top.goodput })
		if best != well[first] {
			t.Errorf("%v: chose %v, want %v", all, best, well[first])
		}
	}
}

// Tails stand beside goodput, and in their place why there is none.
func TestAttemptInWords(t *testing.T) {
	for _, tc := range []struct {
		tried tried
		want  string
	}{
		{tried{4, 300, 0, 2 * time.Second, ""}, "prefork:workers=4 500/s (p50 1ms, p99 2"},
		{tried{4, 300, 4, 0, ""}, "prefork:workers=4 failed"},
		{tried{4, 300, 0, 0, "the server died"}, "prefork:workers=4 is not known (the server died)"},
	} {
		if got := tc.tried.attempt(t).String(); !strings.HasPrefix(got, tc.want) {
			t.Errorf("%q, want %q", got, tc.want)
		}
	}
}

// A model is tried with every combination of those options that it has.
func TestTuned(t *testing.T) {
	options := []Tunable{{"workers", []int{2, 8}}, {"threads", []int{1, 4}}, {"db_pool", []int{3}}}
	for text, want := range map[string][]string{
		"async":              {"async:db_pool=3"},
		"prefork:backlog=64": {"prefork:backlog=64,workers=2", "prefork:backlog=64,workers=8"},
		"threads:workers=1":  {"threads:workers=2,threads=1,db_pool=3", "threads:workers=2,threads=4,db_pool=3", "threads:workers=8,threads=1,db_pool=3", "threads:workers=8,threads=4,db_pool=3"},
		"cgi":                {"cgi"},
		"eventloop":          {"eventloop:db_pool=3"},
		"prefork:workers=5":  {"prefork:workers=2", "prefork:workers=8"},
	} {
		c, err := servers.Resolve(text)
		if err != nil {
			t.Error(err)
			continue
		}
		var got []string
		for _, s := range (&Contestant{Label: text, Configured: c}).tuned(options) {
			got = append(got, s.String())
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s is tried as %v, want %v", text, got, want)
		}
	}
}
