package reports

import (
	"encoding/json"
	"io"
	"time"

	"gatewaylab/scenarios"
)

// JSONSchema is the version of the JSON that lab compare and lab report print.
//
// Since version 1, scenarios hold "requests" and "stages" in place of one
// request and one load, cells hold what parts of their traffic came to, and
// quantile maps hold "mean" and "max" besides.
const JSONSchema = "gatewaylab/report/2"

// A Report is all that is said about a run.
type Report struct {
	Schema      string                `json:"schema"`
	Name        string                `json:"name"`
	Started     time.Time             `json:"started"`
	State       string                `json:"state"`
	Seed        uint64                `json:"seed"`
	Trials      int                   `json:"trials"`   // planned for each cell
	Planned     int                   `json:"planned"`  // trials in all
	Finished    int                   `json:"finished"` // of those, valid or not
	Quick       bool                  `json:"quick"`
	AA          bool                  `json:"aa"`
	Pinned      bool                  `json:"pinned"`
	Confidence  float64               `json:"confidence"` // 0.95
	Method      string                `json:"method"`     // how intervals and comparisons were made
	Command     []string              `json:"command"`
	Environment scenarios.Environment `json:"environment"`
	Scenarios   []*scenarios.Scenario `json:"scenarios"`
	Models      []scenarios.ModelInfo `json:"models"`
	Groups      []ModelGroup          `json:"groups"` // the models again, by whose they are
	Cells       []*Cell               `json:"cells"`  // scenario by scenario, models in the order given
	// Footnotes hold each distinct warning once; cells refer to them by
	// 1-based number.
	Footnotes []string `json:"footnotes"`
	// Notes are about the run as a whole: first what lowers the certainty of
	// everything in it (interrupted, quick, A/A), then what happened on the way.
	Notes []string `json:"notes"`
	// Expectations are what came of the scenarios' expectations, in their order.
	Expectations []Expectation `json:"expectations,omitempty"`
	// Fidelity is set for a run of pairs of a model and its twin.
	Fidelity *Fidelity `json:"fidelity,omitempty"`
	// Theory is how far predictions are from it all; absent unless the report was
	// held against theory.
	Theory *TheorySummary `json:"theory,omitempty"`
	// NoiseFloor is set for an A/A run.
	NoiseFloor []NoiseFloor `json:"noise_floor,omitempty"`
	// Capacity is set for a run that looked for the load that models hold. Its
	// points are the report's scenarios.
	Capacity *Capacity `json:"capacity,omitempty"`

	caveats int // of Notes, the first, about the certainty of everything
}

