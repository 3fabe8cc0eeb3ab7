package scenarios

import (
	"fmt"
	"net/http"
	"time"

	"gatewaylab/scenarios/load"
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
	for _, check := range []func() *ConflictError{s.checkStages, s.checkRequests, s.checkBeside, s.checkRest} {
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
