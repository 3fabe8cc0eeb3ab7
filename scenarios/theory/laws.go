// Package theory holds the formulas that measurements are held against: the
// laws that any server obeys, and the few queues that can be solved with pen
// and paper.
//
// A formula is worth what its assumptions are worth. Each says on which it
// rests, and what it is asked for outside of them is +Inf (a queue without
// bound) or NaN (a question without sense), never a number that looks right.
// Times are seconds, rates are per second, and nothing here knows of HTTP.
//
// The notation is that of the textbooks: λ arrivals/s, S the mean time a
// server needs for a request, c servers, a = λS the offered load in erlangs,
// ρ = a/c the utilisation, W the mean time that a request waits before it is
// served, R = W + S its response time, N users or requests, X throughput, Z
// think time, D a service demand.
package theory

import (
	"math"
	"slices"
)

// Little is N = X·R, whatever is inside (J. D. C. Little, A Proof for the
// Queuing Formula L = λW, Operations Research 9, 1961).
func Little(throughput, response float64) float64 { return throughput * response }

// ResponseTimeLaw is Little's law for a closed loop: R = N/X − Z (Denning &
// Buzen, The Operational Analysis of Queueing Network Models, Computing
// Surveys 10, 1978).
func ResponseTimeLaw(users, throughput, think float64) float64 { return users/throughput - think }

// Utilisation is the share of c servers that is busy at a throughput X: X·S/c,
// at most 1.
func Utilisation(throughput, service float64, servers int) float64 {
	return min(1, throughput*service/float64(servers))
}

// Ceiling is the most that c servers can finish: c/S, whether they are worker
// processes or cores (then S is the CPU time D of a request); +Inf if S is 0.
func Ceiling(servers int, service float64) float64 {
	if service <= 0 {
		return math.Inf(1)
	}
	return float64(servers) / service
}

// A Station is a part of a system that requests queue for: so many servers,
// each of which a request needs for so long.
type Station struct {
	Servers int
	Demand  float64 // s of one server's time for a request, all its visits together
}

// Bounds are the asymptotic bounds of a closed loop's throughput (Denning &
// Buzen 1978): never more than the users can ask for, N/(ΣD+Z), and never more
// than any station can do, c/D. Where nothing varies and nobody is in
// another's way, they are reached.
func Bounds(users int, think float64, stations ...Station) (asked, done float64) {
	total, done := think, math.Inf(1)
	for _, s := range stations {
		total += s.Demand
		done = min(done, Ceiling(s.Servers, s.Demand))
	}
	if total <= 0 {
		return math.Inf(1), done
	}
	return float64(users) / total, done
}

// MVA is the exact mean value analysis of a closed loop whose stations have one
// server each (Reiser & Lavenberg, Mean-Value Analysis of Closed Multichain
// Queuing Networks, JACM 27, 1980): a request finds at a station what a loop
// with one user less has there on average. Exact where service times are
// exponential, or where a station shares itself out among all who are there.
func MVA(users int, think float64, demands ...float64) (throughput, response float64) {
	queue := make([]float64, len(demands))
	for n := 1; n <= users; n++ {
		response = 0
		for i, d := range demands {
			response += d * (1 + queue[i])
		}
		throughput = float64(n) / (response + think)
		for i, d := range demands {
			queue[i] = throughput * d * (1 + queue[i])
		}
	}
	return throughput, response
}

// Overload is what c servers make of arrivals that they can't follow, as if
// requests were a fluid: the throughput is c/S, and the queue grows by λ − c/S
// every second, so that who comes after t seconds waits t·(ρ−1).
func Overload(rate, service float64, servers int) (throughput, growth float64) {
	done := Ceiling(servers, service)
	return min(rate, done), max(0, rate-done)
}

// A Mix is a distribution of service times by its moments.
type Mix struct {
	Mean   float64 // E[S]
	Square float64 // E[S²]
}

// Fixed is a service time that is always the same.
func Fixed(service float64) Mix { return Mix{service, service * service} }

// Exponential has the mean given.
func Exponential(mean float64) Mix { return Mix{mean, 2 * mean * mean} }

// Uniform lies between low and high, each as likely.
func Uniform(low, high float64) Mix {
	return Mix{(low + high) / 2, (low*low + low*high + high*high) / 3}
}

// Mixed is what comes of several kinds, each with its weight.
func Mixed(parts []Mix, weights []float64) Mix {
	var m Mix
	sum := 0.0
	for i, p := range parts {
		sum += weights[i]
		m.Mean += weights[i] * p.Mean
		m.Square += weights[i] * p.Square
	}
	return Mix{m.Mean / sum, m.Square / sum}
}

// Plus adds a fixed time to every service time.
func (m Mix) Plus(fixed float64) Mix {
	return Mix{m.Mean + fixed, m.Square + 2*m.Mean*fixed + fixed*fixed}
}

// CV2 is the squared coefficient of variation: 0 for a fixed time, 1 for an
// exponential one.
func (m Mix) CV2() float64 {
	if m.Mean == 0 {
		return 0
	}
	return max(0, m.Square/(m.Mean*m.Mean)-1)
}

// Settling is about how long a queue takes to forget how it began: the
// relaxation time of M/M/c, S/(c(1−√ρ)²) (Cohen, The Single Server Queue,
// 1982, for one server), longer the more service times vary. A mean over a
// time that is not many times as long is not what a formula for the long run
// says.
func Settling(rate float64, service Mix, servers int) float64 {
	rho := rate * service.Mean / float64(servers)
	if rho >= 1 {
		return math.Inf(1)
	}
	root := 1 - math.Sqrt(rho)
	return service.Mean / float64(servers) / (root * root) * max(0.5, (1+service.CV2())/2)
}

// quantile inverts a survival function that falls from at most 1 to 0 by
// bisection; scale is a time of the right order.
func quantile(q, scale float64, survives func(t float64) float64) float64 {
	if q <= 0 || scale <= 0 {
		return 0
	}
	low, high := 0.0, scale
	for survives(high) > 1-q {
		low, high = high, 2*high
	}
	for range 200 {
		mid := (low + high) / 2
		if mid == low || mid == high {
			break
		}
		if survives(mid) > 1-q {
			low = mid
		} else {
			high = mid
		}
	}
	return high
}

// normalise makes probabilities of weights.
func normalise(p []float64) {
	sum := 0.0
	for _, v := range slices.Backward(p) { // the small ones first
		sum += v
	}
	for i := range p {
		p[i] /= sum
	}
}
