package dashboard

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"gatewaylab/scenarios"
)

// quiet is how much of a long trial passes without a line.
const quiet = 10 * time.Second

// Plain prints progress for a log or a pipe: a line for each trial as it ends,
// one every ten seconds within longer ones, and every note; no cursor control.
// It returns when events is closed. What can't be written is dropped: a closed
// pipe must not stop a measurement.
func Plain(events <-chan scenarios.Event, w io.Writer) {
	l := &lines{w: w}
	for e := range events {
		switch e := e.(type) {
		case scenarios.PlanStarted:
			l.total, l.said = e.Total, max(e.Measuring, e.Left)
			text := fmt.Sprintf("%s on %s: %s, %s of measuring", count(len(e.Models), "model"), names(e.Scenarios), count(e.Total, "trial"), clock(e.Measuring))
			if e.Left > e.Measuring {
				text += ", about " + clock(e.Left) + " in all"
			}
			l.printf("%s", text)
		case scenarios.Sample:
			if l.said-e.Left >= quiet {
				l.said = e.Left
				l.printf("%s %s, trial %d of %d: %s; %s left", l.number(e.Order), title(e.Ref), e.Trial, e.Of, e.Phase, clock(e.Left))
			}
		case scenarios.TrialDone:
			l.said = e.Left
			l.trial(finish(e))
		case scenarios.NotSpoken:
			l.printf("%s × %s: the protocol is not spoken, the answer was %s", e.Scenario, e.Model, strings.Join(strings.Fields(cmp.Or(e.How, "none")), " "))
		case scenarios.Note:
			l.printf("note: %s", strings.Join(strings.Fields(e.Text), " "))
		case scenarios.PlanDone:
			l.end(e)
		}
	}
}

type lines struct {
	w             io.Writer
	said          time.Duration // time left when something was last printed
	total         int
	done, invalid int
}

func (l *lines) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(l.w, format+"\n", args...)
}

// number is "[ 7/54]".
func (l *lines) number(n int) string {
	digits := len(plainInt(l.total))
	return fmt.Sprintf("[%*d/%d]", digits, n, l.total)
}

func (l *lines) trial(f trialFigures) {
	l.done++
	l.total = max(l.total, f.Total)
	text := rate(f.goodput)
	if !math.IsNaN(f.p50) {
		text += ", p50 " + ms(f.p50)
	}
	if !math.IsNaN(f.p99) {
		text += ", p99 " + ms(f.p99)
	}
	if f.failed > 0 {
		text += ", " + count(int(f.failed), "error")
	}
	if f.restarts > 0 {
		text += ", " + count(int(f.restarts), "restart")
	}
	if len(f.invalid) > 0 {
		l.invalid++
		text += "; invalid: " + strings.Join(f.invalid, "; ")
	}
	l.printf("%s %s, trial %d of %d: %s; %s left", l.number(f.Order), title(f.Ref), f.Trial, f.Of, text, clock(f.left))
}

func (l *lines) end(e scenarios.PlanDone) {
	text := count(l.done, "trial") + " done"
	if e.Interrupted {
		text = "stopped after " + whole(l.done) + " of " + count(l.total, "trial")
	}
	if l.invalid > 0 {
		text += ", " + whole(l.invalid) + " invalid"
	}
	l.printf("%s", text)
}

func names(list []*scenarios.Scenario) string {
	n := make([]string, len(list))
	for i, s := range list {
		n[i] = s.Name
	}
	return strings.Join(n, ", ")
}
