package capacity

import (
	"math"
	"slices"
	"strconv"
)

// A Search decides which rate to try next from what trials said so far. It
// knows nothing of servers or time: the same outcomes give the same search, so
// that a saved run tells what it found without being told.
//
// First it doubles the rate until the objective breaks (or halves it until it
// holds), then it halves the interval geometrically until its ends are no
// further apart than Resolution. One trial that held is believed here; one that
// broke is repeated, best of three, since any hiccup of the machine breaks a
// trial and none mends one. Then both ends are repeated until Agree trials
// say the same. Where trials differ, the end moves outward, so that the
// interval grows to what the trials support.
//
// With Agree = 6 each end passes a two-sided sign test, p = 2/2⁶ = 0.03: the
// median trial holds at Low and breaks at High with 95 % confidence each.
type Search struct {
	From, To   float64 // the first rate and the highest, 1/s
	Least      float64 // the lowest
	Resolution float64 // > 0
	Agree      int
	Most       int // trials in all

	capped bool     // To is all that a server elsewhere gets, not what was asked for
	points []*Point // by rate
	trials int
}

// A Point is one rate and how its trials went.
type Point struct {
	Rate                        float64
	Held, Broken, Starved, Void int
}

func (p *Point) trials() int { return p.Held + p.Broken + p.Starved + p.Void }

// A lean is what a point's trials say so far.
type lean int

const (
	open       lean = iota // another trial is needed
	holds                  // more held than broke
	breaks                 // more broke than held
	unknowable             // no trial was valid
)

// tries is how many invalid trials of a rate are enough.
const tries = 3

func (p *Point) lean() lean {
	valid := p.Held + p.Broken
	switch {
	case valid == 0 && p.Starved+p.Void >= tries:
		return unknowable
	case p.Held > p.Broken:
		return holds
	case p.Broken >= 2 && (p.Broken > p.Held || valid >= 4):
		return breaks
	case p.Starved+p.Void >= 2*tries: // enough of it
		return breaks
	}
	return open
}

// surelyHeld and surelyBroken say whether enough trials agree.
func (s *Search) surelyHeld(p *Point) bool   { return p.Broken == 0 && p.Held >= s.Agree }
func (s *Search) surelyBroken(p *Point) bool { return p.Held == 0 && p.Broken >= s.Agree }

// worn says that a point has had so many invalid trials that it can't be made
// sure.
func (s *Search) worn(p *Point) bool { return p.Starved+p.Void >= max(tries, s.Agree) }

// Add tells what a trial came to.
func (s *Search) Add(rate float64, out Outcome) {
	p := s.at(rate)
	if p == nil {
		p = &Point{Rate: rate}
		i, _ := slices.BinarySearchFunc(s.points, rate, func(p *Point, r float64) int {
			return int(math.Copysign(1, p.Rate-r))
		})
		s.points = slices.Insert(s.points, i, p)
	}
	s.trials++
	switch out {
	case Held:
		p.Held++
	case Broken:
		p.Broken++
	case Starved:
		p.Starved++
	default:
		p.Void++
	}
}

func (s *Search) at(rate float64) *Point {
	for _, p := range s.points {
		if math.Abs(p.Rate-rate) <= 1e-9*rate {
			return p
		}
	}
	return nil
}

// Next is the rate to try next; false when there is nothing left to learn.
func (s *Search) Next() (rate float64, more bool) {
	if s.trials >= s.Most {
		return 0, false
	}
	if len(s.points) == 0 {
		return Round(s.From), true
	}
	for _, p := range s.points {
		if p.lean() == open {
			return p.Rate, true
		}
	}
	low, high := s.edges()
	switch {
	case low == nil && s.hopeless():
		return 0, false
	case low == nil && high.Rate <= s.Least*(1+1e-9):
		return s.confirm(low, high)
	case low == nil:
		return Round(max(high.Rate/2, s.Least)), true
	case high == nil && low.Rate >= s.To*(1-1e-9):
		return s.confirm(low, high)
	case high == nil:
		return Round(min(low.Rate*2, s.To)), true
	}
	if high.Rate/low.Rate > (1+s.Resolution)*(1+1e-9) {
		if middle := Round(math.Sqrt(low.Rate * high.Rate)); middle > low.Rate && middle < high.Rate {
			return middle, true
		}
	}
	return s.confirm(low, high)
}

