package load

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"time"
)

// Shape is how a stage's traffic runs over its time.
type Shape string

const (
	// Open loops: requests are due at their times whether or not earlier ones
	// have been answered, as users arrive at a public site.

	Constant Shape = "constant" // From arrivals/s
	Ramp     Shape = "ramp"     // linearly from From to To
	Steps    Shape = "steps"    // Levels equal steps from From to To
	Spike    Shape = "spike"    // From, but To from At on, for Lasting
	Sine     Shape = "sine"     // between From and To, starting in the middle and towards To, once in Every
	Replay   Shape = "replay"   // at the times in File
	// Users is a closed loop: each of UsersFrom users sends its next request
	// when its last was answered and it has thought about it, as N batch jobs
	// do; with Levels, the number goes to UsersTo in that many equal steps.
	Users Shape = "users"
)

// A Stage is one part of a load. Stages follow each other without a pause.
type Stage struct {
	// Name is what results call it; "" is its number, from 1.
	Name  string        `json:"name,omitempty"`
	Shape Shape         `json:"shape"`
	For   time.Duration `json:"for"`

	From    float64       `json:"from,omitempty"` // arrivals/s
	To      float64       `json:"to,omitempty"`
	Levels  int           `json:"levels,omitempty"` // steps: at least 2; users: 0 or at least 2
	At      time.Duration `json:"at,omitempty"`     // from the start of the stage
	Lasting time.Duration `json:"lasting,omitempty"`
	Every   time.Duration `json:"every,omitempty"`
	// Poisson makes the arrivals of an open loop a Poisson process of that
	// rate, which is how independent users arrive; otherwise they are evenly
	// spaced. Replay has its own times.
	Poisson bool `json:"poisson,omitempty"`

	File string `json:"file,omitempty"` // replay: where Times came from
	// Times are the arrivals of a replay, from the start of the stage, in
	// order. They aren't saved with results.
	Times []time.Duration `json:"-"`

	UsersFrom int           `json:"users_from,omitempty"`
	UsersTo   int           `json:"users_to,omitempty"`
	Think     time.Duration `json:"think,omitempty"` // between an answer and the user's next request
	// ThinkExponential draws each think time from an exponential distribution
	// with the mean Think; otherwise each is Think.
	ThinkExponential bool `json:"think_exponential,omitempty"`
}

// Open says whether the stage is an open loop.
func (s *Stage) Open() bool { return s.Shape != Users }

// RateAt is the arrival rate t after the start of an open stage; a replay's
// is its mean.
func (s *Stage) RateAt(t time.Duration) float64 {
	switch s.Shape {
	case Ramp:
		return s.From + (s.To-s.From)*t.Seconds()/s.For.Seconds()
	case Steps:
		return s.rateOn(s.levelAt(t))
	case Spike:
		if t >= s.At && t < s.At+s.Lasting {
			return s.To
		}
	case Sine:
		mean, swing := (s.From+s.To)/2, (s.To-s.From)/2
		return mean + swing*math.Sin(2*math.Pi*t.Seconds()/s.Every.Seconds())
	case Replay:
		return float64(len(s.Times)) / s.For.Seconds()
	}
	return s.From
}

// UsersAt is how many users there are t after the start of a closed stage.
func (s *Stage) UsersAt(t time.Duration) int {
	return s.usersOn(s.levelAt(t))
}

// levelAt is the level, from 0, that t is in.
func (s *Stage) levelAt(t time.Duration) int {
	if t <= 0 || s.Levels < 2 {
		return 0
	}
	// ⌈(t+1)·levels ÷ for⌉ − 1, in 128 bits
	hi, lo := bits.Mul64(uint64(min(t, s.For-1))+1, uint64(s.Levels))
	lo, borrow := bits.Sub64(lo, 1, 0)
	k, _ := bits.Div64(hi-borrow, lo, uint64(s.For))
	return int(k)
}

// levelFrom is when level k begins, down to the nanosecond.
func (s *Stage) levelFrom(k int) time.Duration {
	hi, lo := bits.Mul64(uint64(s.For), uint64(k))
	from, _ := bits.Div64(hi, lo, uint64(max(1, s.Levels)))
	return time.Duration(from)
}

func (s *Stage) rateOn(level int) float64 {
	return s.From + (s.To-s.From)*float64(level)/float64(s.Levels-1)
}

