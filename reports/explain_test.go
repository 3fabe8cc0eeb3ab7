package reports

import (
	"strings"
	"testing"
)

// base is a closed loop of fifty clients against four workers on two cores
// that the generator shares.
func base(change func(*evidence)) *evidence {
	e := &evidence{
		clients: 50,
		slots:   4, noun: "worker", perRequest: perRequestConnection,
		wait: 0.050, cpu: 0.0003, generator: 0.0001, cores: 2, serverCores: 2,
		goodput: 79.1, window: 2, busy: 3.97, answered: 950,
	}
	change(e)
	return e
}

func TestExplain(t *testing.T) {
	for _, c := range []struct {
		name string
		e    *evidence
		want string
	}{
		{"slots", base(func(*evidence) {}),
			"4 workers × 50 ms can finish 80 requests/s; measured 79.1. " +
				"50 clients share them, so each request waits for about 12 others: 50 / 79.1 per s = 632 ms."},
		{"one slot", base(func(e *evidence) { e.slots, e.goodput, e.clients = 1, 19.8, 3 }),
			"1 worker × 50 ms can finish 20 requests/s; measured 19.8. " +
				"3 clients share it, so each request waits for about 2 others: 3 / 19.8 per s = 152 ms."},
		{"slots held by waiting and work", base(func(e *evidence) {
			e.slots, e.noun, e.perRequest, e.cpu, e.goodput = 8, "child process", perRequestProcess, 0.0125, 120
		}), "8 child processes × 62.5 ms (50 ms waiting, 12.5 ms of CPU) can finish 128 requests/s; measured 120. " +
			"50 clients share them, so each request waits for about 5 others: 50 / 120 per s = 417 ms."},
		{"slots held by work alone", base(func(e *evidence) {
			e.slots, e.wait, e.works, e.cpu, e.goodput, e.clients = 1, 0, true, 0.005, 190, 1
			e.serverCores = 2
		}), "1 worker × 5 ms of CPU can finish 200 requests/s; measured 190."},
		{"clients", base(func(e *evidence) { e.slots, e.goodput, e.cpu = 0, 968, 0.0001 }),
			"50 clients that wait at least 50 ms for each answer can ask for at most 1,000/s; measured 968: the clients, not the server, set the pace."},
		{"clients, and the CPU nearly", base(func(e *evidence) { e.slots, e.goodput, e.cpu, e.generator = 0, 873, 0.00184, 0.000145 }),
			"50 clients that wait at least 50 ms for each answer can ask for at most 1,000/s; measured 873: they are waiting for the CPU besides, of which 87 % was used."},
		{"one client", base(func(e *evidence) { e.slots, e.clients, e.goodput = 0, 1, 19.5 }),
			"1 client that waits at least 50 ms for each answer can ask for at most 20/s; measured 19.5: the client, not the server, sets the pace."},
		{"CPU for a process", base(func(e *evidence) {
			e.slots, e.noun, e.perRequest, e.wait, e.cpu, e.generator, e.goodput = 16, "child process", perRequestProcess, 0, 0.0029, 0.000225, 590
		}), "Each request starts a process: 2.9 ms of CPU, and 0.225 ms in the load generator; 2 cores can start at most 640/s; measured 590. " +
			"50 clients share them, so an answer takes 50 / 590 per s = 84.7 ms."},
		{"CPU for a process that works", base(func(e *evidence) {
			e.slots, e.perRequest, e.wait, e.works, e.cpu, e.generator, e.goodput = 16, perRequestProcess, 0, true, 0.008, 0, 240
			e.clients = 2
		}), "Each request starts a process, which then works: 8 ms of CPU; 2 cores can do at most 250/s; measured 240."},
		{"CPU for work", base(func(e *evidence) {
			e.slots, e.wait, e.works, e.cpu, e.generator, e.goodput = 0, 0, true, 0.0051, 0, 371
		}),
			"Each request burns 5.1 ms of CPU; 2 cores can do at most 392/s; measured 371. 50 clients share them, so an answer takes 50 / 371 per s = 135 ms."},
		{"CPU for a connection", base(func(e *evidence) { e.wait, e.cpu, e.generator, e.goodput = 0, 0.0001, 0.0001, 9500 }),
			"Each request opens a connection and takes 0.1 ms of CPU, and 0.1 ms in the load generator; 2 cores can do at most 10,000/s; measured 9,500. " +
				"50 clients share them, so an answer takes 50 / 9,500 per s = 5.26 ms."},
		{"CPU, pinned", base(func(e *evidence) {
			e.slots, e.wait, e.cpu, e.goodput, e.serverCores, e.generator, e.perRequest = 0, 0, 0.0001, 9500, 1, 0.00005, ""
		}), "Each request takes 0.1 ms of CPU; the server's own core can do at most 10,000/s; measured 9,500. 50 clients share it, so an answer takes 50 / 9,500 per s = 5.26 ms."},
		{"the generator, pinned", base(func(e *evidence) {
			e.slots, e.wait, e.cpu, e.goodput, e.serverCores, e.generator = 0, 0, 0.00002, 19000, 1, 0.00005
		}), "The load generator takes 0.05 ms of CPU for each request; its own 1 core can send at most 20,000/s; measured 19,000: the generator, not the server, sets the pace."},
		{"arrivals", base(func(e *evidence) {
			e.open, e.rate, e.clients, e.goodput, e.busy, e.cpu, e.generator = true, 40, 0, 39.9, 2.0, 0.004, 0.001
		}),
			"40 requests/s were due and 39.9/s succeeded: the arrivals, not the server, set the pace. This run used 10 % of the CPU, and 2 of 4 workers held a request on average."},
		{"overload, waiting", base(func(e *evidence) { e.open, e.rate, e.clients, e.goodput = true, 200, 0, 79.2 }),
			"4 workers × 50 ms can finish 80 requests/s; measured 79.2. 200/s were due, so 121 more pile up every second and response time grows for as long as the load lasts."},
		{"overload, turned away", base(func(e *evidence) {
			e.open, e.rate, e.clients, e.goodput, e.answered, e.failed, e.worst = true, 200, 0, 80, 800, 1200, "status 503"
		}), "4 workers × 50 ms can finish 80 requests/s; measured 80. 200/s were due; what could not be served failed: 1,200 errors, mostly \"status 503\"."},
		{"open loop, unexplained", base(func(e *evidence) {
			e.open, e.rate, e.clients, e.goodput, e.busy, e.failed, e.worst, e.answered = true, 60, 0, 30, 1.6, 60, "timeout", 60
		}), "60 requests/s were due and only 30/s succeeded, which no limit computed here explains (4 workers × 50 ms would allow 80/s). " +
			"This run used 0.6 % of the CPU, and 1.6 of 4 workers held a request on average; 60 errors, mostly \"timeout\"."},
		{"unexplained", base(func(e *evidence) { e.goodput, e.busy = 40, 2.1 }),
			"Measured 40 requests/s, though the lowest limit computed here (4 workers × 50 ms) would allow 80/s: something else held it back. " +
				"This run used 0.8 % of the CPU, and 2.1 of 4 workers held a request on average."},
		{"unexplained, with steal", base(func(e *evidence) { e.slots, e.wait, e.cpu, e.goodput, e.steal, e.busy = 0, 0, 0.0003, 2500, 0.3, -1 }),
			"Measured 2,500 requests/s, though the lowest limit computed here (the CPU) would allow 5,000/s: something else held it back, perhaps other programs on this machine. " +
				"This run used 50 % of the CPU; the hypervisor took 30 % of the processor time."},
		{"errors instead of queueing", base(func(e *evidence) { e.failed, e.worst = 50, "timeout" }),
			"4 workers × 50 ms can finish 80 requests/s; measured 79.1. 5 % of the requests failed: 50 errors, mostly \"timeout\"."},
		{"nothing", base(func(e *evidence) {
			e.goodput, e.answered, e.failed, e.worst, e.unsent = 0, 0, 12, "connection refused", 3
		}),
			"No request succeeded: 12 errors, mostly \"connection refused\"; 3 never sent."},
		{"nothing known", base(func(e *evidence) { e.wait, e.cpu = -1, 0 }),
			"Measured 79.1 requests/s; what each request asks for is not known, so no limit can be computed."},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.e.explain(); got != c.want {
				t.Errorf("\n got %s\nwant %s", got, c.want)
			}
			if odd := c.e.doubts(); len(odd) != 0 {
				t.Errorf("doubts: %q", odd)
			}
		})
	}
}

func TestDoubts(t *testing.T) {
	for _, c := range []struct {
		name string
		e    *evidence
		want string // "" = none
	}{
		{"above the slots", base(func(e *evidence) { e.goodput = 95 }), "goodput of 95/s is above what 4 workers × 50 ms can allow (80/s)"},
		{"a little above, by the edges of the window", base(func(e *evidence) { e.goodput, e.clients = 85, 4 }), ""},
		{"above the CPU", base(func(e *evidence) { e.slots, e.wait, e.cpu, e.generator, e.goodput = 0, 0, 0.01, 0, 220 }), "goodput of 220/s is above what the CPU can allow (200/s)"},
		// CPU time after the answer doesn't hold a client: no contradiction.
		{"above clients by CPU time alone", base(func(e *evidence) {
			e.slots, e.wait, e.cpu, e.generator, e.goodput, e.clients = 0, 0, 0.0001, 0, 11000, 1
		}), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := strings.Join(c.e.doubts(), "; ")
			if c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
