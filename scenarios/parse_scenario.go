package scenarios

import (
	"errors"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"

	"gatewaylab/scenarios/load"
	"gatewaylab/servers"
)

// usualWindow is the length of a load that nothing says.
const usualWindow = 5 * time.Second

// newScenario has the defaults of what a file, or a command line, need not say.
func newScenario() *Scenario { return &Scenario{Warmup: time.Second, Timeout: 10 * time.Second} }

func (p *fileParser) scenario(n ast.Node) (*Scenario, error) {
	return p.filled(n, "a scenario", p.scenarioFields)
}

// filled reads what has the fields of a scenario, more or less.
func (p *fileParser) filled(n ast.Node, what string, fields func(*Scenario, *time.Duration) []field) (*Scenario, error) {
	s, window := newScenario(), usualWindow
	seen, err := p.mapping(n, what, fields(s, &window)...)
	if err != nil {
		return nil, err
	}
	one, several := seen["request"], seen["requests"]
	switch {
	case one == nil && several == nil:
		return nil, p.fail(start(n), "%s lacks request (or requests, if it sends several)", what)
	case one != nil && several != nil:
		return nil, p.fail(several, "%s has either one request or a list of requests, not both", what)
	}
	if err := p.lengths(s.Stages, window, seen["for"]); err != nil {
		return nil, err
	}
	if err := p.check(s, seen, n); err != nil {
		return nil, err
	}
	return s, p.expectations(s, seen["expect"])
}

// check puts what is wrong with the scenario as a whole where it stands.
func (p *fileParser) check(s *Scenario, seen map[string]ast.Node, whole ast.Node) error {
	err := s.Check()
	var c *ConflictError
	if !errors.As(err, &c) {
		return err
	}
	at := seen[c.Key]
	switch {
	case c.Key == "load" && c.Index >= 0:
		at = p.stages[c.Index]
	case c.Key == "request" && seen["requests"] != nil:
		at = seen["requests"]
	}
	if list, ok := at.(*ast.SequenceNode); ok && c.Index >= 0 && c.Index < len(list.Values) {
		at = list.Values[c.Index]
	}
	if at == nil {
		at = whole
	}
	return p.fail(start(at), "%s", c.Msg)
}

func (p *fileParser) scenarioFields(s *Scenario, window *time.Duration) []field {
	return []field{
		{"name", true, func(n ast.Node) error { return p.slug(n, &s.Name) }},
		{"title", true, p.text(&s.Title, "a title")},
		{"question", true, p.text(&s.Question, "a question")},
		{"lesson", false, p.count(&s.Lesson, "a lesson's number", lessons)},
		{"text", true, func(n ast.Node) error {
			_, err := p.mapping(n, "text", p.textFields(&s.Text)...)
			return err
		}},
		{"request", false, func(n ast.Node) error {
			r, err := p.request(n)
			s.Requests = []Request{r}
			return err
		}},
		{"requests", false, func(n ast.Node) (err error) {
			s.Requests, err = p.requests(n)
			return err
		}},
		{"load", true, func(n ast.Node) error { return p.load(n, &s.Stages) }},
		{"for", false, p.duration(window, MinWindow)},
		{"warmup", false, p.duration(&s.Warmup, 0)},
		{"timeout", false, p.duration(&s.Timeout, time.Millisecond)},
		{"protocol", false, func(n ast.Node) error { return p.protocol(n, &s.Protocol) }},
		{"streams", false, p.count(&s.Streams, "a number of streams", MaxClients)},
		{"per-connection", false, p.count(&s.PerConnection, "a number of requests", MaxPerConnection)},
		{"max-in-flight", false, p.count(&s.MaxInFlight, "a number of requests", MaxClients)},
		{"beside", false, func(n ast.Node) error { return p.beside(n, &s.Beside) }},
		{"backing", false, func(n ast.Node) error { return p.backing(n, &s.Backing) }},
		{"hurt", false, p.duration(&s.Hurt, time.Millisecond)},
		{"models", false, func(n ast.Node) error { return p.models(n, &s.Models) }},
		{"tune", false, func(n ast.Node) error { return p.tune(n, &s.Tune) }},
		{"trials", false, p.count(&s.Trials, "a number of trials", maxTrials)},
		{"expect", false, func(n ast.Node) error { return p.expects(n, &s.Expect) }},
	}
}

const (
	lessons          = 12
	maxTrials        = 1000
	MaxPerConnection = 1_000_000_000
	maxExpect        = 100
	maxModels        = 100
)

