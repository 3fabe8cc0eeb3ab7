package scenarios

import (
	"time"

	"gatewaylab/servers/process"
)

// An Event is something a watcher of a run may want to show. Events arrive in
// order, one at a time; a watcher that is slow delays the
// run and must therefore only hand them on.
type Event interface{ event() }

// PlanStarted opens a run.
type PlanStarted struct {
	Name      string
	Scenarios []*Scenario
	Models    []ModelInfo
	Trials    int           // of each cell
	Total     int           // trials in all
	Measuring time.Duration // planned warm-up and windows of all trials
	Left      time.Duration // planned time in all, with the starts and stops of servers
}

// Phase is what a trial is doing.
type Phase string

const (
	Verifying Phase = "verifying"  // the model must answer the probes like the application
	Starting  Phase = "starting"   // server processes are coming up
	Warming   Phase = "warming up" // traffic flows, nothing is counted yet
	Measuring Phase = "measuring"
	Draining  Phase = "draining" // waiting for answers to requests due in the window
	Stopping  Phase = "stopping" // server processes are going down
)

// TrialPhase tells that a trial has entered a phase.
type TrialPhase struct {
	Ref
	Phase Phase
	Left  time.Duration // planned time left of the whole run
}

// Sample is the live picture, several times a second while traffic flows.
type Sample struct {
	Ref
	Phase Phase
	Interval
	Left         time.Duration
	Status       process.Status // zero for models without a scoreboard
	Usage        process.Usage
	GeneratorCPU float64 // cores in use by the lab itself
}

// TrialDone carries a finished trial, valid or not.
type TrialDone struct {
	*Trial
	Left time.Duration
}

// Note is a line for the log: a skipped model, a model that died.
type Note struct {
	At   time.Time
	Text string
}

// NotSpoken tells that a cell is not measured because the model doesn't speak
// the scenario's protocol; How is what it answered.
type NotSpoken struct{ Scenario, Model, How string }

// NotOffered tells that a cell is not measured because what the model runs lacks
// a path that the scenario asks for. A Note says so, too.
type NotOffered struct{ Scenario, Model, Path string }

// PlanDone closes a run, complete or not.
type PlanDone struct{ Interrupted bool }

func (PlanStarted) event() {}
func (TrialPhase) event()  {}
func (Sample) event()      {}
func (TrialDone) event()   {}
func (Note) event()        {}
func (NotSpoken) event()   {}
func (NotOffered) event()  {}
func (PlanDone) event()    {}

// ModelInfo is what results say about a model.
type ModelInfo struct {
	Label   string            `json:"label"` // the alias or the spec as given, made unique
	Spec    string            `json:"spec,omitempty"`
	Name    string            `json:"name"`
	Doc     string            `json:"doc"`
	Options map[string]string `json:"options"` // every option, defaults included
	// Slots is how many requests the model can hold at once; 0 = as many as
	// come. Noun says what a slot is: "worker", "child process", "connection".
	Slots int    `json:"slots"`
	Noun  string `json:"noun"`
	// Threads is how many threads the requests in progress share for what holds
	// one (an event loop's, or its pool's); 0 = each has its own.
	Threads int `json:"threads,omitempty"`
	// Pools is how many processes each have a pool of connections to the
	// database, 0 = each request its own connection; Pool is how large each is,
	// 0 = as the database's settings say.
	Pools int `json:"pools,omitempty"`
	Pool  int `json:"pool,omitempty"`
	// Interpreters is how many interpreters they share for computing, a thread at
	// a time in each; 0 = none.
	Interpreters int `json:"interpreters,omitempty"`
	// PerRequest names what the model makes anew for each request, if
	// anything: "process" (CGI), "connection" (a sync worker), "".
	PerRequest string `json:"per_request,omitempty"`
	// Front is the program before the model, if there is one; Instances is how
	// many of the model are behind it.
	Front     string `json:"front,omitempty"`
	Instances int    `json:"instances,omitempty"`
	// Target is set for a server that the lab didn't start. What it uses is not
	// known, and neither are Slots and Options.
	Target *TargetInfo `json:"target,omitempty"`
}

// TargetInfo is what results say about a server that the lab didn't start.
type TargetInfo struct {
	URL     string `json:"url"`
	Address string `json:"address"` // that its name had when it was looked up, once
	Local   bool   `json:"local"`   // on this machine
	// Unverified says that nobody checked whether it does the same work.
	Unverified bool `json:"unverified,omitempty"`
}
