package theory

import "math"

// ErlangB is the share of arrivals that c servers without a queue turn away at
// an offered load of a erlangs (A. K. Erlang, Solution of some Problems in the
// Theory of Probabilities of Significance in Automatic Telephone Exchanges,
// 1917). It holds for service times of any distribution.
//
// By the recurrence 1/B(n) = 1 + n/a · 1/B(n−1), which adds positive numbers
// alone, and so loses no digits (D. L. Jagerman, Some properties of the Erlang
// loss function, BSTJ 53, 1974). The textbook's aᶜ/c! overflows at 170 servers.
func ErlangB(servers int, load float64) float64 {
	switch {
	case servers < 0 || load < 0 || math.IsNaN(load):
		return math.NaN()
	case load == 0:
		if servers == 0 {
			return 1
		}
		return 0
	}
	inverse := 1.0
	for n := 1; n <= servers; n++ {
		inverse = 1 + float64(n)/load*inverse
		if math.IsInf(inverse, 1) {
			return 0
		}
	}
	return 1 / inverse
}

// ErlangC is the probability that an arrival has to wait for one of c servers
// (the same paper): C = B / (1 − ρ(1 − B)). 1 from ρ = 1 on.
func ErlangC(servers int, load float64) float64 {
	rho := load / float64(servers)
	if rho >= 1 {
		return 1
	}
	b := ErlangB(servers, load)
	return b / (1 - rho*(1-b))
}

// An MMC is M/M/c: Poisson arrivals, exponential service, c servers, one queue
// without bound, first come first served.
type MMC struct {
	Rate    float64 // λ
	Service float64 // S
	Servers int
}

func (q MMC) load() float64 { return q.Rate * q.Service }

// Utilisation is ρ; from 1 on the queue grows for as long as requests come.
func (q MMC) Utilisation() float64 { return q.load() / float64(q.Servers) }

// Waits is the probability that a request has to wait.
func (q MMC) Waits() float64 { return ErlangC(q.Servers, q.load()) }

// Wait is the mean time before a request is served: C·S / (c(1−ρ)).
func (q MMC) Wait() float64 {
	rho := q.Utilisation()
	if rho >= 1 {
		return math.Inf(1)
	}
	return q.Waits() * q.Service / (float64(q.Servers) * (1 - rho))
}

// Response is the mean response time.
func (q MMC) Response() float64 { return q.Wait() + q.Service }

// Queue is the mean number of requests that wait.
func (q MMC) Queue() float64 { return Little(q.Rate, q.Wait()) }

// Beyond is the probability that a response takes longer than t.
func (q MMC) Beyond(t float64) float64 {
	if q.Utilisation() >= 1 {
		return 1
	}
	// e^{−μt}·(1 + C·(1−e^{−μt(c−1−a)})/(c−1−a)), which at c−1 = a is its limit
	// (Kleinrock, Queueing Systems I, 1975, section 3.5, convolved with the service).
	x := t / q.Service
	spare := float64(q.Servers) - 1 - q.load()
	part := x
	if spare != 0 {
		part = -math.Expm1(-x*spare) / spare
	}
	if math.IsInf(part, 1) { // far out; both exponentials in one
		return min(1, q.Waits()/-spare*math.Exp(-x*(1+spare)))
	}
	return min(1, math.Exp(-x)*(1+q.Waits()*part))
}

// Quantile is the response time that a share p of the requests doesn't exceed.
func (q MMC) Quantile(p float64) float64 {
	if q.Utilisation() >= 1 {
		return math.Inf(1)
	}
	return quantile(p, q.Response(), q.Beyond)
}

// An MMCK is M/M/c with room for K requests in all, those in service counted;
// who finds it full is turned away. K = c is Erlang's loss system.
type MMCK struct {
	MMC
	Room int // K ≥ c
}

// distribution is the probability of n requests in the system, 0 … K.
func (q MMCK) distribution() []float64 {
	a := q.load()
	up := func(n int) float64 { return a / float64(min(n+1, q.Servers)) } // from n to n+1
	return birthDeath(q.Room, up)
}

// birthDeath is the steady state of a process with the states 0 … most, where up
// is the rate from n to n+1 over the rate back. It goes from the likeliest state
// outwards, so that nothing overflows.
func birthDeath(most int, up func(n int) float64) []float64 {
	p := make([]float64, most+1)
	top := 0
	for top < most && up(top) > 1 {
		top++
	}
	p[top] = 1
	for n := top; n < most; n++ {
		p[n+1] = p[n] * up(n)
	}
	for n := top; n > 0; n-- {
		p[n-1] = p[n] / up(n-1)
	}
	normalise(p)
	return p
}

// TurnedAway is the share of arrivals that find it full.
func (q MMCK) TurnedAway() float64 { return q.distribution()[q.Room] }

// Throughput is what is served, per second.
func (q MMCK) Throughput() float64 { return q.Rate * (1 - q.TurnedAway()) }

// Queue is the mean number of requests that wait.
func (q MMCK) Queue() (n float64) {
	for k, p := range q.distribution() {
		n += p * float64(max(0, k-q.Servers))
	}
	return n
}

// Response is the mean response time of those that are served.
func (q MMCK) Response() float64 { return q.Queue()/q.Throughput() + q.Service }

// A FiniteSource is M/M/c//N: N users, each of whom thinks for an exponential
// time, then waits for one of c servers and is served for an exponential one
// (the machine-repair model; Kleinrock I, section 3.8). Think times of any
// distribution give the same, and so do service times if the servers share
// themselves out among all requests: the network then has product form
// (Baskett, Chandy, Muntz & Palacios, JACM 22, 1975).
type FiniteSource struct {
	Users   int
	Think   float64
	Service float64
	Servers int
}

// Solve returns the throughput, the mean response time and the mean number of
// requests that wait for a server.
func (q FiniteSource) Solve() (throughput, response, queue float64) {
	if q.Think <= 0 { // all of them are always there
		busy := min(q.Users, q.Servers)
		throughput = float64(busy) / q.Service
		return throughput, float64(q.Users) / throughput, float64(q.Users - busy)
	}
	up := func(n int) float64 { // rate up over rate down, between n and n+1 in the station
		return float64(q.Users-n) * q.Service / q.Think / float64(min(n+1, q.Servers))
	}
	p := birthDeath(q.Users, up)
	busy := 0.0
	for n, v := range p {
		busy += v * float64(min(n, q.Servers))
		queue += v * float64(max(0, n-q.Servers))
	}
	throughput = busy / q.Service
	return throughput, ResponseTimeLaw(float64(q.Users), throughput, q.Think), queue
}
