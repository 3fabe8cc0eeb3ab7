package latency

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A Config is what the service is to be. Only the delay and the failures are
// seen by a caller that comes alone.
type Config struct {
	Delay Delay
	// Rate is how many calls it begins a second, evenly spaced; those that come
	// faster wait in line. 0 = as they come.
	Rate float64
	// Places is how many calls it works on at a time, the c of an M/G/c queue;
	// the others wait in line, first come first served. 0 = as many as come.
	Places int
	// Queue is how many may wait in line; one more is refused at once with 503.
	Queue int
	// Failures is the share of calls that are answered 503, and Closes of those
	// whose connection is closed in place of an answer; both after their delay.
	Failures, Closes float64
	Seed             uint64
}

// Bounds of a Config.
const (
	MaxRate   = 1_000_000
	MaxPlaces = 100_000
	MaxQueue  = 1_000_000
)

// ParseConfig reads settings by their keys: delay, rate, places, queue,
// failures, closes and, if it is there, seed.
func ParseConfig(settings map[string]string) (c Config, err error) {
	for _, key := range []string{"delay", "rate", "places", "queue", "failures", "closes"} {
		value, ok := settings[key]
		if !ok {
			return c, fmt.Errorf("%s is not set", key)
		}
		if err := c.Set(key, value); err != nil {
			return c, fmt.Errorf("%s: %w", key, err)
		}
	}
	if seed, ok := settings["seed"]; ok {
		if c.Seed, err = strconv.ParseUint(seed, 10, 64); err != nil {
			return c, fmt.Errorf("seed: %w", err)
		}
	}
	return c, c.Check()
}

// Set reads one setting. The error says what was expected.
func (c *Config) Set(key, value string) (err error) {
	switch key {
	case "delay":
		c.Delay, err = ParseDelay(value)
	case "rate":
		c.Rate, err = parseRate(value)
	case "places":
		c.Places, err = parseCount(value, MaxPlaces)
	case "queue":
		c.Queue, err = parseCount(value, MaxQueue)
	case "failures":
		c.Failures, err = parseShare(value)
	case "closes":
		c.Closes, err = parseShare(value)
	default:
		err = fmt.Errorf("there is no setting %q", key)
	}
	return err
}

// Check refuses what doesn't go together.
func (c *Config) Check() error {
	if sum := c.Failures + c.Closes; sum > 1 {
		return fmt.Errorf("failures and closes together are %.4g%% of the calls; 100%% are all there are", sum*100)
	}
	return nil
}

// Limit is how many calls a second it can work off, whoever calls; 0 = any number.
func (c *Config) Limit() float64 {
	limit := c.Rate
	if mean := c.Delay.Mean().Seconds(); c.Places > 0 && mean > 0 {
		if byPlaces := float64(c.Places) / mean; limit == 0 || byPlaces < limit {
			limit = byPlaces
		}
	}
	return limit
}

func parseRate(text string) (float64, error) {
	number, perSecond := strings.CutSuffix(text, "/s")
	v, err := strconv.ParseFloat(number, 64)
	if text == "0" {
		return 0, nil
	}
	if err != nil || !perSecond || !(v > 0) || v > MaxRate {
		return 0, fmt.Errorf("expected a rate above 0/s and up to %d/s, such as 500/s, or 0 for none, found %q", MaxRate, text)
	}
	return v, nil
}

func parseCount(text string, most int) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > most {
		return 0, fmt.Errorf("expected a whole number from 0 to %d, found %q", most, text)
	}
	return n, nil
}

func parseShare(text string) (float64, error) {
	number, percent := strings.CutSuffix(text, "%")
	v, err := strconv.ParseFloat(number, 64)
	if text == "0" {
		return 0, nil
	}
	if err != nil || !percent || !(v >= 0) || v > 100 || math.IsNaN(v) {
		return 0, fmt.Errorf("expected a share from 0%% to 100%%, such as 1%%, found %q", text)
	}
	return v / 100, nil
}
