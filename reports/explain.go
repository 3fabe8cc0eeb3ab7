package reports

import (
	"cmp"
	"fmt"
	"math"

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
	if e.goodput == 0 {
		return e.nothing()
	}
	capacity, known := lowest(e.bounds(), byArrivals)
	near := known && e.goodput >= explains*capacity.limit
	switch {
	case !e.closed() && e.goodput >= keepsUp*e.rate:
		return e.keptUp()
	case !e.closed() && near:
		return sentences(e.state(capacity), e.backlog())
	case !e.closed():
		return sentences(e.shortfall(capacity, known), e.idle())
	case near:
		return sentences(e.state(capacity), cmp.Or(e.failures(), e.queueing(capacity)))
	case known:
		return sentences(e.unexplained(capacity), e.idle())
	}
	return sentences(fmt.Sprintf("Measured %s requests/s; what each request asks for is not known, so no limit can be computed.", said(e.goodput)), e.failures())
}

// state names the bound that binds and what was measured beside it.
func (e *evidence) state(b bound) string {
	limit, measured := said(b.limit), said(e.goodput)
	switch b.by {
	case bySlots:
		if e.mostlyWaits() || e.wait == 0 {
			return fmt.Sprintf("%s × %s%s can finish %s requests/s; measured %s.", count(e.slots, e.noun), saidTime(e.service()), e.ofCPU(), limit, measured)
		}
		return fmt.Sprintf("%s × %s (%s waiting, %s of CPU) can finish %s requests/s; measured %s.",
			count(e.slots, e.noun), saidTime(e.service()), saidTime(e.wait), saidTime(e.cpu), limit, measured)
	case byClients:
		if used := e.used(); used >= crowded {
			return fmt.Sprintf("%s for each answer can ask for at most %s/s; measured %s: %s waiting for the CPU besides, of which %s was used.",
				e.clientsThatWait(), limit, measured, oneOr(e.clients, "it is", "they are"), percent(used))
		}
		return fmt.Sprintf("%s for each answer can ask for at most %s/s; measured %s: %s, not the server, %s the pace.",
			e.clientsThatWait(), limit, measured, oneOr(e.clients, "the client", "the clients"), oneOr(e.clients, "sets", "set"))
	case byGenerator:
		return fmt.Sprintf("The load generator takes %s of CPU for each request; its own %s can send at most %s/s; measured %s: the generator, not the server, sets the pace.",
			saidTime(e.generator), count(e.cores-e.serverCores, "core"), limit, measured)
	}
	return fmt.Sprintf("%s; %s can %s at most %s/s; measured %s.", e.cost(), e.machine(), e.verb(), limit, measured)
}

func (e *evidence) ofCPU() string {
	if e.wait == 0 {
		return " of CPU"
	}
	return ""
}

func (e *evidence) clientsThatWait() string {
	if e.clients == 1 {
		return fmt.Sprintf("1 client that waits at least %s", saidTime(e.service()))
	}
	return fmt.Sprintf("%s that wait at least %s", count(e.clients, "client"), saidTime(e.service()))
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
// share slots or cores wait for one another (Little's law, R = N/X).
func (e *evidence) queueing(b bound) string {
	if e.clients == 0 {
		return ""
	}
	n := float64(e.clients)
	littles := fmt.Sprintf("%s / %s per s = %s", said(n), said(e.goodput), saidTime(n/e.goodput))
	switch b.by {
	case bySlots:
		if others := math.Round(n/float64(e.slots)) - 1; others >= 1 {
			return fmt.Sprintf("%s share %s, so each request waits for about %s: %s.",
				count(e.clients, "client"), oneOr(e.slots, "it", "them"), count(int(others), "other"), littles)
		}
	case byCPU:
		if n >= 2*float64(e.serverCores) {
			return fmt.Sprintf("%s share %s, so an answer takes %s.", count(e.clients, "client"), oneOr(e.serverCores, "it", "them"), littles)
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
	if b.by == byCPU {
		perhaps = ", perhaps other programs on this machine"
	}
	return fmt.Sprintf("Measured %s requests/s, though the lowest limit computed here (%s) would allow %s/s: something else held it back%s.",
		said(e.goodput), e.name(b), said(b.limit), perhaps)
}

func (e *evidence) name(b bound) string {
	switch b.by {
	case bySlots:
		return fmt.Sprintf("%s × %s", count(e.slots, e.noun), saidTime(e.service()))
	case byClients:
		return fmt.Sprintf("%s × %s", count(e.clients, "client"), saidTime(e.service()))
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
	if e.cpu > 0 {
		s = fmt.Sprintf("This run used %s of the CPU", percent(e.used()))
	}
	if e.busy >= 0 && e.slots > 0 {
		s += fmt.Sprintf(", and %s of %s held a request on average", said(e.busy), count(e.slots, e.noun))
	}
	return s
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

// doubts lists the hard bounds that the measurement exceeds.
func (e *evidence) doubts() []string {
	var odd []string
	for _, b := range e.bounds() {
		if math.IsInf(b.hard, 1) {
			continue
		}
		// Requests that began before the window and ended in it.
		var early int
		switch b.by {
		case bySlots:
			early = e.slots
		case byClients:
			early = e.clients
		}
		edge := float64(early) / (b.hard * e.window)
		if e.goodput > b.hard*(1+tolerance+edge) {
			odd = append(odd, fmt.Sprintf("goodput of %s/s is above what %s can allow (%s/s): either the work was not done or a figure is wrong",
				said(e.goodput), e.name(b), said(b.hard)))
		}
	}
	return odd
}

func sentences(a, b string) string {
	if b == "" {
		return a
	}
	return a + " " + b
}

func oneOr(n int, one, more string) string {
	if n == 1 {
		return one
	}
	return more
}
