package servers

func threads() Model {
	return Model{
		Name:      "threads",
		Doc:       "workers forked in advance with a fixed number of threads each, keep-alive (as gunicorn's gthread worker)",
		Process:   "a fixed set of worker processes under an arbiter, with a fixed set of threads each",
		Wire:      WireHTTP,
		Interface: "WSGI",
		HTTP:      "1.0, 1.1",
		Options: []Option{
			{"workers", "2", "worker processes", whole(1, 1024)},
			{"threads", "4", "threads in each; workers × threads can be 1024 at most", whole(1, 1024)},
			{"connections", "1000", "connections a worker holds at a time, idle ones included; more wait in the kernel's queue", whole(1, 1<<16)},
			{"queue", "1000", "requests that may wait in a worker for a thread before it accepts no more connections; 0 = it accepts only for a free thread", whole(0, 1<<16)},
			{"keepalive", "60s", "how long an idle client connection is kept", duration(1e6)},
			backlog(),
			{"timeout", "30s", "a worker silent for longer is killed and replaced; also how long a client may stall", duration(1e8)},
			{"graceful_timeout", "30s", "how long a retiring worker may take to finish its requests", duration(1e6)},
			{"max_requests", "0", "requests after which a worker is replaced; 0 = never", whole(0, 1<<30)},
			{"max_requests_jitter", "0", "at most this many more, drawn for each worker, so that they don't leave together", whole(0, 1<<30)},
		},
		Lacks:    "socket: behind a front it is the front's; buffer: what is sent goes straight to the kernel",
		Slots:    func(s Settings) int { return s.Int("workers") * s.Int("threads") },
		Noun:     "thread",
		Commands: builtin("threads"),
	}
}
