package load

import (
	"net/http"
	"sync"
	"time"
)

// A flight is a hit under way: what the schedule promised and the transport
// saw. In an open loop vegeta's result with the same sequence number joins
// them.
type flight struct {
	seq       uint64 // vegeta's; of a closed stage, that stage and the hit's place in it
	number    uint64 // in the order of sending, over all stages
	stage     int
	request   int
	due       time.Duration // open loops only
	promised  bool          // due is set
	ended     bool          // the transport has reported; the fields below are set
	firstByte time.Duration // from the start of the attack; 0 if none came
	done      time.Duration // last byte or error, from the start of the attack
	code      int
	status    string // "503 Service Unavailable", for failures
	bytes     int64
	gaps      []time.Duration
	reused    bool
	cut       bool
	err       error
	socket    *webSocket // that of a closed loop's user, who keeps it

	answer http.Response // what vegeta is given
}

// flights holds the hits of open loops under way, by sequence number. Its size
// is bounded by the number of workers; ended flights are reused.
type flights struct {
	mu   sync.Mutex
	open map[uint64]*flight
	free []*flight
}

func newFlights() *flights { return &flights{open: make(map[uint64]*flight)} }

// promise notes when a hit is due.
func (fs *flights) promise(seq uint64, due time.Duration, stage int) {
	fs.mu.Lock()
	f := fs.get(seq)
	f.due, f.stage, f.promised = due, stage, true
	fs.mu.Unlock()
}

// at returns the flight of a hit.
func (fs *flights) at(seq uint64) *flight {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return fs.get(seq)
}

func (fs *flights) get(seq uint64) *flight {
	if f := fs.open[seq]; f != nil {
		return f
	}
	var f *flight
	if n := len(fs.free); n > 0 {
		f, fs.free = fs.free[n-1], fs.free[:n-1]
		f.reset()
	} else {
		f = new(flight)
	}
	f.seq = seq
	fs.open[seq] = f
	return f
}

// reset makes a flight new, keeping what memory it has.
func (f *flight) reset() { *f = flight{gaps: f.gaps[:0], socket: f.socket} }

// land takes a flight out of the table. The caller may use it until it calls
// land again: it is then reused.
func (fs *flights) land(seq uint64, previous *flight) *flight {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	f := fs.get(seq)
	delete(fs.open, seq)
	if previous != nil {
		fs.free = append(fs.free, previous)
	}
	return f
}
