package scenarios

import (
	"time"

	"gatewaylab/servers/app"
)

// Schema is the version of a saved run. A reader refuses another major number.
const Schema = "gatewaylab/run/2"

// A Result is a saved run: run.json without its trials, which stand in files
// of their own (trials/001-hello-cgi-1.json …) so that a run that is cut off
// keeps every trial it finished.
type Result struct {
	Schema      string      `json:"schema"`
	Name        string      `json:"name"`
	Started     time.Time   `json:"started"`
	Finished    time.Time   `json:"finished,omitzero"`
	State       string      `json:"state"` // "running", "complete", "interrupted", "failed"
	Command     []string    `json:"command"`
	Seed        uint64      `json:"seed"`
	Trials      int         `json:"trials"` // planned for each cell
	Planned     int         `json:"planned"`
	Quick       bool        `json:"quick,omitempty"`
	AA          bool        `json:"aa,omitempty"` // one model against itself: the noise floor
	Pinned      bool        `json:"pinned"`
	Inquiry     *Inquiry    `json:"inquiry,omitempty"`
	Environment Environment `json:"environment"`
	Scenarios   []*Scenario `json:"scenarios"`
	Models      []ModelInfo `json:"models"`
	// Suite is set if the run holds models against their twins, in pairs; the
	// scenarios are its situations.
	Suite *Suite   `json:"suite,omitempty"`
	Notes []string `json:"notes,omitempty"`
	// Refused are the models that were not measured, with the reason.
	Refused map[string]string `json:"refused,omitempty"`
	// NotSpoken are the cells that were not measured because the model doesn't
	// speak the scenario's protocol: by scenario and model, how it answered.
	NotSpoken map[string]map[string]string `json:"not_spoken,omitempty"`
	// NotOffered are the cells that were not measured because what the model runs
	// lacks a route that the scenario asks for: by scenario and model, its path.
	NotOffered map[string]map[string]string `json:"not_offered,omitempty"`

	// Demand is what each scenario's requests ask of the application, on
	// average, by scenario name.
	Demand map[string]app.Demand `json:"demand"`

	Measured []*Trial `json:"-"`
}

// Environment is where a run took place: a figure without it can't be
// compared with anything.
type Environment struct {
	Time      time.Time         `json:"time"`
	OS        string            `json:"os"` // "linux/amd64"
	Kernel    string            `json:"kernel"`
	CPU       string            `json:"cpu"` // model name
	Cores     int               `json:"cores"`
	Governor  string            `json:"governor"` // "unknown" where the system doesn't tell
	Memory    int64             `json:"memory"`   // bytes this process may use
	Steal     float64           `json:"steal"`    // share over the run; -1 if unknown
	Late      time.Duration     `json:"late"`     // by which a sleep took longer than it was meant to, before the run; 0 if unknown
	FileLimit uint64            `json:"file_limit"`
	GoVersion string            `json:"go_version"`
	Commit    string            `json:"commit"`
	Modified  bool              `json:"modified"` // the commit had local changes
	Versions  map[string]string `json:"versions"` // of every program that took part
}
