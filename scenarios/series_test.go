package scenarios

import (
	"testing"
	"time"

	"gatewaylab/scenarios/load"
)

// Readings are taken at the end of the slice that they are of, when no hit has
// ended in the next one yet, or while the server answers nothing at all.
func TestReadingsStandInTheSliceThatTheyAreOf(t *testing.T) {
	s := &Scenario{Warmup: 200 * time.Millisecond, Stages: []load.Stage{{Shape: load.Constant, From: 10, For: time.Second}}}
	tr := &Trial{Window: time.Second, Response: NewHistogram(), Service: NewHistogram(), FirstByte: NewHistogram(), Lag: NewHistogram()}
	c := newCollector(tr, s)
	for i := 1; i <= 15; i++ { // three of them after the window
		c.latest(time.Duration(i)*100*time.Millisecond+time.Millisecond, Interval{InFlight: i, Busy: 2, Queued: 1, CPU: 0.5, Memory: 9})
	}
	c.finish()
	if len(tr.Series) != 12 {
		t.Fatalf("%d slices, want 12: 2 of the warm-up, 10 of the window", len(tr.Series))
	}
	for i, slice := range tr.Series {
		want := Interval{At: time.Duration(i-1) * 100 * time.Millisecond, Length: 100 * time.Millisecond, InFlight: i + 1, Busy: 2, Queued: 1, CPU: 0.5, Memory: 9}
		if slice != want {
			t.Errorf("slice %d: %+v, want %+v", i, slice, want)
		}
	}
}

// Only what the generator itself was too slow for is its limit; not what other
// programs kept it from.
func TestJudgeTellsTheGeneratorsLimit(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(*Trial)
		want  bool
	}{
		{"healthy", func(*Trial) {}, false},
		{"unsent", func(tr *Trial) { tr.Sent, tr.Unsent = 990, 10 }, true},
		{"used its cores up", func(tr *Trial) { tr.Generator.CPU = 1900 * time.Millisecond }, true},
		{"late on a busy machine", func(tr *Trial) { tr.Sent, tr.Unsent, tr.Machine.Others = 990, 10, 0.5 }, false},
		{"late while the hypervisor was elsewhere", func(tr *Trial) { tr.Sent, tr.Unsent, tr.Machine.Steal = 990, 10, 0.3 }, false},
		{"a wrong request", func(tr *Trial) { tr.Codes[404] = 1 }, false},
	} {
		tr, s, o := healthy(load.Constant)
		c.spoil(tr)
		judge(tr, s, o)
		if tr.Starved != c.want {
			t.Errorf("%s: starved is %v, because %q", c.name, tr.Starved, tr.Invalid)
		}
	}
}