// A Cell is one model under one scenario.
type Cell struct {
	Scenario string `json:"scenario"`
	Model    string `json:"model"`

	Trials  int `json:"trials"`  // finished
	Valid   int `json:"valid"`   // of those, valid: all figures are from these
	Samples int `json:"samples"` // successful responses in the valid trials

	Goodput   Estimate `json:"goodput"`   // successful responses per second
	Attempted Estimate `json:"attempted"` // sent per second
	Offered   Estimate `json:"offered"`   // due per second; in a closed loop the same as Attempted
	// Response (due → last byte), Service (sent → last byte), FirstByte (sent →
	// first byte) and Lag (due → sent) map "mean", "p50", "p90", "p99", "p99.9"
	// and "max" to estimates in milliseconds; max is the median of the trials'
	// longest. A quantile that the sample can't support is absent. Lag is empty
	// for closed loops, where a request is due when it is sent and Response and
	// Service are the same. A search for capacity adds to Response the quantiles
	// of its objective.
	Response  map[string]Estimate `json:"response"`
	Service   map[string]Estimate `json:"service"`
	FirstByte map[string]Estimate `json:"first_byte"`
	Lag       map[string]Estimate `json:"lag"`
	// Gaps are the pauses between the pieces of streamed answers, as Response;
	// empty where none were streamed.
	Gaps map[string]Estimate `json:"gaps"`

	Errors map[string]uint64 `json:"errors"` // by kind, summed over valid trials
	Failed uint64            `json:"failed"` // sum of Errors
	Unsent uint64            `json:"unsent"` // due and never sent, summed over valid trials

	// CPUPerRequest is the CPU time (user + system) of the server's whole
	// process tree in the window over the successful responses that ended in
	// it, in ms: what failures cost is borne by the successes, so that
	// cores / CPUPerRequest bounds goodput, and failing never looks cheap.
	CPUPerRequest Estimate `json:"cpu_per_request"`
	Memory        Estimate `json:"memory"`      // peak, MiB
	MemoryKind    string   `json:"memory_kind"` // "pss" or "rss"; see process.Usage
	Processes     Estimate `json:"processes"`   // peak
	Threads       Estimate `json:"threads"`     // peak
	Files         Estimate `json:"files"`       // peak
	// SwitchesPerRequest is context switches per successful response. Unknown
	// for a model that starts a process for each request: what short-lived
	// processes switched is not counted by the system for their parent.
	SwitchesPerRequest    Estimate `json:"switches_per_request"`
	ConnectionsPerRequest Estimate `json:"connections_per_request"` // opened, per request sent
	GeneratorCPU          Estimate `json:"generator_cpu"`           // cores
	ServerCPU             Estimate `json:"server_cpu"`              // cores
	Restarts              Estimate `json:"restarts"`                // server processes replaced in the window of a trial

	// Stages are the parts of a load that has several, Requests the kinds of a
	// mix of several, Beside the crowds that did something of their own. The
	// cell's own figures are of all stages and kinds together, and of no crowd.
	Stages   []PartCell `json:"stages"`
	Requests []PartCell `json:"requests"`
	Beside   []PartCell `json:"beside"`
	// Faults is what requests that do harm did to the others; absent where
	// there are none.
	Faults *FaultCell `json:"faults,omitempty"`
	// Backing is what the backing services had to do, in the scenario's order.
	Backing []BackingCell `json:"backing,omitempty"`
	// NotSpoken is how the model answered where it doesn't speak the scenario's
	// protocol, "505 HTTP Version Not Supported"; "" where it does. Such a cell
	// has no trials and is no failure.
	NotSpoken string `json:"not_spoken,omitempty"`
	// NotOffered says that it is not a protocol that is missing but a route:
	// NotSpoken is its path.
	NotOffered bool `json:"not_offered,omitempty"`
	// Refused is why the model was not measured at all: it didn't start, or didn't
	// do the same work as the others. Such a cell has no trials.
	Refused string `json:"refused,omitempty"`

	// Rank is 1 for the highest median goodput of the scenario, 2 for the next;
	// 0 where nothing was measured. It is an order, not a verdict: Tied lists
	// the models that this one can't be told apart from in goodput.
	Rank int      `json:"rank"`
	Tied []string `json:"tied"`
	// Ratio is this model's goodput over that of the scenario's fastest, the
	// model of rank 1: at most 1, and 1 for that model itself.
	Ratio float64 `json:"ratio"`
	// Compared says that Ratio is more than noise: the model can be told apart
	// from the fastest, and the fastest from every other. Where it is false,
	// tables show "~", or "?" where it wasn't tested.
	Compared bool `json:"compared"`
	// Untested are those of Tied that nothing is said about for want of trials:
	// with fewer than six on either side, no test is made.
	Untested []string `json:"untested,omitempty"`
	// P is the p-value of the Mann–Whitney U test behind Compared; for the
	// fastest, the largest against any other. 1 where nothing was tested.
	P float64 `json:"p"`

	Explanation string   `json:"explanation"`
	Warnings    []string `json:"warnings"`  // in full
	Notes       []int    `json:"footnotes"` // numbers into Report.Footnotes
	Invalid     []string `json:"invalid"`   // reasons of invalid trials: "trial 3: …", "trials 1, 4: …"

	// Curve is the distribution of response times over all valid trials
	// together, as far into the tail as they support; Series the trials'
	// slices, merged by time.
	Curve  []Point  `json:"curve"`
	Series []Slice  `json:"series"`
	Each   []PerRun `json:"each"` // every trial's own figures, invalid ones too

	// Foreign is set for a server that the lab didn't start: what it used is not
	// known.
	Foreign bool `json:"foreign,omitempty"`

	// Theory is what it was held against: the cell as a whole, then its stages.
	Theory []Held `json:"theory,omitempty"`

	untested bool   // against the fastest, or as the fastest against any it is tied with
	shares   shares // for expectations
	doubts   []int  // of Notes, those about how the figures were come by
}

// A PartCell is what one stage, one kind of request or one crowd came to. What
// has the name of a field of Cell means the same, of this part alone.
type PartCell struct {
	Name string  `json:"name"`
	Kind string  `json:"kind"` // a stage's shape, a crowd's kind; of a request "fault" or ""
	From float64 `json:"from"` // s, from the start of the window
	To   float64 `json:"to"`   // s

	Goodput   Estimate            `json:"goodput"`
	Offered   Estimate            `json:"offered"` // of open stages; elsewhere what was sent per second
	Response  map[string]Estimate `json:"response"`
	Service   map[string]Estimate `json:"service"`
	FirstByte map[string]Estimate `json:"first_byte"`
	// Received is body bytes received per second.
	Received Estimate `json:"received"`

	// Sums over the valid trials.
	Sent    uint64            `json:"sent"`
	Samples uint64            `json:"samples"` // successful responses behind the quantiles
	Errors  map[string]uint64 `json:"errors"`
	Failed  uint64            `json:"failed"`
	Unsent  uint64            `json:"unsent"` // known of stages only
}

