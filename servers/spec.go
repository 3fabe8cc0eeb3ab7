package servers

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A Spec names a model and how it is set up:
//
//	spec   = [ part "+" ] part           a front, then the model behind it
//	part   = name [ ":" option { "," option } ]
//	option = key "=" value
//	value  = bare | quoted               bare: no , + " or white space
//	quoted = '"' { any | `\"` | `\\` } '"'
//
// as in `async`, `prefork:workers=8`, `nginx+prefork:workers=8,timeout=5s`.
// Names and keys are lower-case letters, digits, '-' and '_'.
type Spec struct {
	Front *Part
	Model Part
}

// A Part is one program of a Spec with its options in the order given.
type Part struct {
	Name    string
	Options []Setting
}

// A Setting is one key=value of a Part.
type Setting struct{ Key, Value string }

// A SpecError says what is wrong with a model spec and where.
type SpecError struct {
	Spec   string
	Offset int // bytes
	Msg    string
}

func (e *SpecError) Error() string {
	return fmt.Sprintf("model spec %q, column %d: %s", e.Spec, e.Offset+1, e.Msg)
}

// ParseSpec reads a model spec. It checks the grammar only; Resolve checks
// that the model and its options exist. Every error is a *SpecError.
func ParseSpec(text string) (Spec, error) {
	p := specParser{text: text}
	first, err := p.part()
	if err != nil {
		return Spec{}, err
	}
	if p.done() {
		return Spec{Model: first}, nil
	}
	p.at++ // part ended at "+"
	second, err := p.part()
	if err != nil {
		return Spec{}, err
	}
	if !p.done() {
		return Spec{}, p.fail("a second +: one front at most, as in FRONT+MODEL")
	}
	return Spec{Front: &first, Model: second}, nil
}

// String writes the spec so that ParseSpec reads the same again.
func (s Spec) String() string {
	if s.Front == nil {
		return s.Model.String()
	}
	return s.Front.String() + "+" + s.Model.String()
}

// With is the spec with an option of the model's set, in place of what it said.
func (s Spec) With(set Setting) Spec {
	options := slices.DeleteFunc(slices.Clone(s.Model.Options), func(o Setting) bool { return o.Key == set.Key })
	s.Model.Options = append(options, set)
	return s
}

func (p Part) String() string {
	var b strings.Builder
	b.WriteString(p.Name)
	for i, o := range p.Options {
		b.WriteByte(":,"[min(i, 1)])
		b.WriteString(o.Key)
		b.WriteByte('=')
		if o.Value != "" && !strings.ContainsFunc(o.Value, notBare) {
			b.WriteString(o.Value)
			continue
		}
		b.WriteByte('"')
		b.WriteString(strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(o.Value))
		b.WriteByte('"')
	}
	return b.String()
}

func notBare(r rune) bool {
	return r <= ' ' || r == ',' || r == '+' || r == '"' || r == 0x7f
}

type specParser struct {
	text string
	at   int
}

func (p *specParser) done() bool { return p.at == len(p.text) }

func (p *specParser) fail(format string, args ...any) error {
	return &SpecError{Spec: p.text, Offset: p.at, Msg: fmt.Sprintf(format, args...)}
}

func (p *specParser) found() string {
	if p.done() {
		return "the end"
	}
	r, _ := utf8.DecodeRuneInString(p.text[p.at:])
	return strconv.Quote(string(r))
}

// part reads up to the end or a "+".
func (p *specParser) part() (Part, error) {
	name := p.word()
	if name == "" {
		return Part{}, p.fail("expected a model name, found %s", p.found())
	}
	part := Part{Name: name}
	for sep := byte(':'); ; sep = ',' {
		if p.done() || p.text[p.at] == '+' {
			return part, nil
		}
		if p.text[p.at] != sep {
			return Part{}, p.fail("expected %q, %q or the end, found %s", sep, '+', p.found())
		}
		p.at++
		set, err := p.setting()
		if err != nil {
			return Part{}, err
		}
		for _, o := range part.Options {
			if o.Key == set.Key {
				return Part{}, p.fail("%s is set twice", set.Key)
			}
		}
		part.Options = append(part.Options, set)
	}
}

func (p *specParser) setting() (Setting, error) {
	key := p.word()
	if key == "" {
		return Setting{}, p.fail("expected key=value, found %s", p.found())
	}
	if p.done() || p.text[p.at] != '=' {
		return Setting{}, p.fail("expected = after %s, found %s", key, p.found())
	}
	p.at++
	value, err := p.value()
	return Setting{Key: key, Value: value}, err
}

func (p *specParser) word() string {
	rest := p.text[p.at:]
	end := strings.IndexFunc(rest, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_'
	})
	if end < 0 {
		end = len(rest)
	}
	p.at += end
	return rest[:end]
}

func (p *specParser) value() (string, error) {
	rest := p.text[p.at:]
	if strings.HasPrefix(rest, `"`) {
		return p.quoted()
	}
	end := strings.IndexFunc(rest, notBare)
	if end < 0 {
		end = len(rest)
	}
	if end == 0 {
		return "", p.fail("expected a value, found %s", p.found())
	}
	p.at += end
	return rest[:end], nil
}

func (p *specParser) quoted() (string, error) {
	var b strings.Builder
	start := p.at
	for p.at++; !p.done(); p.at++ {
		switch c := p.text[p.at]; c {
		case '"':
			p.at++
			return b.String(), nil
		case '\\':
			p.at++
			if p.done() || (p.text[p.at] != '"' && p.text[p.at] != '\\') {
				return "", p.fail(`expected \" or \\ after a backslash, found %s`, p.found())
			}
			b.WriteByte(p.text[p.at])
		default:
			b.WriteByte(c)
		}
	}
	p.at = start
	return "", p.fail(`no closing " for this one`)
}
