package reports

import (
	"cmp"
	"fmt"
	"math"
	"strings"

	"gatewaylab/scenarios"
)

const (
	perRequestProcess    = "process"
	perRequestConnection = "connection"

	explains  = 0.70 // share of a bound from which on we call it the cause
	crowded   = 0.70 // share of the CPU in use from which on requests wait for it noticeably
	keepsUp   = 0.98 // share of the offered rate that counts as all of it
	tolerance = 0.05 // by which a hard bound may be exceeded before we doubt the figures
	someSteal = 0.02 // share of CPU time taken by the hypervisor that is worth a word
	someFail  = 0.01 // share of failures that is worth a word
)

// explain says in one or two sentences why goodput is what it is, by computing
// each bound and naming the one that binds, and returns warnings about figures
// that can't be right.
func (c *cellTrials) explain(res *scenarios.Result) (text string, odd []string) {
	switch {
	case c.NotOffered:
		return fmt.Sprintf("Not measured: what it runs has no %s.", c.NotSpoken), nil
	case c.NotSpoken != "":
		return fmt.Sprintf("Not measured: %s is not spoken, the answer was %q.", c.scenario.Protocol, c.NotSpoken), nil
	case c.Trials == 0:
		return "Not measured.", nil
	case c.Valid == 0 && c.Trials == 1:
		return "Nothing can be said: its only trial was not valid.", nil
	case c.Valid == 0:
		return fmt.Sprintf("Nothing can be said: none of %d trials was valid.", c.Trials), nil
	}
	e := c.evidence(res)
	return e.explain(), e.doubts()
}

func (e *evidence) explain() string {
	switch {
	case e.goodput == 0:
		return e.nothing()
	case len(e.stages) > 1:
		return e.stageByStage()
	case len(e.stages) == 1:
		return e.changing(&e.stages[0])
	}
	return e.steady()
}

func (e *evidence) steady() string {
	capacity, known := lowest(e.bounds(), byArrivals)
	near := known && e.goodput >= explains*capacity.limit
	switch {
	case e.open && e.keeps(e.rate, e.goodput, e.window, 0, 0):
		return sentences(e.keptUp(), sentences(e.waitsForThread(), e.others()))
	case e.crowdedOut():
		return e.competition()
	case e.open && near:
		return sentences(e.state(capacity), sentences(e.backlog(), e.othersThan(capacity)))
	case e.open && known && e.late(e.rate, capacity):
		return e.inVain(capacity)
	case e.open:
		return sentences(e.shortfall(capacity, known), cmp.Or(e.others(), e.idle()))
	case near:
		return sentences(e.state(capacity), cmp.Or(e.othersThan(capacity), e.failures(), e.queueing(capacity)))
	case known:
		return sentences(e.unexplained(capacity), cmp.Or(e.others(), e.idle()))
	}
	return sentences(fmt.Sprintf("Measured %s requests/s; what each request asks for is not known, so no limit can be computed.", said(e.goodput)), cmp.Or(e.others(), e.failures()))
}

// keeps says whether goodput is as good as the rate at which requests were
// due. Answers to the last ones come when the time is over, for which those to
// earlier ones make up unless there were fewer of them by step, in 1/s; and how
// many are under way at either end, p50 each, is a matter of chance.
func (e *evidence) keeps(rate, goodput, seconds, step, p50 float64) bool {
	held := e.service()
	slack := (max(0, step)*held + math.Sqrt(rate*max(held, p50)) + 1) / seconds
	return goodput >= keepsUp*rate-min(slack, rate/5)
}

// state names the bound that binds and what was measured beside it.
func (e *evidence) state(b bound) string {
	return fmt.Sprintf("%s; measured %s%s.", e.allows(b), said(e.goodput), e.pace(b))
}

