package real

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A bound is what a version must have for what the configuration here asks of
// the program, after its own notes of changes. A program without one isn't known
// to need any: the lab is tested with those of Debian 12.
type bound struct {
	name  string
	with  string // only beside this one; "" = always
	from  string // the first version that has it; "" = it was always there
	until string // the first version that has it no more; "" = it still has
	what  string
}

func bounds() []bound {
	return []bound{
		{name: "nginx", from: "1.19.5", what: "the option -e, which says where errors go until the configuration is read"},
		{name: "apache2", from: "2.4.2", what: "the directive DefaultRuntimeDir, for files that belong to one instance"},
		{name: "lighttpd", from: "1.4.56", what: "server.feature-flags, with a time limit for a gentle stop"},
		{name: "uwsgi", from: "2.0", what: "the hooks by which it says that it serves, and finishes what it serves"},
		{name: "gunicorn", from: "20.1", what: "python -m gunicorn, by which it runs in the Python that has the application"},
		{name: "gunicorn", with: "eventlet", until: "26.0", what: "the worker class eventlet"},
		{name: "uvicorn", from: "0.15", what: "several processes on the listener of --fd, which end on TERM"},
		{name: "hypercorn", from: "0.11", what: "a sound way to take over the listener of bind = fd://"},
		{name: "daphne", from: "3.0", what: "applications of ASGI 3, with a request's body in pieces"},
		{name: "tornado", from: "5.0", what: "a loop that is asyncio's"},
		{name: "python3", from: "3.9", what: "str.removesuffix, which the applications use"},
		{name: "python3", with: "quart", from: "3.10", what: "aiter and anext, which the application in Quart uses"},
		{name: "django", from: "3.1", what: "asynchronous views"},
	}
}

// An UnfitError says of what is installed that it is too old, or too new.
type UnfitError struct{ each []string }

func (e *UnfitError) Error() string { return strings.Join(e.each, "; ") }

// unfit says which of what goes together are too old or too new. One that
// doesn't tell its version is taken for good.
func unfit(found []Found) error {
	e := &UnfitError{}
	for _, f := range found {
		for _, b := range bounds() {
			beside := b.with == "" || slices.ContainsFunc(found, func(o Found) bool { return o.Name == b.with })
			switch {
			case b.name != f.Name || f.Version == "" || !beside:
			case b.from != "" && before(f.Version, b.from):
				e.each = append(e.each, fmt.Sprintf("%v is too old: before %s it hasn't %s", f, b.from, b.what))
			case b.until != "" && !before(f.Version, b.until):
				e.each = append(e.each, fmt.Sprintf("%v is too new: since %s it hasn't %s", f, b.until, b.what))
			}
		}
	}
	if len(e.each) == 0 {
		return nil
	}
	return e
}

// before compares versions by their numbers, "1.9" with "1.19": the first one
// that a version doesn't have, or that is no number, counts as 0 and is the last.
func before(a, b string) bool {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i := range max(len(as), len(bs)) {
		x, y := number(as, i), number(bs, i)
		if x != y {
			return x < y
		}
	}
	return false
}

func number(parts []string, i int) int {
	if i >= len(parts) {
		return 0
	}
	digits := parts[i]
	if end := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' }); end >= 0 {
		digits = digits[:end]
	}
	n, err := strconv.Atoi(digits)
	if err != nil {
		return 0
	}
	return n
}

// String names what was found, as for an error: "nginx 1.22.1 (/usr/sbin/nginx)".
func (f Found) String() string {
	if f.Version == "" {
		return fmt.Sprintf("%s (%s)", f.Name, f.Path)
	}
	return fmt.Sprintf("%s %s (%s)", f.Name, f.Version, f.Path)
}
