package servers

import (
	"fmt"
	"os/exec"
	"time"

	"gatewaylab/servers/latency"
)

// upstreamVariable names the environment variable in which the application
// finds the address of what /upstream calls.
const upstreamVariable = "GATEWAYLAB_UPSTREAM"

func upstreamService() Service {
	setting := func(key, def, doc string) Option {
		return Option{key, def, doc, func(v string) error {
			var c latency.Config
			return c.Set(key, v)
		}}
	}
	return Service{
		Name:      "upstream",
		Doc:       "a latency server: another service, of which nothing matters but how long it takes",
		Route:     "/upstream",
		Says:      "upstream says " + latency.Answer,
		Verifying: []Setting{{"delay", "1ms"}},
		Options: []Option{
			setting("delay", "100ms", "how long a call takes: 100ms, exponential 100ms, uniform 50ms 150ms, or lognormal 100ms 1.5 (mean, and standard deviation divided by it)"),
			setting("rate", "0", "calls that it begins a second, evenly spaced, such as 500/s; faster ones wait in line; 0 = as they come"),
			setting("places", "0", "calls that it works on at a time; more wait in line; 0 = as many as come"),
			setting("queue", "10000", "calls that may wait in line; one more is answered 503 at once"),
			setting("failures", "0%", "share of calls that are answered 503, after their time"),
			setting("closes", "0%", "share of calls whose connection is closed in place of an answer, after their time"),
		},
		Check: func(s Settings) error {
			_, err := latency.ParseConfig(s)
			return err
		},
		Environ: func(_ Settings, address string) []string { return []string{upstreamVariable + "=" + address} },
		Commands: func(s Settings, p Programs, seed uint64) []*exec.Cmd {
			return []*exec.Cmd{serverCommand(p, append([]string{"latency"}, append(s.words(), fmt.Sprintf("seed=%d", seed))...)...)}
		},
		Counts: latency.ReadCounts,
		Limit: func(s Settings) float64 {
			c, err := latency.ParseConfig(s)
			if err != nil {
				return 0
			}
			return c.Limit()
		},
		Wait: func(s Settings) time.Duration {
			d, err := latency.ParseDelay(s["delay"])
			if err != nil {
				return 0
			}
			return d.Mean()
		},
	}
}
