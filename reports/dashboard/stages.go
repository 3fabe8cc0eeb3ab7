package dashboard

import (
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"gatewaylab/scenarios"
	"gatewaylab/scenarios/load"
)

// planned is how many trials each of the scenario's cells is to have.
func (s *scene) planned(p *picture) int {
	if s.trials > 0 {
		return s.trials
	}
	return p.plan.Trials
}

// stageAt is the stage under way at a moment of the window, and the first or
// the last outside of it.
func (s *scene) stageAt(at time.Duration) int {
	for i := range s.stages {
		if at -= s.stages[i].For; at < 0 {
			return i
		}
	}
	return max(0, len(s.stages)-1)
}

// stageWords says which stage of the load the running trial is in, in at most
// about w characters: "2/3 rush · 480/s". It is empty where the load never
// changes, and outside of the window.
func (p *picture) stageWords(w int) string {
	sc, sm := p.current(), p.sample
	if sm == nil || p.phase != scenarios.Measuring || len(sc.stages) == 0 {
		return ""
	}
	at := sm.At - sm.Length/2
	i := sc.stageAt(at)
	st := &sc.stages[i]
	steady := st.Shape == load.Constant || st.Shape == load.Users && st.Levels < 2
	if len(sc.stages) == 1 && steady {
		return ""
	}
	for k := range i {
		at -= sc.stages[k].For
	}
	text := levelWords(st, min(max(0, at), st.For))
	if len(sc.stages) == 1 {
		return text
	}
	number := whole(i+1) + "/" + whole(len(sc.stages))
	if st.Name == "" {
		return "stage " + number + dotted(text)
	}
	room := w - len(number) - 1 - utf8.RuneCountInString(dotted(text))
	if room < 4 {
		return number + dotted(text)
	}
	return number + " " + clip([]rune(st.Name), room) + dotted(text)
}

func dotted(text string) string {
	if text == "" {
		return ""
	}
	return " · " + text
}

// levelWords is what a stage offers at a moment: "480/s", "20 users". A replay
// whose arrivals are not at hand says nothing.
func levelWords(st *load.Stage, at time.Duration) string {
	if !st.Open() {
		return count(st.UsersAt(at), "user")
	}
	switch v := st.RateAt(at); {
	case st.Shape == load.Replay && v == 0 || math.IsNaN(v) || math.IsInf(v, 0):
		return ""
	case v < 10 && v != math.Trunc(v):
		return strconv.FormatFloat(v, 'f', 1, 64) + "/s"
	default:
		return whole(int(math.Round(v))) + "/s"
	}
}
