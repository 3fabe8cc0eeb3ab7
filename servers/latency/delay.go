package latency

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// MaxDelay bounds what can be drawn; a longer draw is cut to it.
const MaxDelay = 10 * time.Minute

// A Delay is a distribution of times. The zero value is no time at all.
//
//	delay = DURATION | "fixed" DURATION
//	      | ( "exponential" | "exp" ) MEAN
//	      | "uniform" LOW HIGH
//	      | "lognormal" MEAN CV .
//
// MEAN, LOW and HIGH are durations such as 100ms. CV, the coefficient of
// variation, is the standard deviation divided by the mean: 0.5 is a service
// that keeps its time, 1 as spread as an exponential, 3 one with a long tail.
type Delay struct {
	kind delayKind
	a, b float64 // nanoseconds, but for a cv
}

type delayKind uint8

const (
	fixed delayKind = iota
	exponential
	uniform
	lognormal
)

const delayForms = "a time such as 100ms, exponential 100ms, uniform 50ms 150ms or lognormal 100ms 1.5"

// maxCV bounds the spread: with more, a mean takes longer to show than any
// measurement lasts.
const maxCV = 10

// ParseDelay reads a distribution.
func ParseDelay(text string) (Delay, error) {
	words := strings.Fields(text)
	bad := fmt.Errorf("expected %s, found %q", delayForms, text)
	if len(words) == 1 && strings.IndexAny(words[0], "0123456789") == 0 {
		words = append([]string{"fixed"}, words...)
	}
	if len(words) < 2 {
		return Delay{}, bad
	}
	a, err := parseTime(words[1])
	if err != nil {
		return Delay{}, fmt.Errorf("expected %s, found %q: %w", delayForms, text, err)
	}
	d := Delay{a: float64(a)}
	switch {
	case words[0] == "fixed" && len(words) == 2:
		return d, nil
	case (words[0] == "exponential" || words[0] == "exp") && len(words) == 2:
		d.kind = exponential
		return d, nil
	case words[0] == "uniform" && len(words) == 3:
		b, err := parseTime(words[2])
		if err != nil || b < a {
			return Delay{}, fmt.Errorf("uniform goes from a time to one that is not shorter, such as uniform 50ms 150ms, found %q", text)
		}
		d.kind, d.b = uniform, float64(b)
		return d, nil
	case words[0] == "lognormal" && len(words) == 3:
		cv, err := strconv.ParseFloat(words[2], 64)
		if err != nil || !(cv > 0) || cv > maxCV {
			return Delay{}, fmt.Errorf("lognormal has a mean and a coefficient of variation above 0 and up to %d, such as lognormal 100ms 1.5, found %q", maxCV, text)
		}
		d.kind, d.b = lognormal, cv
		return d, nil
	}
	return Delay{}, bad
}

func parseTime(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || d > MaxDelay {
		return 0, fmt.Errorf("%q is no time from 0s to %s", text, "10m")
	}
	return d, nil
}

// String is the form that ParseDelay reads.
func (d Delay) String() string {
	a := time.Duration(d.a).String()
	switch d.kind {
	case exponential:
		return "exponential " + a
	case uniform:
		return "uniform " + a + " " + time.Duration(d.b).String()
	case lognormal:
		return "lognormal " + a + " " + strconv.FormatFloat(d.b, 'g', -1, 64)
	case fixed:
	}
	return a
}

// Mean is the mean of what is drawn, the cut at MaxDelay left aside.
func (d Delay) Mean() time.Duration {
	if d.kind == uniform {
		return time.Duration((d.a + d.b) / 2)
	}
	return time.Duration(d.a)
}

// CV is the standard deviation divided by the mean; 0 where that is 0.
func (d Delay) CV() float64 {
	switch {
	case d.a+d.b == 0 || d.kind == fixed:
		return 0
	case d.kind == exponential:
		return 1
	case d.kind == uniform:
		return (d.b - d.a) / math.Sqrt(12) / ((d.a + d.b) / 2)
	}
	return d.b
}

// Draw draws a time.
func (d Delay) Draw(rng *rand.Rand) time.Duration {
	v := d.a
	switch d.kind {
	case exponential:
		v = rng.ExpFloat64() * d.a
	case uniform:
		v = d.a + rng.Float64()*(d.b-d.a)
	case lognormal:
		// If ln X is normal with μ and σ, X has the mean exp(μ + σ²/2) and the
		// squared cv exp(σ²) − 1.
		variance := math.Log1p(d.b * d.b)
		v = d.a * math.Exp(rng.NormFloat64()*math.Sqrt(variance)-variance/2)
	case fixed:
	}
	return time.Duration(min(v, float64(MaxDelay)))
}
