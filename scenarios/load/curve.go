package load

import "math"

// A piece is a part of an open stage in which its rate is a straight line, or
// one period of a sine. The area under the rate from the start of the stage,
// Λ(t), is the number of arrivals that is expected until t. Times are seconds
// from the start of the stage.
type piece struct {
	from, to   float64
	rate, end  float64 // at both ends
	area, upTo float64 // Λ at both ends
	omega      float64 // a sine's 2π/period; 0 is a line
	mean       float64
	swing      float64
}

// piece returns the k-th piece of a stage, given Λ at its start; false if there
// are no more. A replay and a closed stage have none.
func (s *Stage) piece(k int, area float64) (p piece, ok bool) {
	length := s.For.Seconds()
	p = piece{to: length, rate: s.From, end: s.From, area: area}
	switch s.Shape {
	case Constant:
		ok = k == 0
	case Ramp:
		p.end, ok = s.To, k == 0
	case Steps:
		p.from, p.to = length*float64(k)/float64(s.Levels), length*float64(k+1)/float64(s.Levels)
		p.rate = s.rateOn(k)
		p.end, ok = p.rate, k < s.Levels
	case Spike:
		edges := [...]float64{0, s.At.Seconds(), (s.At + s.Lasting).Seconds(), length}
		if ok = k < 3; !ok {
			break
		}
		p.from, p.to = edges[k], edges[k+1]
		if k == 1 {
			p.rate, p.end = s.To, s.To
		}
	case Sine:
		every := s.Every.Seconds()
		p.from, p.to = float64(k)*every, min(length, float64(k+1)*every)
		p.omega, p.mean, p.swing = 2*math.Pi/every, (s.From+s.To)/2, (s.To-s.From)/2
		p.area = whole(p.from * p.mean) // not a sum of rounded periods
		ok = p.from < length
	}
	p.upTo = whole(p.area + p.under(p.to-p.from))
	return p, ok
}

// whole takes away what rounding has added to a whole number, or from it, so
// that 0.1/s for 30 s are three arrivals, not four.
func whole(area float64) float64 {
	if n := math.Round(area); math.Abs(area-n) <= 1e-11*n {
		return n
	}
	return area
}

// under is the area under the first t seconds of the piece.
func (p *piece) under(t float64) float64 {
	if p.omega != 0 {
		// 1 − cos x, in the form that doesn't cancel.
		sin := math.Sin(p.omega * t / 2)
		return p.mean*t + 2*p.swing/p.omega*sin*sin
	}
	if p.rate == p.end {
		return p.rate * t
	}
	return t * (p.rate + (p.end-p.rate)*t/(p.to-p.from)/2)
}

// reach returns when Λ is area, which must lie in [p.area, p.upTo); not before
// from, when it was less.
func (p *piece) reach(area, from float64) float64 {
	if p.omega != 0 {
		return p.from + p.reachSine(area-p.area, max(0, from-p.from))
	}
	switch width := p.to - p.from; {
	case p.rate == p.end:
		return p.from + (area-p.area)/p.rate
	case p.rate < p.end:
		// area = rate·t + slope·t²/2, in the form that doesn't cancel.
		slope, part := (p.end-p.rate)/width, area-p.area
		if part <= 0 {
			return p.from
		}
		return p.from + 2*part/(p.rate+math.Sqrt(p.rate*p.rate+2*slope*part))
	default: // the same, backwards from the end, where the rate may be 0
		slope, part := (p.rate-p.end)/width, p.upTo-area
		if part <= 0 {
			return p.to
		}
		return p.to - 2*part/(p.end+math.Sqrt(p.end*p.end+2*slope*part))
	}
}

// reachSine inverts under for a sine by Newton's method, between bounds that
// close in and that a step must not leave, for where the rate is 0 the method
// alone runs away.
func (p *piece) reachSine(area, from float64) float64 {
	const exact = 1e-10 // s; times are whole nanoseconds
	low, high := from, p.to-p.from
	t := low
	for range 100 {
		sin, cos := math.Sincos(p.omega * t / 2)
		miss := p.mean*t + 2*p.swing/p.omega*sin*sin - area
		if miss < 0 {
			low = t
		} else {
			high = t
		}
		next := t - miss/(p.mean+2*p.swing*sin*cos)
		if !(next >= low && next <= high) {
			next = (low + high) / 2
		}
		if math.Abs(next-t) <= exact {
			return next
		}
		t = next
	}
	return t
}
