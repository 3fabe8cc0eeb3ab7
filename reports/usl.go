package reports

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/optimize"
	"gonum.org/v1/gonum/stat"
)

// A USL is the Universal Scalability Law fitted to goodput by number of users:
//
//	X(N) = γN / (1 + α(N−1) + βN(N−1))
//
// γ is what one user gets, α the share of the work that is done one at a time
// (contention), β what each pair of users costs the others (coherency).
// Goodput peaks at N* = √((1−α)/β). Source: N. J. Gunther, Guerrilla Capacity
// Planning (2007), chapters 4 to 6, and "A General Theory of Computational
// Scalability Based on Rational Functions" (2008).
//
// The fit minimises the sum of squared differences of log X over all trials,
// since throughput varies in proportion to itself, with α, β ≥ 0: from the
// linear least squares of N/X = (1 + α(N−1) + βN(N−1))/γ (gonum/mat) by
// Nelder and Mead's method (gonum/optimize). Intervals are 95 % percentile
// intervals of a residual bootstrap of the linear form, which takes what the model doesn't explain
// for noise like the rest: where the law doesn't describe a server, they are
// wide.
type USL struct {
	Gamma Estimate `json:"gamma"` // 1/s; Median is the fit, Low and High the bootstrap's interval
	Alpha Estimate `json:"alpha"`
	Beta  Estimate `json:"beta"`
	// Peak is N*; not known where goodput isn't seen to have one, because β can't
	// be told from 0. Its interval may have no upper end: then High is 0.
	Peak Estimate `json:"peak"`
	// AtPeak is X(N*), the most goodput, 1/s.
	AtPeak Estimate `json:"at_peak"`
	// R2 is the coefficient of determination of the levels' medians; not known
	// (−1) where goodput is the same at all levels, so that there is nothing to
	// explain.
	R2     float64 `json:"r2"`
	Levels int     `json:"levels"` // different numbers of users
	Trials int     `json:"trials"`
	// Why says why there is no fit; then all else is nothing.
	Why string `json:"why,omitempty"`
	// Text says in a sentence or two what the fit means.
	Text string `json:"text"`
}

// At is the fitted goodput of n users.
func (u *USL) At(n float64) float64 {
	return uslAt([3]float64{u.Gamma.Median, u.Alpha.Median, u.Beta.Median}, n)
}

func uslAt(p [3]float64, n float64) float64 {
	return p[0] * n / (1 + p[1]*(n-1) + p[2]*n*(n-1))
}

// minLevels is the fewest levels that leave something of three parameters to
// test.
const minLevels = 4

// resamples is the number of bootstrap samples.
const resamples = 600

// A point is one trial: users, goodput.
type point struct{ n, x float64 }

// fitUSL fits the law to trials; seed decides the bootstrap.
func fitUSL(points []point, seed uint64) *USL {
	u := &USL{R2: -1, Trials: len(points)}
	var levels []float64
	for _, p := range points {
		if !slices.Contains(levels, p.n) {
			levels = append(levels, p.n)
		}
		if !(p.x > 0) {
			u.Why = fmt.Sprintf("a trial of %s had no successful response: there is nothing to fit a law to", count(int(p.n), "user"))
			return u
		}
	}
	if u.Levels = len(levels); u.Levels < minLevels {
		u.Why = fmt.Sprintf("a law of three parameters takes at least %d numbers of users with valid trials, found %d", minLevels, u.Levels)
		return u
	}
	best := uslFit(points, uslStart(points))
	boot := uslBootstrap(points, best, seed)
	set := func(e *Estimate, unit string, of func([3]float64) float64) {
		*e = Estimate{Median: of(best), N: len(points), Unit: unit, Confidence: confidence}
		e.Low, e.High = percentiles(boot, of)
		e.Low, e.High = min(e.Low, e.Median), max(e.High, e.Median) // the two fits differ by a trifle
	}
	set(&u.Gamma, "1/s", func(p [3]float64) float64 { return p[0] })
	set(&u.Alpha, "", func(p [3]float64) float64 { return p[1] })
	set(&u.Beta, "", func(p [3]float64) float64 { return p[2] })
	if n := peak(best); n == 1 || !math.IsInf(n, 0) && u.Beta.Low > negligible {
		set(&u.Peak, "", peak)
		set(&u.AtPeak, "1/s", func(p [3]float64) float64 { return uslAt(p, min(peak(p), 1e9)) })
		if math.IsInf(u.Peak.High, 0) {
			u.Peak.High = 0
		}
	}
	u.R2 = uslR2(points, levels, best)
	u.Text = u.words(slices.Max(levels))
	if u.R2 != -1 && u.R2 < goodFit {
		u.Text += fmt.Sprintf(" The law fits badly (R² %s), as it does where goodput stops growing all at once, such as with a fixed number of workers.", fixed(u.R2, 2))
	}
	return u
}

// peak is N*: 1 where adding users only harms, infinite where it never does.
func peak(p [3]float64) float64 {
	switch {
	case p[1] >= 1:
		return 1
	case p[2] <= negligible:
		return math.Inf(1)
	}
	return max(1, math.Sqrt((1-p[1])/p[2]))
}

// goodFit is the least R² of a fit that describes what was measured.
const goodFit = 0.9

// negligible is a β whose peak lies beyond a million users.
const negligible = 1e-12

