package scenarios

import (
	"net/http"

	"gatewaylab/scenarios/load"
)

// Custom is the scenario that a command line describes without naming one:
// what isn't said is GET /hello, sent by 10 users over 5 s.
func Custom() *Scenario {
	s := newScenario()
	s.Name, s.Title = "custom", "Traffic from the command line"
	s.Question = "What does each model make of this traffic?"
	s.Requests = []Request{{Method: http.MethodGet, Path: "/hello"}}
	s.Stages = []load.Stage{{Shape: load.Users, UsersFrom: 10, For: usualWindow}}
	s.Text.Queue = "Requests that find every worker taken, or every core."
	s.Text.Bottleneck = "What the figures show to be fully used."
	s.Say()
	for _, spec := range []string{"cgi", "prefork", "async"} {
		s.Models = append(s.Models, Entry{Spec: spec})
	}
	return s
}

// Say words the load and the requests anew, after they were replaced.
func (s *Scenario) Say() {
	const most = 3
	s.Text.Load = "From the command line: " + s.Words() + "."
	s.Text.Service = "What is asked for: "
	for i, r := range s.Requests {
		if i == most {
			s.Text.Service += ", and more"
			break
		}
		if i > 0 {
			s.Text.Service += ", "
		}
		s.Text.Service += RequestText(r)
	}
	s.Text.Service += "."
}
