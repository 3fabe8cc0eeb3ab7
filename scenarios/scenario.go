// Package scenarios says what is to be measured and measures it: a scenario
// (requests, a load, one question), a plan (scenarios × models × trials in a
// seeded random order), and the run of that plan, which yields trials.
//
// The trial is the unit of measurement, not the request: requests within a
// trial share a warm cache, a CPU frequency and a noisy neighbour, so ten
// thousand of them are one observation. Whatever is said about a model later
// is said from at least a handful of trials.
package scenarios

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gatewaylab/scenarios/load"
	"gatewaylab/servers"
)

// A Scenario is one question put to every model.
type Scenario struct {
	Name     string `json:"name"`
	Title    string `json:"title"`
	Question string `json:"question"`
	// Lesson is the number of the lesson that the scenario belongs to; 0 = none.
	Lesson int  `json:"lesson,omitempty"`
	Text   Text `json:"text"`

	// Requests are what the load sends, each as often as its weight says.
	Requests []Request    `json:"requests"`
	Stages   []load.Stage `json:"stages"` // the measuring window of one trial, from its start
	// Warmup is how long traffic flows before the window and isn't counted:
	// at the level at which the first stage starts.
	Warmup time.Duration `json:"warmup"`
	// Timeout is how long a client waits for one answer.
	Timeout time.Duration `json:"timeout"`

	Protocol load.Protocol `json:"protocol,omitempty"` // "" = HTTP/1.1
	// Streams bounds the requests under way on one HTTP/2 connection; 0 = as
	// many as the server allows.
	Streams int `json:"streams,omitempty"`
	// PerConnection is how many requests a connection serves before the client
	// closes it; 0 = as many as come.
	PerConnection int `json:"per_connection,omitempty"`
	// MaxInFlight bounds the requests of open stages that are under way at
	// once; 0 = 10,000, or what the limit on open files allows.
	MaxInFlight int `json:"max_in_flight,omitempty"`

	Beside []Crowd `json:"beside,omitempty"`
	// Backing are the services that the application calls, started anew for each
	// trial.
	Backing []servers.Backing `json:"backing,omitempty"`
	// Hurt is the response time from which on a request that does no harm
	// itself counts as hurt by those that do.
	Hurt time.Duration `json:"hurt,omitempty"`

	// Tune are options of the models' of which the best values are found before
	// anything is measured; empty = the models run as they are given.
	Tune   []Tunable `json:"tune,omitempty"`
	Models []Entry   `json:"models,omitempty"` // which it is put to if nothing else is said
	Trials int       `json:"trials,omitempty"` // 0 = what the command says
	Expect []string  `json:"expect,omitempty"` // what should come out, as expressions over the result
	// Compare are the aspects in which a suite holds models against their twins
	// under this scenario; none outside a suite.
	Compare []Aspect `json:"compare,omitempty"`
}

// An Entry is a model that a scenario is put to.
type Entry struct {
	Spec string `json:"spec"`
	// As is the name that results and expectations know it by; "" = its spec.
	As string `json:"as,omitempty"`
	// Fixed leaves it as it is where the others' settings are tuned.
	Fixed bool `json:"fixed,omitempty"`
}

// Label is what results call the model.
func (e Entry) Label() string {
	if e.As != "" {
		return e.As
	}
	return e.Spec
}

// Text labels the parts of every scenario the same way.
type Text struct {
	Load       string `json:"load"`
	Queue      string `json:"queue"`
	Service    string `json:"service"`
	Bottleneck string `json:"bottleneck"`
}

// Request is one kind of request that a scenario sends.
type Request struct {
	Name   string            `json:"name,omitempty"`   // "" = method and path
	Weight float64           `json:"weight,omitempty"` // 0 = 1
	Method string            `json:"method"`
	Path   string            `json:"path"` // with query; may hold draws, see load.Request
	Header map[string]string `json:"header,omitempty"`
	Body   string            `json:"body,omitempty"`
	Size   int64             `json:"size,omitempty"` // bytes of a made-up body
	// Chunked sends the body in chunks, its length untold.
	Chunked bool `json:"chunked,omitempty"`
	// Stream has the pauses between the pieces of the answer measured.
	Stream bool `json:"stream,omitempty"`
	// Fault marks a request that is meant to do harm. What it gets is no
	// failure of the server's; what others get because of it is.
	Fault bool `json:"fault,omitempty"`
}

// A Crowd is clients that do something of their own while the load goes on.
type Crowd struct {
	Name    string         `json:"name,omitempty"` // "" = its kind
	Kind    load.CrowdKind `json:"kind"`
	Clients int            `json:"clients"`
	Rate    float64        `json:"rate,omitempty"` // bytes/s of each, if slow
	Every   time.Duration  `json:"every,omitempty"`
	Request Request        `json:"request"`
}

// For is the length of the measuring window of one trial.
func (s *Scenario) For() (d time.Duration) {
	for i := range s.Stages {
		d += s.Stages[i].For
	}
	return d
}

// Open says whether every stage is an open loop, Closed whether every one is a
// closed loop; of a mixed load neither is true.
func (s *Scenario) Open() bool { return !s.any(load.Users) }

// Closed says whether every stage is a closed loop.
func (s *Scenario) Closed() bool {
	return !slices.ContainsFunc(s.Stages, func(st load.Stage) bool { return st.Open() })
}

func (s *Scenario) any(shape load.Shape) bool {
	return slices.ContainsFunc(s.Stages, func(st load.Stage) bool { return st.Shape == shape })
}

// Steady returns the only stage of a load whose level never changes: constant
// arrivals, or a number of users. Limits of the whole can only be computed for
// such a one.
func (s *Scenario) Steady() (st load.Stage, ok bool) {
	if len(s.Stages) != 1 {
		return st, false
	}
	st = s.Stages[0]
	return st, st.Shape == load.Constant || st.Shape == load.Users && st.Levels < 2
}

// Faulty says whether the scenario does harm on purpose.
func (s *Scenario) Faulty() bool {
	return slices.ContainsFunc(s.Requests, func(r Request) bool { return r.Fault })
}

// Title is what results call the request.
func (r *Request) Title() string {
	switch {
	case r.Name != "":
		return r.Name
	case r.Method == "" || r.Method == "GET":
		return r.Path
	}
	return r.Method + " " + r.Path
}

// Title is what results call the crowd.
func (c *Crowd) Title() string {
	if c.Name != "" {
		return c.Name
	}
	return string(c.Kind)
}

// Words describes the load in a few words.
func (s *Scenario) Words() string {
	st, ok := s.Steady()
	switch {
	case !ok:
		return words(s.Stages)
	case st.Open() && !st.Poisson:
		return fmt.Sprintf("open loop, %g arrivals/s", st.From)
	case st.Open():
		return fmt.Sprintf("open loop, %g Poisson arrivals/s", st.From)
	case st.Think > 0:
		return fmt.Sprintf("closed loop, %d clients%s", st.UsersFrom, thinkText(st))
	}
	return fmt.Sprintf("closed loop, %d clients", st.UsersFrom)
}

// words is the text form of the first few stages.
func words(stages []load.Stage) string {
	const most = 3
	var texts []string
	for i, st := range stages {
		if i == most && len(stages) > most+1 {
			texts = append(texts, fmt.Sprintf("%d more stages", len(stages)-most))
			break
		}
		texts = append(texts, StageText(st))
	}
	return strings.Join(texts, ", then ")
}
