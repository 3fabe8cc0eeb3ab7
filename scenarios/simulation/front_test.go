package simulation

import (
	"testing"
	"time"

	"gatewaylab/scenarios/load"
	"gatewaylab/scenarios/theory"
)

// Who finds too many at the door is turned away, and nobody else is.
func TestDoor(t *testing.T) {
	const n, mean = 300_000, 50 * time.Millisecond
	v := workers(5)
	v.Door = 3
	s := simulate(t, &Config{Attack: poisson(80, n, 5), Demand: exponential(1, mean), Server: v})
	q := theory.MMCK{MMC: theory.MMC{Rate: 80, Service: mean.Seconds(), Servers: 5}, Room: 8}
	within(t, "turned away", float64(s.TurnedAway)/n, q.TurnedAway(), .03)
	within(t, "response", s.Response.Seconds(), q.Response(), .01)
}

// codes counts the answers of a run by their status.
func codes(t *testing.T, c *Config) (by map[int]int, s *Summary) {
	t.Helper()
	by = map[int]int{}
	c.Each = func(h *load.Hit) {
		if !h.Cut {
			by[h.Code]++
		}
	}
	return by, simulate(t, c)
}

// A front that hears nothing for too long says so, wherever the request is; one
// that hears a piece now and then goes on.
func TestFrontGivesUpSilence(t *testing.T) {
	v := workers(1)
	v.Front = &Front{Silence: time.Second}
	slow := Demand{Wait: 2 * time.Second}
	demand := func(int, []int64, uint64) Demand { return slow }
	by, _ := codes(t, &Config{Attack: closed(3, 0, 9500*time.Millisecond), Demand: demand, Server: v})
	if by[504] != 27 || by[200] != 0 {
		t.Errorf("answers: %v", by)
	}
	slow.Talks = true
	v.Processes = 3
	if by, _ = codes(t, &Config{Attack: closed(3, 0, 9500*time.Millisecond), Demand: demand, Server: v}); by[504] != 0 || by[200] != 12 {
		t.Errorf("answers in pieces: %v", by)
	}
	slow = Demand{Wait: 300 * time.Millisecond}
	v.Processes = 1 // the third in the queue is answered in time, the fifth is not
	if by, _ = codes(t, &Config{Attack: closed(3, 0, 9500*time.Millisecond), Demand: demand, Server: v}); by[504] != 0 || by[200] != 31 {
		t.Errorf("answers after a queue: %v", by)
	}
	if by, _ = codes(t, &Config{Attack: closed(5, 0, 9500*time.Millisecond), Demand: demand, Server: v}); by[504] == 0 || by[200] == 0 {
		t.Errorf("answers after a long queue: %v", by)
	}
}

// A request that its front or client has given up holds no place at the front,
// although the worker serves it to its end.
func TestGivenUpRequestsLeaveTheFront(t *testing.T) {
	v := workers(4)
	v.Front = &Front{PerInstance: 1, Queue: 10, Silence: time.Second}
	n := 0
	first := func(int, []int64, uint64) Demand {
		n++
		if n == 1 {
			return Demand{Wait: time.Minute}
		}
		return Demand{Wait: 100 * time.Millisecond}
	}
	by, _ := codes(t, &Config{Attack: closed(2, 0, 10*time.Second+50*time.Millisecond), Demand: first, Server: v})
	if by[504] != 1 || by[200] < 88 || by[200] > 91 {
		t.Errorf("answers: %v", by)
	}
}

// A front goes on trying to connect while the listen queue is full, or not.
func TestFrontCannotConnect(t *testing.T) {
	hangs := func(int, []int64, uint64) Demand { return Demand{Hang: true} }
	v := workers(1)
	v.Backlog = 1
	for reach, want := range map[time.Duration]int{0: 502, 2 * time.Second: 504} {
		v.Front = &Front{Reach: reach}
		by, s := codes(t, &Config{Attack: poisson(10, 100, 1), Demand: hangs, Server: v})
		// One is served, and a queue of so many holds one more.
		if by[want] != int(s.Requests)-3 || s.Unfinished != 3 {
			t.Errorf("for %v: %v of %d, %d unfinished", reach, by, s.Requests, s.Unfinished)
		}
	}
	v.Front = &Front{Reach: time.Second} // and the third is let in when the first is done
	by, s := codes(t, &Config{Attack: closed(4, 0, 10*time.Second), Demand: fixed(300 * time.Millisecond), Server: v})
	if by[200] < 32 || by[504] != 0 || s.Queue < 2.9 {
		t.Errorf("%v, a queue of %.3g", by, s.Queue)
	}
}

// A front that can't connect to one instance asks the others.
func TestFrontTriesAnother(t *testing.T) {
	for _, reach := range []time.Duration{0, 100 * time.Millisecond} {
		v := workers(1)
		v.Instances, v.Backlog, v.Front = 2, 0, &Front{Balance: "round-robin", Slow: 100, Reach: reach}
		a := poisson(10, 1000, 1)
		a.Stages[0].Poisson = false
		by, s := codes(t, &Config{Attack: a, Demand: fixed(50 * time.Millisecond), Server: v})
		if by[200] != int(s.Requests) {
			t.Errorf("for %v: %v of %d", reach, by, s.Requests)
		}
	}
}
