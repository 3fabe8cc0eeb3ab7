package simulation

import (
	"testing"
	"time"

	"gatewaylab/scenarios/load"
)

// A slow client holds a worker for as long as it hinders it, and comes again when
// it has taken all; a worker that waits for its client isn't taken for dead.
func TestSlowClients(t *testing.T) {
	for name, row := range map[string]struct {
		asks    Demand
		change  func(*Server)
		busy    float64 // slots held by the crowd
		seconds float64 // that an exchange takes
	}{
		"read a small answer":         {Demand{Rest: 10 * time.Second}, func(*Server) {}, 0, 10},
		"read a large one":            {Demand{Giving: 6 * time.Second, Rest: 4 * time.Second}, func(*Server) {}, 2 * .6, 10},
		"read it from a front":        {Demand{Giving: 6 * time.Second, Rest: 4 * time.Second}, func(v *Server) { v.TakesOff = true }, 0, 10},
		"send slowly":                 {Demand{Taking: 10 * time.Second}, func(*Server) {}, 2, 10},
		"send slowly to a front":      {Demand{Taking: 10 * time.Second}, func(v *Server) { v.TakesIn = true }, 0, 10},
		"take longer than a timeout":  {Demand{Taking: 4 * time.Second, Giving: 4 * time.Second}, func(v *Server) { v.Timeout = time.Second }, 2, 8},
		"wait longer than one, alone": {Demand{Wait: 4 * time.Second}, func(v *Server) { v.Timeout = time.Second }, 0, 0},
	} {
		a := poisson(10, 10_000, 1)
		a.Beside = []load.Crowd{{Kind: load.SlowRead, Clients: 2}}
		v := workers(4)
		v.Restart = time.Millisecond
		row.change(&v)
		exchanges, length := 0, 0.0
		s := simulate(t, &Config{
			Attack: a, Demand: fixed(0), Server: v, Aside: func(int) Demand { return row.asks },
			Beside: func(_ int, h *load.Hit) {
				if h.Kind == "" {
					exchanges++
					length += h.Latency.Seconds()
				}
			},
		})
		if row.seconds == 0 {
			if s.Restarts < 1000 || exchanges > 0 {
				t.Errorf("%s: %d restarts, %d exchanges", name, s.Restarts, exchanges)
			}
			continue
		}
		within(t, name+": an exchange", length/float64(exchanges), row.seconds, .01)
		within(t, name+": busy", 1+s.Busy, 1+row.busy, .01)
		if s.Restarts > 0 {
			t.Errorf("%s: %d restarts", name, s.Restarts)
		}
	}
}
