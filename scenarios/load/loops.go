package load

import (
	"net/netip"
	"runtime"
)

// openLoops makes the loops that the users of the closed stages live on and the
// first of which sends the hits of the open ones, if they can: one for each core,
// of which home leaves half idle where that serves better. A loop that can't be
// made is no fault, since all can do without.
func (r *run) openLoops() {
	t, ok := r.caller.(*Transport)
	if !ok || !r.looped() {
		return
	}
	for range runtime.GOMAXPROCS(0) {
		l, err := newLoop(t)
		if err != nil {
			break
		}
		r.loops = append(r.loops, l)
	}
}

// looped says whether the traffic is such that nothing in an exchange takes
// long but waiting for the server: HTTP/1.1 to an address
// (names are looked up, which may take its time), requests that a connection
// takes in one write, and no thinking, in which a user costs nothing anyway.
func (r *run) looped() bool {
	for i := range r.attack.Stages {
		if s := &r.attack.Stages[i]; !s.Open() && s.Think > 0 {
			return false
		}
	}
	for _, p := range r.requests {
		m := p.message(r.attack.Seed, 0)
		const drawn = 1 << 10 // what another draw may add
		if addr, err := netip.ParseAddrPort(m.addr); err != nil || addr.Addr().Zone() != "" || len(m.wire)+drawn > inlineWrite {
			return false
		}
	}
	return true
}

// fewExchanges are so few for a connection that connecting is most of the work.
const fewExchanges = 8

// home is the loop that a user lives on; nil: it has a goroutine. Where
// connections are kept, one loop for two cores asks more than the server
// answers, and a second would only take a core from it. Where they end after a
// few exchanges, a loop fills its core before the server does: on two cores one
// loop gave prefork 13,000/s of hello, two gave 17,000/s.
//
// That a server ends them shows in its answers alone, so each user goes by what
// became of its own last connection, and moves, if it has to, when it has none.
// How busy the loops are has no say, since on a busy machine that would make
// another generator of every trial.
func (r *run) home(number int, connects bool) *loop {
	n := len(r.loops)
	if n == 0 {
		return nil
	}
	if !connects {
		n = max(1, n/2)
	}
	return r.loops[number%n]
}

// cutAll ends all exchanges at once.
func (r *run) cutAll() {
	r.caller.Close()
	for _, l := range r.loops {
		l.cut()
	}
}
