package app

import (
	"strconv"
	"strings"
)

// RefusalOf is the status with which the application refuses a request for the
// target over HTTP, whatever else there is; 0 if it doesn't.
func RefusalOf(method, target string) int {
	path, query, _ := strings.Cut(target, "?")
	rt := find(routes(), path)
	switch {
	case strings.Contains(path, "%"): // the server decodes it first
		return 0
	case rt == nil:
		return 404
	case rt.allow != "" && !allows(rt.allow, method):
		return 405
	}
	if _, fault := rt.read(query); fault != "" {
		return 400
	}
	switch rt.path {
	case "/static/":
		if _, known := fileOf(path); !known {
			return 404
		}
	case "/ws":
		return 426
	case "/db":
		if op, given := lookup(query, "op"); given && !knownOperation(op) {
			return 400
		}
	}
	return 0
}

// few is about how many bytes answers have that depend on more than the target.
const few = 100

// SizeOf is how many bytes the application's answer to a request for the target
// has, those of its head left out that all answers have. Of targets that it
// would refuse it is 0.
func SizeOf(target string) int {
	path, query, _ := strings.Cut(target, "?")
	rt := find(routes(), path)
	if rt == nil {
		return 0
	}
	v, fault := rt.read(query)
	if fault != "" {
		return 0
	}
	number := func(n int) int { return len(strconv.Itoa(n)) }
	sum := func(units int) int { return len("units \nsha256 \n") + 2*32 + number(units) }
	switch rt.path {
	case "/":
		n := 0
		for _, r := range routes() {
			n += len(r.about) + 1
		}
		return n
	case "/hello":
		return len("hello\n")
	case "/wait":
		return len(waited(v[0]))
	case "/cpu":
		return sum(v[0])
	case "/mixed":
		return len(waited(v[0])) + sum(v[1])
	case "/stream":
		n := 0
		for i := range v[0] {
			n += len("chunk  of \n") + number(i+1) + number(v[0])
		}
		return n
	case "/bytes":
		return v[0] + v[2]
	case "/static/":
		f, _ := fileOf(path)
		return len(f.Content)
	}
	return few
}
