package real

import "fmt"

// A behaviour is what some versions do differently from others, so that figures
// of theirs differ where nothing else does. What the configuration here settles
// for all of them is none.
type behaviour struct {
	name  string
	from  string // the first version that does; "" = all until
	until string // the first that doesn't any more
	does  string
	when  func(Settings) bool // for which settings it matters; nil = all
}

func behaviours() []behaviour {
	is := func(key, value string) func(Settings) bool {
		return func(s Settings) bool { return s[key] == value }
	}
	several := func(s Settings) bool { return s.Int("workers") > 1 }
	const eager = "with class=gthread a connection takes a thread as soon as it is opened, whether it sends a request or not; "
	return []behaviour{
		// benoitc/gunicorn #2918, #3146, #3519
		{"gunicorn", "", "21.0", eager + "from 21.0 once there is something to read", is("class", "gthread")},
		{"gunicorn", "21.0", "21.3", "with class=gthread a worker can stop serving for good once it has more connections than worker_connections, 1,000", is("class", "gthread")},
		{"gunicorn", "24.0", "25.2", eager + "later ones take it back after 5 s", is("class", "gthread")},
		// encode/uvicorn #2183
		{"uvicorn", "", "0.30", "of several workers, one that dies isn't replaced; from 0.30 it is", several},
		// django/daphne, 4.0.0 and 4.2.2
		{"daphne", "", "4.0", "its answers have no field Server; from 4.0 they have", nil},
		{"daphne", "", "4.2.2", "it takes WebSocket messages of any size, where the other servers here stop at 1 MiB", nil},
		// pallets/werkzeug #2323, #2397, #2620
		{"werkzeug", "", "2.1", "it answers in HTTP/1.0, and streams without chunks; from 2.1 in HTTP/1.1", nil},
		{"werkzeug", "2.1", "2.1.2", "it keeps connections, where those before and after close each with its answer", nil},
		{"werkzeug", "", "2.3", "it leaves a body unread that the application hasn't read, and the client may see a reset for an answer; from 2.3 it reads it", nil},
		// lighttpd's NEWS, 1.4.70
		{"lighttpd", "", "1.4.70", "with mod=cgi it starts programs by fork; from 1.4.70 by posix_spawn, which costs less the larger the server is", is("mod", "cgi")},
		// httpd's docs/manual/env.xml, 2.4.59
		{"apache2", "", "2.4.59", "an answer of a script has the Content-Length that the script gives; from 2.4.59 Apache counts it itself, or sends chunks", nil},
	}
}

// Behaviours says what the installed versions are known to do differently from
// others, with these settings; with none, for all that there are.
func Behaviours(found []Found, s Settings) (all []string) {
	for _, f := range found {
		for _, b := range behaviours() {
			switch {
			case b.name != f.Name || f.Version == "" || !before(f.Version, b.until) || b.from != "" && before(f.Version, b.from):
			case s == nil || b.when == nil || b.when(s):
				all = append(all, fmt.Sprintf("%s %s: %s", f.Name, f.Version, b.does))
			}
		}
	}
	return all
}