// allows says what a bound comes to and why.
func (e *evidence) allows(b bound) string {
	limit := said(b.limit)
	switch b.by {
	case bySlots:
		slots := count(e.slots, e.noun)
		if e.beside.held >= someHeld {
			slots = fmt.Sprintf("%s held %s of %s on average; the other %s", e.beside.words, said(e.beside.held), slots, said(e.free()))
		}
		if e.mostlyWaits() || e.wait == 0 {
			return fmt.Sprintf("%s × %s%s can finish %s requests/s", slots, saidTime(e.service()), e.ofCPU(), limit)
		}
		return fmt.Sprintf("%s × %s (%s waiting%s, %s of CPU) can finish %s requests/s",
			slots, saidTime(e.service()), saidTime(e.wait), e.onAverage(), saidTime(e.cpu), limit)
	case byLock:
		return fmt.Sprintf("One lock × %s%s lets at most %s requests/s pass, however many %s wait for it",
			saidTime(e.lock), e.onAverage(), limit, plural(e.noun))
	case byService:
		return fmt.Sprintf("However many requests call it at a time, %s takes no more than lets %s/s pass", e.backing, limit)
	case byPool:
		return fmt.Sprintf("%s to the database × %s%s can finish %s requests/s, however many %s wait for %s",
			count(e.pool, "connection"), saidTime(e.query), e.onAverage(), limit, cmp.Or(e.waiters(), "requests"), oneOr(e.pool, "it", "them"))
	case byThread:
		return fmt.Sprintf("%s; %s can do at most %s/s, however many cores there are", e.holding(), e.sharedThreads(), limit)
	case byInterpreter:
		return fmt.Sprintf("%s, in an interpreter that lets one thread compute at a time; %s can do at most %s/s, however many threads and cores there are",
			e.cost(), count(e.interpreters, "interpreter"), limit)
	case byClients:
		return fmt.Sprintf("%s can ask for at most %s/s", e.clientsThatWait(), limit)
	case byGenerator:
		return fmt.Sprintf("The load generator takes %s of CPU for each request; its own %s can send at most %s/s",
			saidTime(e.generator), count(e.cores-e.serverCores, "core"), limit)
	}
	return fmt.Sprintf("%s; %s can %s at most %s/s", e.cost(), e.machine(), e.verb(), limit)
}

// waiters are those who may wait for a connection: the slots, where there are
// more of them.
func (e *evidence) waiters() string {
	if e.slots > e.pool {
		return plural(e.noun)
	}
	return ""
}

// pace says who set it, where it was not the server.
func (e *evidence) pace(b bound) string {
	switch used := e.used(); {
	case b.by == byClients && used >= crowded:
		return fmt.Sprintf(": %s waiting for the CPU besides, of which %s was used", oneOr(e.clients, "it is", "they are"), percent(used))
	case b.by == byClients:
		return fmt.Sprintf(": %s, not the server, %s the pace", oneOr(e.clients, "the client", "the clients"), oneOr(e.clients, "sets", "set"))
	case b.by == byGenerator:
		return ": the generator, not the server, sets the pace"
	}
	return ""
}

func (e *evidence) ofCPU() string {
	if e.wait == 0 {
		return " of CPU"
	}
	return e.onAverage()
}

// onAverage stands behind what differs from request to request.
func (e *evidence) onAverage() string {
	if e.random {
		return " on average"
	}
	return ""
}

func (e *evidence) clientsThatWait() string {
	least := "at least "
	if e.random {
		least = ""
	}
	var does []string
	if s := e.service(); s > 0 {
		does = append(does, oneOr(e.clients, "waits ", "wait ")+least+saidTime(s)+e.onAverage()+" for each answer")
	}
	if e.think > 0 {
		does = append(does, oneOr(e.clients, "thinks ", "think ")+saidTime(e.think)+e.onAverage())
	}
	return fmt.Sprintf("%s that %s", count(e.clients, "client"), strings.Join(does, " and "))
}

// cost says what CPU time a request takes and for what.
func (e *evidence) cost() string {
	var s string
	switch {
	case e.perRequest == perRequestProcess && e.works:
		s = fmt.Sprintf("Each request starts a process, which then works: %s of CPU", saidTime(e.cpu))
	case e.perRequest == perRequestProcess:
		s = fmt.Sprintf("Each request starts a process: %s of CPU", saidTime(e.cpu))
	case e.works:
		s = fmt.Sprintf("Each request burns %s of CPU", saidTime(e.cpu))
	case e.perRequest == perRequestConnection:
		s = fmt.Sprintf("Each request opens a connection and takes %s of CPU", saidTime(e.cpu))
	default:
		s = fmt.Sprintf("Each request takes %s of CPU", saidTime(e.cpu))
	}
	if e.front != "" {
		s += ", " + e.front + " and what is behind it together"
	}
	if e.beside.clients > 0 || e.faults != nil {
		s += ", all that the server did counted in"
	}
	if e.shared() && e.generator >= (e.cpu+e.generator)/200 {
		s += fmt.Sprintf(", and %s in the load generator", saidTime(e.generator))
	}
	return s
}

