package app

import (
	"strconv"
	"strings"
)

// A param is one number in the query. Every one has an upper bound, so that
// no single request can ask for memory or time without end.
type param struct {
	key     string
	absent  int // the value when the query doesn't have it
	low     int
	high    int
	suffix  string // may follow the number
	expects string // for the message, where low and high don't say it all
}

func millis() param { return param{key: "ms", absent: 50, high: 600_000} }
func units() param  { return param{key: "units", absent: 50, high: 100_000} }
func chunks() param { return param{key: "chunks", absent: 5, low: 1, high: 100_000} }
func every() param {
	return param{key: "every", absent: 100, high: 60_000, suffix: "ms", expects: "milliseconds, "}
}
func pauses() param {
	p := every()
	p.absent = 0
	return p
}
func waiting() param   { return param{key: "wait", absent: 40, high: 600_000} }
func holding() param   { return param{key: "hold", absent: 10, high: 60_000} }
func blocking() param  { return param{key: "ms", absent: 200, high: 60_000} }
func patience() param  { return param{key: "timeout", absent: 1000, low: 1, high: 60_000} }
func rowKey() param    { return param{key: "key", absent: 1, low: 1, high: Items} }
func slowQuery() param { return param{key: "ms", absent: 20, high: 60_000} }
func rows() param      { return param{key: "rows", high: Items} }
func open() param      { return param{key: "hold", high: 60_000} }
func first() param     { return param{key: "first", high: 64 << 20} }
func wide() param      { return param{key: "head", high: 1 << 20} }
func size() param      { return param{key: "n", absent: 1024, high: 64 << 20} }
func mebibytes() param { return param{key: "mib", absent: 1, high: 1024} }

// read returns the values of the route's parameters, or what is wrong.
func (rt *route) read(query string) (values []int, fault string) {
	for _, p := range rt.params {
		v, ok := p.in(query)
		if !ok {
			raw, _ := lookup(query, p.key)
			return nil, p.key + "=" + escape(raw[:min(len(raw), 40)], true) + ": expected " + p.expects +
				"a whole number from " + strconv.Itoa(p.low) + " to " + strconv.Itoa(p.high)
		}
		values = append(values, v)
	}
	return values, ""
}

func (p param) in(query string) (int, bool) {
	raw, found := lookup(query, p.key)
	if !found {
		return p.absent, true
	}
	digits := strings.TrimSuffix(raw, p.suffix)
	if digits == "" || len(digits) > 9 {
		return 0, false
	}
	n := 0
	for _, c := range []byte(digits) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, n >= p.low && n <= p.high
}

// lookup finds the first value of a key in a raw query.
func lookup(query, key string) (value string, found bool) {
	for pair := range strings.SplitSeq(query, "&") {
		if k, v, _ := strings.Cut(pair, "="); k == key {
			return v, true
		}
	}
	return "", false
}

// PatienceOf is for how many milliseconds a request for the target waits for the
// upstream's answer, if it is one that calls it.
func PatienceOf(target string) int {
	_, query, _ := strings.Cut(target, "?")
	ms, _ := patience().in(query)
	return ms
}

// DemandOf is what a request for the target ("/wait?ms=50") asks of the
// application until its answer is complete. It is zero for targets that the
// application would refuse.
func DemandOf(target string) Demand {
	path, query, _ := strings.Cut(target, "?")
	rt := find(routes(), path)
	if rt == nil {
		return Demand{}
	}
	v, fault := rt.read(query)
	if fault != "" {
		return Demand{}
	}
	switch path {
	case "/wait":
		return Demand{Wait: v[0], Sleeps: some(v[0])}
	case "/cpu":
		return Demand{Units: v[0]}
	case "/mixed":
		return Demand{Wait: v[0], Units: v[1], Sleeps: some(v[0])}
	case "/locked":
		return Demand{Wait: v[0] + v[1], Lock: v[1], Sleeps: some(v[0]) + some(v[1])}
	case "/block":
		return Demand{Wait: v[0], Block: v[0], Sleeps: some(v[0])}
	case "/db":
		return demandOfQuery(query, v)
	case "/stream":
		return paced(v[0]-1, v[1])
	case "/bytes":
		return paced(max(v[0]-1, 0)/blockSize, v[1])
	}
	return Demand{}
}

// paced is the demand of an answer with n pauses of ms milliseconds.
func paced(n, ms int) Demand { return Demand{Wait: n * ms, Sleeps: n * some(ms)} }

// some is 1 if there is any wait, else 0.
func some(ms int) int { return min(ms, 1) }
