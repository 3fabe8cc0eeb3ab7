package servers

func eventloop() Model {
	return Model{
		Name:      "eventloop",
		Doc:       "one thread and a readiness loop; each request a coroutine on it, so that blocking work blocks all",
		Process:   "one process with one thread, many requests side by side",
		Wire:      WireHTTP,
		Interface: "ASGI",
		HTTP:      "1.0, 1.1, WebSocket",
		Async:     true,
		Options: []Option{
			{"pool", "0", "threads that do what would block the loop's (blocking calls, computing); 0 = the loop does it", whole(0, 1024)},
			{"keepalive", "60s", "how long an idle client connection is kept", duration(1e6)},
			{"timeout", "30s", "how long a client may take to send a request's head, and may stall beyond that (it has 1 s more for each 500 bytes it sends or takes)", duration(1e6)},
			{"connections", "10000", "client connections at a time; more wait in the kernel's queue", whole(1, 1<<20)},
			{"keepalive_requests", "0", "requests after which a connection is closed; 0 = never", whole(0, 1<<30)},
			{"read_buffer", "16384", "bytes read from a connection at a time", whole(1024, 1<<20)},
			{"write_buffer", "65536", "bytes of an answer that may wait to be sent; the application waits when there are more", whole(1024, 1<<26)},
			backlog(),
		},
		Lacks:    "workers, threads and max_requests: it is one thread (and pool), which nobody would replace; queue: whoever has come is served, and connections limits who comes; socket: behind a front it is the front's",
		Slots:    func(Settings) int { return 0 },
		Noun:     "connection",
		Threads:  func(s Settings) int { return max(1, s.Int("pool")) },
		Commands: builtin("eventloop"),
	}
}
