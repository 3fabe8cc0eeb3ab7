package scenarios

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"gatewaylab/scenarios/load"
	"gatewaylab/servers"
)

// A FileError says what is wrong with a scenario file and where. Lines and
// columns count from 1.
type FileError struct {
	File         string
	Line, Column int
	Msg          string
}

func (e *FileError) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Msg)
}

// maxScenarioFile keeps a mistaken file (a log, a device) from being read whole.
const maxScenarioFile = 1 << 20

// Parse reads one scenario in YAML. The name is used in errors. Errors about
// the file's content are *FileError.
func Parse(name string, r io.Reader) (*Scenario, error) {
	src, err := io.ReadAll(io.LimitReader(r, maxScenarioFile+1))
	if err != nil {
		return nil, fmt.Errorf("read scenario %s: %w", name, err)
	}
	if len(src) > maxScenarioFile {
		return nil, fmt.Errorf("read scenario %s: larger than %d bytes; is it a scenario?", name, maxScenarioFile)
	}
	p := &fileParser{name: name}
	file, err := parser.ParseBytes(src, 0)
	if err != nil {
		return nil, p.syntax(err)
	}
	docs := slices.DeleteFunc(file.Docs, func(d *ast.DocumentNode) bool { return d.Body == nil })
	if len(docs) != 1 {
		return nil, &FileError{name, 1, 1, fmt.Sprintf("expected one YAML document with a scenario, found %d", len(docs))}
	}
	p.window = 5 * time.Second
	s := &Scenario{
		Requests: []Request{{Method: http.MethodGet}},
		Stages:   make([]load.Stage, 1),
		Warmup:   time.Second,
		Timeout:  10 * time.Second,
	}
	if err := p.scenario(docs[0].Body, s); err != nil {
		return nil, err
	}
	s.Stages[0].For = p.window
	return s, nil
}

type fileParser struct {
	name   string
	window time.Duration
}

func (p *fileParser) fail(n ast.Node, format string, args ...any) error {
	return p.failAt(n.GetToken(), format, args...)
}

func (p *fileParser) failAt(t *token.Token, format string, args ...any) error {
	e := &FileError{File: p.name, Line: 1, Column: 1, Msg: fmt.Sprintf(format, args...)}
	if t != nil && t.Position != nil {
		e.Line, e.Column = t.Position.Line, t.Position.Column
	}
	return e
}

func (p *fileParser) syntax(err error) error {
	var y yaml.Error
	if errors.As(err, &y) {
		msg := y.GetMessage()
		if strings.Contains(msg, "'\t'") {
			msg = "a tab can't indent YAML; use spaces"
		}
		return p.failAt(y.GetToken(), "%s", msg)
	}
	return fmt.Errorf("%s: %w", p.name, err)
}

// A field is one key that a mapping may have, and what to do with its value.
type field struct {
	key      string
	required bool
	set      func(ast.Node) error
}

// mapping hands each value of a mapping to its field, refusing keys that are
// unknown or repeated and missing ones that are required.
func (p *fileParser) mapping(n ast.Node, what string, fields ...field) error {
	values, err := p.pairs(n, what)
	if err != nil {
		return err
	}
	var keys []string
	for _, f := range fields {
		keys = append(keys, f.key)
	}
	seen := map[string]bool{}
	for _, kv := range values {
		key := kv.Key.GetToken().Value
		i := slices.Index(keys, key)
		switch {
		case i < 0:
			return p.fail(kv.Key, "%s has no key %q%s", what, key, servers.Nearest(key, keys))
		case seen[key]:
			return p.fail(kv.Key, "%s is given twice", key)
		}
		seen[key] = true
		if err := fields[i].set(kv.Value); err != nil {
			return err
		}
	}
	for _, f := range fields {
		if f.required && !seen[f.key] {
			at := n
			if len(values) > 0 {
				at = values[0].Key
			}
			return p.fail(at, "%s lacks %s", what, f.key)
		}
	}
	return nil
}

