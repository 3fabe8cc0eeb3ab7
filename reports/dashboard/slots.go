package dashboard

import (
	"strings"
	"time"

	"gatewaylab/scenarios"
	"gatewaylab/servers/process"
)

// longBusy is when a request has held its slot long enough to stand out, and
// longIdle when an idle slot fades.
const (
	longBusy = time.Second
	longIdle = time.Second
)

// The shapes alone tell the states apart; ink adds for how long.
const (
	busyMark = '■'
	longMark = '▣'
	idleMark = '□'
	freeMark = '·'
)

// slotLegends from the longest to the shortest.
var slotLegends = [...]string{
	"■ busy  ▣ over 1 s  □ idle  · free",
	"■ busy  ▣ > 1 s  □ idle",
	"■ busy  □ idle",
}

func slotMark(sl process.SlotStatus, own ink) (rune, ink) {
	switch {
	case sl.Busy && sl.Since >= longBusy:
		return longMark, alert
	case sl.Busy:
		return busyMark, own
	case sl.Since >= longIdle:
		return idleMark, faint
	default:
		return idleMark, plain
	}
}

// places a scoreboard has, taken or not.
func slotCount(st process.Status) int {
	n := st.Workers
	if last := len(st.Slots) - 1; last >= 0 {
		n = max(n, st.Slots[last].Index+1)
	}
	return n
}

// slotCells draws one cell for each slot, always in the same place; those that
// don't fit are counted.
func slotCells(s *screen, a area, st process.Status, own ink) {
	n := slotCount(st)
	if n == 0 || a.w <= 0 || a.h <= 0 {
		return
	}
	step := 1
	if n <= (a.w+1)/2*a.h {
		step = 2
	}
	columns := (a.w + step - 1) / step
	shown := min(n, columns*a.h)
	if n > shown {
		more := "+" + whole(n-shown)
		for len(more) < len("+"+whole(n-shown+len(more)+1)) {
			more = " " + more
		}
		shown -= len(more) + 1
		s.right(a.x+a.w, a.y+a.h-1, a.w, faint, "+"+whole(n-shown))
	}
	for i := range shown {
		s.set(a.x+i%columns*step, a.y+i/columns, faint, freeMark)
	}
	for _, sl := range st.Slots {
		if sl.Index < 0 || sl.Index >= shown {
			continue
		}
		r, k := slotMark(sl, own)
		s.set(a.x+sl.Index%columns*step, a.y+sl.Index/columns, k, r)
	}
}

// slotRows tells each slot's story in a line of its own.
func slotRows(s *screen, a area, st process.Status, noun string, own ink) {
	for i := range min(st.Workers, a.h) {
		s.set(a.x, a.y+i, faint, freeMark)
		s.text(a.x+2, a.y+i, a.w-2, faint, noun+" "+whole(i+1))
	}
	x := a.x + 2 + len(noun) + 5
	for _, sl := range st.Slots {
		y := a.y + sl.Index
		if sl.Index < 0 || sl.Index >= a.h {
			continue
		}
		r, k := slotMark(sl, own)
		s.set(a.x, y, k, r)
		s.text(a.x+2, y, a.w-2, plain, noun+" "+whole(sl.Index+1))
		state := "idle "
		if sl.Busy {
			state = "busy "
		}
		s.text(x, y, a.x+a.w-x, plain, state+ms(millis(sl.Since)))
		s.text(x+16, y, a.x+a.w-x-16, faint, whole(sl.Served)+" served")
		tail := "pid " + plainInt(sl.PID)
		if sl.Restarts > 0 {
			tail += " · " + count(int(sl.Restarts), "restart")
		}
		s.text(x+34, y, a.x+a.w-x-34, faint, tail)
	}
}

// occupancy says how many slots are busy, how many requests wait for one, and
// how many are under way in all.
func occupancy(p *picture, brief bool) string {
	sm := p.sample
	if sm == nil {
		switch p.phase {
		case scenarios.Verifying:
			return "answers must be the same for every model before anything is measured"
		case scenarios.Starting:
			return "the server is coming up"
		default:
			return ""
		}
	}
	var parts []string
	if st := sm.Status; sm.Busy >= 0 || len(st.Slots) > 0 || st.Workers > 0 {
		noun := p.info().Noun
		if noun == "" {
			noun = "slot"
		}
		total := max(st.Workers, len(st.Slots))
		busy := whole(min(st.Busy(), total))
		if brief {
			parts = append(parts, busy+"/"+whole(total)+" busy")
		} else {
			parts = append(parts, busy+" of "+count(total, noun)+" busy")
		}
		if st.Unslotted > 0 {
			parts = append(parts, whole(st.Unslotted)+" more")
		}
	} else {
		parts = append(parts, "this server shows no workers")
	}
	if sm.Queued >= 0 {
		parts = append(parts, whole(sm.Queued)+" waiting")
	}
	parts = append(parts, whole(sm.InFlight)+" in flight")
	return strings.Join(parts, " · ")
}

// history says what the slots have been through.
func history(sm *scenarios.Sample) string {
	if sm == nil {
		return ""
	}
	var parts []string
	if n := sm.Status.Restarts; n > 0 { // first, for the line may be cut
		parts = append(parts, count(int(n), "restart"))
	}
	if sm.Status.Served > 0 {
		parts = append(parts, whole(sm.Status.Served)+" served")
	}
	if n := sm.Status.Rejected; n > 0 {
		parts = append(parts, whole(n)+" rejected")
	}
	if sm.Failed > 0 {
		parts = append(parts, whole(sm.Failed)+" failing now")
	}
	return strings.Join(parts, " · ")
}

// info is what the plan says about the running model.
func (p *picture) info() scenarios.ModelInfo {
	for _, m := range p.models {
		if m.Label == p.now.Model {
			return m
		}
	}
	return scenarios.ModelInfo{}
}
