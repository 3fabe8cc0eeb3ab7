package load

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// An Attack is one load on one server: fresh connections, nothing shared with
// another. It may be run again; every Run stands alone.
type Attack struct {
	Stages []Stage // one after the other
	// Requests are what hits send, each with a probability in proportion to
	// its weight. Which one a hit sends depends on Seed and the hit's place
	// alone, among those of all open stages or of its closed stage, so that
	// two servers get the same.
	Requests []Request
	Timeout  time.Duration // of each hit, connecting included
	Seed     uint64        // of Poisson arrivals, think times, the mix and drawn values

	Protocol Protocol // "" is HTTP/1.1
	// Streams bounds the requests that are under way on one HTTP/2
	// connection; 0 is as many as the server allows.
	Streams int
	// PerConnection is how many requests a connection serves before it is
	// closed, and told so with the last; 0 is as many as come.
	PerConnection int

	// Beside are clients that do something of their own while the load goes on.
	Beside []Crowd
	// Aside is called for what each of them did, not at the same time as
	// another and as each. It may be nil.
	Aside func(crowd int, h *Hit)

	// MaxInFlight bounds the hits of open stages that are under way at once.
	// One that is due when so many are is sent late, or never: see Outcome. 0
	// is 10,000, or less where the limit on open files is lower (see
	// DefaultInFlight).
	MaxInFlight int
	Name        string // vegeta's name for the attack; only seen in Raw

	// Raw, if set, is given every hit in vegeta's gob encoding when the attack
	// has ended: what vegeta report and vegeta plot read. Hits due before
	// RawFrom are warm-up and left out, and so are those that were cut; the
	// rest are numbered from 0 without a gap, as vegeta plot needs them.
	Raw     io.Writer
	RawFrom time.Duration
	RawTo   time.Duration // hits due from then on are left out too; 0 = none are
}

// Protocol is what hits are sent over.
type Protocol string

const (
	HTTP1     Protocol = "http/1.1"
	H2C       Protocol = "h2c"       // HTTP/2 over TCP, by prior knowledge
	H2        Protocol = "h2"        // HTTP/2 over TLS, chosen by ALPN
	WebSocket Protocol = "websocket" // RFC 6455 over HTTP/1.1; a hit is a message and its echo
)

// scheme is that of the protocol's URLs, and the port where they have none.
func (p Protocol) scheme() (scheme, port string) {
	switch p {
	case H2:
		return "https", "443"
	case WebSocket:
		return "ws", "80"
	}
	return "http", "80"
}

// Outcome is what the hits don't tell.
type Outcome struct {
	Began       time.Time
	Ended       time.Duration // when sending ended: the attack's length, or earlier if it was cancelled
	Due         uint64        // hits due before Ended; those of closed stages are due when they are sent
	Sent        uint64        // hits sent, each of which was reported
	Connections uint64        // opened by hits
	Retries     uint64        // hits sent once more because an idle connection had died, or a new one took fewer streams than were sent

	due  *schedule // nil: no open stage
	open uint64    // of Sent, those of open stages
}

// Unsent is how many hits were due and never sent.
func (o *Outcome) Unsent() uint64 { return o.UnsentIn(0, o.Ended) }

// UnsentIn is how many hits were due in [from, to) and never sent. Hits of
// open stages are sent in the order in which they are due, so these are the
// last ones.
func (o *Outcome) UnsentIn(from, to time.Duration) uint64 {
	if o.due == nil {
		return 0
	}
	return o.due.count(o.open, from, min(to, o.Ended))
}

// DueIn is how many hits of open stages were due in [from, to), sent or not.
func (o *Outcome) DueIn(from, to time.Duration) uint64 {
	if o.due == nil {
		return 0
	}
	return o.due.count(0, from, min(to, o.Ended))
}

// spareFiles are left for what else a lab has open.
const spareFiles = 128

// DefaultInFlight is what MaxInFlight 0 means.
func DefaultInFlight() int {
	const most = 10_000
	limit, ok := fileLimit()
	if !ok || limit >= most+spareFiles {
		return most
	}
	return int(max(limit, 2*spareFiles) - spareFiles)
}

// Bound is how many hits of open stages can be in flight at once; with closed
// stages alone, the most users there are.
func (a *Attack) Bound() int {
	users := 0
	for i := range a.Stages {
		_, n := a.Stages[i].Peak()
		users = max(users, n)
	}
	switch {
	case !a.has(true):
		return users
	case a.MaxInFlight > 0:
		return a.MaxInFlight
	}
	return DefaultInFlight()
}

