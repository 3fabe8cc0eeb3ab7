package load

import (
	"math"
	"math/rand/v2"
	"time"
)

// A schedule says when each hit of the open stages is due, counted from the
// start of the attack. It holds no state: begin starts it from the beginning
// as often as wanted, and each time the same seed gives the same times, so
// what was due can be counted later without having been remembered.
type schedule struct {
	stages []Stage // open and closed; the closed ones have no arrivals
	seed   uint64
}

// arrivals walks through a schedule in constant memory.
type arrivals struct {
	of    *schedule
	stage int           // of the next arrival
	start time.Duration // of that stage
	n     uint64        // arrivals of the stage so far
	area  float64       // expected arrivals from its start to the last one, Λ(t)
	at    time.Duration // the last one, from its start
	rng   *rand.Rand
}

func (s *schedule) begin() *arrivals {
	a := &arrivals{of: s}
	a.enter()
	return a
}

// enter prepares for the stage that begins.
func (a *arrivals) enter() {
	a.n, a.area, a.at = 0, 0, 0
	if a.stage < len(a.of.stages) && a.of.stages[a.stage].Poisson {
		a.rng = rand.New(rand.NewPCG(a.of.seed, uint64(a.stage)+0x61727269))
	}
}

// next returns when the next hit is due and in which stage; false when there
// is none left.
func (a *arrivals) next() (due time.Duration, stage int, ok bool) {
	for ; a.stage < len(a.of.stages); a.enter() {
		s := &a.of.stages[a.stage]
		if at, ok := a.nextIn(s); ok {
			a.n, a.at = a.n+1, at
			return a.start + at, a.stage, true
		}
		a.start += s.For
		a.stage++
	}
	return 0, 0, false
}

// nextIn returns when the next hit of a stage is due, from its start. A rate
// that changes over time stretches and squeezes the time of a process whose
// rate is 1: the k-th arrival is due when the area under the rate, Λ(t), has
// reached the k-th arrival of that one. That is k for evenly spaced arrivals,
// the first being at 0, and a sum of exponentials for a Poisson process
// (Çinlar, Introduction to Stochastic Processes, 1975, chapter 4.7).
func (a *arrivals) nextIn(s *Stage) (time.Duration, bool) {
	switch {
	case !s.Open():
		return 0, false
	case s.Shape == Replay:
		if a.n >= uint64(len(s.Times)) || s.Times[a.n] >= s.For {
			return 0, false
		}
		return s.Times[a.n], true
	case s.Poisson:
		a.area += a.rng.ExpFloat64()
	default:
		a.area = float64(a.n)
	}
	t := s.reach(a.area, a.at.Seconds())
	if !(t < s.For.Seconds()) {
		return 0, false
	}
	at := max(a.at, time.Duration(math.Round(t*float64(time.Second))))
	return at, at < s.For
}

// area is Λ(t): how many arrivals are expected in the first t seconds.
func (s *Stage) area(t float64) float64 {
	length := s.For.Seconds()
	switch s.Shape {
	case Ramp:
		return t * (s.From + (s.To-s.From)*t/length/2)
	case Steps:
		step := length / float64(s.Levels)
		k := min(s.Levels-1, int(t/step))
		full := float64(k) * (s.From + (s.To-s.From)*float64(k-1)/float64(s.Levels-1)/2)
		return full*step + (t-float64(k)*step)*(s.From+(s.To-s.From)*float64(k)/float64(s.Levels-1))
	case Spike:
		at, lasting := s.At.Seconds(), s.Lasting.Seconds()
		return s.From*t + (s.To-s.From)*min(lasting, max(0, t-at))
	case Sine:
		every := s.Every.Seconds()
		mean, swing := (s.From+s.To)/2, (s.To-s.From)/2
		return mean*t + swing*every/(2*math.Pi)*(1-math.Cos(2*math.Pi*t/every))
	}
	return s.From * t
}

// reach is the inverse of area: the first time at which it is at least area,
// not before from; the end of the stage or later if it never is.
func (s *Stage) reach(area, from float64) float64 {
	length := s.For.Seconds()
	switch s.Shape {
	case Constant:
		return area / s.From
	case Ramp:
		// area = From·t + c·t², in the form that doesn't cancel.
		c := (s.To - s.From) / length / 2
		root := s.From*s.From + 4*c*area
		if root < 0 {
			return length
		}
		if d := s.From + math.Sqrt(root); d > 0 {
			return 2 * area / d
		}
		return 0
	}
	if s.area(length) < area {
		return length
	}
	low, high := from, length
	for range 64 { // bisection, to the last bit
		mid := (low + high) / 2
		if mid <= low || mid >= high {
			break
		}
		if s.area(mid) < area {
			low = mid
		} else {
			high = mid
		}
	}
	return high
}

// count returns how many hits from number first on are due in [from, to).
func (s *schedule) count(first uint64, from, to time.Duration) (n uint64) {
	a := s.begin()
	for k := uint64(0); ; k++ {
		due, _, ok := a.next()
		if !ok || due >= to {
			return n
		}
		if k >= first && due >= from {
			n++
		}
	}
}
