package servers

// The responders stand behind a gateway and speak its protocol; without a
// front named, the lab's own is put before them.

func fastcgi() Model {
	return Model{
		Name:      "fastcgi",
		Doc:       "workers forked in advance behind a gateway that speaks FastCGI 1.0, one request at a time each (mpx=on: many)",
		Process:   "a fixed set of worker processes under an arbiter, behind a gateway",
		Wire:      WireFastCGI,
		Interface: "WSGI",
		HTTP:      "the gateway's",
		Options: append(responder("FCGI_OVERLOADED; with mpx=on it is requests that says how many there can be"), variablesBuffer(),
			Option{"reuse", "on", "whether the gateway keeps its connections for the next request; a worker serves one request at a time all the same", oneOf("on", "off")},
			Option{"mpx", "off", "on: the gateway has requests share connections, and each worker has many in progress, each on a goroutine", oneOf("off", "on")},
			Option{"requests", "64", "with mpx=on, requests that a worker has in progress at a time; one more is answered FCGI_OVERLOADED; workers × requests can be 1024 at most", whole(1, 1024)},
		),
		Lacks: "keepalive: the gateway keeps the connections (reuse), and here they may be idle for timeout; threads: a worker is one (with mpx=on it has goroutines, see requests)",
		Slots: func(s Settings) int {
			if s["mpx"] == "on" {
				return s.Int("workers") * s.Int("requests")
			}
			return s.Int("workers")
		},
		Noun:     "worker",
		Commands: builtin("fastcgi"),
	}
}

func scgi() Model {
	return Model{
		Name:       "scgi",
		Doc:        "workers forked in advance behind a gateway that speaks SCGI, one request and connection at a time each",
		Process:    "a fixed set of worker processes under an arbiter, behind a gateway",
		Wire:       WireSCGI,
		Interface:  "WSGI",
		HTTP:       "the gateway's",
		Options:    append(responder("503"), variablesBuffer()),
		Lacks:      "keepalive: a connection carries one request; threads: a worker is one",
		Slots:      func(s Settings) int { return s.Int("workers") },
		Noun:       "worker",
		PerRequest: "",
		Commands:   builtin("scgi"),
	}
}

func uwsgi() Model {
	return Model{
		Name:      "uwsgi",
		Doc:       "workers forked in advance behind a gateway that speaks the uwsgi protocol, one request and connection at a time each",
		Process:   "a fixed set of worker processes under an arbiter, behind a gateway",
		Wire:      WireUWSGI,
		Interface: "WSGI",
		HTTP:      "the gateway's",
		Options: append(responder("503"),
			Option{"buffer", "4096", "bytes that the variables of a request may have, which is what a client's header has, and some; more is answered 431 (uWSGI's buffer-size)", whole(64, 65535)},
		),
		Lacks:    "keepalive: a connection carries one request; threads: a worker is one",
		Slots:    func(s Settings) int { return s.Int("workers") },
		Noun:     "worker",
		Commands: builtin("uwsgi"),
	}
}

// variablesBuffer is for protocols in which a request's variables can have any
// size.
func variablesBuffer() Option {
	return Option{"buffer", "65536", "bytes that the variables of a request may have, which is what a client's header has, and some; more is answered 431", whole(64, 1<<20)}
}

// responder is the options that all of them have; overload is what one request
// too many is answered.
func responder(overload string) []Option {
	return []Option{
		{"workers", "4", "worker processes", whole(1, 1024)},
		{"socket", "unix", "what the gateway connects to: unix or tcp", oneOf("unix", "tcp")},
		backlog(),
		{"queue", "0", "new connections that may wait for a worker; 0 = as many as the kernel queues; one more is at once answered " + overload, whole(0, 256)},
		{"timeout", "30s", "a worker silent for longer is killed and replaced; also how long a gateway may stall, and how long a connection may be idle", duration(1e8)},
		{"graceful_timeout", "30s", "how long a retiring worker may take to finish its requests", duration(1e6)},
		{"max_requests", "0", "requests after which a worker is replaced; 0 = never", whole(0, 1<<30)},
		{"max_requests_jitter", "0", "at most this many more, drawn for each worker, so that they don't leave together", whole(0, 1<<30)},
	}
}
