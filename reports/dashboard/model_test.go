package dashboard

import (
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/exp/golden"
	"github.com/charmbracelet/x/exp/teatest"
	"github.com/muesli/termenv"

	"gatewaylab/reports/dashboard/testdata/rehearsal"
	"gatewaylab/scenarios"
)

const patience = 30 * time.Second

func testTheme(p termenv.Profile) *theme {
	r := lipgloss.NewRenderer(io.Discard)
	r.SetColorProfile(p)
	r.SetHasDarkBackground(true)
	return themeOf(r)
}

// script is a made-up run, cut off after its n-th trial has begun and some
// samples of it were seen; n = 0 is the whole run.
func script(r rehearsal.Run, n int) batch {
	var b batch
	samples := 0
	r.Play(func(e scenarios.Event) {
		if s, ok := e.(scenarios.Sample); ok && s.Order == n {
			samples++
		}
		if n > 0 && samples > 7 {
			return
		}
		if done, ok := e.(scenarios.TrialDone); ok {
			b = append(b, finish(done))
		} else {
			b = append(b, e)
		}
	}, func(time.Duration) {})
	return b
}

// twelve models whose specs differ late.
func twelve() rehearsal.Run {
	r := rehearsal.Three()
	r.Models = nil
	for i := range 12 {
		r.Models = append(r.Models, scenarios.ModelInfo{
			Label: fmt.Sprintf("prefork:workers=8,timeout=30s,max_requests=%d", 1000*(i+1)),
			Name:  "prefork", Slots: 8, Noun: "worker",
		})
	}
	return r
}

// workersOnly has one model of four workers.
func workersOnly() rehearsal.Run {
	r := rehearsal.Three()
	r.Models, r.Trials = r.Models[1:2], 12
	return r
}

func press(m model, keys ...tea.KeyMsg) model {
	for _, k := range keys {
		next, _ := m.Update(k)
		m = next.(model)
	}
	return m
}

func feedModel(m model, msgs ...tea.Msg) model {
	for _, msg := range msgs {
		next, _ := m.Update(msg)
		m = next.(model)
	}
	return m
}

var (
	keyTab   = tea.KeyMsg{Type: tea.KeyTab}
	keySpace = tea.KeyMsg{Type: tea.KeySpace, Runes: []rune{' '}}
	keyQ     = tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune{'q'}}
	keyHelp  = tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune{'?'}}
	keyCtrlC = tea.KeyMsg{Type: tea.KeyCtrlC}
	keyDown  = tea.KeyMsg{Type: tea.KeyDown}
)

// TestFrames runs the program and compares its last frame.
func TestFrames(t *testing.T) {
	for _, c := range []struct {
		name string
		w, h int
		run  rehearsal.Run
		keys []tea.KeyMsg
	}{
		{"overview-80x24", 80, 24, rehearsal.Three(), nil},
		{"overview-120x40", 120, 40, rehearsal.Three(), nil},
		{"overview-40x12", 40, 12, rehearsal.Three(), nil},
		{"overview-twelve-80x24", 80, 24, twelve(), nil},
		{"trial-80x24", 80, 24, rehearsal.Three(), []tea.KeyMsg{keyTab}},
		{"trial-120x40", 120, 40, rehearsal.Three(), []tea.KeyMsg{keyTab}},
		{"trial-workers-80x24", 80, 24, workersOnly(), []tea.KeyMsg{keyTab}},
		{"results-80x24", 80, 24, rehearsal.Three(), []tea.KeyMsg{keyTab, keyTab}},
		{"results-120x40", 120, 40, rehearsal.Three(), []tea.KeyMsg{keyTab, keyTab}},
		{"results-40x12", 40, 12, rehearsal.Three(), []tea.KeyMsg{keyTab, keyTab}},
		{"log-80x24", 80, 24, rehearsal.Three(), []tea.KeyMsg{keyTab, keyTab, keyTab}},
		{"help-80x24", 80, 24, rehearsal.Three(), []tea.KeyMsg{keyHelp}},
		{"frozen-80x24", 80, 24, rehearsal.Three(), []tea.KeyMsg{keySpace}},
		{"staged-overview-80x24", 80, 24, rehearsal.Staged(), nil},
		{"staged-overview-120x40", 120, 40, rehearsal.Staged(), nil},
		{"staged-overview-40x12", 40, 12, rehearsal.Staged(), nil},
		{"staged-trial-80x24", 80, 24, rehearsal.Staged(), []tea.KeyMsg{keyTab}},
		{"staged-results-80x24", 80, 24, rehearsal.Staged(), []tea.KeyMsg{keyTab, keyTab}},
		{"staged-log-80x24", 80, 24, rehearsal.Staged(), []tea.KeyMsg{keyTab, keyTab, keyTab}},
		{"stopping-80x24", 80, 24, rehearsal.Three(), []tea.KeyMsg{keyQ}},
	} {
		t.Run(c.name, func(t *testing.T) {
			tm := teatest.NewTestModel(t, newModel(testTheme(termenv.Ascii), func() {}), teatest.WithInitialTermSize(c.w, c.h))
			tm.Send(script(c.run, 34))
			for _, k := range c.keys {
				tm.Send(k)
			}
			tm.Send(ended{})
			final := tm.FinalModel(t, teatest.WithFinalTimeout(patience))
			golden.RequireEqual(t, []byte(final.View()))
		})
	}
}

