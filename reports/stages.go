package reports

import (
	"cmp"
	"fmt"

	"gatewaylab/scenarios/load"
)

// A stage is what is known about one stage of a load whose level changes, in
// seconds and 1/s.
type stage struct {
	*load.Stage
	title   string
	rate    float64 // at which harmless requests were due, on average; of open stages
	goodput float64
	p50     float64 // of response times; 0 if not known
	step    float64 // by how much more was due per second at its end than before its start
}

// levels are the stages of an unsteady load. Of one that changes within its
// only stage, that is the whole.
func (c *cellTrials) levels() []stage {
	sc := c.scenario
	if _, ok := sc.Steady(); ok {
		return nil
	}
	harmless := c.harmless()
	var all []stage
	before := sc.Stages[0].RateAt(0) // in warm-up
	for i := range sc.Stages {
		st := &sc.Stages[i]
		s := stage{Stage: st, title: fmt.Sprintf("stage %d", i+1)}
		if st.Name != "" {
			s.title += fmt.Sprintf(" (%s)", st.Name)
		}
		s.step = st.RateAt(st.For-1) - before
		before += s.step
		part := PartCell{Goodput: c.Goodput, Offered: c.Offered, Response: c.Response}
		if i < len(c.Stages) {
			part = c.Stages[i]
		}
		s.goodput, s.p50 = part.Goodput.Median, part.Response["p50"].Median/1e3
		if st.Open() {
			s.rate = part.Offered.Median * harmless
		}
		all = append(all, s)
	}
	return all
}

// from and to are the least and most users that a closed stage has.
func (s *stage) users() (from, to int) {
	if s.Levels < 2 {
		return s.UsersFrom, s.UsersFrom
	}
	return min(s.UsersFrom, s.UsersTo), max(s.UsersFrom, s.UsersTo)
}

// mean is a figure's average over the stage's time.
func (s *stage) mean(of func(at float64) float64) float64 {
	const points = 1000
	sum := 0.0
	for i := range points {
		sum += of((float64(i) + 0.5) / points)
	}
	return sum / points
}

// level is what a stage demands, in words.
func (s *stage) level() string {
	if s.Open() {
		return said(s.rate) + "/s were due"
	}
	if from, to := s.users(); from != to {
		return fmt.Sprintf("there were %s to %s", fixed(float64(from), 0), count(to, "client"))
	}
	return fmt.Sprintf("there %s %s", oneOr(s.UsersFrom, "was", "were"), count(s.UsersFrom, "client"))
}

// A verdict is who set the pace of a stage.
type verdict int

const (
	byLoad verdict = iota // the server followed
	byServer
	byNobodyKnown
)

// judge says who set the pace of a stage, given what the server can do at
// most, if that is known.
func (e *evidence) judge(s *stage, capacity bound, known bool) verdict {
	if s.Open() && e.keeps(s.rate, s.goodput, s.For.Seconds(), s.step, s.p50) {
		return byLoad
	}
	peak := e.peak(s)
	average := s.mean(func(at float64) float64 { return e.askedAt(s, at) })
	switch {
	// Where next to nothing is asked of the server, an exchange takes as long
	// as two wake-ups do, which no figure here tells: few users then ask for
	// less than N ÷ service time, and are the ones who set the pace. Unless more
	// of them only waited for longer.
	case !s.Open() && e.slower(s) == nil && e.wait < millisecond && (!known || s.goodput < explains*capacity.limit):
		return byLoad
	case !known && s.Open() || average == 0:
		return byNobodyKnown
	case !s.Open() && (!known || peak <= capacity.limit) && s.goodput >= explains*average:
		return byLoad
	// A limit that was not asked for is no cause.
	case known && peak > explainsPeak*capacity.limit &&
		s.goodput >= explains*s.mean(func(at float64) float64 { return min(capacity.limit, e.askedAt(s, at)) }):
		return byServer
	}
	return byNobodyKnown
}

const millisecond = 1e-3

// slower is the stage with the fewest users, if with the users of s response
// time grew in place of goodput: at least twice as long, and less than half of
// what as many more would have got at the same speed. Nil if not.
func (e *evidence) slower(s *stage) *stage {
	few := s
	for i := range e.stages {
		if other := &e.stages[i]; !other.Open() && other.Think == s.Think && most(other) < most(few) {
			few = other
		}
	}
	if s.Open() || few.p50 <= 0 || few.goodput <= 0 || s.p50 < 2*few.p50 {
		return nil
	}
	if s.goodput/few.goodput > float64(most(s))/float64(most(few))/2 {
		return nil
	}
	return few
}

// most users that a closed stage has.
func most(s *stage) int {
	_, to := s.users()
	return to
}

// explainsPeak is the share of a limit that must have been asked for, for it
// to be the cause of what a stage came to.
const explainsPeak = 0.95

// peak is the most that a stage asks for per second, and askedAt what it asks
// for when so much of its time is over; 0 if not known.
func (e *evidence) peak(s *stage) float64 {
	if s.Open() {
		rate, _ := s.Peak()
		return max(rate, s.rate)
	}
	return e.ask(s, most(s))
}

func (e *evidence) askedAt(s *stage, at float64) float64 {
	moment := min(s.For-1, dur(at*s.For.Seconds()))
	if s.Open() {
		return cmp.Or(s.RateAt(moment), s.rate) // a replay's arrivals aren't saved
	}
	return e.ask(s, s.UsersAt(moment))
}

func (e *evidence) ask(s *stage, users int) float64 {
	if takes := e.service() + s.Think.Seconds(); takes > 0 && e.wait >= 0 {
		return float64(users) / takes
	}
	return 0
}

