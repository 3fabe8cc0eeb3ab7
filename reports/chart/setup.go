package chart

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"gatewaylab/scenarios"
	"gatewaylab/scenarios/load"
)

// setup says what was asked, how, how often, and how much came of it.
func (v *run) setup(sc *scene) string {
	parts := paragraphs(
		asks(sc.Scenario), traffic(sc.Scenario), connections(sc.Scenario), beside(sc.Scenario),
		v.trials(sc.Scenario), v.samples(sc),
	)
	s := strings.Join(parts, " · ") + "."
	return strings.Join(paragraphs(s, v.notSpoken(sc), v.short(sc), v.failures(sc), v.aliases(sc)), " ")
}

// setups is the same for each scenario of a plot of several.
func (v *run) setups() (all []string) {
	for _, sc := range v.scenes {
		all = append(all, sc.Name+": "+v.setup(sc))
	}
	return all
}

// asks says what is requested: of several kinds, how much of each.
func asks(s *scenarios.Scenario) string {
	const most = 6
	if len(s.Requests) == 0 {
		return ""
	}
	if len(s.Requests) == 1 {
		r := &s.Requests[0]
		what := strings.TrimSpace(r.Method + " " + r.Path)
		if r.Size > 0 {
			what += ", " + byteCount(float64(r.Size))
			if r.Chunked {
				what += " in chunks"
			}
		}
		return what
	}
	all := 0.0
	for i := range s.Requests {
		all += weight(&s.Requests[i])
	}
	var parts []string
	for i := range s.Requests {
		r := &s.Requests[i]
		if i == most-1 && len(s.Requests) > most {
			parts = append(parts, fmt.Sprintf("%d other kinds", len(s.Requests)-i))
			break
		}
		part := share(100*weight(r)/all) + "\u00a0% " + r.Title()
		if r.Fault {
			part += " (does harm)"
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, " · ")
}

func weight(r *scenarios.Request) float64 {
	if r.Weight == 0 {
		return 1
	}
	return r.Weight
}

// share writes per cent that were chosen: 95, 2.5, 0.04.
func share(v float64) string {
	if v >= 10 {
		return setting(math.Round(v*10) / 10)
	}
	return setting(math.Round(v*100) / 100)
}

func traffic(s *scenarios.Scenario) string {
	st, ok := s.Steady()
	switch {
	case len(s.Stages) == 0:
		return ""
	case !ok:
		return stageList(s)
	case st.Open():
		t := "open loop, " + setting(st.From) + " requests/s due"
		if st.Poisson {
			t += ", at random (Poisson)"
		}
		return t
	}
	t := "closed loop, 1 client"
	if st.UsersFrom != 1 {
		t = fmt.Sprintf("closed loop, %s clients", count(st.UsersFrom))
	}
	if st.Think > 0 {
		t += " thinking "
		if st.ThinkExponential {
			t += "about "
		}
		t += duration(st.Think)
	}
	return t
}

// stageList describes a load that varies; of very many stages only the range.
func stageList(s *scenarios.Scenario) string {
	const long = 400
	if words := s.Words(); len(words) <= long {
		return words
	}
	n := len(s.Stages)
	return fmt.Sprintf("%d stages, from %s (%s) to %s (%s)", n,
		s.Stages[0].Title(0), levelWords(&s.Stages[0]), s.Stages[n-1].Title(n-1), levelWords(&s.Stages[n-1]))
}

// stageKey lists the stages' names by number, where they are too many or too
// long to stand in a picture.
func stageKey(s *scenarios.Scenario) string {
	const roomy, most = 45, 30
	length, named := 0, false
	var parts []string
	for i := range s.Stages {
		st := &s.Stages[i]
		named = named || st.Name != ""
		length += len(st.Title(i)) + 2
		if i < most {
			parts = append(parts, fmt.Sprintf("%d\u00a0%s", i+1, cmp.Or(st.Name, "–")))
		}
	}
	if !named || length <= roomy {
		return ""
	}
	if n := len(s.Stages) - most; n > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", n))
	}
	return "Stages: " + strings.Join(parts, " · ") + "."
}

// protocol names one that isn't plain HTTP/1.1.
func protocol(p load.Protocol) string {
	switch p {
	case "", load.HTTP1:
		return ""
	case load.H2C:
		return "HTTP/2 without TLS (h2c)"
	case load.H2:
		return "HTTP/2 over TLS (h2)"
	case load.WebSocket:
		return "WebSocket"
	}
	return string(p)
}

// connections says what requests travel on.
func connections(s *scenarios.Scenario) string {
	parts := paragraphs(protocol(s.Protocol))
	if s.Streams > 0 {
		parts = append(parts, many(s.Streams, "stream")+" per connection")
	}
	if s.PerConnection > 0 {
		parts = append(parts, many(s.PerConnection, "request")+" per connection")
	}
	return strings.Join(parts, ", ")
}

func many(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return count(n) + " " + noun + "s"
}

// beside says who else uses the server meanwhile.
func beside(s *scenarios.Scenario) string {
	var parts []string
	for i := range s.Beside {
		c := &s.Beside[i]
		part := many(c.Clients, string(c.Kind)+" client")
		if c.Name != "" && c.Name != string(c.Kind) {
			part += " (" + c.Name + ")"
		}
		switch {
		case c.Rate > 0:
			part += " at " + byteCount(c.Rate) + "/s"
		case c.Kind == load.Periodic:
			part += ", every " + duration(c.Every)
		}
		parts = append(parts, part)
	}
	if len(parts) == 0 {
		return ""
	}
	return "beside it " + list(parts)
}

// byteCount writes bytes in units of 1,000: 10 KB.
func byteCount(v float64) string {
	for _, u := range []struct {
		unit string
		size float64
	}{{"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}} {
		if v >= u.size {
			return setting(math.Round(v/u.size*100)/100) + "\u00a0" + u.unit
		}
	}
	return setting(v) + "\u00a0bytes"
}

// notSpoken names the models that a scenario can't be put to.
func (v *run) notSpoken(sc *scene) string {
	var mute []string
	for i, c := range sc.cells {
		if c != nil && c.NotSpoken != "" && !c.NotOffered {
			mute = append(mute, v.models[i])
		}
	}
	if len(mute) == 0 {
		return ""
	}
	verb := " does not speak "
	if len(mute) > 1 {
		verb = " do not speak "
	}
	name := string(sc.Protocol)
	switch sc.Protocol {
	case "":
		name = "the protocol"
	case load.WebSocket:
		name = "WebSocket"
	}
	return list(mute) + verb + name + "."
}

// aliases say which models stand behind names that scenarios gave them.
func (v *run) aliases(sc *scene) string {
	var parts []string
	for _, e := range sc.Models {
		if e.As != "" && e.As != e.Spec && slices.Contains(v.models, e.As) {
			parts = append(parts, e.As+"\u00a0=\u00a0"+e.Spec)
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return strings.Join(parts, "; ") + "."
}
