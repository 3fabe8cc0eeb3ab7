package scenarios

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gatewaylab/servers"
	"gatewaylab/servers/latency"
)

// BackingUse is what a backing service had to do in the window, and how well it
// did it.
type BackingUse struct {
	Service  string `json:"service"`
	Settings string `json:"settings"` // their text form
	latency.Counts
	CPU    time.Duration `json:"cpu"`    // of its processes, in the window
	Memory int64         `json:"memory"` // bytes, at its end
}

// Lateness is by how much later than due an answer left on average.
func (b *BackingUse) Lateness() time.Duration {
	if n := b.Ended(); n > 0 {
		return b.Late / time.Duration(n)
	}
	return 0
}

// verifying are the backing services of all scenarios, as models are verified
// with them.
func (p *Plan) verifying() (all []servers.Backing, err error) {
	for _, s := range p.scenarios() {
		for _, b := range s.Backing {
			if slices.ContainsFunc(all, func(o servers.Backing) bool { return o.Service == b.Service }) {
				continue
			}
			if b, err = b.Verifying(); err != nil {
				return nil, err
			}
			all = append(all, b)
		}
	}
	return all, nil
}

// readServices reads what the backing services have done so far. An error is kept
// for the trial, which can't be judged without.
func (w *watcher) readServices() []servers.ServiceReading {
	var all []servers.ServiceReading
	for _, s := range w.inst.Services() {
		r, err := s.Read(context.Background())
		if err != nil && w.servicesErr == nil {
			w.servicesErr = err
		}
		all = append(all, r)
	}
	return all
}

// services writes what the backing services did in the window into the trial.
func (w *watcher) services(t *Trial) {
	if w.start == nil || w.end == nil {
		return
	}
	if err := w.servicesErr; err != nil {
		t.Invalid = append(t.Invalid, fmt.Sprintf("a backing service could not be read: %v", err))
		return
	}
	for i, s := range w.inst.Services() {
		from, to := w.start.services[i], w.end.services[i]
		t.Backing = append(t.Backing, BackingUse{
			Service: s.Service, Settings: s.String(), Counts: to.Counts.Since(from.Counts),
			CPU: to.CPU - from.CPU, Memory: to.Memory,
		})
	}
}

// The gate of a backing service: by how much later than due its answers may
// leave on average, in all or as a share of the time that it means to take.
const (
	maxServiceLate      = 2 * time.Millisecond
	maxServiceLateShare = 0.05
)

// judgeBacking asks whether a backing service was what it was meant to be. One
// that answers late has the server wait for something that the scenario doesn't
// know of.
func judgeBacking(t *Trial, invalid func(string, ...any)) {
	for i := range t.Backing {
		b := &t.Backing[i]
		n := b.Ended()
		if n == 0 {
			continue
		}
		limit := max(maxServiceLate, time.Duration(maxServiceLateShare*float64(b.Worked)/float64(n)))
		if late := b.Lateness(); late > limit {
			invalid("%s answered %s later than it was to on average, more than %s: it was the bottleneck itself; lower the load, use --pin or a larger machine",
				b.Service, late.Round(10*time.Microsecond), limit.Round(10*time.Microsecond))
		}
	}
}
