package load

import (
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// A schedule says when each hit of the open stages is due, counted from the
// start of the attack. It holds no times: begin starts it from the beginning
// as often as wanted, and each time the same seed gives the same ones, so what
// was due can be counted later without having been remembered. It may be used
// from many goroutines.
type schedule struct {
	stages []Stage // open and closed; the closed ones have no arrivals
	seed   uint64

	once   sync.Once
	totals []uint64 // arrivals of each stage; see counts
}

// arrivals walks through a schedule in constant memory.
type arrivals struct {
	of    *schedule
	stage int           // of the next arrival
	start time.Duration // of that stage
	n     uint64        // arrivals of the stage so far
	area  float64       // expected arrivals from its start to the next one, Λ(t)
	at    time.Duration // the last one, from its start
	index int           // of piece
	piece piece         // of the stage that the next arrival is in, at the earliest
	rng   *rand.Rand    // Poisson only
}

func (s *schedule) begin() *arrivals { return s.beginAt(0, 0) }

// beginAt begins with a later stage, which starts at a time.
func (s *schedule) beginAt(stage int, start time.Duration) *arrivals {
	a := &arrivals{of: s, stage: stage, start: start}
	a.enter()
	return a
}

// enter prepares for the stage that begins. Each has random numbers of its own,
// so that what happens in one doesn't depend on how long another is.
func (a *arrivals) enter() {
	a.n, a.area, a.at, a.index, a.piece = 0, 0, 0, 0, piece{}
	if a.stage == len(a.of.stages) {
		return
	}
	s := &a.of.stages[a.stage]
	a.piece, _ = s.piece(0, 0)
	if s.Poisson {
		a.rng = a.of.random(a.stage)
	}
}

func (s *schedule) random(stage int) *rand.Rand {
	return rand.New(rand.NewPCG(s.seed, uint64(stage)+0x61727269))
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
// rate is 1: an arrival at x there is due when the area under the rate exceeds
// x. That is 0, 1, 2 … for evenly spaced arrivals, so that there are ⌈Λ(t)⌉ of
// them before any t, and a sum of exponentials for a Poisson process (Çinlar,
// Introduction to Stochastic Processes, 1975, chapter 4.7). While the rate is
// 0 nothing is due: x is exceeded when it rises again.
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
	for a.area >= a.piece.upTo {
		p, ok := s.piece(a.index+1, a.piece.upTo)
		if !ok {
			return 0, false
		}
		a.index, a.piece = a.index+1, p
	}
	var t float64
	if p := &a.piece; p.omega == 0 && p.rate == p.end {
		t = p.from + (a.area-p.area)/p.rate // what reach does, without the way there
	} else {
		t = p.reach(a.area, a.at.Seconds())
	}
	return min(max(a.at, rounded(t*float64(time.Second))), s.For-1), true
}

// rounded is math.Round for what is not negative, by conversions that a
// processor has.
func rounded(ns float64) time.Duration {
	whole := time.Duration(ns)
	if ns-float64(whole) >= .5 {
		whole++
	}
	return whole
}

// counts returns how many arrivals each stage has.
func (s *schedule) counts() []uint64 {
	s.once.Do(func() {
		s.totals = make([]uint64, len(s.stages))
		for i := range s.stages {
			s.totals[i] = s.total(i)
		}
	})
	return s.totals
}

func (s *schedule) total(stage int) (n uint64) {
	st := &s.stages[stage]
	switch {
	case st.Shape == Replay:
		k, _ := slices.BinarySearch(st.Times, st.For)
		return uint64(k)
	case !st.Open():
		return 0
	}
	all := 0.0 // Λ at the end
	for k := 0; ; k++ {
		p, ok := st.piece(k, all)
		if !ok {
			break
		}
		all = p.upTo
	}
	if !st.Poisson {
		return uint64(math.Ceil(all))
	}
	rng := s.random(stage)
	for area := rng.ExpFloat64(); area < all; area += rng.ExpFloat64() {
		n++
	}
	return n
}

// count returns how many hits from number first on are due in [from, to). It
// walks only through stages of which from or to lies within.
func (s *schedule) count(first uint64, from, to time.Duration) (n uint64) {
	var before uint64 // arrivals of earlier stages
	var start time.Duration
	for i, total := range s.counts() {
		end := start + s.stages[i].For
		switch {
		case total == 0 || end <= from || start >= to || before+total <= first:
		case from <= start && end <= to:
			n += min(total, before+total-first)
		default:
			a := s.beginAt(i, start)
			for k := before; ; k++ {
				due, stage, ok := a.next()
				if !ok || stage != i || due >= to {
					break
				}
				if k >= first && due >= from {
					n++
				}
			}
		}
		before += total
		start = end
	}
	return n
}
