package servers

import (
	"fmt"
	"slices"
	"strings"

	"gatewaylab/servers/real"
)

// The rows of the web servers, and of what stands behind them.

// appFor is an application whose default depends on another option.
func appFor() Option {
	return Option{"app", "auto", "what runs inside: c, go, perl, python or shell as a CGI program; for mod=wsgi wsgi, flask or django; auto = go, perl or wsgi, as the mod has it",
		oneOf("auto", "c", "go", "perl", "python", "shell", "wsgi", "flask", "django")}
}

// chooseApp settles app=auto and refuses what a mod can't run. The first of
// those that it can is its default.
func chooseApp(mods map[string][]string) func(*Model, Settings, bool) error {
	return func(m *Model, s Settings, _ bool) error {
		can := mods[s["mod"]]
		if s["app"] == "auto" {
			s["app"] = can[0]
		}
		switch s["app"] {
		case "shell": // opens no connections
			m.Serves = func(path string) bool { return path != "/upstream" && path != "/db" }
		case "c", "perl": // have no driver of a database
			m.Serves = func(path string) bool { return path != "/db" }
		}
		if !slices.Contains(can, s["app"]) {
			return fmt.Errorf("mod=%s runs no app=%s; it runs %s", s["mod"], s["app"], strings.Join(can, ", "))
		}
		return nil
	}
}

func cgiPrograms() []string { return []string{"go", "c", "perl", "python", "shell"} }

func nginxAlone() Model {
	return Model{
		Name:      "nginx",
		Doc:       "nginx by itself, without an application: /hello by return, / and /static/ from files; what HTTP costs and no more",
		Process:   "an event loop in each of a few worker processes, under a master",
		Wire:      WireHTTP,
		Interface: "none",
		HTTP:      "1.0, 1.1",
		Async:     true,
		Options: []Option{
			{"workers", "2", "worker processes", whole(1, 256)},
			{"keepalive", "75s", "how long an idle client connection is kept; whole seconds", duration(1e9)},
			backlog(),
		},
		Slots:      func(Settings) int { return 0 },
		Noun:       "connection",
		Real:       real.Nginx(),
		Normalises: true,
		Serves: func(path string) bool {
			return path == "/" || path == "/hello" || strings.HasPrefix(path, "/static/")
		},
	}
}

func apache() Model {
	choose := chooseApp(map[string][]string{
		"cgid": cgiPrograms(), "perl": {"perl"}, "fcgid": {"perl"}, "wsgi": {"wsgi", "flask", "django"},
	})
	return Model{
		Name:      "apache",
		Doc:       "Apache httpd, which runs the application in four ways: CGI, in its own processes, in a daemon, over FastCGI",
		Process:   "threads in a few processes, which have the application run elsewhere",
		Wire:      WireHTTP,
		Interface: "CGI",
		HTTP:      "1.0, 1.1",
		Options: []Option{
			{"mod", "cgid", "how the application runs: cgid (a CGI program for each request), perl (mod_perl, inside Apache's processes), wsgi (mod_wsgi, daemon processes), fcgid (FastCGI responders)",
				oneOf("cgid", "perl", "wsgi", "fcgid")},
			appFor(),
			{"workers", "4", "processes of the application, with mod=perl, wsgi or fcgid", whole(1, 256)},
			{"threads", "1", "threads of each, with mod=wsgi", whole(1, 1024)},
			{"connections", "256", "connections that Apache holds at a time, with mod=cgid, wsgi or fcgid", whole(1, 4096)},
			{"keepalive", "5s", "how long an idle client connection is kept; whole seconds", duration(1e9)},
			{"timeout", "60s", "how long a client, or the application, may be silent; whole seconds", duration(1e9)},
			backlog(),
		},
		Slots: func(s Settings) int {
			switch s["mod"] {
			case "cgid":
				return s.Int("connections")
			case "wsgi":
				return s.Int("workers") * s.Int("threads")
			}
			return s.Int("workers")
		},
		Noun:       "process",
		PerRequest: "process",
		Real:       real.Apache(),
		Normalises: true,
		Refine: func(m *Model, s Settings, behind bool) error {
			switch s["mod"] {
			case "perl":
				m.Interface, m.PerRequest, m.Process = "mod_perl", "", "a fixed set of processes, the application inside"
			case "wsgi":
				m.Interface, m.PerRequest, m.Process = "WSGI", "", "a fixed set of daemon processes, beside Apache's own"
				if s.Int("threads") > 1 {
					m.Noun, m.Interpreters = "thread", processes
				}
			case "fcgid":
				m.Interface, m.PerRequest, m.Process = "FastCGI", "", "a fixed set of responders, beside Apache's own processes"
			}
			return choose(m, s, behind)
		},
	}
}

func lighttpd() Model {
	choose := chooseApp(map[string][]string{"cgi": cgiPrograms(), "fastcgi": {"perl"}})
	return Model{
		Name:      "lighttpd",
		Doc:       "lighttpd, one event loop that has CGI programs or FastCGI responders do the work",
		Process:   "one event loop; a process per request, or a fixed set",
		Wire:      WireHTTP,
		Interface: "CGI",
		HTTP:      "1.0, 1.1",
		Options: []Option{
			{"mod", "cgi", "how the application runs: cgi (a program for each request) or fastcgi (responders that it starts)", oneOf("cgi", "fastcgi")},
			appFor(),
			{"workers", "4", "responders, with mod=fastcgi", whole(1, 256)},
			{"keepalive", "5s", "how long an idle client connection is kept; whole seconds", duration(1e9)},
			{"timeout", "60s", "how long a client may stall; whole seconds", duration(1e9)},
			{"backlog", "1024", "connections the kernel queues before they are accepted (its own limit, net.core.somaxconn, applies too)", whole(1, 65535)},
		},
		Slots: func(s Settings) int {
			if s["mod"] == "fastcgi" {
				return s.Int("workers")
			}
			return 0
		},
		Noun:       "process",
		PerRequest: "process",
		Real:       real.Lighttpd(),
		Normalises: true,
		Refine: func(m *Model, s Settings, behind bool) error {
			if s["mod"] == "fastcgi" {
				m.Interface, m.PerRequest = "FastCGI", ""
			}
			return choose(m, s, behind)
		},
	}
}

func fcgiwrap() Model {
	choose := chooseApp(map[string][]string{"": cgiPrograms()})
	return Model{
		Name:      "fcgiwrap",
		Doc:       "fcgiwrap, a FastCGI responder that starts a CGI program for each request, as nginx has none",
		Process:   "a fixed set of processes, each with one program at a time",
		Wire:      WireFastCGI,
		Interface: "CGI",
		HTTP:      "1.0, 1.1",
		Options: []Option{
			{"workers", "4", "processes, each of which runs one program at a time", whole(1, 256)},
			{"reuse", "off", "whether the gateway keeps its connections: each would hold a process, idle or not", oneOf("off", "on")},
			{"app", "auto", "the CGI program: go, c, perl, python or shell; auto = go", oneOf("auto", "c", "go", "perl", "python", "shell")},
		},
		Slots:      func(s Settings) int { return s.Int("workers") },
		Noun:       "process",
		PerRequest: "process",
		Real:       real.Fcgiwrap(),
		KeepsOne:   true,
		Refine:     choose,
	}
}
