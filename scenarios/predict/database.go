package predict

import (
	"cmp"
	"fmt"
	"strings"

	"gatewaylab/scenarios"
	"gatewaylab/servers"
)

// A pool is the connections to the database for which requests wait inside each
// process, in the order in which they came.
type pool struct {
	each      int // connections of a process; 0: there is always one for a request
	processes int
	whole     bool   // a request is nothing but a query
	alone     bool   // never more than one query is made at a time, by all processes together
	words     string // what requests wait for
}

// database is the database that a request asks.
func (f *facts) database(r *scenarios.Request) (servers.Backing, bool) {
	path, _, _ := strings.Cut(r.Path, "?")
	for _, b := range f.sc.Backing {
		if b.Pool() > 0 && path == b.Route() {
			return b, true
		}
	}
	return servers.Backing{}, false
}

// connections says what the cell's pools are to its requests.
func (f *facts) connections() pool {
	p := pool{processes: f.c.Pools(), whole: true}
	for i, d := range f.sc.Demands() {
		r := &f.sc.Requests[i]
		if r.Fault {
			continue
		}
		b, asks := f.database(r)
		if asks {
			p.each = cmp.Or(f.c.Pool, b.Pool())
		}
		p.whole = p.whole && asks && d.Wait == d.Query
	}
	slots := f.c.Slots()
	all := slots // queries at a time, at most
	if n := p.each * p.processes; n > 0 && (all == 0 || n < all) {
		all = n
	}
	p.alone = all == 1
	slot, connection := oneOf(slots, f.c.Model.Noun), oneOf(p.each*p.processes, "connection")+" to the database"
	switch {
	case p.each == 0:
	case p.processes == 0:
		p.each, p.words = 0, "each "+f.c.Model.Noun+" has a connection of its own to the database"
	case slots > 0 && slots <= p.each*p.processes:
		p.each, p.words = 0, fmt.Sprintf("requests wait for %s, and then never for %s", slot, connection)
	case slots > 0:
		p.words = fmt.Sprintf("requests wait for %s, and then for %s, of which there are fewer", slot, connection)
	default:
		p.words = "requests are begun at once, and wait for " + connection
	}
	return p
}

// pools is how many pools there are of which each is a queue by itself; 0 where
// nobody waits for a connection.
func (f *facts) pools() int {
	if f.pool.each == 0 {
		return 0
	}
	return f.pool.processes / f.split
}

// contended says why nobody knows who writes next; "" if that is known.
func (f *facts) contended() string {
	if f.pool.alone {
		return ""
	}
	for i, d := range f.sc.Demands() {
		r := &f.sc.Requests[i]
		b, asks := f.database(r)
		switch {
		case !asks || d.Write == 0:
		case b.InFile():
			return "updates over several connections want SQLite's one lock for writing, and those that don't get it sleep for longer and longer before they try again: " +
				"which comes next is a matter of chance"
		case !strings.Contains(r.Path, "key={"):
			return "updates of the same row wait for each other inside the database"
		}
	}
	return ""
}

const loopParted = "the loop does part of what a request costs and other threads its query, and how much each has to do is not known"

// parted says whether queries that compute do so beside a loop.
func (f *facts) parted() bool {
	return f.threads > 0 && f.pool.words != "" && f.unpriced != "" && f.costs.Own
}

func oneOf(n int, noun string) string {
	switch {
	case n == 1:
		return "the one " + noun
	case strings.HasSuffix(noun, "ss"):
		return fmt.Sprintf("one of %d %ses", n, noun)
	}
	return fmt.Sprintf("one of %d %ss", n, noun)
}
