package reports

import (
	"gatewaylab/scenarios"
)

// parts sums up the stages, kinds of request or crowds of the trials, which
// are the same ones in each. Their figures follow the rules of the whole.
func parts(trials []*scenarios.Trial, of func(*scenarios.Trial) []scenarios.Part) []PartCell {
	cells := []PartCell{}
	if len(trials) == 0 {
		return cells
	}
	n := len(of(trials[0]))
	for _, t := range trials {
		n = min(n, len(of(t))) // a run that was written by hand
	}
	for i := range n {
		cells = append(cells, part(trials, func(t *scenarios.Trial) *scenarios.Part { return &of(t)[i] }))
	}
	return cells
}

func part(trials []*scenarios.Trial, of func(*scenarios.Trial) *scenarios.Part) PartCell {
	rate := func(n func(*scenarios.Part) float64, unit string) Estimate {
		return measure(func(t *scenarios.Trial) (float64, bool) {
			p := of(t)
			return n(p) / (p.To - p.From).Seconds(), p.To > p.From
		}).over(trials, unit)
	}
	summary := func(h func(*scenarios.Part) *scenarios.Histogram) map[string]Estimate {
		return timing(func(t *scenarios.Trial) *scenarios.Histogram { return h(of(t)) }).summary(trials)
	}
	first := of(trials[0])
	c := PartCell{
		Name: first.Name, Kind: first.Kind, From: first.From.Seconds(), To: first.To.Seconds(),
		Goodput:   rate(func(p *scenarios.Part) float64 { return float64(p.Succeeded) }, "1/s"),
		Offered:   rate(func(p *scenarios.Part) float64 { return float64(p.Due) }, "1/s"),
		Received:  rate(func(p *scenarios.Part) float64 { return float64(p.Bytes) }, "B/s"),
		Response:  summary(func(p *scenarios.Part) *scenarios.Histogram { return p.Response }),
		Service:   summary(func(p *scenarios.Part) *scenarios.Histogram { return p.Service }),
		FirstByte: summary(func(p *scenarios.Part) *scenarios.Histogram { return p.FirstByte }),
		Errors:    map[string]uint64{},
	}
	for _, t := range trials {
		p := of(t)
		c.Sent += p.Sent
		c.Samples += p.Measured
		c.Unsent += p.Unsent
		for kind, n := range p.Errors {
			c.Errors[kind] += n
			c.Failed += n
		}
	}
	return c
}

// faults sums up what harmful requests did; nil where no trial had any.
func faults(trials []*scenarios.Trial) *FaultCell {
	var hit []*scenarios.Trial
	f := &FaultCell{}
	for _, t := range trials {
		if t.Faults == nil {
			continue
		}
		hit = append(hit, t)
		f.Sent += t.Faults.Sent
		f.Others += t.Faults.Others
		f.Failed += t.Faults.Failed
		f.Slow += t.Faults.Slow
		f.Unrecovered += t.Faults.Unrecovered
	}
	if len(hit) == 0 {
		return nil
	}
	share := func(n func(*scenarios.Faults) uint64) Estimate {
		return measure(func(t *scenarios.Trial) (float64, bool) {
			return float64(n(t.Faults)) / float64(max(t.Faults.Others, 1)), t.Faults.Others > 0
		}).over(hit, "")
	}
	f.FailedShare = share(func(f *scenarios.Faults) uint64 { return f.Failed })
	f.SlowShare = share(func(f *scenarios.Faults) uint64 { return f.Slow })
	f.Recovery = timing(func(t *scenarios.Trial) *scenarios.Histogram { return t.Faults.Recovery }).summary(hit)
	return f
}
