package scenarios

import (
	"fmt"
	"math"
	"slices"
	"time"

	"gatewaylab/servers"
)

// observed is what judge needs besides the trial itself.
type observed struct {
	inFlightSeconds float64 // requests in flight, from the hits' own times
	capped          bool    // the open loop reached its bound on requests in flight
	pinned          bool
	generatorCores  int
	slots           int // the model's, 0 = unbounded
}

// The gates. Each says when a trial must not be believed (or deserves a
// warning), and none looks at whether the result is welcome.
const (
	maxLag          = 10 * time.Millisecond // p99 of sent − due, or a tenth of the p99 response time where that is more
	maxStarved      = 0.001                 // share of requests due that the generator itself failed to send
	maxGeneratorCPU = 0.85                  // of the cores the generator may use
	busyGenerator   = 0.40                  // of the same: worth a warning
	maxLittle       = 0.15                  // relative difference of the two counts of requests in flight
	littleSlack     = 1.0                   // absolute difference that is always allowed: sampling at the edges
	maxSteal        = 0.10
	someSteal       = 0.02
	maxOthers       = 0.30
	someOthers      = 0.10
	minAchieved     = 0.98 // of the offered rate, unless the server was the cause
)

// judge decides whether the trial is valid, giving every reason why not.
func judge(t *Trial, s *Scenario, o *observed) {
	invalid := func(format string, args ...any) { t.Invalid = append(t.Invalid, fmt.Sprintf(format, args...)) }
	starved := func(format string, args ...any) {
		invalid(format, args...)
		t.Starved = true
	}
	warn := func(format string, args ...any) { t.Warnings = append(t.Warnings, fmt.Sprintf(format, args...)) }

	if !s.Closed() {
		judgeSchedule(t, o, invalid, starved, warn)
	}
	if share := t.Generator.CPU.Seconds() / t.Window.Seconds() / float64(o.generatorCores); share > maxGeneratorCPU {
		starved("the load generator used %.0f %% of its %s and was the bottleneck itself; lower the load or use a larger machine", share*100, cores(o.generatorCores))
	} else if share > busyGenerator && !o.pinned {
		warn("the load generator used more than %.0f %% of the cores it shares with the server, which makes fast models look closer together than they are", busyGenerator*100)
	}
	// Little's law: the requests in flight that were sampled, against the
	// sum of the times that the hits report.
	if diff := math.Abs(t.MeanInFlight - o.inFlightSeconds); diff > littleSlack && diff > maxLittle*max(t.MeanInFlight, o.inFlightSeconds) {
		invalid("Little's law does not hold: %.1f requests were in flight on average, their times add up to %.1f; some requests were lost or mistimed", t.MeanInFlight, o.inFlightSeconds)
	}
	switch {
	case t.Machine.Steal > maxSteal:
		invalid("the hypervisor took %.0f %% of the processor time", t.Machine.Steal*100)
	case t.Machine.Steal > someSteal:
		warn("the hypervisor took more than %.0f %% of the processor time", someSteal*100)
	}
	switch {
	case t.Machine.Others > maxOthers:
		invalid("other programs used %.0f %% of the processor time; stop them and run again", t.Machine.Others*100)
	case t.Machine.Others > someOthers:
		warn("other programs used more than %.0f %% of the processor time", someOthers*100)
	}
	if t.Server.Partial {
		warn("the processor time of CGI programs that have ended is not in the server's: it ignores SIGCHLD, so that the system forgets it, and the counter that wouldn't (perf_event_open) is refused here; see kernel.perf_event_paranoid")
	}
	if slices.ContainsFunc(s.Backing, servers.Backing.Foreign) {
		warn("what other programs used is not known: the database's own processor time can't be told from theirs")
	}
	judgeBacking(t, invalid)
	if t.Machine.Others > maxOthers || t.Machine.Steal > maxSteal {
		t.Starved = false // not by its own doing
	}
	judgeAnswers(t, s, invalid, warn)
}

func cores(n int) string {
	if n == 1 {
		return "core"
	}
	return fmt.Sprintf("%d cores", n)
}

// judgeSchedule asks whether the open loop was really offered.
func judgeSchedule(t *Trial, o *observed, invalid, starved, warn func(string, ...any)) {
	if t.Due == 0 {
		invalid("no request was due within the window; lengthen --for or raise the rate")
		return
	}
	unsent := float64(t.Unsent) / float64(t.Due)
	if o.capped && unsent > 0 {
		warn("requests were due and never sent: as many were in flight already as the generator allows itself, all waiting for the server")
	} else if unsent > maxStarved {
		starved("%d of %d requests due were never sent although the generator was free to: it could not keep up", t.Unsent, t.Due)
	}
	if o.capped || t.Lag.TotalCount() == 0 {
		return // then requests are sent late because of the server
	}
	lag := t.Lag.Quantile(0.99)
	if limit := max(maxLag, t.Response.Quantile(0.99)/10); lag > limit {
		starved("the generator ran late: p99 of its lag behind the schedule was %s, more than %s", lag.Round(10*time.Microsecond), limit.Round(10*time.Microsecond))
	}
	if achieved := float64(t.Sent) / float64(t.Due); achieved < minAchieved {
		starved("only %.1f %% of the offered rate was sent", achieved*100)
	}
}

// judgeAnswers looks at what came back. That connections were dropped and workers
// replaced is what the model does under such a load, and no fault of the trial.
func judgeAnswers(t *Trial, s *Scenario, invalid, warn func(string, ...any)) {
	var codes []int
	for code := range t.Codes {
		codes = append(codes, code)
	}
	slices.Sort(codes)
	for _, code := range codes {
		// 408 and 429 are a server's answers to load; any other 4xx says that
		// the request itself was wrong, so that no work was measured.
		if code >= 400 && code < 500 && code != 408 && code != 429 {
			invalid("%d responses had status %d: the scenario's request is refused by the server", t.Codes[code], code)
		}
	}
	// Users who wait for the whole window send nothing in it. That is a finding
	// where others have them wait: requests that do harm, or crowds.
	others := s.Faulty() || len(s.Beside) > 0
	if t.Measured == 0 && t.Failed == 0 && (t.Sent > 0 || s.Closed() && !others) {
		invalid("no answer ended within the window; lengthen --for")
	}
	if t.Machine.ListenDrops > 0 {
		warn("the kernel dropped connections because a listen queue was full; those clients wait a second or more before they try again")
	}
	if t.Server.Restarts > 0 {
		warn("workers died or were killed and were replaced during the window")
	}
}
