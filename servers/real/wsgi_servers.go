package real

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// The applications for servers of either kind, by name, and the module that
// each is in.
var (
	wsgiApps = map[string]string{"wsgi": "wsgi", "flask": "flask_app", "django": "django_app"}
	asgiApps = map[string]string{"asgi": "asgi", "fastapi": "fastapi_app", "quart": "quart_app", "django": "django_asgi"}
)

// framework is the module that an application needs, "" if none.
func framework(app string) string {
	if app == "wsgi" || app == "asgi" {
		return ""
	}
	return app
}

// pythonSetup is a command line that begins with the interpreter that has the
// modules, which finds the applications.
func pythonSetup(modules []Need, args ...string) (*Setup, error) {
	var names []string
	for _, n := range modules {
		names = append(names, n.Name)
	}
	py, lacks := FindPython(names...)
	if len(lacks) > 0 || py == nil {
		return nil, &MissingError{python(lacks...)}
	}
	dir, err := Apps(py.Path)
	if err != nil {
		return nil, err
	}
	return &Setup{
		Argv: append([]string{py.Path}, args...),
		Env:  []string{"PYTHONPATH=" + filepath.Join(dir, "python")},
	}, nil
}

// seconds writes a duration as programs want it that know no fractions.
func seconds(duration string) string {
	d, err := time.ParseDuration(duration)
	if err != nil {
		panic("real: " + duration + " was not checked")
	}
	return strconv.Itoa(int((d + time.Second - 1) / time.Second))
}

// Gunicorn is gunicorn with one of its classes of worker.
func Gunicorn() *Program {
	needs := func(s Settings) []Need {
		class := s["class"]
		if class == "sync" || class == "gthread" {
			class = ""
		}
		return python("gunicorn", class, framework(s["app"]))
	}
	return &Program{
		Stop:  "SIGTERM",
		Needs: needs,
		Setup: func(site *Site) (*Setup, error) {
			s := site.Settings
			setup, err := pythonSetup(needs(s), "-m", "gunicorn", "--config", filepath.Join(site.Folder, "gunicorn.conf.py"), wsgiApps[s["app"]]+":application")
			if err != nil {
				return nil, err
			}
			setup.Files = []File{{"gunicorn.conf.py", gunicornConfig(s, site.Folder)}}
			setup.Workers = s.Int("workers")
			return setup, nil
		},
	}
}

// gunicornConfig has each worker say when it has begun: a TERM that reaches one
// before gets lost (gunicorn 20.1 still has the arbiter's handler there), and
// the arbiter then waits out its graceful timeout.
func gunicornConfig(s Settings, folder string) string {
	var b strings.Builder
	set := func(key, value string) { fmt.Fprintf(&b, "%s = %s\n", key, value) }
	set("bind", `"fd://3"`)
	set("backlog", s["backlog"])
	set("worker_class", strconv.Quote(s["class"]))
	set("workers", s["workers"])
	switch s["class"] {
	case "gthread":
		set("threads", s["threads"])
		set("keepalive", seconds(s["keepalive"]))
	case "gevent", "eventlet":
		set("worker_connections", s["connections"])
		set("keepalive", seconds(s["keepalive"]))
	}
	set("timeout", seconds(s["timeout"]))
	set("graceful_timeout", seconds(s["graceful_timeout"]))
	set("max_requests", s["max_requests"])
	set("max_requests_jitter", s["max_requests_jitter"])
	set("accesslog", "None")
	set("errorlog", `"-"`)
	set("loglevel", `"warning"`)
	if exists("/dev/shm") {
		// The heartbeat is a file; on a disk it can stall a worker.
		set("worker_tmp_dir", `"/dev/shm"`)
	}
	fmt.Fprintf(&b, "\n\ndef begun(worker):\n    with open(%q, \"a\") as ready:\n        print(worker.pid, file=ready)\n", filepath.Join(folder, ReadyFile))
	b.WriteString("\n\ndef post_worker_init(worker):\n")
	if s["class"] == "tornado" {
		// What it was told before its loop runs it forgets (run sets alive).
		b.WriteString("    from tornado.ioloop import IOLoop\n    IOLoop.current().add_callback(begun, worker)\n")
	} else {
		b.WriteString("    begun(worker)\n")
	}
	return b.String()
}

