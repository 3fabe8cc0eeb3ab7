package reports

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"gatewaylab/scenarios/load"
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
				"50 clients share them, so each request waits for about 12 others: 50 / 79.1 per s = 632 ms on average."},
		{"one slot", base(func(e *evidence) { e.slots, e.goodput, e.clients = 1, 19.8, 3 }),
			"1 worker × 50 ms can finish 20 requests/s; measured 19.8. " +
				"3 clients share it, so each request waits for about 2 others: 3 / 19.8 per s = 152 ms on average."},
		{"slots held by waiting and work", base(func(e *evidence) {
			e.slots, e.noun, e.perRequest, e.cpu, e.goodput = 8, "child process", perRequestProcess, 0.0125, 120
		}), "8 child processes × 62.5 ms (50 ms waiting, 12.5 ms of CPU) can finish 128 requests/s; measured 120. " +
			"50 clients share them, so each request waits for about 5 others: 50 / 120 per s = 417 ms on average."},
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
			"50 clients share them, so an answer takes 50 / 590 per s = 84.7 ms on average."},
		{"CPU for a process that works", base(func(e *evidence) {
			e.slots, e.perRequest, e.wait, e.works, e.cpu, e.generator, e.goodput = 16, perRequestProcess, 0, true, 0.008, 0, 240
			e.clients = 2
		}), "Each request starts a process, which then works: 8 ms of CPU; 2 cores can do at most 250/s; measured 240."},
		{"CPU behind a front", base(func(e *evidence) {
			e.perRequest, e.front, e.wait, e.cpu, e.generator, e.goodput = "", "nginx", 0, 0.00015, 0.00005, 9500
		}), "Each request takes 0.15 ms of CPU, nginx and what is behind it together, and 0.05 ms in the load generator; 2 cores can do at most 10,000/s; measured 9,500. " +
			"50 clients share them, so an answer takes 50 / 9,500 per s = 5.26 ms on average."},
		{"CPU for work", base(func(e *evidence) {
			e.slots, e.wait, e.works, e.cpu, e.generator, e.goodput = 0, 0, true, 0.0051, 0, 371
		}),
			"Each request burns 5.1 ms of CPU; 2 cores can do at most 392/s; measured 371. 50 clients share them, so an answer takes 50 / 371 per s = 135 ms on average."},
		{"CPU on one thread", base(func(e *evidence) {
			e.slots, e.threads, e.wait, e.works, e.cpu, e.generator, e.goodput = 0, 1, 0, true, 0.01, 0.0001, 97
		}),
			"Each request burns 10 ms of CPU; the one thread that all requests share can do at most 100/s, however many cores there are; measured 97. 50 clients share it, so an answer takes 50 / 97 per s = 515 ms on average."},
		{"threads under one interpreter", base(func(e *evidence) {
			e.slots, e.noun, e.interpreters, e.perRequest, e.wait, e.works, e.cpu, e.generator, e.goodput = 4, "thread", 1, "", 0, true, 0.01, 0, 96
		}),
			"Each request burns 10 ms of CPU, in an interpreter that lets one thread compute at a time; 1 interpreter can do at most 100/s, however many threads and cores there are; measured 96. 50 clients share it, so an answer takes 50 / 96 per s = 521 ms on average."},
		{"as many interpreters as cores", base(func(e *evidence) {
			e.slots, e.noun, e.interpreters, e.perRequest, e.wait, e.works, e.cpu, e.generator, e.goodput = 0, "thread", 2, "", 0, true, 0.0051, 0, 371
		}),
			"Each request burns 5.1 ms of CPU; 2 cores can do at most 392/s; measured 371. 50 clients share them, so an answer takes 50 / 371 per s = 135 ms on average."},
		{"interpreters behind a front", base(func(e *evidence) {
			e.slots, e.noun, e.interpreters, e.front, e.perRequest, e.wait, e.works, e.cpu, e.generator, e.goodput = 0, "thread", 1, "nginx", "", 0, true, 0.01, 0, 110
		}),
			"Measured 110 requests/s, though the lowest limit computed here (the CPU) would allow 200/s: something else held it back, perhaps other programs on this machine. This run used 55 % of the CPU."},
		{"blocking in a pool", base(func(e *evidence) {
			e.slots, e.threads, e.wait, e.block, e.cpu, e.goodput = 0, 4, 0.05, 0.05, 0.0001, 79
		}),
			"Each request holds its thread for 50.1 ms; the 4 threads that all requests share can do at most 79.8/s, however many cores there are; measured 79. 50 clients share them, so an answer takes 50 / 79 per s = 633 ms on average."},
		{"one thread, little to do", base(func(e *evidence) {
			e.slots, e.threads, e.wait, e.cpu, e.generator, e.goodput = 0, 1, 0, 0.00001, 0.000001, 80000
			e.cores, e.serverCores = 8, 8
		}),
			"Each request takes 0.01 ms of CPU; the one thread that all requests share can do at most 100,000/s, however many cores there are; measured 80,000. 50 clients share it, so an answer takes 50 / 80,000 per s = 0.625 ms on average."},
		{"a blocked loop", base(func(e *evidence) {
			e.open, e.rate, e.clients, e.goodput, e.slots, e.threads = true, 50, 0, 49.9, 0, 1
			e.random, e.wait, e.block, e.block2, e.longest, e.cpu, e.generator = true, 0.00299, 0.00299, 0.00040099, 0.2, 0, 0
		}),
			"50 requests/s were due and 49.9/s succeeded: the arrivals, not the server, set the pace. How much CPU it used is not known. " +
				"Its one thread is held for 15 % of the time, for up to 200 ms at a time: requests that come at random wait for it for λE[S²]/2(1−ρ) = 11.8 ms on average, those that ask for little too."},
		{"CPU for a connection", base(func(e *evidence) { e.wait, e.cpu, e.generator, e.goodput = 0, 0.0001, 0.0001, 9500 }),
			"Each request opens a connection and takes 0.1 ms of CPU, and 0.1 ms in the load generator; 2 cores can do at most 10,000/s; measured 9,500. " +
				"50 clients share them, so an answer takes 50 / 9,500 per s = 5.26 ms on average."},
		{"CPU, pinned", base(func(e *evidence) {
			e.slots, e.wait, e.cpu, e.goodput, e.serverCores, e.generator, e.perRequest = 0, 0, 0.0001, 9500, 1, 0.00005, ""
		}), "Each request takes 0.1 ms of CPU; the server's own core can do at most 10,000/s; measured 9,500. 50 clients share it, so an answer takes 50 / 9,500 per s = 5.26 ms on average."},
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
		{"thinking clients", base(func(e *evidence) { e.slots, e.goodput, e.cpu, e.think = 0, 330, 0.0001, 0.1 }),
			"50 clients that wait at least 50 ms for each answer and think 100 ms can ask for at most 333/s; measured 330: the clients, not the server, set the pace."},
		{"slots, thinking clients", base(func(e *evidence) { e.think = 0.1 }),
			"4 workers × 50 ms can finish 80 requests/s; measured 79.1. " +
				"50 clients share them, so each request waits for about 10 others: 50 / 79.1 per s − 100 ms = 532 ms on average."},
		{"requests that differ", base(func(e *evidence) { e.random, e.wait, e.goodput = true, 0.0345, 114 }),
			"4 workers × 34.5 ms on average can finish 116 requests/s; measured 114. " +
				"50 clients share them, so each request waits for about 12 others: 50 / 114 per s = 439 ms on average."},
		{"served in vain", base(func(e *evidence) {
			e.open, e.rate, e.clients, e.goodput, e.answered, e.failed, e.worst = true, 120, 0, 3, 36, 1400, "timeout"
		}), "4 workers × 50 ms can finish 80 requests/s; 120/s were due, so the queue grew until clients had left before it was their turn, and serving them was in vain: " +
			"only 3/s succeeded; 1,400 errors, mostly \"timeout\"."},
		{"slow clients hold slots", base(func(e *evidence) {
			e.goodput, e.busy, e.beside = 39.2, 3.96, crowds{clients: 2, words: "2 slow-read clients", slow: true, held: 2}
		}), "2 slow-read clients held 2 of 4 workers on average; the other 2 × 50 ms can finish 40 requests/s; measured 39.2. " +
			"50 clients share them, so each request waits for about 24 others: 50 / 39.2 per s = 1.28 s on average."},
		{"as many slow clients as slots", base(func(e *evidence) {
			e.goodput, e.busy, e.beside = 4, 4, crowds{clients: 8, words: "8 slow-send clients", slow: true, held: 3.8}
		}), "8 slow-send clients compete with the load for 4 workers and held 3.8 on average, so no simple limit applies; measured 4 requests/s."},
		{"slow clients and no slots", base(func(e *evidence) {
			e.slots, e.goodput, e.cpu, e.beside = 0, 968, 0.0001, crowds{clients: 8, words: "8 slow-send clients", slow: true}
		}), "50 clients that wait at least 50 ms for each answer can ask for at most 1,000/s; measured 968: the clients, not the server, set the pace. " +
			"8 slow-send clients beside it took connections alone, of which this model has no fixed number."},
		{"faults", base(func(e *evidence) {
			e.goodput, e.faults, e.hurt = 41, &FaultCell{Sent: 7, Others: 500, Failed: 20, Slow: 30}, 0.5
		}), "Measured 41 requests/s; the lowest limit computed here (4 workers × 50 ms) would allow 80/s, but for the harmful requests. " +
			"7 harmful requests hurt 10 % of the others: 4 % failed, 6 % took 500 ms or more."},
		{"stages, overrun by one", staged(
			stage{Stage: constant(40), rate: 40, goodput: 40, p50: 0.05}, stage{Stage: constant(120), rate: 120, goodput: 79, p50: 0.9},
			stage{Stage: constant(40), rate: 40, goodput: 66, p50: 0.7}, stage{Stage: constant(40), rate: 40, goodput: 40, p50: 0.05}),
			"It kept up until stage 2, when 120/s were due; 4 workers × 50 ms can finish 80 requests/s; measured 79 there. In stage 4 it kept up again."},
		{"stages, overrun from the first", staged(
			stage{Stage: constant(120), rate: 120, goodput: 79}, stage{Stage: constant(200), rate: 200, goodput: 80}),
			"It fell behind in stage 1 already, when 120/s were due; 4 workers × 50 ms can finish 80 requests/s; measured 79 there."},
		{"stages, all kept up with", staged(
			stage{Stage: constant(40), rate: 40, goodput: 40}, stage{Stage: constant(70), rate: 70, goodput: 69.6, step: 30}),
			"It kept up in both stages, also in stage 2, when 70/s were due: the load, not the server, set the pace. This run used 2 % of the CPU, and 3.97 of 4 workers held a request on average."},
		{"stages, unexplained", staged(
			stage{Stage: constant(40), rate: 40, goodput: 40}, stage{Stage: constant(70), rate: 70, goodput: 30}),
			"It kept up until stage 2, when 70/s were due; 30/s succeeded there, which no limit computed here explains (4 workers × 50 ms would allow 80/s). " +
				"This run used 2 % of the CPU, and 3.97 of 4 workers held a request on average."},
		{"stages of clients", staged(
			stage{Stage: users(2), goodput: 39}, stage{Stage: users(16), goodput: 79}),
			"It kept up until stage 2, when there were 16 clients; 4 workers × 50 ms can finish 80 requests/s; measured 79 there."},
		{"stages of clients who only wait for longer", crowd(func(e *evidence) { e.busy = 0 }),
			"It kept up until stage 2, when there were 8 clients; 290/s succeeded there, which no limit computed here explains (the CPU would allow 563/s). " +
				"From 1 to 8 clients response time grew from 3.49 ms to 25.8 ms at the median, and goodput only from 282 to 290/s: something other than the load is the limit. This run used 51 % of the CPU."},
		{"stages of clients who wait for an interpreter", crowd(func(e *evidence) { e.interpreters = 1 }),
			"It kept up until stage 2, when there were 8 clients; each request burns 3.45 ms of CPU, and 0.1 ms in the load generator, in an interpreter that lets one thread compute at a time; " +
				"1 interpreter can do at most 290/s, however many threads and cores there are; measured 290 there."},
		{"stages of clients who get more", crowd(func(e *evidence) { e.slots, e.cpu, e.stages[1].goodput, e.stages[1].p50 = 0, 0.0003, 1900, 0.0042 }),
			"It kept up in both stages, also in stage 2, when there were 8 clients: the load, not the server, set the pace. This run used 6 % of the CPU."},
		{"a ramp beyond capacity", staged(
			stage{Stage: &load.Stage{Shape: load.Ramp, From: 0, To: 160, For: 10 * time.Second}, rate: 80, goodput: 60}),
			"80 requests/s were due on average, at most 160/s; 4 workers × 50 ms can finish 80 requests/s, and more was asked for during 50 % of the time; measured 60."},
		{"a ramp within capacity", staged(
			stage{Stage: &load.Stage{Shape: load.Ramp, From: 0, To: 60, For: 10 * time.Second}, rate: 30, goodput: 29.7, step: 60}),
			"30 requests/s were due on average, at most 60/s, and 29.7/s succeeded: the arrivals, not the server, set the pace. This run used 2 % of the CPU, and 3.97 of 4 workers held a request on average."},
		{"more and more clients", staged(
			stage{Stage: &load.Stage{Shape: load.Users, UsersFrom: 1, UsersTo: 16, Levels: 16, For: 16 * time.Second}, goodput: 72}),
			"1 to 16 clients can ask for at most 170/s on average; 4 workers × 50 ms can finish 80 requests/s, and more was asked for during 75 % of the time; measured 72."},
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

