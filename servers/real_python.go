package servers

import "gatewaylab/servers/real"

// The rows of the servers for applications in Python.

func appOption(values ...string) Option {
	return Option{"app", values[0], "what runs inside: the bare callable, or the same in a framework", oneOf(values...)}
}

// loops are the threads of event loops: each does what blocks and computes, or
// as many of a pool's do.
func loops(s Settings) int { return processes(s) * max(1, s.Int("pool")) }

// pooled are the interpreters whose pools' threads compute.
func pooled(s Settings) int {
	if s["pool"] == "0" {
		return 0 // then the loops are the limit
	}
	return processes(s)
}

func processes(s Settings) int {
	if s["workers"] == "" {
		return 1
	}
	return s.Int("workers")
}

func poolOption() Option {
	return Option{"pool", "0", "threads that blocking and processor work is handed to; 0 = it is done on the event loop, in everybody's way", whole(0, 1024)}
}

func gunicorn() Model {
	return Model{
		Name:      "gunicorn",
		Doc:       "gunicorn, which prefork is modelled on; class says what a worker is",
		Process:   "a fixed set of worker processes under an arbiter",
		Wire:      WireHTTP,
		Interface: "WSGI",
		HTTP:      "1.0, 1.1 (one request per connection)",
		Options: []Option{
			{"class", "sync", "kind of worker: sync (one request at a time), gthread (a pool of threads), gevent or eventlet (green threads), tornado (its event loop, one request at a time)",
				oneOf("sync", "gthread", "gevent", "eventlet", "tornado")},
			{"workers", "4", "worker processes", whole(1, 256)},
			{"threads", "4", "threads of each worker, with class=gthread", whole(1, 1024)},
			{"connections", "1000", "connections of each worker, with class=gevent or eventlet", whole(1, 65535)},
			appOption("wsgi", "flask", "django"),
			{"keepalive", "2s", "how long an idle client connection is kept, with class=gthread, gevent or eventlet", duration(1e9)},
			{"timeout", "30s", "a worker silent for longer is killed and replaced; whole seconds", duration(1e9)},
			{"graceful_timeout", "30s", "how long a retiring worker may take to finish its requests; whole seconds", duration(1e9)},
			{"max_requests", "0", "requests after which a worker is replaced; 0 = never", whole(0, 1<<30)},
			{"max_requests_jitter", "0", "at most this many more, drawn for each worker", whole(0, 1<<30)},
			backlog(),
		},
		Slots: func(s Settings) int {
			switch s["class"] {
			case "gthread":
				return s.Int("workers") * s.Int("threads")
			case "gevent", "eventlet":
				return s.Int("workers") * s.Int("connections")
			}
			return s.Int("workers")
		},
		Noun:       "worker",
		PerRequest: "connection",
		Real:       real.Gunicorn(),
		Refine:     refineGunicorn,
	}
}

func refineGunicorn(m *Model, s Settings, _ bool) error {
	switch s["class"] {
	case "gthread":
		m.Noun, m.PerRequest, m.HTTP, m.Interpreters = "thread", "", "1.0, 1.1", processes
	case "gevent", "eventlet":
		m.Noun, m.PerRequest, m.HTTP, m.Async = "connection", "", "1.0, 1.1", true
		m.Interpreters = processes
	case "tornado":
		// gunicorn 20.1 calls even Tornado's own applications as WSGI.
		m.PerRequest, m.HTTP = "", "1.0, 1.1"
	}
	return nil
}

func uwsgiServer() Model {
	return Model{
		Name:      "uwsgi-server",
		Doc:       "uWSGI, the server, over HTTP by itself and over uwsgi, its protocol, behind a front",
		Process:   "a fixed set of worker processes under a master",
		Wire:      WireHTTP,
		Interface: "WSGI",
		HTTP:      "1.0, 1.1 (one request per connection)",
		Options: []Option{
			{"wire", "auto", "what it speaks: http, uwsgi, fastcgi or scgi; auto = http, behind a front uwsgi", oneOf("auto", "http", "uwsgi", "fastcgi", "scgi")},
			{"workers", "4", "worker processes", whole(1, 256)},
			{"threads", "1", "threads of each worker; with more than one, a stop cuts off what they serve", whole(1, 1024)},
			appOption("wsgi", "flask", "django"),
			{"timeout", "30s", "a request that takes longer costs its worker, which is replaced (harakiri); also how long a client may stall; whole seconds", duration(1e9)},
			{"graceful_timeout", "30s", "how long a retiring worker may take to finish its requests; whole seconds", duration(1e9)},
			{"max_requests", "0", "requests after which a worker is replaced; 0 = never", whole(0, 1<<30)},
			backlog(),
		},
		Slots:      func(s Settings) int { return s.Int("workers") * s.Int("threads") },
		Noun:       "worker",
		PerRequest: "connection",
		Real:       real.UWSGI(),
		Normalises: true,
		KeepsOne:   true,
		Refine: func(m *Model, s Settings, behind bool) error {
			wire := s["wire"]
			if wire == "auto" {
				wire = "http"
				if behind {
					wire = "uwsgi"
				}
			}
			m.Wire = map[string]string{"http": WireHTTP, "uwsgi": WireUWSGI, "fastcgi": WireFastCGI, "scgi": WireSCGI}[wire]
			if s.Int("threads") > 1 {
				m.Noun, m.Interpreters = "thread", processes
			}
			return nil
		},
	}
}