func (e *evidence) machine() string {
	if e.shared() {
		return count(e.serverCores, "core")
	}
	return oneOr(e.serverCores, "the server's own core", fmt.Sprintf("the server's own %s", count(e.serverCores, "core")))
}

func (e *evidence) verb() string {
	if e.perRequest == perRequestProcess && !e.works {
		return "start"
	}
	return "do"
}

// queueing names the cause of the response time in a closed loop: clients that
// share slots or cores wait for one another (Little's law, R = N/X − Z).
func (e *evidence) queueing(b bound) string {
	if e.clients == 0 {
		return ""
	}
	n := float64(e.clients)
	littles := fmt.Sprintf("%s / %s per s = %s", said(n), said(e.goodput), saidTime(n/e.goodput))
	if e.think > 0 {
		thinking := e.goodput * e.think
		if n -= thinking; n <= 0 {
			return ""
		}
		littles = fmt.Sprintf("%s / %s per s − %s = %s", said(float64(e.clients)), said(e.goodput), saidTime(e.think), saidTime(n/e.goodput))
	}
	switch b.by {
	case bySlots:
		if others := math.Round(n/e.free()) - 1; others >= 1 {
			return fmt.Sprintf("%s share %s, so each request waits for about %s: %s on average.",
				count(e.clients, "client"), oneOr(e.slots, "it", "them"), count(int(others), "other"), littles)
		}
	case byPool:
		if n >= 2*float64(e.pool) {
			return fmt.Sprintf("%s share %s, so an answer takes %s on average.", count(e.clients, "client"), oneOr(e.pool, "it", "them"), littles)
		}
	case byThread:
		if n >= 2*float64(e.threads) {
			return fmt.Sprintf("%s share %s, so an answer takes %s on average.", count(e.clients, "client"), oneOr(e.threads, "it", "them"), littles)
		}
	case byInterpreter:
		if n >= 2*float64(e.interpreters) {
			return fmt.Sprintf("%s share %s, so an answer takes %s on average.", count(e.clients, "client"), oneOr(e.interpreters, "it", "them"), littles)
		}
	case byCPU:
		if n >= 2*float64(e.serverCores) {
			return fmt.Sprintf("%s share %s, so an answer takes %s on average.", count(e.clients, "client"), oneOr(e.serverCores, "it", "them"), littles)
		}
	}
	return ""
}

// keptUp explains an open loop that the server could follow.
func (e *evidence) keptUp() string {
	return sentences(
		fmt.Sprintf("%s requests/s were due and %s/s succeeded: the arrivals, not the server, set the pace.", said(e.rate), said(e.goodput)),
		cmp.Or(e.failures(), e.busyWords()+"."))
}

// backlog says what an open loop beyond capacity does: it doesn't wait.
func (e *evidence) backlog() string {
	ended := e.goodput
	if e.answered > 0 {
		ended *= 1 + float64(e.failed)/float64(e.answered)
	}
	missing := max(0, e.rate-ended)
	if missing < (1-keepsUp)*e.rate {
		return fmt.Sprintf("%s/s were due; what could not be served failed: %s.", said(e.rate), e.failedWords())
	}
	s := fmt.Sprintf("%s/s were due, so %s more pile up every second and response time grows for as long as the load lasts", said(e.rate), said(missing))
	if e.failed > 0 {
		s += "; " + e.failedWords()
	}
	return s + "."
}

// late says whether the queue of an open loop beyond capacity grew until
// clients had left before they were served.
func (e *evidence) late(rate float64, capacity bound) bool {
	return rate > capacity.limit && e.worst == "timeout" && float64(e.failed) >= someFail*float64(e.failed+e.answered)
}

func (e *evidence) inVain(capacity bound) string {
	return fmt.Sprintf("%s; %s/s were due, so the queue grew until clients had left before it was their turn, and serving them was in vain: only %s/s succeeded; %s.",
		e.allows(capacity), said(e.rate), said(e.goodput), e.failedWords())
}

// shortfall and unexplained admit that no bound explains the figure.
func (e *evidence) shortfall(capacity bound, known bool) string {
	s := fmt.Sprintf("%s requests/s were due and only %s/s succeeded, which no limit computed here explains", said(e.rate), said(e.goodput))
	if known {
		s += fmt.Sprintf(" (%s would allow %s/s)", e.name(capacity), said(capacity.limit))
	}
	return s + "."
}