// uslStart solves the linear form by least squares of relative residuals,
// α, β ≥ 0: of the four ways to set some of them to 0, the best that is allowed.
func uslStart(points []point) [3]float64 {
	best, least := [3]float64{points[0].x / points[0].n, 0, 0}, math.Inf(1)
	for _, free := range [][]int{{0}, {0, 1}, {0, 2}, {0, 1, 2}} {
		a := mat.NewDense(len(points), len(free), nil)
		b := mat.NewVecDense(len(points), nil)
		for i, p := range points {
			y := p.n / p.x
			row := [3]float64{1, p.n - 1, p.n * (p.n - 1)}
			for k, j := range free {
				a.Set(i, k, row[j]/y)
			}
			b.SetVec(i, 1)
		}
		var solved mat.VecDense
		if solved.SolveVec(a, b) != nil {
			continue // levels that don't tell these parameters apart
		}
		var c [3]float64
		for k, j := range free {
			c[j] = solved.AtVec(k)
		}
		if c[0] <= 0 || c[1] < 0 || c[2] < 0 {
			continue
		}
		p := [3]float64{1 / c[0], c[1] / c[0], c[2] / c[0]}
		if e := uslError(points, p); e < least {
			best, least = p, e
		}
	}
	return best
}

func uslError(points []point, p [3]float64) (sum float64) {
	for _, q := range points {
		d := math.Log(q.x / uslAt(p, q.n))
		sum += d * d
	}
	return sum
}

// uslFit minimises the error from a start on. γ is searched as its logarithm,
// α and β as squares, so that none can be negative, and β in units of what
// matters at the largest N.
func uslFit(points []point, start [3]float64) [3]float64 {
	top := 1.0
	for _, p := range points {
		top = max(top, p.n)
	}
	read := func(x []float64) [3]float64 {
		return [3]float64{math.Exp(x[0]), x[1] * x[1], x[2] * x[2] / top}
	}
	x := []float64{math.Log(start[0]), math.Sqrt(start[1]), math.Sqrt(start[2] * top)}
	problem := optimize.Problem{Func: func(x []float64) float64 {
		if e := uslError(points, read(x)); !math.IsNaN(e) {
			return e
		}
		return math.Inf(1)
	}}
	res, err := optimize.Minimize(problem, x, &optimize.Settings{
		Converger: &optimize.FunctionConverge{Absolute: 1e-12, Relative: 1e-9, Iterations: 40},
	}, &optimize.NelderMead{SimplexSize: 0.05})
	if err != nil || res == nil || uslError(points, read(res.X)) > uslError(points, start) {
		return start
	}
	return read(res.X)
}

// uslBootstrap fits to samples in which each trial is the fit times a residual
// drawn from all, widened for the parameters that the fit has used up.
func uslBootstrap(points []point, best [3]float64, seed uint64) [][3]float64 {
	rng := rand.New(rand.NewPCG(seed, 0x75736c))
	n := float64(len(points))
	widen := 1.0
	if n > 3 {
		widen = math.Sqrt(n / (n - 3))
	}
	residuals := make([]float64, len(points))
	mean := 0.0
	for i, p := range points {
		residuals[i] = math.Log(p.x/uslAt(best, p.n)) * widen
		mean += residuals[i] / n
	}
	all := make([][3]float64, resamples)
	drawn := slices.Clone(points)
	for k := range all {
		for i, p := range points {
			drawn[i].x = uslAt(best, p.n) * math.Exp(residuals[rng.IntN(len(residuals))]-mean)
		}
		all[k] = uslStart(drawn)
	}
	return all
}

func percentiles(boot [][3]float64, of func([3]float64) float64) (low, high float64) {
	values := make([]float64, len(boot))
	for i, p := range boot {
		values[i] = of(p)
	}
	slices.Sort(values)
	return stat.Quantile(alpha/2, stat.Empirical, values, nil), stat.Quantile(1-alpha/2, stat.Empirical, values, nil)
}

// uslR2 is of the levels' medians, which is what a plot shows.
func uslR2(points []point, levels []float64, p [3]float64) float64 {
	var seen, fitted []float64
	for _, n := range levels {
		var xs []float64
		for _, q := range points {
			if q.n == n {
				xs = append(xs, q.x)
			}
		}
		seen = append(seen, estimate(xs, "").Median)
		fitted = append(fitted, uslAt(p, n))
	}
	if spread := stat.StdDev(seen, nil); spread <= 0.01*stat.Mean(seen, nil) {
		return -1
	}
	return stat.RSquaredFrom(fitted, seen, nil)
}

// words says what the parameters mean for somebody who has to decide about
// users; top is the most that were tried.
func (u *USL) words(top float64) string {
	var s string
	switch {
	case u.Alpha.High < 0.01 && u.Beta.High*top < 0.01:
		return fmt.Sprintf("Goodput grows in proportion to the users, as far as was tried: neither contention nor coherency can be told from 0, and no peak can be foretold from %s or fewer.", count(int(top), "user"))
	case u.Alpha.Median > 0.95 && u.Beta.Median*top < 0.05:
		return fmt.Sprintf("Goodput is the same however many users there are, %s/s: all work is done one at a time (α ≈ 1), so that one user keeps the server busy and more only wait.", said(u.Gamma.Median))
	case u.Alpha.Low > 0:
		s = fmt.Sprintf("%s of the work is done one at a time, which bounds goodput at γ/α = %s/s.", percent(min(u.Alpha.Median, 1)), said(u.Gamma.Median/u.Alpha.Median))
	default:
		s = "Contention can't be told from 0."
	}
	switch {
	case !u.Peak.Known():
		return s + " Coherency can't be told from 0: goodput flattens out and isn't seen to fall again."
	case u.Peak.Median > top:
		return s + fmt.Sprintf(" Goodput would peak at N* = %s, beyond the %s that were tried: that is extrapolated.", said(math.Round(u.Peak.Median)), count(int(top), "user"))
	}
	return s + fmt.Sprintf(" Goodput peaks at N* = %s with %s/s; more users make it fall.", said(math.Round(u.Peak.Median)), said(u.AtPeak.Median))
}