// has says whether any stage is open, or any closed.
func (a *Attack) has(open bool) bool {
	for i := range a.Stages {
		if a.Stages[i].Open() == open {
			return true
		}
	}
	return false
}

// Length is how long hits are sent: all stages together.
func (a *Attack) Length() (d time.Duration) {
	for i := range a.Stages {
		d += a.Stages[i].For
	}
	return d
}

// Check says what is wrong with an attack before anything is started.
func (a *Attack) Check() error {
	if len(a.Stages) == 0 {
		return fmt.Errorf("load has no stage")
	}
	files := a.MaxInFlight
	for i := range a.Stages {
		if err := a.Stages[i].Check(); err != nil {
			if len(a.Stages) > 1 {
				return fmt.Errorf("stage %d: %w", i+1, err)
			}
			return err
		}
		_, users := a.Stages[i].Peak()
		files = max(files, users)
	}
	for i := range a.Beside {
		if err := a.Beside[i].Check(); err != nil {
			return err
		}
		files += a.Beside[i].atOnce(min(a.Timeout, a.Length()))
	}
	switch limit, known := fileLimit(); {
	case a.Timeout <= 0:
		return fmt.Errorf("timeout %v: it must be longer than 0s", a.Timeout)
	case a.MaxInFlight < 0:
		return fmt.Errorf("at most %d in flight: it must be 0 (default) or more", a.MaxInFlight)
	case !slices.Contains([]Protocol{"", HTTP1, H2C, H2, WebSocket}, a.Protocol):
		return fmt.Errorf("protocol %q is not known: expected http/1.1, h2c, h2 or websocket", a.Protocol)
	case a.Streams < 0:
		return fmt.Errorf("%d streams per connection: it must be 0 (as many as the server allows) or more", a.Streams)
	case a.PerConnection < 0:
		return fmt.Errorf("%d requests per connection: it must be 0 (no limit) or more", a.PerConnection)
	case known && uint64(files)+spareFiles > limit:
		return fmt.Errorf("%d requests at once need %d open files and the limit is %d: raise it (ulimit -n) or ask for fewer",
			files, files+spareFiles, limit)
	}
	_, _, err := a.prepare()
	return err
}

// Run sends the load and calls each for every hit, one at a time, in the order
// in which they end but for races of microseconds; a Hit is good until each
// returns. Then it returns, leaving nothing behind: no goroutine, no
// connection.
//
// If the last stage is closed, hits under way at its end are cut, and reported
// as such; if it is open, nothing more is sent then, and answers are waited
// for, each up to the timeout. Either way it lasts for as long as its stages,
// even if nothing is due at their end. Cancelling ctx cuts at once; that is no
// error, and what was measured until then is reported.
//
// live may be nil.
func (a *Attack) Run(ctx context.Context, live *Gauge, each func(*Hit)) (Outcome, error) {
	if err := a.Check(); err != nil {
		return Outcome{}, err
	}
	r, err := a.newRun(live, each)
	if err != nil {
		return Outcome{}, err
	}
	defer r.close()

	r.caller, r.began = a.newCaller()
	r.live.start(r.began, r.caller.Connections)
	var traffic, rest sync.WaitGroup
	var attacker *vegeta.Attacker
	r.openLoops()
	for _, l := range r.loops {
		traffic.Go(l.run)
	}
	switch {
	case !a.has(true):
	case len(r.loops) > 0:
		r.loops[0].dispatch(r)
	default:
		attacker = r.attacker()
		traffic.Go(func() { r.arrive(attacker) })
	}
	traffic.Go(func() {
		r.closedStages()
		for _, l := range r.loops {
			l.finish()
		}
	})
	traffic.Go(func() { pause(r.stop, time.Until(r.began.Add(r.length))) })
	for i := range a.Beside {
		rest.Go(func() { r.crowd(i) })
	}
	over := make(chan struct{})
	rest.Go(func() { r.end(ctx, attacker, over) })
	traffic.Wait()
	r.stopped()
	r.dismiss()
	close(over)
	rest.Wait()

	o := r.outcome()
	if a.Raw != nil && r.err == nil {
		r.err = r.spool.encode(a, r.began)
	}
	if r.err != nil {
		return o, fmt.Errorf("write raw hits: %w", r.err)
	}
	return o, nil
}

// newCaller makes what does the exchanges; its epoch is the attack's start.
func (a *Attack) newCaller() (caller, time.Time) {
	switch a.Protocol {
	case H2C, H2:
		c := newH2(a)
		return c, c.epoch
	case WebSocket:
		c := newWebSockets(a)
		return c, c.epoch
	}
	t := NewTransport(a.Timeout)
	t.perConnection = a.PerConnection
	return t, t.epoch
}
