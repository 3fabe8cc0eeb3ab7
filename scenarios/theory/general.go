package theory

import "math"

// An MG1 is M/G/1: Poisson arrivals, service times of any distribution, one
// server, first come first served.
type MG1 struct {
	Rate    float64
	Service Mix
}

// Utilisation is ρ.
func (q MG1) Utilisation() float64 { return q.Rate * q.Service.Mean }

// Wait is the mean wait by Pollaczek and Khinchine: λE[S²] / 2(1−ρ)
// (F. Pollaczek 1930, A. Khinchine 1932; Kleinrock I, section 5.6). For a fixed
// service time, M/D/1, that is ρS/2(1−ρ): half of what it is for an
// exponential one.
func (q MG1) Wait() float64 {
	rho := q.Utilisation()
	if rho >= 1 {
		return math.Inf(1)
	}
	return q.Rate * q.Service.Square / (2 * (1 - rho))
}

// Response is the mean response time.
func (q MG1) Response() float64 { return q.Wait() + q.Service.Mean }

// Queue is the mean number of requests that wait.
func (q MG1) Queue() float64 { return Little(q.Rate, q.Wait()) }

// MD1 is M/D/1.
func MD1(rate, service float64) MG1 { return MG1{rate, Fixed(service)} }

// An MGC is M/G/c, for which there is no exact formula. Wait is that of M/M/c
// times (1+CV²)/2 (Lee & Longton, Queueing processes associated with airline
// passenger check-in, 1959; Allen & Cunneen's formula for Poisson arrivals):
// exact for one server and for exponential service, within some per cent where
// CV² is near 1 or the servers are busy, worse elsewhere.
type MGC struct {
	Rate    float64
	Service Mix
	Servers int
}

func (q MGC) mmc() MMC { return MMC{q.Rate, q.Service.Mean, q.Servers} }

// Utilisation is ρ.
func (q MGC) Utilisation() float64 { return q.mmc().Utilisation() }

// Wait is the mean wait, approximately.
func (q MGC) Wait() float64 { return q.mmc().Wait() * (1 + q.Service.CV2()) / 2 }

// Response is the mean response time, approximately.
func (q MGC) Response() float64 { return q.Wait() + q.Service.Mean }

// Queue is the mean number of requests that wait, approximately.
func (q MGC) Queue() float64 { return Little(q.Rate, q.Wait()) }