// UWSGI is the server uWSGI, which speaks HTTP, or its own protocol, FastCGI or
// SCGI to a gateway before it.
func UWSGI() *Program {
	return &Program{
		Stop: "SIGTERM",
		Needs: func(s Settings) []Need {
			return append([]Need{{Executable, "uwsgi"}, {UWSGIPlugin, "python3"}}, python(framework(s["app"]))...)
		},
		Setup: func(site *Site) (*Setup, error) {
			path, err := executable("uwsgi")
			if err != nil {
				return nil, err
			}
			// It brings its own interpreter along, Debian's.
			dir, err := Apps("")
			if err != nil {
				return nil, err
			}
			return &Setup{
				Argv:    []string{path, "--ini", filepath.Join(site.Folder, "uwsgi.ini")},
				Files:   []File{{"uwsgi.ini", uwsgiConfig(site, filepath.Join(dir, "python"))}},
				Workers: site.Settings.Int("workers") + 1, // and the master
			}, nil
		},
	}
}

// uwsgiConfig has each worker and the master say when they heed signals: one
// that comes before is lost, and with it the stop.
func uwsgiConfig(site *Site, modules string) string {
	s := site.Settings
	socket := map[string]string{"HTTP": "http-socket", "uwsgi": "uwsgi-socket", "FastCGI": "fastcgi-socket", "SCGI": "scgi-socket"}[site.Protocol]
	var b strings.Builder
	b.WriteString("[uwsgi]\n")
	set := func(key, value string) { fmt.Fprintf(&b, "%s = %s\n", key, value) }
	set("plugin", "python3")
	set(socket, "fd://3")
	set("pythonpath", modules)
	set("module", wsgiApps[s["app"]])
	set("need-app", "true")
	set("single-interpreter", "true")
	set("listen", strconv.Itoa(min(s.Int("backlog"), somaxconn()))) // it refuses to start with more
	set("master", "true")
	set("processes", s["workers"])
	if s.Int("threads") > 1 {
		set("threads", s["threads"])
		// It cancels them, whatever they hold, which may be the interpreter's lock:
		// whoever waits for them may wait for ever.
		set("no-threads-wait", "true")
	}
	// Without these TERM means reload, and an end cuts off what is being served.
	set("die-on-term", "true")
	set("hook-master-start", "unix_signal:15 gracefully_kill_them_all")
	begun := "appendn:" + filepath.Join(site.Folder, ReadyFile) + " begun"
	set("hook-master-start", begun)
	set("hook-accepting", begun)
	set("worker-reload-mercy", seconds(s["graceful_timeout"]))
	if t := seconds(s["timeout"]); t != "0" {
		set("harakiri", t)
	}
	set("socket-timeout", seconds(s["timeout"]))
	if n := s.Int("max_requests"); n > 0 {
		set("max-requests", s["max_requests"])
	}
	if site.Protocol == "HTTP" {
		set("add-header", "Connection: close") // it does close, and doesn't say so by itself
	}
	set("buffer-size", "65535") // of a request's head; 4096 if it isn't said
	set("chunked-input-limit", "1073741824")
	set("disable-logging", "true")
	set("log-5xx", "true")
	return b.String()
}

// somaxconn is how long the kernel lets a listen queue be.
func somaxconn() int {
	b, err := os.ReadFile("/proc/sys/net/core/somaxconn")
	if n, nerr := strconv.Atoi(strings.TrimSpace(string(b))); err == nil && nerr == nil {
		return n
	}
	return 128 // what systems had that don't tell
}

// Werkzeug is Werkzeug's development server.
func Werkzeug() *Program {
	needs := func(s Settings) []Need { return python("werkzeug", framework(s["app"])) }
	return &Program{
		Stop:  "SIGTERM",
		Needs: needs,
		Setup: func(site *Site) (*Setup, error) {
			s := site.Settings
			setup, err := pythonSetup(needs(s), "-m", "werkzeug_server", wsgiApps[s["app"]], s["threads"], s["backlog"])
			return setup, err
		},
	}
}
