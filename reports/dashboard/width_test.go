package dashboard

import (
	"fmt"
	"strings"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"
	"github.com/muesli/termenv"

	"gatewaylab/reports/dashboard/testdata/rehearsal"
	"gatewaylab/scenarios"
	"gatewaylab/servers/process"
)

// TestNoFrameIsLargerThanTheTerminal: every view, at every size, before,
// during and after a run, with long and odd names.
func TestNoFrameIsLargerThanTheTerminal(t *testing.T) {
	odd := rehearsal.Three()
	odd.Models[0].Label = "比較 模型 🚀 e\u0301\u200d \x1b[31mred\x07\n"
	crowd := scenarios.Sample{
		Ref: scenarios.Ref{Scenario: "unplanned", Model: "async", Trial: 99_999_999, Of: 1}, Phase: scenarios.Measuring,
		Interval: scenarios.Interval{Length: time.Second, Succeeded: 1 << 60, P50: 1, P99: 300 * time.Hour, InFlight: 1 << 40, Busy: -1, Queued: -1, CPU: 1e9, Memory: 1 << 60},
		Left:     900 * time.Hour,
		Status:   process.Status{Slots: make([]process.SlotStatus, 2048), Unslotted: 1 << 30, Restarts: 1 << 50, Served: 1 << 62},
	}
	for i := range crowd.Status.Slots {
		crowd.Status.Slots[i] = process.SlotStatus{Index: i, PID: 1, Busy: i%15 == 0}
	}
	runs := map[string]batch{
		"nothing": nil, "three": script(rehearsal.Three(), 30), "whole": script(rehearsal.Three(), 0),
		"staged": script(rehearsal.Staged(), 40), "twelve": script(twelve(), 90), "odd": append(script(odd, 30), scenarios.Note{Text: strings.Repeat("很长\x1b[2J\t", 400)}),
		"crowd": append(script(rehearsal.Three(), 9), crowd),
	}
	sizes := [][2]int{{1, 1}, {2, 2}, {7, 3}, {20, 5}, {40, 12}, {59, 40}, {60, 15}, {61, 16}, {79, 23}, {80, 24}, {100, 15}, {120, 40}, {200, 60}, {300, 15}, {60, 100}}
	for name, events := range runs {
		base := feedModel(newModel(testTheme(termenv.TrueColor), nil), events)
		for _, size := range sizes {
			m := feedModel(base, tea.WindowSizeMsg{Width: size[0], Height: size[1]})
			for range views {
				for _, v := range []model{m, press(m, keyHelp), press(m, keySpace), press(m, keyQ)} {
					frame := v.View()
					lines := strings.Split(frame, "\n")
					if len(lines) > size[1] {
						t.Fatalf("%s %dx%d %s: %d lines", name, size[0], size[1], v.view, len(lines))
					}
					for _, l := range lines {
						if w := ansi.StringWidth(l); w > size[0] {
							t.Fatalf("%s %dx%d %s: a line %d wide: %q", name, size[0], size[1], v.view, w, l)
						}
						if c := ansi.Strip(l); strings.ContainsAny(c, "\x1b\a\t\r") {
							t.Fatalf("%s: a control character got through: %q", name, c)
						}
					}
				}
				m = press(m, keyTab)
			}
		}
	}
}

// In a narrow terminal figures are whole or not there.
func TestNarrowOverviewCutsNoFigure(t *testing.T) {
	base := feedModel(newModel(testTheme(termenv.Ascii), nil), script(rehearsal.Three(), 30))
	for w := 60; w <= 80; w++ {
		lines := strings.Split(feedModel(base, tea.WindowSizeMsg{Width: w, Height: 24}).View(), "\n")
		for _, l := range lines {
			if figures := strings.Contains(l, "p50") || strings.Contains(l, "server"); figures && strings.Contains(l, "…") {
				t.Errorf("%d columns: %q", w, l)
			}
		}
		if w == 60 && !strings.Contains(strings.Join(lines, "\n"), "•p99") {
			t.Errorf("no p99 in\n%s", strings.Join(lines, "\n"))
		}
	}
}

func TestCrowdOfConnections(t *testing.T) {
	st := process.Status{}
	for i := range 2048 {
		st.Slots = append(st.Slots, process.SlotStatus{Index: i, PID: 9, Busy: i < 137})
	}
	p := &picture{models: []modelInfo{{Label: "async", Noun: "connection"}}, now: scenarios.Ref{Model: "async"}}
	p.sample = &scenarios.Sample{Status: st}
	if got := occupancy(p, false); !strings.HasPrefix(got, "137 of 2,048 connections busy") {
		t.Errorf("occupancy is %q", got)
	}
	s := newScreen(78, 2)
	slotCells(s, s.area(), st, plain)
	frame := s.render(testTheme(termenv.Ascii))
	cells := strings.Count(frame, "■") + strings.Count(frame, "□")
	var more int
	_, tail, _ := strings.Cut(strings.ReplaceAll(frame, ",", ""), "+")
	if _, err := fmt.Sscan(tail, &more); err != nil {
		t.Fatalf("%v in:\n%s", err, frame)
	}
	if strings.Count(frame, "■") != 137 || cells+more != 2048 {
		t.Errorf("%d cells and %d more, want 2048 in all:\n%s", cells, more, frame)
	}
}

func TestSlotKeepsItsPlace(t *testing.T) {
	st := process.Status{Workers: 4, Slots: []process.SlotStatus{
		{Index: 1, PID: 1, Busy: true}, {Index: 3, PID: 2, Busy: true, Since: 2 * time.Second},
	}}
	s := newScreen(10, 1)
	slotCells(s, s.area(), st, plain)
	if got := s.render(testTheme(termenv.Ascii)); got != "· ■ · ▣" {
		t.Errorf("slots are %q", got)
	}
}

func TestShortenKeepsSpecsApart(t *testing.T) {
	for _, w := range []int{18, 27} {
		seen := map[string]string{}
		for _, run := range []rehearsal.Run{twelve(), rehearsal.Three()} {
			for i, l := range shorten(run.Models, w) {
				if n := len([]rune(l)); n > w {
					t.Errorf("%q is %d wide, want at most %d", l, n, w)
				}
				if other, ok := seen[l]; ok {
					t.Errorf("%q stands for both %s and %s", l, other, run.Models[i].Label)
				}
				seen[l] = run.Models[i].Label
			}
		}
	}
}