func (p *fileParser) pairs(n ast.Node, what string) ([]*ast.MappingValueNode, error) {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values, nil
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, nil
	}
	return nil, p.fail(n, "expected %s as key: value lines, found %s", what, describe(n))
}

func describe(n ast.Node) string {
	switch n := n.(type) {
	case *ast.NullNode:
		return "nothing"
	case *ast.SequenceNode:
		return "a list"
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a mapping"
	default:
		return strconv.Quote(n.GetToken().Value)
	}
}

// scalar returns the text of a plain, quoted or block value.
func (p *fileParser) scalar(n ast.Node, want string) (string, error) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, nil
	case *ast.LiteralNode:
		return n.Value.Value, nil
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return n.GetToken().Value, nil
	}
	return "", p.fail(n, "expected %s, found %s", want, describe(n))
}

func (p *fileParser) text(to *string, want string) func(ast.Node) error {
	return func(n ast.Node) error {
		s, err := p.scalar(n, want)
		*to = strings.TrimSpace(s)
		if err == nil && *to == "" {
			return p.fail(n, "expected %s, found nothing", want)
		}
		return err
	}
}

func (p *fileParser) duration(to *time.Duration, low time.Duration) func(ast.Node) error {
	return func(n ast.Node) error {
		s, err := p.scalar(n, "a duration")
		if err != nil {
			return err
		}
		d, err := time.ParseDuration(s)
		if err != nil || d < low {
			return p.fail(n, "expected a duration of at least %s, such as 500ms or 10s, found %q", low, s)
		}
		*to = d
		return nil
	}
}

func (p *fileParser) scenario(n ast.Node, s *Scenario) error {
	return p.mapping(n, "a scenario",
		field{"name", true, func(n ast.Node) error {
			if err := p.text(&s.Name, "a name")(n); err != nil {
				return err
			}
			if !validName(s.Name) {
				return p.fail(n, "expected a name of lower-case letters, digits and dashes, found %q", s.Name)
			}
			return nil
		}},
		field{"title", true, p.text(&s.Title, "a title")},
		field{"question", true, p.text(&s.Question, "a question")},
		field{"text", true, func(n ast.Node) error {
			return p.mapping(n, "text",
				field{"load", true, p.text(&s.Text.Load, "a sentence")},
				field{"queue", true, p.text(&s.Text.Queue, "a sentence")},
				field{"service", true, p.text(&s.Text.Service, "a sentence")},
				field{"bottleneck", true, p.text(&s.Text.Bottleneck, "a sentence")})
		}},
		field{"request", true, func(n ast.Node) error { return p.request(n, &s.Requests[0]) }},
		field{"load", true, func(n ast.Node) error { return p.load(n, &s.Stages[0]) }},
		field{"for", false, p.duration(&p.window, MinWindow)},
		field{"warmup", false, p.duration(&s.Warmup, 0)},
		field{"timeout", false, p.duration(&s.Timeout, time.Millisecond)},
		field{"models", false, func(n ast.Node) error { return p.models(n, &s.Models) }},
	)
}

func validName(s string) bool {
	return s != "" && len(s) <= 40 && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-'
	})
}

var methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

func (p *fileParser) request(n ast.Node, r *Request) error {
	return p.mapping(n, "request",
		field{"method", false, func(n ast.Node) error {
			if err := p.text(&r.Method, "a method")(n); err != nil {
				return err
			}
			if !slices.Contains(methods, r.Method) {
				return p.fail(n, "expected one of %s, found %q", strings.Join(methods, " "), r.Method)
			}
			return nil
		}},
		field{"path", true, func(n ast.Node) error {
			if err := p.text(&r.Path, "a path")(n); err != nil {
				return err
			}
			if u, err := url.ParseRequestURI(r.Path); err != nil || !strings.HasPrefix(r.Path, "/") || u.Host != "" {
				return p.fail(n, "expected a path such as /wait?ms=50, found %q", r.Path)
			}
			return nil
		}},
		field{"header", false, func(n ast.Node) error { return p.header(n, &r.Header) }},
		field{"body", false, func(n ast.Node) (err error) {
			r.Body, err = p.scalar(n, "a body")
			return err
		}},
	)
}

