package scenarios

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

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

// Parse reads one scenario in YAML. The name is used in errors, and files of
// arrivals are looked for beside it. Errors about the file's content are
// *FileError.
func Parse(name string, r io.Reader) (*Scenario, error) {
	return parse(name, r, beside(name))
}

func parse(name string, r io.Reader, open opener) (*Scenario, error) {
	p, body, err := document(name, r, open)
	switch {
	case err != nil:
		return nil, err
	case p.isSuite(body):
		return nil, p.fail(start(body), "this is a suite of pairs and situations, which runs by itself; expected a scenario")
	}
	return p.scenario(body)
}

// ParseSuite reads one suite as Parse does a scenario; nil if the file holds
// none.
func ParseSuite(name string, r io.Reader) (*Suite, error) {
	p, body, err := document(name, r, beside(name))
	if err != nil || !p.isSuite(body) {
		return nil, err
	}
	return p.suite(body)
}

// document reads a file's only YAML document.
func document(name string, r io.Reader, open opener) (*fileParser, ast.Node, error) {
	src, err := io.ReadAll(io.LimitReader(r, maxScenarioFile+1))
	if err != nil {
		return nil, nil, fmt.Errorf("read scenario %s: %w", name, err)
	}
	if len(src) > maxScenarioFile {
		return nil, nil, fmt.Errorf("read scenario %s: larger than %d bytes; is it a scenario?", name, maxScenarioFile)
	}
	p := &fileParser{name: name, open: open}
	file, err := parser.ParseBytes(src, 0)
	if err != nil {
		return nil, nil, p.syntax(err)
	}
	docs := slices.DeleteFunc(file.Docs, func(d *ast.DocumentNode) bool { return d.Body == nil })
	if len(docs) != 1 {
		return nil, nil, &FileError{name, 1, 1, fmt.Sprintf("expected one YAML document with a scenario, found %d", len(docs))}
	}
	return p, docs[0].Body, nil
}

type fileParser struct {
	name string
	open opener
	// stages are where each of the load's stages stands.
	stages []ast.Node
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

// failIn says what is wrong within a scalar, so many characters into its text,
// as precisely as the way in which it is written allows.
func (p *fileParser) failIn(n ast.Node, chars int, text, msg string) error {
	t := n.GetToken()
	e := &FileError{File: p.name, Line: t.Position.Line, Column: t.Position.Column, Msg: msg}
	switch quote := strings.TrimSpace(t.Origin); {
	case quote == text:
		e.Column += chars
	case len(quote) >= 2 && quote[1:len(quote)-1] == text && (quote[0] == '"' || quote[0] == '\''):
		e.Column += 1 + chars
	case chars > 0:
		e.Msg = fmt.Sprintf("%q, column %d: %s", text, chars+1, msg)
	}
	return e
}

// inText puts a *GrammarError of a scalar's text where it stands in the file.
func (p *fileParser) inText(n ast.Node, err error) error {
	var g *GrammarError
	if errors.As(err, &g) {
		return p.failIn(n, g.Column-1, g.Text, g.Msg)
	}
	return err
}

func (p *fileParser) syntax(err error) error {
	var y yaml.Error
	if errors.As(err, &y) {
		msg := y.GetMessage()
		switch {
		case strings.Contains(msg, "'\t'"):
			msg = "a tab can't indent YAML; use spaces"
		case strings.Contains(msg, "mapping value is not allowed"):
			msg += `; a text with ": " in it must stand in quotes`
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
// unknown or repeated and missing ones that are required. It returns the
// values by their keys.
func (p *fileParser) mapping(n ast.Node, what string, fields ...field) (map[string]ast.Node, error) {
	values, err := p.pairs(n, what)
	if err != nil {
		return nil, err
	}
	var keys []string
	for _, f := range fields {
		keys = append(keys, f.key)
	}
	seen := map[string]ast.Node{}
	for _, kv := range values {
		key := kv.Key.GetToken().Value
		i := slices.Index(keys, key)
		switch {
		case i < 0:
			return nil, p.fail(kv.Key, "%s has no key %q%s", what, key, servers.Nearest(key, keys))
		case seen[key] != nil:
			return nil, p.fail(kv.Key, "%s is given twice", key)
		}
		seen[key] = kv.Value
		if err := fields[i].set(kv.Value); err != nil {
			return nil, err
		}
	}
	for _, f := range fields {
		if f.required && seen[f.key] == nil {
			return nil, p.fail(start(n), "%s lacks %s", what, f.key)
		}
	}
	return seen, nil
}

// start is the node at which an error about a whole mapping points: its first
// key.
func start(n ast.Node) ast.Node {
	switch m := n.(type) {
	case *ast.MappingNode:
		if len(m.Values) > 0 {
			return m.Values[0].Key
		}
	case *ast.MappingValueNode:
		return m.Key
	}
	return n
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

func isMapping(n ast.Node) bool {
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return true
	}
	return false
}

// list returns the items of a list of 1 to most things.
func (p *fileParser) list(n ast.Node, what string, most int) ([]ast.Node, error) {
	seq, ok := n.(*ast.SequenceNode)
	switch {
	case !ok:
		return nil, p.fail(n, "expected a list of %ss, found %s", what, describe(n))
	case len(seq.Values) == 0:
		return nil, p.fail(n, "expected at least one %s, found an empty list", what)
	case len(seq.Values) > most:
		return nil, p.fail(seq.Values[most], "expected at most %d %ss, found %d", most, what, len(seq.Values))
	}
	return seq.Values, nil
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

// piece is a scalar as a part of a form.
func (p *fileParser) piece(key string, n ast.Node, want string) (piece, error) {
	s, err := p.scalar(n, want)
	return piece{key: key, text: s, wrong: func(at int, msg string) error {
		return p.failIn(n, utf8.RuneCountInString(s[:min(at, len(s))]), s, msg)
	}}, err
}

// pieces hands scalars to a form as the values of keys.
func (p *fileParser) pieces(take func(piece) error, keys ...string) []field {
	fields := make([]field, len(keys))
	for i, key := range keys {
		fields[i] = field{key, false, func(n ast.Node) error {
			c, err := p.piece(key, n, "a value of "+key)
			if err != nil {
				return err
			}
			return take(c)
		}}
	}
	return fields
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
