package dashboard

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/muesli/termenv"

	"gatewaylab/reports/dashboard/testdata/rehearsal"
	"gatewaylab/scenarios"
	"gatewaylab/scenarios/load"
)

func TestStageOfTheRunningTrial(t *testing.T) {
	const s = time.Second
	stages := []load.Stage{
		{Name: "calm", Shape: load.Constant, From: 10, For: s},
		{Name: "an uncommonly long name", Shape: load.Ramp, From: 0, To: 100, For: 2 * s},
		{Shape: load.Users, UsersFrom: 1, UsersTo: 3, Levels: 2, For: 2 * s},
		{Name: "again", Shape: load.Replay, File: "arrivals.txt", For: s},
	}
	for _, c := range []struct {
		stages []load.Stage
		phase  scenarios.Phase
		at     time.Duration // end of the slice, which is 100 ms long
		want   string
	}{
		{stages, scenarios.Warming, -s / 2, ""},
		{stages, scenarios.Measuring, s / 10, "1/4 calm · 10/s"},
		{stages, scenarios.Measuring, s, "1/4 calm · 10/s"},
		{stages, scenarios.Measuring, 2*s + s/20, "2/4 an uncommonl… · 50/s"},
		{stages, scenarios.Measuring, 3*s + s/10, "stage 3/4 · 1 user"},
		{stages, scenarios.Measuring, 5 * s, "stage 3/4 · 3 users"},
		{stages, scenarios.Measuring, 6 * s, "4/4 again"},
		{stages, scenarios.Measuring, 60 * s, "4/4 again"},
		{stages[:1], scenarios.Measuring, s / 2, ""},
		{stages[1:2], scenarios.Measuring, s + s/20, "50/s"},
		{nil, scenarios.Measuring, s, ""},
	} {
		p := &picture{}
		p.apply(scenarios.PlanStarted{Scenarios: []*scenarios.Scenario{{Name: "s", Stages: c.stages}}})
		p.apply(scenarios.Sample{
			Ref: scenarios.Ref{Scenario: "s", Model: "m", Trial: 1}, Phase: c.phase,
			Interval: scenarios.Interval{At: c.at, Length: 100 * time.Millisecond},
		})
		if got := p.stageWords(24); got != c.want {
			t.Errorf("%d stages, %s at %v: %q, want %q", len(c.stages), c.phase, c.at, got, c.want)
		}
	}
}

// TestStagesAreMarked: one mark where a stage gives way, none otherwise.
func TestStagesAreMarked(t *testing.T) {
	c := &cell{trials: []*track{{points: []point{{goodput: 1}, {goodput: 1}, {goodput: 1, stage: 1}, {goodput: 1, stage: 2}}}, {points: []point{{goodput: 1}}}}}
	for w, want := range map[int]string{10: "··██│█│█┊█", 4: "│█┊█", 1: "█"} {
		s := newScreen(w, 1)
		strip(s, s.area(), c, plain, curve{scale: scale{high: 1}, columns: func(q point) float64 { return q.goodput }})
		if got := s.render(testTheme(termenv.Ascii)); got != want {
			t.Errorf("%d wide: %q, want %q", w, got, want)
		}
	}
}

func TestNotSpokenIsSaid(t *testing.T) {
	m := feedModel(newModel(testTheme(termenv.Ascii), nil), windowSize(80, 24), script(rehearsal.Staged(), 0))
	for _, v := range []string{"overview", "results", "log"} {
		for m.view.String() != v {
			m = press(m, keyTab)
		}
		if got := m.View(); !strings.Contains(got, "not spoken") {
			t.Errorf("the %s doesn't say that a protocol is not spoken:\n%s", v, got)
		}
	}
	p := &picture{}
	p.apply(scenarios.PlanStarted{Models: []modelInfo{{Label: "nginx"}}, Scenarios: []*scenarios.Scenario{{Name: "wait"}}})
	p.apply(scenarios.NotOffered{Scenario: "wait", Model: "nginx", Path: "/wait"})
	m.live = p
	for _, v := range []string{"overview", "results"} {
		for m.view.String() != v {
			m = press(m, keyTab)
		}
		if got := m.View(); !strings.Contains(got, "not offered") {
			t.Errorf("the %s doesn't say that a path is not offered:\n%s", v, got)
		}
	}
	events := make(chan scenarios.Event)
	go func() {
		defer close(events)
		rehearsal.Staged().Play(func(e scenarios.Event) { events <- e }, func(time.Duration) {})
	}()
	var b bytes.Buffer
	Plain(events, &b)
	for _, want := range []string{"cpu × cgi: the protocol is not spoken, the answer was 505 HTTP Version Not Supported\n", ", 5 restarts; "} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}
