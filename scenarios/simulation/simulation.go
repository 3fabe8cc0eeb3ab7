// Package simulation runs server models in virtual time: the same requests at
// the same times as an attack would send, and in place of the processes a
// discrete-event model of who holds what, who waits for it, and for how long.
//
// It is what theory has to offer where no formula fits: bounded queues, clients
// that give up, workers that are killed, a crowd at the door, four queues
// behind a balancer, a few connections to a database, a service that fails. What
// it says holds for the model of a server, not for a server: there are no caches,
// no scheduler's whims and no other programs in it, all requests of a kind take
// the same CPU time, and that is given out in turns. So it is marked as simulated
// wherever it is shown.
//
// Everything counts in whole nanoseconds of virtual time, events of the same
// moment happen in the order in which they were foreseen, and every random
// number comes from the attack's seed: the same configuration gives the same
// result, bit by bit.
package simulation

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"gatewaylab/scenarios/load"
)

// A Config is what is simulated.
type Config struct {
	// Attack is the traffic. Only its stages, requests, seed, timeout and bounds
	// matter; nothing is sent anywhere.
	Attack *load.Attack
	// Demand is what a hit asks of the server; drawn are the numbers that its
	// URL has in the place of draws.
	Demand func(request int, drawn []int64, number uint64) Demand
	// Aside is what one exchange of a crowd asks.
	Aside  func(crowd int) Demand
	Server Server
	// From and To bound what Summary's means over time are of, and its counts.
	// To 0 is the end.
	From, To time.Duration
	// Most is after how many requests of the load the run is ended; 0 = never.
	Most uint64
	// Each is told of every hit when it has ended for its client, as a load
	// generator would tell it; Beside of what the crowds did. Either may be nil.
	// The hit is valid during the call only.
	Each   func(*load.Hit)
	Beside func(crowd int, h *load.Hit)
}

// A Demand is what a request asks for, in the order in which it gets it.
type Demand struct {
	Taking time.Duration // until a slow client has sent it
	Wait   time.Duration // for something that needs no thread
	Block  time.Duration // with its thread in its hands
	Work   time.Duration // of CPU, beyond what every request costs
	Lock   time.Duration // with the server's one lock in its hands
	Giving time.Duration // until a slow client has taken so much of the answer that sockets hold the rest
	Rest   time.Duration // until it has taken that, which is no business of the server's
	Hang   bool          // it never ends
	Crash  bool          // it kills the process that serves it
	Fault  bool          // it is meant to do harm
	Once   bool          // it is not sent again; see Server.Repeats
	Talks  bool          // its answer comes in pieces, the first at once; see Front.Silence
	// Query is how long it holds one of its process's connections to the
	// database, see Server.Queries.
	Query time.Duration
	// Call is the service that it calls in place of that, by its place in
	// Server.Services, from 1; 0 = none. A call that takes longer than Patience
	// has failed; 0 = it may take as long as it likes.
	Call     int
	Patience time.Duration
}

// A Service is what requests call and wait for. It is told of each call when it
// comes, in their order, and says when it begins with it, when it ends, and
// whether the answer is a good one. What it has been told it remembers, so it is
// of use for one run.
type Service func(now time.Duration) (begins, ends time.Duration, good bool)

