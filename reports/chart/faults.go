package chart

import (
	"fmt"
	"strings"

	"gatewaylab/reports"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// faults shows whom requests that do harm have hurt besides themselves, and
// for how long.
func (v *run) faults(sc *scene) *figure {
	share := "the share that failed"
	if sc.Hurt > 0 {
		share += ", and that was slow: successful, but only after " + duration(sc.Hurt) + " or more"
	}
	return &figure{
		name: sc.file + "-" + KindFaults, kind: KindFaults, scenario: sc.Name, compact: true,
		title: "Who else was hurt — " + sc.heading(),
		sub:   sc.Question,
		caption: paragraphs(
			v.setup(sc),
			"Of all requests that were not meant to do harm, "+share+
				". To recover: from the sending of a harmful request to the next success of another that was sent after it, "+sc.recovery().words+
				". "+v.unrecovered(sc)+"Bar: median of the valid trials. "+v.whisker([]*scene{sc})+".",
			v.colophon(),
		),
		alt:  "What requests that do harm did to others, " + sc.heading() + ". " + v.each(sc, sc.faultWords) + " " + v.setup(sc),
		body: func(p *pen, width vg.Length) vg.Length { return p.blocksHeight(1, v.models, width, false) },
		draw: func(p *pen, c draw.Canvas) {
			row := []block{sc.faultBlock("others that failed", "all kinds of failure", "% of their requests", failedShare)}
			if sc.Hurt > 0 {
				row = append(row, sc.faultBlock("others that were slow", "a success after "+duration(sc.Hurt)+" or more", "% of their requests", slowShare))
			}
			row = append(row, sc.faultBlock("time to recover", "until the next success", "ms, "+sc.recovery().words, sc.recovery().of))
			p.blocks(c, v.models, [][]block{row})
		},
	}
}

// hasFaults says whether there is anything to tell of harm.
func (sc *scene) hasFaults() bool {
	for _, c := range sc.cells {
		if c != nil && c.Faults != nil {
			return true
		}
	}
	return false
}

func failedShare(f *reports.FaultCell) reports.Estimate { return percent(f.FailedShare) }
func slowShare(f *reports.FaultCell) reports.Estimate   { return percent(f.SlowShare) }

func percent(e reports.Estimate) reports.Estimate {
	e.Median, e.Low, e.High, e.Unit = 100*e.Median, 100*e.Low, 100*e.High, "%"
	return e
}

// A recovery is the figure that stands for the times to recover.
type recovery struct {
	words string
	of    func(*reports.FaultCell) reports.Estimate
}

// recovery is the median, or the mean where faults were too few for a median.
func (sc *scene) recovery() recovery {
	r := recovery{"median of a trial", func(f *reports.FaultCell) reports.Estimate { return f.Recovery["p50"] }}
	for _, c := range sc.cells {
		if c != nil && c.Faults != nil && known(c.Faults.Recovery["mean"]) && !known(c.Faults.Recovery["p50"]) {
			return recovery{"mean of a trial", func(f *reports.FaultCell) reports.Estimate { return f.Recovery["mean"] }}
		}
	}
	return r
}

func (sc *scene) faultBlock(heading, sub, axis string, of func(*reports.FaultCell) reports.Estimate) block {
	b := block{heading: heading, sub: sub, axis: axis}
	for _, c := range sc.cells {
		x := bar{reason: why(c, func(c *reports.Cell) bool { return c.Faults != nil && known(of(c.Faults)) })}
		if x.reason == "" {
			x.value = of(c.Faults)
		}
		b.bars = append(b.bars, x)
	}
	return b
}

// unrecovered names the models that were not seen to recover.
func (v *run) unrecovered(sc *scene) string {
	var parts []string
	for i, c := range sc.cells {
		if c != nil && c.Faults != nil && c.Faults.Unrecovered > 0 {
			parts = append(parts, fmt.Sprintf("%s after %s", v.models[i], count(c.Faults.Unrecovered)))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "Not seen to recover: " + strings.Join(parts, ", ") + " of them. "
}

func (sc *scene) faultWords(c *reports.Cell) string {
	if c.Faults == nil || !known(c.Faults.FailedShare) {
		return ""
	}
	s := number(100*c.Faults.FailedShare.Median) + " % of others failed"
	if sc.Hurt > 0 && known(c.Faults.SlowShare) {
		s += ", " + number(100*c.Faults.SlowShare.Median) + " % were slow"
	}
	if e := sc.recovery().of(c.Faults); known(e) {
		s += ", recovered within " + number(e.Median) + " ms"
	}
	return s
}
