// Package scenarios says what is to be measured and measures it: a scenario
// (one request, one load, one question), a plan (scenarios × models × trials
// in a seeded random order), and the run of that plan, which yields trials.
//
// The trial is the unit of measurement, not the request: requests within a
// trial share a warm cache, a CPU frequency and a noisy neighbour, so ten
// thousand of them are one observation. Whatever is said about a model later
// is said from at least a handful of trials.
package scenarios

import (
	"time"

	"gatewaylab/scenarios/load"
)

// A Scenario is one question put to every model.
type Scenario struct {
	Name     string `json:"name"`
	Title    string `json:"title"`
	Question string `json:"question"`
	Text     Text   `json:"text"`

	Request Request       `json:"request"`
	Load    load.Load     `json:"load"`
	For     time.Duration `json:"for"`    // measuring window of one trial
	Warmup  time.Duration `json:"warmup"` // traffic before the window, discarded
	// Timeout is how long a client waits for one answer.
	Timeout time.Duration `json:"timeout"`
	Models  []string      `json:"models,omitempty"` // default model specs
}

// Text labels the parts of every scenario the same way.
type Text struct {
	Load       string `json:"load"`
	Queue      string `json:"queue"`
	Service    string `json:"service"`
	Bottleneck string `json:"bottleneck"`
}

// Request is the request a scenario sends.
type Request struct {
	Method string            `json:"method"`
	Path   string            `json:"path"` // with query
	Header map[string]string `json:"header,omitempty"`
	Body   string            `json:"body,omitempty"`
}
