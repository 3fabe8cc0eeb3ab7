package scenarios

import (
	"encoding/json"
	"math"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Ref names one trial of a plan.
type Ref struct {
	Scenario string `json:"scenario"`
	Model    string `json:"model"` // the model's label: its spec, as given
	Trial    int    `json:"trial"` // 1 … Of, of this scenario and model
	Of       int    `json:"of"`
	Order    int    `json:"order"` // 1 … Total, position in the shuffled plan
	Total    int    `json:"total"`
}

// A Trial is one measurement of one model under one scenario, on a fresh
// instance with fresh connections. All counts and histograms are of the
// measuring window alone; warm-up is not in them.
//
// What belongs to the window depends on the loop. Open: the requests that were
// due within it, however late their answers came (up to the timeout), because
// a user who arrived in the window is part of it. Closed: the requests that
// ended within it. Goodput counts, for both, successful responses that ended
// within the window, divided by the window.
type Trial struct {
	Ref
	Started time.Time     `json:"started"`
	Window  time.Duration `json:"window"`
	Warmup  time.Duration `json:"warmup"`

	Due       uint64            `json:"due"`       // open: requests due in the window; closed: sent in it
	Sent      uint64            `json:"sent"`      // of those, sent
	Unsent    uint64            `json:"unsent"`    // of those, never sent
	Ended     uint64            `json:"ended"`     // responses and errors that came within the window
	Succeeded uint64            `json:"succeeded"` // of those, successful: goodput × window
	Measured  uint64            `json:"measured"`  // successful responses in the histograms
	Failed    uint64            `json:"failed"`    // responses and non-responses counted in Errors
	Cut       uint64            `json:"cut"`       // still in flight when the closed loop was ended
	Errors    map[string]uint64 `json:"errors,omitempty"`
	Codes     map[int]uint64    `json:"codes,omitempty"`
	Bytes     int64             `json:"bytes"` // body bytes received

	// Histograms of successful responses, in microseconds.
	Response  *Histogram `json:"response"`   // due → last byte
	Service   *Histogram `json:"service"`    // sent → last byte
	FirstByte *Histogram `json:"first_byte"` // sent → first byte
	// Lag is by how much each request was sent later than due, in
	// microseconds; empty for closed loops.
	Lag *Histogram `json:"lag"`

	// Gaps holds the pauses between the pieces of streamed answers; nil if
	// none were asked for.
	Gaps *Histogram `json:"gaps,omitempty"`

	// Stages are the parts of the window, in order, where there is more than
	// one; Requests the kinds of request, where there is more than one; Beside
	// the crowds, whose Sent is what was under way in the window. Trial's own figures are of all stages and kinds together.
	Stages   []Part `json:"stages,omitempty"`
	Requests []Part `json:"requests,omitempty"`
	Beside   []Part `json:"beside,omitempty"`
	// Faults is what requests that do harm did; nil if there are none.
	Faults *Faults `json:"faults,omitempty"`

	Series []Interval `json:"series"`

	Server ServerCost `json:"server"`
	// Backing is what the backing services did, in the order of the scenario.
	Backing   []BackingUse  `json:"backing,omitempty"`
	Generator GeneratorCost `json:"generator"`
	Machine   MachineState  `json:"machine"`

	// MeanInFlight is the time average of requests in flight, sampled
	// independently of the hits, for Little's law.
	MeanInFlight float64 `json:"mean_in_flight"`

	// Invalid lists the reasons why this trial must not be believed. A trial
	// with any is shown and left out of every summary.
	Invalid []string `json:"invalid,omitempty"`
	// Starved says that among them is that the load generator was too slow: the
	// trial shows its limit, not the server's.
	Starved bool `json:"starved,omitempty"`
	// Warnings do not invalidate.
	Warnings []string `json:"warnings,omitempty"`
	// ServerLog is the end of what the server printed, kept when the trial is
	// invalid or had errors.
	ServerLog string `json:"server_log,omitempty"`
}

// A Part is what one stage, one kind of request or one crowd had to do with.
// Its fields mean what they mean in Trial.
type Part struct {
	Name string        `json:"name"`
	Kind string        `json:"kind"` // a stage's shape, a crowd's kind; of a request "fault" or ""
	From time.Duration `json:"from"` // from the start of the window
	To   time.Duration `json:"to"`

	Due       uint64            `json:"due"`
	Sent      uint64            `json:"sent"`
	Unsent    uint64            `json:"unsent"` // known of stages only
	Ended     uint64            `json:"ended"`
	Succeeded uint64            `json:"succeeded"`
	Measured  uint64            `json:"measured"`
	Failed    uint64            `json:"failed"`
	Cut       uint64            `json:"cut"`
	Errors    map[string]uint64 `json:"errors,omitempty"`
	Bytes     int64             `json:"bytes"`
	Response  *Histogram        `json:"response"`
	Service   *Histogram        `json:"service"`
	FirstByte *Histogram        `json:"first_byte"`
}

// Goodput is successful responses per second of the part's time.
func (p *Part) Goodput() float64 { return float64(p.Succeeded) / (p.To - p.From).Seconds() }

// Faults is the blast radius of requests that do harm: who else was hurt, and
// for how long.
type Faults struct {
	Sent   uint64 `json:"sent"`   // requests that do harm, in the window
	Others uint64 `json:"others"` // all other requests that ended in it
	Failed uint64 `json:"failed"` // of the others, failed
	Slow   uint64 `json:"slow"`   // of the others, successful but slower than Scenario.Hurt
	// Recovery is, for each harmful request, the time from its sending to the
	// next success of another that was sent after it.
	Recovery *Histogram `json:"recovery"`
	// Unrecovered are those after which no other succeeded any more.
	Unrecovered uint64 `json:"unrecovered"`
	// Lost is the time from the sending of those to the end of the window, in
	// all: their recoveries take longer.
	Lost time.Duration `json:"lost,omitempty"`
}

// Valid says whether the trial may enter a summary.
func (t *Trial) Valid() bool { return len(t.Invalid) == 0 }

// Goodput is successful responses per second.
func (t *Trial) Goodput() float64 { return float64(t.Succeeded) / t.Window.Seconds() }

// Attempted is requests sent per second.
func (t *Trial) Attempted() float64 { return float64(t.Sent) / t.Window.Seconds() }

// Offered is requests due per second.
func (t *Trial) Offered() float64 { return float64(t.Due) / t.Window.Seconds() }

// An Interval is what happened in one slice of a trial, warm-up included.
type Interval struct {
	At        time.Duration `json:"at"` // end of the slice, from the start of the window; negative during warm-up
	Length    time.Duration `json:"length"`
	Succeeded uint64        `json:"succeeded"` // ended in the slice
	Failed    uint64        `json:"failed"`
	// Response-time quantiles of what ended in the slice; 0 if nothing did.
	P50      time.Duration `json:"p50"`
	P99      time.Duration `json:"p99"`
	Max      time.Duration `json:"max"`
	InFlight int           `json:"in_flight"`
	Busy     int           `json:"busy"`   // slots that held a request; -1 if unknown
	Queued   int           `json:"queued"` // waiting for a slot: inside the server or in the listen queue; -1 if unknown
	CPU      float64       `json:"cpu"`    // cores in use by the server's process tree; -1 if unknown
	Memory   int64         `json:"memory"` // bytes; -1 if unknown
}

// ServerCost is what the server's whole process tree used in the window.
type ServerCost struct {
	// Unknown is set, and nothing else, for a server that the lab didn't start.
	Unknown bool `json:"unknown,omitempty"`

	CPU   time.Duration `json:"cpu"`
	Front time.Duration `json:"front,omitempty"` // of that, the front's; 0 if there is none
	// Partial is set if CPU lacks what some ended processes used; see process.Usage.
	Partial bool `json:"partial,omitempty"`
	// PeakMemory is the most of several readings within the window; with a
	// process for each request, one reading at its end.
	PeakMemory  int64         `json:"peak_memory"`
	MemoryKind  string        `json:"memory_kind"`
	Processes   int           `json:"processes"` // peak
	Threads     int           `json:"threads"`   // peak
	Files       int           `json:"files"`     // peak
	Voluntary   uint64        `json:"voluntary"` // context switches
	Involuntary uint64        `json:"involuntary"`
	Children    uint64        `json:"children"`  // child processes finished
	ChildCPU    time.Duration `json:"child_cpu"` // their CPU time, by their own rusage
	Restarts    uint64        `json:"restarts"`
	Rejected    uint64        `json:"rejected"`
	// MeanBusy is the time average of slots that held a request; -1 if unknown.
	MeanBusy float64 `json:"mean_busy"`
}

// MarshalJSON leaves out what isn't known: a 0 would be read as a measurement.
func (c ServerCost) MarshalJSON() ([]byte, error) {
	if c.Unknown {
		return []byte(`{"unknown":true,"mean_busy":-1}`), nil
	}
	type plain ServerCost
	return json.Marshal(plain(c))
}

// GeneratorCost is what making the load took.
type GeneratorCost struct {
	CPU         time.Duration `json:"cpu"`         // of the lab's own process in the window
	Connections uint64        `json:"connections"` // opened in the window
}

// MachineState is what else went on.
type MachineState struct {
	Cores       int     `json:"cores"`        // that the server and the generator could use together
	ServerCores int     `json:"server_cores"` // that the server could use
	Others      float64 `json:"others"`       // share of the cores' time that other programs used; -1 if unknown
	Steal       float64 `json:"steal"`        // share of CPU time the hypervisor took; -1 if unknown
	ListenDrops int64   `json:"listen_drops"` // connections dropped by full listen queues; -1 if unknown
}

// Histogram is an HdrHistogram that is saved as its own compressed encoding.
type Histogram struct{ *hdrhistogram.Histogram }

// NewHistogram holds 1 µs to 5 min at three significant figures, in 164 KiB.
func NewHistogram() *Histogram { return newHistogram(3) }

// newHistogram holds as many significant figures; with 2 it takes 23 KiB.
func newHistogram(figures int) *Histogram {
	return &Histogram{hdrhistogram.New(1, (5 * time.Minute).Microseconds(), figures)}
}

// Observe records one duration; what is out of range is clamped to it.
func (h *Histogram) Observe(d time.Duration) {
	us := min(max(d.Microseconds(), h.LowestTrackableValue()), h.HighestTrackableValue())
	_ = h.RecordValue(us) // in range by construction
}

// Quantile returns the value below which the share q of observations lies.
func (h *Histogram) Quantile(q float64) time.Duration {
	return time.Duration(h.ValueAtQuantile(q*100)) * time.Microsecond
}

// MarshalText encodes the histogram in HdrHistogram's V2 compressed format,
// base64; every HdrHistogram library reads it.
func (h *Histogram) MarshalText() ([]byte, error) {
	return h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
}

// UnmarshalText is the inverse of MarshalText.
func (h *Histogram) UnmarshalText(b []byte) (err error) {
	h.Histogram, err = hdrhistogram.Decode(b)
	return err
}

// Needs is what a quantile takes to be worth printing: so many samples in each
// trial, 1/(1−q), that one lies beyond it, and five times that in all trials
// together.
func Needs(q float64) (each, all int64) {
	each = int64(math.Round(1 / (1 - q)))
	return each, 5 * each
}