func (p *fileParser) textFields(t *Text) []field {
	return []field{
		{"load", true, p.text(&t.Load, "a sentence")},
		{"queue", true, p.text(&t.Queue, "a sentence")},
		{"service", true, p.text(&t.Service, "a sentence")},
		{"bottleneck", true, p.text(&t.Bottleneck, "a sentence")},
	}
}

func (p *fileParser) duration(to *time.Duration, low time.Duration) func(ast.Node) error {
	return func(n ast.Node) error {
		c, err := p.piece("", n, "a duration")
		if err != nil {
			return err
		}
		*to, err = c.duration(low)
		return err
	}
}

func (p *fileParser) count(to *int, what string, most int) func(ast.Node) error {
	return func(n ast.Node) error {
		c, err := p.piece("", n, what)
		if err != nil {
			return err
		}
		*to, err = c.count(what, 1, most)
		return err
	}
}

// slug is a name that can stand in those of files.
func (p *fileParser) slug(n ast.Node, to *string) error {
	if err := p.text(to, "a name")(n); err != nil {
		return err
	}
	if !validName(*to) {
		return p.fail(n, "expected a name of lower-case letters, digits and dashes, found %q", *to)
	}
	return nil
}

func validName(s string) bool {
	return s != "" && len(s) <= maxName && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-'
	})
}

// Protocols are what a scenario's requests can be sent over.
var Protocols = [...]load.Protocol{load.HTTP1, load.H2C, load.H2, load.WebSocket}

// ParseProtocol reads the name of a protocol.
func ParseProtocol(text string) (load.Protocol, error) {
	if slices.Contains(Protocols[:], load.Protocol(text)) {
		return load.Protocol(text), nil
	}
	names := make([]string, len(Protocols))
	for i, p := range Protocols {
		names[i] = string(p)
	}
	return "", errors.New("no protocol is called " + found(text) + servers.Nearest(text, names))
}

func (p *fileParser) protocol(n ast.Node, to *load.Protocol) error {
	s, err := p.scalar(n, "a protocol")
	if err != nil {
		return err
	}
	if *to, err = ParseProtocol(s); err != nil {
		return p.fail(n, "%v", err)
	}
	return nil
}

func (p *fileParser) models(n ast.Node, to *[]Entry) error {
	items, err := p.list(n, "model spec", maxModels)
	if err != nil {
		return err
	}
	taken := map[string]bool{}
	for _, v := range items {
		e, err := p.model(v)
		if err != nil {
			return err
		}
		label := e.As
		if label == "" {
			label = e.Spec
		}
		if taken[label] && e.As != "" {
			return p.fail(start(v), "two models are called %s; give one of them another name", label)
		}
		taken[label] = true
		*to = append(*to, e)
	}
	for i, e := range *to {
		if e.As == "" && slices.ContainsFunc(*to, func(o Entry) bool { return o.As == e.Spec }) {
			return p.fail(start(items[i]), "two models are called %s; give one of them another name", e.Spec)
		}
	}
	return nil
}

func (p *fileParser) model(n ast.Node) (e Entry, err error) {
	if !isMapping(n) {
		text, err := p.scalar(n, "a model spec")
		if err != nil {
			return e, err
		}
		if e, err = ParseEntry(text); err != nil {
			return e, p.atSpec(n, err)
		}
		return e, nil
	}
	_, err = p.mapping(n, "a model", p.entryFields(&e)...)
	return e, err
}

func (p *fileParser) entryFields(e *Entry) []field {
	return []field{
		{"spec", true, func(n ast.Node) error {
			if err := p.text(&e.Spec, "a model spec")(n); err != nil {
				return err
			}
			if _, err := servers.Resolve(e.Spec); err != nil {
				return p.atSpec(n, err)
			}
			return nil
		}},
		{"as", false, func(n ast.Node) error {
			c, err := p.piece("as", n, "a name")
			if err != nil {
				return err
			}
			e.As, err = c.identifier()
			return err
		}},
		{"fixed", false, func(n ast.Node) error {
			text, err := p.scalar(n, "true")
			if err == nil && text != "true" {
				err = p.fail(n, "expected true, or no fixed at all, found %s", found(text))
			}
			e.Fixed = err == nil
			return err
		}},
	}
}

func (p *fileParser) atSpec(n ast.Node, err error) error {
	if g := p.inText(n, err); g != err {
		return g
	}
	var spec *servers.SpecError
	if errors.As(err, &spec) {
		return p.failIn(n, utf8.RuneCountInString(spec.Spec[:spec.Offset]), spec.Spec, spec.Msg)
	}
	return p.fail(n, "%v", err)
}
