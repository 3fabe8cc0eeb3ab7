// Package reports turns trials into statements. Analyse does it once; every
// renderer (text, Markdown, CSV, JSON, plots, pages) shows the same Report and
// computes nothing of its own, so that two outputs of one run never disagree.
package reports

import (
	"io"
	"time"

	"gatewaylab/scenarios"
)

// JSONSchema is the version of the JSON that lab compare and lab report print.
const JSONSchema = "gatewaylab/report/1"

// A Report is all that is said about a run.
type Report struct {
	Schema      string                `json:"schema"`
	Name        string                `json:"name"`
	Started     time.Time             `json:"started"`
	State       string                `json:"state"`
	Seed        uint64                `json:"seed"`
	Trials      int                   `json:"trials"` // planned for each cell
	Quick       bool                  `json:"quick"`
	AA          bool                  `json:"aa"`
	Pinned      bool                  `json:"pinned"`
	Confidence  float64               `json:"confidence"` // 0.95
	Method      string                `json:"method"`     // how intervals and comparisons were made
	Command     []string              `json:"command"`
	Environment scenarios.Environment `json:"environment"`
	Scenarios   []*scenarios.Scenario `json:"scenarios"`
	Models      []scenarios.ModelInfo `json:"models"`
	Cells       []*Cell               `json:"cells"` // scenario by scenario, models in the order given
	// Footnotes hold each distinct warning once; cells refer to them by
	// 1-based number.
	Footnotes []string `json:"footnotes"`
	// Notes are about the run as a whole.
	Notes []string `json:"notes"`
	// NoiseFloor is set for an A/A run.
	NoiseFloor []NoiseFloor `json:"noiseFloor,omitempty"`
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
	Offered   Estimate `json:"offered"`   // due per second
	// Response and Service map "p50", "p90" … to estimates in milliseconds. A
	// quantile that the sample can't support is absent.
	Response  map[string]Estimate `json:"response"`
	Service   map[string]Estimate `json:"service"`
	FirstByte map[string]Estimate `json:"first_byte"`
	Lag       map[string]Estimate `json:"lag"` // open loops only

	Errors map[string]uint64 `json:"errors"` // by kind, summed over valid trials
	Failed uint64            `json:"failed"`
	Unsent uint64            `json:"unsent"`

	CPUPerRequest         Estimate `json:"cpu_per_request"` // ms of the whole process tree
	Memory                Estimate `json:"memory"`          // peak, MiB
	MemoryKind            string   `json:"memory_kind"`
	Processes             Estimate `json:"processes"` // peak
	Threads               Estimate `json:"threads"`   // peak
	Files                 Estimate `json:"files"`     // peak
	SwitchesPerRequest    Estimate `json:"switches_per_request"`
	ConnectionsPerRequest Estimate `json:"connections_per_request"`
	GeneratorCPU          Estimate `json:"generator_cpu"` // cores
	ServerCPU             Estimate `json:"server_cpu"`    // cores

	// Rank is 1 for the highest goodput of the scenario. Tied lists the models
	// this one can't be told apart from in goodput.
	Rank int      `json:"rank"`
	Tied []string `json:"tied,omitempty"`
	// Ratio is this model's goodput over that of the scenario's first model;
	// "~" in the table where Compared is false.
	Ratio    float64 `json:"ratio"`
	P        float64 `json:"p"`        // of the Mann–Whitney U test behind it
	Compared bool    `json:"compared"` // the two could be told apart

	Explanation string   `json:"explanation"`
	Warnings    []string `json:"warnings"`
	Notes       []int    `json:"footnotes"` // numbers into Report.Footnotes
	Invalid     []string `json:"invalid"`   // reasons of invalid trials, "trial 3: …"

	// Curve is the distribution of response times over all valid trials, for
	// the percentile plot; Series the trials' slices, merged by time.
	Curve  []Point  `json:"curve"`
	Series []Slice  `json:"series"`
	Each   []PerRun `json:"each"` // every trial's own figures, invalid ones too
}

// An Estimate is a median over trials with its confidence interval.
type Estimate struct {
	Median float64 `json:"median"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
	N      int     `json:"n"` // trials
	Unit   string  `json:"unit"`
}

// Known says whether there is anything to show.
func (e Estimate) Known() bool { return e.N > 0 }

// Point is one point of a percentile curve.
type Point struct {
	Quantile float64 `json:"q"`  // 0 … 1
	Millis   float64 `json:"ms"` // response time
}

// Slice is one moment of a trial, as the median over trials.
type Slice struct {
	Seconds  float64 `json:"t"`           // from the start of the window; negative in warm-up
	Goodput  float64 `json:"goodput"`     // responses/s
	P50      float64 `json:"p50"`         // ms; 0 where nothing ended
	P50Low   float64 `json:"p50_low"`     // lowest and highest trial
	P50High  float64 `json:"p50_high"`    //
	P99      float64 `json:"p99"`         // ms
	InFlight float64 `json:"in_flight"`   //
	CPU      float64 `json:"cpu"`         // cores
	Memory   float64 `json:"memory"`      // MiB
	N        int     `json:"n,omitempty"` // trials behind it
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

// NoiseFloor is how far a model was from itself.
type NoiseFloor struct {
	Scenario string  `json:"scenario"`
	Quantity string  `json:"quantity"` // "goodput", "response p50", "response p99"
	Percent  float64 `json:"percent"`  // |a−b| / a
	Told     bool    `json:"told"`     // the test called it a difference: a false alarm
	P        float64 `json:"p"`
}

// A Renderer writes a report in one format.
type Renderer func(w io.Writer, r *Report) error