// A Server is how requests are mapped onto processes, threads and cores.
type Server struct {
	Cores   int           // that all its processes share, and the load generator's Sending
	Sending time.Duration // CPU time that a hit costs the load generator on the same cores

	Front *Front // nil: clients speak to the model itself
	// Instances is how many of the model there are, each with a listener of its
	// own unless the front has them share one; Processes is how many of each
	// serve requests; Slots how many requests a process serves at a time, 0 for
	// as many as come.
	Instances, Processes, Slots int
	// Queue is how many requests may wait in a process for a slot before it
	// accepts no more; with Refuses, one more is turned away.
	Queue   int
	Refuses bool
	// Backlog is how many connections wait in a listen queue. One that finds it
	// full is tried again after 1, 3, 7 … s by the client's kernel; a front's is
	// tried again and again, see Front.Reach.
	Backlog int
	// Door, if not 0, is how many requests wait at a listener for any of its
	// processes, in place of Backlog; one more is turned away.
	Door int
	// Keeps says that a client's connection is kept, so that its next request
	// goes to the same process without being accepted; Connections bounds those
	// of a process, 0 = as many as come.
	Keeps       bool
	Connections int
	// Repeats says that a client whose connection dies, if it has had an answer
	// over it before and nothing of this one, sends its request again, once, on a
	// new one, as load generator and browsers do (RFC 9110 section 9.2.2). It
	// needs Keeps and no Front.
	Repeats bool
	// Loop has one thread for each process do all that holds one; a Pool of so
	// many threads takes blocking and computing off it.
	Loop bool
	Pool int
	// Overhead is CPU time for each request, Start for each process that is
	// started for one.
	Overhead, Start time.Duration
	// Timeout is how long a request may take before its process is killed; 0 =
	// as long as it wants. Restart is how long until a process that died has a
	// successor; PerRequest says that a process serves one request only, and
	// that nobody else has to wait for its successor.
	Timeout, Restart time.Duration
	PerRequest       bool
	// Serves, if not 0, is how many requests a process of one slot serves before it
	// has a successor, and Jitter how many more at the most, drawn for each.
	Serves, Jitter int
	// Abandons says that a wait ends when the client has gone; elsewhere it is
	// served to its end, in vain.
	Abandons bool
	// TakesIn says that requests are taken in before they are served, and TakesOff
	// that answers are taken off the server's hands, so that slow clients hold no
	// slot.
	TakesIn, TakesOff bool
	// Queries is how many queries each process makes of the database at a time:
	// the size of its pool of connections, for which requests wait in the order
	// in which they came. 0 = as many as come.
	Queries int
	// Services are what all processes call.
	Services []Service
}

// A Front stands before the instances of a model.
type Front struct {
	Balance  string        // random, round-robin, least-connections or shared
	Slow     int           // the first instance waits that many times as long
	Overhead time.Duration // CPU time for each request
	// PerInstance is how many requests an instance is given at a time, 0 = as
	// many as come; Queue how many may wait for that before one is turned away.
	PerInstance, Queue int
	// Reach is for how long it tries to connect to an instance whose listen queue
	// is full, before that is an error; with 0 it is one at once. Silence is for
	// how long it waits for an instance that says nothing; 0 = for ever.
	Reach, Silence time.Duration
}

// Check says what is wrong with a configuration.
func (c *Config) Check() error {
	s := &c.Server
	switch {
	case c.Attack == nil || len(c.Attack.Stages) == 0:
		return errors.New("simulation: there is no load")
	case c.Demand == nil || len(c.Attack.Beside) > 0 && c.Aside == nil:
		return errors.New("simulation: it isn't said what requests ask for")
	case s.Cores < 1 || s.Instances < 1 || s.Processes < 1:
		return fmt.Errorf("simulation: %d cores, %d instances with %d processes: there must be at least 1 of each", s.Cores, s.Instances, s.Processes)
	case s.Slots < 0 || s.Queue < 0 || s.Backlog < 0 || s.Pool < 0 || s.Connections < 0 || s.Queries < 0:
		return errors.New("simulation: slots, queue, backlog, pool, connections and queries must be 0 or more")
	}
	for i := range c.Attack.Stages {
		if err := c.Attack.Stages[i].Check(); err != nil {
			return fmt.Errorf("simulation: stage %d: %w", i+1, err)
		}
	}
	return nil
}

// Run simulates an attack to its end, or until ctx ends. The former comes even
// where nobody loses patience: a client's kernel gives up a connection that is
// never accepted, and whatever else nothing will ever answer is left unfinished.
func Run(ctx context.Context, c *Config) (*Summary, error) {
	s, err := newSim(c)
	if err != nil {
		return nil, err
	}
	if err := s.run(ctx); err != nil {
		return nil, err
	}
	return s.summary(), nil
}

// A sim is one run. Time is nanoseconds from the start of the attack.
type sim struct {
	*Config
	timeout int64
	length  int64 // of the attack
	most    uint64
	open    bool // its last stage is: late answers are waited for
	now     int64
	over    bool

	events   events
	cores    cores
	requests []request
	free     int32 // head of the list of unused ones
	// oldest and newest are the ends of the list of requests whose client still
	// waits, in the order in which they were sent.
	oldest, newest int32

	foresight  *load.Foresight
	dueAt      int64 // of the next arrival; never if there is none
	dueStage   int
	dueNumber  uint64
	bound      int // hits of open stages under way at once
	openHits   int
	late       []promise // due, and not sent yet
	lateFirst  int
	numbers    []int64
	crew       crew
	crowds     []crowd
	hit        load.Hit
	rng        *rand.Rand
	turn       uint64 // of the processes that accept
	frontTurn  uint64 // of the front's instances
	listeners  []listener
	processes  []process
	backs      []back
	frontWaits int
	lock       station
	idle       []int32 // processes of the open stages' idle connections, the last used last
	tally      tally
	single     bool // each process does one thing at a time, and holds no connection besides
	tracks     bool // it matters which process has which connection
	straight   bool // nothing stands between a client and the listen queue
}