func (e *evidence) unexplained(b bound) string {
	perhaps := ""
	if e.faults != nil {
		return fmt.Sprintf("Measured %s requests/s; the lowest limit computed here (%s) would allow %s/s, but for the harmful requests.",
			said(e.goodput), e.name(b), said(b.limit))
	}
	if e.foreign {
		return fmt.Sprintf("Measured %s requests/s, though the lowest limit computed here (%s) would allow %s/s: the server held it back, and what it has to serve with is not known.",
			said(e.goodput), e.name(b), said(b.limit))
	}
	switch {
	case b.by == byCPU && e.database:
		perhaps = ", perhaps the database, if it is on this machine"
	case b.by == byCPU:
		perhaps = ", perhaps other programs on this machine"
	}
	return fmt.Sprintf("Measured %s requests/s, though the lowest limit computed here (%s) would allow %s/s: something else held it back%s.",
		said(e.goodput), e.name(b), said(b.limit), perhaps)
}

func (e *evidence) name(b bound) string {
	switch b.by {
	case bySlots:
		if e.beside.held >= someHeld {
			return fmt.Sprintf("the %s free %s × %s", said(e.free()), plural(e.noun), saidTime(e.service()))
		}
		return fmt.Sprintf("%s × %s", count(e.slots, e.noun), saidTime(e.service()))
	case byLock:
		return "one lock × " + saidTime(e.lock)
	case byService:
		return "what " + e.backing + " takes"
	case byPool:
		return fmt.Sprintf("%s to the database × %s", count(e.pool, "connection"), saidTime(e.query))
	case byThread:
		return fmt.Sprintf("%s × %s", count(e.threads, "thread"), saidTime(e.holds()))
	case byInterpreter:
		return "the interpreter's lock"
	case byClients:
		return fmt.Sprintf("%s × %s", count(e.clients, "client"), saidTime(e.service()+e.think))
	case byGenerator:
		return "the load generator's CPU"
	case byArrivals:
		return "the arrivals"
	}
	return "the CPU"
}

// idle says what else is known when no bound explains a figure.
func (e *evidence) idle() string {
	s := e.busyWords()
	if e.steal >= someSteal {
		s += fmt.Sprintf("; the hypervisor took %s of the processor time", percent(e.steal))
	}
	if e.failed > 0 {
		s += "; " + e.failedWords()
	}
	if e.unsent > 0 {
		s += fmt.Sprintf("; %s never sent", fixed(float64(e.unsent), 0))
	}
	return s + "."
}

// busyWords says how much of the CPU and of the slots was in use.
func (e *evidence) busyWords() string {
	s := "How much CPU it used is not known"
	if e.foreign {
		return s
	}
	if e.cpu > 0 {
		s = fmt.Sprintf("This run used %s of the CPU", percent(e.used()))
	}
	if e.counted() && e.slots > 0 {
		s += fmt.Sprintf(", and %s of %s held a request on average", said(e.busy), count(e.slots, e.noun))
	}
	return s
}

// counted says whether what was seen of the slots is all that held one. Of a
// server of others that is looked at from outside, requests that compute may be
// missed: by Little's law at least goodput × service time hold one.
func (e *evidence) counted() bool {
	held := max(0, e.wait)
	if e.front == "" { // whose CPU time holds none
		held += e.cpu
	}
	return e.busy >= 0 && e.busy >= e.goodput*held/2
}

func (e *evidence) nothing() string {
	s := "No request succeeded"
	if e.failed > 0 {
		s += ": " + e.failedWords()
	}
	if e.unsent > 0 {
		s += fmt.Sprintf("; %s never sent", fixed(float64(e.unsent), 0))
	}
	return s + "."
}

// failures is a sentence about errors, where there are enough to matter.
func (e *evidence) failures() string {
	if all := e.failed + e.answered; e.failed == 0 || float64(e.failed) < someFail*float64(all) {
		return ""
	}
	return fmt.Sprintf("%s of the requests failed: %s.", percent(float64(e.failed)/float64(e.failed+e.answered)), e.failedWords())
}

func (e *evidence) failedWords() string {
	if e.failed == 0 {
		return "no errors"
	}
	return fmt.Sprintf("%s, mostly %q", count(e.failed, "error"), e.worst)
}

func sentences(a, b string) string { return strings.TrimSpace(a + " " + b) }

func oneOr(n int, one, more string) string {
	if n == 1 {
		return one
	}
	return more
}