func TestRunningProgram(t *testing.T) {
	var stops atomic.Int32
	stopped := make(chan struct{})
	tm := teatest.NewTestModel(t, newModel(testTheme(termenv.Ascii), func() {
		if stops.Add(1) == 1 {
			close(stopped)
		}
	}), teatest.WithInitialTermSize(80, 24))
	see := func(what string) {
		t.Helper()
		teatest.WaitFor(t, tm.Output(), func(b []byte) bool { return strings.Contains(ansi.Strip(string(b)), what) }, teatest.WithDuration(patience))
	}
	events := script(rehearsal.Three(), 20)
	tm.Send(events)
	see("trial 20 of 54")
	tm.Send(tea.WindowSizeMsg{Width: 120, Height: 40})
	see("[overview] trial  results  log")
	tm.Send(keyTab)
	see("[trial]")
	tm.Type("?")
	see("any key closes it")
	tm.Type("x")
	see("in flight")
	tm.Send(keySpace)
	see("FROZEN")
	tm.Type("qq")
	tm.Send(keyCtrlC)
	see("stopping…")
	select {
	case <-stopped:
	case <-time.After(patience):
		t.Fatal("q did not call Stop")
	}
	tm.Send(ended{})
	tm.WaitFinished(t, teatest.WithFinalTimeout(patience))
	if n := stops.Load(); n != 1 {
		t.Errorf("Stop was called %d times, want once", n)
	}
}

// TestFreeze: data still arrives while the picture stands still.
func TestFreeze(t *testing.T) {
	m := feedModel(newModel(testTheme(termenv.Ascii), nil), tea.WindowSizeMsg{Width: 80, Height: 24}, script(rehearsal.Three(), 5))
	m = press(m, keySpace)
	before := m.View()
	m = feedModel(m, script(rehearsal.Three(), 0)[1:])
	if m.View() != before {
		t.Error("a frozen picture changed")
	}
	if !strings.Contains(before, "FROZEN") {
		t.Error("a frozen picture doesn't say so")
	}
	m = press(m, keySpace)
	if got := m.View(); got == before || !strings.Contains(got, "trial 54 of 54") {
		t.Errorf("after the freeze, want the latest picture, got:\n%s", got)
	}
}

func TestVerifying(t *testing.T) {
	for _, size := range [][2]int{{80, 24}, {40, 12}} {
		m := feedModel(newModel(testTheme(termenv.Ascii), nil), windowSize(size[0], size[1]), script(rehearsal.Three(), 0)[:3])
		got := m.View()
		for _, want := range []string{"verifying", "prefork:workers=4", "left"} {
			if !strings.Contains(got, want) {
				t.Errorf("%q is missing from:\n%s", want, got)
			}
		}
		if strings.Contains(got, "trial 0") {
			t.Errorf("there is no trial 0:\n%s", got)
		}
	}
}

func TestStopIsAskedOnce(t *testing.T) {
	for _, k := range []tea.KeyMsg{keyQ, keyCtrlC} {
		n := 0
		m := newModel(testTheme(termenv.Ascii), func() { n++ })
		for range 3 {
			next, cmd := m.Update(k)
			if cmd != nil {
				cmd()
			}
			m = next.(model)
		}
		if n != 1 || !m.stopping {
			t.Errorf("%s three times: Stop called %d times, stopping %v", k, n, m.stopping)
		}
	}
	m := press(newModel(testTheme(termenv.Ascii), nil), keyHelp, keyQ)
	if !m.stopping {
		t.Error("q in the help did nothing")
	}
}

// TestNothingMoves: rows and columns stay where they are from trial to trial.
func TestNothingMoves(t *testing.T) {
	m := feedModel(newModel(testTheme(termenv.Ascii), nil), tea.WindowSizeMsg{Width: 80, Height: 24})
	where := map[string]string{}
	for _, e := range script(rehearsal.Three(), 0) {
		m = feedModel(m, batch{e})
		for y, l := range strings.Split(m.View(), "\n") {
			for _, label := range []string{"  cgi  ", " prefork:workers=4  ", "  async  ", " so far  "} {
				// titles name models too, in row 3
				if x := strings.Index(l, label); x >= 0 && y > 4 {
					at := fmt.Sprint(y)
					if old, ok := where[label]; ok && old != at {
						t.Fatalf("%q moved from row %s to %s", label, old, at)
					}
					where[label] = at
				}
			}
		}
	}
	if len(where) != 4 {
		t.Errorf("found only %v", where)
	}
}

func TestScrollStops(t *testing.T) {
	m := feedModel(newModel(testTheme(termenv.Ascii), nil), tea.WindowSizeMsg{Width: 80, Height: 24}, script(twelve(), 60))
	m = press(m, keyTab, keyTab)
	for range 200 {
		m = press(m, keyDown)
	}
	if want := m.scrollLimit(); m.scroll != want || want == 0 {
		t.Errorf("scrolled %d lines down, want %d", m.scroll, want)
	}
	if !strings.Contains(m.View(), "0 below") {
		t.Error("the end of the results is not shown")
	}
}

func windowSize(w, h int) tea.Msg { return tea.WindowSizeMsg{Width: w, Height: h} }