func (s *Stage) usersOn(level int) int {
	if s.Levels < 2 {
		return s.UsersFrom
	}
	return s.UsersFrom + int(math.Round(float64(s.UsersTo-s.UsersFrom)*float64(level)/float64(s.Levels-1)))
}

// Peak is the highest rate of an open stage and the most users of a closed one.
func (s *Stage) Peak() (rate float64, users int) {
	if !s.Open() {
		return 0, max(s.UsersFrom, s.UsersTo)
	}
	if s.Shape == Constant {
		return s.From, 0
	}
	return max(s.From, s.To, s.RateAt(0)), 0
}

// What is beyond these was mistyped: no generator sends so much, and no level
// of an hour lasts so short.
const (
	maxRate    = 1e6 // arrivals/s
	maxLevels  = 10_000
	maxPeriods = 1_000_000
)

// Check says what is wrong with a stage.
func (s *Stage) Check() error {
	if s.For <= 0 {
		return fmt.Errorf("%s for %v: it must last longer than 0s", s.Shape, s.For)
	}
	switch s.Shape {
	case Constant:
		return checkRate("rate", s.From, false)
	case Ramp, Steps, Spike, Sine:
		return s.checkShape()
	case Replay:
		switch {
		case len(s.Times) == 0:
			return fmt.Errorf("replay of %q has no arrivals", s.File)
		case s.Times[0] < 0 || !slices.IsSorted(s.Times):
			return fmt.Errorf("replay of %q: its arrivals must be in order, from 0s on", s.File)
		case s.Times[0] >= s.For:
			return fmt.Errorf("replay of %q has no arrival within its stage of %v; the first is at %v", s.File, s.For, s.Times[0])
		}
		return nil
	case Users:
		return s.checkUsers()
	}
	return fmt.Errorf("shape %q of a stage is not known", s.Shape)
}

func checkRate(what string, v float64, zero bool) error {
	if !(v >= 0) || math.IsInf(v, 0) || v == 0 && !zero {
		return fmt.Errorf("%s is %v per second; it must be above 0", what, v)
	}
	if v > maxRate {
		return fmt.Errorf("%s is %v per second; it must be at most %.0f", what, v, maxRate)
	}
	return nil
}

// checkShape is Check for rates that change.
func (s *Stage) checkShape() error {
	if err := checkRate("lower rate", s.From, true); err != nil {
		return err
	}
	if err := checkRate("upper rate", s.To, true); err != nil {
		return err
	}
	switch {
	case s.From == 0 && s.To == 0:
		return fmt.Errorf("%s from 0/s to 0/s: one of them must be above 0", s.Shape)
	case s.Shape == Steps && s.Levels < 2:
		return fmt.Errorf("steps in %d levels: it must be at least 2", s.Levels)
	case s.Shape == Steps && s.Levels > maxLevels:
		return fmt.Errorf("steps in %d levels: it must be at most %d", s.Levels, maxLevels)
	case s.Shape == Spike && (s.At < 0 || s.Lasting <= 0 || s.At > s.For || s.Lasting > s.For-s.At):
		return fmt.Errorf("spike from %v on for %v does not lie within its stage of %v", s.At, s.Lasting, s.For)
	case s.Shape == Sine && s.Every <= 0:
		return fmt.Errorf("sine every %v: it must be longer than 0s", s.Every)
	case s.Shape == Sine && s.For/s.Every > maxPeriods:
		return fmt.Errorf("sine every %v for %v: it must have at most %d periods", s.Every, s.For, maxPeriods)
	}
	return nil
}

// checkUsers is Check for a closed stage.
func (s *Stage) checkUsers() error {
	switch {
	case s.UsersFrom < 1:
		return fmt.Errorf("%d users: there must be at least 1", s.UsersFrom)
	case s.Levels == 1 || s.Levels < 0:
		return fmt.Errorf("users in %d levels: it must be at least 2", s.Levels)
	case s.Levels > maxLevels:
		return fmt.Errorf("users in %d levels: it must be at most %d", s.Levels, maxLevels)
	case s.Levels > 1 && s.UsersTo < 1:
		return fmt.Errorf("to %d users: there must be at least 1", s.UsersTo)
	case s.Think < 0:
		return fmt.Errorf("think time %v: it must not be negative", s.Think)
	}
	return nil
}

// Title is what results call the stage at an index.
func (s *Stage) Title(index int) string {
	if s.Name != "" {
		return s.Name
	}
	return strconv.Itoa(index + 1)
}
