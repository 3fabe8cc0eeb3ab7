package servers

import (
	"os"
	"os/exec"
)

// The rows of the built-in models. Each runs inside labserver, which is told
// the model's name and every option; the code that serves is in package
// models.

func builtin(name string) func(Settings, Programs) []*exec.Cmd {
	return func(s Settings, p Programs) []*exec.Cmd {
		return []*exec.Cmd{builtinCommand(p, name, s.words())}
	}
}

func builtinCommand(p Programs, name string, words []string) *exec.Cmd {
	return serverCommand(p, append([]string{"--app", p.App, name}, words...)...)
}

func serverCommand(p Programs, words ...string) *exec.Cmd {
	cmd := exec.Command(p.Server, words...)
	if raceEnabled { // or each process would sleep for a second before it exits
		cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0")
	}
	return cmd
}

func backlog() Option {
	return Option{"backlog", "2048", "connections the kernel queues before they are accepted (its own limit, net.core.somaxconn, applies too)", whole(1, 65535)}
}

func cgi() Model {
	return Model{
		Name:      "cgi",
		Doc:       "fork and exec a new process for every request (CGI/1.1, RFC 3875)",
		Process:   "one process per request",
		Wire:      WireHTTP,
		Interface: "CGI",
		HTTP:      "1.0, 1.1",
		Options: []Option{
			{"children", "64", "child processes at a time", whole(1, 4096)},
			{"queue", "1024", "requests that may wait for a child; one more is answered 503", whole(0, 1<<20)},
			{"timeout", "30s", "a child that takes longer is killed with its descendants and answered for with 504", duration(1e6)},
			{"keepalive", "60s", "how long an idle client connection is kept", duration(1e6)},
			backlog(),
		},
		Lacks:      "workers, threads and max_requests: each request has a process of its own; socket: clients come over TCP; buffer: pipes have the size that the kernel gives them",
		Slots:      func(s Settings) int { return s.Int("children") },
		Noun:       "child process",
		PerRequest: "process",
		Commands:   builtin("cgi"),
	}
}

func prefork() Model {
	return Model{
		Name:      "prefork",
		Doc:       "workers forked in advance, each serving one request at a time (as gunicorn's sync worker)",
		Process:   "a fixed set of worker processes under an arbiter",
		Wire:      WireHTTP,
		Interface: "WSGI",
		HTTP:      "1.0, 1.1 (one request per connection)",
		Options: []Option{
			{"workers", "4", "worker processes", whole(1, 1024)},
			backlog(),
			{"timeout", "30s", "a worker silent for longer is killed and replaced; also how long a client may stall", duration(1e8)},
			{"graceful_timeout", "30s", "how long a retiring worker may take to finish its request", duration(1e6)},
			{"max_requests", "0", "requests after which a worker is replaced; 0 = never", whole(0, 1<<30)},
			{"max_requests_jitter", "0", "at most this many more, drawn for each worker, so that they don't leave together", whole(0, 1<<30)},
		},
		Lacks:      "threads: a worker is one; keepalive: a connection that is kept and idle would hold a worker; queue: workers accept by themselves, and who waits does so in the kernel (backlog); socket: behind a front it is the front's; buffer: what is sent goes straight to the kernel",
		Slots:      func(s Settings) int { return s.Int("workers") },
		Noun:       "worker",
		PerRequest: "connection",
		Commands:   builtin("prefork"),
	}
}

func async() Model {
	return Model{
		Name:      "async",
		Doc:       "one process, a goroutine for each connection, keep-alive",
		Process:   "one process, many requests side by side",
		Wire:      WireHTTP,
		Interface: "ASGI",
		HTTP:      "1.0, 1.1, 2, WebSocket",
		Async:     true,
		Options: []Option{
			{"keepalive", "60s", "how long an idle client connection is kept", duration(1e6)},
			{"timeout", "30s", "how long a client may take to send a request's head, and may stall beyond that (it has 1 s more for each 500 bytes it sends or takes)", duration(1e6)},
			{"connections", "0", "client connections at a time, more wait in the kernel's queue; 0 = as many as come", whole(0, 1<<20)},
			{"keepalive_requests", "0", "requests after which a connection of HTTP/1 is closed; 0 = never", whole(0, 1<<30)},
			{"tls", "off", "on: TLS only, with a certificate made at start that nobody signed, and HTTP/2 by ALPN", oneOf("off", "on")},
			backlog(),
		},
		Lacks:    "workers, threads and max_requests: it is one process with a goroutine for each connection, which nobody would replace; queue: whoever has come is served, and connections limits who comes; socket: behind a front it is the front's; buffer: those of net/http have one size",
		Slots:    func(Settings) int { return 0 },
		Noun:     "connection",
		Commands: builtin("async"),
	}
}
