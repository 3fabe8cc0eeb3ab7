package reports

import "gatewaylab/scenarios"

// A cause is why a model and a program that it is a model of differ in
// something. Each was verified by measuring with the cause removed, or follows
// from the program's documented way of working.
type cause struct {
	model, twin string // names of models, or of the fronts before them
	situation   string
	aspect      scenarios.Aspect // "" = all of the situation
	why         string
}

func causes() []cause {
	const (
		interpreter = "the interpreter: a unit of hashing, which crosses it once for each block, takes more processor time in Python than in Go. It is speed, not shape"
		stall       = "the model cuts a client off that sends less than 500 B/s once timeout is over, and has its slot back; "
	)
	return []cause{
		{"prefork", "gunicorn", "cpu", scenarios.Speed, interpreter},
		{"prefork", "gunicorn", "slow-clients", "", stall + "gunicorn's arbiter kills the worker that the client holds, and looks for such ones once a second only"},
		{"prefork", "gunicorn", "hang", "", "timeout granularity: gunicorn's arbiter looks once a second, so that what hangs for 1 s is killed after 1.1 to 2 s; the model's looks ten times a second"},

		{"threads", "gunicorn", "cpu", scenarios.SpeedUp, "the interpreter's lock: the threads of a Python process compute one at a time (gunicorn's processes, in the pair prefork, don't)"},
		{"threads", "gunicorn", "cpu", scenarios.Speed, "the interpreter's lock, and the interpreter"},
		{"threads", "gunicorn", "overload", "", "accept order: gthread accepts whatever comes and has all requests in one line; the model leaves new connections in the listen queue while its threads are busy, and requests on kept ones pass them. With a connection for each request (per-connection: 1) both answer nobody in time"},
		{"threads", "gunicorn", "slow-clients", "", stall + "gthread reads on in a thread of its pool for as long as it takes, and its heartbeat, from another thread, goes on"},
		{"threads", "gunicorn", "crash", scenarios.Recovery, "worker boot time: a new gunicorn worker is forked, then imports the application, and takes about 40 ms longer than the model's to answer (measured with --preload, which leaves the import out: half of that)"},

		{"cgi", "apache", "cpu", scenarios.SpeedUp, "the end of the program: before it reads a connection's next request, mod_cgid waits for the last one's program to be gone, and looks every 10 ms (dead_yet in mod_cgid.c). A lone client on a kept connection is held up by that each time (141 requests/s of /hello; 442 with a connection for each), several at once are not, so the speed-up of Apache is the larger"},

		{"eventloop", "uvicorn", "cpu", scenarios.Speed, interpreter},
		{"eventloop", "uvicorn", "crash", "", "start time: the one process begins anew, and Python with uvicorn's imports takes some 140 ms longer to begin than a Go program. More connections wait until then, which the next crash takes along"},

		{"fastcgi", "uwsgi-server", "cpu", scenarios.Speed, interpreter},
		{"fastcgi", "uwsgi-server", "hang", "", "timeout granularity: uWSGI's master counts whole seconds and looks once a second, so that what hangs for 1 s is killed after 1.7 to 2.7 s, and its place is taken a second later; the model's looks ten times a second"},
		{"fastcgi", "uwsgi-server", "crash", "", "worker replacement: uWSGI's master has a new worker in a dead one's place after 0.7 to 2.7 s, since it looks once a second and holds back one that died young, the model's arbiter after some 20 ms; until then fewer workers share the load"},
	}
}

// causeOf looks a known cause up.
func causeOf(model, twin *scenarios.ModelInfo, situation string, a scenarios.Aspect) string {
	one, other := model.Name, twin.Name
	if one == other { // what differs is before them
		one, other = model.Front, twin.Front
	}
	for _, c := range causes() {
		if c.model == one && c.twin == other && c.situation == situation && (c.aspect == "" || c.aspect == a) {
			return c.why
		}
	}
	return ""
}