func werkzeug() Model {
	return Model{
		Name:      "werkzeug",
		Doc:       "Werkzeug's development server, which Flask starts: not meant for production",
		Process:   "one process, a thread for each connection or one for all",
		Wire:      WireHTTP,
		Interface: "WSGI",
		HTTP:      "1.0, 1.1 (one request per connection)",
		Options: []Option{
			{"threads", "on", "on: a thread for each connection; off: one request at a time", oneOf("on", "off")},
			appOption("wsgi", "flask", "django"),
			backlog(),
		},
		Slots:      func(s Settings) int { return map[string]int{"on": 0, "off": 1}[s["threads"]] },
		Noun:       "thread",
		PerRequest: "thread",
		Interpreters: func(s Settings) int {
			if s["threads"] == "off" {
				return 0
			}
			return 1
		},
		Real: real.Werkzeug(),
	}
}

func uvicorn() Model {
	return Model{
		Name:      "uvicorn",
		Doc:       "uvicorn, an ASGI server: an event loop (uvloop) in each worker",
		Process:   "an event loop in each of a few worker processes",
		Wire:      WireHTTP,
		Interface: "ASGI",
		HTTP:      "1.0, 1.1, WebSocket",
		Async:     true,
		Options: []Option{
			{"workers", "1", "worker processes", whole(1, 256)},
			{"loop", "uvloop", "event loop: uvloop (libuv, in C) or asyncio (Python's own)", oneOf("uvloop", "asyncio")},
			{"http", "httptools", "HTTP parser: httptools (in C) or h11 (in Python)", oneOf("httptools", "h11")},
			appOption("asgi", "fastapi", "quart", "django"),
			poolOption(),
			{"keepalive", "5s", "how long an idle client connection is kept; whole seconds", duration(1e9)},
			backlog(),
		},
		Slots:        func(Settings) int { return 0 },
		Threads:      loops,
		Interpreters: pooled,
		Noun:         "connection",
		Real:         real.Uvicorn(),
	}
}

func hypercorn() Model {
	return Model{
		Name:      "hypercorn",
		Doc:       "Hypercorn, an ASGI server that speaks HTTP/2 as well",
		Process:   "an event loop in each of a few worker processes",
		Wire:      WireHTTP,
		Interface: "ASGI",
		HTTP:      "1.0, 1.1, 2, WebSocket",
		Async:     true,
		Options: []Option{
			{"workers", "1", "worker processes", whole(1, 256)},
			{"loop", "asyncio", "event loop: asyncio or uvloop", oneOf("asyncio", "uvloop")},
			appOption("asgi", "fastapi", "quart", "django"),
			poolOption(),
			{"keepalive", "5s", "how long an idle client connection is kept; whole seconds", duration(1e9)},
			// Its own default is 3 s. It doesn't tell an application (0.13) that a
			// client has gone in the middle of a body: such a request lasts so long.
			{"graceful_timeout", "5s", "how long requests may take to finish when it is told to stop; whole seconds", duration(1e9)},
			backlog(),
		},
		Slots:        func(Settings) int { return 0 },
		Threads:      loops,
		Interpreters: pooled,
		Noun:         "connection",
		Real:         real.Hypercorn(),
	}
}

func daphne() Model {
	return Model{
		Name:      "daphne",
		Doc:       "Daphne, the ASGI server that Django's Channels brought, on Twisted; cuts off what it serves when it stops",
		Process:   "one process, one event loop",
		Wire:      WireHTTP,
		Interface: "ASGI",
		HTTP:      "1.0, 1.1, WebSocket",
		Async:     true,
		Options:   []Option{appOption("asgi", "fastapi", "quart", "django"), poolOption()},
		Slots:     func(Settings) int { return 0 },
		Threads:   loops, Interpreters: pooled,
		Noun: "connection",
		Real: real.Daphne(),
	}
}

func tornado() Model {
	return Model{
		Name:      "tornado",
		Doc:       "Tornado, whose event loop was there before Python had one",
		Process:   "an event loop in each of a few worker processes",
		Wire:      WireHTTP,
		Interface: "Tornado",
		HTTP:      "1.0, 1.1, WebSocket",
		Async:     true,
		Options: []Option{
			{"workers", "1", "worker processes", whole(1, 256)},
			poolOption(),
			backlog(),
		},
		Slots:        func(Settings) int { return 0 },
		Threads:      loops,
		Interpreters: pooled,
		Noun:         "connection",
		Real:         real.Tornado(),
	}
}
