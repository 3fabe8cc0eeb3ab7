package load

import (
	"math/rand/v2"
	"time"
)

// A Foresight tells what an attack is going to send, without sending it: the
// same requests with the same drawn numbers, at the same times, since all of
// that is decided by the attack's seed. It takes constant memory, and is for
// one goroutine.
type Foresight struct {
	seed     uint64
	arrivals *arrivals
	next     uint64
	weights  []float64
	draws    [][]draw // of each request
	pcg      rand.PCG
	rng      *rand.Rand
}

// Foresee begins at the attack's start.
func (a *Attack) Foresee() (*Foresight, error) {
	prepared, weights, err := a.prepare()
	if err != nil {
		return nil, err
	}
	f := &Foresight{seed: a.Seed, weights: weights}
	for _, p := range prepared {
		f.draws = append(f.draws, p.draws)
	}
	f.arrivals = (&schedule{stages: a.Stages, seed: a.Seed}).begin()
	f.rng = rand.New(&f.pcg)
	return f, nil
}

// Next returns when the next hit of the open stages is due, in which stage, and
// which one it is; false if there are no more.
func (f *Foresight) Next() (due time.Duration, stage int, number uint64, ok bool) {
	due, stage, ok = f.arrivals.next()
	number = f.next
	f.next++
	return due, stage, number, ok
}

// UsersHit is the number of a hit of a closed stage, the n-th that is sent in
// it, from 1.
func UsersHit(stage int, n uint64) uint64 { return uint64(stage+1)<<40 | n }

// Request is the kind of request that a hit sends.
func (f *Foresight) Request(number uint64) int { return pick(f.weights, f.seed, number) }

// Draws appends the numbers that are drawn for a hit, in the order in which
// they stand in its URL.
func (f *Foresight) Draws(to []int64, request int, number uint64) []int64 {
	draws := f.draws[request]
	if len(draws) == 0 {
		return to
	}
	f.pcg.Seed(f.seed, number^drawing)
	for _, d := range draws {
		to = append(to, d.from(f.rng))
	}
	return to
}

// Thinking returns the random numbers of a user's think times, which are
// exponential with the mean 1.
func (a *Attack) Thinking(user int) func() float64 { return thinking(a.Seed, user).ExpFloat64 }

func thinking(seed uint64, user int) *rand.Rand {
	return rand.New(rand.NewPCG(seed, uint64(user)^0x7468696e6b))
}

// Drawn is a URL, or a path, with the numbers given in the place of its draws.
func Drawn(url string, numbers []int64) (string, error) {
	p := &prepared{}
	var err error
	if p.parts, p.draws, err = parseDraws(url); err != nil {
		return "", err
	}
	return p.filled(func(i int, _ draw) int64 { return numbers[i] }), nil
}
