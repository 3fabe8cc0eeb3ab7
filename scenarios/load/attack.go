package load

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"sync"
	"time"
)

// Request is what each hit sends.
type Request struct {
	Method string // GET if empty
	URL    string // http://host:port/path?query
	Header http.Header
	Body   []byte
}

// An Attack is one load on one server: fresh connections, nothing shared with
// another. It may be run again; every Run stands alone.
type Attack struct {
	Load    Load
	Request Request
	For     time.Duration // how long hits are sent, warm-up included
	Timeout time.Duration // of each hit, connecting included
	// MaxInFlight bounds the hits of an open loop that are under way at once.
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

// Outcome is what the hits don't tell.
type Outcome struct {
	Began       time.Time
	Ended       time.Duration // when sending ended: For, or earlier if the attack was cancelled
	Due         uint64        // hits due before Ended; closed loop: the same as Sent
	Sent        uint64        // hits sent, each of which was reported
	Connections uint64        // opened
	Retries     uint64        // hits sent once more because an idle connection had died

	due schedule // nil: closed loop
}

// Unsent is how many hits were due and never sent.
func (o *Outcome) Unsent() uint64 { return o.UnsentIn(0, o.Ended) }

// UnsentIn is how many hits were due in [from, to) and never sent. Hits are
// sent in the order in which they are due, so these are the last ones.
func (o *Outcome) UnsentIn(from, to time.Duration) uint64 {
	if o.due == nil {
		return 0
	}
	return o.due.count(o.Sent, from, min(to, o.Ended))
}

// DueIn is how many hits of an open loop were due in [from, to), sent or not.
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

// Bound is how many hits can be in flight at once.
func (a *Attack) Bound() int {
	switch {
	case a.Load.Kind == Closed:
		return a.Load.Clients
	case a.MaxInFlight > 0:
		return a.MaxInFlight
	}
	return DefaultInFlight()
}

// Check says what is wrong with an attack before anything is started.
func (a *Attack) Check() error {
	workers := a.MaxInFlight
	switch a.Load.Kind {
	case Open:
		if !(a.Load.Rate > 0) || math.IsInf(a.Load.Rate, 0) {
			return fmt.Errorf("open loop: rate is %v per second; it must be above 0", a.Load.Rate)
		}
	case Closed:
		if workers = a.Load.Clients; workers <= 0 {
			return fmt.Errorf("closed loop: %d clients; there must be at least 1", workers)
		}
	default:
		return fmt.Errorf("load kind %q: it must be %q or %q", a.Load.Kind, Open, Closed)
	}
	switch limit, known := fileLimit(); {
	case a.For <= 0:
		return fmt.Errorf("attack for %v: it must last longer than 0s", a.For)
	case a.Timeout <= 0:
		return fmt.Errorf("timeout %v: it must be longer than 0s", a.Timeout)
	case workers < 0:
		return fmt.Errorf("at most %d in flight: it must be 0 (default) or more", workers)
	case known && uint64(workers)+spareFiles > limit:
		return fmt.Errorf("%d requests at once need %d open files and the limit is %d: raise it (ulimit -n) or ask for fewer",
			workers, workers+spareFiles, limit)
	}
	_, err := a.message()
	return err
}

// message is the request of every hit, encoded once.
func (a *Attack) message() (*message, error) {
	req, err := http.NewRequest(a.Request.Method, a.Request.URL, nil)
	if err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	if a.Request.Header != nil {
		req.Header = a.Request.Header.Clone()
	}
	if host := req.Header.Get("Host"); host != "" {
		req.Host = host
	}
	if n := len(a.Request.Body); n > 0 {
		req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(nil)), int64(n)
	}
	m := &message{toHEAD: req.Method == http.MethodHead, replay: idempotent(req.Method)}
	if err := m.setAddr(req.URL); err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	head, err := encodeHead(req, int64(len(a.Request.Body)))
	if err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	m.wire = append(head, a.Request.Body...)
	return m, nil
}

// Run sends the load and calls each for every hit, from this goroutine, in the
// order in which they end; a Hit is good until each returns. Then it returns,
// leaving nothing behind: no goroutine, no connection.
//
// A closed loop ends at For: hits under way are cut, and reported as such. An
// open loop then sends nothing more, and waits for its answers, each up to the
// timeout. Cancelling ctx cuts either at once; that is no error, and what was
// measured until then is reported.
//
// live may be nil.
func (a *Attack) Run(ctx context.Context, live *Gauge, each func(*Hit)) (Outcome, error) {
	if err := a.Check(); err != nil {
		return Outcome{}, err
	}
	r, err := a.newRun(live)
	if err != nil {
		return Outcome{}, err
	}
	defer r.close()

	results := r.start()
	over := make(chan struct{})
	var ender sync.WaitGroup
	ender.Go(func() { r.end(ctx, over) })
	spoolErr := r.collect(results, each)
	close(over)
	ender.Wait()

	o := r.outcome()
	if a.Raw != nil && spoolErr == nil {
		spoolErr = r.spool.encode(a, r.began)
	}
	if spoolErr != nil {
		return o, fmt.Errorf("write raw hits: %w", spoolErr)
	}
	return o, nil
}
