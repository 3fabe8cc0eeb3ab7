package dashboard

import (
	"bytes"
	"sync"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/exp/golden"

	"gatewaylab/reports/dashboard/testdata/rehearsal"
	"gatewaylab/scenarios"
)

// TestFloodDoesNotBlockTheSender: the display hangs, the run goes on, and
// nothing but samples is lost.
func TestFloodDoesNotBlockTheSender(t *testing.T) {
	events := make(chan scenarios.Event)
	f := newFeed()
	go f.drain(events)
	hang := make(chan struct{})
	var mu sync.Mutex
	var got batch
	over := make(chan struct{})
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		f.pump(func(msg tea.Msg) {
			<-hang
			if b, ok := msg.(batch); ok {
				mu.Lock()
				got = append(got, b...)
				mu.Unlock()
			}
		}, time.Millisecond, over)
	}()

	const n = 10_000
	start := time.Now()
	for i := range n {
		events <- scenarios.Sample{Ref: scenarios.Ref{Order: i}}
		switch i % 100 {
		case 10:
			events <- scenarios.TrialDone{Trial: &scenarios.Trial{Ref: scenarios.Ref{Trial: i}}}
		case 20:
			events <- scenarios.Note{Text: "note"}
		}
	}
	events <- scenarios.PlanDone{}
	close(events)
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("sending %d events took %v while the display hung", n, took)
	}
	close(hang)
	select {
	case <-finished:
	case <-time.After(patience):
		t.Fatal("the pump did not end after the events")
	}

	var samples, trials, notes, dones int
	for _, e := range got {
		switch e.(type) {
		case scenarios.Sample:
			samples++
		case trialFigures:
			trials++
		case scenarios.Note:
			notes++
		case scenarios.PlanDone:
			dones++
		}
	}
	if trials != n/100 || notes != n/100 || dones != 1 {
		t.Errorf("got %d trials, %d notes and %d ends; want %d, %d and 1", trials, notes, dones, n/100, n/100)
	}
	if samples > 1000 {
		t.Errorf("%d samples were kept for a display that hung", samples)
	}
}

func TestLatestSampleWins(t *testing.T) {
	f := newFeed()
	for i := range 1000 {
		f.add(scenarios.Sample{Ref: scenarios.Ref{Order: i}})
	}
	b := f.take()
	if len(b) != sampleLimit || b[len(b)-1].(scenarios.Sample).Order != 999 {
		t.Errorf("%d samples kept, the last is %d", len(b), b[len(b)-1].(scenarios.Sample).Order)
	}
	if f.take() != nil {
		t.Error("the same events twice")
	}
}

func TestPlain(t *testing.T) {
	events := make(chan scenarios.Event)
	go func() {
		defer close(events)
		r := rehearsal.Three()
		r.Trials, r.For = 2, 15*time.Second
		r.Play(func(e scenarios.Event) { events <- e }, func(time.Duration) {})
	}()
	var b bytes.Buffer
	Plain(events, &b)
	golden.RequireEqual(t, b.Bytes())
}

func TestPlainInterrupted(t *testing.T) {
	events := make(chan scenarios.Event, 3)
	events <- scenarios.PlanStarted{Total: 54, Measuring: time.Minute, Left: 70 * time.Second}
	events <- scenarios.TrialDone{Trial: &scenarios.Trial{Ref: scenarios.Ref{Scenario: "hello", Model: "cgi", Trial: 1, Of: 6, Order: 1, Total: 54}, Invalid: []string{"the server died"}}}
	events <- scenarios.PlanDone{Interrupted: true}
	close(events)
	var b bytes.Buffer
	Plain(events, &b)
	const want = "0 models on : 54 trials, 1:00 of measuring, about 1:10 in all\n" +
		"[ 1/54] hello × cgi, trial 1 of 6: 0.0/s; invalid: the server died; 0:00 left\n" +
		"stopped after 1 of 54 trials, 1 invalid\n"
	if b.String() != want {
		t.Errorf("got:\n%swant:\n%s", b.String(), want)
	}
}