// A FaultCell is the blast radius of requests that do harm.
type FaultCell struct {
	// Sums over the valid trials.
	Sent        uint64 `json:"sent"`        // requests that do harm
	Others      uint64 `json:"others"`      // all other requests that ended in the window
	Failed      uint64 `json:"failed"`      // of the others
	Slow        uint64 `json:"slow"`        // of the others, successful, but no faster than Scenario.Hurt
	Unrecovered uint64 `json:"unrecovered"` // harmful requests after which no other succeeded any more

	FailedShare Estimate `json:"failed_share"` // Failed / Others of a trial, 0 … 1
	SlowShare   Estimate `json:"slow_share"`   // Slow / Others of a trial, 0 … 1
	// Recovery is the time from the sending of a harmful request to the next
	// success of another that was sent after it, as Cell.Response.
	Recovery map[string]Estimate `json:"recovery"`
}

// An Estimate is a median over trials with its interval. With fewer than six
// trials Low and High are the lowest and highest trial, and Confidence is
// below 0.95.
type Estimate struct {
	Median float64 `json:"median"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
	N      int     `json:"n"` // trials behind it; 0 = not known
	Unit   string  `json:"unit"`
	// Confidence is the probability that an interval made this way holds the
	// true median, at least 0.95 from six trials on.
	Confidence float64 `json:"confidence"`
}

// undecided says that the cell was not held against the fastest, or as the
// fastest against any other, for want of trials.
func (c *Cell) undecided() bool {
	return !c.Compared && c.untested
}

// Known says whether there is anything to show.
func (e Estimate) Known() bool { return e.N > 0 }

// Spread is the longer arm of the interval as a share of the median: the "2%"
// in "51.2 ±2%". It is 0 where the median is.
func (e Estimate) Spread() float64 {
	if e.Median == 0 {
		return 0
	}
	return max(e.High-e.Median, e.Median-e.Low) / e.Median
}

// MarshalJSON writes null for the figures of an estimate that is not known: a
// 0 would be read as a measurement.
func (e Estimate) MarshalJSON() ([]byte, error) {
	if e.Known() {
		type plain Estimate
		return json.Marshal(plain(e))
	}
	return json.Marshal(map[string]any{
		"median": nil, "low": nil, "high": nil, "n": 0, "unit": e.Unit, "confidence": nil,
	})
}

// Point is one point of a percentile curve.
type Point struct {
	Quantile float64 `json:"q"`  // 0 … 1
	Millis   float64 `json:"ms"` // response time
}

// Slice is one moment of a trial, as the median over trials.
type Slice struct {
	Seconds  float64 `json:"t"`         // its middle, from the start of the window; negative in warm-up
	Goodput  float64 `json:"goodput"`   // responses/s
	P50      float64 `json:"p50"`       // ms; 0 where nothing ended
	P50Low   float64 `json:"p50_low"`   // lowest and highest trial
	P50High  float64 `json:"p50_high"`  //
	P99      float64 `json:"p99"`       // ms
	InFlight float64 `json:"in_flight"` //
	CPU      float64 `json:"cpu"`       // cores; -1, in JSON null, if unknown
	Memory   float64 `json:"memory"`    // MiB; -1, in JSON null, if unknown
	N        int     `json:"n"`         // trials behind it
}

// MarshalJSON writes null for what isn't known.
func (s Slice) MarshalJSON() ([]byte, error) {
	known := func(v float64) *float64 {
		if v < 0 {
			return nil
		}
		return &v
	}
	return json.Marshal(struct {
		Seconds  float64  `json:"t"`
		Goodput  float64  `json:"goodput"`
		P50      float64  `json:"p50"`
		P50Low   float64  `json:"p50_low"`
		P50High  float64  `json:"p50_high"`
		P99      float64  `json:"p99"`
		InFlight float64  `json:"in_flight"`
		CPU      *float64 `json:"cpu"`
		Memory   *float64 `json:"memory"`
		N        int      `json:"n"`
	}{s.Seconds, s.Goodput, s.P50, s.P50Low, s.P50High, s.P99, s.InFlight, known(s.CPU), known(s.Memory), s.N})
}

// PerRun is one trial's own figures.
type PerRun struct {
	Trial   int     `json:"trial"`
	Valid   bool    `json:"valid"`
	Goodput float64 `json:"goodput"`
	Offered float64 `json:"offered"`
	P50     float64 `json:"p50"` // ms
	P99     float64 `json:"p99"` // ms; 0 where the trial can't support it
}

// NoiseFloor is how far a model was from itself in an A/A run.
type NoiseFloor struct {
	Scenario string  `json:"scenario"`
	Quantity string  `json:"quantity"` // "goodput", "response p50", "response p99", "CPU per request"
	Percent  float64 `json:"percent"`  // 100 |a−b| / a
	Told     bool    `json:"told"`     // the rule called it a difference: a false alarm
	P        float64 `json:"p"`        // of the Mann–Whitney U test
	Text     string  `json:"text"`     // the same in a sentence
}

// A Renderer writes a report in one format.
type Renderer func(w io.Writer, r *Report) error
