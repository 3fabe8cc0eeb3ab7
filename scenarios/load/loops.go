package load

import (
	"net/netip"
	"runtime"
)

// openLoops makes the loops that the users of the closed stages live on and the
// first of which sends the hits of the open ones, if they can: one for each core.
// Fewer would leave more to a server on the same cores, but where each request
// opens a connection a loop fills its core before the server does: on two cores
// one loop gave prefork 13,000/s of hello, two 17,000/s. A loop that can't be
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

// home is where a user lives: what does its exchanges, and how it begins.
func (r *run) home(number int) (caller, func(live func())) {
	if len(r.loops) == 0 {
		return r.caller, nil
	}
	l := r.loops[number%len(r.loops)]
	return l.transport, l.spawn
}

// cutAll ends all exchanges at once.
func (r *run) cutAll() {
	r.caller.Close()
	for _, l := range r.loops {
		l.cut()
	}
}