// capacity is the lowest limit that doesn't depend on the load.
func (e *evidence) capacity() (bound, bool) {
	still := *e
	still.clients, still.rate = 0, 0
	return lowest(still.bounds(), byArrivals)
}

// stageByStage explains a load of several stages by the first that the server
// didn't follow.
func (e *evidence) stageByStage() string {
	capacity, known := e.capacity()
	first, verdicts := -1, make([]verdict, len(e.stages))
	for i := range e.stages {
		verdicts[i] = e.judge(&e.stages[i], capacity, known)
		if first < 0 && verdicts[i] != byLoad {
			first = i
		}
	}
	if first < 0 {
		return sentences(fmt.Sprintf("It kept up in %s stages, %s: the load, not the server, set the pace.", oneOr(len(e.stages)-1, "both", fmt.Sprintf("all %d", len(e.stages))), e.highest()),
			sentences(cmp.Or(e.failures(), e.busyWords()+"."), e.others()))
	}
	s := &e.stages[first]
	until := fmt.Sprintf("It kept up until %s, when %s", s.title, s.level())
	if first == 0 {
		until = fmt.Sprintf("It fell behind in %s already, when %s", s.title, s.level())
	}
	if verdicts[first] == byServer {
		return sentences(fmt.Sprintf("%s; %s; measured %s there.", until, lower(e.allows(capacity)), said(s.goodput)), sentences(cmp.Or(e.again(first, verdicts), e.failures()), e.othersThan(capacity)))
	}
	why := "which no limit computed here explains"
	switch {
	case known && s.Open() && e.late(s.rate, capacity):
		why = fmt.Sprintf("since the queue grew until clients had left before it was their turn (%s can finish %s/s)", e.name(capacity), said(capacity.limit))
	case known:
		why += fmt.Sprintf(" (%s would allow %s/s)", e.name(capacity), said(capacity.limit))
	}
	text := fmt.Sprintf("%s; %s/s succeeded there, %s.", until, said(s.goodput), why)
	if few := e.slower(s); few != nil {
		text += fmt.Sprintf(" From %s to %s response time grew from %s to %s at the median, and goodput only from %s to %s/s: something other than the load is the limit.",
			fixed(float64(most(few)), 0), count(most(s), "client"), saidTime(few.p50), saidTime(s.p50), said(few.goodput), said(s.goodput))
	}
	return sentences(text, sentences(cmp.Or(e.again(first, verdicts), e.idle()), e.others()))
}

// highest is the most that the stages demanded.
func (e *evidence) highest() string {
	top := &e.stages[0]
	for i := range e.stages {
		if s := &e.stages[i]; s.Open() && s.rate > top.rate || !s.Open() && !top.Open() && s.Stage.UsersAt(s.For-1) > top.Stage.UsersAt(top.For-1) {
			top = s
		}
	}
	return fmt.Sprintf("also in %s, when %s", top.title, top.level())
}

// again says from which stage on the server followed as it had before it fell
// behind. One that is still working off what has piled up doesn't.
func (e *evidence) again(first int, verdicts []verdict) string {
	from := len(e.stages)
	for i := len(e.stages) - 1; i > first; i-- {
		s := &e.stages[i]
		if verdicts[i] != byLoad || first == 0 || s.p50 == 0 || s.p50 > 2*e.stages[0].p50 {
			break
		}
		from = i
	}
	switch {
	case from == len(e.stages):
		return ""
	case from == len(e.stages)-1:
		return fmt.Sprintf("In %s it kept up again.", e.stages[from].title)
	}
	return fmt.Sprintf("From %s on it kept up again.", e.stages[from].title)
}

// changing explains a load that changes within its only stage.
func (e *evidence) changing(s *stage) string {
	capacity, known := e.capacity()
	var was, most string
	var average float64
	if s.Open() {
		was = fmt.Sprintf("%s requests/s were due on average", said(s.rate))
		if peak, _ := s.Peak(); peak > 0 && s.Shape != load.Replay {
			was += fmt.Sprintf(", at most %s/s", said(peak))
		}
		most = "the arrivals"
	} else {
		from, to := s.users()
		was, most = fmt.Sprintf("%s to %s", fixed(float64(from), 0), count(to, "client")), "the clients"
		if average = s.mean(func(at float64) float64 { return e.askedAt(s, at) }); average > 0 {
			was += fmt.Sprintf(" can ask for at most %s/s on average", said(average))
		}
	}
	switch e.judge(s, capacity, known) {
	case byLoad:
		return sentences(fmt.Sprintf("%s, and %s/s succeeded: %s, not the server, set the pace.", was, said(s.goodput), most), sentences(cmp.Or(e.failures(), e.busyWords()+"."), e.others()))
	case byServer:
		return sentences(fmt.Sprintf("%s; %s%s; measured %s.", was, lower(e.allows(capacity)), e.beyond(s, capacity), said(s.goodput)), sentences(e.failures(), e.othersThan(capacity)))
	}
	why := "no limit computed here explains that"
	if known {
		why += fmt.Sprintf(" (%s would allow %s/s)", e.name(capacity), said(capacity.limit))
	}
	return sentences(fmt.Sprintf("%s, and %s/s succeeded; %s.", was, said(s.goodput), why), sentences(e.idle(), e.others()))
}

// beyond says for how long more was asked for than the server can do.
func (e *evidence) beyond(s *stage, capacity bound) string {
	share := s.mean(func(at float64) float64 {
		if e.askedAt(s, at) > capacity.limit {
			return 1
		}
		return 0
	})
	if share == 0 || s.Shape == load.Replay {
		return ""
	}
	return fmt.Sprintf(", and more was asked for during %s of the time", percent(share))
}