// A promise is a hit that is due and can't be sent yet.
type promise struct {
	due    int64
	stage  int
	number uint64
}

const never = int64(1) << 62

func newSim(c *Config) (*sim, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	a := c.Attack
	s := &sim{
		Config: c, timeout: int64(a.Timeout), free: none, oldest: none, newest: none,
		bound: a.MaxInFlight, rng: rand.New(rand.NewPCG(a.Seed, 0x73696d)), lock: newStation(locks, 1),
	}
	if s.timeout <= 0 {
		s.timeout = never
	}
	if s.most = c.Most; s.most == 0 {
		s.most = math.MaxUint64
	}
	if s.bound <= 0 {
		s.bound = load.DefaultInFlight()
	}
	var err error
	if s.foresight, err = a.Foresee(); err != nil {
		return nil, fmt.Errorf("simulation: %w", err)
	}
	for i := range a.Stages {
		s.length += int64(a.Stages[i].For)
	}
	s.open = a.Stages[len(a.Stages)-1].Open()
	s.cores = newCores(c.Server.Cores)
	s.build()
	s.tally.begin(s)
	s.crew.begin(s)
	s.tally.schedule(s)
	s.foresee()
	s.beside()
	return s, nil
}

// run lets events happen in their order until nothing is left to wait for.
func (s *sim) run(ctx context.Context) error {
	for turns := uint(1); !s.over; turns++ {
		if turns%(1<<16) == 0 {
			if err := context.Cause(ctx); err != nil {
				return fmt.Errorf("simulation: %w after %v of virtual time", err, time.Duration(s.now))
			}
		}
		at, next := s.dueAt, arrival
		if t := s.events.next(); t < at {
			at, next = t, scheduled
		}
		if s.cores.at < at {
			at, next = s.cores.at, computed
		}
		if s.oldest != none {
			if t := s.requests[s.oldest].sent + s.timeout; t < at {
				at, next = t, patience
			}
		}
		if at >= never || !s.open && at >= s.length {
			break
		}
		s.now = at
		switch next {
		case arrival:
			s.arrive()
		case scheduled:
			s.happen()
		case computed:
			if r := s.cores.end(s.now); r != none {
				s.proceed(r)
			}
		case patience:
			s.giveUp(s.oldest)
		}
		if s.now >= s.length && s.oldest == none && s.dueAt == never {
			break // whatever is still served is served in vain
		}
	}
	if s.over {
		s.tally.cut(s.now)
	} else {
		s.now = max(s.now, s.length)
	}
	for s.oldest != none { // a closed loop is cut
		s.tally.Unfinished++
		if s.requests[s.oldest].user == none {
			s.tally.Unanswered++
		}
		s.ended(s.oldest, outcome{cut: true})
	}
	s.tally.end(s)
	return nil
}

// What can happen next.
const (
	arrival = iota
	scheduled
	computed
	patience
)

func (s *sim) happen() {
	e := s.events.pop()
	switch e.what {
	case elapsed:
		if s.requests[e.of].generation == e.generation {
			s.proceed(e.of)
		}
	case waking:
		s.crew.wake(s, int(e.of))
	case level:
		s.crew.set(s, int(e.of))
	case knocking:
		if s.requests[e.of].generation == e.generation {
			s.knock(e.of)
		}
	case killing:
		if s.requests[e.of].generation == e.generation {
			s.kill(e.of)
		}
	case unreachable:
		if s.requests[e.of].generation == e.generation {
			s.unreached(e.of)
		}
	case silence:
		if s.requests[e.of].generation == e.generation {
			s.silent(e.of)
		}
	case restarting:
		s.restarted(e.of)
	case crowding:
		s.crowdSends(int(e.of), int(e.generation))
	case measuring:
		s.tally.window(s, e.of == 1)
	}
}
