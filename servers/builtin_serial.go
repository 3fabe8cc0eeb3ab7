package servers

func serial() Model {
	return Model{
		Name:      "serial",
		Doc:       "one process, one request at a time, and nobody who looks after it (as a development server)",
		Process:   "one process, one thread",
		Wire:      WireHTTP,
		Interface: "WSGI",
		HTTP:      "1.0, 1.1 (one request per connection)",
		Options: []Option{
			{"timeout", "30s", "how long a client may stall", duration(1e8)},
			backlog(),
		},
		Lacks:      "workers and threads: it is one of each; keepalive: a connection that is kept and idle would hold it; queue: who waits does so in the kernel (backlog); max_requests: nobody would start it again; socket: behind a front it is the front's; buffer: what is sent goes straight to the kernel",
		Slots:      func(Settings) int { return 1 },
		Noun:       "process",
		PerRequest: "connection",
		Commands:   builtin("serial"),
	}
}
