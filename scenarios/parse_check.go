package scenarios

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"gatewaylab/scenarios/load"
	"gatewaylab/servers"
)

// A ConflictError is what is wrong with a scenario whose parts are right each
// by itself.
type ConflictError struct {
	Key   string // the part, as scenario files name it
	Index int    // of its entry; -1: the part as a whole
	Msg   string
}

func (e *ConflictError) Error() string { return e.Key + ": " + e.Msg }

// Check says what is wrong with a scenario as a whole; its errors are
// *ConflictError.
func (s *Scenario) Check() error {
	for _, check := range []func() *ConflictError{s.checkStages, s.checkRequests, s.checkBeside, s.checkBacking, s.checkTune, s.checkRest, s.checkCompare} {
		if c := check(); c != nil {
			return c
		}
	}
	return nil
}

func conflict(key string, index int, format string, args ...any) *ConflictError {
	return &ConflictError{key, index, fmt.Sprintf(format, args...)}
}

func (s *Scenario) checkStages() *ConflictError {
	if len(s.Stages) == 0 || len(s.Stages) > MaxStages {
		return conflict("load", -1, "expected 1 to %d stages, found %d", MaxStages, len(s.Stages))
	}
	names := map[string]bool{}
	var all time.Duration
	for i := range s.Stages {
		st := &s.Stages[i]
		switch err := st.Check(); {
		case st.For == 0 && len(s.Stages) > 1:
			return conflict("load", i, "each stage of several says its length; this one lacks over, such as over 30s")
		case err != nil:
			return conflict("load", i, "%v", err)
		case st.Name != "" && names[st.Name]:
			return conflict("load", i, "two stages are called %s; give one of them another name", st.Name)
		}
		names[st.Name] = true
		if all += st.For; all > MaxWindow {
			return conflict("load", i, "all stages together last longer than %s", durationText(MaxWindow))
		}
	}
	if all < MinWindow {
		return conflict("load", -1, "expected a load of at least %s, found %s", MinWindow, durationText(all))
	}
	return nil
}

func (s *Scenario) checkRequests() *ConflictError {
	if len(s.Requests) == 0 || len(s.Requests) > MaxRequests {
		return conflict("request", -1, "expected 1 to %d requests, found %d", MaxRequests, len(s.Requests))
	}
	titles := map[string]bool{}
	for i := range s.Requests {
		r := &s.Requests[i]
		if titles[r.Title()] {
			return conflict("request", i, "two requests are called %s; give one of them a name of its own", r.Title())
		}
		titles[r.Title()] = true
		switch {
		case s.Protocol != load.WebSocket:
		case r.Method != http.MethodGet:
			return conflict("request", i, "a WebSocket is opened by GET, not by %s", r.Method)
		case r.Chunked:
			return conflict("request", i, "chunked has no meaning over WebSocket: a body is one message")
		case r.Stream:
			return conflict("request", i, "stream has no meaning over WebSocket: the answer is one message")
		}
	}
	return nil
}

func (s *Scenario) checkBeside() *ConflictError {
	if len(s.Beside) > MaxCrowds {
		return conflict("beside", -1, "expected at most %d crowds, found %d", MaxCrowds, len(s.Beside))
	}
	titles := map[string]bool{}
	clients := 0
	for i := range s.Beside {
		c := &s.Beside[i]
		if titles[c.Title()] {
			return conflict("beside", i, "two crowds are called %s; give one of them a name of its own", c.Title())
		}
		titles[c.Title()] = true
		if clients += c.Clients; clients > MaxClients {
			return conflict("beside", i, "expected at most %d clients in all crowds together, found %d", MaxClients, clients)
		}
	}
	if len(s.Beside) > 0 && s.Protocol == load.H2 {
		return conflict("beside", -1, "clients beside the load speak HTTP/1.1 without TLS, and h2 is over TLS; use h2c")
	}
	return nil
}

// checkBacking asks for services that are called and for calls of services that
// are there.
func (s *Scenario) checkBacking() *ConflictError {
	for i, b := range s.Backing {
		if slices.ContainsFunc(s.Backing[:i], func(o servers.Backing) bool { return o.Service == b.Service }) {
			return conflict("backing", -1, "%s is given twice", b.Service)
		}
		if !s.Calls(b) {
			return conflict("backing", -1, "nothing calls %s: no request is for %s", b.Service, b.Route())
		}
	}
	for _, row := range servers.Services() {
		if slices.ContainsFunc(s.Backing, func(b servers.Backing) bool { return b.Service == row.Name }) {
			continue
		}
		for i := range s.Requests {
			if path, _, _ := strings.Cut(s.Requests[i].Path, "?"); path == row.Route {
				return conflict("request", i, "%s calls a backing service, and there is none: say what %s is like, such as %s", row.Route, row.Name, row.Options[0].Default)
			}
		}
	}
	return nil
}

// Calls says whether a request of the scenario calls the service.
func (s *Scenario) Calls(b servers.Backing) bool {
	calls := func(path string) bool {
		path, _, _ = strings.Cut(path, "?")
		return path == b.Route()
	}
	return slices.ContainsFunc(s.Requests, func(r Request) bool { return calls(r.Path) }) ||
		slices.ContainsFunc(s.Beside, func(c Crowd) bool { return calls(c.Request.Path) })
}

func (s *Scenario) checkRest() *ConflictError {
	switch {
	case s.Streams > 0 && s.Protocol != load.H2 && s.Protocol != load.H2C:
		return conflict("streams", -1, "only HTTP/2 has streams: say protocol h2c or h2 too")
	case s.MaxInFlight > 0 && s.Closed():
		return conflict("max-in-flight", -1, "it bounds open stages, and this load has none; its users bound it")
	case s.Hurt > 0 && !s.Faulty():
		return conflict("hurt", -1, "nobody can be hurt without a request that does harm: mark one as fault")
	}
	return nil
}