func (p *fileParser) header(n ast.Node, h *map[string]string) error {
	values, err := p.pairs(n, "header")
	if err != nil {
		return err
	}
	*h = make(map[string]string, len(values))
	for _, kv := range values {
		v, err := p.scalar(kv.Value, "a header value")
		if err != nil {
			return err
		}
		key := kv.Key.GetToken().Value
		if key == "" || strings.ContainsAny(key, " \t:\r\n") || strings.ContainsAny(v, "\r\n") {
			return p.fail(kv.Key, "expected a header field such as Accept: text/plain, found %q: %q", key, v)
		}
		(*h)[http.CanonicalHeaderKey(key)] = v
	}
	return nil
}

func (p *fileParser) load(n ast.Node, l *load.Stage) error {
	err := p.mapping(n, "load",
		field{"open", false, func(n ast.Node) error {
			s, err := p.scalar(n, "a rate")
			if err != nil {
				return err
			}
			if l.From, err = ParseRate(s); err != nil {
				return p.fail(n, "%v", err)
			}
			l.Shape = load.Constant
			return nil
		}},
		field{"closed", false, func(n ast.Node) error {
			s, err := p.scalar(n, "a number of clients")
			if err != nil {
				return err
			}
			c, err := strconv.Atoi(s)
			if err != nil || c < 1 || c > MaxClients {
				return p.fail(n, "expected a number of clients from 1 to %d, found %q", MaxClients, s)
			}
			if l.Shape != "" {
				return p.fail(n, "a load is either open or closed, not both")
			}
			l.Shape, l.UsersFrom = load.Users, c
			return nil
		}},
	)
	switch {
	case err != nil:
		return err
	case l.Shape == "":
		return p.fail(n, "load lacks its kind: open: 200/s or closed: 50")
	case l.Shape == load.Constant && l.UsersFrom > 0:
		return p.fail(n, "a load is either open or closed, not both")
	}
	return nil
}

func (p *fileParser) models(n ast.Node, to *[]Entry) error {
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		return p.fail(n, "expected a list of model specs, found %s", describe(n))
	}
	for _, v := range seq.Values {
		s, err := p.scalar(v, "a model spec")
		if err != nil {
			return err
		}
		if _, err := servers.Resolve(s); err != nil {
			return p.fail(v, "%v", err)
		}
		*to = append(*to, Entry{Spec: s})
	}
	if len(*to) == 0 {
		return p.fail(n, "expected at least one model spec, found an empty list")
	}
	return nil
}

const (
	// MinWindow is the shortest measuring window: below it a trial holds too
	// little to say anything.
	MinWindow = 50 * time.Millisecond
	// MaxClients and MaxRate bound a load to what one machine can make.
	MaxClients = 100_000
	MaxRate    = 1_000_000
)

// ParseRate reads a rate: "200/s", "1.5/ms", "90/m", or a plain number per
// second.
func ParseRate(s string) (float64, error) {
	number, unit, slash := strings.Cut(strings.TrimSpace(s), "/")
	per := map[string]float64{"ms": 1e-3, "s": 1, "m": 60, "h": 3600}[strings.TrimSpace(unit)]
	if !slash {
		per = 1
	}
	v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err != nil || per == 0 || !(v/per > 0) || v/per > MaxRate {
		return 0, fmt.Errorf("expected a rate above 0 and up to %d/s, such as 200/s or 30/m, found %q", MaxRate, s)
	}
	return v / per, nil
}

// parseBytes is Parse for text already in memory.
func parseBytes(name string, src []byte) (*Scenario, error) {
	return Parse(name, bytes.NewReader(src))
}
