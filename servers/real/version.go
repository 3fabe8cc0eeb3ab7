package real

import (
	"fmt"
	"strconv"
	"strings"
)

// oldest are the versions before which programs can't do what their
// configuration here asks of them, and what that is. Others are not known to
// matter: the lab is tested with those of Debian 12.
var oldest = map[string]struct{ version, lacks string }{
	"nginx":    {"1.19.5", "the option -e, which says where errors go until the configuration is read"},
	"apache2":  {"2.4", "the directive Require"},
	"lighttpd": {"1.4.56", "server.feature-flags, with a time limit for a gentle stop"},
	"uwsgi":    {"2.0", "the hooks by which it says that it serves, and finishes what it serves"},
	"gunicorn": {"20.0", "bind = fd://, with which it takes a listener over"},
	"python3":  {"3.8", "assignment expressions, which the applications use"},
	"django":   {"3.1", "asynchronous views"},
}

// An OutdatedError says of what is installed that it is too old.
type OutdatedError struct{ Found []Found }

func (e *OutdatedError) Error() string {
	var each []string
	for _, f := range e.Found {
		o := oldest[f.Name]
		each = append(each, fmt.Sprintf("%s %s (%s) is too old: before %s it hasn't %s", f.Name, f.Version, f.Path, o.version, o.lacks))
	}
	return strings.Join(each, "; ")
}

// outdated are those that are too old. One that doesn't tell its version is
// taken for good.
func outdated(found []Found) (old []Found) {
	for _, f := range found {
		if o, ok := oldest[f.Name]; ok && f.Version != "" && before(f.Version, o.version) {
			old = append(old, f)
		}
	}
	return old
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