// staged is a load whose level changes against the same workers.
func staged(stages ...stage) *evidence {
	for i := range stages {
		stages[i].title = fmt.Sprintf("stage %d", i+1)
	}
	return base(func(e *evidence) { e.open, e.clients, e.stages = true, 0, stages })
}

// crowd is one client, then eight, who ask four threads to compute.
func crowd(change func(*evidence)) *evidence {
	e := staged(stage{Stage: users(1), goodput: 282, p50: 0.00349}, stage{Stage: users(8), goodput: 290, p50: 0.0258})
	e.open, e.noun, e.perRequest, e.works, e.wait, e.cpu, e.generator, e.goodput = false, "thread", "", true, 0, 0.00345, 0.0001, 287
	change(e)
	return e
}

func constant(rate float64) *load.Stage {
	return &load.Stage{Shape: load.Constant, From: rate, For: 5 * time.Second}
}

func users(n int) *load.Stage {
	return &load.Stage{Shape: load.Users, UsersFrom: n, For: 5 * time.Second}
}

func TestDoubts(t *testing.T) {
	for _, c := range []struct {
		name string
		e    *evidence
		want string // "" = none
	}{
		{"above the slots", base(func(e *evidence) { e.goodput = 95 }), "goodput of 95/s is above what 4 workers × 50 ms can allow (80/s)"},
		{"a little above, by the edges of the window", base(func(e *evidence) { e.goodput, e.clients = 85, 4 }), ""},
		{"above the slots by a lucky mean", base(func(e *evidence) { e.goodput, e.random = 95, true }), ""},
		{"above clients that think", base(func(e *evidence) { e.slots, e.think, e.goodput, e.cpu = 0, 0.1, 400, 0.0001 }), "goodput of 400/s is above what 50 clients × 150 ms can allow (333/s)"},
		{"above the CPU", base(func(e *evidence) { e.slots, e.wait, e.cpu, e.generator, e.goodput = 0, 0, 0.01, 0, 220 }), "goodput of 220/s is above what the CPU can allow (200/s)"},
		// CPU time after the answer doesn't hold a client: no contradiction.
		{"above clients by CPU time alone", base(func(e *evidence) {
			e.slots, e.wait, e.cpu, e.generator, e.goodput, e.clients = 0, 0, 0.0001, 0, 11000, 1
		}), ""},
		{"measured before all had an answer", base(func(e *evidence) { e.goodput, e.clients, e.warmup, e.response = 80, 50, 0.15, 0.35 }), "the warm-up was over before"},
		{"measured before, and it is the same", base(func(e *evidence) { e.goodput, e.clients, e.warmup, e.response = 80, 50, 0.15, 0.6 }), ""},
		{"measured when all had one", base(func(e *evidence) { e.goodput, e.clients, e.warmup, e.response = 80, 50, 0.65, 0.5 }), ""},
		{"clients that think", base(func(e *evidence) { e.goodput, e.clients, e.think, e.response = 80, 50, 0.5, 0.12 }), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := strings.Join(c.e.doubts(), "; ")
			if c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
