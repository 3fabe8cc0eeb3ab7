package capacity

// What ends a search where no rate was found to break the objective, or none
// to hold it.
const (
	LimitNone      = ""          // a rate broke it
	LimitGenerator = "generator" // above Low the load generator could not keep up
	LimitVoid      = "invalid"   // above Low no trial was valid
	LimitTop       = "to"        // the highest rate that was to be tried held it
	LimitTarget    = "target"    // the same, of a server that is not on this machine and gets no more
	LimitOpen      = "cut off"   // the search ended before it came to one
)

// A Finding is what a search came to. Rates are arrivals per second; 0 means
// that there is none.
type Finding struct {
	// Rate is the highest that more trials held than broke.
	Rate float64
	// Low is the highest rate that Agree trials held and none broke, High the
	// lowest above it that Agree broke and none held: the ends of the interval.
	// Where trials were too few, LowSure or HighSure is false and the end is
	// what the trials lean to.
	Low, High         float64
	LowSure, HighSure bool
	// Limit is why there is no High.
	Limit string
	// Trials is how many the search took; Cut says that it was not finished.
	Trials int
	Cut    bool
}

// Finding sums up what is known so far.
func (s *Search) Finding() Finding {
	f := Finding{Trials: s.trials}
	_, more := s.Next()
	f.Cut = more || s.trials >= s.Most
	low, high := s.edges()
	if low != nil {
		f.Rate, f.Low, f.LowSure = low.Rate, low.Rate, s.surelyHeld(low)
	}
	if low != nil && !f.LowSure {
		for i := len(s.points) - 1; i >= 0; i-- {
			if p := s.points[i]; p.Rate < low.Rate && s.surelyHeld(p) {
				f.Low, f.LowSure = p.Rate, true
				break
			}
		}
	}
	switch {
	case high == nil && low != nil && low.Rate >= s.To*(1-1e-9):
		f.Limit = LimitTop
		if s.capped {
			f.Limit = LimitTarget
		}
	case high == nil, high.lean() == open && high.Broken == 0:
		f.Limit = LimitOpen
	case high.lean() == unknowable && high.Starved > 0:
		f.Limit = LimitGenerator
	case high.lean() == unknowable:
		f.Limit = LimitVoid
	default:
		f.High, f.HighSure = s.top(high)
	}
	return f
}

// top is the lowest rate from high on that surely breaks, or else high.
func (s *Search) top(high *Point) (float64, bool) {
	for _, p := range s.points {
		if p.Rate >= high.Rate && s.surelyBroken(p) {
			return p.Rate, true
		}
	}
	return high.Rate, false
}

// Points are the rates that were tried, in ascending order.
func (s *Search) Points() []Point {
	all := make([]Point, len(s.points))
	for i, p := range s.points {
		all[i] = *p
	}
	return all
}