// hopeless says that two rates in a row had no valid trial although the
// generator kept up: what spoils trials isn't the load.
func (s *Search) hopeless() bool {
	return len(s.points) > 1 && !slices.ContainsFunc(s.points, func(p *Point) bool {
		return p.lean() != unknowable || p.Starved > 0
	})
}

// edges are the lowest rate that isn't held, and the highest below it that is;
// either may be missing.
func (s *Search) edges() (low, high *Point) {
	for _, p := range s.points {
		if p.lean() != holds {
			return low, p
		}
		low = p
	}
	return low, nil
}

// confirm repeats the ends, the one with fewer trials first.
func (s *Search) confirm(low, high *Point) (float64, bool) {
	down, moreDown := s.lower(low)
	up, moreUp := s.upper(high)
	switch {
	case moreDown && moreUp:
		d, u := s.at(down), s.at(up)
		if u == nil || d != nil && d.trials() > u.trials() {
			return up, true
		}
		return down, true
	case moreDown:
		return down, true
	}
	return up, moreUp
}

// lower looks for a rate that is surely held, from the highest that seems so
// downward.
func (s *Search) lower(from *Point) (rate float64, more bool) {
	step := 1 + s.Resolution
	for p := from; p != nil; {
		switch {
		case s.surelyHeld(p) || s.worn(p):
			return 0, false
		case p.Broken == 0:
			return p.Rate, true
		}
		next := Round(max(p.Rate/step, s.Least))
		if next >= p.Rate {
			return 0, false // as low as it goes
		}
		// A rate that was tried already serves, if it is not much further down.
		below := s.near(next/step, next)
		if below == nil {
			return next, true
		}
		p, step = below, step*(1+s.Resolution)
	}
	return 0, false
}

// upper looks for a rate that is surely broken, upward likewise.
func (s *Search) upper(from *Point) (rate float64, more bool) {
	step := 1 + s.Resolution
	for p := from; p != nil; {
		switch {
		case p.lean() == unknowable || s.surelyBroken(p) || s.worn(p):
			return 0, false
		case p.Held == 0:
			return p.Rate, true
		}
		next := Round(min(p.Rate*step, s.To))
		if next <= p.Rate {
			return 0, false // as high as it goes
		}
		above := s.near(next, next*step)
		if above == nil {
			return next, true
		}
		p, step = above, step*(1+s.Resolution)
	}
	return 0, false
}

// near is a point that was tried between two rates; the one that has had most
// trials.
func (s *Search) near(low, high float64) (best *Point) {
	for _, p := range s.points {
		if p.Rate >= low*(1-1e-9) && p.Rate <= high*(1+1e-9) && (best == nil || p.trials() > best.trials()) {
			best = p
		}
	}
	return best
}

// Left is about how many trials are still to come.
func (s *Search) Left() int {
	low, high := s.edges()
	left := 2*s.Agree + 4
	switch {
	case len(s.points) == 0:
		left += 6
	case low != nil && high != nil:
		left = 0
		for gap := high.Rate / low.Rate; gap > 1+s.Resolution; gap = math.Sqrt(gap) {
			left += 2
		}
		left += max(0, s.Agree-low.trials()) + max(0, s.Agree-high.trials())
	}
	return min(left, s.Most-s.trials)
}

// Round keeps three significant figures of a rate: nobody needs to type
// 79.3700526/s.
func Round(rate float64) float64 {
	v, err := strconv.ParseFloat(strconv.FormatFloat(rate, 'g', 3, 64), 64)
	if err != nil {
		return rate // as it can't be
	}
	return v
}
