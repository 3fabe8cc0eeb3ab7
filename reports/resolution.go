package reports

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gatewaylab/scenarios"
)

// A Resolution is what a machine can tell two models apart by, in one quantity:
// how far a model was from itself, and how large a difference would be found.
type Resolution struct {
	Quantity string  `json:"quantity"` // as of NoiseFloor
	Spread   float64 `json:"spread"`   // per cent: the longer arm of a side's 95 % interval, the wider side's
	Apart    float64 `json:"apart"`    // per cent by which the medians of the same model differed
	Told     bool    `json:"told"`     // the rule took that for a difference: a false alarm
	P        float64 `json:"p"`        // of the Mann–Whitney U test
	// Smallest is the difference, in per cent, that the rule would find in nine
	// comparisons of ten with as many trials as these; 0 if none up to 400 % is.
	Smallest float64 `json:"smallest"`
	Trials   int     `json:"trials"` // of each side
}

// The search for the smallest difference.
const (
	oftenEnough  = 0.9 // of the comparisons
	redrawn      = 200
	leastShift   = 0.0005
	largestShift = 4.0
)

// Resolutions takes two labels of one model under a scenario and says what could
// be told apart, by the very rule with which models are: a Mann–Whitney test and
// intervals that don't overlap. The trials of both sides, each divided by its
// side's median, stand for how trials vary here; sides are drawn from them again
// and again (a bootstrap: Efron and Tibshirani 1993), one is made larger, and
// the smallest factor that the rule finds often enough is searched for. There
// is an error where too few trials were valid.
func Resolutions(res *scenarios.Result, scenario, a, b string) ([]Resolution, error) {
	var sides [2]*cellTrials
	for i, label := range []string{a, b} {
		for _, sc := range res.Scenarios {
			for _, m := range res.Models {
				if sc.Name == scenario && m.Label == label {
					sides[i] = newCellTrials(res, sc, m)
				}
			}
		}
		if sides[i] == nil {
			return nil, fmt.Errorf("no cell of %s under %s", label, scenario)
		}
		if n := sides[i].Valid; n < minTrials {
			return nil, fmt.Errorf("only %d of %d trials of %s were valid, and telling anything takes %d; %s", n, sides[i].Trials, label, minTrials, firstOf(sides[i].Invalid))
		}
	}
	var all []Resolution
	for _, q := range floorQuantities() {
		if q.has(sides[0]) && q.has(sides[1]) {
			all = append(all, resolution(q.name, q.values(sides[0].valid), q.values(sides[1].valid)))
		}
	}
	return all, nil
}

func firstOf(reasons []string) string {
	if len(reasons) == 0 {
		return "nobody knows why"
	}
	return reasons[0]
}

func resolution(name string, as, bs []float64) Resolution {
	r := Resolution{Quantity: name, Trials: min(len(as), len(bs))}
	ea, eb := estimate(as, ""), estimate(bs, "")
	if ea.Median == 0 || eb.Median == 0 {
		return r
	}
	r.Spread = 100 * max(ea.Spread(), eb.Spread())
	r.Apart = 100 * math.Abs(ea.Median-eb.Median) / ea.Median
	r.P, r.Told = compare(as, bs)
	pool := make([]float64, 0, len(as)+len(bs))
	for _, v := range as {
		pool = append(pool, v/ea.Median)
	}
	for _, v := range bs {
		pool = append(pool, v/eb.Median)
	}
	r.Smallest = 100 * smallest(pool, r.Trials)
	return r
}

// smallest is the least shift, as a share, that is found often enough among
// sides of n trials drawn from the pool; 0 if none is.
func smallest(pool []float64, n int) float64 {
	if n < minTrials {
		return 0
	}
	apart := quickRule(n)
	enough := func(shift float64) bool {
		// The same draws for every shift, so that a larger one is never found
		// more seldom by chance.
		rng := rand.New(rand.NewPCG(1, 0x726573))
		missed := 0
		a, b := make([]float64, n), make([]float64, n)
		for range redrawn {
			for i := range n {
				a[i], b[i] = pool[rng.IntN(len(pool))], pool[rng.IntN(len(pool))]*(1+shift)
			}
			if !apart(a, b) {
				missed++
			}
			if float64(missed) > (1-oftenEnough)*redrawn {
				return false
			}
		}
		return true
	}
	low, high := leastShift, largestShift
	if !enough(high) {
		return 0
	}
	if enough(low) {
		return low
	}
	for high/low > 1.02 {
		middle := math.Sqrt(low * high)
		if enough(middle) {
			high = middle
		} else {
			low = middle
		}
	}
	return high
}

// quickRule is compare for samples of n, which it sorts. Where intervals don't
// overlap, the test's p is largest if all values outside an interval lie beyond
// the other one; if even that is below alpha, the intervals decide alone, and
// the test, which takes a hundred times as long, need not be made. So it is up
// to eleven trials.
func quickRule(n int) func(a, b []float64) bool {
	ranks := make([]float64, n)
	for i := range ranks {
		ranks[i] = float64(i)
	}
	e := estimate(ranks, "")
	low, high := int(e.Low), int(e.High)
	worstA, worstB := make([]float64, n), make([]float64, n)
	for i := range n {
		worstA[i], worstB[i] = float64(n+i), float64(2*n+i)
		if i > high {
			worstA[i] = float64(3*n + i)
		}
		if i < low {
			worstB[i] = float64(i)
		}
	}
	_, decide := compare(worstA, worstB)
	return func(a, b []float64) bool {
		slices.Sort(a)
		slices.Sort(b)
		switch {
		case a[high] >= b[low] && b[high] >= a[low]:
			return false
		case decide:
			return true
		}
		_, apart := compare(a, b)
		return apart
	}
}
